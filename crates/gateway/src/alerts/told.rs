//! Alerts as JSON: for the admin API, and in the body of a webhook.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_engine::alerts::{Alert, AlertId, AlertRule, Severity, Silence};

use super::message::{command, contact, page};
use crate::clock::wall;
use crate::state::{Live, Shared};

/// Which alerts are listed.
#[derive(Default)]
pub(crate) struct Filter {
    /// Only open ones, or only ended ones.
    pub(crate) open: Option<bool>,
    pub(crate) rule: Option<AlertRule>,
    pub(crate) severity: Option<Severity>,
    pub(crate) limit: usize,
}

/// The answer to `/admin/v1/alerts`: open ones first, the most urgent of them first, then those that ended, the last first.
pub(crate) fn list(shared: &Arc<Shared>, filter: &Filter) -> Value {
    let live = shared.live.load();
    let alerts = shared.alarms.alerts();
    let fits = |alert: &&Alert| {
        filter.open.is_none_or(|open| open == alert.closed.is_none())
            && filter.rule.is_none_or(|rule| rule == alert.rule)
            && filter.severity.is_none_or(|severity| severity == alert.severity)
    };
    let all = alerts.open().into_iter().chain(alerts.ended());
    let listed: Vec<Value> =
        all.filter(fits).take(filter.limit).map(|alert| self::alert(&live, alert, alerts.silence_of(alert))).collect();
    let silences: Vec<Value> = alerts.silences().map(silence).collect();
    let left_out: u64 = alerts.left_out().values().map(|count| *count as u64).sum();
    drop(alerts);
    json!({
        "at": wall().to_string(),
        "chain_head": chain_head(shared),
        "alerts": listed,
        "left_out": left_out,
        "silences": silences,
        "silenced_rules": live.config.alerts.silenced.iter().map(|rule| rule.name()).collect::<Vec<_>>(),
        "notifiers": shared.alarms.deliveries.told(&live),
    })
}

/// One alert; none if it is not known.
pub(crate) fn one(shared: &Arc<Shared>, id: AlertId) -> Option<Value> {
    let live = shared.live.load();
    let alerts = shared.alarms.alerts();
    let found = alerts.find(id)?;
    Some(alert(&live, found, alerts.silence_of(found)))
}

/// An alert, and the silence over it.
pub(super) fn alert(live: &Live, alert: &Alert, over: Option<&Silence>) -> Value {
    let ack = alert.acknowledged.as_ref();
    let state = match (&alert.closed, over, ack) {
        (Some(_), ..) => "closed",
        (None, Some(_), _) => "silenced",
        (None, None, Some(_)) => "acknowledged",
        (None, None, None) => "open",
    };
    let contact = contact(live, alert);
    json!({
        "id": alert.id.to_string(),
        "rule": alert.rule.name(),
        "about": &*alert.about,
        "severity": alert.severity.name(),
        "state": state,
        "since": alert.since.to_string(),
        "subject": alert.message.subject,
        "evidence": alert.message.evidence,
        "do": alert.message.action,
        "owner": live.config.alerts.owner.name,
        "decide_by": alert.message.decide_by,
        "tier": contact.and_then(|contact| contact.tier.clone()),
        "contact": contact.and_then(|contact| contact.contact.clone()),
        "upgrade_url": contact.and_then(|contact| contact.upgrade_url.clone()),
        "peak": alert.peak,
        "escalated": alert.escalated(),
        "told": alert.told(),
        "acknowledged": ack.map(|ack| json!({ "by": &*ack.by, "at": ack.at.to_string() })),
        "silenced": over.map(silence),
        "closed": alert.closed.as_ref().map(|closed| json!({
            "at": closed.at.to_string(), "lasted_s": closed.lasted.as_secs(), "words": closed.words,
        })),
        "url": page(live, alert),
        "command": command(alert),
    })
}

fn silence(silence: &Silence) -> Value {
    json!({
        "rule": silence.rule.name(),
        "about": &*silence.about,
        "by": &*silence.by,
        "why": &*silence.why,
        "since": silence.since.to_string(),
        "until": silence.until.to_string(),
    })
}

/// The newest entry of the audit log, so that a cut tail shows.
pub(super) fn chain_head(shared: &Shared) -> Value {
    let head = shared.audit.head();
    json!({ "sequence": head.sequence, "hash": head.hash })
}
