//! A LiteLLM proxy's `config.yaml` as `weir.toml`: providers, models with their limits and prices, routes with their order, timeouts,
//! retries and breakers. What has no equivalent is listed with its line, and what was decided is said in comments.

mod models;
mod providers;
mod settings;
mod write;

use super::yaml::{self, Node, YamlError};

/// What has no equivalent, or not the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The file that it is in, where that is one which the configuration includes.
    pub file: Option<String>,
    /// Its line, counted from 1.
    pub line: usize,
    /// Which setting: `litellm_settings.cache`.
    pub setting: String,
    /// Why, and what to do in its place.
    pub why: String,
}

/// What a configuration became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The text of `weir.toml`.
    pub toml: String,
    /// What is not in it, by line.
    pub leftovers: Vec<Leftover>,
}

/// Lines that a file may have: those of included files are counted from a multiple of it on, in their order.
const LINES: usize = 1 << 24;
/// Files that may be included.
const MOST_INCLUDED: usize = 100;

/// Turns a LiteLLM proxy's configuration into Weir's; `included` reads a file that it includes, or says why that cannot be.
///
/// # Errors
/// If the text is no YAML, or has no `model_list`.
pub fn litellm(text: &str, included: &dyn Fn(&str) -> Result<String, String>) -> Result<Imported, YamlError> {
    let yaml::Document { mut root, repeated } = yaml::read(text)?;
    let mut draft = Draft::default();
    for (line, name) in repeated {
        draft.leave_at(line, name, "it is there twice; the last one counts, as it does in LiteLLM".to_owned());
    }
    let files = include(&mut root, included, &mut draft);
    let Some(list) = root.get("model_list").filter(|list| !list.items().is_empty()) else {
        let unread = draft.leftovers.iter().find(|one| one.setting == "include");
        let why = unread.map_or("there is no `model_list` with models in it", |one| &one.why);
        return Err(YamlError { line: unread.map_or(root.line, |one| one.line), why: why.to_owned() });
    };
    let credentials = root.get("credential_list").map(Node::items).unwrap_or_default();
    for item in list.items() {
        models::read(item, credentials, &mut draft);
    }
    for (name, node) in root.entries() {
        match name.as_str() {
            "model_list" => {}
            "router_settings" => settings::router(node, &mut draft),
            "litellm_settings" => settings::litellm(node, &mut draft),
            "general_settings" => settings::general(node, &mut draft),
            "environment_variables" => settings::environment(node, &mut draft),
            // What models take of it is theirs.
            "credential_list" => {}
            "include" => {}
            "guardrails" => draft.leave(
                node,
                "guardrails",
                "Weir does not look into what is said; run a filter of your own before or behind it",
            ),
            "mcp_servers" | "vector_store_registry" | "search_tools" => {
                draft.leave(node, name, "Weir passes model requests on; tools and stores are called elsewhere");
            }
            "finetune_settings" | "files_settings" => {
                draft.leave(node, name, "files and fine-tuning are not served: ask the provider for them");
            }
            other => draft.leave(node, other, "Weir does not know it"),
        }
    }
    settings::finish(&mut draft);
    let toml = write::toml(&draft);
    draft.leftovers.sort_by_key(|leftover| leftover.line);
    for leftover in &mut draft.leftovers {
        leftover.file = (leftover.line / LINES).checked_sub(1).and_then(|place| files.get(place).cloned());
        leftover.line %= LINES;
    }
    Ok(Imported { toml, leftovers: draft.leftovers })
}

/// Takes in the files that `include` names, as LiteLLM does: lists are joined, all else takes the place of what was there. Returns
/// the files' names.
fn include(root: &mut Node, read: &dyn Fn(&str) -> Result<String, String>, draft: &mut Draft) -> Vec<String> {
    let named = root.get("include").cloned();
    let mut files = Vec::new();
    for node in named.iter().flat_map(Node::items).take(MOST_INCLUDED) {
        let name = node.text().unwrap_or_default();
        let parsed = read(name).and_then(|text| yaml::read(&text).map_err(|error| error.to_string()));
        match parsed {
            Ok(document) => {
                files.push(name.to_owned());
                root.take_in(document.root.moved(LINES * files.len()));
            }
            Err(why) => draft.leave(node, "include", &format!("`{name}` cannot be read: {why}")),
        }
    }
    files
}

/// What `weir.toml` will say.
#[derive(Debug, Default)]
struct Draft {
    providers: Vec<Provider>,
    routes: Vec<Route>,
    /// Settings of tables of their own, and a word on each: `retry`, `attempts = 3`, from where.
    tables: Vec<(&'static str, String, String)>,
    /// Names of routes that are sent on, and where to: after all else.
    fallbacks: Vec<Fallback>,
    default_fallbacks: Vec<String>,
    aliases: Vec<(String, String, usize)>,
    balance: bool,
    strategy: Option<String>,
    notes: Vec<String>,
    leftovers: Vec<Leftover>,
}

/// A route's fallbacks.
#[derive(Debug)]
struct Fallback {
    name: String,
    to: Vec<String>,
    why: &'static str,
    line: usize,
}

/// A provider: one API with one credential.
#[derive(Debug)]
struct Provider {
    name: String,
    kind: &'static str,
    base_url: Option<String>,
    /// The environment variable that has the credential.
    key: Option<String>,
    models: Vec<Model>,
    note: Option<String>,
}

/// A model that has limits or prices of its own.
#[derive(Debug)]
struct Model {
    name: String,
    limits: Vec<(&'static str, u64)>,
    price: Vec<(&'static str, String)>,
    context_window: Option<u64>,
}

/// A route.
#[derive(Debug)]
struct Route {
    name: String,
    /// Deployments with their `order`, where there is one.
    deployments: Vec<(String, Option<u64>)>,
    /// Where it is first.
    line: usize,
    weighted: bool,
    total: Option<String>,
    first_content: Option<String>,
    notes: Vec<String>,
}

impl Draft {
    /// Lists what has no equivalent.
    fn leave(&mut self, node: &Node, setting: &str, why: &str) {
        if !node.is_null() {
            self.leave_at(node.line, setting.to_owned(), why.to_owned());
        }
    }

    /// Lists what has no equivalent, at a line.
    fn leave_at(&mut self, line: usize, setting: String, why: String) {
        self.leftovers.push(Leftover { file: None, line, setting, why });
    }

    fn route(&mut self, name: &str) -> &mut Route {
        let at = self.routes.iter().position(|route| route.name == name).unwrap_or_else(|| {
            self.routes.push(Route {
                name: name.to_owned(),
                deployments: Vec::new(),
                line: 0,
                weighted: false,
                total: None,
                first_content: None,
                notes: Vec::new(),
            });
            self.routes.len() - 1
        });
        &mut self.routes[at]
    }

    fn set(&mut self, table: &'static str, line: String, from: &str) {
        let key = line.split(' ').next().unwrap_or_default().to_owned();
        // What is said later counts, as it does there: the router's settings come after the library's.
        self.tables.retain(|(known, said, _)| *known != table || said.split(' ').next() != Some(&key));
        self.tables.push((table, line, from.to_owned()));
    }
}

/// The environment variable that a value names: `os.environ/NAME`.
fn environment_name(text: &str) -> Option<&str> {
    text.strip_prefix("os.environ/").map(str::trim).filter(|name| !name.is_empty())
}

/// Seconds as a duration in `weir.toml`.
fn duration(seconds: f64) -> Option<String> {
    let millis = (seconds * 1_000.0).round();
    if !(1.0..=8.64e7).contains(&millis) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    let millis = millis as u64;
    Some(if millis.is_multiple_of(1_000) { format!("\"{}s\"", millis / 1_000) } else { format!("\"{millis}ms\"") })
}

#[cfg(test)]
mod tests;
