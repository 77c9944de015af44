//! Charts over time: stacked areas, stacked columns, lines with a band between two of them.

use std::time::Duration;

use maud::{Markup, html};
use weir_units::WallTime;
use weir_units::numbers::micros;

use super::axis::Scale;
use super::percent;
use crate::words::Clock;

/// The height of the part that values are drawn in, what is above it, and what is below, in pixels.
pub(super) const PLOT: u32 = 148;
pub(super) const ABOVE: u32 = 18;
pub(super) const BELOW: u32 = 20;
/// The height of what is hatched, in pixels.
const HATCH: f64 = 8.0;
/// The inner drawing's own units.
pub(super) const WIDE: f64 = 1_000.0;
pub(super) const HIGH: f64 = 500.0;

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Areas on top of each other.
    Areas,
    /// Columns on top of each other.
    Columns,
    /// Lines; the area between the first and the second is a band.
    Lines,
}

/// One row of values, one for each bucket; none is unknown, and a gap.
#[derive(Clone, Debug)]
pub struct Line {
    /// What they are.
    pub label: String,
    /// The colour: a variable of the style sheet.
    pub paint: &'static str,
    /// Whether the area is hatched, and the line dashed.
    pub dashed: bool,
    /// The values.
    pub values: Vec<Option<f64>>,
}

/// A chart over time.
#[derive(Clone, Debug)]
pub struct TimeChart<'a> {
    /// What it shows, with its unit.
    pub title: &'a str,
    /// The same in a sentence, for who does not see it.
    pub says: &'a str,
    /// How its values are drawn.
    pub shape: Shape,
    /// When each bucket begins.
    pub starts: Vec<WallTime>,
    /// Where the last one ends.
    pub until: WallTime,
    /// How long a bucket is.
    pub every: Duration,
    /// The values.
    pub lines: Vec<Line>,
    /// An outline to compare with: a value for each bucket.
    pub outline: Option<Line>,
    /// How many things each bucket has whose value is unknown: hatched on top of its column, at no height that means anything.
    pub unknown: Vec<u64>,
    /// Whether values are counts, so that there is nothing between one and two.
    pub counts: bool,
    /// How a value is said.
    pub say: fn(f64) -> String,
    /// For each bucket a page that shows it alone.
    pub links: Option<Vec<String>>,
}

impl TimeChart<'_> {
    /// The drawing, its legend, and its data.
    #[must_use]
    pub fn render(&self, clock: &Clock) -> Markup {
        let scale = self.scale();
        let every = span(self.every);
        html! {
            figure class="chart" data-chart {
                figcaption {
                    span { (self.title) } " "
                    span class="soft" { "per " (every) @if scale.is_by_powers() { ", log" } }
                    (self.legend())
                }
                div class="plot" {
                    svg width="100%" height=(ABOVE + PLOT + BELOW) role="img" aria-label=(self.says) {
                        (self.grid(&scale)) (self.drawn(&scale)) (self.hatched(&scale)) (self.labels(&scale)) (self.times(clock))
                    }
                }
                details class="data" { summary { "Show as table" } (self.table(clock)) }
            }
        }
    }

    fn scale(&self) -> Scale {
        let count = self.starts.len();
        let of = |line: &Line, at: usize| line.values.get(at).copied().flatten().unwrap_or(0.0);
        let stacked = |at: usize| -> f64 { self.lines.iter().map(|line| of(line, at)).sum() };
        let highest = |at: usize| self.lines.iter().map(|line| of(line, at)).fold(0.0, f64::max);
        let outline = |at: usize| self.outline.as_ref().map_or(0.0, |line| of(line, at));
        let heights = (0..count).map(|at| {
            let own = if self.shape == Shape::Lines { highest(at) } else { stacked(at) };
            own.max(outline(at))
        });
        let most = heights.fold(0.0, f64::max);
        if self.shape == Shape::Lines {
            let lowest = self.lines.first().into_iter().flat_map(|line| line.values.iter().flatten().copied());
            let lowest = lowest.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
            if lowest.is_finite() && most > 20.0 * lowest {
                return Scale::powers(lowest, most);
            }
        }
        Scale::linear(most, if self.counts { 1.0 } else { 0.0 })
    }

    fn grid(&self, scale: &Scale) -> Markup {
        html! { g class="grid" aria-hidden="true" { @for tick in &scale.ticks {
            line x1="0" x2="100%" y1=(height(scale, *tick, 0.0)) y2=(height(scale, *tick, 0.0)) {}
        } } }
    }

    /// What the grid's lines stand for, above what is drawn; the line at the bottom is plainly zero.
    fn labels(&self, scale: &Scale) -> Markup {
        html! { g class="grid" aria-hidden="true" { @for tick in scale.ticks.iter().filter(|tick| **tick > 0.0) {
            text x="0" y=(height(scale, *tick, 4.0)) { ((self.say)(*tick)) }
        } } }
    }

    fn times(&self, clock: &Clock) -> Markup {
        let Some(since) = self.starts.first().copied() else { return html! {} };
        let whole = (self.until.0 - since.0).max(1) as f64;
        let place = |at: WallTime| (at.0 - since.0) as f64 / whole;
        let ticks = clock.ticks(since, self.until, 8);
        let shown = ticks.iter().filter(|(at, _)| (0.03..0.965).contains(&place(*at)));
        let y = ABOVE + PLOT + 15;
        html! { g class="times" aria-hidden="true" { @for (number, (at, words)) in shown.enumerate() {
            text class=[(number % 2 == 1).then_some("odd")] x=(percent(place(*at))) y=(y) text-anchor="middle" { (words) }
        } } }
    }

    fn drawn(&self, scale: &Scale) -> Markup {
        let inner = match self.shape {
            Shape::Lines => self.as_lines(scale),
            Shape::Areas => self.stacked(scale, false),
            Shape::Columns => self.stacked(scale, true),
        };
        html! {
            svg x="0" y=(ABOVE) width="100%" height=(PLOT) viewBox={ "0 0 " (WIDE) " " (HIGH) } preserveAspectRatio="none" class="curves" {
                (inner)
                @if let Some(outline) = &self.outline {
                    path d=(self.steps(scale, &outline.values)) fill="none" stroke=(outline.paint) stroke-dasharray="4 3" vector-effect="non-scaling-stroke" {}
                }
            }
        }
    }

    /// Where a place in the buckets is: 2.5 is the middle of the third.
    fn x(&self, place: f64) -> f64 {
        let count = self.starts.len();
        let Some(since) = self.starts.first() else { return 0.0 };
        let whole = (self.until.0 - since.0).max(1) as f64;
        let bucket = (place as usize).min(count.saturating_sub(1));
        let from = self.starts.get(bucket).unwrap_or(since).0;
        let to = self.starts.get(bucket + 1).unwrap_or(&self.until).0;
        ((from - since.0) as f64 + (place - bucket as f64) * (to - from) as f64) / whole * WIDE
    }

    fn as_lines(&self, scale: &Scale) -> Markup {
        let y = |value: f64| HIGH * (1.0 - scale.place(value));
        let points = |line: &Line| -> Vec<Option<(f64, f64)>> {
            let at =
                |(number, value): (usize, &Option<f64>)| value.map(|value| (self.x(number as f64 + 0.5), y(value)));
            line.values.iter().enumerate().map(at).collect()
        };
        let band = match self.lines.as_slice() {
            [low, high, ..] => between(&points(low), &points(high)),
            _ => String::new(),
        };
        html! {
            @if let Some(first) = self.lines.first() { path d=(band) fill=(first.paint) fill-opacity="0.16" {} }
            @for line in &self.lines {
                path d=(polyline(&points(line))) fill="none" stroke=(line.paint) stroke-width="1.5" stroke-linejoin="round"
                    stroke-linecap="round" stroke-dasharray=[line.dashed.then_some("4 3")] vector-effect="non-scaling-stroke" {}
            }
        }
    }

    fn stacked(&self, scale: &Scale, columns: bool) -> Markup {
        let mut below = vec![0.0; self.starts.len()];
        let y = |value: f64| HIGH * (1.0 - scale.place(value));
        let mut parts = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            let above: Vec<f64> =
                below.iter().zip(&line.values).map(|(low, value)| low + value.unwrap_or(0.0)).collect();
            if above != below {
                let path = if columns { self.columns(&below, &above, y) } else { self.area(&below, &above, y) };
                let edge = if columns || place > 0 { String::new() } else { self.edge(&below, &above, y) };
                parts.push((line, path, edge));
            }
            below = above;
        }
        html! { @for (line, path, edge) in parts {
            path d=(path) fill=(line.paint) fill-opacity=(if columns || edge.is_empty() { "0.9" } else { "0.3" }) {}
            @if !edge.is_empty() { path d=(edge) fill="none" stroke=(line.paint) stroke-width="1.5" stroke-linejoin="round" vector-effect="non-scaling-stroke" {} }
        } }
    }

    fn area(&self, low: &[f64], high: &[f64], y: impl Fn(f64) -> f64) -> String {
        let up = high.iter().enumerate().map(|(at, value)| (self.x(at as f64 + 0.5), y(*value)));
        let back = low.iter().enumerate().rev().map(|(at, value)| (self.x(at as f64 + 0.5), y(*value)));
        format!("{}Z", path(up.chain(back)))
    }

    /// The upper edge of an area, where there is any of it.
    fn edge(&self, low: &[f64], high: &[f64], y: impl Fn(f64) -> f64) -> String {
        let near = |at: usize| {
            let is = |at: usize| high.get(at).zip(low.get(at)).is_some_and(|(high, low)| high > low);
            is(at) || is(at + 1) || at.checked_sub(1).is_some_and(is)
        };
        let points: Vec<_> =
            high.iter().enumerate().map(|(at, v)| near(at).then(|| (self.x(at as f64 + 0.5), y(*v)))).collect();
        polyline(&points)
    }

    fn columns(&self, low: &[f64], high: &[f64], y: impl Fn(f64) -> f64) -> String {
        let gap = if self.starts.len() > 60 { 0.05 } else { 0.12 };
        let mut text = String::new();
        for (at, (low, high)) in low.iter().zip(high).enumerate().filter(|(_, (low, high))| high > low) {
            let (left, right) = (self.x(at as f64 + gap), self.x(at as f64 + 1.0 - gap));
            text.push_str(&format!("M{left:.1} {:.1}V{:.1}H{right:.1}V{:.1}Z", y(*low), y(*high), y(*low)));
        }
        text
    }

    /// What is unknown, on top of the columns.
    fn hatched(&self, scale: &Scale) -> Markup {
        if !self.has_unknown() {
            return html! {};
        }
        let stacked = |at: usize| -> f64 { self.lines.iter().filter_map(|line| *line.values.get(at)?).sum() };
        let unknown = self.unknown.iter().enumerate().filter(|(_, count)| **count > 0);
        html! {
            defs { pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                line x1="0" x2="0" y1="0" y2="5" stroke="var(--ink-3)" stroke-width="2" {}
            } }
            g class="mark" { @for (at, count) in unknown {
                @let (left, right) = (self.x(at as f64 + 0.12), self.x(at as f64 + 0.88));
                rect x=(percent(left / WIDE)) width=(percent((right - left) / WIDE)) y=(height(scale, stacked(at), HATCH)) height=(HATCH)
                    fill="url(#hatch)" stroke="var(--ink-3)" stroke-width="0.5" { title { (count) " unpriced" } }
            } }
        }
    }

    fn has_unknown(&self) -> bool {
        self.unknown.iter().any(|count| *count > 0)
    }

    /// A line of steps: the outline of columns.
    fn steps(&self, scale: &Scale, values: &[Option<f64>]) -> String {
        let mut text = String::new();
        for (at, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let y = HIGH * (1.0 - scale.place(*value));
            text.push_str(&format!("M{:.1} {y:.1}H{:.1}", self.x(at as f64 + 0.02), self.x(at as f64 + 0.98)));
        }
        text
    }

    fn legend(&self) -> Markup {
        let lines = self.lines.iter().chain(&self.outline);
        html! { span class="legend" { @for line in lines {
            span { svg width="14" height="10" aria-hidden="true" class="mark" {
                @if self.shape == Shape::Lines || self.outline.as_ref().is_some_and(|outline| outline.label == line.label) {
                    line x1="0" x2="14" y1="5" y2="5" stroke=(line.paint) stroke-width="2" stroke-dasharray=[line.dashed.then_some("4 2")] {}
                } @else { rect x="2" width="10" height="10" rx="2" fill=(line.paint) {} }
            } " " (line.label) }
        }
        @if self.has_unknown() { span {
            svg width="14" height="10" aria-hidden="true" class="mark" { rect x="2" width="10" height="10" fill="url(#hatch)" stroke="var(--ink-3)" {} }
            " unpriced"
        } } } }
    }

    fn table(&self, clock: &Clock) -> Markup {
        let say = |value: &Option<f64>| value.map_or_else(|| "—".to_owned(), self.say);
        let lines: Vec<&Line> = self.lines.iter().chain(&self.outline).collect();
        html! { div class="scroll" tabindex="0" role="region" aria-label={ (self.title) ", as a table" } { table {
            thead { tr { th scope="col" { "From" } @for line in &lines { th scope="col" class="n" { (line.label) } } @if self.has_unknown() { th scope="col" class="n" { "unpriced" } } } }
            tbody { @for (at, start) in self.starts.iter().enumerate() { tr {
                th scope="row" {
                    @match self.links.as_ref().and_then(|links| links.get(at)) {
                        Some(href) => a href=(href) { (clock.short(*start)) },
                        None => (clock.short(*start)),
                    }
                }
                @for line in &lines { td class="n" { (line.values.get(at).map_or_else(|| "—".to_owned(), say)) } }
                @if self.has_unknown() { td class="n" { (self.unknown.get(at).copied().unwrap_or(0)) } }
            } } }
        } } }
    }
}

/// Where a value is in the outer drawing, and so many pixels above.
pub(super) fn height(scale: &Scale, value: f64, above: f64) -> String {
    format!("{:.1}", f64::from(ABOVE) + f64::from(PLOT) * (1.0 - scale.place(value)) - above)
}

/// How long a bucket is: `2 min`, `1 h`, `1 d`.
fn span(every: Duration) -> String {
    let seconds = every.as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..86_400 => (seconds / 3_600, "h"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "d"),
        _ => return micros(seconds * 1_000_000),
    };
    if number == 1 { unit.to_owned() } else { format!("{number}\u{202f}{unit}") }
}

pub(super) fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (number, (x, y)) in points.enumerate() {
        text.push_str(&format!("{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' }));
    }
    text
}

/// A line through all points that there are, with gaps where there are none; a point alone is a dot.
pub(super) fn polyline(points: &[Option<(f64, f64)>]) -> String {
    let mut text = String::new();
    for run in points.split(Option::is_none).filter(|run| !run.is_empty()) {
        text.push_str(&path(run.iter().flatten().copied()));
        if run.len() == 1 {
            text.push_str("h0.1");
        }
    }
    text
}

/// The area between two lines, where both are known.
pub(super) fn between(low: &[Option<(f64, f64)>], high: &[Option<(f64, f64)>]) -> String {
    let both: Vec<_> = low.iter().zip(high).map(|(low, high)| low.zip(*high)).collect();
    let mut text = String::new();
    for run in both.split(Option::is_none).filter(|run| run.len() > 1) {
        let up = run.iter().flatten().map(|(_, high)| *high);
        let back = run.iter().rev().flatten().map(|(low, _)| *low);
        text.push_str(&format!("{}Z", path(up.chain(back))));
    }
    text
}

#[cfg(test)]
mod tests {
    use weir_engine::Zone;

    use super::*;

    fn clock() -> Clock {
        Clock { zone: Zone::UTC, zone_name: "UTC".into(), now: WallTime(1_795_013_223_114_000) }
    }

    fn line(label: &str, values: &[Option<f64>]) -> Line {
        Line { label: label.into(), paint: "var(--s1)", dashed: false, values: values.to_vec() }
    }

    fn drawn(shape: Shape, lines: Vec<Line>) -> String {
        let since = 1_795_013_100_000_000;
        let starts: Vec<WallTime> = (0..3).map(|n| WallTime(since + n * 60_000_000)).collect();
        let chart = TimeChart {
            title: "Requests",
            says: "Three minutes",
            shape,
            starts,
            until: WallTime(since + 180_000_000),
            every: Duration::from_secs(60),
            lines,
            outline: None,
            unknown: vec![0, 0, 3],
            counts: true,
            say: |value| format!("{value:.0}"),
            links: None,
        };
        chart.render(&clock()).into_string()
    }

    #[test]
    fn areas_are_stacked_and_the_table_has_the_same_values() {
        let answered = line("answered", &[Some(2.0), Some(4.0), Some(0.0)]);
        let failed = line("failed", &[Some(0.0), Some(4.0), None]);
        let chart = drawn(Shape::Areas, vec![answered, failed]);
        assert!(chart.contains("M166.7 375.0L500.0 250.0L833.3 500.0L833.3 500.0L500.0 500.0L166.7 500.0Z"), "{chart}");
        assert!(chart.contains("M166.7 375.0L500.0 0.0L833.3 500.0L833.3 500.0L500.0 250.0L166.7 375.0Z"), "{chart}");
        assert!(chart.contains("<td class=\"n\">4</td><td class=\"n\">4</td>"), "{chart}");
        assert!(chart.contains("<td class=\"n\">0</td><td class=\"n\">—</td><td class=\"n\">3</td>"), "{chart}");
        assert!(chart.contains("<title>3 unpriced</title>") && !chart.contains("<title>0 unpriced"), "{chart}");
        assert!(!chart.contains("style="), "a style in the drawing is refused by the policy");
    }

    #[test]
    fn what_is_unknown_is_a_gap_and_a_wide_spread_goes_by_powers() {
        let chart = drawn(Shape::Lines, vec![line("p50", &[Some(40.0), None, Some(80.0)])]);
        assert!(chart.contains("M166.7 250.0h0.1M833.3 0.0h0.1") && !chart.contains(", log"), "{chart}");
        let chart = drawn(Shape::Lines, vec![line("p50", &[Some(40.0); 3]), line("p99", &[Some(9_000.0); 3])]);
        assert!(chart.contains(", log"), "{chart}");
    }
}
