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
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
