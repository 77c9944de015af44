//! What a request costs on its way into the ledger, in CPU time: `cargo run --release -p weir-ledger --example writer_cost`.
//!
//! CPU time of the whole process is what counts (callers, writer and SQLite's thread), since on a busy gateway all of them
//! share the cores with the requests.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and may stop at anything odd")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use weir_ledger::{Options, open};

const GROUP: u64 = 500;
const GROUPS: u64 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("start of the data: {}", common::START);
    let folder = tempfile::tempdir().unwrap();
    let retention = Duration::from_secs(100 * 365 * 86_400);
    let (ledger, task) = open(Options { retention, ..Options::new(folder.path().join("weir.db")) }).await.unwrap();
    let entries: Vec<_> = (0..GROUP * GROUPS).map(|n| (common::intent(n), common::entry(n))).collect();
    let bytes = entries[0].1.to_json().len();
    let (cpu, wall, mut callers) = (cpu_time(), Instant::now(), Duration::ZERO);
    for (n, (intent, entry)) in entries.into_iter().enumerate() {
        let call = Instant::now();
        ledger.intent(intent);
        ledger.settle(entry);
        callers += call.elapsed();
        if n as u64 % GROUP == GROUP - 1 {
            ledger.flush().await;
        }
    }
    let (cpu, wall) = (cpu_time() - cpu, wall.elapsed());
    let per_row = |span: Duration| span.as_secs_f64() * 1e6 / (GROUP * GROUPS) as f64;
    println!("{} rows of {bytes} bytes, {GROUP} in a group", GROUP * GROUPS);
    println!("cpu    {:6.2} µs per request (all threads)", per_row(cpu));
    println!("wall   {:6.2} µs per request", per_row(wall));
    println!("caller {:6.2} µs per request (intent and entry)", per_row(callers));
    ledger.close().await;
    task.join().await;
}

/// CPU time of this process, all threads, from `/proc/self/schedstat` of each.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = tasks.map(|task| {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}
