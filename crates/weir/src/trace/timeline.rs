//! One request as a timeline that a person reads: how it ended, what led there, and what happened when.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_engine::Zone;
use weir_units::WallTime;

use crate::terminal::{bold, span};
use crate::when;

/// The timeline of a record, in the times of a zone.
pub(crate) fn timeline(record: &Value, zone: &Zone) -> String {
    let text = |name: &str| clean(record[name].as_str().unwrap_or("—"));
    let began = at_millis(&record["started_at"]);
    let at = began.map_or_else(|| "—".to_owned(), |ms| when::shown(WallTime(ms * 1_000), zone));
    let mut lines = vec![bold(&headline(record)), format!("{} · {} · {at}", text("id"), text("endpoint"))];
    lines.extend(story(record));
    if let Some(trace) = record["trace"]["id"].as_str() {
        lines.push(format!("     trace  {}", clean(trace)));
    }
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
    lines.extend(next(record));
    lines.join("\n")
}

/// What led to the end, in one sentence; none if it is an answer that nothing was in the way of.
fn story(record: &Value) -> Option<String> {
    let events = || record["events"].as_array().into_iter().flatten();
    let text = |event: &Value, member: &str| clean(event[member].as_str().unwrap_or("—"));
    let mut parts: Vec<String> = Vec::new();
    let mut say = |part: String| {
        if !parts.contains(&part) {
            parts.push(part);
        }
    };
    let mut failures: BTreeMap<(String, String), u32> = BTreeMap::new();
    for event in events().filter(|event| event["fact"] == "AttemptFailed") {
        let deployment = text(event, "deployment");
        let provider = deployment.split_once('/').map_or(deployment.clone(), |(provider, _)| provider.to_owned());
        *failures.entry((provider, text(event, "class"))).or_default() += 1;
    }
    if let Some(queued) = record["queued_ms"].as_u64().filter(|ms| *ms > 0) {
        let line = events().find(|event| event["fact"] == "Queued");
        let what =
            line.map(|event| format!(" for {} {}", text(event, "pool"), text(event, "limit"))).unwrap_or_default();
        say(format!("waited {}{what}", span(queued)));
    }
    for event in events() {
        match event["fact"].as_str().unwrap_or_default() {
            "AttemptFailed" => {
                let deployment = text(event, "deployment");
                let provider = deployment.split_once('/').map_or(&*deployment, |(provider, _)| provider).to_owned();
                let class = text(event, "class");
                let times = match failures.get(&(provider.clone(), class.clone())).copied().unwrap_or(1) {
                    1 => "once".to_owned(),
                    2 => "twice".to_owned(),
                    n => format!("{n} times"),
                };
                say(format!("{provider} failed {times} ({})", class.replace('_', " ")));
            }
            "PassedOver" => say(format!(
                "{} had no room ({} {})",
                text(event, "deployment"),
                text(event, "pool"),
                text(event, "limit")
            )),
            "TooDear" | "BudgetRefused" => say(format!("budget {} does not pay", text(event, "budget"))),
            "Spliced" => say(format!("{} carried the cut answer on", text(event, "to"))),
            "RunHalted" | "RunSlowed" => say(clean(&weir_ledger::in_words(event))),
            "ClientLeft" => say("the client went away".to_owned()),
            _ => {}
        }
    }
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// Where to look next.
fn next(record: &Value) -> Option<String> {
    let mut hints = Vec::new();
    let events = || record["events"].as_array().into_iter().flatten();
    let throttled =
        events().any(|e| matches!(e["fact"].as_str(), Some("PassedOver" | "Queued")) || e["class"] == "rate_limited");
    if throttled {
        hints.push("weir headroom".to_owned());
    }
    if let Some(run) = record["run"].as_str().filter(|_| record["outcome"] != "answered" || throttled) {
        hints.push(format!("weir logs --run {}", clean(run)));
    }
    if let Some(key) =
        record["key"].as_str().filter(|_| matches!(record["outcome"].as_str(), Some("failed" | "refused")))
    {
        hints.push(format!("weir trace --errors --key {}", clean(key)));
    }
    (!hints.is_empty()).then(|| format!("next: {}", hints.join(" · ")))
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
    let day = WallTime::day_of(number(0..4)?, number(5..7)?, number(8..10)?);
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
    fn the_trace_that_it_is_in_is_named() {
        let mut record = record();
        assert!(!timeline(&record, &Zone::UTC).contains("     trace  "));
        record["trace"] = json!({ "id": "0af7651916cd43dd8448eb211c80319c", "parent": "b7ad6b7169203331", "flags": 1 });
        assert!(timeline(&record, &Zone::UTC).contains("     trace  0af7651916cd43dd8448eb211c80319c"));
    }

    #[test]
    fn the_answer_comes_first_and_then_what_happened_when() {
        let lines: Vec<String> = timeline(&record(), &Zone::UTC).lines().map(str::to_owned).collect();
        let expected = "200 answered by anthropic/claude-sonnet-5-5 · smart · checkout-bot · team-a · 2 attempts";
        assert!(lines[0].contains(expected), "{}", lines[0]);
        assert!(lines[1].ends_with("Wed 18 Nov 2026 14:47:03.114 UTC"), "{}", lines[1]);
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
    fn what_led_to_the_end_is_one_sentence_and_an_undisturbed_answer_has_none() {
        assert_eq!((story(&record()), next(&record())), (None, None));
        let mut record = record();
        record["outcome"] = json!("failed");
        record["run"] = json!("run\u{1b}_88");
        record["queued_ms"] = json!(1_400);
        let failed = json!({ "fact": "AttemptFailed", "deployment": "openai/gpt-5.2", "class": "rate_limited" });
        record["events"] = json!([
            { "fact": "Queued", "pool": "gpt-5", "limit": "input-tokens-per-minute" }, failed, failed,
            { "fact": "PassedOver", "deployment": "anthropic/x", "pool": "anthropic", "limit": "requests-per-minute" },
        ]);
        assert_eq!(
            story(&record).unwrap(),
            "waited 1.40 s for gpt-5 input-tokens-per-minute; openai failed twice (rate limited); anthropic/x had no room (anthropic \
             requests-per-minute)."
        );
        let expected = "next: weir headroom · weir logs --run run?_88 · weir trace --errors --key checkout-bot";
        assert_eq!(next(&record).as_deref(), Some(expected));
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
        assert!(!timeline(&record, &Zone::UTC).contains("\u{1b}[2J"));
    }
}
