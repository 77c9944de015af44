//! Streams of requests: their rates, their replay, their traces.

use std::sync::Arc;

use super::super::*;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn workload(pattern: Pattern) -> Workload {
    Workload {
        name: "chat".into(),
        tenant: "default".into(),
        key: None,
        priority: Priority::Standard,
        route: "smart".into(),
        deadline: Some(20 * SECOND),
        pattern,
        from: Moment::ZERO,
        until: Some(Moment::ZERO + 1_000 * SECOND),
        input: Distribution::Lognormal { median: Tokens(1_000), sigma: 1.0, most: Tokens(100_000) },
        output: Distribution::Fixed(Tokens(50)),
        cached_ppm: 500_000,
        max_tokens: MaxTokens::Unset,
        estimate_error_ppm: 50_000,
        retry: ClientRetry::default(),
    }
}

fn all(pattern: Pattern, seed: u64) -> Vec<Request> {
    let mut stream = Stream::new(workload(pattern), 0, seed);
    std::iter::from_fn(|| stream.next_request()).collect()
}

fn between(requests: &[Request], from: u64, until: u64) -> usize {
    let at = |seconds| Moment::ZERO + Duration::from_secs(seconds);
    requests.iter().filter(|request| at(from) <= request.at && request.at < at(until)).count()
}

#[test]
fn the_same_seed_sends_the_same_requests() {
    let poisson = || Pattern::Poisson { rate: 5.0 };
    assert_eq!(all(poisson(), 7), all(poisson(), 7));
    assert_ne!(all(poisson(), 7), all(poisson(), 8));
}

#[test]
fn rates_are_what_they_say() {
    let constant = all(Pattern::Constant { rate: 4.0 }, 1);
    assert_eq!(constant.len(), 3_999);
    assert_eq!(constant[0].at, Moment::ZERO + Duration::from_millis(250));
    let poisson = all(Pattern::Poisson { rate: 5.0 }, 1);
    assert!((4_800..5_200).contains(&poisson.len()), "{}", poisson.len());
    assert!(poisson.is_sorted_by_key(|request| request.at));
    assert!(all(Pattern::Poisson { rate: 0.0 }, 1).is_empty());
}

#[test]
fn bursts_come_in_turns() {
    let (on, off) = (10 * SECOND, 90 * SECOND);
    let requests = all(Pattern::Bursts { rate: 50.0, on, quiet_rate: 0.0, off }, 3);
    assert_eq!(between(&requests, 10, 100), 0);
    assert!((430..570).contains(&between(&requests, 100, 110)), "{}", between(&requests, 100, 110));
}

#[test]
fn a_day_swings_about_its_mean() {
    let mut daily = workload(Pattern::Daily { rate: 0.2, swing: 0.9, peak: 14 * 3_600 * SECOND });
    daily.until = Some(Moment::ZERO + 86_400 * SECOND);
    let mut stream = Stream::new(daily, 0, 1);
    let requests: Vec<Request> = std::iter::from_fn(|| stream.next_request()).collect();
    assert!((16_700..17_900).contains(&requests.len()), "{}", requests.len());
    let hour = |hour: u64| between(&requests, hour * 3_600, (hour + 1) * 3_600);
    assert!(hour(14) > 1_200 && hour(2) < 120, "{} at the peak, {} at night", hour(14), hour(2));
}

#[test]
fn a_trace_is_replayed_faster_and_more_often_with_its_own_sizes() {
    let trace = Arc::new(Trace::parse("t_ms,input_tokens,output_tokens\n0,10,1\n1000,20,2\n3000,30,3\n").unwrap());
    let pattern = |speed, times, repeat| Pattern::Trace { trace: Arc::clone(&trace), speed, times, repeat };
    let plain = all(pattern(2.0, 1.0, false), 1);
    let at: Vec<u128> = plain.iter().map(|request| request.at.since(Moment::ZERO).as_millis()).collect();
    assert_eq!(at, [0, 500, 1_500]);
    assert_eq!((plain[2].input, plain[2].output), (Tokens(30), Tokens(3)));
    let doubled = all(pattern(1.0, 2.0, false), 1);
    assert_eq!(doubled.len(), 6);
    assert!(doubled.is_sorted_by_key(|request| request.at));
    let again = all(pattern(1.0, 1.0, true), 1);
    assert_eq!((again.len(), again[3].at), (667, Moment::ZERO + Duration::from_millis(4_500)));
    assert!(again.is_sorted_by_key(|request| request.at));
    let half = all(pattern(1.0, 0.5, true), 1).len();
    assert!((270..400).contains(&half), "{half}");
}

#[test]
fn a_request_has_the_bounds_of_its_workload() {
    for request in all(Pattern::Poisson { rate: 1.0 }, 5) {
        let (input, estimate) = (request.input.0, request.estimate.0);
        assert!(estimate * 20 >= input * 19 - 20 && estimate * 20 <= input * 21, "{estimate} for {input}");
        assert_eq!((request.cached.0, request.max_output), (input / 2, None));
        assert_eq!(request.deadline, Some(request.at + 20 * SECOND));
    }
}
