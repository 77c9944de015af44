//! Sums of what was spent, beside sums made the simple way from the same entries; and keys made at run time.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests make up entries of their own")]
mod common;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use both::on_both;
use common::{START, intent};
use home::Home;
use weir_ledger::{
    Attempt, Entry, Event, Fact, FormerSecret, KeyRecord, Options, Outcome, SpendBy, SpendError, SpendQuery, Stage,
    Sums, open,
};
use weir_units::{NanoUsd, Tokens, Usage, WallTime};

on_both! {
    sums_are_those_of_the_entries_whatever_is_told_apart,
    sums_of_amounts_without_measure_do_not_overflow,
    of_nothing_the_sum_is_nothing_and_who_cannot_wait_is_told_so,
    a_key_is_on_disk_with_its_fact_when_it_is_said_to_be,
    keys_that_ended_go_with_the_retention_but_the_last_one_stays,
}

const DAY: i64 = 86_400_000_000;

fn all(by: &[SpendBy], top: u32) -> SpendQuery {
    SpendQuery { by: by.to_vec(), since: WallTime(0), until: WallTime(i64::MAX), tenant: None, top }
}

/// Numbers that look random and are the same each time (an LCG of Knuth's, the high bits).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// An ended request of whatever kind: never sent, one attempt, several at one deployment or at more, with costs that are known,
/// estimated or unknown.
fn made_up(n: u64, draw: &mut Draw) -> Entry {
    let mut intent = intent(n);
    intent.started_at = WallTime(START + DAY / 3 * n.cast_signed() % (3 * DAY));
    intent.id = weir_units::RequestId::new(intent.started_at.millis(), u128::from(n));
    intent.key = (draw.below(4) > 0).then(|| format!("key-{}", draw.below(3)).into());
    intent.tenant = Some(format!("tenant-{}", draw.below(2)).into());
    intent.run = (draw.below(2) > 0).then(|| format!("run \u{1b}[2J'\"; -- {}", draw.below(3)).into());
    let outcome = [Outcome::Answered, Outcome::Failed, Outcome::Cancelled][draw.below(3) as usize];
    let mut entry = Entry::of(intent, outcome);
    for _ in 0..draw.below(5) {
        let deployment = ["a/m", "b/m", "b/x/y"][draw.below(if n.is_multiple_of(2) { 1 } else { 3 }) as usize];
        let cost = [None, Some(0), Some(1), Some(999_999_999), Some(7_000_000_123), Some(20_000_000_000)];
        let cost = cost[draw.below(6) as usize].map(NanoUsd);
        let usage = Usage {
            input: Tokens(draw.below(5_000)),
            cached_input: Tokens(draw.below(500)),
            output: Tokens(draw.below(900)),
            reasoning: Tokens(draw.below(90)),
            ..Usage::default()
        };
        entry.attempts.push(Attempt {
            deployment: deployment.into(),
            status: None,
            class: None,
            message: None,
            upstream_id: None,
            started_at: entry.started_at,
            ended_at: entry.started_at,
            usage: (draw.below(3) > 0).then_some(usage),
            cost_usd: cost,
            cost_estimated: cost.is_some() && draw.below(3) == 0,
        });
    }
    entry.sum_costs();
    entry
}

/// The sums of all that have the same names, the simple way.
fn added_up(entries: &[Entry], by: &[SpendBy]) -> (BTreeMap<Vec<Option<String>>, Sums>, Sums) {
    let (mut groups, mut total) = (BTreeMap::<Vec<Option<String>>, Sums>::new(), Sums::default());
    for entry in entries {
        let (mut seen, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        let parts: Vec<Option<&Attempt>> =
            if entry.attempts.is_empty() { vec![None] } else { entry.attempts.iter().map(Some).collect() };
        for part in parts {
            let names: Vec<Option<String>> = by.iter().map(|by| name(*by, entry, part)).collect();
            let sums = groups.entry(names.clone()).or_default();
            let once = total.requests;
            for sums in [&mut *sums, &mut total] {
                add(sums, part);
            }
            total.requests = once + u64::from(seen.is_empty());
            sums.requests += u64::from(seen.insert(names.clone()));
            if part.map_or(entry.cost_usd, |part| part.cost_usd).is_none() {
                total.unknown += u64::from(unknown.is_empty());
                sums.unknown += u64::from(unknown.insert(names));
            }
        }
    }
    (groups, total)
}

fn name(by: SpendBy, entry: &Entry, part: Option<&Attempt>) -> Option<String> {
    let deployment = part.map(|part| part.deployment.to_string());
    match by {
        SpendBy::Key => entry.key.as_deref().map(str::to_owned),
        SpendBy::Tenant => entry.tenant.as_deref().map(str::to_owned),
        SpendBy::Route => entry.route.as_deref().map(str::to_owned),
        SpendBy::Run => entry.run.as_deref().map(str::to_owned),
        SpendBy::Outcome => Some(entry.outcome.name().to_owned()),
        SpendBy::Day => Some(entry.started_at.to_string()[..10].to_owned()),
        SpendBy::Deployment => deployment,
        SpendBy::Provider => deployment.map(|d| d.split_once('/').unwrap().0.to_owned()),
        SpendBy::Model => deployment.map(|d| d.split_once('/').unwrap().1.to_owned()),
    }
}

fn add(sums: &mut Sums, part: Option<&Attempt>) {
    let Some(part) = part else { return };
    sums.attempts += 1;
    sums.cost += part.cost_usd.unwrap_or_default();
    if part.cost_estimated {
        sums.estimated += part.cost_usd.unwrap_or_default();
    }
    match part.usage {
        Some(usage) => {
            sums.input += usage.input.0;
            sums.cached_input += usage.cached_input.0;
            sums.output += usage.output.0;
            sums.reasoning += usage.reasoning.0;
        }
        None => sums.unreported += u64::from(part.cost_usd != Some(NanoUsd::ZERO)),
    }
}

async fn sums_are_those_of_the_entries_whatever_is_told_apart(home: Home) {
    let ledger = home.open().await;
    let mut draw = Draw(7);
    let entries: Vec<Entry> = (0..600).map(|n| made_up(n, &mut draw)).collect();
    for entry in &entries {
        ledger.settle(Box::new(entry.clone()));
    }
    // What still runs has cost nothing yet that anybody knows.
    ledger.intent(intent(10_000));
    ledger.flush().await;
    for counted in [false, true] {
        if counted {
            ledger.roll().await;
        }
        check(&home, &ledger, &entries).await;
    }
}

async fn check(home: &Home, ledger: &weir_ledger::Ledger, entries: &[Entry]) {
    let mut asked: Vec<Vec<SpendBy>> = SpendBy::ALL.iter().map(|by| vec![*by]).collect();
    asked.extend([
        vec![],
        vec![SpendBy::Key, SpendBy::Model, SpendBy::Run],
        vec![SpendBy::Provider, SpendBy::Day],
        vec![SpendBy::Run, SpendBy::Day],
        vec![SpendBy::Route, SpendBy::Run, SpendBy::Tenant, SpendBy::Key],
        vec![SpendBy::Tenant, SpendBy::Outcome],
        SpendBy::ALL.to_vec(),
    ]);
    for by in asked {
        let spend = ledger.spend(&all(&by, 100_000), None).await.unwrap();
        let (groups, total) = added_up(entries, &by);
        assert_eq!(spend.total, total, "{by:?}");
        assert_eq!(spend.rest.0, 0);
        if by.is_empty() {
            assert_eq!(spend.rows, []);
            continue;
        }
        let told: BTreeMap<_, _> = spend.rows.iter().map(|row| (row.names.clone(), row.sums)).collect();
        assert_eq!((told.len(), &told), (spend.rows.len(), &groups), "{by:?}");
        if !by.contains(&SpendBy::Day) {
            assert!(spend.rows.is_sorted_by(|a, b| a.sums.cost >= b.sums.cost), "{by:?}");
        }
    }
    let by = [SpendBy::Key, SpendBy::Deployment];
    let whole = ledger.spend(&all(&by, 100), None).await.unwrap();
    let dearest = ledger.spend(&all(&by, 3), None).await.unwrap();
    assert_eq!((&dearest.rows[..], dearest.total), (&whole.rows[..3], whole.total));
    let (rest, cost) = (&dearest.rest, |rows: &[weir_ledger::SpendRow]| rows.iter().map(|row| row.sums.cost).sum());
    assert_eq!((rest.0, rest.1.cost), (whole.rows.len() as u64 - 3, cost(&whole.rows[3..])));
    let of = SpendQuery { tenant: Some("tenant-1".into()), ..all(&[], 1) };
    let own: Vec<Entry> = entries.iter().filter(|e| e.tenant.as_deref() == Some("tenant-1")).cloned().collect();
    assert_eq!(ledger.spend(&of, None).await.unwrap().total, added_up(&own, &[]).1);
    let (since, until) = (WallTime(START + DAY / 2), WallTime(START + 2 * DAY));
    let within: Vec<Entry> =
        entries.iter().filter(|e| e.started_at >= since && e.started_at < until).cloned().collect();
    let told = ledger.spend(&SpendQuery { since, until, ..all(&[], 1) }, None).await.unwrap();
    assert!(!within.is_empty() && told.total == added_up(&within, &[]).1);
    // Another process sees the same.
    let reader = home.reader().await;
    assert_eq!(reader.spend(&all(&by, 100), None).await.unwrap(), whole);
}

async fn sums_of_amounts_without_measure_do_not_overflow(home: Home) {
    let ledger = home.open().await;
    for n in 0..20 {
        let mut entry = made_up(n, &mut Draw(n));
        let usage = Usage { input: Tokens(u64::MAX), output: Tokens(u64::MAX), ..Usage::default() };
        let attempt = |deployment: &str| Attempt {
            deployment: deployment.into(),
            status: None,
            class: None,
            message: None,
            upstream_id: None,
            started_at: WallTime(0),
            ended_at: WallTime(0),
            usage: Some(usage),
            cost_usd: Some(NanoUsd(i64::MAX)),
            cost_estimated: true,
        };
        entry.attempts = vec![attempt("a/m"), attempt(if n.is_multiple_of(2) { "a/m" } else { "b/m" })];
        entry.sum_costs();
        ledger.settle(Box::new(entry));
    }
    ledger.flush().await;
    let spend = ledger.spend(&all(&[SpendBy::Model], 5), None).await.unwrap();
    assert_eq!((spend.total.cost, spend.total.input), (NanoUsd(i64::MAX), 40_000_000_000_000));
}

async fn of_nothing_the_sum_is_nothing_and_who_cannot_wait_is_told_so(home: Home) {
    let ledger = home.open().await;
    for by in [vec![], vec![SpendBy::Key]] {
        let spend = ledger.spend(&all(&by, 10), None).await.unwrap();
        assert_eq!((spend.rows.len(), spend.rest.0, spend.total), (0, 0, Sums::default()));
    }
    let mut draw = Draw(1);
    for n in 0..2_000 {
        ledger.settle(Box::new(made_up(n, &mut draw)));
    }
    ledger.flush().await;
    let told = ledger.spend(&all(&SpendBy::ALL, 10), Some(Duration::ZERO)).await;
    assert!(matches!(told, Err(SpendError::TooLong(_))), "{told:?}");
    assert!(
        ledger.spend(&all(&SpendBy::ALL, 10), Some(Duration::from_secs(600))).await.is_ok(),
        "the next may try again"
    );
}

#[test]
fn what_is_told_apart_is_named_each_once() {
    assert_eq!(SpendBy::list("key, model,run,key").unwrap(), [SpendBy::Key, SpendBy::Model, SpendBy::Run]);
    assert_eq!(SpendBy::list("").unwrap(), []);
    let fault = SpendBy::list("key,colour\u{1b}").unwrap_err();
    assert!(fault.contains("`colour`") && fault.contains("deployment"), "{fault}");
}

fn record(name: &str) -> KeyRecord {
    KeyRecord {
        name: name.into(),
        tenant: "team-a".into(),
        hash: [7; 32],
        settings: "{}".into(),
        created_at: WallTime(START),
        expires_at: None,
        revoked_at: None,
        former: Vec::new(),
    }
}

fn made(name: &str) -> Event {
    let fact = Fact::KeyMade { name: name.into(), tenant: "team-a".into(), who: "root".into() };
    Event { at: WallTime(START), stage: Stage::Accept, fact }
}

async fn a_key_is_on_disk_with_its_fact_when_it_is_said_to_be(home: Home) {
    let ledger = home.open().await;
    let full = KeyRecord {
        hash: [0xAB; 32],
        expires_at: Some(WallTime(START + 5)),
        revoked_at: Some(WallTime(START + 4)),
        former: vec![FormerSecret { hash: [0xF0; 32], until: WallTime(START + 3) }],
        ..record("b")
    };
    for key in [record("b"), record("a"), full.clone()] {
        ledger.keep_key(key, made("b"), None).await.unwrap();
    }
    let other = home.reader().await;
    assert_eq!(other.keys().await.unwrap(), [record("a"), full.clone()]);
    let facts = other.facts(10).await.unwrap();
    assert_eq!(
        facts
            .iter()
            .filter(|fact| fact.contains(r#""fact":"KeyMade","name":"b","tenant":"team-a","who":"root""#))
            .count(),
        3
    );
    ledger.close().await;
    let ledger = home.open().await;
    assert_eq!(ledger.keys().await.unwrap(), [record("a"), full]);
    let gone = ledger.clone();
    ledger.close().await;
    assert!(gone.keep_key(record("c"), made("c"), None).await.is_err(), "nobody writes any more");
}

async fn keys_that_ended_go_with_the_retention_but_the_last_one_stays(home: Home) {
    let ledger = home.open().await;
    let ended =
        |name: &str, at: i64| KeyRecord { revoked_at: Some(WallTime(START)), created_at: WallTime(at), ..record(name) };
    for key in [ended("old", START - 2), ended("newest", START), record("valid"), ended("older", START - 3)] {
        let key = if &*key.name == "valid" { KeyRecord { created_at: WallTime(START - 1), ..key } } else { key };
        ledger.keep_key(key, made("x"), None).await.unwrap();
    }
    ledger.close().await;
    // A second of retention, and what happened is long ago; sweeping is the first thing that a writer does.
    let (ledger, _) = open(Options { retention: Duration::from_secs(1), ..home.options() }).await.unwrap();
    ledger.flush().await;
    let names: Vec<String> = ledger.keys().await.unwrap().iter().map(|key| key.name.to_string()).collect();
    assert_eq!(names, ["newest", "valid"]);
}
