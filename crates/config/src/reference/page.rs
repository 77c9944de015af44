//! `docs/config.md`, printed from the table of settings.

use std::fmt::Write as _;

use super::shared::LIMITS;
use super::{Effect, ROOT, Setting, Shape};

const INTRODUCTION: &str = "\
# `weir.toml`

<!-- Printed from crates/config/src/reference/: change it there, then run `UPDATE=1 cargo test -p weir-config`. -->

Weir reads one TOML file, `weir serve --config weir.toml`. `weir check` prints every fault at once, each with its place and a hint.

- Keys are kebab-case. One that is not on this page is a fault, answered with the nearest one that is.
- Durations are numbers with units: `250ms`, `30s`, `10m`, `1h30m`, `10d`. Sizes are `32MiB`, `1GB` or a number of bytes.
- Secrets are written by reference, `{ env = \"NAME\" }` or `{ file = \"/run/secrets/x\" }`; spaces and line ends around them are
  dropped. One that is not set or empty is a fault, and so is one that is written out in the file.
- Relative paths are taken from the file's own folder.
- Names of providers, keys, tenants and pools consist of letters, digits, `_`, `.` and `-`.
- What is marked *not yet* is read and checked, and this version does not act on it: it says so at start and in `weir check`.

## Without a file

Providers are taken from the environment: `openai` from `OPENAI_API_KEY` and `OPENAI_BASE_URL`, `anthropic` from `ANTHROPIC_API_KEY`
and `ANTHROPIC_BASE_URL` (with or without `/v1`). A base URL alone is a provider that needs no credential. With none of them the
built-in mock answers as `mock/…`. `WEIR_ADMIN_KEY`, if set, is the admin key. The ledger is `weir/weir.db` in `$XDG_STATE_HOME`, or in
`~/.local/state`. A bare model name goes to the provider that the model catalogue gives it, else to the one whose dialect the path speaks.

## Which deployment a name means

An exact route; else the part before the first `/` names a provider and the rest is its model, which may hold slashes; else the
route `\"*\"` with the whole name; else 404. A key with `routes` may use nothing else; one without may use all. A base URL of
the OpenAI dialect is called as it is if it has a path (`https://host/v1`, `https://host/v1beta/openai`) and gets `/v1` if it has none;
one of Anthropic's is called with `/v1/messages`, whether or not it ends with `/v1`.
";

const COLUMNS: &str = "| key | value | default | meaning |\n|---|---|---|---|\n";

/// The reference page, in Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for setting in ROOT {
        section(&mut page, setting.key, setting, "");
    }
    page.push_str("\n## Limits\n\nOn providers, models, pools and keys alike. *Not yet.*\n\n");
    page.push_str(COLUMNS);
    rows(&mut page, "", LIMITS, true);
    page
}

/// One table's heading, text and settings, then the tables inside it that are long enough for a heading of their own.
fn section(page: &mut String, path: &str, table: &Setting, inherited: &str) {
    let named = matches!(table.shape, Shape::Named(_));
    let path = if named { format!("{path}.NAME") } else { path.to_owned() };
    let note = match table.effect {
        Effect::Later(_) if inherited.is_empty() => " *Not yet.*",
        _ => "",
    };
    let _ = write!(page, "\n## `[{path}]`\n\n{}{note}\n\n", table.doc);
    page.push_str(COLUMNS);
    let marked = !note.is_empty() || !inherited.is_empty();
    rows(page, "", table.shape.inside(), marked);
    for setting in table.shape.inside() {
        if let Shape::Named(_) = setting.shape {
            let inner = format!("{path}.{}", setting.key);
            section(page, &inner, setting, if marked { "not yet" } else { "" });
        }
    }
}

/// A row for each setting; small tables inside are written with dotted keys, those that have a section of their own are linked.
fn rows(page: &mut String, prefix: &str, settings: &[Setting], marked: bool) {
    for setting in settings {
        let key = format!("{prefix}{}", setting.key);
        let later = !marked && matches!(setting.effect, Effect::Later(_));
        match setting.shape {
            Shape::Named(_) => continue,
            Shape::Table(inside) | Shape::Partial(inside) => {
                let note = if later { " *Not yet.*" } else { "" };
                let place = match setting.key {
                    "limits" => "a table, see [Limits](#limits)",
                    "timeouts" => "a table like [`[timeouts]`](#timeouts)",
                    "runs" => "a table like [`[runs]`](#runs)",
                    _ => "a table",
                };
                let _ = writeln!(page, "| `{key}` | {place} | | {}{note} |", setting.doc);
                if place == "a table" {
                    rows(page, &format!("{key}."), inside, true);
                }
                continue;
            }
            _ => {}
        }
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        let note = match setting.effect {
            Effect::Later("") if later => " *Not yet.*".to_owned(),
            Effect::Later(fixed) if later => format!(" *Not yet other than `{fixed}`.*"),
            _ => String::new(),
        };
        let _ = writeln!(page, "| `{key}` | {} | {default} | {}{note} |", setting.shape.expected(), setting.doc);
        if let Shape::List(inside) = setting.shape {
            rows(page, &format!("{key}[].",), inside, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `UPDATE=1` writes the page instead of comparing it.
    #[test]
    fn docs_config_md_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, reference_markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == reference_markdown(), "docs/config.md is stale: run `UPDATE=1 cargo test -p weir-config`");
    }

    #[test]
    fn the_page_names_every_setting() {
        fn all(settings: &[Setting], page: &str) {
            for setting in settings {
                assert!(page.contains(setting.key), "{}", setting.key);
                assert!(setting.doc.ends_with('.'), "{}", setting.doc);
                assert!(!setting.doc.contains('|'), "a cell of a table cannot hold it: {}", setting.doc);
                all(setting.shape.inside(), page);
            }
        }
        all(ROOT, &reference_markdown());
    }
}
