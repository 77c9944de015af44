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

/// Turns a LiteLLM proxy's configuration into Weir's.
///
/// # Errors
/// If the text is no YAML, or has no `model_list`.
pub fn litellm(text: &str) -> Result<Imported, YamlError> {
    let root = yaml::read(text)?;
    let Some(list) = root.get("model_list").filter(|list| !list.items().is_empty()) else {
        return Err(YamlError { line: root.line, why: "there is no `model_list` with models in it".to_owned() });
    };
    let mut draft = Draft::default();
    for item in list.items() {
        models::read(item, &mut draft);
    }
    for (name, node) in root.entries() {
        match name.as_str() {
            "model_list" => {}
            "router_settings" => settings::router(node, &mut draft),
            "litellm_settings" => settings::litellm(node, &mut draft),
            "general_settings" => settings::general(node, &mut draft),
            "environment_variables" => settings::environment(node, &mut draft),
            other => draft.leave(node, other, "Weir does not know it"),
        }
    }
    settings::finish(&mut draft);
    let toml = write::toml(&draft);
    draft.leftovers.sort_by_key(|leftover| leftover.line);
    Ok(Imported { toml, leftovers: draft.leftovers })
}

/// What `weir.toml` will say.
#[derive(Debug, Default)]
struct Draft {
    providers: Vec<Provider>,
    routes: Vec<Route>,
    /// Settings of tables of their own, and a word on each: `retry`, `attempts = 3`, from where.
    tables: Vec<(&'static str, String, String)>,
    /// Names of routes that are sent on, and where to: after all else.
    fallbacks: Vec<(String, Vec<String>, &'static str)>,
    default_fallbacks: Vec<String>,
    aliases: Vec<(String, String)>,
    balance: bool,
    strategy: Option<String>,
    notes: Vec<String>,
    leftovers: Vec<Leftover>,
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
    weighted: bool,
    total: Option<String>,
    first_content: Option<String>,
    notes: Vec<String>,
}

impl Draft {
    /// Lists what has no equivalent.
    fn leave(&mut self, node: &Node, setting: &str, why: &str) {
        if !node.is_null() {
            self.leftovers.push(Leftover { line: node.line, setting: setting.to_owned(), why: why.to_owned() });
        }
    }

    fn route(&mut self, name: &str) -> &mut Route {
        let at = self.routes.iter().position(|route| route.name == name).unwrap_or_else(|| {
            self.routes.push(Route {
                name: name.to_owned(),
                deployments: Vec::new(),
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
