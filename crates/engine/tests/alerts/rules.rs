//! What each rule takes for an alert, what it says, and when that ends.

use std::time::Duration;

use weir_engine::alerts::{AlertRule, LedgerSeen, LimitDeclared, LimitMoved, NotifierSeen, Severity};
use weir_engine::{BreakerState, Period};
use weir_units::{Dimension, FaultClass, NanoUsd};

use crate::world::{START, World, budget, deployment, limit, minutes, run};

#[test]
fn a_breaker_that_opens_is_one_alert_until_it_has_been_closed_for_a_while() {
    let mut world = World::new();
    world.seen.deployments = vec![deployment("openai/gpt-5-mini", BreakerState::Closed, (6, 0, 0))];
    world.look();
    world.seen.deployments = vec![deployment("openai/gpt-5-mini", BreakerState::Open, (26, 0, 14))];
    world.pass(minutes(20) + Duration::from_secs(5));
    assert_eq!(world.happened(), ["opened breaker-open openai/gpt-5-mini"]);
    let alert = world.open(AlertRule::BreakerOpen).unwrap().clone();
    assert_eq!(alert.message.subject, "Breaker open: openai/gpt-5-mini since 14:31 UTC; anthropic serves route chat");
    assert_eq!((alert.severity, alert.peak.as_str()), (Severity::Error, "14 of 26 attempts failed in 5 min"));
    assert!(alert.message.action.starts_with("look at the status page of openai"));
    world.seen.deployments[0].breaker = BreakerState::HalfOpen;
    world.pass(minutes(1));
    world.seen.deployments[0].breaker = BreakerState::Closed;
    world.pass(Duration::from_secs(115));
    assert_eq!(world.happened(), Vec::<String>::new(), "two minutes of quiet are not over");
    world.pass(Duration::from_secs(5));
    assert_eq!(world.happened(), ["closed breaker-open openai/gpt-5-mini"]);
    let closed = world.alerts.ended().next().unwrap().closed.clone().unwrap();
    assert_eq!(closed.lasted, minutes(21));
    let words =
        "Resolved after 21 min: the breaker of openai/gpt-5-mini is closed; peak 14 of 26 attempts failed in 5 min";
    assert_eq!(closed.words, words);
}

#[test]
fn a_share_of_429s_is_counted_over_the_window_and_needs_enough_attempts() {
    let mut world = World::new();
    world.seen.limits = vec![limit(Dimension::TokensPerMinute, 1, 300)];
    world.seen.deployments = vec![deployment("openai/a", BreakerState::Closed, (19, 19, 0))];
    world.look();
    assert_eq!(world.happened(), Vec::<String>::new(), "19 attempts are no share");
    world.seen.deployments = vec![
        deployment("openai/a", BreakerState::Closed, (900, 28, 0)),
        deployment("openai/b", BreakerState::Closed, (100, 3, 0)),
    ];
    world.look();
    assert_eq!(world.happened(), ["opened throttled openai"]);
    assert_eq!(world.subject(AlertRule::Throttled), "429s: openai refuses 3.1 % of attempts since 14:31 UTC");
    let evidence = &world.open(AlertRule::Throttled).unwrap().message.evidence;
    assert_eq!(evidence, &["31 of 1,000 attempts were answered with 429 in the last 5 min"]);
    world.pass(minutes(8));
    assert_eq!(world.happened(), ["closed throttled openai"], "the window has passed, and two minutes");
}

#[test]
fn a_provider_is_down_when_nothing_was_answered_for_a_while_and_up_at_the_first_answer() {
    let mut world = World::new();
    world.seen.deployments = vec![deployment("openai/a", BreakerState::Closed, (100, 0, 3))];
    world.look();
    world.seen.deployments[0].attempts.all = 314;
    world.seen.deployments[0].attempts.failed = 217;
    world.pass(minutes(5));
    assert_eq!(world.happened(), ["opened provider-down openai"]);
    world.pass(Duration::from_secs(5));
    let alert = world.open(AlertRule::ProviderDown).unwrap();
    assert_eq!(alert.severity, Severity::Critical);
    assert_eq!(alert.message.subject, "Provider down: openai answered 0 of 214 attempts in 5 min");
    assert_eq!(alert.message.evidence[1], "anthropic serves route chat");
    world.seen.deployments[0].attempts.all = 315;
    world.pass(minutes(3));
    assert_eq!(world.happened(), ["closed provider-down openai"]);
}

#[test]
fn a_limit_is_warned_of_before_it_is_reached_where_its_use_rises_steadily() {
    let mut world = World::new();
    // 2,000 more each minute from 150,000 on: 240,000 of 300,000 after 45 minutes, full half an hour later.
    let mut opened_at = None;
    for minute in 0..45_u64 {
        world.seen.limits = vec![limit(Dimension::InputTokensPerMinute, 150_000 + minute * 2_000, 300_000)];
        world.pass(minutes(1));
        if opened_at.is_none() && !world.happened().is_empty() {
            opened_at = Some(minute);
        }
    }
    assert_eq!(opened_at, Some(15), "an hour ahead, and no earlier");
    let subject = world.subject(AlertRule::Headroom);
    assert!(subject.starts_with("Headroom: gpt-5 input tokens/min at 79.3 % of 300k; full at 15:4"), "{subject}");
    world.seen.limits = vec![limit(Dimension::InputTokensPerMinute, 312_000, 300_000)];
    world.seen.limits[0].waiting = 12;
    world.pass(Duration::from_secs(5));
    assert_eq!(world.happened(), ["worsened headroom gpt-5 input tokens/min"]);
    let alert = world.open(AlertRule::Headroom).unwrap();
    assert_eq!(alert.message.subject, "Headroom: gpt-5 input tokens/min at 104 % of 300k");
    assert_eq!(alert.message.evidence[1], "12 requests waiting for it");
    world.seen.limits = vec![limit(Dimension::InputTokensPerMinute, 10_000, 300_000)];
    world.pass(minutes(10));
    assert_eq!(world.happened(), ["closed headroom gpt-5 input tokens/min"]);
}

#[test]
fn a_use_that_jumps_about_has_no_trend() {
    let mut world = World::new();
    for minute in 0..120_u64 {
        let used = if minute % 2 == 0 { 260_000 } else { 40_000 };
        world.seen.limits = vec![limit(Dimension::InputTokensPerMinute, used, 300_000)];
        world.pass(minutes(1));
    }
    assert_eq!(world.happened(), Vec::<String>::new());
}

#[test]
fn a_days_limit_is_warned_of_when_the_day_outlasts_it() {
    let mut world = World::new();
    for minute in 0..60_u64 {
        // 60 % at first, 0.1 % more each minute: full long before the five hours are over.
        let mut seen = limit(Dimension::RequestsPerDay, 6_000 + minute * 20, 10_000);
        seen.reset = minutes(300 - minute);
        world.seen.limits = vec![seen];
        world.pass(minutes(1));
    }
    assert_eq!(world.happened(), ["opened headroom gpt-5 requests/day"]);
    let alert = world.open(AlertRule::Headroom).unwrap();
    assert_eq!(alert.message.evidence[1], "it begins anew at 19:32 UTC");
    assert_eq!(alert.message.decide_by.as_deref(), Some("now"), "more takes ten days, so it is late already");
}

#[test]
fn a_budget_is_told_of_at_each_of_its_thresholds_and_once() {
    let mut world = World::new();
    for (spent, happened) in [
        ("2400.00", vec![]),
        ("2500.00", vec!["opened budget-warn team-a"]),
        ("3000.00", vec![]),
        ("4000.01", vec!["worsened budget-warn team-a"]),
    ] {
        world.seen.budgets = vec![budget("team-a", Period::Month, spent, "5000")];
        world.look();
        let about_it: Vec<String> = world.happened().into_iter().filter(|w| w.contains("budget-warn")).collect();
        assert_eq!(about_it, happened, "{spent}");
    }
    assert_eq!(
        world.subject(AlertRule::BudgetWarn),
        "Budget team-a: 80 % of $5,000 spent; used up Mon 23 Nov at this rate"
    );
    world.seen.budgets = vec![budget("team-a", Period::Month, "5000.5", "5000")];
    world.look();
    let alert = world.open(AlertRule::BudgetWarn).unwrap();
    assert_eq!(alert.message.subject, "Budget team-a: all of $5,000 is spent; its requests are refused");
    assert_eq!((alert.severity, alert.step), (Severity::Error, 3));
    world.happened();
    world.seen.budgets[0].spent = NanoUsd::ZERO;
    world.look();
    assert!(world.happened().contains(&"closed budget-warn team-a".to_owned()), "a new period ends it");
}

#[test]
fn a_burn_needs_both_windows_and_ends_soon_after_its_cause() {
    let mut world = World::new();
    // A month's even pace of $7,200 is $10 an hour; $2.40 a minute is 14.4 times that.
    let mut spent = 100.0;
    let mut opened = None;
    for minute in 0..70_u64 {
        world.seen.budgets = vec![budget("team-a", Period::Month, &format!("{spent:.2}"), "7200")];
        world.pass(minutes(1));
        spent += 2.5;
        let severity = world.open(AlertRule::BurnRate).map(|alert| alert.severity);
        if opened.is_none() && severity == Some(Severity::Error) {
            opened = Some(minute);
        }
    }
    assert!(opened.is_some_and(|minute| (56..=59).contains(&minute)), "$144 are spent in an hour: {opened:?}");
    let subject = world.subject(AlertRule::BurnRate);
    assert!(subject.starts_with("Burn: team-a spends 15.0 times its plan; $7,200 is gone Fri 20 Nov"), "{subject}");
    world.happened();
    world.pass(minutes(10));
    assert_eq!(world.happened(), ["closed burn-rate team-a"], "the short window is empty, though the long one is not");
}

#[test]
fn one_dear_minute_is_no_burn() {
    let mut world = World::new();
    world.seen.budgets = vec![budget("team-a", Period::Month, "100", "7200")];
    world.pass(minutes(10));
    world.seen.budgets = vec![budget("team-a", Period::Month, "120", "7200")];
    world.pass(minutes(90));
    assert_eq!(world.happened(), Vec::<String>::new());
}

#[test]
fn a_halted_run_is_an_alert_until_it_is_released() {
    let mut world = World::new();
    world.seen.runs = vec![run("run_42")];
    world.pass(minutes(2));
    assert_eq!(world.happened(), ["opened run-halted shop/run_42"]);
    assert_eq!(world.subject(AlertRule::RunHalted), "Run halted: run_42 of shop ($61.20): `search` was called 5 times");
    world.seen.runs.clear();
    world.look();
    assert_eq!(world.happened(), ["closed run-halted shop/run_42"], "a release ends it at once");
    world.seen.runs = vec![run("$(reboot)")];
    world.look();
    let action = &world.open(AlertRule::RunHalted).unwrap().message.action;
    assert!(!action.contains("reboot"), "{action}");
}

#[test]
fn a_refused_credential_is_told_with_what_was_answered() {
    let mut world = World::new();
    let mut one = deployment("openai/a", BreakerState::Closed, (5, 0, 0));
    (one.refused, one.instead) = (Some(FaultClass::Unauthorized), Some(("chat".into(), None)));
    world.seen.deployments = vec![one];
    world.look();
    assert_eq!(world.subject(AlertRule::CredentialRefused), "Credential refused: openai answers 401 since 14:31 UTC");
    let message = &world.open(AlertRule::CredentialRefused).unwrap().message;
    assert_eq!(message.evidence[1], "nothing else serves route chat");
    assert_eq!(message.action, "put a working key where `[providers.openai] api-key` points, and reload");
}

#[test]
fn a_limit_that_falls_is_an_alert_for_a_day_or_until_it_rises() {
    let mut world = World::new();
    let moved = |old, new| LimitMoved {
        pool: "gpt-5".into(),
        dimension: Dimension::InputTokensPerMinute,
        old,
        new,
        how: "the provider's headers say so".into(),
    };
    world.seen.moved = vec![moved(300_000, 500_000)];
    world.look();
    assert_eq!(world.happened(), Vec::<String>::new(), "more is no alert");
    world.seen.moved = vec![moved(500_000, 300_000)];
    world.look();
    let subject = "Limit changed: gpt-5 input tokens/min 500k to 300k: the provider's headers say so";
    assert_eq!(world.subject(AlertRule::LimitChanged), subject.chars().take(79).collect::<String>() + "…");
    world.pass(minutes(60));
    world.seen.moved = vec![moved(300_000, 500_000)];
    world.look();
    assert_eq!(world.happened().len(), 2, "opened and closed");
    world.now = world.now + minutes(120);
    world.seen.moved = vec![moved(500_000, 400_000)];
    world.look();
    world.now = world.now + minutes(1_440);
    world.look();
    assert_eq!(world.happened().len(), 2, "a day is enough");
}

#[test]
fn a_ledger_that_is_behind_or_loses_rows_is_told_with_figures() {
    let mut world = World::new();
    world.seen.ledger = LedgerSeen {
        waiting: 41_200,
        lost: 0,
        failing_since: Some(START),
        why: Some("database or disk is full".into()),
    };
    world.now = START + Duration::from_secs(38);
    world.look();
    let subject = "Ledger behind: 41.2k facts (38 s) wait to be written; serving goes on";
    assert_eq!(world.subject(AlertRule::LedgerBehind), subject);
    world.seen.ledger.lost = 12;
    world.look();
    assert_eq!(world.open(AlertRule::LedgerBehind).unwrap().severity, Severity::Critical);
    assert_eq!(world.subject(AlertRule::LedgerBehind), "Ledger loses records: 12 are nowhere; serving goes on");
    world.seen.ledger = LedgerSeen { lost: 12, ..LedgerSeen::default() };
    world.pass(minutes(8));
    assert_eq!(world.open(AlertRule::LedgerBehind), None, "what was lost stays lost, and is told once");
}

#[test]
fn a_notifier_that_takes_nothing_is_an_alert_of_its_own() {
    let mut world = World::new();
    world.seen.notifiers = vec![NotifierSeen {
        name: "ops".into(),
        failing_since: Some(START),
        why: "it answered 500".into(),
        waiting: 3,
    }];
    world.look();
    assert_eq!(world.subject(AlertRule::DeliveryFailing), "Notifier down: ops takes no message since 14:31 UTC");
    world.seen.notifiers[0].failing_since = None;
    world.look();
    assert_eq!(world.happened(), ["opened delivery-failing ops", "closed delivery-failing ops"]);
}

#[test]
fn a_limit_that_is_declared_otherwise_than_its_provider_states_is_told_until_both_are_equal() {
    let mut world = World::new();
    let both = |declared, stated| LimitDeclared {
        pool: "gpt-5".into(),
        by: "openai".into(),
        dimension: Dimension::TokensPerMinute,
        declared,
        stated,
    };
    world.seen.compared = vec![both(500_000, 500_000)];
    world.look();
    assert_eq!(world.happened(), Vec::<String>::new());
    world.seen.compared = vec![both(500_000, 300_000)];
    world.look();
    let subject = "Limit drift: gpt-5 tokens/min: declared 500k, openai's headers say 300k";
    assert_eq!(world.subject(AlertRule::LimitChanged), subject);
    let alert = world.open(AlertRule::LimitChanged).unwrap();
    assert_eq!(alert.severity, Severity::Warning);
    assert_eq!(alert.message.action, "ask openai whether 300,000 is meant; if it is, declare 300,000 in weir.toml");
    world.pass(minutes(2_000));
    assert_eq!(world.happened(), ["opened limit-changed gpt-5 tokens/min"], "it stays for as long as they differ");
    world.seen.compared = vec![both(300_000, 300_000)];
    world.look();
    assert_eq!(world.happened(), ["closed limit-changed gpt-5 tokens/min"]);
    world.seen.compared = vec![both(300_000, 600_000)];
    world.look();
    let alert = world.open(AlertRule::LimitChanged).unwrap();
    assert_eq!(alert.severity, Severity::Info, "more than is declared refuses nobody");
    assert_eq!(alert.message.action, "declare 600,000 in weir.toml to use all of it, or silence this if less is meant");
}
