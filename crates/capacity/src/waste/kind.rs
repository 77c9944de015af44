//! The kinds of waste: what each counts and does not count, what helps, and how much work that is.

use serde::{Deserialize, Serialize};

/// Why something was paid for in vain. In this order a token that was wasted for two reasons counts for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A call that led to no answer.
    FailedAttempt,
    /// An answer whose client left.
    Abandoned,
    /// The client's SDK asked again what had been answered.
    ClientRetry,
    /// The same was asked twice.
    Duplicate,
    /// A run went round.
    Loop,
    /// The answer was cut at its limit.
    Truncated,
    /// The provider's cache did not have the beginning.
    CacheMiss,
    /// What was said many turns ago was sent once more.
    StaleContext,
    /// A dear model for a short question.
    OversizedModel,
    /// Room of a limit that `max_tokens` held for nothing.
    OversizedMaxTokens,
    /// A reason that a later version of Weir has.
    Other,
}

/// How much work a remedy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// A setting, within the hour.
    Small,
    /// A change of a program, within days.
    Medium,
    /// A change of how a program works, within weeks.
    Large,
}

impl Effort {
    /// The name on pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// About how many days of work it is: what a year's worth is divided by where remedies are ranked.
    #[must_use]
    pub fn days(self) -> i64 {
        match self {
            Self::Small => 1,
            Self::Medium => 5,
            Self::Large => 20,
        }
    }
}

/// What is said of a kind: its name in facts, its title, what it counts, what it does not count, the remedy, its effort.
struct About(&'static str, &'static str, &'static str, &'static str, &'static str, Effort);

impl Kind {
    /// All of them, in the order in which a token counts for the first.
    pub const ALL: [Self; 11] = [
        Self::FailedAttempt,
        Self::Abandoned,
        Self::ClientRetry,
        Self::Duplicate,
        Self::Loop,
        Self::Truncated,
        Self::CacheMiss,
        Self::StaleContext,
        Self::OversizedModel,
        Self::OversizedMaxTokens,
        Self::Other,
    ];

    /// The name in facts, filters and answers for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().0
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.about().1
    }

    /// How it is counted.
    #[must_use]
    pub fn counts(self) -> &'static str {
        self.about().2
    }

    /// What it does not count.
    #[must_use]
    pub fn leaves_out(self) -> &'static str {
        self.about().3
    }

    /// What helps, whoever caused it.
    pub(super) fn remedy(self) -> &'static str {
        self.about().4
    }

    /// How much work that is.
    #[must_use]
    pub fn effort(self) -> Effort {
        self.about().5
    }

    /// Whether all of its dollars are estimates.
    #[must_use]
    pub fn is_estimate(self) -> bool {
        matches!(self, Self::CacheMiss | Self::StaleContext | Self::OversizedModel)
    }

    /// Whether it is room of a limit, and no tokens that anybody paid for.
    #[must_use]
    pub fn is_room(self) -> bool {
        self == Self::OversizedMaxTokens
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn about(self) -> About {
        use Effort::{Medium, Small};
        match self {
            Self::FailedAttempt => About(
                "failed_attempt",
                "retries of failed attempts",
                "what calls cost that led to no answer: Weir called again, or gave up",
                "calls that a provider refused before it worked on them: they cost nothing",
                "give up sooner on what will fail: shorten `first-byte` or `stall` in `timeouts`, and look at the provider \
                 with `weir providers`",
                Medium,
            ),
            Self::Abandoned => About(
                "abandoned",
                "abandoned answers",
                "what was used when the client left before the end of its answer",
                "what a provider goes on to write after it is hung up on, where it bills that",
                "raise the client's timeout above what its answers take, or have it send `x-weir-deadline`",
                Small,
            ),
            Self::ClientRetry => About(
                "client_retry",
                "retries by the client's SDK",
                "answers to what had been answered within ten minutes, where the SDK says that it asks again",
                "tries of what had failed, since the answer served the client then",
                "set the SDK's `max_retries` to 0 behind Weir, which retries by itself",
                Small,
            ),
            Self::Duplicate => About(
                "duplicate",
                "the same, asked twice",
                "answers to what the same tenant had asked, byte for byte, and got an answer to within ten minutes",
                "questions that differ in a byte, and those that are more than ten minutes apart",
                "ask once, or keep the answer in the client",
                Medium,
            ),
            Self::Loop => About(
                "loop",
                "loops and repeated actions",
                "requests of runs that were seen to go round: the same steps with the same results, over and over",
                "the first rounds, which nobody can tell from progress",
                "set `loops = \"halt\"`",
                Small,
            ),
            Self::Truncated => About(
                "truncated",
                "truncated answers",
                "answers that ended at `max_tokens` or at the end of the context window, whole",
                "cuts that the client wanted: `max_tokens` of 1 to try a prompt out is counted as well",
                "raise `max_tokens` where answers end at it, or ask for shorter ones",
                Small,
            ),
            Self::CacheMiss => About(
                "cache_miss",
                "cache misses, stable prefix",
                "what the provider's cache would have saved of a beginning that the request before in the run had, within \
                 five minutes",
                "beginnings under 1,024 tokens, runs of one request, and models without a price for cached input",
                "keep what changes out of the beginning, and mark it (`cache_control`) or name it (`prompt_cache_key`)",
                Small,
            ),
            Self::StaleContext => About(
                "stale_context",
                "stale context, resent",
                "what was in each of the last five requests of a conversation already, beyond its beginning, where that is \
                 4,096 tokens or more and half of the input; at the price of cached input where it was cached",
                "tokens that count as a cache miss, and whether the model still needed any of it",
                "clear old tool results from the history, or sum it up",
                Medium,
            ),
            Self::OversizedModel => About(
                "oversized_model",
                "oversized models",
                "the difference to the cheapest model of this configuration, for at most 1,000 tokens in and 200 out, without \
                 tools or reasoning, where that costs a third or less",
                "whether the cheaper model answers as well: try it before you believe the figure",
                "send short questions to the cheaper model: a route of its own, or `when-low` of a budget",
                Medium,
            ),
            Self::OversizedMaxTokens => About(
                "oversized_max_tokens",
                "oversized max_tokens",
                "tokens of a limit that `max_tokens` held and the answer did not take, where the provider counts \
                 `max_tokens` when a request arrives: 1,000 or more, and four times the answer or more",
                "dollars, since unused tokens are not billed, and what budgets held meanwhile",
                "lower `max_tokens` to what answers take",
                Small,
            ),
            Self::Other => About(
                "other",
                "for other reasons",
                "what a later version of Weir has told",
                "nothing that this version knows of",
                "look at the requests with the version of Weir that wrote them",
                Medium,
            ),
        }
    }
}
