//! Figures as people read them: one way for every screen, so that no two say the same thing differently.
//!
//! What is unknown is `—` and never 0; what happened at all is never shown as none of it, and availability is rounded
//! down, so that nothing reads as perfect after a failure. Units follow a narrow space that does not break (U+202F).

use crate::money::NanoUsd;

/// Between a figure and its unit.
const GAP: char = '\u{202f}';

/// A count, exact: `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, which takes an `s` for more than one: `1 retry` is not of this kind, `1 request` is.
#[must_use]
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A count in three digits, for axes and tiles: `950`, `1.25k`, `12.3k`, `4.56M`, `1.9B`; exact below 1,000.
#[must_use]
pub fn short(n: u64) -> String {
    for (unit, name) in [(1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")] {
        if n >= unit {
            let (whole, hundredths) = (n / unit, n % unit * 100 / unit);
            let text = match whole {
                0..10 => format!("{whole}.{hundredths:02}"),
                10..100 => format!("{whole}.{}", hundredths / 10),
                _ => return format!("{whole}{name}"),
            };
            return format!("{}{name}", text.trim_end_matches('0').trim_end_matches('.'));
        }
    }
    n.to_string()
}

/// Dollars, as a person reads them: `$0.0123`, `$1.23`, `$123`, `$12,345`: three digits and rounded up, so that what cost
/// something never reads as nothing, and all whole dollars.
#[must_use]
pub fn dollars(amount: NanoUsd) -> String {
    const ONE: u128 = 1_000_000_000;
    if amount == NanoUsd::ZERO {
        return "$0".to_owned();
    }
    let nanos = u128::from(amount.0.unsigned_abs());
    let digits = nanos.ilog10();
    // The place of the third digit, and no finer than a nano-dollar.
    let step = 10_u128.pow(digits.saturating_sub(2).min(9));
    let rounded = nanos.div_ceil(step).saturating_mul(step);
    if rounded >= 1_000 * ONE {
        return format!("${}", count(u64::try_from(rounded / ONE).unwrap_or(u64::MAX)));
    }
    let text = NanoUsd(i64::try_from(rounded).unwrap_or(i64::MAX)).to_string();
    // Cents are two, or none.
    match text.split_once('.') {
        Some((whole, cents)) if cents.len() == 1 && rounded < 100 * ONE => format!("${whole}.{cents}0"),
        _ => format!("${text}"),
    }
}

/// A part of a whole, to the nearest tenth of a percent: `97.3 %`. More than nothing is at least `< 0.1 %`, less than all
/// is at most `> 99.9 %`, and a part of nothing is unknown.
#[must_use]
pub fn share(part: u64, of: u64) -> String {
    let tenths = match of {
        0 => return "—".to_owned(),
        _ => (u128::from(part) * 2_000 / u128::from(of)).div_ceil(2),
    };
    match tenths {
        0 if part > 0 => format!("< 0.1{GAP}%"),
        1_000 if part < of => format!("> 99.9{GAP}%"),
        0 => format!("0{GAP}%"),
        1_000 => format!("100{GAP}%"),
        _ => format!("{}.{}{GAP}%", tenths / 10, tenths % 10),
    }
}

/// What share of `of` was answered, rounded down to a tenth of a percent, from 99 % on to a hundredth: `97.3 %`, `99.94 %`;
/// `100 %` only if all were.
#[must_use]
pub fn availability(answered: u64, of: u64) -> String {
    let hundredths = match of {
        0 => return "—".to_owned(),
        _ => u128::from(answered) * 10_000 / u128::from(of),
    };
    match hundredths {
        0..10 | 10_000 => format!("{}{GAP}%", hundredths / 100),
        10..9_900 => format!("{}.{}{GAP}%", hundredths / 100, hundredths / 10 % 10),
        _ => format!("{}.{:02}{GAP}%", hundredths / 100, hundredths % 100),
    }
}

/// A span of microseconds: `340 µs`, `4.2 ms`, `340 ms`, `1.2 s`, `4 min 10 s`, `3 h 12 min`, `2 d 4 h`, rounded down.
#[must_use]
pub fn micros(us: u64) -> String {
    let tenth = |unit: u64, name: &str| format!("{}.{}{GAP}{name}", us / unit, us % unit * 10 / unit);
    let two =
        |large: u64, l: &str, small: u64, s: &str| format!("{}{GAP}{l} {}{GAP}{s}", us / large, us % large / small);
    const SECOND: u64 = 1_000_000;
    match us {
        0..1_000 => format!("{us}{GAP}µs"),
        1_000..10_000 => tenth(1_000, "ms"),
        10_000..SECOND => format!("{}{GAP}ms", us / 1_000),
        SECOND..60_000_000 => tenth(SECOND, "s"),
        60_000_000..3_600_000_000 => two(60 * SECOND, "min", SECOND, "s"),
        3_600_000_000..86_400_000_000 => two(3_600 * SECOND, "h", 60 * SECOND, "min"),
        _ => two(86_400 * SECOND, "d", 3_600 * SECOND, "h"),
    }
}

/// A span of milliseconds, as [`micros`] says it.
#[must_use]
pub fn millis(ms: u64) -> String {
    match ms {
        0 => format!("0{GAP}ms"),
        _ => micros(ms.saturating_mul(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// The figure at the start of a text, its unit left out.
    fn figure(text: &str) -> f64 {
        text.trim_start_matches(['<', '>', ' ']).split(GAP).next().unwrap().parse().unwrap()
    }

    #[test]
    fn figures_read_as_people_say_them() {
        let plain = |text: String| text.replace(GAP, " ");
        for (text, said) in [
            (count(1_234_567), "1,234,567"),
            (count(999), "999"),
            (counted(1, "request"), "1 request"),
            (counted(0, "request"), "0 requests"),
            (short(999), "999"),
            (short(1_250), "1.25k"),
            (short(12_345), "12.3k"),
            (short(300_000), "300k"),
            (short(1_900_000_000), "1.9B"),
            (dollars(NanoUsd(0)), "$0"),
            (dollars(NanoUsd(1)), "$0.000000001"),
            (dollars(NanoUsd(12_345_678)), "$0.0124"),
            (dollars(NanoUsd(1_500_000_000)), "$1.50"),
            (dollars(NanoUsd(1_234_000_001)), "$1.24"),
            (dollars(NanoUsd(20_000_000_000)), "$20"),
            (dollars(NanoUsd(123_400_000_000)), "$124"),
            (dollars(NanoUsd(999_999_999_999)), "$1,000"),
            (dollars(NanoUsd(12_345_678_000_000_000)), "$12,345,678"),
            (share(973, 1_000), "97.3 %"),
            (share(1, 100_000), "< 0.1 %"),
            (share(99_999, 100_000), "> 99.9 %"),
            (share(0, 9), "0 %"),
            (share(0, 0), "—"),
            (availability(9_994, 10_000), "99.94 %"),
            (availability(9_736, 10_000), "97.3 %"),
            (availability(9, 9), "100 %"),
            (micros(340), "340 µs"),
            (micros(4_250), "4.2 ms"),
            (micros(340_900), "340 ms"),
            (micros(1_290_000), "1.2 s"),
            (micros(250_000_000), "4 min 10 s"),
            (micros(11_520_000_000), "3 h 12 min"),
            (micros(187_200_000_000), "2 d 4 h"),
            (millis(0), "0 ms"),
            (millis(999), "999 ms"),
        ] {
            assert_eq!(plain(text), said);
        }
    }

    proptest! {
        #[test]
        fn a_count_is_exact_and_grouped_by_three(n: u64) {
            let text = count(n);
            prop_assert_eq!(text.replace(',', "").parse::<u64>().unwrap(), n);
            let groups: Vec<&str> = text.split(',').collect();
            prop_assert!(groups[1..].iter().all(|group| group.len() == 3) && (1..=3).contains(&groups[0].len()));
        }

        #[test]
        fn dollars_are_at_most_a_hundredth_too_many_and_never_nothing(nanos in 1_i64..9_000_000_000_000_000_000) {
            let text = dollars(NanoUsd(nanos)).replace([',', '$'], "");
            let shown: NanoUsd = text.parse().unwrap();
            prop_assert!(shown.0 >= nanos - nanos % 1_000_000_000 && shown.0 > 0 && shown.0 <= nanos + nanos / 99 + 1, "{}", text);
        }

        #[test]
        fn availability_is_never_better_than_it_was(of in 1_u64.., part: u64) {
            let answered = part % of;
            let text = availability(answered, of);
            prop_assert!(!text.starts_with("100"), "{}", text);
            prop_assert!(figure(&text) <= answered as f64 / of as f64 * 100.0 + 1e-9);
            prop_assert!(availability(of, of).starts_with("100"));
        }

        #[test]
        fn a_share_is_near_and_never_hides_that_something_or_not_all_happened(of in 1_u64..1_000_000_000, part: u64) {
            let part = part % (of + 1);
            let text = share(part, of);
            prop_assert!((figure(&text) - part as f64 / of as f64 * 100.0).abs() <= 0.1 + 1e-9, "{}", text);
            prop_assert_eq!(text.starts_with("0\u{202f}"), part == 0);
            prop_assert_eq!(text.starts_with("100"), part == of);
        }

        #[test]
        fn a_span_keeps_its_unit_small_and_is_never_longer_than_it_was(us in 0_u64..86_400_000_000 * 400) {
            let text = micros(us);
            let units = [("µs", 1_u64, 1_000), ("ms", 1_000, 1_000), ("s", 1_000_000, 60), ("min", 60_000_000, 60),
                ("h", 3_600_000_000, 24), ("d", 86_400_000_000, 401)];
            let mut sum = 0.0;
            for part in text.split(' ') {
                let (figure, unit) = part.split_once(GAP).unwrap();
                let (_, size, most) = units.into_iter().find(|(name, ..)| *name == unit).unwrap();
                let figure: f64 = figure.parse().unwrap();
                prop_assert!(figure < f64::from(most), "{}", text);
                sum += figure * size as f64;
            }
            prop_assert!(sum <= us as f64 + 0.5 && sum >= us as f64 * 0.9, "{} for {}", text, us);
        }
    }
}
