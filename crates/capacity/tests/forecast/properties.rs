//! What always holds, whatever the history: no panic, nothing that is no number, bands in their order, the same twice.

use std::time::Duration;

use proptest::prelude::*;
use weir_capacity::forecast::{Calendar, History, Peaks, Quota, Running, Sample, exhaustion, forecast, quota};
use weir_units::WallTime;

use crate::made::MONDAY;

/// Hours of all kinds: none, few, many, absurd, unknown, bounded.
fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = prop_oneof![
        3 => Just(Sample::Known(0.0)),
        6 => (0_u32..50).prop_map(|n| Sample::Known(f64::from(n))),
        2 => (0.0..1e12_f64).prop_map(Sample::Known),
        1 => Just(Sample::Known(f64::MAX)),
        1 => Just(Sample::Known(f64::NAN)),
        1 => Just(Sample::Known(-1.0)),
        2 => Just(Sample::Unknown),
        1 => (0.0..1e3_f64).prop_map(Sample::AtLeast),
    ];
    // A short pattern that comes again, so that long histories are made of few choices.
    (prop::collection::vec(sample, 1..60), 0_usize..1_200)
        .prop_map(|(pattern, hours)| pattern.into_iter().cycle().take(hours).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn bands_are_numbers_in_their_order(hours in samples(), ahead in 1_usize..400, offset in -50_000_i32..50_000) {
        let mut history = History::new(MONDAY, hours);
        history.running = Some(Running { passed: Duration::from_secs(900), sum: 3.0 });
        let calendar = Calendar::local(move |_| offset).with_holidays([20_760]);
        let first = forecast(&history, &calendar, ahead, 1);
        if let Ok(told) = &first {
            prop_assert_eq!(told.points.len(), ahead);
            for point in &told.points {
                prop_assert!(point.levels.iter().all(|v| v.is_finite() && *v >= 0.0), "{:?}", point);
                prop_assert!(point.levels.windows(2).all(|w| w[0] <= w[1]), "{:?}", point);
            }
            prop_assert!(told.growth.per_day.is_finite() && told.growth.uncertainty.is_finite());
            if let Some(found) = exhaustion(told, &Peaks::of_hours(1.5), 10.0, 30, 1) {
                prop_assert!((0.0..=1.0).contains(&found.probability));
                prop_assert!(found.p10 <= found.p50 || found.p50.is_none());
                prop_assert!(found.p50 <= found.p90 || found.p90.is_none());
            }
            let resets = vec![WallTime(history.end().0 + 40_000_000_000), WallTime(history.end().0 + 90_000_000_000)];
            for period in quota(told, &Quota { limit: 1e4, used: 10.0, resets }, 1) {
                prop_assert!((0.0..=1.0).contains(&period.probability));
                prop_assert!(period.used.iter().all(|v| v.is_finite() && *v >= 0.0));
                prop_assert!(period.p90.is_none_or(|at| at <= period.resets && at >= history.end()));
            }
        }
        let again = forecast(&history, &calendar, ahead, 1);
        prop_assert_eq!(format!("{first:?}"), format!("{again:?}"));
    }
}
