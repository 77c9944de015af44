//! Money: an integer number of nano-dollars, read from and shown as a decimal without a float on the way.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Decimal places of a nano-dollar.
const PLACES: u32 = 9;

/// An amount of US dollars in billionths of a dollar, up to nine thousand million dollars. Sums stop at the largest amount
/// instead of wrapping. What is owed is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing. It is an amount that is known, unlike none.
    pub const ZERO: Self = Self(0);

    /// The sum, unless it overflows.
    #[must_use]
    pub fn checked_add(self, more: Self) -> Option<Self> {
        self.0.checked_add(more.0).map(Self)
    }

    /// The difference, unless it overflows.
    #[must_use]
    pub fn checked_sub(self, less: Self) -> Option<Self> {
        self.0.checked_sub(less.0).map(Self)
    }

    /// The difference, or the least that there is.
    #[must_use]
    pub fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Dollars as an exact decimal, without zeros at its end: `0.00125`, `20`, `0`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        show(self.0.unsigned_abs(), PLACES, f)
    }
}

/// Reads dollars as a decimal with at most nine places and no sign: `20.00`, `0.000000001`.
impl FromStr for NanoUsd {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        i64::try_from(decimal(text, PLACES)?).map(Self).map_err(|_| DecimalError::Size)
    }
}

/// Why a text is no amount of so many decimal places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not digits, or digits, a point and digits.
    Form,
    /// It has more decimal places than this many, and they would be lost.
    Places(u32),
    /// It is larger than what is counted here.
    Size,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("not a decimal like `1.75`"),
            Self::Places(places) => write!(f, "more than {places} decimal places"),
            Self::Size => f.write_str("too large"),
        }
    }
}

impl std::error::Error for DecimalError {}

/// Reads a decimal as a whole number of units of which `10^places` make one. Zeros past the last place lose nothing.
pub(crate) fn decimal(text: &str, places: u32) -> Result<u128, DecimalError> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if digits(fraction) => (whole, fraction.trim_end_matches('0')),
        Some(_) => return Err(DecimalError::Form),
        None => (text, ""),
    };
    if !digits(whole) {
        return Err(DecimalError::Form);
    }
    let missing = (places as usize).checked_sub(fraction.len()).ok_or(DecimalError::Places(places))?;
    let zeros = std::iter::repeat_n(b'0', missing);
    whole.bytes().chain(fraction.bytes()).chain(zeros).try_fold(0_u128, |sum, digit| {
        let shifted = sum.checked_mul(10).and_then(|sum| sum.checked_add(u128::from(digit - b'0')));
        shifted.ok_or(DecimalError::Size)
    })
}

/// Writes what [`decimal`] reads.
pub(crate) fn show(amount: u64, places: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let one = 10_u64.pow(places);
    let (whole, mut fraction, mut width) = (amount / one, amount % one, places as usize);
    if fraction == 0 {
        return write!(f, "{whole}");
    }
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    write!(f, "{whole}.{fraction:0width$}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn amounts_read_and_show_as_decimals() {
        for (text, nanos, shown) in [
            ("0", 0, "0"),
            ("20.00", 20_000_000_000, "20"),
            ("0.000000001", 1, "0.000000001"),
            ("0.0000000010", 1, "0.000000001"),
            ("1.5", 1_500_000_000, "1.5"),
            ("007.25", 7_250_000_000, "7.25"),
            ("9223372036.854775807", i64::MAX, "9223372036.854775807"),
        ] {
            let amount: NanoUsd = text.parse().unwrap();
            assert_eq!((amount.0, amount.to_string().as_str()), (nanos, shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for (text, error) in [
            ("", DecimalError::Form),
            (".5", DecimalError::Form),
            ("5.", DecimalError::Form),
            ("-1", DecimalError::Form),
            ("+1", DecimalError::Form),
            ("1e3", DecimalError::Form),
            ("1.2.3", DecimalError::Form),
            ("1,000", DecimalError::Form),
            ("NaN", DecimalError::Form),
            ("0.0000000001", DecimalError::Places(9)),
            ("9223372036.854775808", DecimalError::Size),
            ("999999999999999999999999999999999999999", DecimalError::Size),
        ] {
            assert_eq!(text.parse::<NanoUsd>(), Err(error), "{text}");
        }
    }

    #[test]
    fn what_is_owed_is_below_zero() {
        assert_eq!(NanoUsd(-1_500_000_000).to_string(), "-1.5");
        assert_eq!(NanoUsd::ZERO.saturating_sub(NanoUsd(1)), NanoUsd(-1));
        assert_eq!(NanoUsd(i64::MAX).checked_add(NanoUsd(1)), None);
    }

    proptest! {
        #[test]
        fn every_amount_is_read_as_it_was_shown(nanos in 0_i64..) {
            let amount = NanoUsd(nanos);
            prop_assert_eq!(amount.to_string().parse::<NanoUsd>(), Ok(amount));
        }

        #[test]
        fn any_text_is_an_amount_or_an_error_and_never_a_panic(text: String) {
            if let Ok(amount) = text.parse::<NanoUsd>() {
                prop_assert_eq!(amount.to_string().parse::<NanoUsd>(), Ok(amount));
            }
        }

        #[test]
        fn sums_are_exact_in_any_order(mut amounts in proptest::collection::vec(0_u32.., 0..20)) {
            let sum: NanoUsd = amounts.iter().map(|n| NanoUsd(i64::from(*n))).sum();
            amounts.reverse();
            prop_assert_eq!(sum, amounts.iter().map(|n| NanoUsd(i64::from(*n))).sum::<NanoUsd>());
            prop_assert_eq!(sum.0, amounts.iter().map(|n| i64::from(*n)).sum::<i64>());
            prop_assert!(NanoUsd(i64::MAX) + sum == NanoUsd(i64::MAX));
        }
    }
}
