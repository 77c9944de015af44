//! Uptime by day as cells, and a breaker's states as a strip.

use maud::{Markup, html};
use weir_units::numbers::availability;

use super::percent;

/// A day: how it is called, and of how many asked how many were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// How it is called.
    pub label: String,
    /// Asked.
    pub asked: u64,
    /// Answered.
    pub answered: u64,
    /// A page that shows it.
    pub href: String,
}

/// One cell a day, the oldest first. The notch at the top grows with the loss.
#[must_use]
pub fn days(days: &[Day], says: &str) -> Markup {
    let wide = 1.0 / days.len().max(1) as f64;
    let old = days.len().saturating_sub(30);
    html! { div class="cellbox" {
        svg class="cells" width="100%" height="28" role="group" aria-label=(says) {
            @for (number, day) in days.iter().enumerate() {
                @let x = percent(number as f64 * wide);
                @let class = (number < old).then_some("old");
                @if day.asked == 0 {
                    // There is nothing to look at, and with a young ledger most days are so.
                    g class=[class] {
                        title { (day.label) ": " (said(day)) }
                        rect x=(x) y="12" width=(percent(wide * 0.78)) height="4" rx="1" fill="var(--line)" {}
                    }
                } @else if number < old {
                    // Its requests are as good as gone, and the page is to stay small.
                    g class=[class] { (cell(day, &x, wide)) }
                } @else {
                    a href=(day.href) aria-label={ (day.label) ": " (said(day)) } { (cell(day, &x, wide)) }
                }
            }
        }
    } }
}

fn cell(day: &Day, x: &str, wide: f64) -> Markup {
    html! {
        title { (day.label) ": " (said(day)) }
        rect x=(x) width=(percent(wide * 0.78)) height="28" rx="1" fill=(paint(day)) {}
        @if let Some(notch) = notch(day) { rect x=(x) width=(percent(wide * 0.78)) height=(notch) fill="var(--surface)" {} }
    }
}

fn said(day: &Day) -> String {
    match day.asked {
        0 => "no traffic".to_owned(),
        asked => format!("{} of {}", availability(day.answered, asked), crate::words::counted(asked, "attempt")),
    }
}

fn paint(day: &Day) -> &'static str {
    match crate::words::permille(day.answered, day.asked) {
        Some(999..) => "var(--ok-mark)",
        Some(990..) => "var(--warn-mark)",
        _ => "var(--bad-mark)",
    }
}

/// How much is missing from the top of a cell, in pixels.
fn notch(day: &Day) -> Option<u64> {
    let lost = 1_000 - crate::words::permille(day.answered, day.asked)?;
    (lost > 0).then(|| (2 + lost / 40).min(20))
}

/// A part of a strip: from where to where, between 0 and 1, and what state it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// From where.
    pub from: f64,
    /// To where.
    pub to: f64,
    /// Open, else half-open.
    pub open: bool,
    /// What it was, and why.
    pub says: String,
}

/// A breaker over time: a thin line where closed, half as high where half-open, a block where open.
#[must_use]
pub fn strip(blocks: &[Block], says: &str) -> Markup {
    html! {
        svg class="strip" width="100%" height="16" role="img" aria-label=(says) {
            line x1="0" x2="100%" y1="14" y2="14" stroke="var(--ok-mark)" stroke-width="2" {}
            @for block in blocks {
                @let wide = (block.to - block.from).max(0.006);
                @if block.open {
                    rect x=(percent(block.from)) width=(percent(wide)) y="1" height="14" fill="var(--bad-mark)" { title { (block.says) } }
                } @else {
                    rect x=(percent(block.from)) width=(percent(wide)) y="8" height="7" fill="var(--link)" { title { (block.says) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(asked: u64, answered: u64) -> Day {
        Day { label: "18 Nov".into(), asked, answered, href: "/dashboard/requests".into() }
    }

    #[test]
    fn a_day_without_traffic_is_no_good_day() {
        let drawn = days(&[day(0, 0), day(1_000, 1_000), day(1_000, 998), day(1_000, 400)], "four days").into_string();
        for part in
            ["no traffic", "--line", "--ok-mark", "--warn-mark", "--bad-mark", "99.80\u{202f}% of 1,000 attempts"]
        {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
    }

    #[test]
    fn the_last_thirty_days_lead_to_their_requests_and_older_ones_nowhere() {
        let all = vec![day(1_000, 998); 90];
        let drawn = days(&all, "ninety days").into_string();
        assert_eq!((drawn.matches("<a ").count(), drawn.matches("<title>").count()), (30, 90));
        assert_eq!(drawn.matches("class=\"old\"").count(), 60);
    }
}
