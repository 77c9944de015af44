//! How full each ceiling is and will be, from what was asked for, and what can be done about it by when.
//!
//! [`Fleet`] is what is configured, [`Book`] what was asked for, [`desk`] what is to be said of it: headroom now, at the peak and in the
//! forecast, without each provider, when a limit is reached, by when to decide, and what each option would bring.

mod book;
mod budget;
mod ceiling;
mod failover;
mod fleet;
mod headline;
mod options;
mod outlook;
mod stamp;
#[cfg(test)]
mod tests;
mod usd;
mod view;
mod words;

use std::collections::BTreeMap;

use weir_units::WallTime;

pub use book::{Book, Hour, Traffic};
pub use budget::Spending;
pub use ceiling::{Ceiling, Members};
pub use fleet::{Account, BudgetCeiling, Fleet, RouteOrder};
pub use headline::{Urgency, deadline};
pub use options::KeyUse;
pub use outlook::{HISTORY, PEAK};
pub use view::{
    Band, BudgetView, CeilingView, ChoiceView, Desk, ExhaustionView, Failover, HourUse, LaunchView, ModelView,
    PeriodView, Survivor, Use,
};
pub use words::{clock, date, day_or_time, percent};

use crate::forecast::Alarm;

/// The alarms of ceilings, by their names, from one look to the next.
pub type Alarms = BTreeMap<String, Alarm>;

/// All that is known of a time.
pub struct Known<'a> {
    /// What is configured.
    pub fleet: &'a Fleet,
    /// What was asked for.
    pub book: &'a Book,
    /// Which keys asked for what of a ceiling, by its name; none of those of which that is unknown.
    pub keys: &'a BTreeMap<String, Vec<KeyUse>>,
    /// What was spent of each budget.
    pub spending: &'a [Spending],
    /// The end of what is known.
    pub now: WallTime,
}

/// What the owner of the capacity decides by.
#[must_use]
pub fn desk(known: &Known<'_>, alarms: &mut Alarms) -> Desk {
    let Known { fleet, book, now, .. } = *known;
    let mut views = Vec::new();
    let mut next = Alarms::new();
    for (place, ceiling) in fleet.ceilings.iter().enumerate() {
        let mut alarm = alarms.get(&ceiling.name()).copied().unwrap_or_default();
        views.push(outlook::outlook(fleet, book, place, now, &mut alarm));
        next.insert(ceiling.name(), alarm);
    }
    *alarms = next;
    bind(&mut views);
    let failover = failover::failover(fleet, book, &views, now);
    let days = PEAK.as_secs_f64() / 86_400.0;
    let chosen: Vec<_> = fleet
        .ceilings
        .iter()
        .zip(&views)
        .map(|(ceiling, view)| {
            let keys = known.keys.get(&view.name).map(Vec::as_slice);
            options::Pressed { fleet, book, ceiling, view, views: &views, keys, days }.options()
        })
        .collect();
    for (view, (options, unknown)) in views.iter_mut().zip(chosen) {
        (view.options, view.unknown_options) = (options, unknown);
    }
    views.sort_by(|a, b| {
        let pressing = |view: &CeilingView| (view.alarms, view.fullest());
        let (a_key, b_key) = (pressing(a), pressing(b));
        b_key.0.cmp(&a_key.0).then(b_key.1.total_cmp(&a_key.1)).then_with(|| a.name.cmp(&b.name))
    });
    let budgets = known.spending.iter().filter_map(|spent| budget::budget(fleet, spent, now)).collect();
    Desk {
        at: now,
        since: book.since,
        owner: fleet.owner.as_ref().map(ToString::to_string),
        lead_time_s: fleet.lead_time.as_secs(),
        ceilings: views,
        failover,
        budgets,
    }
}

/// The hours, from when until when, in which it is of interest which keys ask for what of a ceiling: the busiest of the last seven days.
#[must_use]
pub fn busiest_span(fleet: &Fleet, book: &Book, place: usize, now: WallTime) -> Option<(WallTime, WallTime)> {
    let ceiling = fleet.ceilings.get(place)?;
    let view = outlook::past(ceiling, book, place, now);
    options::spans(&view, ceiling.day, now)
}

impl CeilingView {
    /// The fullest that it was in the last seven days, or will be.
    #[must_use]
    pub fn fullest(&self) -> f64 {
        let ahead = self.busiest.map_or(0.0, |busiest| busiest.share);
        ahead.max(self.peak.map_or(0.0, |peak| peak.share)).max(self.now.share)
    }

    /// The headroom that is left in the fullest hour, never below none.
    #[must_use]
    pub fn headroom(&self) -> f64 {
        (1.0 - self.fullest()).max(0.0)
    }
}

/// Marks the fullest ceiling of each pool.
fn bind(views: &mut [CeilingView]) {
    let mut fullest: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (place, view) in views.iter().enumerate() {
        let full = view.fullest();
        let known = fullest.entry(view.pool.clone()).or_insert((full, place));
        if full > known.0 {
            *known = (full, place);
        }
    }
    for (_, place) in fullest.into_values() {
        views[place].binds = true;
    }
}
