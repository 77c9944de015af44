//! Whether the ledger keeps up with a rate: `cargo run --release -p weir-ledger --example rate -- WHERE REQUESTS SECONDS`.
//!
//! WHERE is a file that is not there yet, or a `postgres://` url of an empty database. REQUESTS arrive in each of SECONDS; each takes a
//! second, so that its intent and its entry are written apart. Says whether the database kept up, or rows were spilled and caught up.
//! Ends with 1 if a request is not on record afterwards.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and may stop at anything odd")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::{entry, intent};
use weir_ledger::{Behind, Filter, Ledger, Options, Outcome, Postgres, open};

/// How often some of them arrive.
const TICK: Duration = Duration::from_millis(10);
const TICKS: u64 = 100;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [place, rate, seconds] = arguments.as_slice() else {
        println!("usage: rate FILE|postgres://… REQUESTS SECONDS");
        return ExitCode::from(2);
    };
    let (rate, seconds) = (rate.parse::<u64>().unwrap(), seconds.parse::<u64>().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let options = match place.contains("://") {
        true => {
            let postgres = Some(Postgres::parse(place).unwrap());
            Options { postgres, ..Options::new(folder.path().join("weir")) }
        }
        false => Options::new(PathBuf::from(place)),
    };
    // The made-up requests lie in a fixed past.
    let options = Options { retention: Duration::from_secs(100 * 365 * 86_400), ..options };
    let (ledger, task) = open(options).await.unwrap();
    let count = rate * seconds;
    let worst = arrive(&ledger, rate, count).await;
    let ended = Instant::now();
    while ledger.behind() != Behind::default() {
        ledger.flush().await;
    }
    println!("at most {} messages queued and {} rows spilled", worst.queued, worst.spilled);
    let how = if worst.spilled == 0 { "kept up" } else { "spilled and caught up" };
    println!("{how}: all was written {:.1?} after the last request", ended.elapsed());
    let lost = worst.lost + ledger.behind().lost;
    ledger.roll().await;
    println!("and counted {:.1?} after it", ended.elapsed());
    let all = ledger.count(&Filter::default(), u64::MAX).await.unwrap().found;
    let open = Filter { outcome: Some(Outcome::Open), ..Filter::default() };
    let open = ledger.count(&open, u64::MAX).await.unwrap().found;
    println!("{count} requests, {all} on record, {open} of them open, {lost} rows lost");
    ledger.close().await;
    task.join().await;
    ExitCode::from(u8::from(all != count || open != 0 || lost != 0))
}

/// Lets requests come and go, and returns how far the database was behind at the worst.
async fn arrive(ledger: &Ledger, rate: u64, count: u64) -> Behind {
    let (began, mut worst) = (Instant::now(), Behind::default());
    let mut ticks = tokio::time::interval(TICK);
    let (mut settled, mut calling) = (0, Duration::ZERO);
    for tick in 1.. {
        ticks.tick().await;
        let now = Instant::now();
        let arrived = |tick: u64| (tick * rate / TICKS).min(count);
        for n in arrived(tick - 1)..arrived(tick) {
            ledger.intent(intent(n));
        }
        let ended = arrived(tick.saturating_sub(TICKS));
        (settled..ended).for_each(|n| ledger.settle(entry(n)));
        settled = ended;
        calling += now.elapsed();
        let behind = ledger.behind();
        worst.queued = worst.queued.max(behind.queued);
        worst.spilled = worst.spilled.max(behind.spilled);
        worst.lost = worst.lost.max(behind.lost);
        if settled == count {
            break;
        }
    }
    let took = began.elapsed();
    println!("{rate} requests a second, of a second each: {count} came and ended in {took:.1?}");
    let each = calling.as_secs_f64() * 1e6 / count as f64;
    println!("{each:.1} µs a request to make it up and hand it over");
    worst
}
