//! Facts as sentences.
//!
//! They are made from a fact's JSON and not from its type, because `weir trace` reads records that another process, or an
//! older version, has written: a fact this version does not know is still told, by its name and fields.

use serde_json::Value;

/// One plain sentence for a fact as it stands in a record's `events`.
#[must_use]
pub fn in_words(fact: &Value) -> String {
    let get = |field: &str| text(&fact[field]);
    match fact["fact"].as_str().unwrap_or_default() {
        "Admitted" => admitted(fact),
        "Routed" => routed(fact),
        "Queued" => format!(
            "in line for {} of {}, {} ahead, {} ms predicted ({})",
            get("limit"),
            get("pool"),
            get("ahead"),
            get("predicted_ms"),
            get("deployment")
        ),
        "PassedOver" => format!(
            "{} passed over: {} of {} full for {} ms",
            get("deployment"),
            get("limit"),
            get("pool"),
            get("wait_ms")
        ),
        "AttemptStarted" => format!("attempt {} sent to {} ({})", get("attempt"), get("deployment"), get("why")),
        "AttemptFailed" => attempt_failed(fact),
        "AttemptSucceeded" => {
            format!(
                "attempt {} answered by {} with {} after {} ms",
                get("attempt"),
                get("deployment"),
                get("status"),
                get("after_ms")
            )
        }
        "TooDear" => format!("{} left out: {}", get("deployment"), budget_refused(fact)),
        "BudgetRefused" => budget_refused(fact),
        "Waited" => format!("waited {} ms: {}", get("for_ms"), get("why")),
        "FailedOver" => format!("failed over from {} to {}", get("from"), get("to")),
        "FirstContent" => format!("first content of attempt {} after {} ms", get("attempt"), get("after_ms")),
        "Spliced" => {
            format!("answer cut by {}, carried on by {} at byte {}", get("from"), get("to"), get("matched_bytes"))
        }
        "SpliceFailed" if fact["to"].is_null() => {
            format!("answer cut by {} could not be carried on: {}", get("from"), get("why"))
        }
        "SpliceFailed" => {
            format!("answer cut by {} could not be carried on by {}: {}", get("from"), get("to"), get("why"))
        }
        "MalformedChunkDropped" => format!("malformed chunks left out of the stream: {}", get("count")),
        "Degraded" => format!("answered with less: {}", get("what")),
        "RunWarned" => format!("run {} repeats itself: {}", get("run"), get("words")),
        "RunSlowed" => format!("run {} slowed: {}", get("run"), get("words")),
        "RunHalted" => format!("run {} halted: {}", get("run"), get("words")),
        "RunReleased" => format!("run {} released by {}", get("run"), get("by")),
        "Estimated" => {
            format!("about {} tokens in and {} out of {}, as estimated", get("input"), get("output"), get("deployment"))
        }
        "Wasted" => wasted(fact),
        "ClientRetried" => client_retried(fact),
        "ClientLeft" => "the client went away".to_owned(),
        "Refused" => format!("refused by {} with {} {}", get("by"), get("status"), get("code")),
        "Answered" => format!("answered with {}", get("status")),
        "Lost" => "Weir died with this request open; found at the next start".to_owned(),
        _ => of_the_system(fact),
    }
}

fn client_retried(fact: &Value) -> String {
    let tries = fact["count"].as_u64().unwrap_or(0).saturating_add(1);
    let nth = match tries {
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        4 => "fourth".to_owned(),
        5 => "fifth".to_owned(),
        more => format!("try number {more}"),
    };
    let nth = if tries > 5 { nth } else { format!("{nth} try") };
    let by = if fact["by"] == "sdk" { "its SDK" } else { "its client" };
    match fact["of"].as_str() {
        Some(first) => format!("{nth} of the same call by {by}; the first was {first}"),
        None => format!("{nth} of the same call by {by}"),
    }
}

fn of_the_system(fact: &Value) -> String {
    let get = |field: &str| text(&fact[field]);
    match fact["fact"].as_str().unwrap_or_default() {
        "BreakerChanged" => {
            format!("breaker of {} went from {} to {}: {}", get("scope"), get("from"), get("to"), get("why"))
        }
        "CredentialBenched" => benched(&format!("credential of {}", get("provider")), fact),
        "CredentialRestored" => format!("credential of {} works again", get("provider")),
        "ModelBenched" => benched(&get("deployment"), fact),
        "ModelRestored" => format!("{} works again", get("deployment")),
        "LimitChanged" => {
            format!("{} of {} went from {} to {}: {}", get("limit"), get("pool"), get("old"), get("new"), get("how"))
        }
        "KeyMade" => format!("key {} of tenant {} made by {}", get("name"), get("tenant"), get("who")),
        "KeyRotated" => format!("key {} of tenant {} given a new secret by {}", get("name"), get("tenant"), get("who")),
        "KeyRevoked" => format!("key {} of tenant {} revoked by {}", get("name"), get("tenant"), get("who")),
        "BudgetWarned" => {
            let percent = fact["share"].as_f64().unwrap_or_default() * 100.0;
            format!("{percent} % of budget {} are spent: ${} of ${}", get("budget"), get("spent_usd"), get("limit_usd"))
        }
        "ReportSent" => format!("weekly report: {}", get("headline")),
        "AlertOpened" => format!("alert: {}", get("subject")),
        "AlertWorsened" => format!("alert got worse: {}", get("subject")),
        "AlertClosed" => get("words"),
        "AlertAcknowledged" => format!("alert {} about {} acknowledged by {}", get("rule"), get("about"), get("by")),
        "AlertSilenced" => format!(
            "alert {} about {} silenced by {} until {}: {}",
            get("rule"),
            get("about"),
            get("by"),
            get("until"),
            get("why")
        ),
        "AlertSilenceEnded" => format!("silence over {} about {} ended by {}", get("rule"), get("about"), get("by")),
        "AlertDelivered" => format!("{} told of {}: {}", get("to"), get("alert"), get("what")),
        "AlertDeliveryFailed" => {
            format!("{} not told of {}: {}: {}", get("to"), get("alert"), get("what"), get("why"))
        }
        "ConfigReloaded" => format!("config reloaded from {}", get("path")),
        "ConfigRefused" => format!("new config refused, the old one stays: {}", get("reason")),
        "Started" => format!("Weir {} began to serve", get("version")),
        "Stopped" => format!("Weir stopped serving: {}", get("why")),
        _ => unknown(fact),
    }
}

fn budget_refused(fact: &Value) -> String {
    let get = |field: &str| text(&fact[field]);
    let mut words = format!("budget {} does not pay: {}", get("budget"), get("why"));
    if fact["needed_usd"].as_str().is_some_and(|needed| needed != "0") {
        words.push_str(&format!(", it may cost up to ${}", get("needed_usd")));
    }
    if fact["spent_usd"].is_string() {
        words.push_str(&format!("; ${} of ${} are spent", get("spent_usd"), get("limit_usd")));
    }
    words
}

fn admitted(fact: &Value) -> String {
    let mut words = format!("admitted to route {}", text(&fact["route"]));
    if !fact["key"].is_null() {
        words.push_str(&format!(" with key {}", text(&fact["key"])));
    }
    if !fact["tenant"].is_null() {
        words.push_str(&format!(" for tenant {}", text(&fact["tenant"])));
    }
    if fact["tools"] == true {
        words.push_str(", with tools");
    }
    words
}

fn routed(fact: &Value) -> String {
    let list =
        |of: &Value| of.as_array().map(|l| l.iter().map(text).collect::<Vec<_>>().join(", ")).unwrap_or_default();
    let candidates = list(&fact["candidates"]);
    let mut words =
        if candidates.is_empty() { "no deployment may serve it".to_owned() } else { format!("routed to {candidates}") };
    for pair in fact["skipped"].as_array().into_iter().flatten() {
        words.push_str(&format!("; not {}: {}", text(&pair[0]), text(&pair[1])));
    }
    words
}

fn attempt_failed(fact: &Value) -> String {
    let mut words =
        format!("attempt {} at {} failed: {}", text(&fact["attempt"]), text(&fact["deployment"]), text(&fact["class"]));
    if !fact["status"].is_null() {
        words.push_str(&format!(" ({})", text(&fact["status"])));
    }
    if fact["message"].as_str().is_some_and(|message| !message.is_empty()) {
        words.push_str(&format!(", {}", text(&fact["message"])));
    }
    if !fact["retry_after_ms"].is_null() {
        words.push_str(&format!("; it asks for {} ms", text(&fact["retry_after_ms"])));
    }
    words
}

fn wasted(fact: &Value) -> String {
    let why = match fact["why"].as_str().unwrap_or_default() {
        "failed_attempt" => "on an attempt that led to no answer",
        "abandoned" => "on an answer that the client did not wait for",
        "client_retry" => "on what had been answered before: the client's SDK asked again",
        "duplicate" => "on what was asked and answered a short time before",
        "truncated" => "on an answer that ended at its limit",
        "cache_miss" => "on a beginning that the provider's cache could have had",
        "loop" => "on going round in a loop",
        "stale_context" => "on what was said many turns ago, sent once more",
        "oversized_model" => "on a dear model for a short question",
        other => other,
    };
    let (input, output) = (text(&fact["input"]), text(&fact["output"]));
    if fact["why"] == "oversized_max_tokens" {
        return format!("held {output} tokens of a limit for nothing: `max_tokens` was far above what the answer took");
    }
    let cost = match &fact["cost_usd"] {
        Value::String(_) => format!("${}", text(&fact["cost_usd"])),
        _ => "an unknown amount".to_owned(),
    };
    let about = if fact["estimated"] == true { "about " } else { "" };
    format!("wasted {about}{cost}, {input} tokens in and {output} out, {why}")
}

fn benched(what: &str, fact: &Value) -> String {
    let class = text(&fact["class"]);
    if fact["until"].is_null() {
        return format!("{what} benched: {class}");
    }
    format!("{what} benched until {}: {class}", text(&fact["until"]))
}

fn unknown(fact: &Value) -> String {
    let mut words = text(&fact["fact"]);
    for (field, value) in fact.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "fact" | "at" | "stage") {
            words.push_str(&format!(" {field}={}", text(value)));
        }
    }
    words
}

/// A value as it reads in a sentence. Control characters are hostile on a terminal, so they are left out.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_units::{FaultClass, NanoUsd, WallTime};

    use super::*;
    use crate::fact::Fact;

    #[test]
    fn facts_read_as_sentences() {
        let failed = Fact::AttemptFailed {
            attempt: 1,
            deployment: "openai/gpt-5.2".into(),
            class: FaultClass::RateLimited,
            status: Some(429),
            message: "slow\u{1b}[2J down".into(),
            retry_after_ms: Some(8_000),
        };
        let routed = Fact::Routed {
            candidates: vec!["a/m".into(), "b/n".into()],
            skipped: vec![("c/o".into(), "breaker open".into())],
        };
        let benched =
            Fact::CredentialBenched { provider: "a".into(), class: FaultClass::Billing, until: Some(WallTime(0)) };
        for (fact, words) in [
            (failed, "attempt 1 at openai/gpt-5.2 failed: rate_limited (429), slow [2J down; it asks for 8000 ms"),
            (routed, "routed to a/m, b/n; not c/o: breaker open"),
            (benched, "credential of a benched until 1970-01-01T00:00:00.000Z: billing"),
            (
                Fact::Wasted {
                    why: "abandoned",
                    input: 12,
                    output: 3,
                    cost_usd: Some(NanoUsd(51_000)),
                    estimated: true,
                },
                "wasted about $0.000051, 12 tokens in and 3 out, on an answer that the client did not wait for",
            ),
            (Fact::ClientLeft, "the client went away"),
            (
                Fact::ClientRetried { of: Some("req_0".into()), count: 2, by: "sdk" },
                "third try of the same call by its SDK; the first was req_0",
            ),
            (Fact::ClientRetried { of: None, count: 7, by: "client" }, "try number 8 of the same call by its client"),
            (
                Fact::SpliceFailed { from: "a/m".into(), to: None, why: "tool call".into() },
                "answer cut by a/m could not be carried on: tool call",
            ),
        ] {
            assert_eq!(fact.in_words(), words);
        }
    }

    #[test]
    fn budgets_read_as_sentences() {
        let dear = Fact::TooDear {
            deployment: "o/m".into(),
            budget: "bot".into(),
            why: "too little is left",
            needed_usd: "0.5".into(),
        };
        assert_eq!(
            dear.in_words(),
            "o/m left out: budget bot does not pay: too little is left, it may cost up to $0.5"
        );
        let [limit_usd, spent_usd] = ["20", "10"].map(str::to_owned);
        let warned = Fact::BudgetWarned {
            budget: "bot".into(),
            scope: "key",
            share: 0.5,
            spent_usd,
            limit_usd,
            resets_at: None,
        };
        assert_eq!(warned.in_words(), "50 % of budget bot are spent: $10 of $20");
        let refused = Fact::BudgetRefused {
            budget: "bot".into(),
            scope: "key",
            why: "it is spent",
            limit_usd: "20".into(),
            spent_usd: "20".into(),
            reserved_usd: "0".into(),
            needed_usd: "0".into(),
            resets_at: None,
        };
        assert_eq!(refused.in_words(), "budget bot does not pay: it is spent; $20 of $20 are spent");
    }

    #[test]
    fn a_fact_of_a_later_version_is_still_told() {
        let later = json!({"at": "2027-01-01T00:00:00.000Z", "stage": "admit", "fact": "DrillHeld", "turns": 200});
        assert_eq!(in_words(&later), "DrillHeld turns=200");
    }
}
