//! The list of keys: a table for a person, a record a line for a program.

use serde::Deserialize;
use serde_json::Value;

use crate::terminal::{aligned, bold, moves, numbers, print, say, shown};
use crate::top::plain::word;
use crate::top::words;

/// The answer of `/admin/v1/keys`.
#[derive(Deserialize)]
pub(super) struct Keys {
    keys_are_asked_for: bool,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    name: String,
    source: String,
    state: String,
    tenant: String,
    why: Option<String>,
    routes: Value,
    budgets: Value,
    priority: Option<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    former_until: Option<String>,
}

impl Keys {
    pub(super) fn read(answer: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(answer)
    }
}

/// Prints the list.
pub(super) fn show(keys: &Keys) {
    if keys.keys.is_empty() {
        say("Everyone on this machine may call Weir: no keys.");
        say("  hint  weir keys make checkout-bot --tenant team-a");
    } else if moves() {
        print(bold(&shown(&headline(keys))));
        print(shown(&table(&keys.keys).join("\n")));
    } else {
        print(keys.keys.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
}

fn headline(keys: &Keys) -> String {
    let count = |state: &str| keys.keys.iter().filter(|key| key.state == state).count() as u64;
    let valid = count("valid");
    let verb = if valid == 1 { "is" } else { "are" };
    let mut parts = vec![format!("{} {verb} valid", numbers::counted(valid, "key"))];
    for (state, words) in
        [("expired", "expired"), ("revoked", "revoked"), ("shut-out", "shut out by the configuration")]
    {
        if count(state) > 0 {
            parts.push(format!("{} {words}", numbers::count(count(state))));
        }
    }
    let asked = if keys.keys_are_asked_for { "" } else { " Nobody is asked for one." };
    format!("{}.{asked}", parts.join(", "))
}

fn table(keys: &[Key]) -> Vec<String> {
    let mut rows =
        vec![["key", "tenant", "state", "routes", "class", "ends (UTC)", "from"].map(str::to_owned).to_vec()];
    rows.extend(keys.iter().map(|key| {
        let state = match &key.former_until {
            Some(until) => format!("{}, former until {}", key.state, time(until)),
            None => key.state.replace('-', " "),
        };
        let ends = key.revoked_at.as_ref().or(key.expires_at.as_ref()).map_or_else(|| "—".to_owned(), |at| time(at));
        vec![
            cell(&key.name, 32),
            cell(&key.tenant, 24),
            state,
            names(&key.routes).map_or_else(|| "all".to_owned(), |routes| cell(&routes, 32)),
            key.priority.clone().unwrap_or_else(|| "—".to_owned()),
            ends,
            if key.source == "config" { "weir.toml".to_owned() } else { "weir keys make".to_owned() },
        ]
    }));
    let mut lines = aligned(&rows, 7);
    lines.extend(
        keys.iter().filter_map(|key| key.why.as_ref()).map(|why| format!("not let in: {}", weir_wire::shown(why))),
    );
    lines
}

fn line(key: &Key) -> String {
    let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), said);
    format!(
        "key {} state={} tenant={} source={} routes={} budgets={} priority={} created={} expires={} revoked={} former-until={}",
        said(&key.name),
        said(&key.state),
        said(&key.tenant),
        said(&key.source),
        names(&key.routes).map_or_else(|| "*".to_owned(), |names| said(&names.replace(", ", ","))),
        names(&key.budgets)
            .filter(|names| !names.is_empty())
            .map_or_else(|| "-".to_owned(), |names| said(&names.replace(", ", ","))),
        or_none(&key.priority),
        or_none(&key.created_at),
        or_none(&key.expires_at),
        or_none(&key.revoked_at),
        or_none(&key.former_until),
    )
}

/// A name as one word that no terminal obeys.
fn said(text: &str) -> String {
    word(&weir_wire::shown(text))
}

fn cell(text: &str, width: usize) -> String {
    words::cut(&weir_wire::shown(text), width)
}

/// The names of a list; none if there is no list.
pub(super) fn names(list: &Value) -> Option<String> {
    let names: Vec<String> = list.as_array()?.iter().filter_map(Value::as_str).map(weir_wire::shown).collect();
    Some(names.join(", "))
}

/// A time to the minute, as a person reads it: `2026-11-18 14:47`.
pub(super) fn time(at: &str) -> String {
    weir_wire::shown(at.get(..16).unwrap_or(at)).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys() -> Keys {
        let key = |name: &str, source: &str, state: &str| {
            json!({
                "name": name, "source": source, "state": state, "tenant": "shop", "why": null, "routes": ["a", "b"], "budgets": [],
                "priority": "batch", "created_at": "2026-11-18T14:47:03.114Z", "expires_at": null, "revoked_at": null,
                "former_until": null,
            })
        };
        let mut rotated = key("hostile\u{1b}[2J \u{202e}name", "made", "valid");
        rotated["former_until"] = json!("2026-11-19T14:47:03.114Z");
        rotated["routes"] = Value::Null;
        let mut revoked = key("old", "made", "revoked");
        revoked["revoked_at"] = json!("2026-11-18T15:00:00.000Z");
        let answer = json!({ "keys_are_asked_for": true, "keys": [key("bot", "config", "valid"), rotated, revoked] });
        Keys::read(answer.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_person_sees_a_sentence_and_a_table() {
        assert_eq!(headline(&keys()), "2 keys are valid, 1 revoked.");
        let expected = [
            "key                tenant  state                                 routes  class  ends (UTC)        from",
            "bot                shop    valid                                 a, b    batch  —                 weir.toml",
            "hostile?[2J ?name  shop    valid, former until 2026-11-19 14:47  all     batch  —                 weir keys make",
            "old                shop    revoked                               a, b    batch  2026-11-18 15:00  weir keys make",
        ];
        assert_eq!(table(&keys().keys), expected);
    }

    #[test]
    fn a_program_gets_a_record_a_line_without_what_a_terminal_obeys() {
        let lines: Vec<String> = keys().keys.iter().map(line).collect();
        assert_eq!(
            lines[1],
            "key hostile?[2J_?name state=valid tenant=shop source=made routes=* budgets=- priority=batch \
             created=2026-11-18T14:47:03.114Z expires=- revoked=- former-until=2026-11-19T14:47:03.114Z"
        );
    }
}
