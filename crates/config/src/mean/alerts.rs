//! `[alerts]`, `[owner]` and `[notifiers]`: what is worth telling, and to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_engine::Zone;
use weir_engine::alerts::{AlertRule, AlertSettings, Escalation, Owner};

use crate::log::{At, Log, shown};
use crate::nearest::nearest;
use crate::url::Url;
use crate::written::{Table, Value};
use crate::{Contact, Notifier, NotifierKind, Secret, WeeklyAt};

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// A shorter secret can be guessed.
const SHORTEST_SECRET: usize = 16;
const LEAD_TIME: Duration = Duration::from_secs(10 * 86_400);

pub(super) fn settings(root: &Table, zone: Zone, log: &mut Log<'_>) -> AlertSettings {
    let table = root.table("alerts");
    let count = |key| table.count(key).unwrap_or(1);
    AlertSettings {
        check_every: table.span("check-every"),
        window: table.span("window"),
        least_attempts: count("least-attempts"),
        throttled_ppm: table.parts_per_million("throttled"),
        headroom_ppm: table.parts_per_million("headroom"),
        headroom_ahead: table.span("headroom-ahead"),
        down_after: table.span("down-after"),
        down_attempts: count("down-attempts"),
        ledger_rows: count("ledger-rows"),
        limit_changed_for: table.span("limit-changed-for"),
        resolve_after: table.span("resolve-after"),
        repeat: table.optional_span("repeat"),
        silenced: silenced(table, log),
        owner: owner(root, log),
        zone,
    }
}

fn silenced(table: &Table, log: &mut Log<'_>) -> BTreeSet<AlertRule> {
    let mut silenced = BTreeSet::new();
    for (name, at) in table.names("silence") {
        match AlertRule::from_name(name) {
            Some(rule) => {
                silenced.insert(rule);
            }
            None => {
                let known = AlertRule::ALL.map(AlertRule::name);
                let hint = match nearest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the rules are {}", known.join(", ")),
                };
                log.fault(at, format!("`alerts.silence` names `{}`, which is no rule", shown(name)), hint);
            }
        }
    }
    silenced
}

fn owner(root: &Table, log: &mut Log<'_>) -> Owner {
    let table = root.table("owner");
    let names = |table: &Table| -> Vec<Arc<str>> { table.names("notify").map(|(name, _)| name.into()).collect() };
    let mut escalate = Vec::new();
    for item in table.items("escalate") {
        let Some(step) = item.table() else { continue };
        for (key, example) in [("after", "after = \"15m\""), ("notify", "notify = [\"pager\"]")] {
            if step.get(key).is_none() {
                log.fault(item.at, format!("a step of `owner.escalate` has no `{key}`"), format!("add `{example}`"));
            }
        }
        escalate.push(Escalation { after: step.span("after"), notify: names(step) });
    }
    escalate.sort_by_key(|step| step.after);
    let notify = names(table);
    if notify.is_empty() && escalate.is_empty() && !root.table("notifiers").0.is_empty() {
        let hint = "name one: `[owner]` with `notify = [\"…\"]`".to_owned();
        log.warn(None, "there are notifiers, and no alert is sent to any", hint);
    }
    ask_for_a_name(root, table, log);
    Owner {
        name: table.text("name").map(Arc::from),
        notify,
        escalate,
        lead_time: table.optional_span("lead-time").unwrap_or(LEAD_TIME),
    }
}

/// When the weekly report is sent.
pub(super) fn report(root: &Table, log: &mut Log<'_>) -> Option<WeeklyAt> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let table = root.table("owner");
    let text = table.text("report").unwrap_or("mon 09:00");
    if text == "off" {
        return None;
    }
    let read = || {
        let (day, clock) = text.split_once(' ')?;
        let weekday = DAYS.iter().position(|name| *name == day)?;
        let (hour, minute) = clock.split_once(':')?;
        let number = |text: &str, most: u16| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|n| digits && *n <= most)
        };
        let minute = number(hour, 23)? * 60 + number(minute, 59)?;
        Some(WeeklyAt { weekday: u8::try_from(weekday).ok()?, minute })
    };
    let at = read();
    if at.is_none() {
        let hint = "write a day and a time, `\"mon 09:00\"`, or `\"off\"`".to_owned();
        log.fault(
            table.at("report"),
            format!("`owner.report` is `{}`, which is no time of the week", shown(text)),
            hint,
        );
    }
    at
}

/// Limits that several providers or clients share are somebody's to plan.
fn ask_for_a_name(root: &Table, owner: &Table, log: &mut Log<'_>) {
    let (providers, keys) = (root.named("providers").count(), root.named("keys").count());
    if owner.text("name").is_some() || providers < 2 && keys < 2 {
        return;
    }
    let counted = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let message =
        format!("nobody owns the LLM capacity of {} and {}", counted(providers, "provider"), counted(keys, "key"));
    let hint = if root.table("notifiers").0.is_empty() {
        "add `[owner]` with `name = \"Platform on-call\"`; alerts reach them with a `[notifiers.NAME]` and `notify = [\"NAME\"]`"
            .to_owned()
    } else {
        let first = root.named("notifiers").next().map_or_else(String::new, |(name, ..)| shown(name).to_string());
        format!("add `[owner]` with `name = \"Platform on-call\"` and `notify = [\"{first}\"]`")
    };
    log.warn(None, message, hint);
}

pub(super) fn notifiers(root: &Table, log: &mut Log<'_>) -> BTreeMap<Arc<str>, Notifier> {
    let mut notifiers = BTreeMap::new();
    for (name, table, at) in root.named("notifiers") {
        if let Some(notifier) = notifier(name, table, at, log) {
            notifiers.insert(Arc::clone(&notifier.name), notifier);
        }
    }
    notifiers
}

fn notifier(name: &str, table: &Table, at: At, log: &mut Log<'_>) -> Option<Notifier> {
    let kind = match table.text("kind") {
        Some("slack") => NotifierKind::Slack,
        Some("pagerduty") => NotifierKind::PagerDuty,
        Some("webhook") => NotifierKind::Webhook,
        _ => {
            if table.get("kind").is_none() {
                let message = format!("notifier `{}` has no `kind`", shown(name));
                log.fault(at, message, "add `kind = \"slack\"`, `\"pagerduty\"` or `\"webhook\"`".to_owned());
            }
            return None;
        }
    };
    let missing = |key: &str, example: &str, log: &mut Log<'_>| {
        if table.get(key).is_none() {
            log.fault(at, format!("notifier `{}` has no `{key}`", shown(name)), format!("add `{key} = {example}`"));
        }
    };
    let url = match table.get("url").map(|written| &written.value) {
        Some(Value::Text(text)) => Some(Secret::new(text.as_str())),
        Some(Value::Secret(secret)) => Some(secret.clone()),
        Some(_) => None,
        None if kind == NotifierKind::PagerDuty => Some(Secret::new(PAGERDUTY)),
        None => {
            missing("url", "{ env = \"ALERTS_URL\" }", log);
            None
        }
    };
    let unset = table.secret("url").is_some_and(|url| !url.is_set());
    let url = url.filter(|url| unset || check_url(name, url, table.at("url"), log));
    let secret = table.secret("secret").cloned();
    if kind != NotifierKind::Slack {
        missing("secret", "{ env = \"ALERTS_SECRET\" }", log);
    }
    if let Some(secret) = &secret
        && kind == NotifierKind::Webhook
        && secret.is_set()
        && secret.expose().len() < SHORTEST_SECRET
    {
        let message = format!("the secret of notifier `{}` has {} characters", shown(name), secret.expose().len());
        let hint = format!("{SHORTEST_SECRET} or more are hard to guess: `openssl rand -hex 32`");
        log.fault(table.at("secret"), message, hint);
    }
    Some(Notifier { name: name.into(), kind, url: url?, secret })
}

/// Whether something can be sent there. The address may itself be a credential, so it is never part of a message.
fn check_url(name: &str, url: &Secret, at: At, log: &mut Log<'_>) -> bool {
    let whole = url.expose();
    let address = whole.split(['?', '#']).next().unwrap_or_default();
    let why = match Url::parse(address) {
        Err(why) => why,
        Ok(_) if whole.contains('#') => "has a fragment",
        Ok(_) if !whole.bytes().all(|byte| byte.is_ascii_graphic()) => "holds a character that no URL may",
        Ok(parsed) => {
            if !parsed.encrypted && !parsed.is_loopback() {
                let message = format!("notifier `{}` sends what it says over plain http", shown(name));
                log.warn(at, message, "write an address that begins with `https://`".to_owned());
            }
            return true;
        }
    };
    let message = format!("the `url` of notifier `{}` {why}", shown(name));
    log.fault(at, message, "write it as `https://host/path`".to_owned());
    false
}

/// Whom alerts of a provider's capacity name, by provider.
pub(super) fn contacts(root: &Table) -> BTreeMap<Arc<str>, Contact> {
    let contact = |table: &Table| Contact {
        tier: table.text("tier").map(|tier| Arc::from(bare_tier(tier))),
        contact: table.text("contact").map(Arc::from),
        upgrade_url: table.text("upgrade-url").map(Arc::from),
    };
    root.named("providers").map(|(name, table, _)| (name.into(), contact(table))).collect()
}

/// What a tier is called without the word, which stands before it wherever it is said: `3` of `Tier 3`.
fn bare_tier(written: &str) -> &str {
    let written = written.trim();
    let after = written.get(..4).filter(|word| word.eq_ignore_ascii_case("tier")).map(|word| &written[word.len()..]);
    let after = after.filter(|after| !after.starts_with(char::is_alphabetic));
    let bare = after.unwrap_or(written).trim_start_matches([' ', '-', '_', ':', '\t']);
    if bare.is_empty() { written } else { bare }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_tier_is_called_alike_whether_or_not_the_word_is_written() {
        for (written, bare) in [
            ("3", "3"),
            ("tier 3", "3"),
            (" Tier-3 ", "3"),
            ("tier3", "3"),
            ("scale", "scale"),
            ("tier", "tier"),
            ("tiered", "tiered"),
        ] {
            assert_eq!(super::bare_tier(written), bare, "{written}");
        }
    }
}
