//! Stories of waste, with literal values.

use proptest::prelude::*;
use weir_units::{NanoUsd, WallTime};

use super::*;

const DAY: i64 = 86_400_000_000;

fn usd(dollars: f64) -> Option<NanoUsd> {
    Some(NanoUsd((dollars * 1e9).round() as i64))
}

fn who<'a>(route: &'a str, key: &'a str, run: &'a str) -> Who<'a> {
    Who { route: Some(route), key: Some(key), run: Some(run) }
}

/// A day in which a loop, retries, a dear model and a large `max_tokens` cost something.
fn day() -> WasteFigures {
    let mut figures = WasteFigures::of(WallTime(0), WallTime(DAY));
    figures.first = Some(WallTime(0));
    (figures.requests, figures.attempts, figures.tokens) = (86_400, 90_000, 212_000_000);
    figures.cost = NanoUsd(412_070_000_000);
    let lost = |times, tokens, dollars: f64| Lost { times, ..Lost::once(tokens, usd(dollars)) };
    figures.lost(Kind::Loop, who("agents", "research", "run_42"), &lost(402, 9_200_000, 31.7));
    figures.lost(Kind::FailedAttempt, who("smart", "checkout-bot", "r1"), &lost(388, 4_100_000, 14.05));
    figures.lost(Kind::OversizedModel, who("smart", "support-web", "r2"), &lost(2_104, 600_000, 18.35));
    figures.lost(Kind::OversizedMaxTokens, who("smart", "checkout-bot", "r3"), &lost(50, 1_000_000, 0.0));
    figures
}

#[test]
fn the_cheapest_remedy_comes_first_and_a_years_worth_is_scaled_from_the_time_that_was_seen() {
    let report = WasteReport::of(&day(), By::Key, 10);
    let told: Vec<(Kind, Option<i64>)> =
        report.kinds.iter().map(|kind| (kind.kind, kind.worth.map(|worth| worth.0 / 1_000_000_000))).collect();
    assert_eq!(
        told,
        [
            (Kind::Loop, Some(11_570)),
            (Kind::OversizedModel, Some(6_697)),
            (Kind::FailedAttempt, Some(5_128)),
            (Kind::OversizedMaxTokens, None)
        ]
    );
    assert_eq!(
        report.wasted,
        Lost { times: 2_894, requests: None, tokens: 13_900_000, cost: NanoUsd(64_100_000_000), unpriced: 0 }
    );
    assert_eq!(
        report.headline.replace('\u{202f}', " "),
        "$64.10 of $412.07 (15.6 %) bought nothing; the first fix saves about $11,571 a year."
    );
    assert!(!report.is_short);
    assert_eq!(report.kinds[0].remedy, "set `loops = \"halt\"`: first for key `research`");
}

#[test]
fn a_small_remedy_of_little_worth_comes_after_a_larger_one_of_much() {
    let mut figures = WasteFigures::of(WallTime(0), WallTime(7 * DAY));
    (figures.requests, figures.first) = (9, Some(WallTime(0)));
    figures.lost(Kind::Truncated, who("a", "k", "r"), &Lost::once(10, usd(1.0)));
    figures.lost(Kind::Duplicate, who("a", "k", "r"), &Lost::once(10, usd(4.9)));
    let first = |figures: &WasteFigures| WasteReport::of(figures, By::Key, 1).kinds[0].kind;
    assert_eq!(first(&figures), Kind::Truncated, "five times the work for less than five times the worth");
    figures.lost(Kind::Duplicate, who("a", "k", "r"), &Lost::once(10, usd(0.2)));
    assert_eq!(first(&figures), Kind::Duplicate);
}

#[test]
fn less_than_a_day_is_said_to_be_a_guess() {
    let mut figures = day();
    figures.first = Some(WallTime(DAY - 7_200_000_000));
    let report = WasteReport::of(&figures, By::Run, 10);
    assert!(report.is_short && report.seen_s == 7_200);
    assert_eq!(report.kinds[0].worth, usd(31.7 * 365.0 * 12.0));
    assert!(report.headline.replace('\u{202f}', " ").ends_with("a year, by 2 h alone."), "{}", report.headline);
}

#[test]
fn what_has_no_price_is_unknown_and_never_nothing() {
    let mut figures = WasteFigures::of(WallTime(0), WallTime(DAY));
    (figures.requests, figures.attempts, figures.unpriced) = (3, 3, 3);
    figures.lost(Kind::Abandoned, Who::default(), &Lost::once(1_200, None));
    let report = WasteReport::of(&figures, By::Key, 10);
    assert_eq!((report.kinds[0].worth, report.worth, report.rows[0].worth), (None, None, None));
    assert_eq!(report.headline, "1,200 tokens, at prices that are unknown, bought nothing.");
    assert!(!report.headline.contains('$'));
    assert_eq!(report.not_known, ["once the price is unknown: it is wasted too, and in no sum of dollars"]);
    // Beside a sum it is counted.
    figures.cost = NanoUsd(2_000_000_000);
    figures.lost(Kind::Abandoned, Who::default(), &Lost::once(10, usd(1.0)));
    let report = WasteReport::of(&figures, By::Key, 10);
    assert!(report.headline.starts_with("$1 + 1 unpriced of $2 + 3 unpriced (50.0"), "{}", report.headline);
}

#[test]
fn nothing_wasted_says_how_much_was_looked_at_and_what_is_not_known_says_why() {
    let mut figures = WasteFigures::of(WallTime(0), WallTime(DAY));
    assert_eq!(WasteReport::of(&figures, By::Key, 1).headline, "Nothing was asked in this range.");
    (figures.requests, figures.attempts) = (1_200, 1_204);
    figures.not_known(Kind::CacheMiss, "these logs do not say what was cached");
    figures.not_known_by(By::Run, "these logs have no runs");
    let report = WasteReport::of(&figures, By::Run, 1);
    assert_eq!(report.headline, "Nothing was wasted in this range: 1,204 attempts looked at.");
    assert_eq!(
        report.not_known,
        [
            "cache misses, stable prefix: not known, these logs do not say what was cached",
            "by run: these logs have no runs"
        ]
    );
}

#[test]
fn room_of_a_limit_is_in_no_sum_of_what_was_paid() {
    let mut figures = WasteFigures::of(WallTime(0), WallTime(DAY));
    (figures.requests, figures.attempts) = (1, 1);
    figures.lost(Kind::OversizedMaxTokens, who("a", "k", "r"), &Lost::once(4_000, usd(0.0)));
    let report = WasteReport::of(&figures, By::Key, 10);
    assert_eq!((report.wasted, report.any(), report.rows.len()), (Lost::default(), false, 0));
    assert!(report.kinds[0].room && report.kinds[0].lost.tokens == 4_000);
}

#[test]
fn names_past_the_bound_are_one() {
    let mut figures = WasteFigures::of(WallTime(0), WallTime(DAY));
    for n in 0..MOST_NAMES + 5 {
        figures.lost_by(By::Run, Some(&format!("r{n}")), Kind::Loop, &Lost::once(1, usd(1.0)));
    }
    let report = WasteReport::of(&figures, By::Run, 1);
    let most = &report.rows[0];
    assert_eq!((most.name.as_deref(), most.lost.times), (Some(OTHER), 5));
    assert_eq!(report.rest.as_ref().unwrap().names, MOST_NAMES as u64);
}

#[test]
fn a_report_survives_its_json() {
    let report = WasteReport::of(&day(), By::Route, 1);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains(r#""kind":"loop","title":"loops and repeated actions""#), "{text}");
    assert!(text.contains(r#""cost_usd":"31.7""#) && text.contains(r#""worth_a_year_usd":null"#), "{text}");
    assert_eq!(serde_json::from_str::<WasteReport>(&text).unwrap(), report);
}

proptest! {
    #[test]
    fn the_parts_add_up_to_the_whole(losses in prop::collection::vec((0..11_usize, 0..4_u8, 0..1_000_u64, prop::option::of(0..1_000_000_i64)), 0..60)) {
        let mut figures = WasteFigures::of(WallTime(0), WallTime(DAY));
        for (kind, name, tokens, cost) in &losses {
            let (kind, name) = (Kind::ALL[*kind], format!("n{name}"));
            figures.lost(kind, who(&name, &name, &name), &Lost::once(*tokens, cost.map(NanoUsd)));
        }
        for by in By::ALL {
            let report = WasteReport::of(&figures, by, 2);
            let mut names = Lost::default();
            report.rows.iter().for_each(|row| names.add(&row.lost));
            report.rest.iter().for_each(|rest| names.add(&rest.lost));
            let mut kinds = Lost::default();
            report.kinds.iter().filter(|kind| !kind.room).for_each(|kind| kinds.add(&kind.lost));
            prop_assert_eq!(names, report.wasted);
            prop_assert_eq!(kinds, report.wasted);
        }
    }
}
