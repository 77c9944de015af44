//! What was seen of a run, in figures and marks: never in the words of whoever sent it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{Mark, NanoUsd, format_duration};

/// What looks for loops and runaways, and the caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// The same action with the same result in a row.
    IdenticalActions,
    /// Several steps with the same results over and over.
    Cycles,
    /// The same error in a row.
    RepeatedErrors,
    /// Few different steps, and nothing new came of them.
    NoProgress,
    /// Texts that are nearly the same.
    SimilarTexts,
    /// The same texts back and forth between conversations.
    PingPong,
    /// Spending much faster than the tenant's other runs.
    Velocity,
    /// Many attempts for few useful answers.
    Retries,
    /// The cap on requests.
    MaxRequests,
    /// The cap on age.
    MaxAge,
    /// The cap on dollars.
    MaxCost,
    /// The cap on depth.
    MaxDepth,
    /// The cap on the growth of the context.
    MaxContextGrowth,
}

impl Detector {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::IdenticalActions,
        Self::Cycles,
        Self::RepeatedErrors,
        Self::NoProgress,
        Self::SimilarTexts,
        Self::PingPong,
        Self::Velocity,
        Self::Retries,
        Self::MaxRequests,
        Self::MaxAge,
        Self::MaxCost,
        Self::MaxDepth,
        Self::MaxContextGrowth,
    ];

    /// The name in facts, metrics and pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IdenticalActions => "identical-actions",
            Self::Cycles => "cycles",
            Self::RepeatedErrors => "repeated-errors",
            Self::NoProgress => "no-progress",
            Self::SimilarTexts => "similar-texts",
            Self::PingPong => "ping-pong",
            Self::Velocity => "velocity",
            Self::Retries => "retries",
            Self::MaxRequests => "max-requests",
            Self::MaxAge => "max-age",
            Self::MaxCost => "max-cost",
            Self::MaxDepth => "max-depth",
            Self::MaxContextGrowth => "max-context-growth",
        }
    }

    /// Whether it is a cap, and not a detector of loops.
    #[must_use]
    pub fn is_cap(self) -> bool {
        self >= Self::MaxRequests
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a run was warned of, slowed or halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Which run, or which conversation of it.
    pub run: Arc<str>,
    /// Who saw it.
    pub detector: Detector,
    /// The tool that it is about, in characters that are safe to show.
    pub tool: Option<Box<str>>,
    /// How many were counted: actions, repetitions, errors, different steps, texts, attempts, requests, tokens, seconds, or
    /// nano-dollars.
    pub count: u64,
    /// Out of how many: steps, texts, useful answers; else 0.
    pub of: u64,
    /// How many halt, or slow where the detector never halts.
    pub threshold: u64,
    /// How many steps are repeated; else 0.
    pub period: u32,
    /// Marks of what was repeated, a few.
    pub marks: Vec<Mark>,
    /// A message of the request that shows it, counted from 0.
    pub message: Option<u32>,
}

impl Evidence {
    /// Nothing counted yet.
    pub(super) fn new(detector: Detector, count: u64, threshold: u64) -> Self {
        let (tool, marks, message) = (None, Vec::new(), None);
        Self { run: Arc::from(""), detector, tool, count, of: 0, threshold, period: 0, marks, message }
    }

    /// One sentence for people: figures and the tool's name, and no text of the caller.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { count, of, threshold, period, .. } = self;
        let dollars = |amount: &u64| NanoUsd(i64::try_from(*amount).unwrap_or(i64::MAX));
        let span = |seconds: &u64| format_duration(Duration::from_secs(*seconds));
        match (self.detector, &self.tool) {
            (Detector::IdenticalActions, Some(tool)) => {
                format!(
                    "the tool `{tool}` was called {count} times in a row with the same arguments and the same result"
                )
            }
            (Detector::IdenticalActions, None) => {
                format!("the assistant said the same {count} times in a row and was answered the same each time")
            }
            (Detector::Cycles, Some(tool)) => format!(
                "the same {period} steps, a call of the tool `{tool}` among them, were repeated {count} times with the same \
                 results"
            ),
            (Detector::Cycles, None) => format!("the same {period} turns were repeated {count} times"),
            (Detector::RepeatedErrors, tool) => {
                let tool = tool.as_deref().unwrap_or("unknown");
                format!("{count} calls in a row, the last one of the tool `{tool}`, failed with the same error")
            }
            (Detector::NoProgress, _) => {
                format!("the last {of} steps were {count} different ones over and over, and nothing new came of them")
            }
            (Detector::SimilarTexts, _) => format!("{count} of the assistant's last {of} texts were nearly the same"),
            (Detector::PingPong, _) if *period < 2 => {
                format!("the same text was passed on between conversations {count} times")
            }
            (Detector::PingPong, _) => {
                format!("the same {period} texts went back and forth between conversations {count} times")
            }
            (Detector::Velocity, _) => format!(
                "it spends ${} a minute, far more than the tenant's other runs (${} in the middle)",
                dollars(count),
                dollars(of)
            ),
            (Detector::Retries, _) => {
                format!("{count} attempts were made for {of} useful answers within ten minutes")
            }
            (Detector::MaxRequests, _) => format!("it has made {count} requests, and its cap is {threshold}"),
            (Detector::MaxAge, _) => format!("it has lasted {}, and its cap is {}", span(count), span(threshold)),
            (Detector::MaxCost, _) => {
                format!("it has cost ${}, and its cap is ${}", dollars(count), dollars(threshold))
            }
            (Detector::MaxDepth, _) => format!("it is {count} runs deep, and its cap is {threshold}"),
            (Detector::MaxContextGrowth, _) => {
                format!("its input has grown by {count} tokens, and its cap is {threshold}")
            }
        }
    }
}

/// A tool's name in characters that are safe to show, at most 64 of them.
pub(super) fn safe(tool: &str) -> Box<str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    tool.chars().take(64).map(|c| if fine(c) { c } else { '_' }).collect()
}

/// How far up the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    #[default]
    Go,
    Warn,
    Slow,
    Halt,
}

impl Level {
    /// The rung for `count` where `threshold` halts, with `rungs` below it; a threshold of 0 is never reached.
    pub(super) fn of(count: u32, threshold: u32, rungs: u32) -> Self {
        if threshold == 0 || count < threshold.saturating_sub(rungs).max(2) {
            Self::Go
        } else if count >= threshold {
            Self::Halt
        } else if count + 1 == threshold {
            Self::Slow
        } else {
            Self::Warn
        }
    }
}
