//! The two ways to a config: from a file, and without one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::{Log, shown};
use crate::mean::{anthropic_root, built_in_mock, mean, telemetry};
use crate::read::read;
use crate::url::Url;
use crate::{Config, Environment, Fault, Provider, Report, Secret, Source};
use weir_wire::ProviderKind;

/// Reads the config in the file `path`.
#[must_use]
pub fn load(path: &Path, environment: &dyn Environment) -> Report {
    let text = match environment.read(path) {
        Ok(text) => text,
        Err(error) => {
            let fault = Fault {
                message: format!("cannot read the config `{}`: {error}", shown(&path.to_string_lossy())),
                place: None,
                hint: Some(
                    "name another with `--config FILE`, or none to take providers from the environment".to_owned(),
                ),
            };
            return Report { config: None, faults: vec![fault], warnings: Vec::new() };
        }
    };
    let mut log = Log::new(path, &text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let config = read(&text, folder, environment, &mut log)
        .map(|root| mean(&root, Source::File(path.to_owned()), environment, &mut log));
    report(config, log)
}

/// The config where there is no file: providers by the variables that SDKs know, everything else at its default.
#[must_use]
pub fn from_environment(environment: &dyn Environment) -> Report {
    let mut log = Log::new(Path::new(""), "");
    let config = read("", Path::new(""), environment, &mut log).map(|root| {
        // What the empty file is warned of is not this config's.
        let mut unsaid = Log::new(Path::new(""), "");
        let mut config = mean(&root, Source::Environment, environment, &mut unsaid);
        config.telemetry = telemetry(root.table("telemetry"), environment, &mut log);
        config
    });
    let config = config.map(|mut config| {
        complete(&mut config, environment, &mut log);
        config
    });
    report(config, log)
}

fn report(config: Option<Config>, log: Log<'_>) -> Report {
    let config = config.filter(|_| log.is_clean());
    let (faults, warnings) = log.finish();
    Report { config, faults, warnings }
}

fn complete(config: &mut Config, environment: &dyn Environment, log: &mut Log<'_>) {
    config.providers.clear();
    for kind in [ProviderKind::OpenAi, ProviderKind::Anthropic] {
        if let Some(provider) = provider(kind, environment, log) {
            config.providers.insert(Arc::clone(&provider.name), provider);
        }
    }
    if variable("GEMINI_API_KEY", environment).is_some() {
        log.warn(None, "`GEMINI_API_KEY` is set, and this version has no provider of kind `gemini`", None);
    }
    if config.providers.is_empty() {
        let mock = built_in_mock();
        config.providers.insert(Arc::clone(&mock.name), mock);
    }
    config.server.admin_key = secret("WEIR_ADMIN_KEY", environment, log);
    match state_folder(environment) {
        Some(folder) => config.ledger.path = folder.join("weir").join("weir.db"),
        None => log.fault(
            None,
            "there is no folder for the ledger: neither `XDG_STATE_HOME` nor `HOME` is an absolute path",
            "set one of them, or write a weir.toml with `[ledger] url = \"sqlite:weir.db\"`".to_owned(),
        ),
    }
}

fn provider(kind: ProviderKind, environment: &dyn Environment, log: &mut Log<'_>) -> Option<Provider> {
    let prefix = kind.name().to_uppercase();
    let url_variable = format!("{prefix}_BASE_URL");
    let api_key = secret(&format!("{prefix}_API_KEY"), environment, log);
    let url = variable(&url_variable, environment);
    if api_key.is_none() && url.is_none() {
        return None;
    }
    let base_url = match &url {
        None => kind.default_base_url().unwrap_or_default().to_owned(),
        Some(url) => match Url::parse(url) {
            Ok(parsed) => {
                if !parsed.encrypted && !parsed.is_loopback() && api_key.is_some() {
                    let message =
                        format!("the credential of provider `{}` crosses the network in the clear", kind.name());
                    log.warn(None, message, format!("use `https://` in `{url_variable}` if it can"));
                }
                parsed.text.to_owned()
            }
            Err(why) => {
                log.fault(None, format!("`{url_variable}` `{}` {why}", shown(url)), None);
                String::new()
            }
        },
    };
    let base_url = match kind {
        ProviderKind::Anthropic => anthropic_root(&base_url).to_owned(),
        _ => base_url,
    };
    Some(Provider { name: kind.name().into(), kind, base_url, api_key, ..built_in_mock() })
}

/// A variable that is set to something.
fn variable(name: &str, environment: &dyn Environment) -> Option<String> {
    environment.var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn secret(name: &str, environment: &dyn Environment, log: &mut Log<'_>) -> Option<Secret> {
    let value = variable(name, environment)?;
    if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        log.fault(None, format!("`{name}` holds a character that no header may carry"), None);
    }
    Some(Secret::new(value))
}

/// Where programs keep their state (XDG Base Directory Specification 0.8; a relative path there is to be ignored).
pub(crate) fn state_folder(environment: &dyn Environment) -> Option<PathBuf> {
    let folder = |name| variable(name, environment).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))
}
