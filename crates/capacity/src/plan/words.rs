//! A plan's figures, as they are said and as they are written for programs.

use serde::Serializer;
use weir_units::numbers::percent;
use weir_units::{Dimension, NanoUsd, numbers};

use super::assess::LimitNeed;
use super::demand::whole;
use super::hosting::SelfHosted;
use super::verdict::{Plan, Verdict};

/// A count that was worked out, in three digits: `2.37M`.
#[must_use]
pub fn figure(count: f64) -> String {
    let digits = if count >= 1_000.0 { 10_f64.powf(count.log10().floor() - 2.0) } else { 1.0 };
    numbers::short(whole((count / digits).round() * digits))
}

/// What 19 of 20 requests wait at most, as the end of a sentence; none is without end.
#[must_use]
pub fn wait(p95_s: Option<f64>) -> String {
    match p95_s {
        None => "19 of 20 wait without end".to_owned(),
        Some(wait) if wait < 0.000_5 => "19 of 20 do not wait".to_owned(),
        Some(wait) => format!("19 of 20 wait up to {}", duration(wait)),
    }
}

/// Seconds, as they are said: `20 s`, `1.5 s`, `4 min 10 s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 60.0 && (seconds - seconds.round()).abs() < 0.05 {
        return format!("{}\u{202f}s", whole(seconds));
    }
    numbers::micros(whole(seconds * 1e6))
}

impl LimitNeed {
    /// Whose limit it is and what it counts: `gpt-5 input tokens/min`.
    #[must_use]
    pub fn name(&self) -> String {
        let words = if self.dimension == Dimension::ConcurrentRequests { "in flight" } else { self.dimension.words() };
        format!("{} {words}", self.pool)
    }
}

impl Plan {
    /// The answer, in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let binds = self.formula.binding();
        match (self.verdict, binds) {
            (Verdict::Fits, Some(binds)) => {
                let peak = percent(binds.peak_use);
                format!(
                    "fits: {} is the fullest, at {peak} of {} in the peak minute",
                    binds.name(),
                    numbers::short(binds.has)
                )
            }
            (Verdict::Fits, None) => "fits".to_owned(),
            // Where neither the mean nor the peak is too much, it is those who wait between them.
            (Verdict::DoesNotFit, Some(binds))
                if binds.mean_use.max(binds.peak_use) > 1.0 && (!binds.fits() || self.proof.is_none()) =>
            {
                let (needs, mean) = (binds.needs, binds.mean_use);
                // A peak that is too much says so, where the mean is not.
                let (of, needs, share) =
                    if mean > 1.0 { ("needs", needs, mean) } else { ("peaks at", binds.peak, binds.peak_use) };
                let has = numbers::short(binds.has);
                format!("does not fit: {} {of} {}, has {has} ({})", binds.name(), figure(needs), percent(share))
            }
            (Verdict::DoesNotFit, _) => {
                let late = percent(self.p_late);
                format!(
                    "does not fit: {late} of requests wait longer than {} or are refused",
                    duration(self.deadline_s)
                )
            }
            (Verdict::Unknown, _) => {
                let missing = self.formula.missing.iter().chain(&self.cost.unpriced);
                let all: Vec<String> =
                    missing.map(|missing| format!("the {} of {}", missing.what, missing.of)).collect();
                format!("not known: {} is not declared", all.join(", "))
            }
        }
    }

    /// What would do, and how much fits as it is.
    #[must_use]
    pub fn fits_at(&self) -> Option<String> {
        let short: Vec<String> = self
            .formula
            .limits
            .iter()
            .filter(|limit| self.verdict != Verdict::Fits && !limit.fits())
            .map(|limit| format!("{} {}", numbers::short(limit.would_do), limit.name()))
            .collect();
        // What the simulation lets fit and the formula does not is no bound.
        if self.verdict == Verdict::Fits && self.fits_share.is_some_and(|share| share < 1.0) {
            return None;
        }
        let as_it_is = match (self.fits_users, self.fits_share) {
            (Some(users), _) => Some(format!("{} as it is", numbers::counted(users, "user"))),
            (None, Some(share)) if share >= 2.0 => Some(format!("{} times this load as it is", figure(share.floor()))),
            (None, Some(share)) => Some(format!("{} of this load as it is", percent(share))),
            (None, None) => None,
        };
        match (short.is_empty(), as_it_is) {
            (true, as_it_is) => as_it_is.map(|users| format!("up to {users}")),
            (false, None) => Some(short.join(", ")),
            (false, Some(users)) => Some(format!("{}, or {users}", short.join(", "))),
        }
    }
}

impl SelfHosted {
    /// How the two compare, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let gpus = numbers::counted(self.gpus, "GPU");
        let month = numbers::about_dollars(self.usd_a_month);
        let planned = numbers::short(self.tokens_a_month);
        let even = match self.break_even_tokens {
            Some(tokens) if self.can_break_even => format!("cheaper from {} tokens a month on", numbers::short(tokens)),
            Some(tokens) => format!(
                "never cheaper: the break-even of {} tokens a month is more than the {} that they serve",
                numbers::short(tokens),
                numbers::short(self.capacity_tokens)
            ),
            None => "never cheaper: the API costs nothing".to_owned(),
        };
        let short = if self.gpus < self.gpus_for_peak {
            format!("; the peak minute takes {}", numbers::count(self.gpus_for_peak))
        } else {
            String::new()
        };
        format!("{gpus} at {month} a month, {even}; planned are {planned}{short}")
    }
}

pub(super) fn name<S: Serializer>(dimension: &Dimension, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dimension.name())
}

/// Exact dollars, as all figures of money are written.
pub(super) fn dollars<S: Serializer>(amount: &NanoUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

pub(super) fn some_dollars<S: Serializer>(amount: &Option<NanoUsd>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(amount),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let plain = |text: String| text.replace('\u{202f}', " ");
        for (text, said) in [
            (figure(2_368_421.0), "2.37M"),
            (figure(789.47), "789"),
            (figure(105.26), "105"),
            (duration(20.0), "20 s"),
            (duration(1.54), "1.5 s"),
            (duration(250.0), "4 min 10 s"),
        ] {
            assert_eq!(plain(text), said);
        }
    }
}
