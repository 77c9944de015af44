//! What the engine costs per request: with no limits, below its limits, and with 10,000 requests in line before it.
//!
//! `cargo bench -p weir-engine`. The bar is 5 µs at the median for one admission with 10,000 waiting, and 1 µs for reserving
//! and settling.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use weir_engine::{
    Ask, Call, Candidate, ChargeModel, Engine, Outcome, Priority, ProviderLimits, Settings, Step, Strategy,
};
use weir_units::{DeploymentId, Dimension, Limits, Moment, Tokens, Usage};

/// One request of a tenant, for a provider that has limits only where the engine's settings say so.
fn ask(tenant: u64, priority: Priority) -> Ask {
    Ask {
        candidates: vec![Candidate {
            deployment: DeploymentId::new("p", "m"),
            host: Arc::from("p"),
            window: None,
            charge: ChargeModel::METERED,
            input: Tokens(1_000),
        }],
        strategy: Strategy::Failover,
        tenant: Arc::from(format!("t{tenant}")),
        cost: 1_200,
        input: Tokens(1_000),
        max_output: Some(400),
        bytes: 4_000,
        priority,
        deadline: None,
        wait_until: Some(Moment(3_600_000_000_000)),
        repeatable: true,
        pinned: false,
    }
}

fn engine(limits: Limits) -> Engine {
    let mut settings = Settings::default();
    settings.limits.providers.insert(Arc::from("p"), ProviderLimits { limits, ..ProviderLimits::default() });
    settings.queue.max_requests = 1_000_000;
    settings.queue.max_bytes = 1 << 40;
    let mut engine = Engine::new(settings.clone(), 1);
    engine.configure(settings, vec![DeploymentId::new("p", "m")], std::collections::BTreeMap::new());
    engine
}

fn plenty() -> Limits {
    Limits::NONE
        .with(Dimension::RequestsPerMinute, 1 << 36)
        .with(Dimension::InputTokensPerMinute, 1 << 38)
        .with(Dimension::OutputTokensPerMinute, 1 << 38)
        .with(Dimension::ConcurrentRequests, 1 << 30)
}

/// A whole request that is answered at once.
fn whole(engine: &mut Engine, now: Moment) {
    let mut call = engine.begin(now, ask(now.0 % 8, Priority::Interactive));
    assert!(matches!(engine.next(now, &mut call), Step::Send(_)), "there is room");
    engine.content(now, &mut call, Duration::from_millis(100));
    let usage = Usage { input: Tokens(1_000), output: Tokens(150), ..Usage::default() };
    engine.used(&mut call, usage);
    engine.report(now, &mut call, Outcome::Success);
    engine.end(now, call);
}

/// An engine with `waiting` requests of `tenants` tenants in line, and the calls that wait.
fn crowded(waiting: u64, tenants: u64) -> (Engine, Vec<Call>) {
    let limits = Limits::NONE.with(Dimension::RequestsPerMinute, 600).with(Dimension::TokensPerMinute, 600_000);
    let mut engine = engine(limits);
    let mut calls = Vec::new();
    for n in 0..waiting {
        let priority = Priority::ALL[(n % 3) as usize];
        let mut call = engine.begin(Moment(n), ask(n % tenants, priority));
        engine.next(Moment(n), &mut call);
        calls.push(call);
    }
    (engine, calls)
}

fn admission(c: &mut Criterion) {
    let mut free = engine(Limits::NONE);
    let mut now = Moment(1);
    c.bench_function("a request without limits", |b| {
        b.iter(|| {
            now = now + Duration::from_micros(100);
            whole(&mut free, now);
        });
    });
    let mut limited = engine(plenty());
    c.bench_function("a request below four limits", |b| {
        b.iter(|| {
            now = now + Duration::from_micros(100);
            whole(&mut limited, now);
        });
    });
    for tenants in [3, 50, 1_000] {
        let (mut engine, calls) = crowded(10_000, tenants);
        let mut at = Moment(20_000);
        c.bench_function(&format!("getting in line behind 10,000 of {tenants} tenants, and leaving it"), |b| {
            let mut next = 0;
            b.iter_batched(
                || {
                    next += 1;
                    ask(next % tenants, Priority::Standard)
                },
                |ask| {
                    at = at + Duration::from_nanos(10);
                    let mut call = engine.begin(at, ask);
                    engine.next(at, &mut call);
                    engine.end(at, call);
                },
                BatchSize::SmallInput,
            );
        });
        drop(calls);
    }
}

criterion_group!(benches, admission);
criterion_main!(benches);
