//! How near the estimates of input tokens come to a real tokenizer's count.
//!
//! A model's calibration is taught by 200 requests of a kind of traffic, and then asked about 200 fresh ones of the same kind.
//! The count is `tiktoken-rs`'s, by OpenAI's public vocabularies, of what of a request a provider counts. `r50k_base` is
//! GPT-2's, to which the prior was not fitted: it stands for a tokenizer that nobody has seen. The 95th percentile of the
//! relative error, of three seeds the lowest and the highest, in percent:
//!
//! | traffic | `o200k_base` | `cl100k_base` | `r50k_base` | bytes per token alone |
//! |---|---|---|---|---|
//! | chat | 2.5 to 2.8 | 2.3 to 2.5 | 2.1 to 2.6 | 19 |
//! | code | 2.4 to 2.8 | 2.3 to 2.6 | 1.7 to 2.2 | 9 |
//! | agent | 2.2 to 2.5 | 2.3 to 2.5 | 2.2 | 23 |
//! | documents | 1.7 to 2.0 | 1.6 to 1.7 | 1.2 to 1.6 | 16 |
//! | rows | 1.6 to 2.0 | 1.7 to 2.0 | 1.8 to 2.0 | 24 |
//! | long, taught by agent | 3.3 to 4.5 | 3.4 to 4.3 | 3.7 to 6.4 | |
//! | mixed | 4.9 to 5.4 | 4.5 to 5.1 | 5.1 to 7.7 | |
//! | short | 5.6 to 7.1 | 6.7 to 7.4 | 6.2 to 7.1 | 40 |
//! | languages | 6.9 to 8.0 | 6.3 to 8.0 | 5.6 to 7.4 | 120 |
//! | everything | 9.7 to 15.4 | 11.8 to 16.3 | 12.5 to 17.6 | 110 |
//!
//! So a deployment with one kind of traffic is known well within 5 %. A mixture of all that a company does is at 5 %; what is
//! beyond it are requests of thirty tokens, where a token is 3 %, and languages that 200 samples have shown once or not at
//! all. The texts are few and come again in the fresh requests; those of a real deployment do, too, but not all. Another
//! seed's table: change [`SEED`], and `cargo test -p weir-wire --test token_estimates --release -- --include-ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "the table is read by people")]

use std::hint::black_box;
use std::time::Instant;

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton, r50k_base_singleton};
use weir_units::Tokens;
use weir_wire::{Calibration, measure};

use crate::traffic::{Kind, Traffic};

mod traffic;

const SAMPLES: usize = 200;
const FRESH: usize = 200;
const SEED: u64 = 1_000;

/// Each kind of traffic, and what the 95th percentile of the error may be in percent.
const BOUNDS: [(Kind, f64); 10] = [
    (Kind::Chat, 5.0),
    (Kind::Code, 5.0),
    (Kind::Agent, 5.0),
    (Kind::Documents, 5.0),
    (Kind::Rows, 5.0),
    (Kind::Long, 5.0),
    (Kind::Mixed, 5.5),
    (Kind::Short, 8.0),
    (Kind::Languages, 9.0),
    (Kind::Everything, 17.0),
];

#[test]
fn what_o200k_counts_is_estimated_within_bounds_after_200_samples() {
    hold("o200k_base", o200k_base_singleton(), &BOUNDS[..7]);
}

#[test]
fn a_tokenizer_that_the_prior_does_not_know_is_learned_as_well() {
    hold("r50k_base", r50k_base_singleton(), &[(Kind::Chat, 5.0), (Kind::Rows, 5.0), (Kind::Mixed, 8.0)]);
}

#[test]
#[ignore = "counts for a minute"]
fn the_whole_table() {
    hold("o200k_base", o200k_base_singleton(), &BOUNDS);
    hold("cl100k_base", cl100k_base_singleton(), &BOUNDS);
    hold("r50k_base", r50k_base_singleton(), &BOUNDS);
}

#[test]
#[ignore = "measures the machine; run it with --release --ignored --nocapture"]
fn costs() {
    let mut traffic = Traffic::new(SEED);
    let mut body = String::new();
    while body.len() < 300_000 {
        body += &traffic.request(Kind::Agent).0;
    }
    let least = |work: &mut dyn FnMut()| {
        let time = |()| {
            let began = Instant::now();
            work();
            began.elapsed()
        };
        std::iter::repeat_n((), 500).map(time).min().unwrap()
    };
    for bytes in [1_000, 10_000, 100_000, 300_000] {
        let took = least(&mut || {
            black_box(measure(&body.as_bytes()[..bytes]));
        });
        println!("measure {bytes:7} bytes: {took:?}");
    }
    let (mut calibration, measure) = (Calibration::default(), measure(&body.as_bytes()[..10_000]));
    println!("observe: {:?}", least(&mut || calibration.observe("m", &measure, Tokens(2_500))));
    let took = least(&mut || {
        black_box(calibration.estimate("m", &measure));
    });
    println!("estimate: {took:?}");
}

/// Holds each kind of traffic to its bound.
fn hold(name: &str, tokenizer: &CoreBPE, bounds: &[(Kind, f64)]) {
    for (kind, bound) in bounds {
        let (cold, learned) = errors(*kind, tokenizer);
        println!(
            "{name:11} {kind:10?} p95 of the error: {cold:4.1} % at first, {learned:4.1} % after {SAMPLES} samples"
        );
        assert!(learned <= *bound, "{name} {kind:?}: {learned:.1} % is above {bound} %");
    }
}

/// The 95th percentile of the relative error in percent, before anything was learned and after.
fn errors(kind: Kind, tokenizer: &CoreBPE) -> (f64, f64) {
    let mut traffic = Traffic::new(SEED + kind as u64);
    let mut calibration = Calibration::default();
    // Long bodies take seconds to count, and what they are made of is learned from shorter ones as well.
    let (taught, fresh) = if kind == Kind::Long { (Kind::Agent, FRESH / 5) } else { (kind, FRESH) };
    for _ in 0..SAMPLES {
        let (body, counted) = traffic.request(taught);
        let tokens = counted.tokens(tokenizer);
        calibration.observe("m", &measure(body.as_bytes()), Tokens(tokens as u64));
    }
    let (mut cold, mut learned) = (Vec::new(), Vec::new());
    for _ in 0..fresh {
        let (body, counted) = traffic.request(kind);
        let tokens = counted.tokens(tokenizer) as f64;
        let measure = measure(body.as_bytes());
        for (errors, model) in [(&mut cold, "unknown"), (&mut learned, "m")] {
            errors.push((calibration.estimate(model, &measure).0 as f64 - tokens).abs() / tokens * 100.0);
        }
    }
    (p95(cold), p95(learned))
}

fn p95(mut errors: Vec<f64>) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors[errors.len() * 95 / 100]
}
