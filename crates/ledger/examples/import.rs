//! How fast records of the past are taken in: `cargo run --release -p weir-ledger --example import -- FILE RECORDS [DAYS]`.
//!
//! Records of all kinds, spread over 60 days or as many as are named, go into FILE in order of time; then how long it takes to read
//! demand by the minute and by the hour.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and may stop at anything odd")]

#[path = "../tests/common/varied.rs"]
mod varied;

use std::time::Instant;

use varied::varied;
use weir_ledger::{DemandQuery, DemandStep, Entry, Importer, Options, Reader};
use weir_units::WallTime;

/// 2026-11-18T00:00:00Z.
const END: i64 = 1_794_960_000_000_000;
const DAY: i64 = 86_400_000_000;
/// Records that are handed over at once.
const SOME: u64 = 10_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, count, rest @ ..] = arguments.as_slice() else {
        println!("usage: import FILE RECORDS [DAYS]");
        return;
    };
    let (count, days): (u64, i64) = (count.parse().unwrap(), rest.first().map_or(60, |days| days.parse().unwrap()));
    let step = days * DAY / i64::try_from(count).unwrap();
    let at = |n: u64| WallTime(END - days * DAY + i64::try_from(n).unwrap() * step);
    let mut importer = Importer::open(&Options::new(file)).await.unwrap();
    let began = Instant::now();
    let mut longest = std::time::Duration::ZERO;
    for first in (0..count).step_by(usize::try_from(SOME).unwrap()) {
        let some: Vec<Entry> = (first..count.min(first + SOME)).map(|n| varied(n, at(n))).collect();
        let one = Instant::now();
        importer.add(some).await.unwrap();
        longest = longest.max(one.elapsed());
    }
    importer.close().await.unwrap();
    let took = began.elapsed();
    println!(
        "{count} records in {took:.1?}: {:.0} a second; the slowest {SOME} took {longest:.1?}",
        count as f64 / took.as_secs_f64()
    );
    let reader = Reader::open(file.as_ref()).await.unwrap();
    for step in [DemandStep::Minute, DemandStep::Hour] {
        let began = Instant::now();
        let rows = reader.demand(&DemandQuery { from: at(0), until: WallTime(END), step }).await.unwrap();
        println!("{:>8.1} ms  demand by {step:?}: {} rows", began.elapsed().as_secs_f64() * 1e3, rows.len());
    }
}
