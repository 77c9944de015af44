//! The engine's changes of mind, as facts for the ledger and lines for the log. A benched credential is one that a person
//! should notice, so it is logged as an error.

use std::sync::Arc;

use weir_engine::Change;
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
            Fact::ModelBenched { deployment: deployment.to_string(), class, until: Some(calendar(until)) }
        }
        Change::Limit { pool, dimension, old, new, how } => {
            Fact::LimitChanged { pool: pool.to_string(), limit: dimension.name(), old, new, how: how.to_owned() }
        }
        Change::ModelRestored { deployment } => Fact::ModelRestored { deployment: deployment.to_string() },
    }
}

/// Tells the operator.
pub(crate) fn log(fact: &Fact) {
    let words = fact.in_words();
    match fact {
        Fact::CredentialBenched { .. } => tracing::error!("{words}"),
        Fact::BreakerChanged { .. } | Fact::ModelBenched { .. } | Fact::LimitChanged { .. } => {
            tracing::warn!("{words}")
        }
        _ => tracing::info!("{words}"),
    }
}

fn text(name: &Arc<str>) -> String {
    name.to_string()
}
