//! What the desk says: plain figures, as pages, reports, alerts and programs read them.
//!
//! A share is of the limit: 0.94 is 94 %, and headroom is what is missing to one. What is unknown is none, with the reason beside it.

use serde::{Deserialize, Serialize};
use weir_units::{NanoUsd, WallTime};

use super::{stamp, usd};

/// Everything that the owner of the capacity decides by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    /// The end of what it rests on.
    #[serde(with = "stamp")]
    pub at: WallTime,
    /// Since when demand is known; none if there never was any.
    #[serde(with = "stamp::maybe")]
    pub since: Option<WallTime>,
    /// Who owns the capacity.
    pub owner: Option<String>,
    /// How long it takes to get more, in seconds.
    pub lead_time_s: u64,
    /// Every ceiling, the most pressing first.
    pub ceilings: Vec<CeilingView>,
    /// What happens without each provider, where anything is sent to it.
    pub failover: Vec<Failover>,
    /// What becomes of each budget that is not for good.
    pub budgets: Vec<BudgetView>,
}

/// One limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CeilingView {
    /// Whose it is: a provider, a pool, or `provider/model`.
    pub pool: String,
    /// `provider`, `pool` or `model`.
    pub kind: String,
    /// What it limits, as the config spells it: `tokens-per-minute`.
    pub dimension: String,
    /// `gpt-5 tokens/min`.
    pub name: String,
    /// `minute`, `day` or `at_once`.
    pub per: String,
    /// The limit in force.
    pub limit: u64,
    /// What the config declares.
    pub declared: Option<u64>,
    /// What the provider's headers state.
    pub stated: Option<u64>,
    /// The providers whose deployments take from it.
    pub providers: Vec<String>,
    /// What the first of them calls the account's size.
    pub tier: Option<String>,
    /// Whom to ask for more.
    pub contact: Option<String>,
    /// Where to ask for more.
    pub upgrade_url: Option<String>,
    /// Whether it is the fullest of its pool.
    pub binds: bool,
    /// The last whole minute; of a day's limit, what is used of today.
    pub now: Use,
    /// The busiest hour of the last seven days; of a day's limit, the day.
    pub peak: Option<HourUse>,
    /// The busiest hour of all that is known.
    pub peak_of_all: Option<HourUse>,
    /// The busiest hour of the forecast; of a day's limit, the day.
    pub busiest: Option<Band>,
    /// Why there is no forecast.
    pub no_forecast: Option<String>,
    /// The busiest hour of each day that was, oldest first; of a day's limit, each day.
    pub past: Vec<HourUse>,
    /// The busiest hour of each day to come.
    pub ahead: Vec<Band>,
    /// Each hour to come.
    pub hours: Vec<Band>,
    /// When it is reached; none where that cannot be told.
    pub exhaustion: Option<ExhaustionView>,
    /// What becomes of today and the days after it, of a day's limit.
    pub days: Vec<PeriodView>,
    /// By when somebody should have decided: the first date less the time it takes to get more.
    #[serde(with = "stamp::maybe")]
    pub decide_by: Option<WallTime>,
    /// Whether it is likely that the limit is reached before more could be there, with a week to spare: then an alert is due.
    pub alarms: bool,
    /// Days on which demand stepped up or down for good, oldest first.
    pub launches: Vec<LaunchView>,
    /// How the forecast was made, and how wrong it was.
    pub model: Option<ModelView>,
    /// What could be done, the most headroom first.
    pub options: Vec<ChoiceView>,
    /// What could be done, but nobody knows what it would bring, and why.
    pub unknown_options: Vec<String>,
}

/// How much of a limit is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// In what the limit counts.
    pub amount: f64,
    /// Of the limit; more than one where more is asked for than there is.
    pub share: f64,
}

/// An hour, and what its busy minute asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HourUse {
    /// When it begins.
    #[serde(with = "stamp")]
    pub at: WallTime,
    /// In what the limit counts.
    pub amount: f64,
    /// Of the limit.
    pub share: f64,
}

/// An hour to come, and what its busy minute will ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// When it begins.
    #[serde(with = "stamp")]
    pub at: WallTime,
    /// The 5th percentile.
    pub p05: f64,
    /// The 25th.
    pub p25: f64,
    /// The median.
    pub p50: f64,
    /// The 75th.
    pub p75: f64,
    /// The 95th.
    pub p95: f64,
    /// The median, of the limit.
    pub share: f64,
}

/// When a limit is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExhaustionView {
    /// Until when was looked.
    #[serde(with = "stamp")]
    pub until: WallTime,
    /// How likely it is reached by then.
    pub probability: f64,
    /// One chance in ten that it is reached by then.
    #[serde(with = "stamp::maybe")]
    pub p10: Option<WallTime>,
    /// As likely reached by then as not.
    #[serde(with = "stamp::maybe")]
    pub p50: Option<WallTime>,
    /// Nine chances in ten.
    #[serde(with = "stamp::maybe")]
    pub p90: Option<WallTime>,
}

/// What becomes of a day's limit, or of a budget, before it begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeriodView {
    /// When it begins anew.
    #[serde(with = "stamp")]
    pub resets: WallTime,
    /// How likely it is used up before.
    pub probability: f64,
    /// One chance in ten that it is used up by then.
    #[serde(with = "stamp::maybe")]
    pub p10: Option<WallTime>,
    /// As likely used up by then as not.
    #[serde(with = "stamp::maybe")]
    pub p50: Option<WallTime>,
    /// Nine chances in ten.
    #[serde(with = "stamp::maybe")]
    pub p90: Option<WallTime>,
    /// What will have been asked for at its end: the 10th, 50th and 90th percentile.
    pub at_end: [f64; 3],
}

/// A day on which demand stepped up or down, and stayed there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaunchView {
    /// When it began.
    #[serde(with = "stamp")]
    pub at: WallTime,
    /// What demand was multiplied by.
    pub factor: f64,
}

/// How a forecast was made, and how wrong it was on the nights it was tried on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    /// Its name.
    pub name: String,
    /// The same in words.
    pub words: String,
    /// Days of history that it rests on.
    pub days: f64,
    /// Growth a day, where it is beyond doubt.
    pub growth_per_day: Option<f64>,
    /// On how many nights it was tried; none if there were too few.
    pub nights: Option<u32>,
    /// The share of hours that were within the 90 % band.
    pub coverage90: Option<f64>,
    /// The mean error of the median, of the mean demand.
    pub error: Option<f64>,
    /// Its loss, of that of repeating last week.
    pub against_naive: Option<f64>,
}

/// What could be done about a ceiling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChoiceView {
    /// `tier-upgrade`, `routing`, `batch` or `second-provider`.
    pub kind: String,
    /// What to do: `spill 18 % of route smart to anthropic/sonnet`.
    pub what: String,
    /// The share of the limit that is asked for in the busiest hour if it is done.
    pub share_after: f64,
    /// What headroom it adds, in parts of the limit.
    pub gain: f64,
    /// What it costs more a month, less where it is below zero; none if a price is unknown.
    #[serde(with = "usd::maybe")]
    pub cost_per_month_usd: Option<NanoUsd>,
    /// How long it takes, in seconds.
    pub lead_s: u64,
    /// When it has to be decided at the latest; none where the limit is not expected to be reached.
    #[serde(with = "stamp::maybe")]
    pub by: Option<WallTime>,
    /// What else is to be known of it.
    pub note: Option<String>,
}

/// What happens if a provider is gone in the busiest hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failover {
    /// The provider.
    pub without: String,
    /// The share of its requests that no other provider is there for.
    pub stranded: f64,
    /// Whether everything that it serves finds room elsewhere; none if no limit of those who would serve is known.
    pub holds: Option<bool>,
    /// The fullest ceiling of those who would serve, as measured in the last seven days.
    pub binds: Option<Survivor>,
    /// Every ceiling that its requests would go to, the fullest first.
    pub survivors: Vec<Survivor>,
    /// One sentence.
    pub words: String,
}

/// A ceiling that takes over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Survivor {
    /// `anthropic requests/min`.
    pub name: String,
    /// Whose it is.
    pub pool: String,
    /// What it limits, as the config spells it.
    pub dimension: String,
    /// The share that its busiest hour of the last seven days would have asked for.
    pub share: f64,
    /// The same in the busiest hour of the forecast.
    pub share_ahead: Option<f64>,
    /// When that hour was.
    #[serde(with = "stamp")]
    pub at: WallTime,
}

/// What becomes of a budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    /// Its name.
    pub name: String,
    /// `day`, `week` or `month`.
    pub period: String,
    /// How much there is.
    #[serde(with = "usd")]
    pub limit_usd: NanoUsd,
    /// What is known to be spent of the present period.
    #[serde(with = "usd")]
    pub spent_usd: NanoUsd,
    /// Requests of the period whose price is unknown: they are not in it.
    pub unpriced: u64,
    /// What becomes of the present period; none where that cannot be told.
    pub period_end: Option<PeriodView>,
    /// Why there is no forecast.
    pub no_forecast: Option<String>,
    /// By when somebody should have decided.
    #[serde(with = "stamp::maybe")]
    pub decide_by: Option<WallTime>,
    /// How the forecast was made, and how wrong it was.
    pub model: Option<ModelView>,
}
