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
            "tier upgrade from 3: ask a for 150 requests/min | 33 pp | 0",
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
