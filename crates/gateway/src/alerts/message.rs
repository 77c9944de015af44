//! What a notifier is told, before it takes the form that the notifier wants.

use serde_json::Value;
use weir_config::Contact;
use weir_engine::alerts::{Alert, Notice, NoticeKind};
use weir_ledger::AuditHead;

use crate::state::Live;

/// A message.
pub(super) struct Letter<'a> {
    pub(super) notice: &'a Notice,
    /// One line.
    pub(super) title: String,
    /// What is below it.
    pub(super) lines: Vec<String>,
    /// The alert's page; where no public address is known, only its path.
    pub(super) page: String,
    /// Whether `page` can be followed.
    pub(super) is_link: bool,
    /// Where more capacity is asked for.
    pub(super) upgrade_url: Option<String>,
    /// The alert as JSON.
    pub(super) alert: Value,
    pub(super) chain_head: AuditHead,
}

impl<'a> Letter<'a> {
    pub(super) fn of(live: &Live, notice: &'a Notice, chain_head: AuditHead) -> Self {
        let alert = &notice.alert;
        let contact = contact(live, alert);
        Self {
            notice,
            title: title(notice),
            lines: lines(live, notice, contact),
            page: page(live, alert),
            is_link: live.config.server.public_url.is_some(),
            upgrade_url: contact.and_then(|contact| contact.upgrade_url.as_deref()).map(str::to_owned),
            alert: super::told::alert(live, alert, None),
            chain_head,
        }
    }

    /// The head of the audit log, so that a cut tail shows.
    pub(super) fn chain(&self) -> String {
        format!("audit log: entry {}, {}", self.chain_head.sequence, self.chain_head.hash)
    }
}

fn title(notice: &Notice) -> String {
    let alert = &notice.alert;
    match (notice.kind, &alert.closed, &alert.acknowledged) {
        (NoticeKind::Resolved, Some(closed), _) => closed.words.clone(),
        (NoticeKind::Acknowledged, _, Some(ack)) => {
            weir_config::shown_within(&format!("Acknowledged by {}: {}", ack.by, alert.message.subject), 120)
        }
        _ => alert.message.subject.clone(),
    }
}

fn lines(live: &Live, notice: &Notice, contact: Option<&Contact>) -> Vec<String> {
    let (alert, owner) = (&notice.alert, &live.config.alerts.owner);
    if matches!(notice.kind, NoticeKind::Resolved | NoticeKind::Acknowledged) {
        return Vec::new();
    }
    let mut lines = alert.message.evidence.clone();
    if let NoticeKind::Escalated(..) | NoticeKind::Reminder(_) = notice.kind {
        lines.insert(0, format!("Nobody has acknowledged it since {}.", alert.since));
    }
    lines.push(format!("Do: {}", alert.message.action));
    let by = alert.message.decide_by.as_ref().map(|by| format!(" · by {by}"));
    match (&owner.name, by) {
        (Some(name), by) => lines.push(format!("Owner: {name}{}", by.unwrap_or_default())),
        (None, Some(by)) => lines.push(format!("Owner: nobody is named in [owner]{by}")),
        (None, None) => {}
    }
    if let Some(tier) = contact.and_then(|contact| contact.tier.as_ref()) {
        lines.push(format!("Tier: {tier}"));
    }
    if let Some(contact) = contact.and_then(|contact| contact.contact.as_ref()) {
        lines.push(format!("Contact: {contact}"));
    }
    lines.push(format!("Here: {}", command(alert)));
    lines
}

/// Whom to ask for more, where an alert is about a provider's capacity: its own, or that of a pool whose models it has.
pub(super) fn contact<'a>(live: &'a Live, alert: &Alert) -> Option<&'a Contact> {
    let name = alert.about.split(['/', ' ']).next().filter(|_| alert.rule.is_of_capacity())?;
    let of_pool = || {
        let provider = crate::capacity::providers_of(&live.config, name).into_iter().next()?;
        live.config.contacts.get(&provider)
    };
    live.config.contacts.get(name).or_else(of_pool)
}

/// Where an alert is shown: a link if others can reach Weir at an address, else the path.
pub(super) fn page(live: &Live, alert: &Alert) -> String {
    let base = live.config.server.public_url.as_deref().unwrap_or_default().trim_end_matches('/');
    format!("{base}/dashboard/alerts/{}", alert.id)
}

/// The command that shows an alert.
pub(super) fn command(alert: &Alert) -> String {
    format!("weir alerts show {}", alert.id)
}
