//! What a model makes of what a body looks like, learned from the usage that its provider reports.
//!
//! Tokens are taken for a weighted sum of features, and the weights are learned by recursive least squares: every report
//! moves them by as much as is still uncertain about them. The prior's own estimate is the first feature, so that a tokenizer that makes a third more
//! of everything is known after a few reports. Errors are relative, as a share of the tokens: a short request teaches as much as
//! a long one. Source: Haykin, "Adaptive Filter Theory", on recursive least squares, and Huber's weights for what is far off.

use super::shape::{FEATURES, Features, PRIOR};

/// The features, and before them what the prior makes of them.
const TERMS: usize = FEATURES + 1;
/// A symmetric matrix, of which one half is kept.
const HALF: usize = TERMS * (TERMS + 1) / 2;

/// The share by which a report differs from the best weights, as variance.
const NOISE: f64 = 0.01 * 0.01;
/// How far a weight may be from the prior's, in tokens, as variance; for the whole prior as a factor.
const SPREAD: f64 = 0.3 * 0.3;
const SPREAD_OF_BODY: f64 = 20.0 * 20.0;
const SPREAD_OF_PRIOR: f64 = 0.5 * 0.5;
/// What comes back of the first uncertainty at each report, so that a change is noticed: some hundreds of reports are remembered.
const DRIFT: f64 = 1e-5;
/// An error that is more than so many usual ones teaches as much as that many.
const FAR: f64 = 2.0;
/// After so many reports one in eight is enough to learn on and to notice a change, and where little is left to learn one in 32: it
/// spares most answers a few microseconds, and a look at their request's body.
const ENOUGH: u64 = 512;
/// A usual error that is little.
const LITTLE_ERROR: f64 = 0.02;
/// The least that is taken for a usual error.
const LEAST_ERROR: f64 = 0.005;

/// The weights of one model.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    weights: [f64; TERMS],
    uncertainty: Box<[f64; HALF]>,
    /// The usual relative error, a running mean.
    error: f64,
    reports: u64,
}

impl Learned {
    pub(super) fn new() -> Self {
        let mut weights = [0.0; TERMS];
        weights[0] = 1.0;
        let mut learned = Self { weights, uncertainty: Box::new([0.0; HALF]), error: 0.1, reports: 0 };
        learned.doubt();
        learned
    }

    /// The tokens of these features; any number, even none or a negative one.
    pub(super) fn tokens(&self, features: &Features) -> f64 {
        terms(features).iter().zip(&self.weights).map(|(term, weight)| term * weight).sum()
    }

    /// Whether the next report is one to learn from.
    pub(super) fn is_due(&mut self) -> bool {
        self.reports += 1;
        self.reports <= ENOUGH || self.reports.is_multiple_of(if self.error > LITTLE_ERROR { 8 } else { 32 })
    }

    /// Takes in that these features were so many `tokens`, more than none.
    pub(super) fn observe(&mut self, features: &Features, tokens: f64) {
        let terms = terms(features).map(|term| term / tokens);
        let error = 1.0 - terms.iter().zip(&self.weights).map(|(term, weight)| term * weight).sum::<f64>();
        let trust = (FAR * self.error.max(LEAST_ERROR) / error.abs().max(1e-9)).min(1.0);
        self.error += 0.05 * (error.abs().min(4.0 * self.error.max(LEAST_ERROR)) - self.error);
        let direction = self.times(&terms);
        let spread: f64 = terms.iter().zip(&direction).map(|(term, along)| term * along).sum();
        let whole = NOISE / trust + spread;
        if !(whole.is_finite() && error.is_finite() && whole > 0.0) {
            return self.doubt();
        }
        for (weight, along) in self.weights.iter_mut().zip(&direction) {
            *weight += along / whole * error;
        }
        let mut at = 0;
        for (row, along) in direction.iter().enumerate() {
            let step = along / whole;
            for other in &direction[row..] {
                self.uncertainty[at] -= step * other;
                at += 1;
            }
        }
        self.drift();
    }

    /// The uncertainty times these terms.
    fn times(&self, terms: &[f64; TERMS]) -> [f64; TERMS] {
        let mut product = [0.0; TERMS];
        let mut at = 0;
        for row in 0..TERMS {
            product[row] += self.uncertainty[at] * terms[row];
            at += 1;
            for column in row + 1..TERMS {
                product[row] += self.uncertainty[at] * terms[column];
                product[column] += self.uncertainty[at] * terms[row];
                at += 1;
            }
        }
        product
    }

    /// Weights may change while nobody looks; what is not seen for long is as uncertain as at first, never more.
    fn drift(&mut self) {
        let mut at = 0;
        for row in 0..TERMS {
            let first = first_spread(row);
            let now = &mut self.uncertainty[at];
            if *now < 0.0 {
                // Rounding took more than there was.
                return self.doubt();
            }
            if *now < first {
                *now += first * DRIFT;
            }
            at += TERMS - row;
        }
    }

    /// Starts to learn anew, from the weights as they are.
    fn doubt(&mut self) {
        self.uncertainty.fill(0.0);
        let mut at = 0;
        for row in 0..TERMS {
            self.uncertainty[at] = first_spread(row);
            at += TERMS - row;
        }
    }
}

/// What the prior makes of these features, in tokens.
pub(super) fn by_prior(features: &Features) -> f64 {
    features.iter().zip(&PRIOR).map(|(feature, weight)| f64::from(*feature) * f64::from(*weight)).sum()
}

fn terms(features: &Features) -> [f64; TERMS] {
    let mut terms = [by_prior(features); TERMS];
    for (term, feature) in terms[1..].iter_mut().zip(features) {
        *term = f64::from(*feature);
    }
    terms
}

fn first_spread(row: usize) -> f64 {
    match row {
        0 => SPREAD_OF_PRIOR,
        1 => SPREAD_OF_BODY,
        _ => SPREAD,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_factor_on_everything_is_known_after_a_few_reports() {
        let mut learned = Learned::new();
        let body = |n: usize| {
            let mut features = [0.0; FEATURES];
            features[0] = 1.0;
            features[1] = 40.0 + n as f32;
            features[20] = 100.0 + (n * 7 % 13) as f32;
            features
        };
        for n in 0..10 {
            learned.observe(&body(n), 1.35 * by_prior(&body(n)));
        }
        let ratio = learned.tokens(&body(99)) / by_prior(&body(99));
        assert!((1.25..1.4).contains(&ratio), "{ratio}");
    }

    proptest! {
        /// Whatever is observed, weights stay numbers.
        #[test]
        fn garbage_leaves_numbers(seen in prop::collection::vec((prop::array::uniform5(0.0_f32..1e7), 1.0_f64..1e9), 0..50)) {
            let mut learned = Learned::new();
            for (some, tokens) in seen {
                let mut features = [0.0; FEATURES];
                for (at, value) in some.into_iter().enumerate() {
                    features[at * 9] = value;
                }
                learned.observe(&features, tokens);
                prop_assert!(learned.weights.iter().all(|weight| weight.is_finite()));
            }
        }
    }
}
