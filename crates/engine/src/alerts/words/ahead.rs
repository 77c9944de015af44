//! What alerts of forecasts say: how full, by when, what can be done, and until when that has to be decided.

use weir_units::{WallTime, numbers};

use super::text::{fit, name};
use super::times::{date, day_or_time, span};
use super::{When, dollars, percent};
use crate::alerts::alert::Message;
use crate::alerts::observed::{BudgetAhead, CeilingAhead};
use crate::alerts::samples::between;

/// Options that are told; more is on the page.
const OPTIONS: usize = 3;
/// How long an option or a sentence may be.
const SENTENCE: usize = 200;

pub(super) fn ceiling(when: &When<'_>, seen: &CeilingAhead) -> Message {
    let CeilingAhead { pool, limit, dates: [first, likely, last], .. } = seen;
    let what = seen.dimension.words();
    let of_day = seen.dimension.is_daily();
    let day = |at: WallTime| if of_day { moment(when, at) } else { date(at, when.zone) };
    let full = likely.map(|likely| {
        let first = first.map(&day).filter(|first| *first != day(likely));
        let first = first.map(|first| format!(" (10 %: {})", short(&first))).unwrap_or_default();
        format!("; {} {}{first}", if of_day { "used up" } else { "full by" }, day(likely))
    });
    let (full, share) = (full.unwrap_or_default(), percent(seen.share_ppm, 1_000_000));
    let words = if of_day { what } else { what.trim_end_matches("/min") };
    let subject = fit(|most| match of_day {
        true => format!("Headroom: {} {words} come to {share}{full}", name(pool, most)),
        false => format!("Headroom: {} {words} peak at {share}{full}", name(pool, most)),
    });
    let amount = |amount: Option<u64>| amount.map_or_else(|| "—".to_owned(), numbers::count);
    let (was, will) = (amount(seen.peak), amount(seen.ahead));
    let limit = numbers::count(*limit);
    let figures = match of_day {
        true => format!("the fullest of 7 days asked for {was} of {limit} {what}, of the next 7 for {will}"),
        false => format!("the busiest hour of 7 days asked for {was} of {limit} {what}, of the next 7 for {will}"),
    };
    let dates = futures([*first, *likely, *last].map(|at| at.map(&day))).map(|dates| format!("it is reached {dates}"));
    let failover = seen.failover.as_ref().map(|words| name(words, SENTENCE));
    let options: Vec<String> = seen.options.iter().take(OPTIONS).map(|option| name(option, SENTENCE)).collect();
    let action = match options.is_empty() {
        true => "ask for a higher limit, send a part of the route elsewhere, or move work that can wait".to_owned(),
        false => options.join("; or "),
    };
    Message {
        subject,
        evidence: [Some(figures), dates, failover].into_iter().flatten().collect(),
        action,
        decide_by: seen.decide_by.map(|by| deadline(when, by)),
    }
}

pub(super) fn budget(when: &When<'_>, seen: &BudgetAhead) -> Message {
    let [first, likely, last] = seen.dates;
    let gone = likely.map(|at| format!("; used up {}", day_or_time(at, when.now, when.zone))).unwrap_or_default();
    let (expected, limit) = (dollars(seen.expected), dollars(seen.limit));
    let subject = fit(|most| format!("Budget {}: {expected} of {limit} expected{gone}", name(&seen.name, most)));
    let probability = percent(u64::from(seen.probability_ppm), 1_000_000);
    let figures = format!("{} spent; it does not last the period in {probability} of futures", dollars(seen.spent));
    let dates = futures([first, likely, last].map(|at| at.map(|at| date(at, when.zone))));
    let dates = dates.map(|dates| format!("it is gone {dates}"));
    let unpriced = (seen.unpriced > 0)
        .then(|| format!("{} of unknown price are not in it", numbers::counted(seen.unpriced, "request")));
    Message {
        subject,
        evidence: [Some(figures), dates, unpriced].into_iter().flatten().collect(),
        action: "see what spends it with `weir spend --by key,model`; raise the budget, or slow what spends".to_owned(),
        decide_by: first.map(|by| deadline(when, by)),
    }
}

/// In how many futures of ten it is so by when: `by Tue 24 Nov in one future of ten, by Thu 26 Nov in nine`; days that are the same are one.
fn futures(dates: [Option<String>; 3]) -> Option<String> {
    let mut told: Vec<(String, &str)> = Vec::new();
    for (date, share) in dates.into_iter().zip(["one", "five", "nine"]) {
        match (date, told.last_mut()) {
            (Some(date), Some(before)) if before.0 == date => before.1 = share,
            (Some(date), _) => told.push((date, share)),
            (None, _) => {}
        }
    }
    let of_ten = |place: usize, share: &str| match (place, share) {
        (0, "one") => "one future of ten".to_owned(),
        (0, share) => format!("{share} futures of ten"),
        _ => share.to_owned(),
    };
    let each = told.iter().enumerate().map(|(place, (date, share))| format!("by {date} in {}", of_ten(place, share)));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// A time in brackets, as short as it is still plain: `Tue 24`, `16:31`.
fn short(text: &str) -> String {
    match text.strip_suffix(" UTC") {
        Some(clock) => clock.to_owned(),
        None => text.rsplit_once(' ').map_or(text, |(day, _)| day).to_owned(),
    }
}

/// The day, and where it has passed, how long ago that was.
fn deadline(when: &When<'_>, by: WallTime) -> String {
    if by > when.now {
        return day_or_time(by, when.now, when.zone);
    }
    let late = between(by, when.now);
    match late.as_secs() / 86_400 {
        0 => "now".to_owned(),
        1 => format!("{}: 1 day overdue", date(by, when.zone)),
        days if days < 400 => format!("{}: {days} days overdue", date(by, when.zone)),
        _ => format!("now ({} overdue)", span(late)),
    }
}

/// A time of day, with its day where that is not today.
fn moment(when: &When<'_>, at: WallTime) -> String {
    super::times::moment(at, when.now, when.zone)
}
