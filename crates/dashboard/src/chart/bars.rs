//! Bars that say how full something is.

use maud::{Markup, html};

use super::percent;

/// How full a limit is: the last minute, the fullest minute as a tick, and what a forecast says beyond.
#[must_use]
pub fn headroom(used: u64, peak: u64, limit: u64, ahead: Option<f64>, says: &str) -> Markup {
    let place = |part: u64| if limit == 0 { 0.0 } else { part as f64 / limit as f64 };
    let (used_at, peak_at) = (place(used), place(peak.max(used)));
    let paint = match peak_at.max(ahead.unwrap_or(0.0)) {
        0.95.. => "var(--bad-mark)",
        0.8.. => "var(--warn-mark)",
        _ => "var(--s1)",
    };
    html! {
        svg class="hbar" width="100%" height="14" role="img" aria-label=(says) {
            rect width="100%" height="14" rx="3" fill="var(--sunken)" {}
            rect width=(percent(peak_at)) height="14" rx="3" fill=(paint) fill-opacity="0.25" {}
            rect width=(percent(used_at)) height="14" rx="3" fill=(paint) {}
            @if peak_at > 0.0 { line x1=(percent(peak_at.min(0.996))) x2=(percent(peak_at.min(0.996))) y1="0" y2="14" stroke="var(--ink)" stroke-width="2" {} }
            @if let Some(ahead) = ahead.filter(|ahead| *ahead > 0.0) {
                rect x="0.5" y="0.5" width=(percent(ahead.min(0.998))) height="13" rx="3" fill="none" stroke="var(--ink-2)" stroke-dasharray="3 2" {}
            }
            line x1="80%" x2="80%" y1="0" y2="14" stroke="var(--surface)" stroke-width="1" {}
        }
    }
}

/// What is spent of a budget, and what is held back on top of it.
#[must_use]
pub fn part(spent: i64, held: i64, limit: i64, says: &str) -> Markup {
    let place = |part: i64| if limit <= 0 { 1.0 } else { part.max(0) as f64 / limit as f64 };
    let paint = match place(spent) {
        1.0.. => "var(--bad-mark)",
        0.8.. => "var(--warn-mark)",
        _ => "var(--s1)",
    };
    html! {
        svg class="hbar" width="100%" height="14" role="img" aria-label=(says) {
            rect width="100%" height="14" rx="3" fill="var(--sunken)" {}
            rect width=(percent(place(spent.saturating_add(held)))) height="14" rx="3" fill=(paint) fill-opacity="0.35" {}
            rect width=(percent(place(spent))) height="14" rx="3" fill=(paint) {}
        }
    }
}

/// A share beside its figure, for tables.
#[must_use]
pub fn share(part: f64, paint: &'static str) -> Markup {
    html! {
        svg class="share" width="100%" height="4" aria-hidden="true" {
            rect width="100%" height="4" rx="2" fill="var(--sunken)" {}
            rect width=(percent(part)) height="4" rx="2" fill=(paint) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_turns_amber_at_four_fifths_and_red_near_the_limit() {
        for (peak, paint) in
            [(799, "--s1"), (800, "--warn-mark"), (949, "--warn-mark"), (950, "--bad-mark"), (1_040, "--bad-mark")]
        {
            let bar = headroom(610, peak, 1_000, None, "61 % of 1,000").into_string();
            assert!(bar.contains(&format!("width=\"61%\" height=\"14\" rx=\"3\" fill=\"var({paint})\"")), "{bar}");
        }
        let ghost = headroom(610, 700, 1_000, Some(1.04), "").into_string();
        assert!(ghost.contains("width=\"99.8%\" height=\"13\"") && ghost.contains("--bad-mark"), "{ghost}");
        assert!(headroom(0, 0, 0, None, "").into_string().contains("width=\"0%\""));
    }
}
