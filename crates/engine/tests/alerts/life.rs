//! How alerts live: told once, escalated, taken on, silenced, damped.

use std::time::Duration;

use weir_engine::BreakerState;
use weir_engine::Period;
use weir_engine::alerts::{AlertRule, NoSuchAlert};

use crate::world::{World, budget, deployment, minutes, run};

fn broken() -> World {
    let mut world = World::new();
    world.seen.deployments = vec![deployment("p/m", BreakerState::Open, (20, 0, 14))];
    world.look();
    world
}

#[test]
fn the_owner_is_told_once_and_the_next_when_nobody_takes_it_on() {
    let mut world = broken();
    assert_eq!(world.told(), ["ops opened"]);
    world.pass(minutes(15) - Duration::from_secs(5));
    assert_eq!(world.told(), Vec::<String>::new());
    world.pass(Duration::from_secs(5));
    assert_eq!(world.told(), ["pager escalated-1-1"]);
    world.pass(minutes(60));
    assert_eq!(world.told(), Vec::<String>::new());
    world.seen.deployments.clear();
    world.pass(minutes(3));
    assert_eq!(world.told(), ["ops resolved", "pager resolved"], "all who heard of it");
}

#[test]
fn what_somebody_has_taken_on_is_escalated_no_further() {
    let mut world = broken();
    let id = world.open(AlertRule::BreakerOpen).unwrap().id;
    let told = world.alerts.acknowledge(world.now, id, "alice").unwrap();
    world.take(told);
    assert_eq!(world.told(), ["ops opened", "ops acknowledged"]);
    let again = world.alerts.acknowledge(world.now, id, "bob").unwrap();
    assert!(again.changes.is_empty() && again.notices.is_empty());
    world.pass(minutes(60));
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(&*world.open(AlertRule::BreakerOpen).unwrap().acknowledged.clone().unwrap().by, "alice");
    world.seen.deployments.clear();
    world.pass(minutes(3));
    assert_eq!(world.alerts.acknowledge(world.now, id, "alice"), Err(NoSuchAlert::Ended));
}

#[test]
fn what_gets_worse_must_be_taken_on_again() {
    let mut world = World::new();
    world.seen.budgets = vec![budget("team-a", Period::Total, "6", "10")];
    world.look();
    let id = world.open(AlertRule::BudgetWarn).unwrap().id;
    let told = world.alerts.acknowledge(world.now, id, "alice").unwrap();
    world.take(told);
    world.seen.budgets = vec![budget("team-a", Period::Total, "9", "10")];
    world.look();
    assert_eq!(world.told(), ["ops opened", "ops acknowledged", "ops worse-2"]);
    world.pass(minutes(15));
    assert_eq!(world.told(), ["pager escalated-2-1"]);
}

#[test]
fn nobody_hears_of_what_is_silenced_until_the_silence_ends() {
    let mut world = broken();
    world.told();
    let id = world.open(AlertRule::BreakerOpen).unwrap().id;
    let until = world.now + minutes(30);
    let told = world.alerts.silence(world.now, id, "alice", "maintenance", until).unwrap();
    world.take(told);
    world.pass(minutes(20));
    assert_eq!(world.told(), Vec::<String>::new(), "no escalation after 15 minutes");
    world.seen.deployments.clear();
    world.pass(minutes(3));
    assert_eq!(world.told(), ["ops resolved"], "those who know that it began hear that it ended");
    world.seen.deployments = vec![deployment("p/m", BreakerState::Open, (40, 0, 30))];
    world.pass(minutes(2));
    assert_eq!(world.told(), Vec::<String>::new(), "it came back, and is silent still");
    world.pass(minutes(10));
    assert_eq!(world.told(), ["ops opened"], "the silence has ended");
    assert!(world.alerts.silences().next().is_none());
}

#[test]
fn a_silence_can_be_ended_and_belongs_to_one_thing() {
    let mut world = broken();
    let id = world.open(AlertRule::BreakerOpen).unwrap().id;
    assert_eq!(world.alerts.end_silence(id, "bob"), Err(NoSuchAlert::NotSilenced));
    let until = world.now + minutes(600);
    let told = world.alerts.silence(world.now, id, "alice", "a\u{7}b", until).unwrap();
    world.take(told);
    assert_eq!(&*world.alerts.silences().next().unwrap().why, "a?b");
    world.seen.deployments.push(deployment("p/other", BreakerState::Open, (40, 0, 30)));
    world.pass(minutes(1));
    assert_eq!(world.told(), ["ops opened", "ops opened"], "another model is another thing");
    let told = world.alerts.end_silence(id, "bob").unwrap();
    world.take(told);
    world.pass(minutes(15));
    assert_eq!(world.told(), ["pager escalated-1-1", "pager escalated-1-1"]);
}

#[test]
fn a_rule_that_the_config_silences_is_on_record_and_tells_nobody() {
    let mut world = World::new();
    world.settings.silenced.insert(AlertRule::RunHalted);
    world.seen.runs = vec![run("r")];
    world.pass(minutes(60));
    assert_eq!((world.happened().len(), world.told().len()), (1, 0));
}

#[test]
fn what_comes_and_goes_must_be_quiet_twice_as_long_each_time() {
    let mut world = World::new();
    let mut ended_after = Vec::new();
    for _ in 0..6 {
        world.seen.deployments = vec![deployment("p/m", BreakerState::Open, (20, 0, 14))];
        world.pass(minutes(1));
        world.seen.deployments[0].breaker = BreakerState::Closed;
        let mut waited = 0;
        while world.open(AlertRule::BreakerOpen).is_some() {
            world.pass(minutes(1));
            waited += 1;
        }
        ended_after.push(waited);
    }
    assert_eq!(ended_after, [2, 4, 8, 16, 32, 32]);
}

#[test]
fn reminders_come_where_they_are_asked_for() {
    let mut world = World::new();
    world.settings.repeat = Some(minutes(240));
    world.seen.runs = vec![run("r")];
    world.pass(minutes(500));
    assert_eq!(
        world.told(),
        [
            "ops opened",
            "pager escalated-1-1",
            "ops reminder-1",
            "pager reminder-1",
            "ops reminder-2",
            "pager reminder-2"
        ]
    );
}

#[test]
fn a_calendar_that_is_set_back_ends_and_repeats_nothing() {
    let mut world = broken();
    world.told();
    world.now = crate::world::START;
    world.pass(minutes(5));
    assert_eq!((world.told().len(), world.happened().len()), (0, 1));
}

#[test]
fn a_thousand_halted_runs_are_a_hundred_alerts_and_a_number() {
    let mut world = World::new();
    world.seen.runs = (0..1_000).map(|n| run(&format!("run_{n:04}"))).collect();
    world.pass(minutes(1));
    assert_eq!(world.alerts.open().len(), 100);
    assert_eq!(world.alerts.left_out()[&AlertRule::RunHalted], 900);
    world.seen.runs.drain(..100);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.alerts.left_out()[&AlertRule::RunHalted], 800, "others have their place now");
}
