//! The one sentence that says what matters most: which ceiling is reached when, by when to decide, and who decides.

use weir_engine::Zone;
use weir_units::WallTime;
use weir_units::numbers::short;

use super::view::{CeilingView, Desk};
use super::words::{clock, date, percent};

/// How much the sentence wants of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Nothing.
    Calm,
    /// A look.
    Look,
    /// A decision.
    Decide,
}

impl Desk {
    /// The sentence, and how much it wants.
    #[must_use]
    pub fn headline(&self, zone: &Zone) -> (Urgency, String) {
        if self.ceilings.is_empty() {
            return (
                Urgency::Calm,
                "No limit is known: declare what the accounts have, or let headers tell.".to_owned(),
            );
        }
        if let Some(view) = self.ceilings.iter().find(|view| view.alarms) {
            return (Urgency::Decide, self.reached(view, zone));
        }
        let fullest = self.ceilings.iter().max_by(|a, b| a.fullest().total_cmp(&b.fullest()));
        if let Some(view) = fullest.filter(|view| view.peak.is_some_and(|peak| peak.share >= 0.95)) {
            let peak = percent(view.fullest());
            return (Urgency::Decide, format!("{} peak at {peak} of {}.{}", view.name, limit(view), self.owned()));
        }
        let soonest = self.ceilings.iter().filter_map(|view| Some((view.exhaustion?.p10?, view)));
        if let Some((first, view)) = soonest.min_by_key(|(first, _)| *first) {
            let (first, name) = (moment(view, first, self.at, zone), &view.name);
            let by = self.decide(view, zone);
            return (
                Urgency::Look,
                format!("{name} may reach {} {first}, one chance in ten.{by}{}", limit(view), self.owned()),
            );
        }
        if let Some(failover) = self.failover.iter().find(|one| one.holds == Some(false)) {
            let mut words = failover.words.clone();
            if let Some(first) = words.get(..1) {
                words.replace_range(..1, &first.to_uppercase());
            }
            return (Urgency::Look, format!("{words}.{}", self.owned()));
        }
        (Urgency::Calm, calm(self, fullest))
    }

    fn reached(&self, view: &CeilingView, zone: &Zone) -> String {
        let found = view.exhaustion.unwrap_or_default();
        let (name, by, owned) = (&view.name, self.decide(view, zone), self.owned());
        let said = |at: WallTime| moment(view, at, self.at, zone);
        let Some(likely) = found.p50 else {
            let first = found.p10.map(|first| format!(" {}", said(first))).unwrap_or_default();
            return format!("{name} may reach {}{first}.{by}{owned}", limit(view));
        };
        let bare = |at: WallTime| said(at).trim_start_matches("on ").trim_start_matches("at ").to_owned();
        let spread = match (found.p10, found.p90) {
            (Some(first), Some(last)) if bare(first) == bare(last) => " (90 % sure)".to_owned(),
            (Some(first), Some(last)) => format!(" (10–90 %: {} – {})", bare(first), bare(last)),
            (Some(first), None) => format!(" (10 %: {})", bare(first)),
            _ => String::new(),
        };
        format!("{name} reach {} {}{spread}.{by}{owned}", limit(view), said(likely))
    }

    /// `Decide by Sat 14 Nov: 4 days overdue.`, with a space before it.
    fn decide(&self, view: &CeilingView, zone: &Zone) -> String {
        view.decide_by.map(|by| format!(" Decide by {}.", deadline(by, self.at, zone))).unwrap_or_default()
    }

    fn owned(&self) -> String {
        match &self.owner {
            Some(owner) => format!(" Owner: {owner}."),
            None => " Nobody is named as its owner.".to_owned(),
        }
    }
}

/// A day to decide by, and how long that is over.
#[must_use]
pub fn deadline(by: WallTime, now: WallTime, zone: &Zone) -> String {
    let day = date(by, now, zone);
    match (now.0 - by.0).div_euclid(super::book::DAY) {
        i64::MIN..0 => day,
        0 => format!("{day}: that is now"),
        1 => format!("{day}: 1 day overdue"),
        days => format!("{day}: {days} days overdue"),
    }
}

/// The limit with its unit: `300k/min`.
fn limit(view: &CeilingView) -> String {
    match view.per.as_str() {
        "day" => format!("{} a day", short(view.limit)),
        "at_once" => format!("{} at once", short(view.limit)),
        _ => format!("{}/min", short(view.limit)),
    }
}

/// A day, or of a day's limit the time of it.
fn moment(view: &CeilingView, at: WallTime, now: WallTime, zone: &Zone) -> String {
    let (day, today) = (date(at, now, zone), date(now, now, zone));
    match (view.per == "day", day == today) {
        (true, true) => format!("at {}", clock(at, zone)),
        (true, false) => format!("on {day} at {}", clock(at, zone)),
        (false, _) => format!("on {day}"),
    }
}

fn calm(desk: &Desk, fullest: Option<&CeilingView>) -> String {
    let Some(view) = fullest.filter(|view| view.fullest() > 0.0) else {
        return match desk.since {
            Some(_) => "Nothing was asked for lately that a known limit counts.".to_owned(),
            None => "Nothing has been asked for yet.".to_owned(),
        };
    };
    let (full, headroom, limit) = (percent(view.fullest()), percent(view.headroom()), limit(view));
    let forecast = match (&view.no_forecast, view.busiest) {
        (Some(why), _) => format!("; {why}"),
        (None, Some(_)) => "; no limit is near in 90 days".to_owned(),
        (None, None) => String::new(),
    };
    format!("The fullest is {}: {full} of {limit} ({headroom} headroom){forecast}.", view.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Band, ExhaustionView, Failover, HourUse};

    /// Wed 18 Nov 2026, 14:47 UTC.
    const NOW: WallTime = WallTime(1_795_013_220_000_000);

    fn days(days: i64) -> Option<WallTime> {
        Some(WallTime(NOW.0 + days * 86_400_000_000))
    }

    fn view() -> CeilingView {
        CeilingView {
            name: "gpt-5 input tokens/min".into(),
            per: "minute".into(),
            limit: 300_000,
            peak: Some(HourUse { at: NOW, amount: 183_000.0, share: 0.61 }),
            busiest: Some(Band { at: NOW, p50: 183_000.0, share: 0.61, ..Band::default() }),
            ..CeilingView::default()
        }
    }

    fn said(ceilings: Vec<CeilingView>, failover: Vec<Failover>) -> String {
        let owner = Some("Platform on-call".to_owned());
        let desk = Desk { at: NOW, owner, ceilings, failover, ..Desk::default() };
        desk.headline(&Zone::UTC).1
    }

    #[test]
    fn what_matters_most_is_said_first() {
        let found = ExhaustionView { p10: days(6), p50: days(8), p90: days(12), ..ExhaustionView::default() };
        let full = CeilingView { alarms: true, exhaustion: Some(found), decide_by: days(-4), ..view() };
        assert_eq!(
            said(vec![full.clone()], vec![]),
            "gpt-5 input tokens/min reach 300k/min on Thu 26 Nov (10–90 %: Tue 24 Nov – Mon 30 Nov). \
             Decide by Sat 14 Nov: 4 days overdue. Owner: Platform on-call."
        );
        let maybe = CeilingView { alarms: false, decide_by: days(20), ..full.clone() };
        assert_eq!(
            said(vec![maybe], vec![]),
            "gpt-5 input tokens/min may reach 300k/min on Tue 24 Nov, one chance in ten. Decide by Tue 8 Dec. Owner: Platform on-call."
        );
        let failover = Failover { words: "without a: b would".into(), holds: Some(false), ..Failover::default() };
        assert_eq!(said(vec![view()], vec![failover]), "Without a: b would. Owner: Platform on-call.");
        assert_eq!(
            said(vec![view()], vec![]),
            "The fullest is gpt-5 input tokens/min: 61 % of 300k/min (39 % headroom); no limit is near in 90 days."
        );
        let day = CeilingView { per: "day".into(), ..full };
        assert!(
            said(vec![day], vec![]).starts_with("gpt-5 input tokens/min reach 300k a day on Thu 26 Nov at 14:47 (")
        );
        assert!(said(vec![], vec![]).starts_with("No limit is known"));
        assert_eq!(
            said(vec![CeilingView { peak: None, busiest: None, ..view() }], vec![]),
            "Nothing has been asked for yet."
        );
    }
}
