//! What a waste report says: its headline, its remedies, and what it does not know.

use weir_units::NanoUsd;
use weir_units::numbers::{about_dollars, count, counted, dollars, micros, share};

use super::figures::{By, Lost, WasteFigures};
use super::kind::Kind;
use super::report::{Leader, WasteReport};

/// A name is shown with so many characters at most.
const LONGEST: usize = 40;

/// What it comes to: how much, what share, and what the first remedy saves.
pub(super) fn headline(report: &WasteReport) -> String {
    let wasted = &report.wasted;
    if report.requests == 0 {
        return "Nothing was asked in this range.".to_owned();
    }
    if !report.any() {
        let attempts = counted(report.attempts, "attempt");
        return format!("Nothing was wasted in this range: {attempts} looked at.");
    }
    let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let unpriced =
        |unpriced: u64| if unpriced > 0 { format!(" + {} unpriced", count(unpriced)) } else { String::new() };
    let how_much = if wasted.cost == NanoUsd::ZERO && wasted.unpriced > 0 {
        format!("{} tokens, at prices that are unknown,", count(wasted.tokens))
    } else {
        let part = share(nano(wasted.cost), nano(report.cost));
        let (lost, all) = (unpriced(wasted.unpriced), unpriced(report.unpriced));
        format!("{}{lost} of {}{all} ({part})", dollars(wasted.cost), dollars(report.cost))
    };
    let first = report.kinds.first().and_then(|kind| kind.worth).filter(|worth| *worth > NanoUsd::ZERO);
    let guess = if report.is_short { format!(", by {} alone", seen(report)) } else { String::new() };
    match first {
        Some(worth) => {
            format!("{how_much} bought nothing; the first fix saves about {} a year{guess}.", about_dollars(worth))
        }
        None => format!("{how_much} bought nothing."),
    }
}

/// How long the time is that figures were scaled to a year from.
fn seen(report: &WasteReport) -> String {
    micros(report.seen_s.saturating_mul(1_000_000))
}

/// What helps, for whoever lost half of it or more.
pub(super) fn remedy(kind: Kind, lost: &Lost, leaders: &[Leader]) -> String {
    let most = |leader: &&Leader| {
        let of = |part: u64, all: u64| part.saturating_mul(2) >= all;
        match lost.cost {
            NanoUsd(0) => of(leader.lost.tokens, lost.tokens) && of(leader.lost.times, lost.times),
            cost => leader.lost.cost.0.saturating_mul(2) >= cost.0,
        }
    };
    // A run is over when it is read of; keys and routes go on.
    let who = [By::Key, By::Route].into_iter().find_map(|by| leaders.iter().filter(|l| l.by == by).find(most));
    let remedy = kind.remedy();
    match who {
        Some(leader) => format!("{remedy}: first for {} `{}`", leader.by.name(), cut(&leader.name)),
        None => remedy.to_owned(),
    }
}

fn cut(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if name.chars().count() > LONGEST { format!("{plain}…") } else { plain }
}

/// What is not known, each with its reason.
pub(super) fn not_known(figures: &WasteFigures, by: By) -> Vec<String> {
    let mut sentences: Vec<String> =
        figures.unknown().iter().map(|(kind, why)| format!("{}: not known, {why}", kind.title())).collect();
    sentences.extend(figures.unknown_by(by).map(|why| format!("by {}: {why}", by.name())));
    let unpriced: u64 = figures.kinds().values().map(|lost| lost.unpriced).sum();
    if unpriced > 0 {
        let times = if unpriced == 1 { "once".to_owned() } else { format!("{} times", count(unpriced)) };
        sentences.push(format!("{times} the price is unknown: it is wasted too, and in no sum of dollars"));
    }
    sentences
}
