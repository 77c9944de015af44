//! The range of time that a page shows: relative to now, or from one moment to another.

use std::time::Duration;

use weir_units::WallTime;

use crate::params::Params;
use crate::words::Clock;

/// The ranges that are offered: as they are written in an address, as they are said, and how long they are in minutes.
pub const OFFERED: [(&str, &str, i64); 7] = [
    ("15m", "Last 15 min", 15),
    ("1h", "Last hour", 60),
    ("6h", "Last 6 h", 360),
    ("24h", "Last 24 h", 1_440),
    ("7d", "Last 7 d", 7 * 1_440),
    ("30d", "Last 30 d", 30 * 1_440),
    ("90d", "Last 90 d", 90 * 1_440),
];
/// What is shown unless the address says.
const USUAL: &str = "6h";
const MINUTE: i64 = 60_000_000;
/// The longest range that is read.
const LONGEST: i64 = 400 * 1_440 * MINUTE;

/// From when until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first moment.
    pub since: WallTime,
    /// The first moment that is not of it.
    pub until: WallTime,
    /// Which of those that are offered it is; none where it has fixed ends.
    pub offered: Option<&'static str>,
}

impl Range {
    /// What an address asks for; what makes no sense is as if it were not there. `usual` is what the page shows else.
    #[must_use]
    pub fn read(params: &Params, clock: &Clock, usual: &str) -> Self {
        let ends =
            params.get("from").and_then(|from| clock.read(from)).zip(params.get("to").and_then(|to| clock.read(to)));
        if let Some((since, until)) = ends
            && since < until
        {
            let since = WallTime(since.0.max(until.0 - LONGEST));
            return Self { since, until, offered: None };
        }
        let wanted = params.get("range").unwrap_or(usual);
        let found = |name: &str| OFFERED.into_iter().find(|(known, ..)| *known == name);
        let (name, _, minutes) = found(wanted).or_else(|| found(usual)).or_else(|| found(USUAL)).unwrap_or(OFFERED[2]);
        // Whole seconds, so that the same question within one is the same question.
        let until = WallTime(clock.now.0 - clock.now.0.rem_euclid(1_000_000) + 1_000_000);
        Self { since: WallTime(until.0 - minutes * MINUTE), until, offered: Some(name) }
    }

    /// How long it is.
    #[must_use]
    pub fn span(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.until.0 - self.since.0).unwrap_or(0))
    }

    /// Whether it ends now, so that its figures go on changing.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.offered.is_some()
    }

    /// How it is called.
    #[must_use]
    pub fn says(&self) -> &'static str {
        let found = OFFERED.into_iter().find(|(name, ..)| Some(*name) == self.offered);
        found.map_or("From–to", |(_, says, _)| says)
    }

    /// Both ends and the zone: `08:47–14:47 UTC`.
    #[must_use]
    pub fn ends(&self, clock: &Clock) -> String {
        let since = clock.short(self.since);
        if clock.day_start(self.since) == clock.day_start(self.until) {
            return format!("{since}–{} {}", clock.minute(self.until), clock.zone());
        }
        let today = clock.day_start(self.until) == clock.day_start(clock.now);
        let until = format!("{}{}", if today { "today " } else { "" }, clock.short(self.until));
        format!("{since} – {until} {}", clock.zone())
    }

    /// The address with this range frozen.
    #[must_use]
    pub fn frozen(&self, params: &Params, clock: &Clock) -> Params {
        let fixed = params.without("range").without("from").without("to");
        fixed.with("from", &clock.exact(self.since)).with("to", &clock.exact(self.until))
    }

    /// The address with the range before it, or after.
    #[must_use]
    pub fn shifted(&self, params: &Params, clock: &Clock, later: bool) -> Params {
        let by = if later { self.until.0 - self.since.0 } else { self.since.0 - self.until.0 };
        let shifted = Self { since: WallTime(self.since.0 + by), until: WallTime(self.until.0 + by), offered: None };
        shifted.frozen(params, clock)
    }

    /// The same range seven days before.
    #[must_use]
    pub fn week_before(&self) -> Self {
        let week = 7 * 1_440 * MINUTE;
        Self { since: WallTime(self.since.0 - week), until: WallTime(self.until.0 - week), offered: None }
    }
}

#[cfg(test)]
mod tests {
    use weir_engine::Zone;

    use super::*;

    fn clock() -> Clock {
        Clock { zone: Zone::UTC, zone_name: "UTC".into(), now: WallTime(1_795_013_223_114_000) }
    }

    #[test]
    fn a_range_names_both_ends_and_the_zone() {
        let clock = clock();
        let read = |query: &str| Range::read(&Params::read("/p", query), &clock, "6h");
        assert_eq!(read("").ends(&clock), "08:47–14:47 UTC");
        assert_eq!(read("range=24h").ends(&clock), "Tue 17 Nov 14:47 – today 14:47 UTC");
        assert_eq!(read("range=2y"), read(""));
        assert!(read("range=1h").is_live());
        let fixed = read("from=2026-11-18T08:00:00%2B00:00&to=2026-11-18T09:00:00%2B00:00");
        assert_eq!((fixed.ends(&clock).as_str(), fixed.is_live()), ("08:00–09:00 UTC", false));
        assert_eq!(read("from=2026-11-18T09:00&to=2026-11-18T08:00"), read(""));
    }

    #[test]
    fn a_frozen_link_shows_the_same_and_its_neighbours_touch_it() {
        let clock = clock();
        let page = Params::read("/p", "range=1h&route=smart");
        let range = Range::read(&page, &clock, "6h");
        let again = |params: &Params| Range::read(params, &clock, "6h");
        let frozen = again(&range.frozen(&page, &clock));
        assert_eq!((frozen.since, frozen.until), (range.since, range.until));
        assert_eq!(again(&range.shifted(&page, &clock, false)).until, range.since);
        assert_eq!(again(&range.shifted(&page, &clock, true)).since, range.until);
        assert_eq!(range.frozen(&page, &clock).get("route"), Some("smart"));
    }
}
