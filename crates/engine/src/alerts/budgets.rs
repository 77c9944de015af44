//! Budgets: shares of them that are spent, and a pace that they do not last at.
//!
//! The pace is judged over two windows at once, a long one, so that a moment is no alarm, and a twelfth of it, so that the
//! alarm ends soon after its cause ("Alerting on SLOs", The Site Reliability Workbook, 2018): 14.4 times the even pace over
//! an hour, or 6 times over six hours, of a month of 30 days. Shorter periods have shorter windows in the same proportion,
//! down to five and fifteen minutes, and are alarmed at the latest when a window has taken 20 % or 40 % of the budget.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{NanoUsd, WallTime};

use super::judge::until_gone;
use super::observed::BudgetSeen;
use super::rule::{AlertRule, Severity};
use super::samples::{Samples, between};
use super::symptom::{Evidence, Symptom};

/// A pace that is too fast.
struct Pace {
    /// How many times the even pace, in hundredths.
    times: u64,
    long: Duration,
    short: Duration,
    severity: Severity,
}

/// The paces of a period that is so long, the fastest first.
fn paces(period: Duration) -> [Pace; 2] {
    let pace = |part: u32, least: u64, times: u64, percent: u64, severity| {
        let long = (period / part).max(Duration::from_secs(least));
        let most = percent * period.as_secs() / long.as_secs().max(1);
        Pace { times: times.min(most), long, short: (long / 12).max(Duration::from_secs(least / 5)), severity }
    };
    [pace(720, 300, 1_440, 20, Severity::Error), pace(120, 900, 600, 40, Severity::Warning)]
}

/// What was spent of each budget lately.
#[derive(Debug, Default)]
pub(super) struct Burns(BTreeMap<Arc<str>, Burn>);

#[derive(Debug)]
struct Burn {
    /// What was spent since this budget was first seen, over all periods.
    total: i64,
    last: (WallTime, NanoUsd),
    /// The long and the short window of each pace.
    windows: [[Samples<i64>; 2]; 2],
}

impl Burns {
    /// Budgets that are spent too fast.
    pub(super) fn look(&mut self, now: WallTime, budgets: &[BudgetSeen]) -> Vec<Symptom> {
        let mut found = Vec::new();
        let mut kept = BTreeMap::new();
        for seen in budgets {
            // A budget for good has no even pace.
            let Some(end) = seen.span.end else { continue };
            let period = between(seen.span.start, end);
            let paces = paces(period);
            let mut burn = self.0.remove(&seen.name).unwrap_or_else(|| Burn {
                total: 0,
                last: (seen.span.start, seen.spent),
                windows: [0, 1].map(|n: usize| [paces[n].long, paces[n].short].map(|span| Samples::new(span, now, 0))),
            });
            let before = if burn.last.0 == seen.span.start { burn.last.1 } else { NanoUsd::ZERO };
            burn.total = burn.total.saturating_add(seen.spent.saturating_sub(before).0.max(0));
            burn.last = (seen.span.start, seen.spent);
            found.extend(burn.look(now, seen, period, &paces));
            kept.insert(Arc::clone(&seen.name), burn);
        }
        self.0 = kept;
        found
    }
}

impl Burn {
    fn look(&mut self, now: WallTime, seen: &BudgetSeen, period: Duration, paces: &[Pace; 2]) -> Option<Symptom> {
        let mut worst: Option<Symptom> = None;
        for (pace, windows) in paces.iter().zip(&mut self.windows) {
            let mut spent = [0_i64; 2];
            let mut times = [0_u64; 2];
            for (n, window) in [pace.long, pace.short].into_iter().enumerate() {
                windows[n].add(now, window, self.total);
                spent[n] = self.total - windows[n].before(now, window).unwrap_or(self.total);
                times[n] = times_of(spent[n], window, seen.limit, period);
            }
            let opens = times.iter().all(|times| *times >= pace.times);
            if !opens && times.iter().any(|times| *times < pace.times / 2) {
                continue;
            }
            let symptom = Symptom {
                rule: AlertRule::BurnRate,
                about: Arc::clone(&seen.name),
                severity: pace.severity,
                opens,
                size: times[0],
                step: if pace.severity == Severity::Error { 2 } else { 1 },
                evidence: Evidence::Burn {
                    name: Arc::clone(&seen.name),
                    times: times[0],
                    in_window: NanoUsd(spent[0]),
                    window: pace.long,
                    spent: seen.spent,
                    limit: seen.limit,
                    used_up_at: used_up_at(now, seen, spent[0], pace.long),
                    resets_at: seen.span.end,
                },
            };
            if worst.as_ref().is_none_or(|worst| !worst.opens && opens) {
                worst = Some(symptom);
            }
        }
        worst
    }
}

/// How many times the even pace, in hundredths.
fn times_of(spent: i64, window: Duration, limit: NanoUsd, period: Duration) -> u64 {
    let even = i128::from(limit.0.max(1)) * i128::from(window.as_secs().max(1));
    let times = i128::from(spent) * i128::from(period.as_secs()) * 100 / even;
    u64::try_from(times).unwrap_or(0)
}

/// When nothing is left at the pace of a window, if that is before the period ends.
fn used_up_at(now: WallTime, seen: &BudgetSeen, spent: i64, window: Duration) -> Option<WallTime> {
    let left = seen.limit.saturating_sub(seen.spent);
    if left <= NanoUsd::ZERO || spent <= 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a guess at a time, not an amount")]
    let (left, pace) = (left.0 as f64, spent as f64 / window.as_secs_f64().max(1.0));
    let at = now + until_gone(left, pace)?;
    seen.span.end.is_none_or(|end| at < end).then_some(at)
}

/// A budget of which a share is spent at which to warn, or all.
pub(super) fn warned(now: WallTime, seen: &BudgetSeen) -> Option<Symptom> {
    let share = i128::from(seen.spent.0) * 1_000_000 / i128::from(seen.limit.0.max(1));
    let share = u64::try_from(share).unwrap_or(0);
    let steps = seen.warn_at_ppm.iter().copied().filter(|at| *at < 1_000_000).chain([1_000_000]);
    let passed: Vec<u32> = steps.filter(|at| share >= u64::from(*at)).collect();
    let last = *passed.last()?;
    let elapsed = between(seen.span.start, now);
    // A pace of the first moments tells nothing, and a budget for good has none.
    let paced = seen.span.end.is_some_and(|end| elapsed >= between(seen.span.start, end) / 100);
    Some(Symptom {
        rule: AlertRule::BudgetWarn,
        about: Arc::clone(&seen.name),
        severity: if last == 1_000_000 { Severity::Error } else { Severity::Warning },
        opens: true,
        size: share,
        step: u32::try_from(passed.len()).unwrap_or(u32::MAX),
        evidence: Evidence::Budget {
            name: Arc::clone(&seen.name),
            passed_ppm: last,
            spent: seen.spent,
            limit: seen.limit,
            used_up_at: if paced { used_up_at(now, seen, seen.spent.0, elapsed) } else { None },
            resets_at: seen.span.end,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_periods_have_shorter_windows_and_reachable_paces() {
        let told = |seconds| {
            paces(Duration::from_secs(seconds)).map(|pace| (pace.times, pace.long.as_secs(), pace.short.as_secs()))
        };
        assert_eq!(told(30 * 86_400), [(1_440, 3_600, 300), (600, 21_600, 1_800)], "a month");
        assert_eq!(told(7 * 86_400), [(1_440, 840, 70), (600, 5_040, 420)], "a week");
        assert_eq!(told(86_400), [(1_440, 300, 60), (600, 900, 180)], "a day");
        assert_eq!(told(3_600), [(240, 300, 60), (160, 900, 180)], "an hour");
    }
}
