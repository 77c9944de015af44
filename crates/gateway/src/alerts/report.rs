//! The weekly report as notifiers take it: Slack its headline, the decisions and a link, a webhook all of it. PagerDuty gets none: a report is
//! no incident.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use weir_capacity::report::Weekly;
use weir_config::NotifierKind;
use weir_ledger::{Event, Fact, Stage};

use super::Tried;
use super::deliver::{envelope, post};
use super::slack::escaped;
use crate::clock::wall;
use crate::state::Shared;

/// Waits between tries.
const WAITS: [u64; 6] = [1, 5, 30, 120, 600, 1_800];
/// Decisions that a message tells.
const DECISIONS: usize = 5;
/// The most characters of a section, as Slack has it, less some for escapes.
const SECTION: usize = 2_500;

/// Sends the report to a notifier, in a task of its own.
pub(crate) fn send_report(shared: &Arc<Shared>, to: Arc<str>, report: &Weekly) {
    let live = shared.live.load_full();
    let Some(kind) = live.config.notifiers.get(&to).map(|notifier| notifier.kind) else { return };
    let base = live.config.server.public_url.as_deref();
    let body = match kind {
        NotifierKind::Slack => slack(report, base),
        NotifierKind::Webhook => webhook(report, base),
        NotifierKind::PagerDuty => return,
    };
    let event = format!("report_{}", report.until.millis());
    tokio::spawn(deliver(Arc::clone(shared), to, event, body));
}

async fn deliver(shared: Arc<Shared>, to: Arc<str>, event: String, body: Value) {
    let mut tries = 0;
    let mut waits = WAITS.iter();
    let why = loop {
        tries += 1;
        let live = shared.live.load_full();
        let Some(notifier) = live.config.notifiers.get(&to) else { return };
        let tried = match envelope(notifier, &body, &event) {
            Ok(request) => post(&live, request).await,
            Err(why) => Tried::Refused(why),
        };
        match (tried, waits.next()) {
            (Tried::Taken, _) => {
                let fact = Fact::AlertDelivered { alert: event, to: to.to_string(), what: "report".to_owned(), tries };
                shared.ledger.note(Event { at: wall(), stage: Stage::Settle, fact });
                return;
            }
            (Tried::Refused(why), _) | (Tried::Later(why, _), None) => break why,
            (Tried::Later(_, after), Some(wait)) => {
                tokio::time::sleep(after.unwrap_or(Duration::from_secs(*wait))).await;
            }
        }
    };
    let fact = Fact::AlertDeliveryFailed { alert: event, to: to.to_string(), what: "report".to_owned(), tries, why };
    tracing::error!("{}", fact.in_words());
    shared.tell(Event { at: wall(), stage: Stage::Settle, fact });
}

fn decisions(report: &Weekly) -> Vec<String> {
    let zone = report.zone.clone().unwrap_or(weir_engine::Zone::UTC);
    let told = report.decisions().into_iter().take(DECISIONS).map(|decision| {
        let by = decision.by.map_or("now".to_owned(), |by| weir_capacity::readiness::words::day(by, &zone));
        format!("• {} ({}, by {by}): {}", decision.what, decision.owner, decision.effect)
    });
    told.collect()
}

fn slack(report: &Weekly, base: Option<&str>) -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let headline = format!("Capacity report: {}", report.headline());
    let mut blocks = vec![json!({ "type": "section", "text": plain(&headline) })];
    let decisions = decisions(report);
    if !decisions.is_empty() {
        let text: String = decisions.join("\n").chars().take(SECTION).collect();
        blocks.push(json!({ "type": "section", "text": plain(&text) }));
    }
    match base {
        Some(base) => {
            let link = format!("<{}/dashboard/readiness|Open>", escaped(base.trim_end_matches('/')));
            blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] }));
        }
        None => blocks.push(json!({ "type": "context", "elements": [plain("Here: weir report")] })),
    }
    if let Some((sequence, hash)) = &report.chain {
        let chain = format!("audit log: entry {sequence}, {hash}");
        blocks.push(json!({ "type": "context", "elements": [plain(&chain)] }));
    }
    json!({
        "text": escaped(&headline),
        "blocks": blocks,
        "mrkdwn": false,
        "parse": "none",
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn webhook(report: &Weekly, base: Option<&str>) -> Value {
    let decisions: Vec<Value> = report
        .decisions()
        .into_iter()
        .map(|decision| {
            json!({
                "what": decision.what, "owner": decision.owner, "effect": decision.effect,
                "by": decision.by.map(|by| by.to_string()),
            })
        })
        .collect();
    json!({
        "kind": "report",
        "since": report.since.to_string(),
        "until": report.until.to_string(),
        "headline": report.headline(),
        "decisions": decisions,
        "markdown": report.document().to_markdown(),
        "url": base.map(|base| format!("{}/dashboard/readiness", base.trim_end_matches('/'))),
        "chain_head": report.chain.as_ref().map(|(sequence, hash)| json!({ "sequence": sequence, "hash": hash })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_gets_headline_decisions_and_link_and_a_webhook_all_of_it() {
        let report = Weekly { chain: Some((7, "ab".to_owned())), ..Weekly::default() };
        let told = slack(&report, Some("https://weir.example/"));
        assert_eq!(told["text"], "Capacity report: Nothing is to be decided. Nothing was asked.");
        let link = "<https://weir.example/dashboard/readiness|Open>";
        assert_eq!(told["blocks"][1]["elements"][0]["text"], link);
        assert_eq!(told["blocks"][2]["elements"][0]["text"], "audit log: entry 7, ab");
        let told = webhook(&report, None);
        assert!(told["markdown"].as_str().unwrap().starts_with("# Capacity report, week to"));
        assert_eq!((told["kind"].as_str(), told["chain_head"]["sequence"].as_u64()), (Some("report"), Some(7)));
    }
}
