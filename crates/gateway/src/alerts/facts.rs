//! Alerts as facts: what happened to them goes into the ledger, and is read back from there at the next start.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use weir_engine::alerts::{Alert, AlertChange, AlertPast, AlertRule, Message, Severity, Silence};
use weir_ledger::{AlertTold, Fact};
use weir_units::WallTime;

/// Facts that alerts are rebuilt from.
pub(super) const KINDS: [&str; 8] = [
    "AlertOpened",
    "AlertWorsened",
    "AlertClosed",
    "AlertAcknowledged",
    "AlertSilenced",
    "AlertSilenceEnded",
    "AlertDelivered",
    "AlertDeliveryFailed",
];

/// The fact of a change.
pub(super) fn of(change: AlertChange) -> Fact {
    match change {
        AlertChange::Opened(alert) => Fact::AlertOpened(told(alert)),
        AlertChange::Worsened(alert) => Fact::AlertWorsened(told(alert)),
        AlertChange::Closed(alert) => {
            let (lasted_s, words) =
                alert.closed.map(|closed| (closed.lasted.as_secs(), closed.words)).unwrap_or_default();
            let (alert, rule, about) = (alert.id.to_string(), alert.rule.name(), alert.about.to_string());
            Fact::AlertClosed { alert, rule, about, lasted_s, words }
        }
        AlertChange::Acknowledged(alert) => Fact::AlertAcknowledged {
            alert: alert.id.to_string(),
            rule: alert.rule.name(),
            about: alert.about.to_string(),
            by: alert.acknowledged.map(|ack| ack.by.to_string()).unwrap_or_default(),
        },
        AlertChange::Silenced(id, silence) => Fact::AlertSilenced {
            alert: id.to_string(),
            rule: silence.rule.name(),
            about: silence.about.to_string(),
            by: silence.by.to_string(),
            why: silence.why.to_string(),
            until: Some(silence.until),
        },
        AlertChange::SilenceEnded { id, silence, by } => Fact::AlertSilenceEnded {
            alert: id.to_string(),
            rule: silence.rule.name(),
            about: silence.about.to_string(),
            by: by.to_string(),
        },
    }
}

fn told(alert: Alert) -> AlertTold {
    AlertTold {
        alert: alert.id.to_string(),
        rule: alert.rule.name(),
        about: alert.about.to_string(),
        severity: alert.severity.name(),
        since: Some(alert.since),
        step: alert.step,
        subject: alert.message.subject,
        evidence: alert.message.evidence,
        action: alert.message.action,
        peak: alert.peak,
    }
}

/// What a fact on record says of alerts; none if it says nothing that this version understands.
pub(super) fn past(record: &str) -> Option<AlertPast> {
    let fact: Value = serde_json::from_str(record).ok()?;
    let text = |name: &str| fact[name].as_str();
    let time = |name: &str| text(name)?.parse::<WallTime>().ok();
    let id = text("alert")?.parse().ok();
    let rule = || AlertRule::from_name(text("rule")?);
    let about = || text("about").map(Arc::<str>::from);
    let at = time("at")?;
    Some(match text("fact")? {
        "AlertOpened" | "AlertWorsened" => {
            let lines = fact["evidence"].as_array().map(Vec::as_slice).unwrap_or_default();
            AlertPast::Opened {
                id: id?,
                rule: rule()?,
                about: about()?,
                severity: Severity::from_name(text("severity")?)?,
                since: time("since")?,
                at,
                step: u32::try_from(fact["step"].as_u64()?).ok()?,
                message: Message {
                    subject: text("subject")?.to_owned(),
                    evidence: lines.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                    action: text("action")?.to_owned(),
                    decide_by: None,
                },
                peak: text("peak")?.to_owned(),
            }
        }
        "AlertClosed" => AlertPast::Closed {
            id: id?,
            at,
            lasted: Duration::from_secs(fact["lasted_s"].as_u64()?),
            words: text("words")?.to_owned(),
        },
        "AlertAcknowledged" => AlertPast::Acknowledged { id: id?, by: text("by")?.into(), at },
        "AlertSilenced" => AlertPast::Silenced(Silence {
            rule: rule()?,
            about: about()?,
            by: text("by")?.into(),
            why: text("why")?.into(),
            since: at,
            until: time("until")?,
        }),
        "AlertSilenceEnded" => AlertPast::SilenceEnded { rule: rule()?, about: about()? },
        "AlertDelivered" | "AlertDeliveryFailed" => {
            AlertPast::Sent { id: id?, to: text("to")?.into(), what: text("what")?.to_owned() }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use weir_engine::alerts::{AlertSettings, Alerts, HaltedRun, Observed};

    use super::*;

    const AT: WallTime = WallTime(1_795_012_260_000_000);

    fn recorded(fact: &Fact) -> String {
        let mut record = serde_json::to_value(fact).unwrap();
        record["at"] = AT.to_string().into();
        record.to_string()
    }

    #[test]
    fn what_is_on_record_of_an_alert_brings_it_back() {
        let run = HaltedRun { tenant: "t".into(), run: "r".into(), why: "it repeats".into(), cost: None };
        let seen = Observed { runs: vec![run], ..Observed::default() };
        let (settings, mut before) = (AlertSettings::default(), Alerts::default());
        let mut changes = before.tick(AT, &settings, &seen).changes;
        let id = before.open()[0].id;
        changes.extend(before.acknowledge(AT, id, "alice").unwrap().changes);
        changes.extend(before.silence(AT, id, "bob", "known", AT + Duration::from_secs(60)).unwrap().changes);
        let records: Vec<String> = changes.into_iter().map(|change| recorded(&of(change))).collect();
        let mut after = Alerts::default();
        after.restore(AT, records.iter().filter_map(|record| past(record)));
        let (before, restored) = (before.open()[0].clone(), after.open()[0].clone());
        assert_eq!((restored.id, restored.since, restored.severity), (before.id, before.since, before.severity));
        assert_eq!(
            (&restored.message, &restored.peak, &restored.about),
            (&before.message, &before.peak, &before.about)
        );
        assert_eq!(restored.acknowledged, before.acknowledged);
        assert_eq!(after.silence_of(&restored).map(|silence| silence.until), Some(AT + Duration::from_secs(60)));
    }

    #[test]
    fn a_record_of_another_version_is_left_alone() {
        for record in ["", "{}", r#"{"at":"2026-11-18T14:31:00.000Z","fact":"AlertClosed","alert":"alert_1"}"#] {
            assert!(past(record).is_none(), "{record}");
        }
    }
}
