//! The list of runs: a table for a person, a record a line for a program.

use serde_json::Value;
use weir_units::NanoUsd;

use crate::terminal::{aligned, bold, moves, numbers, print, say, shown};
use crate::top::plain::word;
use crate::top::words;

/// Prints at most `top` of them.
pub(super) fn show(answer: &Value, top: usize) {
    let mut runs: Vec<&Value> = answer["runs"].as_array().into_iter().flatten().collect();
    runs.sort_by_key(|run| (rank(run), number(run, "idle_s")));
    if runs.is_empty() {
        say("no run is remembered here that fits");
        say("  hint  a run is an agent's or a conversation's requests (docs/guide/runs.md)");
        return;
    }
    let all = runs.len();
    runs.truncate(top);
    if moves() {
        print(bold(&shown(&headline(answer))));
        print(shown(&table(&runs).join("\n")));
        if all > runs.len() {
            say(format_args!("{} more: --top {all} shows all", numbers::count((all - runs.len()) as u64)));
        }
    } else {
        print(runs.iter().map(|run| line(run)).collect::<Vec<_>>().join("\n"));
    }
}

/// Those that need somebody come first.
fn rank(run: &Value) -> usize {
    ["halted", "slow"].iter().position(|state| run["state"] == **state).unwrap_or(2)
}

fn headline(answer: &Value) -> String {
    let runs = answer["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |state: &str| runs.iter().filter(|run| run["state"] == state).count() as u64;
    let (halted, slow) = (count("halted"), count("slow"));
    let state = match (halted, slow) {
        (0, 0) => "none is halted".to_owned(),
        (halted, 0) => format!("{} halted", numbers::count(halted)),
        (0, slow) => format!("{} slowed", numbers::count(slow)),
        (halted, slow) => format!("{} halted, {} slowed", numbers::count(halted), numbers::count(slow)),
    };
    format!("{}: {state}.", numbers::counted(runs.len() as u64, "run"))
}

fn table(runs: &[&Value]) -> Vec<String> {
    let head = ["run", "tenant", "state", "requests", "tokens", "cost", "age", "last", "why"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|run| {
        vec![
            cell(run, "run", 34),
            cell(run, "tenant", 20),
            cell(run, "state", 10),
            numbers::count(number(run, "requests")),
            numbers::short(number(run, "input_tokens") + number(run, "output_tokens")),
            cost(run),
            span(run, "age_s"),
            span(run, "idle_s"),
            why(run),
        ]
    }));
    // The reasons are words, though they come last.
    let width = rows.iter().map(|row| row[8].chars().count()).max().unwrap_or(0);
    rows.iter_mut().for_each(|row| row[8] = format!("{:<width$}", row[8]));
    aligned(&rows, 3)
}

fn why(run: &Value) -> String {
    run["evidence"]["words"].as_str().map_or_else(String::new, |words| words::cut(&weir_wire::shown(words), 90))
}

fn line(run: &Value) -> String {
    let text = |member: &str| run[member].as_str().map_or_else(|| "-".to_owned(), |text| word(&weir_wire::shown(text)));
    let detector = run["evidence"]["detector"].as_str().unwrap_or("-");
    format!(
        "run {} tenant={} state={} requests={} depth={} input_tokens={} output_tokens={} cost_usd={} cost_unknown={} age_s={} idle_s={} \
         parent={} detector={detector}",
        text("run"),
        text("tenant"),
        text("state"),
        run["requests"],
        run["depth"],
        run["input_tokens"],
        run["output_tokens"],
        text("cost_usd"),
        run["cost_unknown"],
        run["age_s"],
        run["idle_s"],
        text("parent"),
    )
}

/// What a run cost; what nobody knows is said, never left out.
pub(super) fn cost(run: &Value) -> String {
    let known = run["cost_usd"].as_str().and_then(|text| text.parse::<NanoUsd>().ok());
    let known = known.map_or_else(|| "?".to_owned(), numbers::dollars);
    if run["cost_unknown"] == true { format!("{known} + ?") } else { known }
}

pub(super) fn span(run: &Value, member: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "seconds that a screen rounds")]
    words::span(number(run, member) as f64)
}

pub(super) fn number(run: &Value, member: &str) -> u64 {
    run[member].as_u64().unwrap_or(0)
}

fn cell(run: &Value, member: &str, width: usize) -> String {
    words::cut(&weir_wire::shown(run[member].as_str().unwrap_or("—")), width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        let run = |name: &str, state: &str, idle: u64| {
            json!({
                "run": name, "tenant": "shop", "parent": null, "joined": "new", "state": state, "evidence": null, "conversations": 1,
                "requests": 12, "in_flight": 0, "depth": 0, "input_tokens": 45_000, "output_tokens": 900, "cost_usd": "0.1275",
                "cost_unknown": false, "age_s": 420, "idle_s": idle, "tool_calls": 3, "sdk_retries": 0, "weir_retries": 1,
            })
        };
        let mut halted = run("hostile\u{1b}[2J run", "halted", 90);
        halted["evidence"] = json!({ "detector": "cycles", "words": "the same 3 turns were repeated 4 times" });
        halted["cost_unknown"] = true.into();
        json!({ "runs": [run("a", "running", 3), halted], "next": null })
    }

    #[test]
    fn what_needs_somebody_comes_first_and_nothing_is_obeyed() {
        let answer = answer();
        let plain = |text: &str| text.replace('\u{202f}', " ");
        assert_eq!(plain(&headline(&answer)), "2 runs: 1 halted.");
        let mut runs: Vec<&Value> = answer["runs"].as_array().unwrap().iter().collect();
        runs.sort_by_key(|run| (rank(run), number(run, "idle_s")));
        let lines: Vec<String> = table(&runs).iter().map(|line| plain(line)).collect();
        assert!(
            lines[1].starts_with("hostile?[2J run") && lines[1].ends_with("the same 3 turns were repeated 4 times"),
            "{lines:#?}"
        );
        assert!(lines[1].contains("$0.13 + ?") && lines[2].starts_with("a "), "{lines:#?}");
        assert_eq!(
            line(runs[0]),
            "run hostile?[2J_run tenant=shop state=halted requests=12 depth=0 input_tokens=45000 output_tokens=900 cost_usd=0.1275 \
             cost_unknown=true age_s=420 idle_s=90 parent=- detector=cycles"
        );
    }
}
