//! What the pages show, as the admin API tells it. Pages are made from the same answers as programs get, so that no two
//! screens can disagree; a page's test is that its figures are those of the answer.

mod alerts;
mod live;
mod money;
mod readiness;
mod record;
mod runs;
mod series;
mod uptime;

pub use alerts::{Acknowledged, Alert, Alerts, Closed, Notifier, Silence};
pub use live::{Ahead, Deployment, Failure, FirstToken, Happened, Headroom, Limit, Live, Pool, Queue, Spent, Waiting};
pub use money::{Budget, Budgets, Key, Keys, Usage};
pub use readiness::{Answer, Readiness};
pub use record::{Attempt, Event, Record};
pub use runs::{Evidence, Run, Runs};
pub use series::{Calls, Counts, Part, Quantiles, Rest, Series, Wasted};
pub use uptime::{Daily, Measured, MeasuredOf, Uptime};

use weir_units::{NanoUsd, WallTime};

/// Reads dollars as the API writes them: a decimal in text; none is unknown.
fn nano(text: Option<&str>) -> Option<NanoUsd> {
    let text = text?;
    match text.strip_prefix('-') {
        Some(rest) => rest.parse().ok().map(|amount: NanoUsd| NanoUsd(-amount.0)),
        None => text.parse().ok(),
    }
}

/// Reads a time as the API writes it: RFC 3339 in UTC.
fn wall(text: &str) -> Option<WallTime> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> { text.get(range)?.parse().ok() };
    let day = WallTime::day_of(number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = day * 86_400 + number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    Some(WallTime(seconds * 1_000_000 + number(20..23).unwrap_or(0) * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_overspent_has_less_than_nothing_left() {
        assert_eq!(nano(Some("-292.9955225")), Some(NanoUsd(-292_995_522_500)));
        assert_eq!(nano(Some("38.2723125")), Some(NanoUsd(38_272_312_500)));
        assert_eq!((nano(None), nano(Some("--1")), nano(Some("all"))), (None, None, None));
    }
}
