//! Secrets by reference: looked up once, trimmed, checked, and never part of a message.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Wrong;
use crate::log::shown;
use crate::written::Value;
use crate::{Environment, Secret};

/// Looks up `{ env = "NAME" }` or `{ file = "…" }`; `None` is a table of another form.
pub(super) fn look_up(
    reference: &DeTable<'_>,
    folder: &Path,
    environment: &dyn Environment,
) -> Result<Option<Value>, Wrong> {
    let mut entries = reference.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Ok(None);
    };
    let DeValue::String(name) = value.get_ref() else {
        return Ok(None);
    };
    let (source, found) = match key.get_ref().as_ref() {
        "env" => {
            let source = format!("the environment variable `{}`", shown(name));
            let hint = Some(format!("export {}=…", shown(name)));
            let found = environment.var(name);
            (
                source.clone(),
                found.ok_or_else(|| Wrong { message: format!("refers to {source}, which is not set"), hint }),
            )
        }
        "file" => {
            let path = folder.join(name.as_ref());
            let source = format!("the file `{}`", shown(&path.to_string_lossy()));
            let found = environment.read(&path);
            let unreadable =
                |error| Wrong { message: format!("refers to {source}, which cannot be read: {error}"), hint: None };
            (source.clone(), found.map_err(unreadable))
        }
        _ => return Ok(None),
    };
    let unset = || Ok(Some(Value::Secret(Secret::unset())));
    let text = match found {
        Err(_) if !environment.needs_secrets() => return unset(),
        found => found?,
    };
    let text = text.trim();
    let wrong = |what: &str| Wrong { message: format!("refers to {source}, which {what}"), hint: None };
    if text.is_empty() {
        if !environment.needs_secrets() {
            return unset();
        }
        return Err(wrong("is empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(wrong("holds a character that no header may carry"));
    }
    Ok(Some(Value::Secret(Secret::new(text))))
}

/// The fault of a secret that stands in the file itself.
pub(super) fn written_out(path: &str) -> Wrong {
    let last = path.rsplit('.').next().unwrap_or(path);
    Wrong {
        message: "is written out in the file".to_owned(),
        hint: Some(format!("keep it elsewhere: `{last} = {{ env = \"NAME\" }}` or `{{ file = \"/run/secrets/x\" }}`")),
    }
}
