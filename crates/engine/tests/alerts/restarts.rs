//! A restart: what was open is open, what was told is not told again, and what was not is.

use std::time::Duration;

use weir_engine::BreakerState;
use weir_engine::alerts::{Alert, AlertChange, AlertPast, AlertRule, Alerts};

use crate::world::{World, deployment, minutes};

/// What a ledger would have kept of it; `sent` says which messages had arrived.
fn recorded(world: &mut World, sent: impl Fn(&str) -> bool) -> Vec<AlertPast> {
    let opened = |alert: Alert, at| AlertPast::Opened {
        id: alert.id,
        rule: alert.rule,
        about: alert.about,
        severity: alert.severity,
        since: alert.since,
        at,
        step: alert.step,
        message: alert.message,
        peak: alert.peak,
    };
    let mut past: Vec<AlertPast> = std::mem::take(&mut world.changes)
        .into_iter()
        .map(|change| match change {
            AlertChange::Opened(alert) | AlertChange::Worsened(alert) => {
                let at = alert.seen;
                opened(alert, at)
            }
            AlertChange::Closed(alert) => {
                let closed = alert.closed.unwrap();
                AlertPast::Closed { id: alert.id, at: closed.at, lasted: closed.lasted, words: closed.words }
            }
            AlertChange::Acknowledged(alert) => {
                let ack = alert.acknowledged.unwrap();
                AlertPast::Acknowledged { id: alert.id, by: ack.by, at: ack.at }
            }
            AlertChange::Silenced(_, silence) => AlertPast::Silenced(silence),
            AlertChange::SilenceEnded { silence, .. } => {
                AlertPast::SilenceEnded { rule: silence.rule, about: silence.about }
            }
        })
        .collect();
    for notice in &world.notices {
        let what = notice.kind.key();
        if sent(&format!("{} {what}", notice.to)) {
            past.push(AlertPast::Sent { id: notice.alert.id, to: notice.to.clone(), what });
        }
    }
    world.notices.clear();
    past
}

fn restarted(world: &mut World, sent: impl Fn(&str) -> bool) {
    let past = recorded(world, sent);
    world.alerts = Alerts::default();
    world.now = world.now + Duration::from_secs(10);
    world.alerts.restore(world.now, past);
}

fn broken() -> World {
    let mut world = World::new();
    world.seen.deployments = vec![deployment("p/m", BreakerState::Open, (20, 0, 14))];
    world.pass(minutes(10));
    world
}

#[test]
fn an_alert_goes_on_and_is_escalated_when_it_would_have_been() {
    let mut world = broken();
    let before = world.open(AlertRule::BreakerOpen).unwrap().clone();
    restarted(&mut world, |_| true);
    world.pass(minutes(4));
    assert_eq!((world.happened(), world.told()), (vec![], vec![]), "nothing is told twice");
    let after = world.open(AlertRule::BreakerOpen).unwrap();
    assert_eq!((after.id, after.since), (before.id, before.since));
    world.pass(minutes(1));
    assert_eq!(world.told(), ["pager escalated-1-1"]);
}

#[test]
fn what_had_not_arrived_is_sent_again_and_nothing_else() {
    let mut world = broken();
    restarted(&mut world, |_| false);
    world.look();
    assert_eq!(world.told(), ["ops opened"]);
    world.look();
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn what_is_not_seen_any_more_ends_after_the_usual_quiet() {
    let mut world = broken();
    restarted(&mut world, |_| true);
    world.seen.deployments.clear();
    world.pass(minutes(1));
    assert_eq!(world.happened(), Vec::<String>::new());
    world.pass(minutes(2));
    assert_eq!(
        (world.happened(), world.told()),
        (vec!["closed breaker-open p/m".to_owned()], vec!["ops resolved".to_owned()])
    );
}

#[test]
fn an_end_that_was_not_told_is_told() {
    let mut world = broken();
    world.seen.deployments.clear();
    world.pass(minutes(3));
    restarted(&mut world, |what| what != "ops resolved");
    world.look();
    assert_eq!(world.told(), ["ops resolved"]);
    assert_eq!(world.alerts.ended().count(), 1);
}

#[test]
fn acknowledgements_and_silences_outlive_it() {
    let mut world = broken();
    let id = world.open(AlertRule::BreakerOpen).unwrap().id;
    let acknowledged = world.alerts.acknowledge(world.now, id, "alice").unwrap();
    world.take(acknowledged);
    let until = world.now + minutes(30);
    let silenced = world.alerts.silence(world.now, id, "alice", "known", until).unwrap();
    world.take(silenced);
    restarted(&mut world, |_| true);
    world.pass(minutes(60));
    assert_eq!(world.told(), Vec::<String>::new(), "taken on is taken on");
    assert_eq!(world.open(AlertRule::BreakerOpen).unwrap().acknowledged.as_ref().unwrap().by.as_ref(), "alice");
    assert!(world.alerts.silences().next().is_none(), "its time is over");
}
