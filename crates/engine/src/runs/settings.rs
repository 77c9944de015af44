//! How much is remembered of runs, and what guards them: the ladder's last rung, the detectors' thresholds, the caps.

use std::collections::BTreeSet;
use std::time::Duration;

use weir_units::{NanoUsd, Tokens};

/// How much is remembered.
#[derive(Clone, Debug)]
pub struct RunsSettings {
    /// The most conversations that are remembered, of all runs together. Beyond it the least recently used one of the
    /// tenant that has most is forgotten.
    pub max_runs: usize,
    /// How many first requests are remembered that nobody named and that nothing has followed; of these the last.
    pub max_firsts: usize,
    /// About how much memory they may take, in bytes.
    pub max_bytes: u64,
    /// After so long without a request a conversation is forgotten.
    pub ttl: Duration,
}

impl Default for RunsSettings {
    fn default() -> Self {
        Self { max_runs: 200_000, max_firsts: 5_000, max_bytes: 240 << 20, ttl: Duration::from_secs(7_200) }
    }
}

/// The last rung of the ladder that detectors may climb to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loops {
    /// Runs are counted and nothing else: no detector, no cap.
    Off,
    /// Detectors say what they see.
    Warn,
    /// They also slow a run down.
    Slow,
    /// They also halt it.
    Halt,
}

impl Loops {
    /// The name in the config and on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Slow => "slow",
            Self::Halt => "halt",
        }
    }
}

/// What a request's run is held to. A threshold of 0 switches its detector off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    /// How far detectors may go. Caps halt whatever it is, unless it is off.
    pub loops: Loops,
    /// Tools whose calls neither count for a detector nor break what it counts.
    pub exempt_tools: BTreeSet<Box<str>>,
    /// The same action with the same result, so often in a row, halts; one less slows, two less warn.
    pub identical_actions: u32,
    /// The same steps with the same results, repeated so often, halt; one less slows.
    pub cycles: u32,
    /// The same error, so often in a row, halts; one less slows, two less warn.
    pub repeated_errors: u32,
    /// No progress: of so many steps …
    pub no_progress_steps: u32,
    /// … less than this share are different ones, in parts per million …
    pub no_progress_distinct_ppm: u32,
    /// … and the last so many brought no new result.
    pub no_progress_quiet: u32,
    /// So many texts of the last six that are nearly the same halt; one less slows.
    pub similar_texts: u32,
    /// The most bits of 64 in which texts that are nearly the same differ.
    pub similar_texts_distance: u32,
    /// The same texts, so often back and forth between conversations, halt; one less slows.
    pub ping_pongs: u32,
    /// How many robust standard deviations above the tenant's other runs a run's spending per minute slows it.
    pub velocity_deviations: u32,
    /// Below so much a minute no spending is too fast.
    pub velocity_floor: NanoUsd,
    /// More attempts than this per useful answer, within ten minutes, slow a run …
    pub attempts_per_answer: u32,
    /// … once there were so many of them.
    pub attempts_least: u32,
    /// The most requests of a run.
    pub max_requests: Option<u32>,
    /// The longest that a run may last.
    pub max_age: Option<Duration>,
    /// The most that a run may cost.
    pub max_cost: Option<NanoUsd>,
    /// How often a run may branch off one that branched off itself, and how long a chain of runs that call each other may be.
    pub max_depth: Option<u32>,
    /// The most input tokens that a request may have more than the first one of its conversation.
    pub max_context_growth: Option<Tokens>,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            loops: Loops::Halt,
            exempt_tools: BTreeSet::new(),
            identical_actions: 5,
            cycles: 4,
            repeated_errors: 6,
            no_progress_steps: 20,
            no_progress_distinct_ppm: 350_000,
            no_progress_quiet: 10,
            similar_texts: 4,
            similar_texts_distance: 3,
            ping_pongs: 4,
            velocity_deviations: 6,
            velocity_floor: NanoUsd(1_000_000_000),
            attempts_per_answer: 4,
            attempts_least: 12,
            max_requests: None,
            max_age: None,
            max_cost: None,
            max_depth: None,
            max_context_growth: None,
        }
    }
}

/// What a released run may do from now on. What is not named here is counted anew from the release, against the cap that
/// its requests come with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleaseCaps {
    /// The most requests, those made before included.
    pub max_requests: Option<u32>,
    /// The longest that it may last, from its beginning.
    pub max_age: Option<Duration>,
    /// The most that it may cost, what it has cost before included.
    pub max_cost: Option<NanoUsd>,
}
