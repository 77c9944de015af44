//! One run as a tree: its conversations, and the runs that it started, each with what it came to.

use serde_json::Value;

use super::list::{cost, number, span};
use crate::terminal::{numbers, print, shown};

/// Prints it.
pub(super) fn show(run: &Value) {
    let mut lines = Vec::new();
    branch(run, "", "", &mut lines);
    print(shown(&lines.join("\n")));
}

fn branch(run: &Value, before: &str, below: &str, lines: &mut Vec<String>) {
    lines.push(format!("{before}{}", in_words(run)));
    if let Some(words) = run["evidence"]["words"].as_str() {
        lines.push(format!("{below}    {}", weir_wire::shown(words)));
    }
    let list = |member: &str| run[member].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts: Vec<&Value> = list("conversations_of_it").iter().chain(list("children")).collect();
    for (place, part) in parts.iter().enumerate() {
        let (edge, rest) = if place + 1 == parts.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        branch(part, &format!("{below}{edge}"), &format!("{below}{rest}"), lines);
    }
}

fn in_words(run: &Value) -> String {
    let text = |member: &str| weir_wire::shown(run[member].as_str().unwrap_or("—"));
    let mut words = format!(
        "{}  {} · {} · {} tokens · {} · began {} ago · {}",
        text("run"),
        text("state"),
        numbers::counted(number(run, "requests"), "request"),
        numbers::short(number(run, "input_tokens") + number(run, "output_tokens")),
        cost(run),
        span(run, "age_s"),
        text("joined"),
    );
    for (member, noun) in [("tool_calls", "tool call"), ("sdk_retries", "client retry"), ("weir_retries", "retry")] {
        match number(run, member) {
            0 => {}
            many => words.push_str(&format!(" · {} {noun}{}", numbers::count(many), if many == 1 { "" } else { "s" })),
        }
    }
    words.replace("client retrys", "client retries").replace("retrys", "retries")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_shown_above_what_it_began() {
        let run = |name: &str| {
            json!({
                "run": name, "state": "running", "requests": 2, "input_tokens": 900, "output_tokens": 100, "cost_usd": "0.5", "cost_unknown": false,
                "age_s": 60, "joined": "named", "tool_calls": 1, "sdk_retries": 2, "weir_retries": 0, "evidence": null,
            })
        };
        let mut root = run("nightly");
        root["evidence"] = json!({ "words": "it has made 2 requests, and its cap is 2" });
        root["conversations_of_it"] = json!([run("nightly~2")]);
        root["children"] = json!([run("child\u{1b}[31m")]);
        let mut lines = Vec::new();
        branch(&root, "", "", &mut lines);
        let heads: Vec<&str> = lines.iter().map(|line| line.split("  ").next().unwrap_or_default()).collect();
        assert_eq!(heads, ["nightly", "", "├─ nightly~2", "└─ child?[31m"], "{lines:#?}");
        let plain = lines[0].replace('\u{202f}', " ");
        assert!(
            plain.contains("2 requests · 1,000 tokens · $0.50") || plain.contains("2 requests · 1k tokens"),
            "{plain}"
        );
        assert!(plain.ends_with("1 tool call · 2 client retries"), "{plain}");
    }
}
