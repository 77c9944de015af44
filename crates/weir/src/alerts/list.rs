//! Alerts on a screen: what needs somebody first, and a record a line where nobody watches.

use serde_json::Value;

use crate::terminal::{bold, moves, numbers, print, say, shown};
use crate::top::plain::word;

/// Prints the list.
pub(super) fn show(answer: &Value) {
    let alerts = answer["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !moves() {
        alerts.iter().for_each(|alert| print(line(alert)));
    } else {
        print(bold(&shown(&headline(alerts))));
        for alert in alerts {
            print(shown(&entry(alert)));
        }
    }
    if alerts.is_empty() {
        say("no alert is open, and none ended lately that fits");
    }
    for silence in answer["silences"].as_array().into_iter().flatten() {
        let told = |member: &str| text(silence, member);
        say(format_args!(
            "silenced by {} until {}: {} about {}: {}",
            told("by"),
            told("until"),
            told("rule"),
            told("about"),
            told("why")
        ));
    }
    for notifier in answer["notifiers"].as_array().into_iter().flatten().filter(|one| one["why"].is_string()) {
        say(format_args!(
            "notifier `{}` takes no messages since {}: {}",
            text(notifier, "notifier"),
            text(notifier, "failing_since"),
            text(notifier, "why")
        ));
    }
    if answer["left_out"].as_u64().is_some_and(|count| count > 0) {
        say(format_args!("{} more of the same kind have no alert of their own", answer["left_out"]));
    }
}

/// Prints one with all that is known of it.
pub(super) fn show_one(alert: &Value) {
    print(shown(&entry(alert)));
    for evidence in alert["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        print(shown(&format!("    {}", weir_wire::shown(evidence))));
    }
    for (label, member) in [
        ("Do", "do"),
        ("Owner", "owner"),
        ("Decide by", "decide_by"),
        ("Contact", "contact"),
        ("Ask for more", "upgrade_url"),
        ("Peak", "peak"),
        ("Page", "url"),
    ] {
        if alert[member].is_string() {
            print(shown(&format!("    {label}: {}", text(alert, member))));
        }
    }
    let told: Vec<String> =
        alert["told"].as_array().into_iter().flatten().filter_map(Value::as_str).map(weir_wire::shown).collect();
    print(format!("    Told: {}", if told.is_empty() { "nobody".to_owned() } else { told.join(", ") }));
}

fn headline(alerts: &[Value]) -> String {
    let open = alerts.iter().filter(|alert| alert["state"] != "closed").count() as u64;
    let nobodys = alerts.iter().filter(|alert| alert["state"] == "open").count() as u64;
    match (open, nobodys) {
        (0, _) => "No alert is open.".to_owned(),
        (open, 0) => format!("{} open; somebody has taken each on.", numbers::counted(open, "alert")),
        (open, nobodys) => {
            format!("{} open, {} not acknowledged.", numbers::counted(open, "alert"), numbers::count(nobodys))
        }
    }
}

fn entry(alert: &Value) -> String {
    let mark = match (alert["state"].as_str(), alert["severity"].as_str()) {
        (Some("closed"), _) => "●",
        (_, Some("critical" | "error")) => "■",
        _ => "▲",
    };
    let (id, since) = (text(alert, "id"), text(alert, "since"));
    let state = match alert["state"].as_str() {
        Some("acknowledged") => format!("acknowledged by {}", text(&alert["acknowledged"], "by")),
        Some("silenced") => format!("silenced until {}", text(&alert["silenced"], "until")),
        Some("closed") => "closed".to_owned(),
        _ => "nobody has acknowledged it".to_owned(),
    };
    let words = if alert["closed"].is_object() { text(&alert["closed"], "words") } else { text(alert, "subject") };
    format!("{mark} {words}\n    {id} · since {since} · {state}")
}

fn line(alert: &Value) -> String {
    let told = |member: &str| alert[member].as_str().map_or_else(|| "-".to_owned(), |t| word(&weir_wire::shown(t)));
    let lasted = alert["closed"]["lasted_s"].as_u64().map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
    format!(
        "alert {} rule={} about={} severity={} state={} since={} lasted_s={lasted} subject={}",
        told("id"),
        told("rule"),
        told("about"),
        told("severity"),
        told("state"),
        told("since"),
        told("subject")
    )
}

fn text(of: &Value, member: &str) -> String {
    weir_wire::shown(of[member].as_str().unwrap_or("-"))
}
