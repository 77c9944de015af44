//! Money in whole nano-dollars: an integer, because cents that floats lose add up to bills that nobody can explain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const WHOLE: u64 = 1_000_000_000;

/// Billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
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

    /// The sum, or the most that there is: never less than was spent.
    #[must_use]
    pub fn saturating_add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }

    /// The difference, or the least that there is.
    #[must_use]
    pub fn saturating_sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }
}

/// Exact dollars without a sign for them: `12.5`, `0.000000001`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, nanos) = (self.0.unsigned_abs() / WHOLE, self.0.unsigned_abs() % WHOLE);
        let sign = if self.0 < 0 { "-" } else { "" };
        if nanos == 0 {
            return write!(f, "{sign}{dollars}");
        }
        let nanos = format!("{nanos:09}");
        write!(f, "{sign}{dollars}.{}", nanos.trim_end_matches('0'))
    }
}

/// Why a text is no amount of dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyError(pub String);

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no amount of dollars: write for example `12.50`, with nine decimals at most", self.0)
    }
}

impl std::error::Error for MoneyError {}

impl FromStr for NanoUsd {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let wrong = || MoneyError(text.chars().take(64).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 {
            return Err(wrong());
        }
        let nanos: i64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        whole.checked_mul(WHOLE.cast_signed()).and_then(|whole| whole.checked_add(nanos)).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_read_back_as_they_are_written() {
        for (nanos, text) in
            [(0, "0"), (1, "0.000000001"), (12_500_000_000, "12.5"), (i64::MAX, "9223372036.854775807")]
        {
            assert_eq!(NanoUsd(nanos).to_string(), text);
            assert_eq!(text.parse(), Ok(NanoUsd(nanos)));
        }
        assert_eq!(NanoUsd(-1_500_000_000).to_string(), "-1.5");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "1e3", "0.0000000001", "9223372036.854775808", "$1"] {
            assert!(text.parse::<NanoUsd>().is_err(), "{text}");
        }
    }
}
