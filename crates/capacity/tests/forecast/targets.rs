//! What was promised, on histories that are made: coverage, dates, no false alarm, an alarm in time.

use std::time::Duration;

use weir_capacity::forecast::{Alarm, Calendar, Change, Peaks, Rule, exhaustion, forecast};

use crate::made::{Made, Trend, history};

const DAY: f64 = 86_400e6;

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn nine_hours_of_ten_lie_in_the_band() {
    println!("| history | in the 90 % band |\n|---|---|");
    let noises = [
        ("little noise", (0.05, 0.0, 0.0)),
        ("noise that lasts", (0.08, 0.7, 0.03)),
        ("much noise", (0.15, 0.5, 0.05)),
    ];
    for (of_noise, noise) in noises {
        for (of_trend, trend) in
            [("flat", Trend::Share(0.0)), ("1 % a day", Trend::Share(0.01)), ("by an amount", Trend::Amount(0.03))]
        {
            for (of_size, busiest) in [("thousands an hour", 1_000.0), ("8 an hour", 8.0)] {
                let (mut inside, mut all) = (0.0, 0.0);
                for seed in 0..12 {
                    let launches = if seed % 2 == 0 { vec![(20, 1.5)] } else { Vec::new() };
                    let made = Made { busiest, trend, noise, launches, counts: true };
                    let hours = made.hours(42, seed * 7_919 + 1);
                    let told = forecast(&history(&hours[..35 * 24]), &Calendar::utc(), 168, 1).unwrap();
                    for (point, came) in told.points.iter().zip(&hours[35 * 24..]) {
                        all += 1.0;
                        inside += f64::from(u8::from(point.p05() <= *came && *came <= point.p95()));
                    }
                }
                let share = inside / all;
                println!("| {of_trend}, {of_noise}, {of_size} | {:.1} % |", share * 100.0);
                assert!((0.85..=0.95).contains(&share), "{of_trend}, {of_noise}, {of_size}: {share}");
            }
        }
    }
}

#[test]
fn dates_are_off_by_less_than_a_tenth_of_the_time_to_them() {
    println!(
        "| growth | median error, share of the time to the date | between the 10 % and 90 % date |\n|---|---|---|"
    );
    let (mut all, mut between, mut count) = (Vec::new(), 0, 0);
    for (of_trend, trend) in [
        ("1 % a day", Trend::Share(0.01)),
        ("2 % a day", Trend::Share(0.02)),
        ("4 % a day", Trend::Share(0.04)),
        ("1 % of the first day", Trend::Amount(0.01)),
        ("2 % of the first day", Trend::Amount(0.02)),
        ("4 % of the first day", Trend::Amount(0.04)),
    ] {
        let (mut errors, mut within) = (Vec::new(), 0);
        for seed in 0..25_u64 {
            let launches = if seed % 3 == 0 { vec![(14, 1.4)] } else { Vec::new() };
            let made = Made { trend, launches, ..Made::default() };
            let to = [15, 20, 30, 45][seed as usize % 4];
            let limit = made.highest_before(35 + to);
            let truth = (35 * 24..).find(|hour| made.expected(*hour) >= limit * 0.999_9).unwrap() as f64 / 24.0 - 35.0;
            let told = forecast(&history(&made.hours(35, seed * 104_729 + 3)), &Calendar::utc(), 24, 1).unwrap();
            let found = exhaustion(&told, &Peaks::same(), limit, 90, 7).unwrap();
            let days = |at: weir_units::WallTime| (at.0 - told.points[0].at.0) as f64 / DAY;
            errors.push(found.p50.map_or(1.0, |at| (days(at) - truth).abs() / truth));
            let (first, last) = (found.p10.map_or(f64::MAX, days), found.p90.map_or(f64::MAX, days));
            within += u32::from(first - 1.0 <= truth && truth <= last + 1.0);
        }
        between += within;
        count += errors.len();
        println!("| {of_trend} | {:.1} % | {within} of {} |", median(&mut errors) * 100.0, errors.len());
        all.extend(errors);
    }
    let error = median(&mut all);
    println!("| all | {:.1} % | {between} of {count} |", error * 100.0);
    assert!(error <= 0.10, "{error}");
    assert!(f64::from(between) / count as f64 >= 0.75, "{between} of {count}");
}

/// How many days before `hit` an alarm is raised, if the history is looked at on each day from `from` on.
fn raised(made: &Made, seed: u64, limit: f64, from: usize, until: usize) -> Option<usize> {
    let hours = made.hours(until, seed);
    let rule = Rule::with_lead(Duration::from_secs(10 * 86_400));
    let mut alarm = Alarm::default();
    (from..until).find(|day| {
        let known = &hours[day.saturating_sub(35) * 24..day * 24];
        let told = forecast(&history(known), &Calendar::utc(), 24, 1).expect("three weeks are enough");
        let found = exhaustion(&told, &Peaks::same(), limit, 60, 7).expect("weeks are known");
        alarm.step(&rule, told.points[0].at, &found) == Change::Raised
    })
}

#[test]
fn flat_traffic_at_eighty_percent_raises_no_alarm_in_thirty_days() {
    let seeds: u64 = std::env::var("WEIR_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    for seed in 0..seeds {
        let noise = [(0.05, 0.0, 0.0), (0.08, 0.7, 0.02), (0.10, 0.3, 0.02)][seed as usize % 3];
        let made = Made { noise, ..Made::default() };
        let limit = made.highest_before(7) / 0.8;
        assert_eq!(raised(&made, seed * 31 + 5, limit, 35, 65), None, "seed {seed}");
    }
}

#[test]
fn an_alarm_comes_five_days_before_a_trend_hits_its_ceiling() {
    let seeds: u64 = std::env::var("WEIR_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut least = usize::MAX;
    for seed in 0..seeds.min(25) {
        let trends =
            [Trend::Share(0.005), Trend::Share(0.01), Trend::Share(0.02), Trend::Share(0.04), Trend::Amount(0.02)];
        let made = Made { trend: trends[seed as usize % 5], ..Made::default() };
        let hit = [40, 50, 60][seed as usize % 3];
        let limit = made.highest_before(hit);
        let truth = (0..).find(|hour| made.expected(*hour) >= limit * 0.999_9).unwrap() / 24;
        let day = raised(&made, seed * 77 + 5, limit, 21, truth).unwrap_or(truth);
        least = least.min(truth - day);
        assert!(truth - day >= 5, "seed {seed}: {} days before", truth - day);
    }
    println!("the latest alarm came {least} days before the ceiling was hit");
}
