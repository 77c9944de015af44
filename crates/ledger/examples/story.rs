//! Writes a ledger that tells a story, for pages to be looked at and tested: `cargo run -p weir-ledger --example story -- FILE ROWS`.
//!
//! Ninety days up to now with their nights and weekends, two providers, four keys, an outage three days ago, a storm of 429s
//! in the last quarter of an hour, prices that nobody knows, waste, and names that mean harm.
#![expect(clippy::unwrap_used, reason = "what writes test data may stop at anything odd")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_ledger::{Attempt, Entry, Event, Fact, Intent, Options, Outcome, Stage, open};
use weir_units::{FaultClass, NanoUsd, RequestId, Tokens, Usage, WallTime};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;
const SLOT: i64 = 5 * MINUTE;
const DAYS: i64 = 90;

/// Draws numbers (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn chance(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    /// A time with a long tail, around `usual` milliseconds.
    fn latency(&mut self, usual: u64) -> u64 {
        let (a, b, c) = (self.below(1_000), self.below(1_000), self.below(1_000));
        usual * (400 + a + b * c / 900) / 1_000 + if self.chance(8) { usual * self.below(12) } else { 0 }
    }
}

/// Who asks: key, tenant, route, whether it streams, how many tokens it sends and gets, how often of a hundred.
const CLIENTS: [(&str, &str, &str, bool, u64, u64, u64); 4] = [
    ("checkout-bot", "team-a", "smart", true, 2_400, 420, 44),
    ("support-web", "team-a", "chat", true, 1_300, 310, 34),
    ("research", "acme", "smart", false, 9_000, 900, 12),
    ("nightly-eval", "acme", "small", false, 5_200, 160, 10),
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = std::path::PathBuf::from(arguments.next().expect("a file to write"));
    let rows: u64 = arguments.next().and_then(|rows| rows.parse().ok()).unwrap_or(10_000);
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let retention = Duration::from_secs(400 * 86_400);
    let (ledger, task) = open(Options { retention, ..Options::new(path) }).await.unwrap();
    for event in system(now) {
        ledger.note(event);
    }
    let from = (now - DAYS * DAY).div_euclid(SLOT) * SLOT;
    let slots: Vec<i64> = (0..(now - from) / SLOT).map(|slot| from + slot * SLOT).collect();
    let weights: Vec<f64> = slots.iter().map(|at| weight(*at, now)).collect();
    let whole: f64 = weights.iter().sum();
    let draw = &mut Draw(7);
    let (mut owed, mut n) = (0.0, 0_u64);
    for (slot, weight) in slots.iter().zip(weights) {
        owed += weight / whole * rows as f64;
        let count = owed.floor() as u64;
        owed -= count as f64;
        let mut times: Vec<i64> = (0..count).map(|_| slot + i64::try_from(draw.below(SLOT as u64)).unwrap()).collect();
        times.sort_unstable();
        for at in times {
            n += 1;
            let entry = request(n, WallTime(at), now, draw);
            ledger.settle(Box::new(entry));
            if n.is_multiple_of(2_000) {
                ledger.flush().await;
            }
        }
    }
    ledger.close().await;
    task.join().await;
}

/// How busy a time is: days more than nights, weekdays more than weekends, lately more than before.
fn weight(at: i64, now: i64) -> f64 {
    let hour = (at.rem_euclid(DAY)) as f64 / (DAY / 24) as f64;
    let day = at.div_euclid(DAY).rem_euclid(7);
    let daily = 0.25 + 0.75 * (-((hour - 14.0) / 5.0).powi(2)).exp();
    let weekly = if matches!(day, 2 | 3) { 0.45 } else { 1.0 };
    let ago = (now - at) as f64 / DAY as f64;
    daily * weekly * (1.0 + 5.0 * (-ago / 3.0).exp()) * (1.0 - ago / 200.0)
}

/// What happened to Weir itself.
fn system(now: i64) -> Vec<Event> {
    let event = |ago: i64, fact: Fact| Event { at: WallTime(now - ago), stage: Stage::Settle, fact };
    let breaker = |ago, from, to, why: &str| {
        event(ago, Fact::BreakerChanged { scope: "openai/gpt-5-mini".into(), from, to, why: why.into() })
    };
    let limit = |ago, old, new| {
        let how = "as the provider's headers say".into();
        event(ago, Fact::LimitChanged { pool: "gpt-5".into(), limit: "input-tokens-per-minute", old, new, how })
    };
    vec![
        event(90 * DAY, Fact::Started { version: "0.4.0".into() }),
        limit(6 * DAY, Some(500_000), 300_000),
        breaker(3 * DAY, "closed", "open", "14 of 20 attempts failed in 30 s"),
        breaker(3 * DAY - 20 * MINUTE, "open", "half-open", "the cooldown is over"),
        breaker(3 * DAY - 21 * MINUTE, "half-open", "open", "a probe failed"),
        breaker(3 * DAY - 40 * MINUTE, "open", "half-open", "the cooldown is over"),
        breaker(3 * DAY - 41 * MINUTE, "half-open", "closed", "3 of 3 probes answered"),
        breaker(170 * MINUTE, "closed", "open", "9 of 12 attempts failed in 30 s"),
        breaker(150 * MINUTE, "open", "half-open", "the cooldown is over"),
        breaker(149 * MINUTE, "half-open", "closed", "3 of 3 probes answered"),
    ]
}

fn request(n: u64, at: WallTime, now: i64, draw: &mut Draw) -> Entry {
    let mut pick = draw.below(100);
    let client = CLIENTS.iter().find(|client| {
        let found = pick < client.6;
        pick = pick.saturating_sub(client.6);
        found
    });
    let (key, tenant, route, stream, input, output, _) = *client.unwrap_or(&CLIENTS[0]);
    let hostile = n % 4_999 == 17;
    let intent = Intent {
        id: RequestId::new(at.millis(), u128::from(draw.next()) << 16 | u128::from(n)),
        run: (key == "research").then(|| format!("run_{}", n / 40).into()),
        key: Some(if hostile { "<script>alert(1)</script>".into() } else { key.into() }),
        tenant: Some(tenant.into()),
        tags: tags(key, hostile, draw),
        route: route.into(),
        model: if hostile { "=1+1\u{202e}lru//:ptth".repeat(60).into() } else { route.into() },
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream,
        trace: None,
        sdk_retry: draw.chance(12).then_some(1),
        started_at: at,
    };
    let mut entry = Entry::of(intent, Outcome::Answered);
    entry.overhead_us = Some(180 + draw.below(260));
    let mut clock = at.0 + 400;
    if draw.chance(if now - at.0 < 16 * MINUTE { 220 } else { 25 }) {
        entry.queued_ms = 200 + draw.below(2_600);
        clock += i64::try_from(entry.queued_ms).unwrap() * 1_000;
        let fact = Fact::Waited { why: "for input tokens/min of gpt-5", for_ms: entry.queued_ms };
        entry.events.push(Event { at: WallTime(clock), stage: Stage::Queue, fact });
    }
    if draw.chance(4) {
        return refused(entry, clock, draw);
    }
    call_all(&mut entry, clock, now, (route, input, output), draw);
    entry.sum_costs();
    entry
}

fn tags(key: &str, hostile: bool, draw: &mut Draw) -> Vec<(Arc<str>, Arc<str>)> {
    let team = if key == "research" || key == "nightly-eval" { "science" } else { "shop" };
    let mut tags: Vec<(Arc<str>, Arc<str>)> = vec![("team".into(), team.into())];
    if draw.chance(300) {
        tags.push(("feature".into(), ["search", "summary", "reply"][usize::try_from(draw.below(3)).unwrap()].into()));
    }
    if hostile {
        tags.push(("note".into(), "\"><img src=x onerror=alert(1)>".into()));
    }
    tags
}

fn refused(mut entry: Entry, clock: i64, draw: &mut Draw) -> Entry {
    let (status, code) = [
        (503, "capacity_exhausted"),
        (402, "budget_exhausted"),
        (404, "model_not_found"),
        (429, "rate_limit_exceeded"),
    ][usize::try_from(draw.below(4)).unwrap()];
    entry.outcome = Outcome::Refused;
    entry.status = Some(status);
    entry.code = Some(code.into());
    entry.refused_by = Some("weir".into());
    entry.ended_at = Some(WallTime(clock + 900));
    let fact = Fact::Refused { status, code: code.into(), by: "weir".into() };
    entry.events.push(Event { at: WallTime(clock + 900), stage: Stage::Settle, fact });
    entry.sum_costs();
    entry
}

/// The calls of a request, until one is answered or none is left.
fn call_all(entry: &mut Entry, mut clock: i64, now: i64, (route, input, output): (&str, u64, u64), draw: &mut Draw) {
    let (storm, outage) = (now - clock < 16 * MINUTE, (3 * DAY - 41 * MINUTE..3 * DAY).contains(&(now - clock)));
    let ladder: &[&str] = match route {
        "smart" => &["openai/gpt-5.2", "openai/gpt-5.2", "anthropic/claude-sonnet-5.5"],
        "chat" => &["openai/gpt-5-mini", "anthropic/claude-sonnet-5.5"],
        _ => &["openai/gpt-5-mini", "openai/gpt-5-mini"],
    };
    for (place, deployment) in ladder.iter().enumerate() {
        let number = u32::try_from(place + 1).unwrap();
        let openai = deployment.starts_with("openai");
        let fault = if openai && storm && draw.chance(420) || openai && draw.chance(1) {
            Some((FaultClass::RateLimited, 429, "Rate limit reached for gpt-5 in organization on input tokens per min"))
        } else if outage && *deployment == "openai/gpt-5-mini" && draw.chance(800) || draw.below(2_500) == 0 {
            Some((FaultClass::Overloaded, 503, "The engine is currently overloaded, please try again later"))
        } else {
            None
        };
        let why = if place == 0 { "first" } else { "retry" };
        let fact = Fact::AttemptStarted { attempt: number, deployment: (*deployment).into(), why };
        entry.events.push(Event { at: WallTime(clock), stage: Stage::Call, fact });
        let began = WallTime(clock);
        let took = if fault.is_some() {
            120 + draw.below(200)
        } else {
            draw.latency(if route == "smart" { 1_900 } else { 900 })
        };
        clock += i64::try_from(took).unwrap() * 1_000;
        let last = place + 1 == ladder.len();
        if let Some((class, status, message)) = fault {
            entry.attempts.push(attempt(
                deployment,
                (began, WallTime(clock)),
                Some((class, status, message)),
                None,
                draw,
            ));
            let retry_after_ms = (status == 429).then_some(1_500);
            let (deployment, message) = ((*deployment).into(), message.to_owned());
            let fact = Fact::AttemptFailed {
                attempt: number,
                deployment,
                class,
                status: Some(status),
                message,
                retry_after_ms,
            };
            entry.events.push(Event { at: WallTime(clock), stage: Stage::Call, fact });
            if last {
                entry.outcome = Outcome::Failed;
                entry.status = Some(if status == 429 { 429 } else { 503 });
                entry.code = Some(if status == 429 { "rate_limit_exceeded".into() } else { "upstream_error".into() });
                entry.refused_by = Some("openai".into());
            } else if status == 429 && ladder[place + 1] == ladder[place] {
                clock += 1_500_000;
                let fact = Fact::Waited { why: "as openai asked", for_ms: 1_500 };
                entry.events.push(Event { at: WallTime(clock), stage: Stage::Call, fact });
            }
            continue;
        }
        let usage = Usage {
            input: Tokens(input / 2 + draw.below(input)),
            cached_input: Tokens(draw.below(input / 3)),
            output: Tokens(output / 2 + draw.below(output)),
            ..Usage::default()
        };
        entry.attempts.push(attempt(deployment, (began, WallTime(clock)), None, Some(usage), draw));
        entry.usage = Some(usage);
        answered(entry, clock, took, draw);
        break;
    }
    entry.ended_at = Some(WallTime(clock + 300));
}

fn answered(entry: &mut Entry, clock: i64, took: u64, draw: &mut Draw) {
    let began = (clock - entry.started_at.0) / 1_000 - i64::try_from(took).unwrap();
    if entry.stream {
        entry.first_content_ms = Some(u64::try_from(began).unwrap_or(0) + took * 3 / 10);
    }
    entry.status = Some(200);
    if draw.chance(9) {
        entry.outcome = Outcome::Cancelled;
        entry.status = Some(499);
        entry.events.push(Event { at: WallTime(clock), stage: Stage::Stream, fact: Fact::ClientLeft });
    }
    let why = match draw.below(400) {
        0..4 => "cache_miss",
        4..8 => "client_retry",
        8..10 => "duplicate",
        10..13 => "truncated",
        13..15 => "abandoned",
        15..18 => "loop",
        18..20 => "stale_context",
        20..23 => "oversized_model",
        23..25 => "oversized_max_tokens",
        _ => return,
    };
    let cost = entry.attempts.last().and_then(|attempt| attempt.cost_usd);
    let cost = if why == "oversized_max_tokens" { Some(NanoUsd::ZERO) } else { cost };
    let fact = Fact::Wasted { why, input: 900, output: 120, cost_usd: cost, estimated: false };
    entry.events.push(Event { at: WallTime(clock), stage: Stage::Settle, fact });
}

fn attempt(
    deployment: &str,
    (started_at, ended_at): (WallTime, WallTime),
    fault: Option<(FaultClass, u16, &str)>,
    usage: Option<Usage>,
    draw: &mut Draw,
) -> Attempt {
    // Nano-dollars per token, in and out.
    let (dear, cheap) = match deployment {
        "openai/gpt-5.2" => (1_750, 14_000),
        "openai/gpt-5-mini" => (250, 2_000),
        _ => (3_000, 15_000),
    };
    let nanos = usage.map_or(0, |usage| usage.input.0 * dear + usage.output.0 * cheap);
    let unpriced = fault.is_none() && draw.chance(3);
    Attempt {
        deployment: if unpriced { "openai/gpt-5.2-exp".into() } else { deployment.into() },
        status: Some(fault.map_or(200, |(_, status, _)| status)),
        class: fault.map(|(class, ..)| class),
        message: fault.map(|(.., message)| message.into()),
        upstream_id: None,
        started_at,
        ended_at,
        usage,
        cost_usd: (!unpriced).then(|| NanoUsd(nanos.cast_signed())),
        cost_estimated: fault.is_none() && draw.chance(15),
    }
}
