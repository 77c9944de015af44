//! Which requests are meant: one filter for lists, counts, series and exports.

use weir_units::{NanoUsd, RequestId, WallTime};

use crate::db::Statement;
use crate::entry::Outcome;
use crate::query::{first_after, key};
use crate::seen::Seen;
use crate::series::WASTE;

/// What asks for waste for whatever reason.
pub(crate) const ANY_WASTE: &str = "any";

/// Which requests are asked for. What is left out does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that arrived at this time or later.
    pub since: Option<WallTime>,
    /// Only those that arrived before this time.
    pub until: Option<WallTime>,
    /// Only those of this key.
    pub key: Option<String>,
    /// Only those of this tenant.
    pub tenant: Option<String>,
    /// Only those of this route.
    pub route: Option<String>,
    /// Only those that called this deployment, `provider/model`, whatever else they called.
    pub deployment: Option<String>,
    /// Only those that called this provider.
    pub provider: Option<String>,
    /// Only those that called this model, by its provider's name for it.
    pub model: Option<String>,
    /// Only those that ended with this status.
    pub status: Option<StatusFilter>,
    /// Only those whose client got an error or nothing whole: refused, failed or lost.
    pub errors: bool,
    /// Only those that were refused by `weir`, by any `provider`, or by the provider of this name.
    pub refused_by: Option<String>,
    /// Only those that ended so.
    pub outcome: Option<Outcome>,
    /// Only those of this run.
    pub run: Option<String>,
    /// Only those with this tag, its name and its value.
    pub tag: Option<(String, String)>,
    /// Only those that are known to have cost this much or more.
    pub min_cost: Option<NanoUsd>,
    /// Only those of this trace, by its id.
    pub trace: Option<u128>,
    /// Only those of which a call has this id at its provider.
    pub upstream: Option<String>,
    /// Only those that asked for the same, by its keyed hash.
    pub content: Option<u64>,
    /// Only those of which something was wasted: for the reason of this name, or for `any`.
    pub waste: Option<String>,
}

/// A status, or all of its hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// Just this one.
    Exact(u16),
    /// This one's hundred: 4 for 400 to 499.
    Class(u8),
}

impl StatusFilter {
    /// Reads `404`, or `4xx`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix("xx") {
            Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class),
            None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::Exact),
        }
    }

    pub(crate) fn holds(self, status: u16) -> bool {
        match self {
            Self::Exact(exact) => status == exact,
            Self::Class(class) => status / 100 == u16::from(class),
        }
    }
}

impl Filter {
    /// Whether a request is meant, also by its time.
    pub(crate) fn holds(&self, seen: &Seen) -> bool {
        self.since.is_none_or(|since| seen.started_at >= since)
            && self.until.is_none_or(|until| seen.started_at < until)
            && is(self.key.as_ref(), seen.key.as_deref())
            && is(self.tenant.as_ref(), seen.tenant.as_deref())
            && is(self.route.as_ref(), seen.route.as_deref())
            && is(self.run.as_ref(), seen.run.as_deref())
            && self.status.is_none_or(|wanted| seen.status.is_some_and(|status| wanted.holds(status)))
            && (!self.errors || is_error(seen.outcome))
            && self.outcome.is_none_or(|outcome| seen.outcome == outcome)
            && self.refused_by.as_ref().is_none_or(|by| refused_by(by, seen.refused_by.as_deref()))
            && self.min_cost.is_none_or(|least| seen.cost.is_some_and(|cost| cost >= least))
            && self.trace.is_none_or(|trace| seen.trace == Some(trace))
            && self.content.is_none_or(|content| seen.content == Some(content))
            && self
                .tag
                .as_ref()
                .is_none_or(|(name, value)| seen.tags.iter().any(|(n, v)| **n == **name && **v == **value))
            && self.holds_calls(seen)
    }

    fn holds_calls(&self, seen: &Seen) -> bool {
        let any = |wanted: Option<&String>, of: fn(&str) -> &str| {
            wanted.is_none_or(|wanted| seen.calls.iter().any(|call| of(&call.deployment) == wanted))
        };
        let upstream = |id: &String| seen.calls.iter().any(|call| call.upstream.as_deref() == Some(id));
        let wasted = |why: &String| {
            let mut all = seen.calls.iter().flat_map(|call| &call.wasted);
            all.any(|waste| why == ANY_WASTE || WASTE[waste.why] == why)
        };
        any(self.deployment.as_ref(), |name| name)
            && any(self.provider.as_ref(), provider)
            && any(self.model.as_ref(), model)
            && self.upstream.as_ref().is_none_or(upstream)
            && self.waste.as_ref().is_none_or(wasted)
    }

    /// Adds to a statement over `requests` what columns can tell; the rest is for [`Filter::holds`].
    pub(crate) fn push(&self, sql: &mut Statement) {
        if let Some(until) = self.until.map(within) {
            sql.push(" AND id < ").bind(key(first_after(until)));
            sql.push(" AND started_at < ").bind(until.0);
        }
        if let Some(since) = self.since.map(within) {
            sql.push(" AND id >= ").bind(key(RequestId::new(since.millis(), 0)));
            sql.push(" AND started_at >= ").bind(since.0);
        }
        for (column, value) in
            [("key", &self.key), ("tenant", &self.tenant), ("route", &self.route), ("run", &self.run)]
        {
            if let Some(value) = value {
                sql.push(&format!(" AND {column} = ")).bind(value.as_str());
            }
        }
        match self.status {
            Some(StatusFilter::Exact(status)) => {
                sql.push(" AND status = ").bind(i64::from(status));
            }
            Some(StatusFilter::Class(class)) => {
                sql.push(" AND status / 100 = ").bind(i64::from(class));
            }
            None => {}
        }
        if self.errors {
            sql.push(" AND outcome IN ('refused', 'failed', 'lost')");
        }
        if let Some(outcome) = self.outcome {
            sql.push(" AND outcome = ").bind(outcome.name());
        }
        if let Some(least) = self.min_cost {
            sql.push(" AND cost_nano >= ").bind(least.0);
        }
    }
}

/// Whether the client got an error, or nothing whole.
pub(crate) fn is_error(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Refused | Outcome::Failed | Outcome::Lost)
}

pub(crate) fn provider(deployment: &str) -> &str {
    deployment.split_once('/').map_or("", |(provider, _)| provider)
}

pub(crate) fn model(deployment: &str) -> &str {
    deployment.split_once('/').map_or(deployment, |(_, model)| model)
}

/// An id has room for some nine thousand years.
pub(crate) fn within(at: WallTime) -> WallTime {
    WallTime(at.0.clamp(0, 281_474_976_710_000_000))
}

fn is(wanted: Option<&String>, value: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| value == Some(wanted))
}

pub(crate) fn refused_by(wanted: &str, by: Option<&str>) -> bool {
    by.is_some_and(|by| by == wanted || (wanted == "provider" && by != "weir"))
}
