//! Budgets: what will have been spent at the end of the period, and when nothing is left.

use std::sync::Arc;

use weir_engine::Period;
use weir_units::{NanoUsd, WallTime};

use super::Fleet;
use super::outlook::{model, period};
use super::view::BudgetView;
use super::words::no_forecast;
use crate::forecast::{Calendar, DAILY_HOURS, History, Quota, Sample, Unforecast, forecast, quota};

/// Hours that are forecast: a month and a day.
const HOURS: usize = 32 * 24;
const SEED: u64 = 0x000B_0D6E;

/// What was spent of a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Spending {
    /// The budget's name.
    pub name: Arc<str>,
    /// When the first hour of `hours` begins.
    pub start: WallTime,
    /// What each hour cost, as far as that is known; all of them are over.
    pub hours: Vec<NanoUsd>,
    /// What is known to be spent of the present period, up to now.
    pub spent: NanoUsd,
    /// Requests of the period of whose cost something is unknown.
    pub unpriced: u64,
}

/// What becomes of a budget; none of one that is for good, or of an hour.
pub(super) fn budget(fleet: &Fleet, spent: &Spending, now: WallTime) -> Option<BudgetView> {
    let budget = fleet.budgets.iter().find(|budget| budget.name == spent.name)?;
    if matches!(budget.period, Period::Total | Period::Hour) {
        return None;
    }
    let end = budget.period.at(now, &fleet.zone).end?;
    let mut view = BudgetView {
        name: budget.name.to_string(),
        period: budget.period.name().to_owned(),
        limit_usd: budget.limit,
        spent_usd: spent.spent,
        unpriced: spent.unpriced,
        ..BudgetView::default()
    };
    let first = spent.hours.iter().position(|cost| *cost > NanoUsd::ZERO);
    let dollars = |cost: &NanoUsd| cost.0.max(0) as f64 / 1e9;
    let history = first.map(|first| {
        let start = WallTime(spent.start.0 + i64::try_from(first).unwrap_or(0) * super::book::HOUR);
        History::new(start, spent.hours[first..].iter().map(|cost| Sample::Known(dollars(cost))).collect())
    });
    let calendar = Calendar::local(|at| i32::try_from(fleet.zone.seconds_ahead(at)).unwrap_or(0));
    let ahead = match &history {
        None => Err(Unforecast::Silent { days: 0 }),
        Some(history) => forecast(history, &calendar, HOURS, SEED)
            .or_else(|why| forecast(history, &calendar, DAILY_HOURS, SEED).map_err(|_| why)),
    };
    match ahead {
        Ok(ahead) => {
            view.model = Some(model(&ahead));
            let asked = Quota { limit: dollars(&budget.limit), used: dollars(&spent.spent), resets: vec![end] };
            view.period_end = quota(&ahead, &asked, SEED).first().map(period);
            if view.period_end.is_none() {
                let words = "the history is too short to look so far ahead: 14 days are needed";
                view.no_forecast = Some(words.to_owned());
            }
            view.decide_by = view.period_end.and_then(|one| one.p10);
        }
        Err(Unforecast::Silent { .. }) if history.is_none() && spent.unpriced > 0 => {
            view.no_forecast = Some("what was asked for has no known price".to_owned());
        }
        Err(why) => view.no_forecast = Some(no_forecast(&why, now, &fleet.zone)),
    }
    Some(view)
}
