//! What budgets cost per attempt: reserving and settling in four scopes, and a whole request of one attempt.
//!
//! `cargo bench -p weir-engine --bench budgets`. The bar is 1 µs for reserving and settling.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use weir_engine::{
    Bill, BudgetHandle, BudgetId, BudgetMode, BudgetScope, BudgetSettings, Budgets, BudgetsSettings, Estimate, Lending,
    Period, Reserve, ToRecord,
};
use weir_units::{DeploymentId, Moment, NanoUsd, WallTime};

const WALL: WallTime = WallTime(1_795_000_000_000_000);
const ESTIMATE: Estimate = Estimate::Known { worst: NanoUsd(40_000_000), likely: NanoUsd(10_000_000) };

/// Budgets of an org, a tenant, a key and a run, all on record as far as they are asked.
fn four(mode: BudgetMode, under_way: u64) -> (Budgets, [BudgetHandle; 4], DeploymentId) {
    let mut budgets = Budgets::new(BudgetsSettings::default());
    let scopes = [BudgetScope::Org, BudgetScope::Tenant, BudgetScope::Key, BudgetScope::Run];
    let handles = scopes.map(|scope| {
        let mut settings = BudgetSettings::new(NanoUsd(i64::MAX / 4), Period::Month, mode);
        settings.lending = Lending::Durable;
        settings.warn_at_ppm = vec![500_000, 800_000];
        budgets.declare(WALL, &BudgetId::new(scope, "some-name"), settings)
    });
    let deployment = DeploymentId::new("openai", "gpt-5.2");
    let request = budgets.open(&handles);
    while let Reserve::Wait(_) = budgets.reserve(Moment(0), WALL, &request, &deployment, ESTIMATE) {
        record(&mut budgets);
    }
    for _ in 0..under_way {
        let held = budgets.reserve(Moment(0), WALL, &request, &deployment, ESTIMATE);
        assert!(matches!(held, Reserve::Held(_)));
    }
    budgets.close(request);
    (budgets, handles, deployment)
}

fn record(budgets: &mut Budgets) {
    while let Some(to_record) = budgets.poll_record() {
        if let ToRecord::Lend(lease) = to_record {
            budgets.lent(&lease);
        }
    }
}

fn in_four_scopes(c: &mut Criterion) {
    for (mode, name) in [(BudgetMode::Strict, "strict"), (BudgetMode::Soft, "soft")] {
        for under_way in [0, 1_000] {
            let (mut budgets, handles, deployment) = four(mode, under_way);
            let request = budgets.open(&handles);
            let mut now = Moment(1);
            c.bench_function(&format!("reserve and settle in four {name} scopes, {under_way} under way"), |b| {
                b.iter(|| {
                    now = now + Duration::from_micros(1);
                    attempt(&mut budgets, now, &request, &deployment);
                });
            });
            c.bench_function(&format!("a whole request in four {name} scopes, {under_way} under way"), |b| {
                b.iter(|| {
                    now = now + Duration::from_micros(1);
                    let request = budgets.open(&handles);
                    attempt(&mut budgets, now, &request, &deployment);
                    budgets.close(request);
                });
            });
            budgets.close(request);
        }
    }
}

fn attempt(budgets: &mut Budgets, now: Moment, request: &weir_engine::BudgetRequest, deployment: &DeploymentId) {
    match budgets.reserve(now, black_box(WALL), request, deployment, black_box(ESTIMATE)) {
        Reserve::Held(held) => budgets.settle(held, Bill::Cost(black_box(NanoUsd(9_000_000)))),
        Reserve::Wait(_) => record(budgets),
        Reserve::Refused(refusal) => panic!("{refusal}"),
    }
}

criterion_group!(benches, in_four_scopes);
criterion_main!(benches);
