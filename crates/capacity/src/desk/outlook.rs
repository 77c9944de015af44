//! One ceiling: how full it is, was and will be, and when it is reached.

use std::collections::BTreeMap;
use std::time::Duration;

use weir_engine::Zone;
use weir_units::{Dimension, WallTime};

use super::book::{Book, DAY, HOUR, Hour, Subject, passed};
use super::view::{Band, CeilingView, ExhaustionView, HourUse, LaunchView, ModelView, PeriodView, Use};
use super::words::no_forecast;
use super::{Ceiling, Fleet};
use crate::forecast::{
    Alarm, Calendar, DAILY_HOURS, Exhaustion, Forecast, History, Peaks, Period, Quota, Rule, Running, Sample, Shift,
    Unforecast, exhaustion, forecast, quota,
};

/// How far back hours are looked at.
pub const HISTORY: Duration = Duration::from_secs(56 * 86_400);
/// The span whose busiest hour is the peak.
pub const PEAK: Duration = Duration::from_secs(7 * 86_400);
/// Hours that are forecast, where there is history enough.
const HOURS: usize = 28 * 24;
/// The hours to come whose busiest is told.
const BUSIEST: usize = 7 * 24;
/// Hours to come that are told one by one.
const TOLD: usize = 14 * 24;
/// Days ahead in which a limit's exhaustion is looked for.
const AHEAD: u32 = 90;
/// Days of a daily limit that are told one by one.
const DAYS: usize = 14;
/// What futures are drawn from; any number will do, as long as it stays the same.
const SEED: u64 = 0x5EED_CAFE;

/// A forecast of a ceiling, in the hour's sums, and what turns them into busy minutes.
struct Ahead {
    forecast: Forecast,
    peaks: Peaks,
}

/// What is to be told of the ceiling at `place`.
pub(super) fn outlook(fleet: &Fleet, book: &Book, place: usize, now: WallTime, alarm: &mut Alarm) -> CeilingView {
    let Some(ceiling) = fleet.ceilings.get(place) else { return CeilingView::default() };
    let line = book.hours(Subject::Ceiling(place), before(now, HISTORY), now);
    let calendar = Calendar::local(|at| i32::try_from(fleet.zone.seconds_ahead(at)).unwrap_or(0));
    let mut view = describe(fleet, ceiling);
    let made = if line.is_empty() { Err(Unforecast::Silent { days: 0 }) } else { ahead(&line, &calendar, now) };
    if let Ok((ahead, why)) = &made {
        view.model = Some(model(&ahead.forecast));
        let launch = |shift: &Shift| LaunchView { at: shift.at, factor: shift.factor };
        view.launches = ahead.forecast.shifts.iter().map(launch).collect();
        view.no_forecast = why.as_ref().map(|why| no_forecast(why, now, &fleet.zone));
    }
    if let Err(why) = &made {
        view.no_forecast = Some(no_forecast(why, now, &fleet.zone));
    }
    let ahead = made.ok().map(|(ahead, _)| ahead);
    let found = if ceiling.dimension.is_daily() {
        of_days(&mut view, ceiling, &line, ahead.as_ref(), now);
        None
    } else {
        let last = book.last_minute(Subject::Ceiling(place));
        view.now = Use { amount: last, share: share(last, ceiling.limit) };
        of_minutes(&mut view, ceiling, &line, ahead.as_ref(), &calendar, &fleet.zone, now)
    };
    decide(&mut view, fleet, found.as_ref(), ceiling, now, alarm);
    view
}

/// What part of a limit an amount is; of a limit of nothing, all is too much.
pub(super) fn share(amount: f64, limit: u64) -> f64 {
    if limit == 0 { if amount > 0.0 { f64::from(u32::MAX) } else { 0.0 } } else { amount / limit as f64 }
}

/// A time before another.
pub(super) fn before(at: WallTime, span: Duration) -> WallTime {
    WallTime(at.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
}

/// What was, without any forecast.
pub(super) fn past(ceiling: &Ceiling, book: &Book, place: usize, now: WallTime) -> CeilingView {
    let mut view = CeilingView { per: per(ceiling.dimension).to_owned(), ..CeilingView::default() };
    let line = book.hours(Subject::Ceiling(place), before(now, HISTORY), now);
    if ceiling.dimension.is_daily() {
        of_days(&mut view, ceiling, &line, None, now);
    } else {
        of_minutes(&mut view, ceiling, &line, None, &Calendar::utc(), &Zone::UTC, now);
    }
    view
}

/// Over what a limit counts.
fn per(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::ConcurrentRequests => "at_once",
        daily if daily.is_daily() => "day",
        _ => "minute",
    }
}

fn describe(fleet: &Fleet, ceiling: &Ceiling) -> CeilingView {
    let providers = ceiling.members.providers();
    let account = providers.first().and_then(|name| fleet.accounts.get(name)).cloned().unwrap_or_default();
    let text = |text: Option<std::sync::Arc<str>>| text.map(|text| text.to_string());
    CeilingView {
        pool: ceiling.pool.to_string(),
        kind: ceiling.pool.kind().to_owned(),
        dimension: ceiling.dimension.name().to_owned(),
        name: ceiling.name(),
        per: per(ceiling.dimension).to_owned(),
        limit: ceiling.limit,
        declared: ceiling.declared,
        stated: ceiling.stated,
        providers: providers.iter().map(ToString::to_string).collect(),
        tier: text(account.tier),
        contact: text(account.contact),
        upgrade_url: text(account.upgrade_url),
        ..CeilingView::default()
    }
}

/// A forecast: of weeks, or where the history is too short for that, of the next two days, with why it is no longer.
fn ahead(
    line: &[(WallTime, Hour)],
    calendar: &Calendar<'_>,
    now: WallTime,
) -> Result<(Ahead, Option<Unforecast>), Unforecast> {
    let history = history(line, now);
    match forecast(&history, calendar, HOURS, SEED) {
        Ok(forecast) => Ok((Ahead { forecast, peaks: peaks(line, calendar, true) }, None)),
        Err(why) => match forecast(&history, calendar, DAILY_HOURS, SEED) {
            Ok(forecast) => Ok((Ahead { forecast, peaks: peaks(line, calendar, false) }, Some(why))),
            Err(_) => Err(why),
        },
    }
}

/// Sums of hours; the hour that is not over is running.
pub(super) fn history(line: &[(WallTime, Hour)], now: WallTime) -> History {
    let start = line.first().map_or(now, |(at, _)| *at);
    let over = |at: WallTime| at.0.saturating_add(HOUR) <= now.0;
    let hours = line.iter().filter(|(at, _)| over(*at)).map(|(_, hour)| Sample::Known(hour.mean * 60.0)).collect();
    let mut history = History::new(start, hours);
    if let Some((at, hour)) = line.last().filter(|(at, _)| !over(*at)) {
        let minutes = passed(*at, now);
        let passed = Duration::from_secs(60 * minutes as u64);
        history.running = Some(Running { passed, sum: hour.mean * minutes });
    }
    history
}

/// How much busier than the mean minute of an hour its busy minute is: by slot of the week, or where the forecast does not tell
/// weekdays apart, by hour of the day. A quiet Saturday's bursts would else be laid upon what was forecast from working days.
fn peaks(line: &[(WallTime, Hour)], calendar: &Calendar<'_>, weekly: bool) -> Peaks {
    let period = if weekly { 168 } else { 24 };
    let mut slots: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (at, hour) in line.iter().filter(|(_, hour)| hour.mean > 0.0) {
        slots.entry(calendar.slot(*at).of_week() % period).or_default().push(hour.p95 / hour.mean);
    }
    let mut bursts = vec![None; 168];
    for (slot, mut ratios) in slots {
        ratios.sort_unstable_by(f64::total_cmp);
        let middle = ratios.get(ratios.len() / 2).copied();
        bursts.iter_mut().skip(slot).step_by(period).for_each(|burst| *burst = middle);
    }
    Peaks::by_slot(&bursts)
}

fn of_minutes(
    view: &mut CeilingView,
    ceiling: &Ceiling,
    line: &[(WallTime, Hour)],
    ahead: Option<&Ahead>,
    calendar: &Calendar<'_>,
    zone: &Zone,
    now: WallTime,
) -> Option<Exhaustion> {
    let limit = ceiling.limit;
    let used = |(at, hour): &(WallTime, Hour)| HourUse { at: *at, amount: hour.p95, share: share(hour.p95, limit) };
    let fullest = |from: WallTime| {
        let within = line.iter().filter(|(at, hour)| *at >= from && hour.peak > 0.0);
        within.map(used).max_by(|a, b| a.amount.total_cmp(&b.amount))
    };
    view.peak = fullest(before(now, PEAK));
    view.peak_of_all = fullest(WallTime(i64::MIN));
    let all: Vec<HourUse> = line.iter().map(used).collect();
    view.past = by_day(&all, zone, |one| one.at, |one| one.amount);
    let Ahead { forecast, peaks } = ahead?;
    let band = |point: &crate::forecast::Point| {
        let part = peaks.share(calendar.slot(point.at).of_week());
        Band {
            at: point.at,
            p05: rounded(point.p05() * part),
            p25: rounded(point.p25() * part),
            p50: rounded(point.p50() * part),
            p75: rounded(point.p75() * part),
            p95: rounded(point.p95() * part),
            share: share(point.p50() * part, limit),
        }
    };
    let bands: Vec<Band> = forecast.points.iter().map(band).collect();
    view.busiest = bands.iter().take(BUSIEST).max_by(|a, b| a.p50.total_cmp(&b.p50)).copied();
    view.ahead = by_day(&bands, zone, |one| one.at, |one| one.p50);
    // What is left of today is a day of its own only if it is to be fuller than today was.
    if let (Some(first), Some(was)) = (view.ahead.first(), view.past.last())
        && local_day(first.at, zone) == local_day(was.at, zone)
        && first.p50 <= was.amount
    {
        view.ahead.remove(0);
    }
    view.hours = bands.into_iter().take(TOLD).collect();
    let found = exhaustion(forecast, peaks, limit as f64, AHEAD, SEED)?;
    view.exhaustion = Some(ExhaustionView {
        until: found.until,
        probability: found.probability,
        p10: found.p10,
        p50: found.p50,
        p90: found.p90,
    });
    Some(found)
}

/// To the hundredth, which is finer than anybody can tell.
fn rounded(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// Days since 1970-01-01 on the clocks of a zone.
fn local_day(at: WallTime, zone: &Zone) -> i64 {
    at.0.saturating_add(zone.seconds_ahead(at) * 1_000_000).div_euclid(DAY)
}

/// Of each local day the fullest.
fn by_day<T: Copy>(all: &[T], zone: &Zone, at: impl Fn(&T) -> WallTime, amount: impl Fn(&T) -> f64) -> Vec<T> {
    let mut days: BTreeMap<i64, T> = BTreeMap::new();
    for one in all {
        let day = local_day(at(one), zone);
        let fuller = days.get(&day).is_none_or(|known| amount(one) > amount(known));
        if fuller {
            days.insert(day, *one);
        }
    }
    days.into_values().collect()
}

fn of_days(view: &mut CeilingView, ceiling: &Ceiling, line: &[(WallTime, Hour)], ahead: Option<&Ahead>, now: WallTime) {
    let limit = ceiling.limit;
    let mut days: BTreeMap<WallTime, f64> = BTreeMap::new();
    for (at, hour) in line {
        *days.entry(ceiling.day.day(*at).start).or_default() += hour.mean * passed(*at, now);
    }
    let today = ceiling.day.day(now).start;
    let used = days.remove(&today).unwrap_or(0.0);
    view.now = Use { amount: used, share: share(used, limit) };
    view.past =
        days.iter().map(|(at, amount)| HourUse { at: *at, amount: *amount, share: share(*amount, limit) }).collect();
    let fullest = |from: WallTime| {
        view.past.iter().filter(|one| one.at >= from && one.amount > 0.0).max_by(|a, b| a.amount.total_cmp(&b.amount))
    };
    let (peak, of_all) = (fullest(before(today, PEAK)).copied(), fullest(WallTime(i64::MIN)).copied());
    (view.peak, view.peak_of_all) = (peak, of_all);
    let Some(Ahead { forecast, .. }) = ahead else { return };
    let mut resets = Vec::new();
    let mut at = now;
    while resets.len() < DAYS
        && let Some(end) = ceiling.day.day(at).end
    {
        resets.push(end);
        at = end;
    }
    let told = quota(forecast, &Quota { limit: limit as f64, used, resets }, SEED);
    view.days = told.iter().map(period).collect();
    let begins = |one: &PeriodView| ceiling.day.day(WallTime(one.resets.0 - 1)).start;
    let band = |one: &PeriodView| {
        let [low, middle, high] = one.at_end;
        // The ends of a quota are told as tenths; between them and the median nothing finer is known.
        Band { at: begins(one), p05: low, p25: low, p50: middle, p75: high, p95: high, share: share(middle, limit) }
    };
    view.ahead = view.days.iter().map(band).collect();
    view.busiest = view.ahead.iter().take(8).max_by(|a, b| a.p50.total_cmp(&b.p50)).copied();
    // The first day on which it is used up as likely as not tells when that is; else the likeliest tells how likely.
    let likeliest = view.days.iter().max_by(|a, b| a.probability.total_cmp(&b.probability));
    let first = |most: f64| view.days.iter().find(|day| day.probability >= most);
    view.exhaustion = likeliest.map(|likeliest| ExhaustionView {
        until: view.days.last().map_or(now, |day| day.resets),
        probability: likeliest.probability,
        p10: first(0.1).and_then(|day| day.p10),
        p50: first(0.5).and_then(|day| day.p50),
        p90: first(0.9).and_then(|day| day.p90),
    });
}

/// What becomes of a period, as it is told.
pub(super) fn period(period: &Period) -> PeriodView {
    PeriodView {
        resets: period.resets,
        probability: period.probability,
        p10: period.p10,
        p50: period.p50,
        p90: period.p90,
        at_end: period.used,
    }
}

/// By when somebody should have decided, and whether they are to be told.
fn decide(
    view: &mut CeilingView,
    fleet: &Fleet,
    found: Option<&Exhaustion>,
    ceiling: &Ceiling,
    now: WallTime,
    alarm: &mut Alarm,
) {
    view.decide_by = view.exhaustion.and_then(|found| found.p10).map(|first| before(first, fleet.lead_time));
    let rule = Rule::with_lead(fleet.lead_time);
    if ceiling.dimension.is_daily() {
        let soon = now + rule.lead + rule.margin;
        let within = view.days.iter().filter(|day| day.resets <= soon);
        let likeliest = within.map(|day| day.probability).fold(0.0, f64::max);
        let raised = alarm.raised.is_some();
        view.alarms = likeliest >= if raised { rule.clear } else { rule.raise };
        alarm.raised = view.alarms.then_some(alarm.raised.unwrap_or(now));
        return;
    }
    if let Some(found) = found {
        alarm.step(&rule, now, found);
    }
    view.alarms = alarm.raised.is_some();
}

/// How a forecast was made, as it is told.
pub(super) fn model(forecast: &Forecast) -> ModelView {
    let error = forecast.error.as_ref();
    ModelView {
        name: serde_json::to_value(forecast.model)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default(),
        words: forecast.model.words().to_owned(),
        days: forecast.days,
        growth_per_day: forecast.growth.evident.then_some(forecast.growth.per_day),
        nights: error.map(|error| error.nights),
        coverage90: error.map(|error| error.coverage90),
        error: error.map(|error| error.error),
        against_naive: error.and_then(crate::forecast::BackTest::against_naive),
    }
}
