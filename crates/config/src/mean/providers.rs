//! `[providers]`: which API each is, where it is, and what goes there with each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_units::Tokens;
use weir_wire::Dialect;

use super::is_name;
use super::prices::price;
use crate::log::{At, Log, shown};
use crate::nearest::nearest;
use crate::url::Url;
use crate::written::{Table, Value};
use crate::{Environment, ModelSettings, Provider, Secret};
use weir_wire::ProviderKind;

/// Kinds that are planned, and that this version does not have.
const KINDS_LATER: [&str; 4] = ["gemini", "vertex", "bedrock", "azure"];
const KINDS: [&str; 4] = ["openai", "anthropic", "openai-compatible", "mock"];

/// Headers that are the connection's, or that Weir sets itself.
const RESERVED: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn providers(
    root: &Table,
    environment: &dyn Environment,
    log: &mut Log<'_>,
) -> BTreeMap<Arc<str>, Provider> {
    let mut providers = BTreeMap::new();
    for (name, table, at) in root.named("providers") {
        if is_name("provider", name, at, log)
            && let Some(provider) = provider(name, table, at, environment, log)
        {
            providers.insert(Arc::clone(&provider.name), provider);
        }
    }
    if root.table("providers").0.is_empty() {
        let mock = built_in_mock();
        providers.insert(Arc::clone(&mock.name), mock);
    }
    providers
}

/// The provider that answers where none is configured.
pub(crate) fn built_in_mock() -> Provider {
    Provider {
        name: "mock".into(),
        kind: ProviderKind::Mock,
        base_url: String::new(),
        api_key: None,
        headers: Vec::new(),
        models: BTreeMap::new(),
    }
}

/// Anthropic's address without `/v1`, which its SDKs' variable does not hold and many people write.
pub(crate) fn anthropic_root(url: &str) -> &str {
    url.strip_suffix("/v1").unwrap_or(url).trim_end_matches('/')
}

fn provider(name: &str, table: &Table, at: At, environment: &dyn Environment, log: &mut Log<'_>) -> Option<Provider> {
    let kind = kind(name, table, at, log)?;
    let headers = headers(name, kind, table, log);
    let base_url = match table.text("base-url") {
        Some(url) if kind == ProviderKind::Anthropic => anthropic_root(url).to_owned(),
        Some(url) => url.to_owned(),
        None => kind.default_base_url().unwrap_or_default().to_owned(),
    };
    if table.get("base-url").is_none() && base_url.is_empty() && kind != ProviderKind::Mock {
        let hint = "add `base-url = \"https://host/v1\"`".to_owned();
        log.fault(at, format!("provider `{name}` of kind `{}` has no `base-url`", kind.name()), hint);
    }
    let api_key = credential(name, kind, table, &headers, at, environment, log);
    if let Ok(url) = Url::parse(&base_url)
        && !url.encrypted
        && !url.is_loopback()
        && api_key.is_some()
    {
        let message = format!("the credential of provider `{name}` crosses the network in the clear, to `{base_url}`");
        log.warn(table.at("base-url"), message, "use `https://` if it can".to_owned());
    }
    let models = table
        .named("models")
        .map(|(model, table, _)| {
            let context_window = table.count("context-window").map(Tokens);
            (model.to_owned(), ModelSettings { context_window, price: price(name, kind, model, table, log) })
        })
        .collect();
    Some(Provider { name: name.into(), kind, base_url, api_key, headers, models })
}

fn kind(name: &str, table: &Table, at: At, log: &mut Log<'_>) -> Option<ProviderKind> {
    let (written, at) = match table.get("kind") {
        Some(kind) => (kind.text()?, kind.at),
        None => (name, at),
    };
    if let Some(kind) = ProviderKind::from_name(written) {
        return Some(kind);
    }
    let all = || format!("this version has {}", KINDS.map(|kind| format!("`{kind}`")).join(", "));
    if KINDS_LATER.contains(&written) {
        log.fault(at, format!("provider kind `{written}` is not in this version"), all());
    } else if table.get("kind").is_none() {
        log.fault(at, format!("provider `{name}` has no `kind`"), all());
    } else {
        let hint = nearest(written, KINDS).map_or_else(all, |near| format!("did you mean `{near}`?"));
        log.fault(at, format!("provider `{name}` has the unknown kind `{}`", shown(written)), hint);
    }
    None
}

/// The credential as written; else, at the kind's own address, the one that its SDKs take from the environment.
fn credential(
    name: &str,
    kind: ProviderKind,
    table: &Table,
    headers: &[(String, String)],
    at: At,
    environment: &dyn Environment,
    log: &mut Log<'_>,
) -> Option<Secret> {
    let header = credential_header(kind);
    let has_header = headers.iter().any(|(name, _)| name == header);
    if table.get("api-key").is_some() {
        if has_header {
            let message = format!("provider `{name}` has both `api-key` and the header `{header}`");
            log.fault(table.at("headers"), message, "leave one of them out".to_owned());
        }
        return table.secret("api-key").cloned();
    }
    let variable = match kind {
        ProviderKind::OpenAi => "OPENAI_API_KEY",
        ProviderKind::Anthropic => "ANTHROPIC_API_KEY",
        ProviderKind::OpenAiCompatible | ProviderKind::Mock => return None,
    };
    if has_header || table.get("base-url").is_some() {
        return None;
    }
    let found = environment.var(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if found.is_none() && !environment.needs_secrets() {
        return Some(Secret::unset());
    }
    if found.is_none() {
        let message = format!("provider `{name}` has no `api-key`, and `{variable}` is not set");
        log.fault(at, message, format!("export {variable}=…, or add `api-key = {{ env = \"NAME\" }}`"));
    }
    found.map(Secret::new)
}

/// The header that a kind's credential travels in.
fn credential_header(kind: ProviderKind) -> &'static str {
    match kind.dialect() {
        Dialect::OpenAi => "authorization",
        Dialect::Anthropic => "x-api-key",
    }
}

fn headers(name: &str, kind: ProviderKind, table: &Table, log: &mut Log<'_>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (header, written) in &table.table("headers").0 {
        let lower = header.to_ascii_lowercase();
        let mut wrong = |what: &str| {
            log.fault(written.key_at, format!("header `{}` of provider `{name}` {what}", shown(header)), None);
        };
        if header.is_empty() || !header.bytes().all(is_token) {
            wrong("is no name of a header");
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("x-weir-") {
            wrong("is set by Weir itself");
        } else if headers.iter().any(|(known, _)| *known == lower) {
            wrong("is there twice, but for the case of its letters");
        } else if lower == "anthropic-version" && kind.dialect() == Dialect::Anthropic {
            wrong("goes with the body that Weir writes, so it is set by Weir itself");
        }
        let value = match &written.value {
            Value::Text(text) => text.as_str(),
            Value::Secret(secret) => secret.expose(),
            _ => continue,
        };
        if !value.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic()) {
            wrong("has a value that no header may carry");
        }
        headers.push((lower, value.to_owned()));
    }
    headers
}

/// RFC 9110, section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
