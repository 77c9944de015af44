//! When is it full? What was asked for day by day, what will be, the limit, and the dates on which the two may meet.

use maud::{Markup, html};
use weir_units::WallTime;

use super::axis::Scale;
use super::percent;
use super::time::{ABOVE, BELOW, HIGH, PLOT, WIDE, between, height, path, polyline};
use crate::words::Clock;

const DAY: i64 = 86_400_000_000;
/// The most days that are drawn.
const DAYS: i64 = 150;

/// A day's fullest hour to come: the 5th, 25th, 50th, 75th and 95th percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coming {
    /// A time of that day.
    pub at: WallTime,
    /// The percentiles.
    pub levels: [f64; 5],
}

/// The chart.
#[derive(Clone, Debug)]
pub struct FullChart<'a> {
    /// What it shows, with its unit.
    pub title: &'a str,
    /// The same in a sentence, for who does not see it.
    pub says: &'a str,
    /// The fullest hour of each day that was.
    pub past: &'a [(WallTime, f64)],
    /// That of each day to come.
    pub ahead: &'a [Coming],
    /// The limit.
    pub limit: f64,
    /// The limit in words.
    pub limit_says: &'a str,
    /// By when it is reached in one future of ten, in five, in nine.
    pub dates: [Option<WallTime>; 3],
    /// Days on which demand stepped up or down for good, and by what.
    pub launches: &'a [(WallTime, f64)],
    /// How a value is said.
    pub say: fn(f64) -> String,
}

/// One day of it.
struct Row {
    at: WallTime,
    was: Option<f64>,
    will: Option<[f64; 5]>,
}

impl FullChart<'_> {
    /// The drawing, its legend, and its data.
    #[must_use]
    pub fn render(&self, clock: &Clock) -> Markup {
        let rows = self.rows(clock);
        let Some(first) = rows.first().map(|row| row.at) else { return html! {} };
        let whole = rows.len() as f64 * DAY as f64;
        let place = |at: WallTime| ((at.0 - first.0) as f64 / whole).clamp(0.0, 1.0);
        let all = rows.iter().flat_map(|row| row.was.into_iter().chain(row.will.map(|will| will[4])));
        let scale = Scale::linear(all.fold(self.limit, f64::max), 0.0);
        html! {
            figure class="chart" data-chart {
                figcaption { span { (self.title) } " " span class="soft" { "busiest hour of each day" } (legend(!self.ahead.is_empty())) }
                div class="plot" {
                    svg width="100%" height=(ABOVE + PLOT + BELOW) role="img" aria-label=(self.says) {
                        (grid(&scale, self.say))
                        svg x="0" y=(ABOVE) width="100%" height=(PLOT) viewBox={ "0 0 " (WIDE) " " (HIGH) } preserveAspectRatio="none" class="curves" {
                            (curves(&rows, &scale))
                            (self.marks(&scale, &place))
                        }
                        text x="100%" y=(height(&scale, self.limit, 4.0)) text-anchor="end" fill="var(--ink)" font-size="11" { (self.limit_says) }
                        (times(clock, first, WallTime(first.0 + whole as i64), &place))
                    }
                }
                details class="data" { summary { "Show as table" } (self.table(&rows, clock)) }
            }
        }
    }

    /// A row for each day from the first that is known to the last that matters.
    fn rows(&self, clock: &Clock) -> Vec<Row> {
        let known = self.past.iter().map(|(at, _)| *at).chain(self.ahead.iter().map(|one| one.at));
        let (Some(first), Some(last)) = (known.clone().min(), known.max()) else { return Vec::new() };
        let first = clock.day_start(first);
        let last = self.dates.iter().flatten().copied().fold(last, WallTime::max);
        // A day on which clocks change is nearly one.
        let day = |at: WallTime| (clock.day_start(at).0 - first.0 + DAY / 2).div_euclid(DAY);
        let count = (day(last) + 1).clamp(1, DAYS);
        let mut rows: Vec<Row> =
            (0..count).map(|n| Row { at: WallTime(first.0 + n * DAY), was: None, will: None }).collect();
        let mut of = |at: WallTime, change: &dyn Fn(&mut Row)| {
            if let Some(row) = usize::try_from(day(at)).ok().and_then(|place| rows.get_mut(place)) {
                change(row);
            }
        };
        for (at, amount) in self.past {
            of(*at, &|row| row.was = Some(*amount));
        }
        for one in self.ahead {
            of(one.at, &|row| row.will = Some(one.levels));
        }
        rows
    }

    /// The limit, the dates on it, and launches.
    fn marks(&self, scale: &Scale, place: &dyn Fn(WallTime) -> f64) -> Markup {
        let y = HIGH * (1.0 - scale.place(self.limit));
        let x = |at: WallTime| place(at) * WIDE;
        let line = |from: f64, to: f64| path([(from, y), (to, y)].into_iter());
        let tick = |at: WallTime, half: f64| path([(x(at), y - half), (x(at), y + half)].into_iter());
        let [first, likely, last] = self.dates;
        html! {
            path d=(line(0.0, WIDE)) stroke="var(--ink)" stroke-width="3" fill="none" vector-effect="non-scaling-stroke" {}
            @if let Some(first) = first {
                path d=(line(x(first), last.map_or(WIDE, x))) stroke="var(--bad-mark)" stroke-width="5" fill="none" vector-effect="non-scaling-stroke" {}
                @for at in [Some(first), last].into_iter().flatten() {
                    path d=(tick(at, 28.0)) stroke="var(--bad-mark)" stroke-width="3" fill="none" vector-effect="non-scaling-stroke" {}
                }
                @if let Some(likely) = likely {
                    path d=(tick(likely, 44.0)) stroke="var(--bad-mark)" stroke-width="2" fill="none" vector-effect="non-scaling-stroke" {}
                }
            }
            @for (at, _) in self.launches {
                path d=(path([(x(*at), 0.0), (x(*at), HIGH)].into_iter())) stroke="var(--ink-3)" stroke-width="1" stroke-dasharray="2 3" fill="none" vector-effect="non-scaling-stroke" {}
            }
        }
    }

    fn table(&self, rows: &[Row], clock: &Clock) -> Markup {
        let said = |value: Option<f64>| value.map_or_else(|| "—".to_owned(), self.say);
        html! { div class="scroll" tabindex="0" role="region" aria-label={ (self.title) ", as a table" } { table {
            thead { tr {
                th scope="col" { "Day" } th scope="col" class="n" { "was" } th scope="col" class="n" { "median" }
                th scope="col" class="n" { "50\u{202f}% between" } th scope="col" class="n" { "90\u{202f}% between" }
            } }
            tbody { @for row in rows { tr {
                th scope="row" { (clock.day(row.at)) }
                td class="n" { (said(row.was)) }
                td class="n" { (said(row.will.map(|will| will[2]))) }
                td class="n" { (said(row.will.map(|will| will[1]))) " – " (said(row.will.map(|will| will[3]))) }
                td class="n" { (said(row.will.map(|will| will[0]))) " – " (said(row.will.map(|will| will[4]))) }
            } } }
        } } }
    }
}

fn curves(rows: &[Row], scale: &Scale) -> Markup {
    let at = |n: usize| (n as f64 + 0.5) / rows.len() as f64 * WIDE;
    let y = |value: f64| HIGH * (1.0 - scale.place(value));
    let line = |of: &dyn Fn(&Row) -> Option<f64>| -> Vec<Option<(f64, f64)>> {
        rows.iter().enumerate().map(|(n, row)| of(row).map(|value| (at(n), y(value)))).collect()
    };
    let level = |n: usize| line(&move |row: &Row| row.will.map(|will| will[n]));
    html! {
        path d=(between(&level(0), &level(4))) fill="var(--s1)" fill-opacity="0.14" {}
        path d=(between(&level(1), &level(3))) fill="var(--s1)" fill-opacity="0.28" {}
        path d=(polyline(&line(&|row| row.was))) fill="none" stroke="var(--s1)" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke" {}
        path d=(polyline(&level(2))) fill="none" stroke="var(--s1)" stroke-width="1.5" stroke-dasharray="4 3" vector-effect="non-scaling-stroke" {}
    }
}

fn grid(scale: &Scale, say: fn(f64) -> String) -> Markup {
    html! { g class="grid" aria-hidden="true" {
        @for tick in &scale.ticks { line x1="0" x2="100%" y1=(height(scale, *tick, 0.0)) y2=(height(scale, *tick, 0.0)) {} }
        @for tick in scale.ticks.iter().filter(|tick| **tick > 0.0) { text x="0" y=(height(scale, *tick, 4.0)) { (say(*tick)) } }
    } }
}

fn times(clock: &Clock, since: WallTime, until: WallTime, place: &dyn Fn(WallTime) -> f64) -> Markup {
    let ticks = clock.ticks(since, until, 8);
    let shown = ticks.iter().filter(|(at, _)| (0.03..0.965).contains(&place(*at)));
    html! { g class="times" aria-hidden="true" { @for (number, (at, words)) in shown.enumerate() {
        text class=[(number % 2 == 1).then_some("odd")] x=(percent(place(*at))) y=(ABOVE + PLOT + 15) text-anchor="middle" { (words) }
    } } }
}

fn legend(forecast: bool) -> Markup {
    html! { span class="legend" {
        span { svg width="14" height="10" aria-hidden="true" class="mark" { line x1="0" x2="14" y1="5" y2="5" stroke="var(--s1)" stroke-width="2" {} } " was" }
        @if forecast {
            span { svg width="14" height="10" aria-hidden="true" class="mark" { line x1="0" x2="14" y1="5" y2="5" stroke="var(--s1)" stroke-width="2" stroke-dasharray="4 2" {} } " median" }
            span { svg width="14" height="10" aria-hidden="true" class="mark" { rect width="14" height="10" fill="var(--s1)" fill-opacity="0.14" {} rect y="3" width="14" height="4" fill="var(--s1)" fill-opacity="0.4" {} } " 50 and 90\u{202f}% bands" }
        }
        span { svg width="14" height="10" aria-hidden="true" class="mark" { line x1="0" x2="14" y1="5" y2="5" stroke="var(--ink)" stroke-width="3" {} } " limit" }
    } }
}

#[cfg(test)]
mod tests {
    use weir_engine::Zone;

    use super::*;

    #[test]
    fn the_limit_and_the_dates_on_it_are_drawn_and_the_table_has_every_day() {
        let now = WallTime(1_795_013_223_114_000);
        let clock = Clock { zone: Zone::UTC, zone_name: "UTC".into(), now };
        let day = |n: i64| WallTime(now.0 + n * DAY);
        let past = [(day(-1), 100.0), (day(0), 120.0)];
        let ahead = [Coming { at: day(1), levels: [100.0, 120.0, 130.0, 140.0, 160.0] }];
        let chart = FullChart {
            title: "gpt-5 tokens/min",
            says: "…",
            past: &past,
            ahead: &ahead,
            limit: 200.0,
            limit_says: "limit 200/min",
            dates: [Some(day(2)), None, Some(day(6))],
            launches: &[(day(0), 1.4)],
            say: |value| format!("{value:.0}"),
        };
        let html = chart.render(&clock).into_string();
        assert_eq!(html.matches("<th scope=\"row\">").count(), 8, "to the last of the dates: {html}");
        assert!(
            html.contains("<td class=\"n\">130</td><td class=\"n\">120 – 140</td><td class=\"n\">100 – 160</td>"),
            "{html}"
        );
        assert!(html.contains("M0.0 0.0L1000.0 0.0"), "the limit is the top of the scale: {html}");
        assert_eq!(html.matches("--bad-mark").count(), 3, "a bracket with two ends, and no likely date");
        assert!(!html.contains("style="), "a style in the drawing is refused by the policy");
        let none = FullChart { past: &[], ahead: &[], dates: [None; 3], ..chart };
        assert_eq!(none.render(&clock).into_string(), "");
    }
}
