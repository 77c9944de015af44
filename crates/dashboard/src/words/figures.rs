//! Figures that only pages need: with the exact value beside, changes in percentage points, sums with unknown parts.

use std::time::Duration;

use maud::{Markup, Render, html};
use weir_units::NanoUsd;
use weir_units::numbers::{count, dollars, micros};

const GAP: char = '\u{202f}';

/// A figure as it is said, and what it is exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// As it is said.
    pub said: String,
    /// What it is.
    pub exact: String,
}

impl Figure {
    /// A figure that is said as `said` and is `exact`.
    pub fn new(said: impl Into<String>, exact: impl Into<String>) -> Self {
        Self { said: said.into(), exact: exact.into() }
    }

    /// A count, short where it is large.
    #[must_use]
    pub fn count(n: u64) -> Self {
        let said = if n < 10_000 { count(n) } else { weir_units::numbers::short(n) };
        Self::new(said, n.to_string())
    }

    /// Dollars.
    #[must_use]
    pub fn dollars(amount: NanoUsd) -> Self {
        Self::new(weir_units::numbers::about_dollars(amount), amount.to_string())
    }
}

impl Render for Figure {
    fn render(&self) -> Markup {
        html! { data value=(self.exact) title=[(self.said != self.exact).then_some(&self.exact)] { (self.said) } }
    }
}

/// `1 request`, `12 requests`; nouns that end in `y`, `s`, `ch` as English has it.
#[must_use]
pub fn counted(n: u64, noun: &str) -> String {
    if n == 1 {
        return format!("1 {noun}");
    }
    let many = match noun.strip_suffix('y') {
        Some(stem) if !noun.ends_with("ay") && !noun.ends_with("ey") => format!("{stem}ies"),
        _ if noun.ends_with('s') || noun.ends_with("ch") => format!("{noun}es"),
        _ => format!("{noun}s"),
    };
    format!("{} {many}", count(n))
}

/// What is known of a cost: with parts unknown and nothing known it is `—`.
#[must_use]
pub fn dollars_known(known: NanoUsd, unknown: u64) -> String {
    if known == NanoUsd::ZERO && unknown > 0 { "—".to_owned() } else { dollars(known) }
}

/// `part` of `whole` in thousandths of its whole, at most 100,000 (a hundred times as much); none of a whole of nothing.
#[must_use]
pub fn permille(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| u64::try_from(u128::from(part) * 1_000 / u128::from(whole)).unwrap_or(u64::MAX).min(100_000))
}

/// What share `part` is, with its figures: `3.1 %`.
#[must_use]
pub fn share_of(part: u64, whole: u64) -> Figure {
    Figure::new(weir_units::numbers::share(part, whole), format!("{part}/{whole}"))
}

/// How a figure changed: `+12 %`; none where there is nothing to compare with, or it grew a hundredfold.
#[must_use]
pub fn change(now: u64, before: u64) -> Option<String> {
    if before == 0 {
        return None;
    }
    let percent = (i128::from(now) - i128::from(before)) * 100 / i128::from(before);
    match percent {
        0 => Some(format!("±0{GAP}%")),
        10_000.. => None,
        1.. => Some(format!("+{percent}{GAP}%")),
        _ => Some(format!("−{}{GAP}%", -percent)),
    }
}

/// A rate by the minute: `94k/min`.
#[must_use]
pub fn per_minute(n: u64, span: Duration) -> String {
    let seconds = span.as_secs().max(1);
    let rate = u128::from(n) * 60 / u128::from(seconds);
    match u64::try_from(rate).unwrap_or(u64::MAX) {
        0 if n > 0 => "< 1/min".to_owned(),
        rate => format!("{}/min", weir_units::numbers::short(rate)),
    }
}

/// A span of seconds with a fraction: `2.1 s`, `41 s`, `9 h 13 min`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    if seconds < 0.0005 {
        return format!("0{GAP}s");
    }
    if (10.0..59.5).contains(&seconds) {
        return format!("{seconds:.0}{GAP}s");
    }
    micros((seconds * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_say_what_they_are_exactly() {
        assert_eq!(Figure::count(86_412).render().into_string(), "<data value=\"86412\" title=\"86412\">86.4k</data>");
        assert_eq!(Figure::count(12).render().into_string(), "<data value=\"12\">12</data>");
        assert_eq!(dollars_known(NanoUsd(0), 3), "—");
        assert_eq!(dollars_known(NanoUsd(0), 0), "$0");
        assert_eq!(
            (counted(1, "retry"), counted(2, "retry"), counted(3, "key")),
            ("1 retry".into(), "2 retries".into(), "3 keys".into())
        );
        assert_eq!(
            (change(112, 100), change(88, 100), change(1, 0)),
            (Some("+12\u{202f}%".into()), Some("−12\u{202f}%".into()), None)
        );
        assert_eq!(per_minute(600, Duration::from_secs(60)), "600/min");
        assert_eq!(per_minute(1, Duration::from_secs(600)), "< 1/min");
    }
}
