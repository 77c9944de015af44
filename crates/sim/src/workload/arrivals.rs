//! When requests come in an open loop: whatever happens to those before.

use std::time::Duration;

use weir_units::Moment;

use super::Pattern;
use crate::draw::Draw;
use crate::window::DAY;

/// The arrivals of one workload, in order and without end; a trace ends.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    pattern: Pattern,
    /// In seconds since the workload began, so that rounding does not add up.
    seconds: f64,
    count: u64,
    row: usize,
    rounds: u64,
    copies: u64,
}

impl Arrivals {
    /// The arrivals of a pattern. There are none of [`Pattern::Clients`]: when they send depends on what they get.
    pub(super) fn new(pattern: Pattern) -> Self {
        Self { pattern, seconds: 0.0, count: 0, row: 0, rounds: 0, copies: 0 }
    }

    /// How long after the workload's beginning the next request comes, and which row of the trace it is, if it is of one.
    pub(super) fn next(&mut self, draw: &mut Draw) -> Option<(Duration, Option<usize>)> {
        let seconds =
            match self.pattern.clone() {
                Pattern::Constant { rate } => {
                    self.count += 1;
                    #[expect(clippy::cast_precision_loss, reason = "2⁵³ requests are not reached")]
                    let count = self.count as f64;
                    if rate <= 0.0 { None } else { Some(count / rate) }
                }
                Pattern::Poisson { rate } => self.thinned(draw, rate, |_| rate),
                Pattern::Bursts { rate, on, quiet_rate, off } => {
                    let (on, off) = (on.as_secs_f64(), off.as_secs_f64());
                    self.thinned(draw, rate.max(quiet_rate), |at| {
                        if libm::fmod(at, on + off) < on { rate } else { quiet_rate }
                    })
                }
                Pattern::Daily { rate, swing, peak } => {
                    let (day, peak) = (DAY.as_secs_f64(), peak.as_secs_f64());
                    self.thinned(draw, rate * (1.0 + swing), |at| {
                        rate * (1.0 + swing * libm::cos(2.0 * std::f64::consts::PI * (at - peak) / day))
                    })
                }
                Pattern::Trace { trace, speed, times, repeat } => {
                    return self.replayed(draw, &trace, speed, times, repeat);
                }
                Pattern::Clients { .. } => None,
            };
        Some((span(seconds?)?, None))
    }

    /// A process whose rate changes, by drawing at its highest and leaving out what is too much (Lewis and Shedler 1979,
    /// "Simulation of nonhomogeneous Poisson processes by thinning").
    fn thinned(&mut self, draw: &mut Draw, highest: f64, rate: impl Fn(f64) -> f64) -> Option<f64> {
        if highest <= 0.0 {
            return None;
        }
        loop {
            self.seconds += draw.gap() / highest;
            // A rate that is zero for good would be thinned for ever.
            if self.seconds > 1e10 {
                return None;
            }
            if draw.unit() * highest <= rate(self.seconds) {
                return Some(self.seconds);
            }
        }
    }

    /// The trace's rows; `times` of each, the fraction by chance, spread over the gap to the next row so that they do not
    /// come in volleys.
    fn replayed(
        &mut self,
        draw: &mut Draw,
        trace: &super::Trace,
        speed: f64,
        times: f64,
        repeat: bool,
    ) -> Option<(Duration, Option<usize>)> {
        let rows = trace.rows();
        if speed <= 0.0 || times <= 0.0 {
            return None;
        }
        while self.copies == 0 {
            if self.count > 0 {
                self.row += 1;
            }
            self.count += 1;
            if self.row >= rows.len() {
                if !repeat || rows.is_empty() {
                    return None;
                }
                (self.row, self.rounds) = (0, self.rounds + 1);
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
            let whole = times as u64;
            #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
            let rest = times - whole as f64;
            self.copies = whole + u64::from(draw.unit() < rest);
            self.seconds = 0.0;
        }
        self.copies -= 1;
        let at = rows[self.row].at;
        let gap = rows.get(self.row + 1).map_or(Duration::ZERO, |next| next.at.saturating_sub(at));
        // The first comes when it was recorded, the others later, in order.
        let offset = gap.mul_f64(self.seconds);
        self.seconds += (1.0 - self.seconds) * draw.unit();
        let rounds = trace.length().saturating_mul(u32::try_from(self.rounds).unwrap_or(u32::MAX));
        Some((span((rounds + at + offset).as_secs_f64() / speed)?, Some(self.row)))
    }
}

fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// A moment that lies `span` after `from`, if it is before `until`.
pub(super) fn within(from: Moment, span: Duration, until: Option<Moment>) -> Option<Moment> {
    let at = from + span;
    until.is_none_or(|until| at < until).then_some(at)
}
