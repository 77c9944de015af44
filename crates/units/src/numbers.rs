//! Figures as people read them: one way for every screen, so that no two say the same thing differently.
//!
//! What is unknown is `—` and never 0; what happened at all is never shown as none of it, and availability is rounded
//! down, so that nothing reads as perfect after a failure. Units follow a narrow space that does not break (U+202F).

use crate::money::NanoUsd;

/// Between a figure and its unit.
const GAP: char = '\u{202f}';
/// A dollar and a cent in nano-dollars.
const ONE: u128 = 1_000_000_000;
const CENT: u128 = ONE / 100;

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

/// Dollars, as a person reads them: to the cent from one dollar up, `$51.64`, `$12,345.60`, and whole ones without cents, `$20`; below in two
/// significant digits, `$0.0042`, so that what cost something never reads as nothing.
#[must_use]
pub fn dollars(amount: NanoUsd) -> String {
    let nanos = u128::from(amount.0.unsigned_abs());
    let Some(digits) = nanos.checked_ilog10() else { return "$0".to_owned() };
    let step = 10_u128.pow(digits.saturating_sub(1).min(7));
    let rounded = (nanos + step / 2) / step * step;
    let (whole, part) = (u64::try_from(rounded / ONE).unwrap_or(u64::MAX), rounded % ONE);
    match part {
        0 => format!("${}", count(whole)),
        // Cents are two.
        _ if part.is_multiple_of(CENT) => format!("${}.{:02}", count(whole), part / CENT),
        _ => format!("${}", NanoUsd(i64::try_from(rounded).unwrap_or(i64::MAX))),
    }
}

/// Dollars that are estimated, or in large type: without cents from a thousand on, `$51,064`, else as [`dollars`] says them.
#[must_use]
pub fn about_dollars(amount: NanoUsd) -> String {
    let whole = (u128::from(amount.0.unsigned_abs()) + ONE / 2) / ONE;
    if whole < 1_000 { dollars(amount) } else { format!("${}", count(u64::try_from(whole).unwrap_or(u64::MAX))) }
}

/// A share in percent, to a tenth where that is not nothing and below all of it: `92 %`, `2.1 %`, `131 %`. More than nothing is at least
/// `< 0.1 %`, less than all is at most `> 99.9 %`, and what is far too much is `> 9,999 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).round();
    let text = match tenths {
        t if !t.is_finite() => return "—".to_owned(),
        t if t < 1.0 && share > 0.0 => "< 0.1".to_owned(),
        t if t >= 1_000.0 && share < 1.0 => "> 99.9".to_owned(),
        t if t > 99_990.0 => "> 9,999".to_owned(),
        t if t >= 1_000.0 || t % 10.0 == 0.0 => format!("{:.0}", share * 100.0),
        t => format!("{:.1}", t / 10.0),
    };
    format!("{text}{GAP}%")
}

/// A share in whole percent, for what is read at a glance: `94 %`. More than nothing is at least `< 1 %`.
#[must_use]
pub fn whole_percent(share: f64) -> String {
    let text = match share * 100.0 {
        p if !p.is_finite() => return "—".to_owned(),
        p if p.round() >= 10_000.0 => "> 9,999".to_owned(),
        p if p > 0.0 && p < 0.5 => "< 1".to_owned(),
        p => format!("{p:.0}"),
    };
    format!("{text}{GAP}%")
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

/// A span of microseconds: `340 µs`, `4.2 ms`, `340 ms`, `1.2 s`, `4 min 10 s`, `3 h 12 min`, `2 d 4 h`, `10 d`, rounded down.
#[must_use]
pub fn micros(us: u64) -> String {
    let tenth = |unit: u64, name: &str| format!("{}.{}{GAP}{name}", us / unit, us % unit * 10 / unit);
    let two = |large: u64, l: &str, small: u64, s: &str| match us % large / small {
        0 => format!("{}{GAP}{l}", us / large),
        rest => format!("{}{GAP}{l} {rest}{GAP}{s}", us / large),
    };
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
            (dollars(NanoUsd(4_213_000)), "$0.0042"),
            (dollars(NanoUsd(31_000)), "$0.000031"),
            (dollars(NanoUsd(500_000_000)), "$0.50"),
            (dollars(NanoUsd(996_000_000)), "$1"),
            (dollars(NanoUsd(1_500_000_000)), "$1.50"),
            (dollars(NanoUsd(1_234_000_001)), "$1.23"),
            (dollars(NanoUsd(20_000_000_000)), "$20"),
            (dollars(NanoUsd(51_641_000_000)), "$51.64"),
            (dollars(NanoUsd(123_400_000_000)), "$123.40"),
            (dollars(NanoUsd(999_999_999_999)), "$1,000"),
            (dollars(NanoUsd(12_345_678_900_000_000)), "$12,345,678.90"),
            (about_dollars(NanoUsd(51_064_123_000_000)), "$51,064"),
            (about_dollars(NanoUsd(999_490_000_000)), "$999.49"),
            (about_dollars(NanoUsd(-51_641_000_000)), "$51.64"),
            (percent(0.0), "0 %"),
            (percent(0.000_2), "< 0.1 %"),
            (percent(0.021), "2.1 %"),
            (percent(0.796), "79.6 %"),
            (percent(0.92), "92 %"),
            (percent(0.999_9), "> 99.9 %"),
            (percent(1.0), "100 %"),
            (percent(7.8947), "789 %"),
            (percent(0.999_96), "> 99.9 %"),
            (percent(1e9), "> 9,999 %"),
            (percent(f64::NAN), "—"),
            (whole_percent(0.0), "0 %"),
            (whole_percent(0.001), "< 1 %"),
            (whole_percent(0.939), "94 %"),
            (whole_percent(1.31), "131 %"),
            (whole_percent(1e9), "> 9,999 %"),
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
            (micros(60_000_000), "1 min"),
            (micros(864_000_000_000), "10 d"),
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
        fn dollars_are_right_to_the_cent_or_to_two_digits_and_never_nothing(nanos in 1_i64..9_000_000_000_000_000_000) {
            let text = dollars(NanoUsd(nanos)).replace([',', '$'], "");
            let shown: NanoUsd = text.parse().unwrap();
            let off = if nanos < 1_000_000_000 { nanos / 20 + 1 } else { 5_000_000 };
            prop_assert!(shown.0 > 0 && shown.0.abs_diff(nanos) <= off.unsigned_abs(), "{}", text);
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
