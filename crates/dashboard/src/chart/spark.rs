//! The last seconds or buckets as a small line without axes.

use maud::{Markup, html};

/// A line over all values, with its area; what it shows is said beside it.
#[must_use]
pub fn spark(values: &[u64], paint: &'static str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = 100.0 / values.len().saturating_sub(1).max(1) as f64;
    let mut line = String::new();
    for (number, value) in values.iter().enumerate() {
        let letter = if number == 0 { 'M' } else { 'L' };
        line.push_str(&format!("{letter}{:.1} {:.1}", number as f64 * step, 27.0 - *value as f64 / most * 25.0));
    }
    html! {
        svg class="spark" width="100%" height="28" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true" {
            @if !values.is_empty() { path d={ (line) "V28H0Z" } fill=(paint) fill-opacity="0.14" {} }
            path d=(line) fill="none" stroke=(paint) stroke-width="1.5" stroke-linejoin="round" vector-effect="non-scaling-stroke" {}
        }
    }
}
