//! Requests as one line each: numbered for a person, a record a line for a program.

use serde_json::Value;
use weir_engine::Zone;
use weir_units::WallTime;

use super::timeline::at_millis;
use crate::terminal::{aligned, span};
use crate::top::plain::word;
use crate::top::words::cut;
use crate::when::clock;

/// The lines of requests, numbered from 1.
pub(crate) fn numbered(records: &[Value], zone: &Zone) -> Vec<String> {
    let rows: Vec<Vec<String>> = records.iter().zip(1..).map(|(record, number)| row(record, number, zone)).collect();
    aligned(&rows, 8)
}

fn row(record: &Value, number: usize, zone: &Zone) -> Vec<String> {
    let attempts = record["attempts"].as_array().map_or(0, Vec::len);
    vec![
        format!("{number:>3}"),
        time(record, zone),
        cut(&end(record), 52),
        cut(&text(record, "route"), 24),
        cut(&text(record, "key"), 24),
        format!("{attempts} attempt{}", if attempts == 1 { "" } else { "s" }),
        took(record),
        text(record, "id"),
    ]
}

/// When it came, on the clocks of a zone.
pub(crate) fn time(record: &Value, zone: &Zone) -> String {
    at_millis(&record["started_at"]).map_or_else(|| "—".to_owned(), |ms| clock(WallTime(ms * 1_000), zone))
}

/// How it ended: the status, and who said no with which code.
pub(crate) fn end(record: &Value) -> String {
    let status = record["status"].as_u64().map_or_else(|| "—".to_owned(), |status| status.to_string());
    match record["outcome"].as_str().unwrap_or_default() {
        "answered" => format!("{status} answered"),
        "cancelled" => format!("{status} the client left"),
        "open" => "still running".to_owned(),
        "lost" => "lost".to_owned(),
        _ => format!("{status} {} by {}", text(record, "code"), text(record, "refused_by")),
    }
}

/// How long it took.
pub(crate) fn took(record: &Value) -> String {
    let ended = at_millis(&record["ended_at"]).zip(at_millis(&record["started_at"]));
    ended.map_or_else(|| "—".to_owned(), |(end, start)| span(u64::try_from(end - start).unwrap_or(0)))
}

pub(crate) fn text(record: &Value, member: &str) -> String {
    record[member].as_str().map_or_else(|| "—".to_owned(), weir_wire::shown)
}

/// A request as a record on a line.
pub(crate) fn line(record: &Value) -> String {
    let text =
        |member: &str| record[member].as_str().map_or_else(|| "-".to_owned(), |text| word(&weir_wire::shown(text)));
    let number = |member: &str| record[member].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string());
    let attempts = record["attempts"].as_array().map_or(0, Vec::len);
    format!(
        "request {} at={} outcome={} status={} code={} refused_by={} route={} key={} tenant={} run={} attempts={attempts} queued_ms={} cost_usd={}",
        text("id"),
        text("started_at"),
        text("outcome"),
        number("status"),
        text("code"),
        text("refused_by"),
        text("route"),
        text("key"),
        text("tenant"),
        text("run"),
        number("queued_ms"),
        text("cost_usd"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_request_is_a_line_that_obeys_nothing() {
        let record = json!({
            "id": "req_01M830YGT34VZD4RVJD4G7EE9D", "run": null, "key": "bot\u{1b}[2J", "tenant": "shop", "route": "smart x",
            "outcome": "failed", "status": 429, "code": "rate_limit_exceeded", "refused_by": "openai", "queued_ms": 0, "cost_usd": null,
            "started_at": "2026-11-18T14:47:03.114Z", "ended_at": "2026-11-18T14:47:04.514Z", "attempts": [{}, {}],
        });
        assert_eq!(
            numbered(std::slice::from_ref(&record), &Zone::new(3_600, [])),
            [
                "  1  15:47:03.114  429 rate_limit_exceeded by openai  smart x  bot?[2J  2 attempts  1.40 s  req_01M830YGT34VZD4RVJD4G7EE9D"
            ]
        );
        assert_eq!(
            line(&record),
            "request req_01M830YGT34VZD4RVJD4G7EE9D at=2026-11-18T14:47:03.114Z outcome=failed status=429 code=rate_limit_exceeded \
             refused_by=openai route=smart_x key=bot?[2J tenant=shop run=- attempts=2 queued_ms=0 cost_usd=-"
        );
        assert_eq!(end(&json!({ "outcome": "answered", "status": 200 })), "200 answered");
        assert_eq!(took(&json!({})), "—");
    }
}
