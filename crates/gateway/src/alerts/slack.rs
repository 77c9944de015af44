//! The message as Slack's incoming webhooks take it. Whatever a stranger has named is plain text there: escaped, and no link.

use serde_json::{Value, json};
use weir_engine::alerts::{NoticeKind, Severity};

use super::message::Letter;

/// The most characters of a section, as Slack has it, less some for escapes.
const SECTION: usize = 2_500;

pub(super) fn body(letter: &Letter<'_>) -> Value {
    let notice = letter.notice;
    // Shape and word, not colour.
    let mark = match (notice.kind, notice.alert.severity) {
        (NoticeKind::Resolved, _) => "● ",
        (NoticeKind::Acknowledged, _) => "○ ",
        (_, Severity::Critical | Severity::Error) => "■ ",
        (_, Severity::Warning) => "▲ ",
        (_, Severity::Info) => "",
    };
    let title = format!("{mark}{}", letter.title);
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let mut blocks = vec![json!({ "type": "section", "text": plain(&title) })];
    if !letter.lines.is_empty() {
        let lines: String = letter.lines.join("\n").chars().take(SECTION).collect();
        blocks.push(json!({ "type": "section", "text": plain(&lines) }));
    }
    let mut links = Vec::new();
    if letter.is_link {
        links.push(format!("<{}|Open, acknowledge or silence>", escaped(&letter.page)));
    }
    if let Some(url) = &letter.upgrade_url {
        links.push(format!("<{}|Ask for more>", escaped(url)));
    }
    if !links.is_empty() {
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": links.join(" · ") }] }));
    }
    blocks.push(json!({ "type": "context", "elements": [plain(&letter.chain())] }));
    json!({
        "text": escaped(&title),
        "blocks": blocks,
        "mrkdwn": false,
        "parse": "none",
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// The three characters that Slack gives a meaning.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use weir_engine::alerts::{Alert, Notice};
    use weir_ledger::AuditHead;
    use weir_units::WallTime;

    use super::*;

    #[test]
    fn only_what_weir_links_is_a_link() {
        let notice = Notice { alert: Alert::trial(WallTime(0), "x"), to: "x".into(), kind: NoticeKind::Opened };
        let letter = Letter {
            notice: &notice,
            title: "<b> & `*x*`".to_owned(),
            lines: vec!["<!channel> *bold*".to_owned()],
            page: "https://weir.example/dashboard/alerts/alert_1?a=1&b=2".to_owned(),
            is_link: true,
            upgrade_url: None,
            alert: Value::Null,
            chain_head: AuditHead::default(),
        };
        let told = body(&letter);
        assert_eq!(told["text"], "&lt;b&gt; &amp; `*x*`");
        let kinds: Vec<&str> = told["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block.pointer("/text/type").or(block.pointer("/elements/0/type")).unwrap().as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["plain_text", "plain_text", "mrkdwn", "plain_text"]);
        let link = "<https://weir.example/dashboard/alerts/alert_1?a=1&amp;b=2|Open, acknowledge or silence>";
        assert_eq!(told["blocks"][2]["elements"][0]["text"], link);
    }
}
