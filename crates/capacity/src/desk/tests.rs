//! Stories of the desk, with small figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{ChargeModel, DayStart, PoolId};
use weir_ledger::{Demand, DemandRow};
use weir_units::{DeploymentId, Dimension, NanoUsd, Price, Rates, TokenPrice, WallTime};

use super::book::{DAY, HOUR, MINUTE};
use super::*;

/// Wed 18 Nov 2026, 14:47 UTC.
const NOW: WallTime = WallTime(1_795_013_220_000_000);

fn ceiling(pool: &str, dimension: Dimension, limit: u64) -> Ceiling {
    Ceiling {
        pool: PoolId::Provider(pool.into()),
        dimension,
        limit,
        declared: Some(limit),
        stated: None,
        members: Members::Provider(pool.into()),
        charges: BTreeMap::from([(pool.into(), ChargeModel::METERED)]),
        day: DayStart::Utc,
    }
}

fn price(input: u64, output: u64) -> Arc<Price> {
    let rates = Rates {
        input: Some(TokenPrice(input * 1_000_000)),
        output: Some(TokenPrice(output * 1_000_000)),
        ..Rates::default()
    };
    Arc::new(Price { rates, batch_percent: Some(50), ..Price::default() })
}

/// Two providers behind one route: `a/x` first, then `b/y`.
fn fleet(limit_a: u64, limit_b: u64) -> Fleet {
    let deployments = vec![DeploymentId::new("a", "x"), DeploymentId::new("b", "y")];
    let account = Account { tier: Some("3".into()), ..Account::default() };
    Fleet {
        ceilings: vec![
            ceiling("a", Dimension::RequestsPerMinute, limit_a),
            ceiling("b", Dimension::RequestsPerMinute, limit_b),
        ],
        routes: vec![RouteOrder { name: "smart".into(), deployments, balanced: false, critical: false }],
        prices: BTreeMap::from([
            (DeploymentId::new("a", "x"), price(1, 10)),
            (DeploymentId::new("b", "y"), price(2, 20)),
        ]),
        accounts: BTreeMap::from([("a".into(), account), ("b".into(), Account::default())]),
        owner: Some("Platform on-call".into()),
        lead_time: Duration::from_secs(10 * 86_400),
        ..Fleet::default()
    }
}

fn row(deployment: &str, at: WallTime, requests: u64, minutes: u64) -> DemandRow {
    let demand = |requests: u64| Demand { requests, input: 100 * requests, output: 10 * requests, ..Demand::default() };
    DemandRow {
        deployment: deployment.into(),
        at,
        sum: demand(requests * minutes),
        p95: demand(requests),
        peak: demand(requests),
    }
}

/// So many requests in each minute of the last days, at both deployments.
fn hours(a: u64, b: u64, days: i64) -> Vec<DemandRow> {
    let last = NOW.0.div_euclid(HOUR);
    let of = |hour: i64| {
        let at = WallTime(hour * HOUR);
        [row("a/x", at, a, 60), row("b/y", at, b, 60)].into_iter().filter(|row| row.sum.requests > 0)
    };
    (last - days * 24..last).flat_map(of).collect()
}

fn told(fleet: &Fleet, book: &Book, keys: &BTreeMap<String, Vec<KeyUse>>) -> Desk {
    desk(&Known { fleet, book, keys, spending: &[], now: NOW }, &mut Alarms::new())
}

fn book(fleet: &Fleet, hours: &[DemandRow], minutes: &[DemandRow]) -> Book {
    Book::new(fleet, &[], hours, minutes, WallTime(NOW.0.div_euclid(HOUR) * HOUR - 7 * DAY), NOW)
}

fn view<'d>(desk: &'d Desk, name: &str) -> &'d CeilingView {
    desk.ceilings.iter().find(|view| view.name == name).unwrap()
}

#[test]
fn the_peak_is_the_busy_minute_of_the_busiest_hour_of_a_week() {
    let fleet = fleet(100, 100);
    let mut hours = hours(40, 10, 6);
    hours[30].p95.requests = 93;
    let eight_days_ago = WallTime(NOW.0.div_euclid(HOUR) * HOUR - 8 * DAY);
    hours.push(row("a/x", eight_days_ago, 300, 60));
    let desk = told(&fleet, &book(&fleet, &hours, &[]), &BTreeMap::new());
    let a = view(&desk, "a requests/min");
    let peak = a.peak.unwrap();
    assert_eq!((peak.amount, peak.share, peak.at), (93.0, 0.93, hours[30].at));
    assert_eq!(a.peak_of_all.unwrap().share, 3.0, "more than there is, as it was asked for");
    assert!(a.binds && desk.ceilings[0].name == a.name, "the fullest comes first");
    assert_eq!(a.past.len(), 9, "eight days and today");
}

#[test]
fn minutes_of_several_members_are_added_before_the_busy_one_is_sought() {
    let fleet = fleet(100, 100);
    let hour = WallTime(NOW.0.div_euclid(HOUR) * HOUR - HOUR);
    // Two models of one account that are busy in different halves of the hour.
    let minute = |n: i64| {
        let deployment = if n < 30 { "a/x" } else { "a/z" };
        row(deployment, WallTime(hour.0 + n * MINUTE), 80, 1)
    };
    let minutes: Vec<DemandRow> = (0..60).map(minute).collect();
    let hours = [row("a/x", hour, 40, 60), row("a/z", hour, 40, 60)];
    let apart = told(&fleet, &book(&fleet, &hours, &minutes), &BTreeMap::new());
    assert_eq!(view(&apart, "a requests/min").peak.unwrap().amount, 80.0);
    let last = WallTime(NOW.0.div_euclid(MINUTE) * MINUTE - MINUTE);
    let now = told(&fleet, &book(&fleet, &[], &[row("a/x", last, 7, 1), row("a/z", last, 5, 1)]), &BTreeMap::new());
    assert_eq!(view(&now, "a requests/min").now, Use { amount: 12.0, share: 0.12 });
}

#[test]
fn spreads_of_members_add_up_as_if_they_moved_independently() {
    let fleet = fleet(1_000, 1_000);
    let hour = WallTime(NOW.0.div_euclid(HOUR) * HOUR - HOUR);
    let mut rows = [row("a/x", hour, 100, 60), row("a/z", hour, 100, 60)];
    (rows[0].p95.requests, rows[1].p95.requests) = (130, 140);
    let desk = told(&fleet, &book(&fleet, &rows, &[]), &BTreeMap::new());
    assert_eq!(view(&desk, "a requests/min").peak.unwrap().amount, 250.0, "200, and the root of 30² and 40²");
}

#[test]
fn a_day_limit_counts_its_own_days() {
    let mut fleet = fleet(100, 100);
    fleet.ceilings = vec![ceiling("a", Dimension::TokensPerDay, 10_000_000)];
    let desk = told(&fleet, &book(&fleet, &hours(40, 0, 6), &[]), &BTreeMap::new());
    let a = view(&desk, "a tokens/day");
    // 110 tokens a request, 40 a minute: 264,000 an hour, 14 whole hours today.
    assert_eq!((a.now.amount, a.peak.unwrap().amount), (14.0 * 264_000.0, 24.0 * 264_000.0));
    assert_eq!((a.per.as_str(), a.past.len()), ("day", 6), "today is not over");
}

#[test]
fn without_a_provider_its_requests_go_to_the_next_of_the_route() {
    let small = fleet(100, 60);
    let desk = told(&small, &book(&small, &hours(40, 30, 6), &[]), &BTreeMap::new());
    let words: Vec<&str> = desk.failover.iter().map(|one| one.words.as_str()).collect();
    assert_eq!(
        words,
        [
            "without a: b requests/min would run at 117 %: failover does not hold",
            "without b: a requests/min would run at 70 %: failover holds",
        ]
    );
    assert_eq!(desk.failover[0].holds, Some(false));
    let mut alone = fleet(100, 100);
    alone.routes[0].deployments.truncate(1);
    let desk = told(&alone, &book(&alone, &hours(40, 0, 6), &[]), &BTreeMap::new());
    assert_eq!(desk.failover[0].words, "without a: nothing else serves its requests, so failover does not hold");
    let mut unknown = fleet(100, 100);
    unknown.ceilings.truncate(1);
    let desk = told(&unknown, &book(&unknown, &hours(40, 0, 6), &[]), &BTreeMap::new());
    let words = "without a: b would serve, and no limit of it is known: declare its limits to see";
    assert_eq!((desk.failover[0].words.as_str(), desk.failover[0].holds), (words, None));
}

#[test]
fn requests_of_a_route_without_a_second_provider_are_stranded() {
    let mut fleet = fleet(100, 100);
    let deployments = vec![DeploymentId::new("a", "x")];
    fleet.routes.push(RouteOrder { name: "small".into(), deployments, balanced: false, critical: false });
    let traffic =
        |route: &str, requests| Traffic { route: route.into(), deployment: DeploymentId::new("a", "x"), requests };
    let traffic = [traffic("smart", 75), traffic("small", 25)];
    let book = Book::new(&fleet, &traffic, &hours(40, 10, 6), &[], WallTime(NOW.0 - 7 * DAY), NOW);
    let desk = told(&fleet, &book, &BTreeMap::new());
    assert_eq!(
        desk.failover[0].words,
        "without a: 25 % of its requests have no other provider, and b requests/min would run at 40 %: failover does not hold"
    );
}

#[test]
fn each_option_says_what_it_brings_and_costs() {
    let mut fleet = fleet(100, 200);
    fleet.batch_keys = ["nightly-eval".into()].into();
    let key = |key: &str, share| KeyUse { key: key.into(), share, cost: Some(NanoUsd(7_000_000_000)) };
    let keys = BTreeMap::from([("a requests/min".to_owned(), vec![key("shop", 0.7), key("nightly-eval", 0.3)])]);
    let desk = told(&fleet, &book(&fleet, &hours(100, 10, 7), &[]), &keys);
    let a = view(&desk, "a requests/min");
    let said: Vec<String> = a
        .options
        .iter()
        .map(|one| {
            let cost = one.cost_per_month_usd.map_or("—".to_owned(), |cost| cost.to_string());
            format!("{} | {:.0} pp | {cost}", one.what, one.gain * 100.0)
        })
        .collect();
    // A request of 100 input and 10 output tokens is $0.0002 at a and $0.0004 at b; a fifth of 144,000 a day moves.
    assert_eq!(
        said,
        [
            "upgrade from tier 3: ask a for 150 requests/min | 33 pp | 0",
            "move nightly-eval to the provider's batch API | 30 pp | -15",
            "spill 20 % of route smart to b/y | 20 pp | 172.8",
        ]
    );
}

#[test]
fn what_is_unknown_of_an_option_is_said_and_a_full_target_is_none() {
    let fleet = fleet(100, 100);
    let keys =
        BTreeMap::from([("a requests/min".to_owned(), vec![KeyUse { key: "shop".into(), share: 0.7, cost: None }])]);
    let desk = told(&fleet, &book(&fleet, &hours(100, 90, 7), &[]), &keys);
    assert_eq!(
        view(&desk, "a requests/min").unknown_options,
        [
            "routing: route smart could spill to b/y, but b requests/min is at 90 %",
            "batch work: no key has priority = \"batch\", so what could wait is unknown; key shop asks for 70 % of it",
        ]
    );
    let mut alone = fleet;
    alone.routes[0].deployments.truncate(1);
    let desk = told(&alone, &book(&alone, &hours(100, 0, 7), &[]), &BTreeMap::new());
    let second = view(&desk, "a requests/min").options.iter().find(|one| one.kind == "second-provider").unwrap();
    assert_eq!((second.what.as_str(), second.gain), ("add a second provider to route smart and send it half", 0.5));
    assert_eq!(second.cost_per_month_usd, None, "a price that nobody knows is no price of zero");
}

#[test]
fn nothing_asked_for_is_no_fault_and_no_figure() {
    let fleet = fleet(100, 0);
    let desk = told(&fleet, &book(&fleet, &[], &[]), &BTreeMap::new());
    let a = view(&desk, "a requests/min");
    assert_eq!((a.peak, a.busiest, a.exhaustion, a.alarms), (None, None, None, false));
    assert_eq!(a.no_forecast.as_deref(), Some("nothing has been asked for yet"));
    assert!(a.options.is_empty() && desk.failover.is_empty());
    let json = serde_json::to_string(&desk).unwrap();
    assert_eq!(serde_json::from_str::<Desk>(&json).unwrap(), desk, "what is written is read again");
}

/// Hours of five weeks at `a/x`, by day and by hour of the day.
fn shaped(level: impl Fn(f64) -> f64) -> Vec<DemandRow> {
    let last = NOW.0.div_euclid(HOUR);
    let of = |hour: i64| {
        let at = WallTime(hour * HOUR);
        let of_day = 0.7 - 0.3 * (hour as f64 / 24.0 * std::f64::consts::TAU).cos();
        // A little noise that is the same each time.
        let noise = 1.0 + ((hour.wrapping_mul(2_654_435_761) % 1_000) as f64 / 1_000.0 - 0.5) * 0.06;
        row("a/x", at, (level((hour - last) as f64 / 24.0) * of_day * noise).round().max(0.0) as u64, 60)
    };
    (last - 35 * 24..last).map(of).collect()
}

#[test]
fn growth_is_told_before_it_reaches_the_limit_with_the_day_to_decide() {
    let fleet = fleet(1_000, 2_000);
    let desk = told(&fleet, &book(&fleet, &shaped(|day| 800.0 * 1.015_f64.powf(day)), &[]), &BTreeMap::new());
    let a = view(&desk, "a requests/min");
    assert!((0.75..0.86).contains(&a.peak.unwrap().share), "{:?}", a.peak);
    assert!(a.busiest.unwrap().share > a.peak.unwrap().share, "{:?}", a.busiest);
    let found = a.exhaustion.unwrap();
    // At the top of the day 800 grow to 1,000 within fifteen days.
    let days = |at: Option<WallTime>| (at.unwrap().0 - NOW.0) as f64 / DAY as f64;
    assert!((9.0..19.0).contains(&days(found.p50)) && found.p10 <= found.p50, "{found:?}");
    assert!(a.alarms && a.decide_by == found.p10.map(|at| WallTime(at.0 - 10 * DAY)));
    assert_eq!(desk.headline(&fleet.zone).0, Urgency::Decide);
    assert!(desk.headline(&fleet.zone).1.contains("Owner: Platform on-call."));
    assert!((a.model.as_ref().unwrap().growth_per_day.unwrap() - 0.015).abs() < 0.006, "{:?}", a.model);
    assert!(a.ahead.len() > 20 && a.hours.len() == 14 * 24, "{} {}", a.ahead.len(), a.hours.len());
}

#[test]
fn flat_demand_at_four_fifths_is_no_alarm() {
    let fleet = fleet(1_000, 2_000);
    let desk = told(&fleet, &book(&fleet, &shaped(|_| 800.0), &[]), &BTreeMap::new());
    let a = view(&desk, "a requests/min");
    assert!(!a.alarms && a.peak.unwrap().share > 0.75, "{:?}", a.exhaustion);
}

#[test]
fn a_short_history_does_not_lay_the_weekends_bursts_upon_working_days() {
    let fleet = fleet(100, 2_000);
    // Fri 20 Nov 2026, after a week and a half.
    let now = WallTime(NOW.0.div_euclid(DAY) * DAY + 2 * DAY);
    let last = now.0.div_euclid(HOUR);
    // Ten a minute, twelve in the busy one; at the weekend one, and four in the busy one.
    let of = |hour: i64| {
        let weekend = [5, 4].contains(&(last.div_euclid(24) - 1 - hour.div_euclid(24)));
        let (mean, busy) = if weekend { (1, 4) } else { (10, 12) };
        let mut row = row("a/x", WallTime(hour * HOUR), mean, 60);
        row.p95.requests = busy;
        row
    };
    let hours: Vec<DemandRow> = (last - 11 * 24..last).map(of).collect();
    let book = Book::new(&fleet, &[], &hours, &[], WallTime(now.0 - 7 * DAY), now);
    let keys = BTreeMap::new();
    let desk = desk(&Known { fleet: &fleet, book: &book, keys: &keys, spending: &[], now }, &mut Alarms::new());
    let a = view(&desk, "a requests/min");
    assert!(a.no_forecast.as_deref().is_some_and(|why| why.starts_with("11 of 14 days")), "{:?}", a.no_forecast);
    let share = a.busiest.unwrap().share;
    assert!((0.10..0.20).contains(&share), "{share}");
}

#[test]
fn a_day_limit_that_is_used_up_each_day_says_when_that_is_today() {
    let mut fleet = fleet(100, 100);
    // 110 tokens a request, 1,000 a minute on average at seven tenths: 110 million a day, of which there are 90.
    fleet.ceilings = vec![ceiling("a", Dimension::TokensPerDay, 90_000_000)];
    let desk = told(&fleet, &book(&fleet, &shaped(|_| 1_000.0), &[]), &BTreeMap::new());
    let a = view(&desk, "a tokens/day");
    let today = a.days[0];
    assert!(today.probability > 0.9 && today.p50.unwrap() < today.resets, "{today:?}");
    assert!(today.p50.unwrap() > NOW, "{today:?}");
    assert!(a.alarms && a.busiest.unwrap().share > 1.1, "{:?}", a.busiest);
    let words = desk.headline(&fleet.zone).1;
    assert!(words.starts_with("a tokens/day reach 90M a day at "), "{words}");
    let enough = ceiling("a", Dimension::TokensPerDay, 200_000_000);
    fleet.ceilings = vec![enough];
    let desk = told(&fleet, &book(&fleet, &shaped(|_| 1_000.0), &[]), &BTreeMap::new());
    assert!(!view(&desk, "a tokens/day").alarms);
}

#[test]
fn a_budget_that_does_not_last_its_month_says_by_when_it_is_gone() {
    let mut fleet = fleet(100, 100);
    let limit = NanoUsd(400_000_000_000);
    fleet.budgets = vec![BudgetCeiling {
        name: "team-a".into(),
        limit,
        period: weir_engine::Period::Month,
        payer: Default::default(),
    }];
    // A dollar an hour, five weeks long; 17 days and 14 hours of this month are over.
    let hours = vec![NanoUsd(1_000_000_000); 35 * 24];
    let spending = [Spending {
        name: "team-a".into(),
        start: WallTime(NOW.0.div_euclid(HOUR) * HOUR - 35 * DAY),
        hours,
        spent: NanoUsd(350_000_000_000),
        unpriced: 3,
    }];
    let book = book(&fleet, &[], &[]);
    let known = Known { fleet: &fleet, book: &book, keys: &BTreeMap::new(), spending: &spending, now: NOW };
    let budget = &desk(&known, &mut Alarms::new()).budgets[0];
    let end = budget.period_end.unwrap();
    assert!(end.probability > 0.9, "{end:?}");
    let hours = (end.p50.unwrap().0 - NOW.0) as f64 / HOUR as f64;
    assert!((45.0..56.0).contains(&hours), "50 dollars at a dollar an hour: {hours}");
    assert_eq!((budget.unpriced, budget.decide_by), (3, end.p10));
    let unpriced = [Spending { hours: vec![NanoUsd(0); 35 * 24], spent: NanoUsd(0), ..spending[0].clone() }];
    let budget = &desk(&Known { spending: &unpriced, ..known }, &mut Alarms::new()).budgets[0];
    assert_eq!(budget.no_forecast.as_deref(), Some("what was asked for has no known price"));
}
