//! Names of things, as types.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Crockford's base 32: no I, L, O, U, so that a person can read an id aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A request's id: 48 bits of wall-clock milliseconds, then 80 random bits (the layout of a ULID), so ids sort by time.
///
/// Written as `req_` and 26 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u128);

impl RequestId {
    /// An id for a request that arrived `millis` after the epoch; of `random` the low 80 bits are used.
    #[must_use]
    pub fn new(millis: i64, random: u128) -> Self {
        let time = u128::from(u64::try_from(millis).unwrap_or(0) & 0xFFFF_FFFF_FFFF);
        Self(time << 80 | (random & ((1 << 80) - 1)))
    }

    /// When the request arrived, in milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0 >> 80).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"req_00000000000000000000000000";
        let mut rest = self.0;
        for place in text[4..].iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdError(pub String);

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a request id: expected `req_` and 26 letters and digits", self.0)
    }
}

impl std::error::Error for IdError {}

impl FromStr for RequestId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError(text.chars().take(64).collect());
        let digits = text.strip_prefix("req_").filter(|d| d.len() == 26).ok_or_else(wrong)?;
        let mut value: u128 = 0;
        for byte in digits.bytes() {
            let digit = ALPHABET.iter().position(|a| *a == byte.to_ascii_uppercase()).ok_or_else(wrong)?;
            value = value.checked_mul(32).and_then(|v| v.checked_add(digit as u128)).ok_or_else(wrong)?;
        }
        Ok(Self(value))
    }
}

/// What a call is sent to, `provider/model`: one model at one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId {
    /// The provider's name in the config.
    pub provider: Arc<str>,
    /// The model's name as the provider knows it; it may hold slashes.
    pub model: Arc<str>,
}

impl DeploymentId {
    /// The deployment of `model` at `provider`.
    pub fn new(provider: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        Self { provider: provider.into(), model: model.into() }
    }
}

impl From<DeploymentId> for String {
    fn from(deployment: DeploymentId) -> Self {
        deployment.to_string()
    }
}

/// What is written before the first slash is the provider.
impl TryFrom<String> for DeploymentId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((provider, model)) => Ok(Self::new(provider, model)),
            None => Err(format!("`{text}` names no deployment: expected `provider/model`")),
        }
    }
}

impl DeploymentId {
    /// `provider/model`, as it [displays](fmt::Display), without the detours of formatting.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        [&*self.provider, "/", &*self.model].concat().into()
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_round_trip_and_sort_by_time() {
        let early = RequestId::new(1_795_013_223_114, 7);
        let late = RequestId::new(1_795_013_223_115, 3);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.millis(), 1_795_013_223_114);
        assert_eq!(RequestId(u128::MAX).to_string().parse(), Ok(RequestId(u128::MAX)));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "req_", "req_01J9", "run_00000000000000000000000000", "req_0000000000000000000000000U"] {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
        assert!("req_ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<RequestId>().is_err(), "over 128 bits");
    }
}
