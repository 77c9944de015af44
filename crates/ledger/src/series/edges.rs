//! Where buckets begin: at whole minutes, hours or days, of the clocks of a place.

use weir_units::WallTime;

use super::MOST_BUCKETS;

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day of the calendar, which may have 23 or 25 hours.
    Day,
    /// As short as makes at most 240 buckets, of whole minutes, hours or days.
    Auto,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The most buckets of [`Step::Auto`].
const AUTO: i64 = 240;

impl Step {
    /// Reads `minute`, `hour`, `day` or `auto`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "auto" => Self::Auto,
            _ => return None,
        })
    }

    /// How long a bucket is, in microseconds.
    fn length(self, span: i64) -> i64 {
        let lengths = [1, 2, 5, 10, 15, 30].map(|n| n * MINUTE).into_iter().chain([1, 2, 3, 6, 12].map(|n| n * HOUR));
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Auto => {
                // The first and the last bucket may be cut short.
                let fits = |length: &i64| span / length + 2 <= AUTO;
                let days = span / DAY / (AUTO - 2) + 1;
                lengths.into_iter().find(fits).unwrap_or(days * DAY)
            }
        }
    }
}

/// The edges of the buckets that hold `since..until`, which are the first and the last of them; `offset` says how many seconds
/// the clocks of the place are ahead of UTC at a time. Of too many, the latest.
pub fn edges(since: WallTime, until: WallTime, step: Step, offset: impl Fn(WallTime) -> i64) -> Vec<WallTime> {
    let length = step.length(until.0.saturating_sub(since.0).max(0));
    let mut edges = vec![until.max(since)];
    loop {
        let last = edges[edges.len() - 1];
        let before = begin(WallTime(last.0 - 1), length, &offset).max(since);
        if before >= last || edges.len() > MOST_BUCKETS {
            break;
        }
        edges.push(before);
    }
    if edges.len() == 1 {
        edges.push(since);
    }
    edges.reverse();
    edges
}

/// When the bucket of `at` begins.
fn begin(at: WallTime, length: i64, offset: &impl Fn(WallTime) -> i64) -> WallTime {
    let ahead = offset(at).saturating_mul(SECOND);
    let local = at.0.saturating_add(ahead);
    // Several days are counted from 1970, so that the same days fall together whatever is asked.
    let begin = WallTime(local.div_euclid(length) * length - ahead);
    // Clocks were put on or back since: the bucket begins where they show its begin.
    let moved = ahead - offset(begin).saturating_mul(SECOND);
    if moved == 0 || length < DAY {
        return begin.max(if moved == 0 { begin } else { change(begin, at, offset) });
    }
    WallTime(begin.0 + moved).min(at)
}

/// When the clocks were put on or back between two times, to the minute.
fn change(from: WallTime, to: WallTime, offset: &impl Fn(WallTime) -> i64) -> WallTime {
    let (mut before, mut after) = (from.0.div_euclid(MINUTE), to.0.div_euclid(MINUTE));
    let then = offset(to);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(WallTime(middle * MINUTE)) == then {
            after = middle;
        } else {
            before = middle;
        }
    }
    WallTime(after * MINUTE).min(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29T00:00:00Z; in Berlin clocks are put on at 01:00Z.
    const MARCH: i64 = 1_774_742_400 * SECOND;

    fn berlin(at: WallTime) -> i64 {
        if at.0 < MARCH + HOUR { 3_600 } else { 7_200 }
    }

    fn hours(edges: &[WallTime]) -> Vec<f64> {
        edges.windows(2).map(|pair| (pair[1].0 - pair[0].0) as f64 / HOUR as f64).collect()
    }

    #[test]
    fn a_day_ends_at_midnight_of_the_place_also_when_the_clocks_change() {
        let midnight = WallTime(MARCH - 25 * HOUR);
        let told = edges(midnight, WallTime(midnight.0 + 71 * HOUR), Step::Day, berlin);
        assert_eq!(hours(&told), [24.0, 23.0, 24.0]);
        let india = edges(WallTime(MARCH), WallTime(MARCH + DAY), Step::Day, |_| 19_800);
        assert_eq!(hours(&india), [18.5, 5.5], "+5:30 begins its day at 18:30 of UTC");
        let hourly = edges(midnight, WallTime(midnight.0 + 71 * HOUR), Step::Hour, berlin);
        assert!(hours(&hourly).iter().all(|hours| *hours == 1.0) && hourly.len() == 72);
    }

    #[test]
    fn edges_hold_just_what_was_asked_and_are_not_too_many() {
        for (minutes, buckets) in [(1, 1), (60, 60), (24 * 60, 144), (10 * 24 * 60, 120), (400 * 24 * 60, 201)] {
            let (since, until) = (WallTime(MARCH), WallTime(MARCH + minutes * MINUTE));
            let told = edges(since, until, Step::Auto, |_| 0);
            assert_eq!((told.len() - 1, told[0], told[told.len() - 1]), (buckets, since, until), "{minutes} minutes");
        }
        let odd = edges(WallTime(MARCH + 1), WallTime(MARCH + MINUTE + 7), Step::Minute, |_| 0);
        assert_eq!(odd, [MARCH + 1, MARCH + MINUTE, MARCH + MINUTE + 7].map(WallTime));
        let long = edges(WallTime(0), WallTime(MARCH), Step::Minute, |_| 0);
        assert!(long.len() <= MOST_BUCKETS + 1 && long[long.len() - 1] == WallTime(MARCH));
        let none = edges(WallTime(MARCH), WallTime(MARCH), Step::Hour, |_| 0);
        assert_eq!(none, [WallTime(MARCH); 2]);
    }
}
