//! The limits that a provider states in the headers of its answers.
//!
//! They tell a limiter what is left and a person what the account really has (`weir check --live`). Providers agree on little:
//! each [`HeaderDialect`] is a row of a table. Every answer passes here, so its headers are gone through once, and an answer
//! that states nothing costs a comparison of prefixes a header: nothing is allocated, looked up or formatted, not even its date read.
//! Sources: the providers' pages on rate limits, and captures (2026-11).

use std::time::Duration;

use weir_units::Dimension;

pub use self::dialects::HeaderDialect;
use self::dialects::{Part, Row, Window};
pub(crate) use self::times::{LONGEST, duration, number};
use self::times::{http_date, reset};

mod dialects;
mod times;

/// A day is told from a minute by the pace at which a limit fills: anything slower than this fills over a day.
const SLOW: f64 = 6.0 * 3_600.0;

/// One limit as its provider states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSeen {
    /// What it counts.
    pub dimension: Dimension,
    /// The ceiling, at least 1.
    pub limit: u64,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// How long until it is full again.
    pub reset: Option<Duration>,
    /// The provider does not say over which time it counts, or is known to say it wrongly: good to know, not to hold to.
    pub advisory: bool,
}

/// What the headers of one answer say of limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsSeen {
    /// At most one a dimension, in the order of [`Dimension::ALL`].
    pub limits: Vec<LimitSeen>,
    /// The answer's own `date`, seconds since 1970, by which answers may be ordered; read only where the headers speak of limits.
    pub at: Option<u64>,
    /// The dimension that was exceeded, where a header names it (Azure).
    pub exceeded: Option<Dimension>,
    /// It was served although over the limit (Fireworks).
    pub over: bool,
    /// The tokens that this request was charged (Mistral).
    pub charged: Option<u64>,
}

impl LimitsSeen {
    /// The limit of which nothing is left; of several the one that is full again last.
    #[must_use]
    pub fn exhausted(&self) -> Option<&LimitSeen> {
        self.limits.iter().filter(|limit| limit.remaining == Some(0)).max_by_key(|limit| limit.reset)
    }
}

/// Reads the limits out of a response's headers, given by lower-case name. Where two headers state the same dimension, as for an
/// organisation and its project, both hold: the smaller numbers count.
pub fn limits_seen<'h>(dialect: HeaderDialect, headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> LimitsSeen {
    let mut seen = LimitsSeen::default();
    let mut date: &[u8] = b"";
    let mut stated = [Stated::default(); dialects::MOST_ROWS];
    let mut any = false;
    for (name, value) in headers {
        if name == "date" {
            date = value;
        } else if let Some(found) = dialect.find(name) {
            any |= note(found, value, &mut stated, &mut seen);
        }
    }
    if !any {
        return seen;
    }
    let now = text(date).and_then(http_date);
    seen.at = now.map(|now| now.as_secs());
    for (row, stated) in dialect.rows().iter().zip(&stated) {
        if let Some(limit) = stated.limit(row, now) {
            join(&mut seen.limits, limit);
        }
    }
    seen.limits.sort_unstable_by_key(|limit| limit.dimension);
    seen
}

/// Takes in one header that is about limits. What cannot be read says nothing.
fn note<'h>(found: Found, value: &'h [u8], stated: &mut [Stated<'h>], seen: &mut LimitsSeen) -> bool {
    let Some(value) = text(value) else { return false };
    match found {
        Found::Part(row, part) => match part {
            Part::Limit => stated[row].limit = number(value),
            Part::Remaining => stated[row].remaining = number(value),
            Part::Reset => stated[row].reset = Some(value),
            Part::Period => stated[row].period = number(value).filter(|seconds| *seconds >= 1.0),
        },
        Found::Exceeded => {
            seen.exceeded = match value {
                _ if value.eq_ignore_ascii_case("tokens") => Some(Dimension::TokensPerMinute),
                _ if value.eq_ignore_ascii_case("requests") => Some(Dimension::RequestsPerMinute),
                _ => None,
            }
        }
        Found::Over => seen.over = value.eq_ignore_ascii_case("yes") || value.eq_ignore_ascii_case("true"),
        Found::Charged => seen.charged = number(value).map(|tokens| tokens as u64),
    }
    true
}

/// What a header's name is about.
#[derive(Clone, Copy)]
enum Found {
    /// A part of what the row of this place states.
    Part(usize, Part),
    Exceeded,
    Over,
    Charged,
}

/// What the headers of one row say, not yet understood: a reset may need the date, which may come later.
#[derive(Clone, Copy, Default)]
struct Stated<'h> {
    limit: Option<f64>,
    remaining: Option<f64>,
    reset: Option<&'h str>,
    period: Option<f64>,
}

impl Stated<'_> {
    fn limit(&self, row: &Row, now: Option<Duration>) -> Option<LimitSeen> {
        let limit = self.limit?;
        let scale = match row.window {
            Window::Second => 60.0,
            // Whoever states a period may mean it or may not (Azure): the number is advisory either way.
            _ => self.period.map_or(1.0, |seconds| 60.0 / seconds),
        };
        let whole = |count: f64| (count * scale) as u64;
        let mut reset = self.reset.and_then(|text| reset(text, now));
        if self.remaining == Some(0.0) && reset.is_none_or(|wait| wait.is_zero()) {
            // Azure was seen to say that nothing is left, and that it is there again at once.
            reset = self.period.and_then(|seconds| Duration::try_from_secs_f64(seconds.min(LONGEST)).ok()).or(reset);
        }
        let dimension = match row.window {
            Window::Fill if self.fills_slowly(limit, reset) => row.of_a_day(),
            Window::Until if reset.is_some_and(|wait| wait > Duration::from_secs(120)) => row.of_a_day(),
            _ => row.dimension,
        };
        Some(LimitSeen {
            dimension,
            limit: Some(whole(limit)).filter(|limit| *limit > 0)?,
            remaining: self.remaining.map(whole),
            reset,
            advisory: row.window == Window::Unknown,
        })
    }

    /// Whether what is used comes back at the pace of a day's limit: OpenAI states the tighter of the minute's and the day's
    /// requests in the same header (10,000 a day come back one each 8.64 s).
    fn fills_slowly(&self, limit: f64, reset: Option<Duration>) -> bool {
        let used = limit - self.remaining.unwrap_or(limit);
        used > 0.0 && reset.is_some_and(|wait| wait.as_secs_f64() * limit / used > SLOW)
    }
}

fn join(limits: &mut Vec<LimitSeen>, other: LimitSeen) {
    let Some(one) = limits.iter_mut().find(|limit| limit.dimension == other.dimension) else {
        limits.push(other);
        return;
    };
    let left = |limit: &LimitSeen| limit.remaining.unwrap_or(limit.limit);
    let tighter = if left(&other) < left(one) { other } else { *one };
    *one = LimitSeen { limit: one.limit.min(other.limit), advisory: one.advisory || other.advisory, ..tighter };
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().map(str::trim)
}

#[cfg(test)]
mod tests;
