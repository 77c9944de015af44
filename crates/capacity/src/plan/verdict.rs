//! The answer: does it fit, by what, how much would, what it costs, and what if a provider were gone.

use serde::Serialize;

use super::assess::{Assessment, Existing, LATE, Without, assess};
use super::cost::{Calendar, Money, monthly};
use super::demand::{P95, Request, demand_of, whole};
use super::hosting::{Hosting, SelfHosted, break_even};
use super::load::{Arrivals, Load};
use super::proof::Proof;
use super::site::Site;

/// The answer to "does it fit".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does.
    Fits,
    /// It does not.
    DoesNotFit,
    /// A limit, a price or a route is not known.
    Unknown,
}

/// Which of the two the answer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The formulas, as nobody simulated it.
    Formula,
    /// The formulas: more is asked on average than there is, which no simulation changes.
    FormulaAlone,
    /// The simulation, which is believed where the two differ.
    Simulation,
}

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Whether it fits.
    pub verdict: Verdict,
    /// By what.
    pub basis: Basis,
    /// Whether formula and simulation say different things.
    pub differs: bool,
    /// The formulas.
    pub formula: Assessment,
    /// The simulation, if there was one.
    pub proof: Option<Proof>,
    /// The share that waits at all, as it is believed.
    pub p_wait: f64,
    /// The share that waits longer than its deadline, as it is believed.
    pub p_late: f64,
    /// The deadline, in seconds; of several, the first that ends.
    pub deadline_s: f64,
    /// How many users, or times this load, fit as it is.
    pub fits_users: Option<u64>,
    /// How much of this load fits as it is; 1 is all of it.
    pub fits_share: Option<f64>,
    /// A month.
    pub cost: Money,
    /// With each provider gone.
    pub failover: Vec<Without>,
    /// Beside machines of one's own, if that was asked.
    pub self_hosted: Option<SelfHosted>,
}

/// What is asked, and what is known.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What there is.
    pub site: &'a Site,
    /// What is to come.
    pub loads: &'a [Load],
    /// What is asked already.
    pub existing: &'a [Existing],
    /// For how long.
    pub calendar: Calendar,
    /// Machines of one's own to compare with.
    pub hosting: Option<Hosting>,
}

/// Works a plan out; with a proof, if one was made.
#[must_use]
pub fn conclude(question: &Question<'_>, proof: Option<Proof>) -> Plan {
    let Question { site, loads, existing, calendar, hosting } = *question;
    let formula = assess(site, loads, existing, calendar.hours, None);
    let cost = monthly(site, loads, calendar);
    let simulated = proof.as_ref().map(|proof| proof.p_late <= LATE && days_fit(&formula));
    let over = formula.is_over();
    let (fits, basis) = match simulated {
        None => (formula.fits, Basis::Formula),
        Some(_) if over => (false, Basis::FormulaAlone),
        Some(fits) => (fits, Basis::Simulation),
    };
    let differs = simulated.is_some_and(|fits| fits != formula.fits);
    let verdict = match fits {
        false => match formula.limits.is_empty() && !formula.missing.is_empty() {
            true => Verdict::Unknown,
            false => Verdict::DoesNotFit,
        },
        true if formula.missing.is_empty() && cost.unpriced.is_empty() => Verdict::Fits,
        true => Verdict::Unknown,
    };
    let known = formula.missing.is_empty() || !formula.limits.is_empty();
    let share = known.then(|| most_that_fits(question)).flatten();
    let users = match loads {
        [Load { arrivals: Arrivals::Users { users, .. }, .. }] => {
            share.map(|share| whole((f64::from(*users) * share).floor()))
        }
        _ => None,
    };
    let believed = |by_proof: fn(&Proof) -> f64, by_formula: f64| proof.as_ref().map_or(by_formula, by_proof);
    Plan {
        verdict,
        basis,
        differs,
        p_wait: believed(|proof| proof.p_wait, formula.p_wait),
        p_late: believed(|proof| proof.p_late, formula.p_late),
        deadline_s: loads.iter().map(|load| load.deadline.as_secs_f64()).fold(f64::INFINITY, f64::min).min(1e9),
        fits_users: users,
        fits_share: share,
        failover: failover(question),
        self_hosted: hosting.and_then(|hosting| break_even(&cost, peak_tokens(loads), &hosting)),
        cost,
        formula,
        proof,
    }
}

/// A run is shorter than a day, so what a day takes is reckoned.
fn days_fit(formula: &Assessment) -> bool {
    formula.limits.iter().filter(|limit| limit.dimension.is_daily()).all(super::LimitNeed::fits)
}

/// The largest part of the load that fits by formula, at most a thousand times; none if not even the beginning of it does.
fn most_that_fits(question: &Question<'_>) -> Option<f64> {
    let Question { site, loads, existing, calendar, .. } = *question;
    let users = match loads {
        [Load { arrivals: Arrivals::Users { users, .. }, .. }] => Some(f64::from(*users)),
        _ => None,
    };
    let fits = |share: f64| {
        let scaled: Vec<Load> = loads.iter().map(|load| load.times(share)).collect();
        assess(site, &scaled, existing, calendar.hours, None).fits
    };
    if !fits(0.0) {
        return Some(0.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while fits(high) {
        (low, high) = (high, high * 2.0);
        if high > 1_000.0 {
            return None;
        }
    }
    for _ in 0..30 {
        // A user is the least that can be told apart.
        if users.is_some_and(|users| (high - low) * users < 0.25) || high - low < 1e-4 {
            break;
        }
        let middle = (low + high) / 2.0;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    // As many users as the upper end does not reach.
    Some(match users {
        Some(users) if fits((high * users).floor() / users) => (high * users).floor() / users,
        Some(users) => (low * users).floor() / users,
        None => low,
    })
}

fn failover(question: &Question<'_>) -> Vec<Without> {
    let Question { site, loads, existing, calendar, .. } = *question;
    let mut providers = Vec::new();
    for load in loads {
        for provider in site.providers_of(&load.route) {
            if !providers.contains(&provider) {
                providers.push(provider);
            }
        }
    }
    let without = |provider: &std::sync::Arc<str>| {
        let of = assess(site, loads, existing, calendar.hours, Some(provider));
        let gone = |load: &&Load| !of.split.contains_key(&*load.route) && site.route(&load.route).is_some();
        let stranded: Vec<String> = loads.iter().filter(gone).map(|load| load.route.to_string()).collect();
        let fits = match (of.missing.is_empty(), of.fits, stranded.is_empty()) {
            (_, _, false) | (_, false, true) => Some(false),
            (true, true, true) => Some(true),
            (false, true, true) => None,
        };
        Without { provider: provider.to_string(), fits, stranded, binds: of.binding().cloned() }
    };
    providers.iter().map(without).collect()
}

/// Tokens a second in the peak minute, input and output together.
fn peak_tokens(loads: &[Load]) -> f64 {
    let per_minute = |load: &Load| {
        let of = demand_of(load, 1.0, weir_engine::ChargeModel::METERED, weir_units::Dimension::TokensPerMinute, 24.0);
        let mean = Request::mean_of(load);
        of.mean.max(load.rate() * 60.0 * (mean.input + mean.output)) + P95 * of.variance.sqrt()
    };
    loads.iter().map(per_minute).sum::<f64>() / 60.0
}

#[cfg(test)]
mod tests;
