//! Stories with literal days: what is told of short, broken, throttled and stepped histories, and of quotas.

use std::time::Duration;

use weir_capacity::forecast::{
    Calendar, DAILY_HOURS, Forecast, History, Model, Peaks, Quota, Running, Sample, Unforecast, exhaustion, forecast,
    quota,
};
use weir_units::WallTime;

use crate::made::{MONDAY, Made, Trend, history};

fn at(text: &str) -> WallTime {
    text.parse().expect("a time")
}

fn week(history: &History) -> Result<Forecast, Unforecast> {
    forecast(history, &Calendar::utc(), 168, 1)
}

fn close(value: f64, to: f64, share: f64) {
    assert!((value / to - 1.0).abs() <= share, "{value} is not {to}");
}

#[test]
fn six_days_are_not_enough_for_weeks_and_are_enough_for_two_days() {
    let known = history(&Made::default().hours(6, 1));
    let why = week(&known).unwrap_err();
    assert_eq!(why, Unforecast::TooShort { days: 6.0, need: 14, from: at("2026-11-16T00:00:00Z") });
    let told = forecast(&known, &Calendar::utc(), DAILY_HOURS, 1).unwrap();
    assert_eq!((told.model, told.points.len()), (Model::Daily, 48));
    assert_eq!(exhaustion(&told, &Peaks::same(), 2_000.0, 30, 1), None);
    let why = forecast(&known.until(60), &Calendar::utc(), DAILY_HOURS, 1).unwrap_err();
    assert_eq!(why, Unforecast::TooShort { days: 2.5, need: 3, from: at("2026-11-05T00:00:00Z") });
}

#[test]
fn hours_before_the_first_demand_are_no_history() {
    let mut hours = vec![0.0; 30 * 24];
    hours.extend(Made::default().hours(5, 1));
    let why = week(&history(&hours)).unwrap_err();
    assert_eq!(why, Unforecast::TooShort { days: 5.0, need: 14, from: at("2026-12-16T00:00:00Z") });
}

#[test]
fn a_quiet_first_night_is_history() {
    let mut hours = Made::default().hours(14, 1);
    hours[..5].fill(0.0);
    assert_eq!(week(&history(&hours)).map(|told| told.model), Ok(Model::SlotOfWeek));
}

#[test]
fn silence_and_gaps_are_said() {
    assert_eq!(week(&history(&[])).unwrap_err(), Unforecast::Silent { days: 0 });
    let mut hours = Made::default().hours(20, 1);
    hours.extend(vec![0.0; 15 * 24]);
    assert_eq!(week(&history(&hours)).unwrap_err(), Unforecast::Silent { days: 15 });
    let mut known = history(&Made::default().hours(28, 1));
    for (hour, sample) in known.hours.iter_mut().enumerate() {
        if hour > 0 && hour % 3 != 0 {
            *sample = Sample::Unknown;
        }
    }
    assert!(matches!(week(&known), Err(Unforecast::Gaps { known }) if (0.33..0.34).contains(&known)));
}

#[test]
fn gaps_are_not_zeros() {
    let made = Made::default();
    let mut known = history(&made.hours(35, 1));
    for hour in 30 * 24..32 * 24 {
        known.hours[hour] = Sample::Unknown;
    }
    let told = week(&known).unwrap();
    close(told.points[13].p50(), made.expected(35 * 24 + 13), 0.06);
}

#[test]
fn what_is_always_the_same_goes_on() {
    let told = week(&history(&vec![60.0; 35 * 24])).unwrap();
    for point in &told.points {
        close(point.p05(), 60.0, 0.01);
        close(point.p95(), 60.0, 0.01);
    }
    assert!(!told.growth.evident && told.shifts.is_empty());
    let found = exhaustion(&told, &Peaks::of_hours(1.0), 1.25, 90, 1).unwrap();
    assert_eq!((found.probability, found.p10), (0.0, None));
    let found = exhaustion(&told, &Peaks::of_hours(1.5), 1.25, 90, 1).unwrap();
    assert_eq!((found.probability, found.p90), (1.0, Some(at("2026-12-07T00:00:00Z"))));
}

#[test]
fn one_spike_changes_nothing() {
    let made = Made::default();
    let mut hours = made.hours(35, 1);
    let plain = week(&history(&hours)).unwrap();
    hours[33 * 24 + 3] = 50_000.0;
    let spiked = week(&history(&hours)).unwrap();
    for (a, b) in plain.points.iter().zip(&spiked.points) {
        close(b.p50(), a.p50(), 0.06);
    }
    assert!(spiked.shifts.is_empty() && !spiked.growth.evident);
}

#[test]
fn a_launch_is_found_and_its_level_kept() {
    let made = Made { launches: vec![(28, 1.8)], ..Made::default() };
    let told = week(&history(&made.hours(35, 2))).unwrap();
    assert_eq!(told.shifts.iter().map(|shift| shift.at).collect::<Vec<_>>(), [at("2026-11-30T00:00:00Z")]);
    close(told.shifts[0].factor, 1.8, 0.08);
    close(told.points[13].p50(), made.expected(35 * 24 + 13), 0.08);
    assert!(!told.growth.evident, "{:?}", told.growth);
}

#[test]
fn a_trend_is_followed_for_weeks() {
    let made = Made { trend: Trend::Share(0.01), ..Made::default() };
    let told = forecast(&history(&made.hours(35, 3)), &Calendar::utc(), 28 * 24, 1).unwrap();
    assert!(told.growth.evident);
    close(told.growth.per_day, 0.01, 0.3);
    close(told.points[27 * 24 + 13].p50(), made.expected(62 * 24 + 13), 0.10);
    let width = |hour: usize| told.points[hour].p95() / told.points[hour].p05();
    assert!(width(24 * 24 + 13) > width(3 * 24 + 13));
}

/// Clients that were turned away and did not come back: the limit is not what was wanted.
#[test]
fn throttled_hours_are_lower_bounds() {
    let made = Made::default();
    let mut known = history(&made.hours(35, 4));
    // On the last three days, all above 500 was turned away for good.
    for hour in 32 * 24..35 * 24 {
        if let Sample::Known(value) = known.hours[hour]
            && value > 500.0
        {
            known.hours[hour] = Sample::AtLeast(500.0);
        }
    }
    let told = week(&known).unwrap();
    close(told.points[13].p50(), made.expected(35 * 24 + 13), 0.08);
    assert!(told.points[13].p50() > 900.0);
}

#[test]
fn slots_follow_local_time_over_the_end_of_summer_time() {
    // One hour of work a day, at nine o'clock of a place that goes from UTC+2 to UTC+1 on the 29th day.
    let change = WallTime(MONDAY.0 + 28 * 86_400_000_000);
    let offset = |at: WallTime| if at < change { 7_200 } else { 3_600 };
    let local = Calendar::local(offset);
    let slot_hour = |hour: usize| local.slot(WallTime(MONDAY.0 + hour as i64 * 3_600_000_000)).hour;
    let hours: Vec<f64> = (0..28 * 24).map(|hour| if slot_hour(hour) == 9 { 100.0 } else { 1.0 }).collect();
    let told = forecast(&history(&hours), &local, 48, 1).unwrap();
    let busiest = told.busiest().unwrap().at;
    assert_eq!(busiest, at("2026-11-30T08:00:00Z"));
}

#[test]
fn a_holiday_is_a_sunday() {
    let made = Made::default();
    let known = history(&made.hours(35, 1));
    // 2026-12-09 is a Wednesday.
    let calendar = Calendar::utc().with_holidays([WallTime::day_of(2026, 12, 9)]);
    let told = forecast(&known, &calendar, 168, 1).unwrap();
    let noon = |day: usize| told.points[day * 24 + 13].p50();
    close(noon(2), noon(6), 0.1);
    assert!(noon(1) > 1.8 * noon(2));
}

#[test]
fn todays_quota_is_gone_by_half_past_two() {
    // A batch job that was never seen before begins at eight and asks 2,000 an hour; it is half past twelve.
    let mut hours = Made::default().hours(31, 11);
    for hour in &mut hours[30 * 24 + 8..] {
        *hour += 2_000.0;
    }
    let now = 30 * 24 + 12;
    let mut known = history(&hours[..now]);
    known.running = Some(Running { passed: Duration::from_secs(1_800), sum: hours[now] / 2.0 });
    let used = hours[30 * 24..now].iter().sum::<f64>() + hours[now] / 2.0;
    let told = forecast(&known, &Calendar::utc(), DAILY_HOURS, 1).unwrap();
    // What two more hours of it take.
    let midnight = at("2026-12-03T00:00:00Z");
    let asked = Quota { limit: used + 2.0 * 2_950.0, used, resets: vec![midnight] };
    let [today] = quota(&told, &asked, 3)[..] else { panic!("one period") };
    assert_eq!(today.resets, midnight);
    assert!(today.probability > 0.9);
    let gone = today.p50.unwrap();
    assert!((at("2026-12-02T14:15:00Z")..at("2026-12-02T14:45:00Z")).contains(&gone), "{gone}");
    // Without the job, the quota would last.
    let plain = forecast(&history(&Made::default().hours(30, 11)), &Calendar::utc(), DAILY_HOURS, 1).unwrap();
    let [lasts] = quota(&plain, &Quota { limit: 30_000.0, used: 0.0, resets: vec![midnight] }, 3)[..] else {
        panic!("one period")
    };
    assert_eq!((lasts.probability, lasts.p10), (0.0, None));
}

#[test]
fn a_months_budget_is_gone_before_its_end() {
    // Twelve of thirty days to go at 10 an hour: 2,880 are wanted, 1,000 are left.
    let told = week(&history(&vec![10.0; 18 * 24])).unwrap();
    let (end, next) = (at("2026-12-02T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let told = quota(&told, &Quota { limit: 5_320.0, used: 4_320.0, resets: vec![end, next] }, 1);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].probability, 1.0);
    let gone = told[0].p50.unwrap();
    assert!((at("2026-11-24T00:00:00Z")..at("2026-11-24T09:00:00Z")).contains(&gone), "{gone}");
    close(told[0].used[1], 4_320.0 + 2_880.0, 0.01);
    close(told[1].used[1], 7_200.0, 0.01);
}

#[test]
fn a_quota_that_is_gone_is_gone_now() {
    let told = forecast(&history(&vec![10.0; 18 * 24]), &Calendar::utc(), DAILY_HOURS, 1).unwrap();
    let now = at("2026-11-20T00:00:00Z");
    let told = quota(&told, &Quota { limit: 5.0, used: 7.0, resets: vec![at("2026-11-21T00:00:00Z")] }, 1);
    assert_eq!((told[0].probability, told[0].p10), (1.0, Some(now)));
}
