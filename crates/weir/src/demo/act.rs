//! The four acts: what goes wrong in each, and for how long.

use std::time::Duration;

use weir_mock::{FaultOrder, Mock, Standing};

/// One part of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing is wrong.
    Calm,
    /// The primary refuses most calls for their rate.
    Storm,
    /// The primary is down.
    Outage,
    /// The primary is back.
    Recovery,
}

impl Act {
    /// All of them, in order.
    pub(super) const ALL: [Self; 4] = [Self::Calm, Self::Storm, Self::Outage, Self::Recovery];

    /// The name in the story and in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Storm => "storm",
            Self::Outage => "outage",
            Self::Recovery => "recovery",
        }
    }

    /// Its shape and its colour: how the primary is.
    pub(super) fn shape(self) -> (&'static str, u8) {
        match self {
            Self::Calm => ("●", 32),
            Self::Storm => ("▲", 33),
            Self::Outage => ("■", 31),
            Self::Recovery => ("◐", 36),
        }
    }

    /// What is about to happen.
    pub(super) fn announcement(self) -> &'static str {
        match self {
            Self::Calm => "openai answers everything",
            Self::Storm => "openai answers most calls with 429, and asks to be left alone for a second or two",
            Self::Outage => "openai is down: 503s, resets, silence",
            Self::Recovery => "openai is back; probes find out",
        }
    }

    /// Its part of a story that takes `whole`.
    pub(super) fn length(self, whole: Duration) -> Duration {
        match self {
            Self::Calm => whole / 5,
            Self::Storm | Self::Outage => whole / 4,
            Self::Recovery => whole * 3 / 10,
        }
    }

    /// Orders what goes wrong in this act, and nothing else. Each share is of what the orders before it left.
    pub(super) fn stage(self, primary: &Mock) {
        primary.clear();
        let limited = |seconds| FaultOrder::RateLimit(Some(Duration::from_secs(seconds)));
        match self {
            Self::Calm | Self::Recovery => {}
            Self::Storm => {
                primary.order(Standing::share(limited(1), 350_000));
                primary.order(Standing::share(limited(2), 400_000));
            }
            Self::Outage => {
                primary.order(Standing::share(FaultOrder::Silence, 60_000));
                primary.order(Standing::share(FaultOrder::Reset, 250_000));
                primary.order(Standing::all(FaultOrder::Unavailable));
            }
        }
    }
}
