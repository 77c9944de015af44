//! What a provider can be ordered to do wrong, and the words it is ordered by.
//!
//! One word names one misbehaviour as it was seen in the field, so that a fault matrix, a header in a test and a flag on the
//! command line all read alike.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One misbehaviour. Its text form, by [`FromStr`] and `Display`, is given with each variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultOrder {
    /// `429` or `429:SECONDS`: a rate limit, without or with a retry-after.
    RateLimit(Option<Duration>),
    /// `500`: an error inside the provider.
    ServerError,
    /// `502`: a bad gateway.
    BadGateway,
    /// `503`: overloaded, as OpenAI says it.
    Unavailable,
    /// `504`: a gateway's timeout.
    GatewayTimeout,
    /// `529`: overloaded, as Anthropic says it.
    Overloaded,
    /// `401`: the credential is refused.
    Unauthorized,
    /// `402`: payment required.
    PaymentRequired,
    /// `insufficient_quota`: the account's money is spent, told as a 429.
    InsufficientQuota,
    /// `403`: the credential may not use this model.
    Forbidden,
    /// `404`: the model is not known.
    NotFound,
    /// `reset`: the connection is reset before any header.
    Reset,
    /// `silence`: nothing ever comes.
    Silence,
    /// `slow:MS`: headers at once, the first token after `MS` milliseconds.
    Slow(Duration),
    /// `late:MS`: the headers, and all else, after `MS` milliseconds.
    Late(Duration),
    /// `cut:N`: the connection ends after `N` content tokens.
    Cut(u64),
    /// `stall:N`: nothing more comes after `N` content tokens, and the connection stays.
    Stall(u64),
    /// `malformed:N`: one chunk of garbage after `N` content tokens.
    Malformed(u64),
    /// `no-done`: a whole answer without the marker that ends a stream.
    NoDone,
    /// `context`: the prompt is too long for the model.
    Context,
    /// `filter`: a content filter refuses.
    Filter,
    /// `wrong-type`: 200 with `text/html`.
    WrongType,
    /// `error-in-stream` or `error-in-stream:N`: an error inside a 200 stream, after `N` content tokens.
    ErrorInStream(u64),
    /// `empty`: 200 with an empty body.
    Empty,
    /// `garbage`: 200 with broken JSON.
    Garbage,
}

/// A text that names no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError(pub String);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a fault: write one of 429, 429:SECONDS, 500, 502, 503, 504, 529, 401, 402, insufficient_quota, 403, \
             404, reset, silence, slow:MS, late:MS, cut:N, stall:N, malformed:N, no-done, context, filter, wrong-type, \
             error-in-stream, error-in-stream:N, empty, garbage",
            self.0
        )
    }
}

impl std::error::Error for FaultError {}

impl FromStr for FaultOrder {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let wrong = || FaultError(text.chars().take(40).collect());
        let number = |n: &str| n.parse::<u64>().ok().filter(|n| *n <= 1_000_000_000).ok_or_else(wrong);
        if let Some((word, count)) = text.split_once(':') {
            let n = number(count)?;
            return Ok(match word {
                "429" => Self::RateLimit(Some(Duration::from_secs(n))),
                "slow" => Self::Slow(Duration::from_millis(n)),
                "late" => Self::Late(Duration::from_millis(n)),
                "cut" => Self::Cut(n),
                "stall" => Self::Stall(n),
                "malformed" => Self::Malformed(n),
                "error-in-stream" => Self::ErrorInStream(n),
                _ => return Err(wrong()),
            });
        }
        Ok(match text {
            "429" => Self::RateLimit(None),
            "500" => Self::ServerError,
            "502" => Self::BadGateway,
            "503" => Self::Unavailable,
            "504" => Self::GatewayTimeout,
            "529" => Self::Overloaded,
            "401" => Self::Unauthorized,
            "402" => Self::PaymentRequired,
            "insufficient_quota" => Self::InsufficientQuota,
            "403" => Self::Forbidden,
            "404" => Self::NotFound,
            "reset" => Self::Reset,
            "silence" => Self::Silence,
            "no-done" => Self::NoDone,
            "context" => Self::Context,
            "filter" => Self::Filter,
            "wrong-type" => Self::WrongType,
            "error-in-stream" => Self::ErrorInStream(0),
            "empty" => Self::Empty,
            "garbage" => Self::Garbage,
            _ => return Err(wrong()),
        })
    }
}

impl fmt::Display for FaultOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimit(None) => f.write_str("429"),
            Self::RateLimit(Some(wait)) => write!(f, "429:{}", wait.as_secs()),
            Self::ServerError => f.write_str("500"),
            Self::BadGateway => f.write_str("502"),
            Self::Unavailable => f.write_str("503"),
            Self::GatewayTimeout => f.write_str("504"),
            Self::Overloaded => f.write_str("529"),
            Self::Unauthorized => f.write_str("401"),
            Self::PaymentRequired => f.write_str("402"),
            Self::InsufficientQuota => f.write_str("insufficient_quota"),
            Self::Forbidden => f.write_str("403"),
            Self::NotFound => f.write_str("404"),
            Self::Reset => f.write_str("reset"),
            Self::Silence => f.write_str("silence"),
            Self::Slow(wait) => write!(f, "slow:{}", wait.as_millis()),
            Self::Late(wait) => write!(f, "late:{}", wait.as_millis()),
            Self::Cut(n) => write!(f, "cut:{n}"),
            Self::Stall(n) => write!(f, "stall:{n}"),
            Self::Malformed(n) => write!(f, "malformed:{n}"),
            Self::NoDone => f.write_str("no-done"),
            Self::Context => f.write_str("context"),
            Self::Filter => f.write_str("filter"),
            Self::WrongType => f.write_str("wrong-type"),
            Self::ErrorInStream(0) => f.write_str("error-in-stream"),
            Self::ErrorInStream(n) => write!(f, "error-in-stream:{n}"),
            Self::Empty => f.write_str("empty"),
            Self::Garbage => f.write_str("garbage"),
        }
    }
}

/// Which requests a standing order befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every request, until it is cleared.
    All,
    /// The next so many requests.
    Next(u64),
    /// A share of all requests, in millionths, until it is cleared.
    Share(u32),
}

/// An order that holds for requests which bring none of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What goes wrong.
    pub fault: FaultOrder,
    /// For which requests.
    pub extent: Extent,
}

impl Standing {
    /// An order for every request until it is cleared.
    #[must_use]
    pub fn all(fault: FaultOrder) -> Self {
        Self { fault, extent: Extent::All }
    }

    /// An order for the next `n` requests.
    #[must_use]
    pub fn next(fault: FaultOrder, n: u64) -> Self {
        Self { fault, extent: Extent::Next(n) }
    }

    /// An order for `ppm` millionths of all requests.
    #[must_use]
    pub fn share(fault: FaultOrder, ppm: u32) -> Self {
        Self { fault, extent: Extent::Share(ppm) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_as_it_is_written() {
        for word in [
            "429",
            "429:2",
            "500",
            "502",
            "503",
            "504",
            "529",
            "401",
            "402",
            "insufficient_quota",
            "403",
            "404",
            "reset",
            "silence",
            "slow:2000",
            "late:50",
            "cut:3",
            "stall:0",
            "malformed:7",
            "no-done",
            "context",
            "filter",
            "wrong-type",
            "error-in-stream",
            "error-in-stream:4",
            "empty",
            "garbage",
        ] {
            assert_eq!(word.parse::<FaultOrder>().unwrap().to_string(), word);
        }
    }

    #[test]
    fn what_names_no_fault_is_refused() {
        for word in
            ["", "418", "cut", "cut:", "cut:x", "cut:-1", "500:2", "slow", "429:1.5", "Reset", "cut:99999999999"]
        {
            assert!(word.parse::<FaultOrder>().is_err(), "{word}");
        }
    }
}
