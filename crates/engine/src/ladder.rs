//! What a fault leads to: the table of ARCHITECTURE.md, row by row, and nothing else.

use std::time::Duration;

use weir_units::FaultClass;

use crate::ask::WaitReason;
use crate::settings::RetrySettings;

/// Overloaded providers and rate limits are given at least this much (docs/policy.md, Retries).
const CALM_BASE: Duration = Duration::from_secs(1);
/// A 429 is never followed at once, whatever was drawn: the limit has had no time to refill.
const SHORTEST_LIMIT_WAIT: Duration = Duration::from_millis(50);

/// What a fault leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Nowhere: the request is at fault, or its answer has begun.
    Stop,
    /// To the next deployment, at once.
    Next,
    /// To a deployment with a larger context window.
    LargerWindow,
    /// To the same deployment, after a wait, then to the next.
    Same(Repeat),
}

/// How the same deployment is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// What the backoff doubles from.
    pub(crate) base: Duration,
    pub(crate) at_least: Duration,
    pub(crate) why: WaitReason,
    /// What it takes from the retry budget, in parts per million of the call's cost.
    pub(crate) price_ppm: u32,
}

/// The row for a fault before content.
pub(crate) fn lead(class: FaultClass, retry_after: Option<Duration>, retry: &RetrySettings) -> Lead {
    let advised = |base: Duration, floor: Duration, price_ppm: u32| match retry_after {
        Some(after) if after > retry.patience => Lead::Next,
        Some(after) => Lead::Same(Repeat { base, at_least: after.max(floor), why: WaitReason::RetryAfter, price_ppm }),
        None => Lead::Same(Repeat { base, at_least: floor, why: WaitReason::Backoff, price_ppm }),
    };
    match class {
        FaultClass::Connect | FaultClass::Reset | FaultClass::ServerError => {
            advised(retry.base, Duration::ZERO, 1_000_000)
        }
        FaultClass::Overloaded => {
            // The provider chose the moment, so it is half as likely to be in vain.
            let price_ppm = if retry_after.is_some() { 500_000 } else { 1_000_000 };
            advised(retry.base.max(CALM_BASE), Duration::ZERO, price_ppm)
        }
        FaultClass::RateLimited => advised(CALM_BASE, SHORTEST_LIMIT_WAIT, 0),
        FaultClass::FirstByteTimeout
        | FaultClass::FirstContentTimeout
        | FaultClass::Unauthorized
        | FaultClass::Billing
        | FaultClass::Forbidden
        | FaultClass::ForbiddenCredential
        | FaultClass::ModelNotFound => Lead::Next,
        FaultClass::ContextLength => Lead::LargerWindow,
        FaultClass::ContentFilter | FaultClass::Rejected | FaultClass::Stalled | FaultClass::Cut => Lead::Stop,
    }
}

/// Whether the fault says that the provider did not begin with the request, so that even a stateful one may be repeated.
pub(crate) fn proves_not_started(class: FaultClass) -> bool {
    match class {
        FaultClass::Connect
        | FaultClass::Overloaded
        | FaultClass::RateLimited
        | FaultClass::Unauthorized
        | FaultClass::Billing
        | FaultClass::Forbidden
        | FaultClass::ForbiddenCredential
        | FaultClass::ModelNotFound
        | FaultClass::ContextLength
        | FaultClass::ContentFilter
        | FaultClass::Rejected => true,
        FaultClass::Reset
        | FaultClass::ServerError
        | FaultClass::FirstByteTimeout
        | FaultClass::FirstContentTimeout
        | FaultClass::Stalled
        | FaultClass::Cut => false,
    }
}

/// Whether the deployment's breaker counts it. A connect fault is its host's.
pub(crate) fn counts_against_deployment(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::Reset
            | FaultClass::ServerError
            | FaultClass::Overloaded
            | FaultClass::FirstByteTimeout
            | FaultClass::FirstContentTimeout
            | FaultClass::Stalled
            | FaultClass::Cut
    )
}

/// Whether going on elsewhere after it is paid for, as repeating is.
pub(crate) fn costs_budget(class: FaultClass) -> bool {
    class == FaultClass::Connect || counts_against_deployment(class)
}

/// Whether it tells of this gateway's own configuration: its credential, its account, its model names.
pub(crate) fn is_ours(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::Unauthorized
            | FaultClass::Billing
            | FaultClass::Forbidden
            | FaultClass::ForbiddenCredential
            | FaultClass::ModelNotFound
    )
}
