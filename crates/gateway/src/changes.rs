//! The changes of mind of the engine and of budgets, as facts for the ledger and lines for the log. A benched credential is one that a person
//! should notice, so it is logged as an error.

use std::sync::Arc;

use weir_engine::{BudgetChange, BudgetRefusal, Change, RefusedFor};
use weir_ledger::Fact;
use weir_units::{Moment, WallTime};

use crate::clock::{Clock, wall};

/// The fact of a change.
pub(crate) fn fact(change: Change, clock: &Clock) -> Fact {
    let calendar = |until: Moment| -> WallTime { wall() + until.since(clock.now()) };
    match change {
        Change::Breaker { scope, from, to, why } => {
            Fact::BreakerChanged { scope: scope.to_string(), from: from.name(), to: to.name(), why: why.to_owned() }
        }
        Change::CredentialBenched { provider, class, until } => {
            Fact::CredentialBenched { provider: text(&provider), class, until: Some(calendar(until)) }
        }
        Change::CredentialRestored { provider } => Fact::CredentialRestored { provider: text(&provider) },
        Change::ModelBenched { deployment, class, until } => {
            Fact::ModelBenched { deployment: deployment.name(), class, until: Some(calendar(until)) }
        }
        Change::Limit { pool, dimension, old, new, how } => {
            Fact::LimitChanged { pool: pool.to_string(), limit: dimension.name(), old, new, how: how.to_owned() }
        }
        Change::ModelRestored { deployment } => Fact::ModelRestored { deployment: deployment.name() },
    }
}

/// The fact of a budget's change.
pub(crate) fn of_budget(change: BudgetChange) -> Fact {
    match change {
        BudgetChange::Warned { budget, at_ppm, spent, limit, resets_at, .. } => Fact::BudgetWarned {
            budget: text(&budget.name),
            scope: budget.scope.name(),
            share: f64::from(at_ppm) / 1e6,
            spent_usd: spent.to_string(),
            limit_usd: limit.to_string(),
            resets_at,
        },
        BudgetChange::Refused(refusal) => Fact::BudgetRefused {
            budget: text(&refusal.budget.name),
            scope: refusal.budget.scope.name(),
            why: why(refusal.why),
            limit_usd: refusal.limit.to_string(),
            spent_usd: refusal.spent.to_string(),
            reserved_usd: refusal.reserved.to_string(),
            needed_usd: refusal.needed.to_string(),
            resets_at: refusal.resets_at,
        },
    }
}

/// The fact that a budget does not pay for a call of `deployment`.
pub(crate) fn too_dear(deployment: &Arc<str>, refusal: &BudgetRefusal) -> Fact {
    Fact::TooDear {
        deployment: Arc::clone(deployment),
        budget: text(&refusal.budget.name),
        why: why(refusal.why),
        needed_usd: refusal.needed.to_string(),
    }
}

fn why(why: RefusedFor) -> &'static str {
    match why {
        RefusedFor::Spent => "it is spent",
        RefusedFor::TooLittleLeft => "too little is left",
        RefusedFor::UnknownPrice => "the price is unknown",
    }
}

/// Tells the operator.
pub(crate) fn log(fact: &Fact) {
    let words = fact.in_words();
    match fact {
        Fact::CredentialBenched { .. } | Fact::BudgetRefused { .. } => tracing::error!("{words}"),
        Fact::BudgetWarned { .. }
        | Fact::BreakerChanged { .. }
        | Fact::ModelBenched { .. }
        | Fact::LimitChanged { .. } => {
            tracing::warn!("{words}")
        }
        _ => tracing::info!("{words}"),
    }
}

fn text(name: &Arc<str>) -> String {
    name.to_string()
}
