//! Figures over time: how much was added within a window, and where a straight line through them leads.

use std::collections::VecDeque;
use std::time::Duration;

use weir_units::WallTime;

/// A window is kept in at most so many pieces.
const PIECES: u32 = 60;

/// Values of one figure over a span of time, the newest last.
#[derive(Clone, Debug)]
pub(super) struct Samples<T> {
    span: Duration,
    kept: VecDeque<(WallTime, T)>,
}

impl<T: Copy> Samples<T> {
    /// Begins with a value.
    pub(super) fn new(span: Duration, now: WallTime, first: T) -> Self {
        Self { span, kept: VecDeque::from([(now, first)]) }
    }

    /// Takes a value down, unless the last one is too recent to tell them apart. The newest that is older than the span stays,
    /// to count from.
    pub(super) fn add(&mut self, now: WallTime, span: Duration, value: T) {
        self.span = span;
        let recent = self.kept.back().is_some_and(|(at, _)| between(*at, now) < self.span / PIECES);
        if !recent {
            self.kept.push_back((now, value));
        }
        while self.kept.get(1).is_some_and(|(at, _)| between(*at, now) >= self.span)
            || self.kept.len() > PIECES as usize + 2
        {
            self.kept.pop_front();
        }
    }

    /// The newest value that is at least `span` old, else the oldest there is.
    pub(super) fn before(&self, now: WallTime, span: Duration) -> Option<T> {
        let old = self.kept.iter().rev().find(|(at, _)| between(*at, now) >= span);
        old.or(self.kept.front()).map(|(_, value)| *value)
    }
}

impl Samples<u64> {
    /// Where the line of least squares through the values is now, and how fast it rises in a second; none unless there are ten
    /// values over a third of the span, and the line explains most of what they do.
    pub(super) fn line(&self, now: WallTime) -> Option<(f64, f64)> {
        let oldest = self.kept.front()?.0;
        if self.kept.len() < 10 || between(oldest, now) < self.span / 3 {
            return None;
        }
        let points = || self.kept.iter().map(|(at, value)| (-between(*at, now).as_secs_f64(), to_f64(*value)));
        let count = to_f64(self.kept.len() as u64);
        let (x, y) = points().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (px, py) in points() {
            xx += (px - x) * (px - x);
            xy += (px - x) * (py - y);
            yy += (py - y) * (py - y);
        }
        if xx <= 0.0 || yy <= 0.0 || xy * xy < 0.6 * xx * yy {
            return None;
        }
        let slope = xy / xx;
        Some((y - slope * x, slope))
    }
}

/// For estimates; nothing exact hangs on it.
#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 52 bits")]
pub(super) fn to_f64(value: u64) -> f64 {
    value as f64
}

/// How long after `earlier` this is; nothing if it is not after it.
pub(super) fn between(earlier: WallTime, later: WallTime) -> Duration {
    Duration::from_micros(u64::try_from(later.0.saturating_sub(earlier.0)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> WallTime {
        WallTime(seconds * 1_000_000)
    }

    #[test]
    fn a_window_counts_from_the_newest_value_that_is_older_than_it() {
        let minute = Duration::from_secs(60);
        let mut samples = Samples::new(minute, at(0), 0_u64);
        for second in 1..200_i64 {
            samples.add(at(second), minute, u64::from(second >= 100));
            let before = samples.before(at(second), minute);
            assert_eq!(before, Some(u64::from(second >= 160)), "what was {second} s - 60 s after the start");
        }
        assert!(samples.kept.len() <= 62);
    }

    #[test]
    fn a_line_is_seen_where_there_is_one() {
        let span = Duration::from_secs(1_800);
        let (mut rising, mut noisy) = (Samples::new(span, at(0), 0_u64), Samples::new(span, at(0), 0_u64));
        for minute in 1..=30_i64 {
            rising.add(at(minute * 60), span, minute.unsigned_abs() * 100);
            noisy.add(at(minute * 60), span, if minute % 2 == 0 { 100 } else { 3_000 });
        }
        let (level, slope) = rising.line(at(1_800)).unwrap();
        assert!((level - 3_000.0).abs() < 1.0 && (slope - 100.0 / 60.0).abs() < 0.01, "{level} {slope}");
        assert_eq!(noisy.line(at(1_800)), None);
        assert_eq!(Samples::new(span, at(0), 5_u64).line(at(1_800)), None, "one value is no line");
    }
}
