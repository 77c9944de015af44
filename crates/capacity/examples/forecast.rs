//! How long a forecast takes, trial nights included: `cargo run --release -p weir-capacity --example forecast`.

use std::time::Instant;

use weir_capacity::forecast::{Calendar, History, Peaks, Sample, exhaustion, forecast};

const TIMES: usize = 20;

fn main() {
    for name in ["electricity", "traffic", "pedestrians"] {
        let path = format!("{}/../../fixtures/hourly/{name}.csv", env!("CARGO_MANIFEST_DIR"));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let mut lines = text.lines();
        let Some(Ok(start)) = lines.next().map(str::parse) else { continue };
        let hours = lines.take(5 * 168).map(|line| line.parse().map_or(Sample::Unknown, Sample::Known));
        let history = History::new(start, hours.collect());
        let begun = Instant::now();
        let mut told = forecast(&history, &Calendar::utc(), 28 * 24, 0);
        for seed in 1..TIMES {
            told = forecast(&history, &Calendar::utc(), 28 * 24, seed as u64);
        }
        let made = begun.elapsed().as_secs_f64() * 1e3 / TIMES as f64;
        let Ok(told) = told else { continue };
        let begun = Instant::now();
        let found = exhaustion(&told, &Peaks::same(), told.busiest().map_or(1.0, |p| p.p95()) * 1.2, 90, 1);
        let drawn = begun.elapsed().as_secs_f64() * 1e3;
        let odds = found.map_or(0.0, |found| found.probability);
        #[expect(clippy::print_stdout, reason = "what it is for")]
        {
            println!("{name}: {made:.1} ms a forecast of four weeks from five, {drawn:.1} ms its dates ({odds:.2})");
        }
    }
}
