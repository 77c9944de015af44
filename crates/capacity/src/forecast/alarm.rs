//! When somebody must hear that a ceiling comes near: early enough to act, and not because of noise.

use std::time::Duration;

use weir_units::WallTime;

use super::exhaustion::Exhaustion;

/// How long after a limit is touched it may be reached, for the touch to count.
const BETWEEN: Duration = Duration::from_secs(30 * 86_400);

/// When to raise an alarm, and when to end it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// How long it takes to get more capacity.
    pub lead: Duration,
    /// How much earlier one wants to know.
    pub margin: Duration,
    /// From which probability on it is raised.
    pub raise: f64,
    /// Below which probability it may end.
    pub clear: f64,
    /// How long the probability must stay below that.
    pub calm: Duration,
}

impl Rule {
    /// The rule for capacity that takes `lead` to get: a week's margin, raised at one half, ended after two days below a quarter.
    #[must_use]
    pub fn with_lead(lead: Duration) -> Self {
        let day = Duration::from_secs(86_400);
        Self { lead, margin: 7 * day, raise: 0.5, clear: 0.25, calm: 2 * day }
    }

    /// How likely the limit is met before more capacity could be there, if that is asked for a margin from now.
    ///
    /// What counts is that the limit is *reached*, on ordinary days. That single busy hours *touch* it counts only where demand evidently grows
    /// and will reach it, too: on flat traffic it is noise.
    #[must_use]
    pub fn probability(&self, now: WallTime, exhaustion: &Exhaustion) -> f64 {
        let until = now + self.lead + self.margin;
        let reached = exhaustion.reached_by(until);
        let follows = exhaustion.growing && exhaustion.reached_by(until + BETWEEN) >= self.raise;
        if follows { reached.max(exhaustion.touched_by(until)) } else { reached }
    }
}

/// An alarm's state from one forecast to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    /// Since when it is raised.
    pub raised: Option<WallTime>,
    /// Since when the probability has been low enough to end it.
    pub calm: Option<WallTime>,
}

/// What a forecast did to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is raised now.
    Raised,
    /// It goes on, or goes on being none.
    Same,
    /// It has ended.
    Ended,
}

impl Alarm {
    /// Takes in a forecast's outcome.
    pub fn step(&mut self, rule: &Rule, now: WallTime, exhaustion: &Exhaustion) -> Change {
        let probability = rule.probability(now, exhaustion);
        if self.raised.is_none() {
            if probability < rule.raise {
                return Change::Same;
            }
            *self = Self { raised: Some(now), calm: None };
            return Change::Raised;
        }
        if probability >= rule.clear {
            self.calm = None;
            return Change::Same;
        }
        let since = *self.calm.get_or_insert(now);
        if now < since + rule.calm {
            return Change::Same;
        }
        *self = Self::default();
        Change::Ended
    }
}
