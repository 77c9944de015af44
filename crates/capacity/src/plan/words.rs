//! A plan's figures, as they are said and as they are written for programs.

use serde::Serializer;
use weir_units::{Dimension, NanoUsd, numbers};

use super::demand::whole;

/// A share, in whole percent from ten on: `790 %`, `8.3 %`, `< 0.1 %`; what is more than nothing is never none.
#[must_use]
pub fn percent(share: f64) -> String {
    let of = share * 100.0;
    match of {
        of if of <= 0.0 => "0\u{202f}%".to_owned(),
        of if of < 0.1 => "< 0.1\u{202f}%".to_owned(),
        of if of < 9.95 => format!("{of:.1}\u{202f}%"),
        of if of < 1e6 => format!("{of:.0}\u{202f}%"),
        _ => "> 1,000,000\u{202f}%".to_owned(),
    }
}

/// A count that was worked out, in three digits: `2.37M`.
#[must_use]
pub fn figure(count: f64) -> String {
    let digits = if count >= 1_000.0 { 10_f64.powf(count.log10().floor() - 2.0) } else { 1.0 };
    numbers::short(whole((count / digits).round() * digits))
}

/// Seconds, as they are said: `20 s`, `1.5 s`, `4 min 10 s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 60.0 && (seconds - seconds.round()).abs() < 0.05 {
        return format!("{}\u{202f}s", whole(seconds));
    }
    numbers::micros(whole(seconds * 1e6))
}

pub(super) fn name<S: Serializer>(dimension: &Dimension, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dimension.name())
}

/// Exact dollars, as all figures of money are written.
pub(super) fn dollars<S: Serializer>(amount: &NanoUsd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

pub(super) fn some_dollars<S: Serializer>(amount: &Option<NanoUsd>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(amount),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let plain = |text: String| text.replace('\u{202f}', " ");
        for (text, said) in [
            (percent(7.895), "790 %"),
            (percent(0.083), "8.3 %"),
            (percent(0.000_1), "< 0.1 %"),
            (percent(0.0), "0 %"),
            (figure(2_368_421.0), "2.37M"),
            (figure(789.47), "789"),
            (figure(105.26), "105"),
            (duration(20.0), "20 s"),
            (duration(1.54), "1.5 s"),
            (duration(250.0), "4 min 10 s"),
        ] {
            assert_eq!(plain(text), said);
        }
    }
}
