//! `weir trace REQUEST`: what happened to one request, when, and why, as a timeline that a person reads.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use weir_config::ProcessEnvironment;
use weir_ledger::Reader;
use weir_units::RequestId;

use crate::Common;
use crate::serve::{read_config, runtime};
use crate::terminal::{NO, UNREACHABLE, USAGE, bold, fail, print, say, span};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The request's id, as `x-weir-request` gave it; `last` is the newest one
    request: String,
    /// The ledger's file, if it is not the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Shows one request.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let wanted = match arguments.request.as_str() {
        "last" => None,
        text => match text.parse::<RequestId>() {
            Ok(id) => Some(id),
            Err(error) => return fail(USAGE, error),
        },
    };
    let path = match (&arguments.ledger, read_config(common.config.as_deref(), &ProcessEnvironment).config) {
        (Some(path), _) => path.clone(),
        (None, Some(config)) => config.ledger.path,
        (None, None) => return fail(USAGE, "the configuration cannot be read: `weir check` says why"),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let record = match runtime.block_on(read(&path, wanted)) {
        Ok(Some(record)) => record,
        Ok(None) => {
            let code = fail(NO, format_args!("the ledger has no request `{}`", arguments.request));
            say(format_args!("  where  {}   hint  `weir trace last` shows the newest one", path.display()));
            return code;
        }
        Err(error) => return fail(UNREACHABLE, error),
    };
    if common.json {
        print(record);
        return ExitCode::SUCCESS;
    }
    match serde_json::from_str(&record) {
        Ok(record) => print(timeline(&record)),
        Err(error) => {
            return fail(UNREACHABLE, format_args!("the record of `{}` is damaged: {error}", arguments.request));
        }
    }
    ExitCode::SUCCESS
}

async fn read(path: &std::path::Path, wanted: Option<RequestId>) -> Result<Option<String>, String> {
    let reader = Reader::open(path).await.map_err(|e| e.to_string())?;
    match wanted {
        Some(id) => reader.request(id).await.map_err(|e| e.to_string()),
        None => {
            let query = weir_ledger::Query { limit: 1, ..weir_ledger::Query::default() };
            Ok(reader.requests(&query).await.map_err(|e| e.to_string())?.into_iter().next())
        }
    }
}

/// The timeline of a record.
fn timeline(record: &Value) -> String {
    let text = |name: &str| clean(record[name].as_str().unwrap_or("—"));
    let mut lines =
        vec![bold(&headline(record)), format!("{} · {} · {}", text("id"), text("endpoint"), text("started_at"))];
    if let Some(trace) = record["trace"]["id"].as_str() {
        lines.push(format!("     trace  {}", clean(trace)));
    }
    let began = at_millis(&record["started_at"]);
    for event in record["events"].as_array().into_iter().flatten() {
        let after = at_millis(&event["at"]).zip(began).map(|(at, began)| at.saturating_sub(began));
        let after = after.map_or_else(|| "—".to_owned(), |ms| span(u64::try_from(ms).unwrap_or(0)));
        let stage = event["stage"].as_str().unwrap_or_default();
        lines.push(format!("{after:>10}  {stage:<7} {}", clean(&weir_ledger::in_words(event))));
    }
    if let Some(usage) = record["usage"].as_object() {
        let tokens = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
        lines.push(format!(
            "     usage  {} input tokens ({} cached), {} output ({} reasoning)",
            tokens("input"),
            tokens("cached_input"),
            tokens("output"),
            tokens("reasoning")
        ));
    }
    lines.extend(costs(record));
    if let Some(overhead) = record["overhead_us"].as_u64() {
        lines.push(format!("      weir  added {overhead} µs"));
    }
    lines.join("\n")
}

/// What it cost, and of several attempts which cost what.
fn costs(record: &Value) -> Vec<String> {
    let amount = |of: &Value| match (of["cost_usd"].as_str(), of["cost_estimated"].as_bool()) {
        (Some(dollars), Some(true)) => format!("${} (estimated)", clean(dollars)),
        (Some(dollars), _) => format!("${}", clean(dollars)),
        (None, _) => "unknown".to_owned(),
    };
    let attempts = record["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    if attempts.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("      cost  {}", amount(record))];
    if attempts.len() > 1 {
        lines.extend(attempts.iter().zip(1..).map(|(attempt, number)| {
            let deployment = clean(attempt["deployment"].as_str().unwrap_or("—"));
            format!("            attempt {number} at {deployment}: {}", amount(attempt))
        }));
    }
    lines
}

/// The answer first: how it ended, by whom, for whom.
fn headline(record: &Value) -> String {
    let text = |name: &str| record[name].as_str().map(clean);
    let status = record["status"].as_u64().map_or_else(|| "no status".to_owned(), |s| s.to_string());
    let who = [text("route"), text("key"), text("tenant")].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let attempts = record["attempts"].as_array().map_or(0, Vec::len);
    let tries = format!("{attempts} attempt{}", if attempts == 1 { "" } else { "s" });
    match (record["outcome"].as_str().unwrap_or_default(), text("refused_by"), text("code")) {
        ("answered", ..) => {
            let by = record["attempts"].as_array().and_then(|a| a.last()).and_then(|a| a["deployment"].as_str());
            format!("{status} answered by {} · {who} · {tries}", clean(by.unwrap_or("weir")))
        }
        ("cancelled", ..) => format!("the client left · {who} · {tries}"),
        ("open", ..) => format!("still running · {who} · {tries}"),
        ("lost", ..) => format!("lost: the process ended before the request did · {who} · {tries}"),
        (_, by, code) => {
            format!("{status} {} refused by {} · {who} · {tries}", code.unwrap_or_default(), by.unwrap_or_default())
        }
    }
}

/// Text from clients and providers, without what a terminal would obey.
fn clean(text: &str) -> String {
    weir_wire::shown(text)
}

/// Milliseconds of an RFC 3339 time as the ledger writes it; only differences are used.
pub(crate) fn at_millis(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|t| t.parse::<i64>().ok());
    let day = weir_units::WallTime::day_of(number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = day * 86_400 + number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    Some(seconds * 1_000 + number(20..23)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A request that its first provider throttled and its second answered.
    fn record() -> Value {
        json!({
            "id": "req_01M830YGT34VZD4RVJD4G7EE9D", "run": null, "key": "checkout-bot", "tenant": "team-a",
            "route": "smart", "endpoint": "/v1/chat/completions", "outcome": "answered", "status": 200, "code": null,
            "refused_by": null, "started_at": "2026-11-18T14:47:03.114Z", "overhead_us": 412,
            "usage": { "input": 12, "cached_input": 0, "cache_write": 0, "output": 25, "reasoning": 0 },
            "attempts": [
                { "deployment": "openai/gpt-5.2", "status": 429, "cost_usd": "0", "cost_estimated": false },
                { "deployment": "anthropic/claude-sonnet-5-5", "status": 200, "cost_usd": "0.00125", "cost_estimated": true },
            ],
            "cost_usd": "0.00125", "cost_estimated": true,
            "events": [
                { "at": "2026-11-18T14:47:03.115Z", "stage": "route", "fact": "FailedOver",
                  "from": "openai/gpt-5.2", "to": "anthropic/claude-sonnet-5-5" },
                { "at": "2026-11-18T14:48:13.115Z", "stage": "settle", "fact": "Answered", "status": 200 },
            ],
        })
    }

    #[test]
    fn the_answer_comes_first_and_then_what_happened_when() {
        let lines: Vec<String> = timeline(&record()).lines().map(str::to_owned).collect();
        let expected = "200 answered by anthropic/claude-sonnet-5-5 · smart · checkout-bot · team-a · 2 attempts";
        assert!(lines[0].contains(expected), "{}", lines[0]);
        assert!(lines[1].contains("2026-11-18T14:47:03.114Z"), "{}", lines[1]);
        assert!(lines[2].starts_with("      1 ms  route   ") && lines[2].contains("openai/gpt-5.2"), "{}", lines[2]);
        assert!(lines[3].starts_with("1 min 10 s  settle  "), "{}", lines[3]);
        assert!(lines[4].contains("12 input tokens"), "{}", lines[4]);
        assert_eq!(
            lines[5..8],
            [
                "      cost  $0.00125 (estimated)",
                "            attempt 1 at openai/gpt-5.2: $0",
                "            attempt 2 at anthropic/claude-sonnet-5-5: $0.00125 (estimated)",
            ]
        );
    }

    #[test]
    fn the_trace_that_it_is_in_is_named() {
        let mut record = record();
        assert!(!timeline(&record).contains("     trace  "));
        record["trace"] = json!({ "id": "0af7651916cd43dd8448eb211c80319c", "parent": "b7ad6b7169203331", "flags": 1 });
        assert_eq!(timeline(&record).lines().nth(2), Some("     trace  0af7651916cd43dd8448eb211c80319c"));
    }

    #[test]
    fn what_has_no_price_cost_something_unknown_and_what_was_never_sent_is_not_spoken_of() {
        let mut record = record();
        record["cost_usd"] = Value::Null;
        record["attempts"] = json!([{ "deployment": "x/y", "cost_usd": null, "cost_estimated": false }]);
        assert_eq!(costs(&record), ["      cost  unknown"]);
        record["attempts"] = json!([]);
        assert_eq!(costs(&record), [""; 0]);
    }

    #[test]
    fn the_headline_says_how_it_ended_and_who_said_no() {
        for (outcome, expected) in [
            ("open", "still running · "),
            ("lost", "lost: the process ended before the request did · "),
            ("cancelled", "the client left · "),
            ("failed", "429 rate_limit_exceeded refused by openai · "),
        ] {
            let mut record = record();
            record["outcome"] = json!(outcome);
            record["status"] = json!(429);
            record["code"] = json!("rate_limit_exceeded");
            record["refused_by"] = json!("openai");
            let headline = headline(&record);
            assert!(headline.starts_with(expected), "{headline}");
        }
    }

    #[test]
    fn names_that_a_terminal_would_obey_are_shown_not_done() {
        let mut record = record();
        record["route"] = json!("smart\u{1b}[2J");
        assert!(!timeline(&record).contains("\u{1b}[2J"));
    }
}
