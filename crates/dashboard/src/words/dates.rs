//! Times as they are shown: in the one zone that the configuration names, exact to the machine beside.

use maud::{Markup, html};
use weir_engine::{Period, Zone};
use weir_units::WallTime;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What the time is, and where.
#[derive(Clone, Debug)]
pub struct Clock {
    /// What its clocks are ahead of UTC.
    pub zone: Zone,
    /// The zone's name, as the configuration has it.
    pub zone_name: String,
    /// When the page is made.
    pub now: WallTime,
}

/// A moment by the clock on the wall.
struct Local {
    day: i64,
    year: i64,
    month: i64,
    date: i64,
    micros: i64,
    offset: i64,
}

impl Clock {
    /// Microseconds that clocks are ahead of UTC at that moment.
    fn ahead(&self, at: WallTime) -> i64 {
        self.zone.seconds_ahead(at) * SECOND
    }

    fn local(&self, at: WallTime) -> Local {
        let offset = self.ahead(at);
        let local = at.0.saturating_add(offset);
        let day = local.div_euclid(DAY);
        let (year, month, date) = WallTime::date_of(day);
        Local { day, year, month, date, micros: local.rem_euclid(DAY), offset }
    }

    /// The name of the zone as it is said beside a time: its last part.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// `14:47` of the day that it is in.
    #[must_use]
    pub fn minute(&self, at: WallTime) -> String {
        let minutes = self.local(at).micros / (60 * SECOND);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// `14:47:03`.
    #[must_use]
    pub fn second(&self, at: WallTime) -> String {
        format!("{}:{:02}", self.minute(at), self.local(at).micros / SECOND % 60)
    }

    /// `Wed 18 Nov`, with the year where it is another one.
    #[must_use]
    pub fn day(&self, at: WallTime) -> String {
        let (local, now) = (self.local(at), self.local(self.now));
        let weekday = DAYS[usize::try_from(local.day.rem_euclid(7)).unwrap_or_default()];
        let month = MONTHS[usize::try_from(local.month - 1).unwrap_or_default() % 12];
        let year = if local.year == now.year { String::new() } else { format!(" {}", local.year) };
        format!("{weekday} {} {month}{year}", local.date)
    }

    /// Today `14:47:03`, this year `Wed 18 Nov 14:47`, else with the year.
    #[must_use]
    pub fn moment(&self, at: WallTime) -> String {
        if self.local(at).day == self.local(self.now).day {
            return self.second(at);
        }
        format!("{} {}", self.day(at), self.minute(at))
    }

    /// The same to the minute, for the ends of ranges.
    #[must_use]
    pub fn short(&self, at: WallTime) -> String {
        if self.local(at).day == self.local(self.now).day {
            return self.minute(at);
        }
        format!("{} {}", self.day(at), self.minute(at))
    }

    /// With the offset, for machines: `2026-11-18T15:47:03+01:00`.
    #[must_use]
    pub fn exact(&self, at: WallTime) -> String {
        let Local { year, month, date, micros, offset, .. } = self.local(at);
        let (seconds, minutes) = (micros / SECOND, offset.abs() / (60 * SECOND));
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let sign = if offset < 0 { '-' } else { '+' };
        format!(
            "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}",
            minutes / 60,
            minutes % 60
        )
    }

    /// What a field for date and time holds: `2026-11-18T15:47`.
    #[must_use]
    pub fn field(&self, at: WallTime) -> String {
        self.exact(at).chars().take(16).collect()
    }

    /// Reads what a field for date and time holds, or a time with its offset.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<WallTime> {
        let number = |range: std::ops::Range<usize>| -> Option<i64> { text.get(range)?.parse().ok() };
        let (year, month, date) = (number(0..4)?, number(5..7)?, number(8..10)?);
        // A date alone is its midnight.
        let (hour, minute) = if text.len() == 10 { (0, 0) } else { (number(11..13)?, number(14..16)?) };
        let seconds = if text.as_bytes().get(16) == Some(&b':') { number(17..19)? } else { 0 };
        let fits = (1970..=2200).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&date)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&seconds);
        if !fits {
            return None;
        }
        let of_day = (hour * 3_600 + minute * 60 + seconds) * SECOND;
        let local = WallTime::day_of(year, month, date) * DAY + of_day;
        let rest = text.get(16..).unwrap_or_default();
        let rest = if rest.starts_with(':') { rest.get(3..).unwrap_or_default() } else { rest };
        match rest.as_bytes() {
            [] => {
                // Near enough to a change of the clocks either offset is a guess: the later one is taken.
                let guess = WallTime(local - self.ahead(WallTime(local)));
                Some(WallTime(local - self.ahead(guess)))
            }
            b"Z" => Some(WallTime(local)),
            // A plus sign in a query may have become a space.
            [sign @ (b'+' | b'-' | b' '), h1, h2, b':', m1, m2] => {
                let digits =
                    |a: u8, b: u8| Some(i64::from(char::from(a).to_digit(10)? * 10 + char::from(b).to_digit(10)?));
                let offset = (digits(*h1, *h2)? * 60 + digits(*m1, *m2)?) * 60 * SECOND;
                Some(WallTime(if *sign == b'-' { local + offset } else { local - offset }))
            }
            _ => None,
        }
    }

    /// A moment as an element.
    #[must_use]
    pub fn time(&self, at: WallTime) -> Markup {
        html! { time datetime=(self.exact(at)) { (self.moment(at)) } }
    }

    /// A moment as an element, from what a record has; `—` where there is none.
    #[must_use]
    pub fn time_of(&self, at: Option<&str>) -> Markup {
        match at.and_then(|at| self.read_utc(at)) {
            Some(at) => self.time(at),
            None => html! { span class="none" { "—" } },
        }
    }

    /// Reads a time as records write it, to the millisecond.
    #[must_use]
    pub fn read_utc(&self, text: &str) -> Option<WallTime> {
        let whole = text.get(..19)?;
        let micros = match text.get(19..)?.strip_prefix('.') {
            Some(rest) => rest.get(..3)?.parse::<i64>().ok()? * 1_000,
            None => 0,
        };
        self.read(&format!("{whole}Z")).map(|at| WallTime(at.0 + micros))
    }

    /// Round times between two moments for the ticks of an axis, each with how it is said.
    #[must_use]
    pub fn ticks(&self, since: WallTime, until: WallTime, most: usize) -> Vec<(WallTime, String)> {
        const STEPS: [i64; 15] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7 * 1_440, 30 * 1_440];
        let span = (until.0 - since.0).max(1);
        let fits = |step: &&i64| span / (*step * 60 * SECOND) <= i64::try_from(most).unwrap_or(i64::MAX);
        let step = STEPS.iter().find(fits).copied().unwrap_or(90 * 1_440) * 60 * SECOND;
        let mut ticks = Vec::new();
        let mut at = since;
        while at < until && ticks.len() <= most + 1 {
            let local = at.0 + self.ahead(at);
            let next_local = if local.rem_euclid(step) == 0 { local } else { (local.div_euclid(step) + 1) * step };
            let next = WallTime(at.0 + next_local - local);
            if next < until && next >= since {
                let midnight = (next.0 + self.ahead(next)).rem_euclid(DAY) == 0;
                ticks.push((next, if midnight || step >= DAY { self.date(next) } else { self.minute(next) }));
            }
            at = WallTime(next.0 + step);
        }
        ticks
    }

    /// `18 Nov`.
    #[must_use]
    pub fn date(&self, at: WallTime) -> String {
        let local = self.local(at);
        let month = MONTHS[usize::try_from(local.month - 1).unwrap_or_default() % 12];
        format!("{} {month}", local.date)
    }

    /// The first moment of the day that `at` is in.
    #[must_use]
    pub fn day_start(&self, at: WallTime) -> WallTime {
        Period::Day.at(at, &self.zone).start
    }

    /// How long ago, in words: `16 min`.
    #[must_use]
    pub fn ago(&self, at: WallTime) -> String {
        weir_units::numbers::micros(u64::try_from(self.now.0 - at.0).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    /// Wed 18 Nov 2026, 14:47:03 UTC.
    const NOW: WallTime = WallTime(1_795_013_223_114_000);

    fn clock(ahead_minutes: i32) -> Clock {
        Clock { zone: Zone::new(ahead_minutes * 60, []), zone_name: "Asia/Kolkata".into(), now: NOW }
    }

    #[test]
    fn times_are_short_for_people_and_exact_for_machines() {
        let utc = clock(0);
        assert_eq!(utc.moment(NOW), "14:47:03");
        assert_eq!(utc.moment(WallTime(NOW.0 - DAY)), "Tue 17 Nov 14:47");
        assert_eq!(utc.moment(WallTime(NOW.0 - 365 * DAY)), "Tue 18 Nov 2025 14:47");
        assert_eq!(clock(330).exact(NOW), "2026-11-18T20:17:03+05:30");
        assert_eq!(clock(-90).exact(NOW), "2026-11-18T13:17:03-01:30");
        assert_eq!(utc.read_utc("2026-11-18T14:47:03.114Z"), Some(NOW));
        assert_eq!(utc.read("2026-11-18T14:47"), Some(WallTime(NOW.0 - 3_114_000)));
        assert_eq!(utc.read("2026-11-18T20:17:03+05:30").map(WallTime::millis), Some(NOW.millis() - 114));
        assert_eq!(clock(60).read("2026-11-18"), utc.read("2026-11-17T23:00"));
        for wrong in [
            "",
            "now",
            "2026-11-1",
            "２026-11-8",
            "2026-13-01T00:00",
            "2026-11-18T14:47x",
            "2026-11-18T14:47+1:00",
            "２０２６-11-18T14:47",
        ] {
            assert_eq!(utc.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ticks_are_round_by_the_wall_clock_and_midnight_is_a_date() {
        let since = WallTime(NOW.0 - 6 * 3_600 * SECOND);
        let said = |clock: &Clock, since, until| -> Vec<String> {
            clock.ticks(since, until, 7).into_iter().map(|(_, words)| words).collect()
        };
        assert_eq!(said(&clock(0), since, NOW), ["09:00", "10:00", "11:00", "12:00", "13:00", "14:00"]);
        assert_eq!(said(&clock(330), since, NOW), ["15:00", "16:00", "17:00", "18:00", "19:00", "20:00"]);
        let day = WallTime(NOW.0 - DAY);
        assert_eq!(said(&clock(0), day, NOW), ["18:00", "18 Nov", "06:00", "12:00"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in 0_i64..4_000_000_000, ahead in -840_i32..840) {
            let (at, clock) = (WallTime(seconds * SECOND), clock(ahead));
            prop_assert_eq!(clock.read(&clock.exact(at)), Some(at));
            let minute = WallTime(at.0 - at.0.rem_euclid(60 * SECOND));
            prop_assert_eq!(clock.read(&clock.field(at)), Some(minute));
        }
    }
}
