//! How large requests and answers are.

use weir_units::Tokens;

use crate::draw::Draw;

/// A distribution of token counts; at least one token is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Fixed(Tokens),
    /// Evenly between two counts, both among them.
    Uniform {
        /// The fewest.
        least: Tokens,
        /// The most.
        most: Tokens,
    },
    /// Lognormal, as lengths of prompts and answers are in public traces: `median · exp(sigma · N(0, 1))`, within bounds.
    Lognormal {
        /// Half are below.
        median: Tokens,
        /// The deviation of its logarithm: 1 means that one in six is over 2.7 times the median.
        sigma: f64,
        /// The most, for a context window or a bound on output.
        most: Tokens,
    },
}

impl Distribution {
    pub(crate) fn draw(&self, draw: &mut Draw) -> Tokens {
        let count = match *self {
            Self::Fixed(Tokens(count)) => count,
            Self::Uniform { least, most } => draw.between(least.0, most.0),
            Self::Lognormal { median, sigma, most } => {
                let factor = libm::exp(sigma * draw.normal());
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a cast saturates, and tokens are far below 2⁵³"
                )]
                let count = libm::round(median.0 as f64 * factor) as u64;
                count.min(most.0)
            }
        };
        Tokens(count.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(distribution: Distribution) -> Vec<u64> {
        let mut draw = Draw::new(7, 0);
        let mut drawn: Vec<u64> = (0..10_000).map(|_| distribution.draw(&mut draw).0).collect();
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn a_lognormal_has_its_median_its_spread_and_its_bound() {
        let drawn = drawn(Distribution::Lognormal { median: Tokens(1_000), sigma: 1.0, most: Tokens(20_000) });
        assert!((950..1_050).contains(&drawn[5_000]), "{}", drawn[5_000]);
        assert!((2_500..2_950).contains(&drawn[8_413]), "a deviation up: {}", drawn[8_413]);
        assert!(drawn[9_999] <= 20_000);
    }

    #[test]
    fn even_spread_reaches_both_ends_and_nothing_is_free() {
        let drawn_evenly = drawn(Distribution::Uniform { least: Tokens(3), most: Tokens(7) });
        assert_eq!((drawn_evenly[0], drawn_evenly[9_999]), (3, 7));
        assert_eq!(drawn(Distribution::Fixed(Tokens(0)))[0], 1);
    }
}
