//! The message as PagerDuty's Events API, version 2, takes it. All that is said of an alert has its id as `dedup_key`.

use serde_json::{Value, json};
use weir_engine::alerts::NoticeKind;

use super::message::Letter;

pub(super) fn body(letter: &Letter<'_>, routing_key: &str) -> Value {
    let (notice, alert) = (letter.notice, &letter.notice.alert);
    let action = match notice.kind {
        NoticeKind::Resolved => "resolve",
        NoticeKind::Acknowledged => "acknowledge",
        NoticeKind::Opened | NoticeKind::Worse(_) | NoticeKind::Escalated(..) | NoticeKind::Reminder(_) => "trigger",
    };
    let mut links = Vec::new();
    if letter.is_link {
        links.push(json!({ "href": letter.page, "text": "Open, acknowledge or silence" }));
    }
    if let Some(url) = &letter.upgrade_url {
        links.push(json!({ "href": url, "text": "Ask for more" }));
    }
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": alert.id.to_string(),
        "client": "Weir",
        "client_url": letter.is_link.then_some(&letter.page),
        "links": links,
        "payload": {
            "summary": alert.message.subject,
            "source": "weir",
            "severity": alert.severity.name(),
            "timestamp": alert.since.to_string(),
            "component": &*alert.about,
            "class": alert.rule.name(),
            "custom_details": {
                "event_id": notice.event_id(),
                "evidence": letter.lines,
                "chain_head": letter.chain(),
            },
        },
    })
}
