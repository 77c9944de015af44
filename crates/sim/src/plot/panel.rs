//! One drawing: a title, lines over time, their names, and a grid.

use std::fmt::Write;
use std::time::Duration;

use weir_units::numbers::short;

/// A panel's height with its title and times, in pixels.
pub(super) const HEIGHT: usize = 176;
const TOP: usize = 28;
const DEPTH: usize = 112;
/// Where lines begin and how far they go, in percent of the width.
const LEFT: f64 = 7.0;
const WIDTH: f64 = 91.0;

/// What a line is drawn in: shape and colour.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    First,
    Second,
    Third,
    Warn,
    Limit,
}

pub(super) struct Panel {
    title: String,
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    tone: Tone,
    points: Vec<Option<i64>>,
}

impl Panel {
    pub(super) fn new(title: String) -> Self {
        Self { title, lines: Vec::new() }
    }

    pub(super) fn line(mut self, name: &'static str, tone: Tone, points: Vec<Option<i64>>) -> Self {
        self.lines.push(Line { name, tone, points });
        self
    }

    pub(super) fn draw(&self, svg: &mut String, y: usize, duration: Duration) {
        let highest = self.lines.iter().flat_map(|line| &line.points).flatten().copied().max().unwrap_or(0);
        let (step, top) = scale(highest.max(1).unsigned_abs());
        let _ = write!(
            svg,
            "<g><title>{title}</title><text class=\"t\" x=\"{LEFT}%\" y=\"{}\">{title}</text>",
            y + 18,
            title = escaped(&self.title)
        );
        self.names(svg, y);
        for tick in 0..=top / step {
            let value = tick * step;
            let height = y + TOP + DEPTH - usize::try_from(value * DEPTH as u64 / top).unwrap_or(0);
            let _ = write!(
                svg,
                "<line class=\"g\" x1=\"{LEFT}%\" x2=\"{:.1}%\" y1=\"{height}\" y2=\"{height}\"/>\
                 <text class=\"e\" x=\"{:.1}%\" y=\"{}\">{}</text>",
                LEFT + WIDTH,
                LEFT - 0.5,
                height + 4,
                short(value)
            );
        }
        times(svg, y + TOP + DEPTH + 16, duration);
        let _ = write!(
            svg,
            "<svg x=\"{LEFT}%\" y=\"{}\" width=\"{WIDTH}%\" height=\"{DEPTH}\" viewBox=\"0 0 1000 100\" \
             preserveAspectRatio=\"none\" overflow=\"visible\">",
            y + TOP
        );
        for line in &self.lines {
            let _ = write!(svg, "<path class=\"{}\" d=\"{}\"/>", line.tone.line(), path(&line.points, top));
        }
        svg.push_str("</svg></g>");
    }

    /// The lines' names, from the right, each with a mark of its colour.
    fn names(&self, svg: &mut String, y: usize) {
        let mut x = LEFT + WIDTH;
        for line in self.lines.iter().rev() {
            let most = line.points.iter().flatten().max().copied();
            let peak = most.map_or_else(|| "—".to_owned(), |most| short(most.max(0).unsigned_abs()));
            let peak = if matches!(line.tone, Tone::Limit) { String::new() } else { format!(" (peak {peak})") };
            let _ = write!(
                svg,
                "<text class=\"e\" x=\"{x:.1}%\" y=\"{}\"><tspan class=\"{}\">■</tspan> {}{peak}</text>",
                y + 18,
                line.tone.mark(),
                line.name
            );
            x -= 14.0;
        }
    }
}

impl Tone {
    fn line(self) -> &'static str {
        match self {
            Self::First => "s1",
            Self::Second => "s2",
            Self::Third => "s3",
            Self::Warn => "w",
            Self::Limit => "l",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::First => "k1",
            Self::Second => "k2",
            Self::Third => "k3",
            Self::Warn => "kw",
            Self::Limit => "kl",
        }
    }
}

/// A line; where a figure is missing, there is a gap.
fn path(points: &[Option<i64>], top: u64) -> String {
    let last = points.len().saturating_sub(1).max(1) as u64;
    let mut path = String::new();
    let mut drawn = false;
    for (x, value) in (0_u64..).zip(points) {
        let Some(value) = value else {
            drawn = false;
            continue;
        };
        let y = 1_000 - (value.max(&0).unsigned_abs().min(top) * 1_000 / top);
        let _ = write!(path, "{}{} {}.{}", if drawn { "L" } else { "M" }, x * 1_000 / last, y / 10, y % 10);
        drawn = true;
    }
    path
}

/// The distance between ticks, from 1, 2, 2.5 and 5 times a power of ten, and the highest of at most five.
fn scale(highest: u64) -> (u64, u64) {
    let mut power = 1_u64;
    loop {
        // Half of something that is counted does not exist.
        let quarter = if power > 1 { power * 5 / 2 } else { power };
        for step in [power, power * 2, quarter.max(power * 2), power * 5] {
            if highest.div_ceil(step) <= 5 {
                return (step, highest.div_ceil(step) * step);
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Round times below a panel.
fn times(svg: &mut String, y: usize, duration: Duration) {
    let steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];
    let seconds = duration.as_secs().max(1);
    let step = steps.into_iter().find(|step| seconds / step <= 8).unwrap_or(seconds.div_ceil(8));
    let mut at = 0;
    while at <= seconds {
        #[expect(clippy::cast_precision_loss, reason = "a place on paper")]
        let x = LEFT + WIDTH * at as f64 / seconds as f64;
        let words = if at == 0 { "0".to_owned() } else { weir_units::format_duration(Duration::from_secs(at)) };
        let _ = write!(svg, "<text class=\"m\" x=\"{x:.1}%\" y=\"{y}\">{words}</text>");
        at += step;
    }
}

/// A text that may be anything, as it may stand in XML.
pub(super) fn escaped(text: &str) -> String {
    weir_config::shown_within(text, 120)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (highest, step, top) in
            [(1, 1, 1), (5, 1, 5), (6, 2, 6), (11, 5, 15), (100, 20, 100), (120, 25, 125), (420_000, 100_000, 500_000)]
        {
            assert_eq!(scale(highest), (step, top), "{highest}");
        }
    }

    #[test]
    fn a_missing_figure_is_a_gap_and_not_a_zero() {
        assert_eq!(path(&[Some(0), Some(5), None, Some(10)], 10), "M0 100.0L333 50.0M1000 0.0");
    }
}
