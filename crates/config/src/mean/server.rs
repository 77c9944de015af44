//! `[server]`, `[ledger]` and `[quota]`: addresses, files and limits of this process.

use std::path::{Path, PathBuf};

use crate::load::state_folder;
use crate::log::{Log, shown};
use crate::written::Table;
use crate::{Environment, Ledger, Secret, Server, Source, Tls};

pub(super) fn server(root: &Table, environment: &dyn Environment, log: &mut Log<'_>) -> Server {
    let table = root.table("server");
    check_addresses(root, table, log);
    if let Some(key) = table.secret("admin-key")
        && key.is_set()
        && key.expose().len() < 24
    {
        let message = format!("`server.admin-key` has {} characters", key.expose().len());
        log.warn(table.at("admin-key"), message, "24 or more are hard to guess: `openssl rand -hex 32`".to_owned());
    }
    let size = |key| table.count(key).and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    let ca_file = table.path("ca-file").cloned();
    if let Some(path) = &ca_file {
        check_pem(path, "CERTIFICATE", table, "ca-file", environment, log);
    }
    let (body_limit, buffer_limit) = (size("body-limit"), size("buffer-limit"));
    if body_limit > buffer_limit && buffer_limit > 0 {
        let at = table.at("buffer-limit").or(table.at("body-limit"));
        let hint = "raise `buffer-limit` or lower `body-limit`".to_owned();
        log.fault(at, "one request body of `server.body-limit` is more than `server.buffer-limit`", hint);
    }
    Server {
        listen: table.address("listen").unwrap_or_else(|| ([127, 0, 0, 1], 0).into()),
        admin_listen: table.address("admin-listen"),
        admin_key: table.secret("admin-key").cloned(),
        tls: tls(table, environment, log),
        ca_file,
        public_url: table.text("public-url").map(str::to_owned),
        timezone: table.text("timezone").unwrap_or("UTC").to_owned(),
        log_json: table.text("log-format") == Some("json"),
        body_limit,
        buffer_limit,
        max_connections: size("max-connections"),
        grace: table.span("grace"),
    }
}

/// What others can reach needs credentials on both of its doors.
fn check_addresses(root: &Table, table: &Table, log: &mut Log<'_>) {
    let has_admin_key = table.get("admin-key").is_some() || !root.table("admins").0.is_empty();
    let admin_hint = || Some("add `admin-key = { env = \"WEIR_ADMIN_KEY\" }` under `[server]`".to_owned());
    let reachable = |key| table.address(key).filter(|address| !address.ip().is_loopback());
    if let Some(listen) = reachable("listen") {
        let at = table.at("listen");
        if root.table("keys").0.is_empty() {
            let message =
                format!("`server.listen` is `{listen}`, which other machines reach, and there are no `[keys]`");
            let hint = "add `[keys.NAME]` with `key = { env = \"NAME_KEY\" }`, or listen on `127.0.0.1`".to_owned();
            log.fault(at, message, hint);
        }
        if !has_admin_key {
            let message =
                format!("`server.listen` is `{listen}`, which other machines reach, and there is no `admin-key`");
            log.fault(at, message, admin_hint());
        }
    }
    if let Some(admin_listen) = reachable("admin-listen")
        && !has_admin_key
    {
        let message = format!(
            "`server.admin-listen` is `{admin_listen}`, which other machines reach, and there is no `admin-key`"
        );
        log.fault(table.at("admin-listen"), message, admin_hint());
    }
    if let Some(admin_listen) = table.address("admin-listen")
        && table.address("listen") == Some(admin_listen)
        && admin_listen.port() != 0
    {
        let message = format!("`server.admin-listen` is `{admin_listen}`, and so is `listen`");
        log.fault(table.at("admin-listen"), message, "leave it out to serve both on one address".to_owned());
    }
}

fn tls(table: &Table, environment: &dyn Environment, log: &mut Log<'_>) -> Option<Tls> {
    table.get("tls")?;
    let (tls, at) = (table.table("tls"), table.at("tls"));
    for key in ["certificate", "key"] {
        if tls.get(key).is_none() && table.get("tls")?.table().is_some() {
            log.fault(at, format!("`server.tls` has no `{key}`"), format!("add `{key} = \"{key}.pem\"`"));
        }
    }
    let (certificate, key) = (tls.path("certificate")?.clone(), tls.path("key")?.clone());
    check_pem(&certificate, "CERTIFICATE", tls, "certificate", environment, log);
    check_pem(&key, "PRIVATE KEY", tls, "key", environment, log);
    Some(Tls { certificate, key })
}

fn check_pem(path: &Path, what: &str, table: &Table, key: &str, environment: &dyn Environment, log: &mut Log<'_>) {
    let file = shown(&path.to_string_lossy());
    match environment.read(path) {
        // As with secrets: whoever serves nothing needs no certificates.
        Err(_) if !environment.needs_secrets() => {}
        Err(error) => log.fault(table.at(key), format!("`{key}` names `{file}`, which cannot be read: {error}"), None),
        Ok(text) => {
            let begins =
                |line: &str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{what}-----"));
            if !text.lines().any(begins) {
                let message = format!("`{key}` names `{file}`, which holds no `-----BEGIN … {what}-----`");
                log.fault(table.at(key), message, "it should be a PEM file".to_owned());
            }
        }
    }
}

/// The ledger: a file of SQLite's, or a database of Postgres's.
pub(super) fn ledger(table: &Table, source: &Source, environment: &dyn Environment, log: &mut Log<'_>) -> Ledger {
    // What is referred to may hold a password, and is in no message.
    let (url, said) = match table.secret("url") {
        Some(unset) if !unset.is_set() => {
            let path = state_folder(environment).unwrap_or_default().join("weir").join("postgres");
            return Ledger { path, postgres: Some(Secret::unset()), retention: table.span("retention") };
        }
        Some(secret) => (secret.expose(), "what it refers to".to_owned()),
        None => (table.text("url").unwrap_or_default(), format!("`{}`", shown(table.text("url").unwrap_or_default()))),
    };
    let at = table.at("url");
    let folder = match source {
        Source::File(file) => file.parent().map(PathBuf::from).unwrap_or_default(),
        Source::Environment => PathBuf::new(),
    };
    let hint = || Some("write `\"sqlite:weir.db\"`".to_owned());
    let mut postgres = None;
    let path = match url.split_once(':') {
        Some(("sqlite", rest)) => {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            if rest.is_empty() || rest.starts_with(':') || rest.contains('?') {
                log.fault(at, format!("`ledger.url` is {said}, which names no file"), hint());
            }
            folder.join(rest)
        }
        Some(("postgres" | "postgresql", _)) => {
            // What is not in the database lies where programs keep their state, not beside the configuration.
            let state = state_folder(environment);
            if state.is_none() {
                let message = "there is no folder for what is kept beside a ledger in Postgres: neither `XDG_STATE_HOME` nor `HOME` is an absolute path";
                log.fault(at, message, None);
            }
            postgres = Some(Secret::new(url));
            state.unwrap_or(folder).join("weir").join("postgres")
        }
        _ => {
            // A broken url has been noted already.
            if !url.is_empty() {
                log.fault(at, format!("`ledger.url` is {said}, which is no ledger"), hint());
            }
            folder
        }
    };
    Ledger { path, postgres, retention: table.span("retention") }
}

/// The quota, which in this version is this process's own.
pub(super) fn check_quota(table: &Table, log: &mut Log<'_>) {
    if let Some(url) = table.text("url")
        && url != "local"
    {
        let scheme = url.split(':').next().unwrap_or_default();
        let message = format!("`quota.url` is `{}:…`, and this version counts in its own process alone", shown(scheme));
        log.fault(table.at("url"), message, "write `\"local\"`".to_owned());
    }
}
