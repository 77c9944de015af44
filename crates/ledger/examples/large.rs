//! A ledger of any size, and how long questions to it take: `cargo run --release -p weir-ledger --example large -- FILE REQUESTS [DAYS]`.
//!
//! Requests of all kinds are spread over the last 34 days, or as many as are named, and written as the gateway writes them. Where FILE has them already,
//! it is only asked. Ends with 1 if a question takes longer than a second.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and may stop at anything odd")]

#[path = "../tests/common/varied.rs"]
mod varied;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use varied::varied;
use weir_ledger::{
    Filter, Ledger, Options, Outcome, Query, Reader, SeriesBy, SeriesQuery, SpendBy, SpendQuery, StatusFilter, Step,
    edges, open,
};
use weir_units::{NanoUsd, WallTime};

const DAY: i64 = 86_400_000_000;
/// Over how many days requests are spread, unless that is asked for.
const DAYS: i64 = 34;
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, count, days) = match arguments.as_slice() {
        [file, count] => (Path::new(file), count, DAYS),
        [file, count, days] => (Path::new(file), count, days.parse().unwrap()),
        _ => {
            println!("usage: large FILE REQUESTS [DAYS]");
            return ExitCode::from(2);
        }
    };
    let count = count.parse::<u64>().unwrap();
    let now = WallTime(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap());
    if !file.exists() {
        let (ledger, task) = open(Options::new(file)).await.unwrap();
        fill(&ledger, count, now, days).await;
        ledger.close().await;
        task.join().await;
    }
    let slow = ask(&Reader::open(file).await.unwrap(), now).await;
    println!("{slow} of the questions took longer than {PATIENCE:?}");
    ExitCode::from(u8::from(slow > 0))
}

async fn fill(ledger: &Ledger, count: u64, now: WallTime, days: i64) {
    let began = Instant::now();
    let step = days * DAY / i64::try_from(count).unwrap();
    for n in 0..count {
        let at = WallTime(now.0 - days * DAY + i64::try_from(n).unwrap() * step);
        ledger.settle(Box::new(varied(n, at)));
        if n % 2_000 == 1_999 {
            ledger.flush().await;
        }
    }
    ledger.roll().await;
    let took = began.elapsed();
    println!("{count} requests written and counted in {took:.1?}: {:.0} a second", count as f64 / took.as_secs_f64());
    println!("behind: {:?}", ledger.behind());
}

/// Asks, and returns how many questions took too long.
async fn ask(reader: &Reader, now: WallTime) -> u32 {
    let mut slow = 0;
    let mut told = |what: &str, took: Duration, rows: u64| {
        println!("{:>8.1} ms  {what}: {rows}", took.as_secs_f64() * 1e3);
        slow += u32::from(took > PATIENCE);
    };
    for (what, filter) in filters(now) {
        let began = Instant::now();
        let page = reader.requests(&Query { filter: filter.clone(), limit: 100, before: None }).await.unwrap();
        told(&format!("list   {what}"), began.elapsed(), page.len() as u64);
        let began = Instant::now();
        let count = reader.count(&filter, 10_000).await.unwrap();
        told(&format!("count  {what}"), began.elapsed(), count.found);
    }
    let own = |text: &str| Some(text.to_owned());
    let smart = Filter { route: own("smart"), tenant: own("tenant-2"), ..Filter::default() };
    let team = Filter { tag: Some(("team".into(), "ads".into())), ..Filter::default() };
    for (what, days, step, ahead, by, filter) in [
        ("34 days", 34, Step::Auto, 0, None, Filter::default()),
        ("34 days of +5:30 by deployment", 34, Step::Day, 19_800, Some(SeriesBy::Deployment), Filter::default()),
        ("34 days by key, in hours", 34, Step::Hour, 0, Some(SeriesBy::Key), Filter::default()),
        ("34 days by model, filtered", 34, Step::Day, 3_600, Some(SeriesBy::Model), smart),
        ("34 days by team", 34, Step::Day, 0, Some(SeriesBy::Tag("team".into())), Filter::default()),
        ("34 days of one team", 34, Step::Day, 0, None, team),
        ("a day by status", 1, Step::Auto, 0, Some(SeriesBy::Status), Filter::default()),
        ("an hour by provider, in minutes", 0, Step::Minute, 0, Some(SeriesBy::Provider), Filter::default()),
    ] {
        let since = if days == 0 { now.0 - DAY / 24 } else { now.0 - days * DAY };
        let edges = edges(WallTime(since), now, step, |_| ahead);
        let began = Instant::now();
        let series = reader.series(&SeriesQuery { filter, edges, by, top: 10 }).await.unwrap();
        told(&format!("series {what}"), began.elapsed(), series.all.total.requests.requests);
    }
    for (what, days, by, tenant) in [
        ("7 days by key and model", 7, vec![SpendBy::Key, SpendBy::Model], None),
        ("7 days by day", 7, vec![SpendBy::Day], None),
        ("7 days by run", 7, vec![SpendBy::Run], None),
        ("34 days by run", 34, vec![SpendBy::Run], None),
        ("34 days by run and key, of a tenant", 34, vec![SpendBy::Run, SpendBy::Key], own("tenant-2")),
    ] {
        let query = SpendQuery { by, since: WallTime(now.0 - days * DAY), until: now, tenant, top: 20 };
        let began = Instant::now();
        let spend = reader.spend(&query, None).await.unwrap();
        told(&format!("spend  {what}"), began.elapsed(), spend.total.requests);
    }
    for days in [7, 34] {
        let began = Instant::now();
        let wasted = reader.wasted_by_run(WallTime(now.0 - days * DAY), now, 5_000, None).await.unwrap();
        let runs = wasted.map_or(0, |(runs, more, _)| runs.len() as u64 + more);
        told(&format!("waste  {days} days by run"), began.elapsed(), runs);
    }
    slow
}

fn filters(now: WallTime) -> Vec<(&'static str, Filter)> {
    let any = Filter::default;
    let own = |text: &str| Some(text.to_owned());
    let tag = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
    let old = Some(WallTime(now.0 - 30 * DAY));
    vec![
        ("all", any()),
        ("a key", Filter { key: own("key-7"), ..any() }),
        ("a tenant and a route", Filter { tenant: own("tenant-2"), route: own("cheap"), ..any() }),
        ("a deployment", Filter { deployment: own("together/meta/llama"), ..any() }),
        ("errors", Filter { errors: true, ..any() }),
        ("503", Filter { status: StatusFilter::parse("503"), ..any() }),
        ("5xx of a model", Filter { status: StatusFilter::parse("5xx"), model: own("gpt-5.2"), ..any() }),
        ("refused by a provider", Filter { refused_by: own("anthropic"), ..any() }),
        ("left", Filter { outcome: Some(Outcome::Cancelled), ..any() }),
        ("a run", Filter { run: own("run-1000"), ..any() }),
        ("a run that is none", Filter { run: own("nowhere"), ..any() }),
        ("a tag of many", Filter { tag: tag("team", "ads"), ..any() }),
        ("a tag of few", Filter { tag: tag("user", "u77"), ..any() }),
        ("dear", Filter { min_cost: Some(NanoUsd(89_000_000)), ..any() }),
        ("dearer than any", Filter { min_cost: Some(NanoUsd(1_000_000_000_000)), ..any() }),
        ("a trace", Filter { trace: Some(1_234), ..any() }),
        ("an upstream id", Filter { upstream: own("req-1"), ..any() }),
        ("long ago, of a key with errors", Filter { until: old, key: own("key-3"), errors: true, ..any() }),
        ("what nothing is", Filter { key: own("key-1"), run: own("run-5"), errors: true, ..any() }),
    ]
}
