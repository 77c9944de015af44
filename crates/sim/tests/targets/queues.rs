//! Who waits, how long, and what is said of it.

use std::time::Duration;

use weir_sim::Record;
use weir_units::Moment;

use crate::town::{Played, answered, minutes, percentile, play};

const PROVIDER: &str = r#"
seed = 5
[providers.a]
kind = "anthropic"
latency = "500ms"
latency-jitter = "300ms"
tokens-per-second = 80
network = "20ms"
network-jitter = "100ms"
limits = { output-tokens-per-minute = 80_000, input-tokens-per-minute = 400_000 }
[gateway.pools.p]
deployments = ["a/m"]
limits = { output-tokens-per-minute = 80_000, input-tokens-per-minute = 400_000 }
[gateway.routes.r]
deployments = ["a/m"]
"#;

/// One workload: who, how many a second, how large, and what else.
fn workload(name: &str, rate: f64, input: u64, output: u64, more: &str) -> String {
    format!(
        "[[workloads]]\nname = \"{name}\"\ntenant = \"{name}\"\nroute = \"r\"\nretries = 0\nmax-tokens = 4_000\n\
         arrivals = {{ kind = \"poisson\", rate = {rate} }}\n\
         input-tokens = {{ median = {input}, sigma = 0.5, most = 20_000 }}\n\
         output-tokens = {{ median = {output}, sigma = 0.5, most = 4_000 }}\n{more}\n"
    )
}

fn town(minutes: u64, workloads: &[String]) -> Played {
    play(&format!("duration = \"{minutes}m\"\n{PROVIDER}{}", workloads.concat()))
}

/// What tenants share: tokens, four for one of output.
fn work(record: &Record) -> i64 {
    i64::try_from(record.input.0 + 4 * record.output.0).unwrap()
}

fn waits(records: &[&Record], from: Moment) -> Vec<Duration> {
    records.iter().filter(|r| r.at >= from && r.attempts > 0).map(|r| r.queued).collect()
}

/// What was served of a workload that went up until then.
fn tokens(played: &Played, name: &str, until: Moment) -> f64 {
    let went = |record: &&&Record| record.at + record.queued < until;
    answered(&played.of(name)).iter().filter(went).map(|record| work(record) as f64).sum()
}

#[test]
fn two_backlogged_tenants_get_the_same_whatever_the_size_of_their_requests() {
    // Of one size each, so that the largest request is known.
    let of = |name: &str, rate: f64, input: u64, output: u64| {
        format!(
            "[[workloads]]\nname = \"{name}\"\ntenant = \"{name}\"\nroute = \"r\"\nretries = 0\nestimate-error = 0\n\
             arrivals = {{ kind = \"poisson\", rate = {rate} }}\ninput-tokens = {input}\noutput-tokens = {output}\n\
             max-tokens = \"exact\"\n"
        )
    };
    let played = town(8, &[of("small", 30.0, 200, 50), of("large", 3.0, 2_000, 500)]);
    let mut served: Vec<(Moment, i64)> = Vec::new();
    for (name, sign) in [("small", 1), ("large", -1)] {
        let own = answered(&played.of(name));
        served.extend(own.iter().map(|record| (record.at + record.queued, sign * work(record))));
    }
    served.sort_unstable();
    // From when both are backlogged: what was served before does not count.
    let (mut gap, mut least, mut most) = (0, 0, 0);
    for (_, work) in served.iter().filter(|(at, _)| (minutes(1)..minutes(8)).contains(at)) {
        gap += work;
        (least, most) = (least.min(gap), most.max(gap));
    }
    println!("gap {} of {}", most - least, 2 * (2_000 + 4 * 500));
    assert!(most - least <= 2 * (2_000 + 4 * 500));
}

#[test]
fn a_light_tenant_hardly_waits_while_another_floods() {
    // Half of the limit is its fair share: 40,000 tokens of output a minute; it asks for 15,000.
    let played = town(8, &[workload("light", 1.0, 600, 220, ""), workload("flood", 15.0, 800, 300, "")]);
    let p95 = percentile(waits(&played.of("light"), minutes(1)), 95);
    let largest = played.all().iter().map(|record| record.output.0).max().unwrap();
    let bound = Duration::from_secs_f64(2.0 * largest as f64 / (80_000.0 / 60.0));
    println!(
        "light p95 {p95:?}, bound {bound:?}; flood p95 {:?}",
        percentile(waits(&played.of("flood"), minutes(1)), 95)
    );
    assert!(p95 <= bound);
    assert!(answered(&played.of("light")).len() * 100 >= played.of("light").len() * 99);
}

#[test]
fn batch_gets_its_share_of_ten_times_too_much() {
    let batch = "priority = \"batch\"\ndeadline = \"20m\"";
    let played = town(10, &[workload("people", 40.0, 600, 250, ""), workload("nightly", 3.0, 600, 250, batch)]);
    let (people, nightly) = (tokens(&played, "people", minutes(10)), tokens(&played, "nightly", minutes(10)));
    println!("batch {:.2} %", nightly / (people + nightly) * 100.0);
    assert!(nightly >= 0.04 * (people + nightly));
}

#[test]
fn a_flood_of_batch_work_hardly_delays_people() {
    let batch = "priority = \"batch\"\ndeadline = \"20m\"";
    let played = town(8, &[workload("people", 2.0, 600, 250, ""), workload("nightly", 20.0, 600, 250, batch)]);
    let p95 = percentile(waits(&played.of("people"), minutes(1)), 95);
    println!("people p95 {p95:?}");
    assert!(p95 <= Duration::from_secs(2));
}

#[test]
fn waits_are_as_predicted() {
    let played = town(
        30,
        &[
            workload("a", 3.0, 600, 250, ""),
            workload("b", 3.0, 900, 350, ""),
            workload("c", 1.0, 400, 150, "priority = \"standard\""),
        ],
    );
    let told: Vec<_> = played
        .all()
        .into_iter()
        .filter(|r| r.attempts > 0 && r.at >= minutes(2) && r.at < minutes(29))
        .filter_map(|r| Some((r.predicted?, r.within?, r.queued)))
        .filter(|(predicted, ..)| *predicted > Duration::from_millis(50))
        .collect();
    let kept = told.iter().filter(|(_, within, came)| came <= within).count() as f64 / told.len() as f64;
    let off: Vec<Duration> = told
        .iter()
        .map(|(predicted, _, came)| {
            Duration::from_secs_f64(predicted.abs_diff(*came).as_secs_f64() / came.as_secs_f64().max(0.001))
        })
        .collect();
    let median = percentile(off, 50).as_secs_f64();
    let bias: Vec<Duration> = told
        .iter()
        .map(|(predicted, _, came)| Duration::from_secs_f64(came.as_secs_f64() / predicted.as_secs_f64()))
        .collect();
    let queued = played.all().iter().filter(|r| r.predicted.is_some()).count();
    let missed = played.all().iter().filter(|r| r.predicted.is_some() && r.attempts == 0).count();
    println!(
        "{} told, kept {:.3}, median off {:.3}, came/predicted p10 {:?} p50 {:?} p90 {:?}, missed {missed} of {queued}",
        told.len(),
        kept,
        median,
        percentile(bias.clone(), 10),
        percentile(bias.clone(), 50),
        percentile(bias, 90)
    );
    println!("p50 wait {:?}", percentile(told.iter().map(|t| t.2).collect(), 50));
    assert!((0.85..=0.95).contains(&kept));
    assert!(median <= 0.2);
    assert!(missed * 200 <= queued);
}
