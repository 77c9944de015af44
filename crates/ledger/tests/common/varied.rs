//! Requests of all kinds, drawn from a seed: for tests of lists, counts and sums, and for ledgers of any size.

use std::sync::Arc;

use weir_ledger::{Attempt, Entry, Event, Fact, Intent, Outcome, Stage};
use weir_units::{FaultClass, NanoUsd, RequestId, Tokens, TraceContext, Usage, WallTime};

/// Draws numbers (splitmix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The `n`th request, which arrives at `at`.
pub(crate) fn varied(n: u64, at: WallTime) -> Entry {
    let draw = &mut Draw(n.wrapping_mul(0x5851_F42D_4C95_7F2D) ^ 0x1405_7B7E_F767_814F);
    // Who asks: a key is of one tenant, and asks two routes.
    let client = draw.below(20);
    let intent = Intent {
        id: RequestId::new(at.millis(), u128::from(n)),
        run: (draw.below(3) == 0).then(|| format!("run-{}", n / 7).into()),
        key: (client > 1).then(|| format!("key-{client}").into()),
        tenant: Some(format!("tenant-{}", client % 4).into()),
        tags: tags(draw),
        route: ["smart", "fast", "cheap"][usize::try_from(client % 2 + draw.below(2)).unwrap()].into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream: draw.below(2) == 0,
        trace: (draw.below(2) == 0).then(|| TraceContext { trace_id: u128::from(n / 3 + 1), parent: n + 1, flags: 1 }),
        sdk_retry: (draw.below(20) == 0).then_some(1),
        started_at: at,
    };
    let outcomes = [Outcome::Refused, Outcome::Failed, Outcome::Cancelled, Outcome::Lost];
    let outcome = if draw.below(10) < 8 { Outcome::Answered } else { outcomes[place(draw, 4)] };
    let mut entry = Entry::of(intent, outcome);
    entry.content = (draw.below(4) > 0).then_some(n / 2);
    if outcome != Outcome::Refused {
        calls(&mut entry, draw);
    }
    ends(&mut entry, draw);
    entry.sum_costs();
    entry
}

fn place(draw: &mut Draw, count: u64) -> usize {
    usize::try_from(draw.below(count)).unwrap()
}

fn tags(draw: &mut Draw) -> Vec<(Arc<str>, Arc<str>)> {
    let mut tags: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    if draw.below(2) == 0 {
        tags.push(("team".into(), ["search", "ads", "mail"][place(draw, 3)].into()));
    }
    if draw.below(5) == 0 {
        tags.push(("user".into(), format!("u{}", draw.below(500)).into()));
    }
    tags
}

fn calls(entry: &mut Entry, draw: &mut Draw) {
    let count = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3][place(draw, 10)];
    for n in 1..=count {
        let last = n == count;
        let failed = !last || entry.outcome == Outcome::Failed;
        let deployment: Arc<str> = deployments(&entry.route)[place(draw, 3)].into();
        let usage = Usage {
            input: Tokens(draw.below(20_000)),
            cached_input: Tokens(draw.below(100)),
            output: Tokens(draw.below(2_000)),
            reasoning: Tokens(draw.below(50)),
            ..Usage::default()
        };
        let priced = draw.below(12) > 0;
        let event = |fact: Fact| Event { at: entry.started_at, stage: Stage::Call, fact };
        let started = Fact::AttemptStarted { attempt: n, deployment: Arc::clone(&deployment), why: "first" };
        entry.events.push(event(started));
        let cost = if failed && draw.below(3) > 0 { NanoUsd(0) } else { NanoUsd(draw.below(90_000_000).cast_signed()) };
        entry.attempts.push(Attempt {
            deployment,
            status: Some(if failed { [429, 500, 529][place(draw, 3)] } else { 200 }),
            class: failed.then_some(FaultClass::Overloaded),
            message: failed.then(|| "Overloaded, try again \u{e9}".into()),
            upstream_id: (draw.below(4) > 0).then(|| format!("req-{}", draw.next()).into()),
            started_at: entry.started_at,
            ended_at: entry.started_at,
            usage: (!failed && draw.below(20) > 0).then_some(usage),
            cost_usd: priced.then_some(cost),
            cost_estimated: priced && draw.below(5) == 0,
        });
        if draw.below(8) == 0 {
            let why = ["failed_attempt", "loop", "a new reason"][place(draw, 3)];
            let (cost_usd, input) = (priced.then_some(cost), draw.below(900));
            entry.events.push(event(Fact::Wasted { why, input, output: 3, cost_usd, estimated: false }));
        }
    }
}

/// What a route leads to.
fn deployments(route: &Option<Arc<str>>) -> [&'static str; 3] {
    match route.as_deref() {
        Some("smart") => ["openai/gpt-5.2", "azure/gpt-5.2", "anthropic/claude"],
        Some("fast") => ["azure/gpt-5.2", "openai/gpt-5.2", "together/meta/llama"],
        _ => ["together/meta/llama", "together/meta/llama", "anthropic/claude"],
    }
}

fn ends(entry: &mut Entry, draw: &mut Draw) {
    let took = draw.below(30_000);
    match entry.outcome {
        Outcome::Answered => entry.status = Some(200),
        Outcome::Refused => {
            entry.status = Some([400, 401, 404, 429, 503][place(draw, 5)]);
            entry.refused_by = Some("weir".into());
        }
        Outcome::Failed => {
            entry.status = Some([200, 429, 500, 502][place(draw, 4)]);
            entry.refused_by = Some(["weir", "openai", "anthropic"][place(draw, 3)].into());
        }
        Outcome::Cancelled => entry.status = Some(499),
        Outcome::Lost | Outcome::Open => {
            entry.attempts.clear();
            entry.events.clear();
            return;
        }
    }
    entry.code = entry.refused_by.as_ref().map(|_| "some_code".into());
    entry.usage = entry.attempts.last().and_then(|attempt| attempt.usage);
    entry.ended_at = Some(WallTime(entry.started_at.0 + took.cast_signed() * 1_000 + 777));
    if entry.outcome == Outcome::Answered {
        entry.first_content_ms = Some(took / 3);
    }
    entry.queued_ms = if draw.below(6) == 0 { draw.below(9_000) } else { 0 };
    entry.overhead_us = Some(draw.below(400));
}
