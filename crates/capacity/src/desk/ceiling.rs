//! A limit in one dimension, who said it, and what takes from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_engine::{ChargeModel, DayStart, OutputCharge, PoolId};
use weir_ledger::Demand;
use weir_units::{DeploymentId, Dimension};

/// A limit of a pool in one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// Whose it is: a provider's account, a pool that models share, or one model. Never a client's key.
    pub pool: PoolId,
    /// What it limits.
    pub dimension: Dimension,
    /// The limit in force.
    pub limit: u64,
    /// What the config declares.
    pub declared: Option<u64>,
    /// What the provider's headers state.
    pub stated: Option<u64>,
    /// Which deployments take from it.
    pub members: Members,
    /// How each provider counts what takes from it, by the provider's name.
    pub charges: BTreeMap<Arc<str>, ChargeModel>,
    /// When its days begin.
    pub day: DayStart,
}

/// Which deployments take from a ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// All of a provider, whatever the model.
    Provider(Arc<str>),
    /// These.
    These(Vec<DeploymentId>),
}

impl Members {
    /// Whether a deployment is one of them.
    #[must_use]
    pub fn hold(&self, deployment: &DeploymentId) -> bool {
        match self {
            Self::Provider(provider) => deployment.provider == *provider,
            Self::These(these) => these.contains(deployment),
        }
    }

    /// The providers they belong to, in order, each once.
    #[must_use]
    pub fn providers(&self) -> Vec<Arc<str>> {
        let mut providers = match self {
            Self::Provider(provider) => vec![Arc::clone(provider)],
            Self::These(these) => these.iter().map(|id| Arc::clone(&id.provider)).collect(),
        };
        providers.sort();
        providers.dedup();
        providers
    }
}

impl Ceiling {
    /// What demand of one of its members takes from it: requests, tokens, or, where it limits what is under way at once, the
    /// milliseconds that calls were under way.
    ///
    /// Demand is what was asked for, so that tokens are those that were used; what a provider holds back for `max_tokens`
    /// beyond them is not in it.
    #[must_use]
    pub fn takes(&self, deployment: &DeploymentId, demand: &Demand) -> u64 {
        let charge = self.charges.get(&deployment.provider).copied().unwrap_or(ChargeModel::METERED);
        let free = if charge.cached_input_is_free { demand.cached_input } else { 0 };
        let input = demand.input.saturating_sub(free);
        match self.dimension {
            Dimension::RequestsPerMinute | Dimension::RequestsPerDay => demand.requests,
            Dimension::InputTokensPerMinute => input,
            Dimension::OutputTokensPerMinute => demand.output,
            Dimension::TokensPerMinute if charge.output == OutputCharge::Free => input,
            Dimension::TokensPerMinute => {
                input.saturating_add(demand.output.saturating_mul(charge.output_weight.max(1)))
            }
            Dimension::TokensPerDay => demand.input.saturating_add(demand.output),
            Dimension::ConcurrentRequests => demand.busy_ms,
        }
    }

    /// `gpt-5 input tokens/min`, as alerts and pages name it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.pool, self.dimension.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceiling(dimension: Dimension, charge: ChargeModel) -> Ceiling {
        Ceiling {
            pool: PoolId::Provider("anthropic".into()),
            dimension,
            limit: 1_000,
            declared: Some(1_000),
            stated: None,
            members: Members::Provider("anthropic".into()),
            charges: BTreeMap::from([("anthropic".into(), charge)]),
            day: DayStart::Utc,
        }
    }

    const DEMAND: Demand =
        Demand { requests: 3, input: 1_000, cached_input: 600, output: 200, busy_ms: 90_000, throttled: 1 };

    #[test]
    fn demand_takes_from_each_ceiling_what_its_provider_counts() {
        let sonnet = DeploymentId::new("anthropic", "sonnet");
        for (dimension, charge, expected) in [
            (Dimension::RequestsPerMinute, ChargeModel::ANTHROPIC, 3),
            (Dimension::InputTokensPerMinute, ChargeModel::ANTHROPIC, 400),
            (Dimension::InputTokensPerMinute, ChargeModel::METERED, 1_000),
            (Dimension::OutputTokensPerMinute, ChargeModel::ANTHROPIC, 200),
            (Dimension::TokensPerMinute, ChargeModel::OPENAI, 1_200),
            (Dimension::TokensPerMinute, ChargeModel::BEDROCK, 1_400),
            (Dimension::TokensPerMinute, ChargeModel::GEMINI, 1_000),
            (Dimension::TokensPerDay, ChargeModel::ANTHROPIC, 1_200),
            (Dimension::ConcurrentRequests, ChargeModel::METERED, 90_000),
        ] {
            assert_eq!(ceiling(dimension, charge).takes(&sonnet, &DEMAND), expected, "{dimension:?} {charge:?}");
        }
    }

    #[test]
    fn a_provider_holds_all_its_models_and_a_pool_those_it_names() {
        let (sonnet, haiku) = (DeploymentId::new("anthropic", "sonnet"), DeploymentId::new("anthropic", "haiku"));
        assert!(Members::Provider("anthropic".into()).hold(&haiku));
        let these = Members::These(vec![sonnet.clone()]);
        assert!(these.hold(&sonnet) && !these.hold(&haiku));
        assert_eq!(these.providers(), [Arc::<str>::from("anthropic")]);
    }
}
