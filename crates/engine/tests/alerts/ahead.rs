//! What is told of forecasts: by when a ceiling is reached, by when that has to be decided, and what can be done.

use std::sync::Arc;

use weir_engine::alerts::{AlertRule, BudgetAhead, CeilingAhead, Severity};
use weir_units::{Dimension, NanoUsd, WallTime};

use crate::world::{START, World, minutes};

fn days(days: u64) -> WallTime {
    START + minutes(days * 1_440)
}

fn gpt5(first: u64) -> CeilingAhead {
    CeilingAhead {
        pool: "gpt-5".into(),
        dimension: Dimension::InputTokensPerMinute,
        limit: 300_000,
        share_ppm: 1_041_000,
        peak: Some(282_000),
        ahead: Some(312_300),
        dates: [Some(days(first)), Some(days(first + 2)), Some(days(first + 6))],
        decide_by: Some(WallTime(days(first).0 - 10 * 86_400_000_000)),
        options: ["tier upgrade from 3 (+38 pp)", "spill 20 % of route smart (+24 pp)", "a third", "a fourth"]
            .map(Arc::from)
            .to_vec(),
        failover: Some("without openai: anthropic would run at 131 %: failover does not hold".into()),
    }
}

#[test]
fn a_ceiling_ahead_names_its_dates_the_day_to_decide_and_what_each_option_brings() {
    let mut world = World::new();
    world.seen.ceilings = vec![gpt5(6)];
    world.pass(minutes(1));
    assert_eq!(world.happened(), ["opened ceiling-ahead gpt-5 input tokens/min"]);
    let alert = world.open(AlertRule::CeilingAhead).unwrap().clone();
    assert_eq!(
        alert.message.subject,
        "Headroom: gpt-5 input tokens peak at 104.1 %; full by Thu 26 Nov (10 %: Tue 24)"
    );
    assert_eq!(
        alert.message.evidence,
        [
            "the busiest hour of 7 days asked for 282,000 of 300,000 input tokens/min, of the next 7 for 312,300",
            "it is reached by Tue 24 Nov in one future of ten, by Thu 26 Nov in five, by Mon 30 Nov in nine",
            "without openai: anthropic would run at 131 %: failover does not hold",
        ]
    );
    let action = "tier upgrade from 3 (+38 pp); or spill 20 % of route smart (+24 pp); or a third";
    assert_eq!((alert.message.action.as_str(), alert.severity), (action, Severity::Warning));
    assert_eq!(alert.message.decide_by.as_deref(), Some("Sat 14 Nov: 4 days overdue"));
}

#[test]
fn it_is_told_once_more_when_more_could_not_be_there_in_time() {
    let mut world = World::new();
    world.seen.ceilings = vec![gpt5(12)];
    world.look();
    assert_eq!(world.happened(), ["opened ceiling-ahead gpt-5 input tokens/min"]);
    world.seen.ceilings = vec![gpt5(8)];
    world.look();
    assert_eq!(world.happened(), ["worsened ceiling-ahead gpt-5 input tokens/min"], "the median is ten days ahead");
    world.seen.ceilings.clear();
    world.look();
    assert_eq!(world.happened(), ["closed ceiling-ahead gpt-5 input tokens/min"]);
}

#[test]
fn a_day_s_limit_and_a_budget_say_when_they_are_used_up() {
    let mut world = World::new();
    let at = |hours: u64| Some(START + minutes(hours * 60));
    let quota = CeilingAhead {
        pool: "openai".into(),
        dimension: Dimension::RequestsPerDay,
        limit: 10_000,
        share_ppm: 1_300_000,
        dates: [at(2), at(4), None],
        decide_by: at(2),
        options: Vec::new(),
        failover: None,
        ..gpt5(6)
    };
    let budget = BudgetAhead {
        name: "team-a".into(),
        limit: NanoUsd(5_000_000_000_000),
        spent: NanoUsd(3_800_000_000_000),
        expected: NanoUsd(6_100_000_000_000),
        probability_ppm: 920_000,
        dates: [Some(days(3)), Some(days(4)), None],
        unpriced: 38,
    };
    (world.seen.ceilings, world.seen.budgets_ahead) = (vec![quota], vec![budget]);
    world.look();
    let quota = world.open(AlertRule::CeilingAhead).unwrap().message.clone();
    assert_eq!(quota.subject, "Headroom: openai requests/day come to 130 %; used up 18:31 UTC (10 %: 16:31)");
    assert_eq!(quota.decide_by.as_deref(), Some("at 16:31 UTC"));
    let budget = world.open(AlertRule::BudgetAhead).unwrap().message.clone();
    assert_eq!(budget.subject, "Budget team-a: $6,100 of $5,000 expected; used up Sun 22 Nov");
    assert_eq!(
        budget.evidence,
        [
            "$3,800 spent; it does not last the period in 92 % of futures",
            "it is gone by Sat 21 Nov in one future of ten, by Sun 22 Nov in five",
            "38 requests of unknown price are not in it",
        ]
    );
    assert_eq!(budget.decide_by.as_deref(), Some("Sat 21 Nov"));
}
