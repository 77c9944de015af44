//! A run as a drawing: one SVG file that needs nothing else, no script and no font, and follows the reader's light or dark.
//!
//! Grid and words lie in an outer drawing without a scale of its own, lines in inner ones that stretch.

mod panel;
mod series;

use std::fmt::Write;
use std::time::Duration;

use weir_units::{Dimension, Moment};

use crate::record::{Outcome, Record};
use crate::scenario::Scenario;
use crate::workload::Priority;
use panel::{HEIGHT, Panel, Tone};
use series::{Buckets, last_minute};

/// Colours are written out twice, since drawing tools other than browsers know no variables.
const STYLE: &str = "\
.p{fill:#ffffff}text{font:11px system-ui,sans-serif;fill:#606976}.t{font-size:13px;fill:#161b22}.e{text-anchor:end}\
.m{text-anchor:middle}.g{stroke:#d5d9e0;stroke-width:1}\
path{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke;stroke-linejoin:round}\
.s1{stroke:#066bb8}.s2{stroke:#b4813a;stroke-dasharray:6 3}.s3{stroke:#9e71fd;stroke-dasharray:2 3}\
.w{stroke:#c07f00}.l{stroke:#9d1710;stroke-width:2}\
.k1{fill:#066bb8}.k2{fill:#b4813a}.k3{fill:#9e71fd}.kw{fill:#c07f00}.kl{fill:#9d1710}\
@media (prefers-color-scheme:dark){.p{fill:#161b22}text{fill:#939dab}.t{fill:#e8ebef}.g{stroke:#2c353f}\
.s1{stroke:#539af2}.s2{stroke:#c39803}.s3{stroke:#7e58ce}.w{stroke:#ffcf66}.l{stroke:#e5534b}\
.k1{fill:#539af2}.k2{fill:#c39803}.k3{fill:#7e58ce}.kw{fill:#ffcf66}.kl{fill:#e5534b}}";
/// How wide it is where nothing else says so; what opens it may stretch it.
const WIDTH: usize = 960;

/// Draws a run: each limit and its use, who waits, for how long, and what was refused.
#[must_use]
pub fn plot(scenario: &Scenario, outcome: &Outcome) -> String {
    let buckets = Buckets::over(scenario.duration);
    let mut panels = Vec::new();
    for (number, (name, real)) in scenario.providers.iter().enumerate() {
        for (dimension, _) in real.profile.limits.iter().filter(|(dimension, _)| !dimension.is_daily()) {
            panels.push(of_limit(name, number, dimension, outcome, &buckets));
        }
    }
    panels.push(of_queues(outcome, &buckets));
    panels.push(of_waits(scenario, outcome, &buckets));
    panels.push(of_refusals(outcome, &buckets));
    let height = panels.len() * HEIGHT + 24;
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\"><title>{}</title>\
         <style>{STYLE}</style><rect width=\"100%\" height=\"100%\" class=\"p\"/>",
        panel::escaped(&format!("a run of {}, seed {}", weir_units::format_duration(scenario.duration), scenario.seed))
    );
    for (number, panel) in panels.iter().enumerate() {
        panel.draw(&mut svg, number * HEIGHT, scenario.duration);
    }
    svg.push_str("</svg>\n");
    svg
}

fn of_limit(name: &str, provider: usize, dimension: Dimension, outcome: &Outcome, buckets: &Buckets) -> Panel {
    let samples = &outcome.samples;
    let used = if dimension == Dimension::ConcurrentRequests {
        buckets.highest(samples.iter().map(|sample| (sample.at, sample.providers[provider].charged[dimension.index()])))
    } else {
        let charged = |at: usize| samples[at].providers[provider].charged[dimension.index()];
        buckets.highest((0..samples.len()).map(|at| (samples[at].at, last_minute(samples, at, charged))))
    };
    let limit = buckets.lowest(samples.iter().map(|sample| {
        (sample.at, i64::try_from(sample.providers[provider].limits.get(dimension).unwrap_or(0)).unwrap_or(i64::MAX))
    }));
    let span = if dimension == Dimension::ConcurrentRequests { "in flight" } else { "in the last minute" };
    Panel::new(format!("{name} {}, {span}", dimension.words())).line("used", Tone::First, used).line(
        "limit",
        Tone::Limit,
        limit,
    )
}

fn of_queues(outcome: &Outcome, buckets: &Buckets) -> Panel {
    let waiting = |class: usize| {
        let queued = outcome.samples.iter().map(move |sample| (sample.at, sample.queued[class]));
        buckets.highest(queued.map(|(at, n)| (at, i64::try_from(n).unwrap_or(i64::MAX))))
    };
    Panel::new("requests that wait for capacity".to_owned())
        .line("interactive", Tone::First, waiting(0))
        .line("standard", Tone::Second, waiting(1))
        .line("batch", Tone::Third, waiting(2))
}

fn of_waits(scenario: &Scenario, outcome: &Outcome, buckets: &Buckets) -> Panel {
    // By class: batch work may wait for an hour where people wait for a moment.
    let line = |priority: Priority| {
        let of_class = |record: &&Record| scenario.workloads[record.workload as usize].priority == priority;
        let went = outcome.records.iter().filter(of_class).filter(|record| record.attempts > 0);
        let waits: Vec<(Moment, Duration)> = went.map(|record| (record.at, record.queued)).collect();
        buckets.ranked(&waits, 95)
    };
    let mut lines = Priority::ALL.map(line);
    let longest = lines.iter().flatten().flatten().copied().max().unwrap_or(0);
    let unit = if longest >= 10_000 {
        lines.iter_mut().flatten().flatten().for_each(|millis| *millis /= 1_000);
        "s"
    } else {
        "ms"
    };
    let [first, second, third] = lines;
    Panel::new(format!("wait of those who came then and went, p95, {unit}"))
        .line("interactive", Tone::First, first)
        .line("standard", Tone::Second, second)
        .line("batch", Tone::Third, third)
}

fn of_refusals(outcome: &Outcome, buckets: &Buckets) -> Panel {
    let samples = &outcome.samples;
    let refused = |at: usize| i64::try_from(samples[at].refused_429).unwrap_or(i64::MAX);
    let points = buckets.highest((0..samples.len()).map(|at| (samples[at].at, last_minute(samples, at, refused))));
    Panel::new("429s of providers, in the last minute".to_owned()).line("429s", Tone::Warn, points)
}

#[cfg(test)]
mod tests;
