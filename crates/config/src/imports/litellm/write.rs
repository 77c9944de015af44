//! Writes what was found as TOML, with a comment where something was decided.

use super::{Draft, Provider, Route};

/// The text of `weir.toml`.
pub(super) fn toml(draft: &Draft) -> String {
    let mut text = String::from("# Made by `weir import litellm`. Check it with `weir check`.\n");
    for note in &draft.notes {
        text.push_str(&format!("# {}\n", remark(note)));
    }
    for provider in &draft.providers {
        write_provider(&mut text, provider);
    }
    for route in draft.routes.iter().filter(|route| !route.deployments.is_empty()) {
        write_route(&mut text, route, draft);
    }
    let mut tables: Vec<&str> = Vec::new();
    for (table, ..) in &draft.tables {
        if !tables.contains(table) {
            tables.push(table);
        }
    }
    for table in tables {
        text.push_str(&format!("\n[{table}]\n"));
        for (_, line, from) in draft.tables.iter().filter(|(of, ..)| *of == table) {
            text.push_str(&format!("{line}  # {}\n", remark(from)));
        }
    }
    text
}

/// A text in a comment: it ends where the line does.
fn remark(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A name in a table's head, in quotes where it must be.
fn name(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { text.to_owned() } else { quoted(text) }
}

fn write_provider(text: &mut String, provider: &Provider) {
    text.push_str(&format!("\n[providers.{}]\n", name(&provider.name)));
    if let Some(note) = &provider.note {
        text.push_str(&format!("# {}\n", remark(note)));
    }
    text.push_str(&format!("kind = \"{}\"\n", provider.kind));
    if let Some(url) = &provider.base_url {
        text.push_str(&format!("base-url = {}\n", quoted(url)));
    }
    if let Some(key) = &provider.key {
        text.push_str(&format!("api-key = {{ env = {} }}\n", quoted(key)));
    }
    for model in &provider.models {
        text.push_str(&format!("\n[providers.{}.models.{}]\n", name(&provider.name), name(&model.name)));
        if let Some(window) = model.context_window {
            text.push_str(&format!("context-window = {window}\n"));
        }
        if !model.limits.is_empty() {
            let limits: Vec<String> = model.limits.iter().map(|(name, limit)| format!("{name} = {limit}")).collect();
            text.push_str(&format!("limits = {{ {} }}\n", limits.join(", ")));
        }
        if !model.price.is_empty() {
            let prices: Vec<String> = model.price.iter().map(|(name, price)| format!("{name} = \"{price}\"")).collect();
            text.push_str(&format!("price = {{ {} }}\n", prices.join(", ")));
        }
    }
}

fn write_route(text: &mut String, route: &Route, draft: &Draft) {
    text.push_str(&format!("\n[routes.{}]\n", name(&route.name)));
    for note in &route.notes {
        text.push_str(&format!("# {}\n", remark(note)));
    }
    let deployments: Vec<String> = route.deployments.iter().map(|(deployment, _)| quoted(deployment)).collect();
    text.push_str(&format!("deployments = [{}]\n", deployments.join(", ")));
    // LiteLLM shuffles what has no order, whichever its strategy.
    let ordered = route.deployments.iter().any(|(_, order)| order.is_some());
    if route.deployments.len() > 1 && !ordered {
        let strategy = draft.strategy.as_deref().unwrap_or("simple-shuffle");
        text.push_str(&format!("strategy = \"balance\"  # {} in LiteLLM\n", remark(strategy)));
    } else if route.deployments.len() > 1 {
        text.push_str("strategy = \"failover\"  # in this order\n");
    }
    let spans = [("total", &route.total), ("first-content", &route.first_content)];
    let spans: Vec<String> =
        spans.iter().filter_map(|(name, span)| span.as_ref().map(|span| format!("{name} = {span}"))).collect();
    if !spans.is_empty() {
        text.push_str(&format!("timeouts = {{ {} }}\n", spans.join(", ")));
    }
}
