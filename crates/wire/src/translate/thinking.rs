//! How much a model is asked to think, across dialects that measure it in words, in tokens, or not at all.
//!
//! What a model takes differs more between one provider's models than between providers, so the target's capabilities
//! decide. A wish that would be refused is dropped with a note: an answer without thinking beats no answer.

use super::Target;
use super::conversation::{Choice, Content, Conversation, Effort, Thinking, Turn};
use super::notes::{self, Notes};

/// The least thinking budget that the API takes.
const LEAST_BUDGET: u64 = 1_024;
/// The most that is asked for; above it the API wants a stream and batches.
const MOST_BUDGET: u64 = 32_000;

/// How thinking will be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Not at all: the model's default.
    Unsaid,
    Disabled,
    Adaptive(Option<Effort>),
    Budget(u64),
}

impl Plan {
    /// What to ask of the target for what the client asked.
    pub(super) fn of(
        conversation: &Conversation<'_>,
        turns: &[Turn<'_>],
        max_output: u64,
        to: &Target<'_>,
        notes: &mut Notes,
    ) -> Self {
        let Some(asked) = conversation.thinking else { return Self::Unsaid };
        let always_on = to.capabilities.thinking_always_on == Some(true);
        if asked == Thinking::Off {
            if always_on {
                notes.add(notes::CLAMPED_EFFORT);
                return Self::Adaptive(Some(Effort::Low));
            }
            // Of the models that decide for themselves some refuse to be told not to think; unknown ones are not told.
            if to.takes_adaptive_thinking() && to.capabilities.thinking_always_on.is_none() {
                notes.add(notes::REASONING_EFFORT);
                return Self::Unsaid;
            }
            return if to.capabilities.reasoning == Some(false) { Self::Unsaid } else { Self::Disabled };
        }
        let drop = |notes: &mut Notes| {
            notes.add(notes::REASONING_EFFORT);
            Self::Unsaid
        };
        // No model thinks before a tool that it is forced to call.
        let forced = matches!(conversation.choice, Some(Choice::Any | Choice::Tool(_)));
        if to.capabilities.reasoning == Some(false) || (forced && !always_on) {
            return drop(notes);
        }
        if to.takes_adaptive_thinking() {
            return Self::Adaptive(match asked {
                Thinking::Effort(effort) => Some(effort.max(Effort::Low)),
                _ => None,
            });
        }
        // A fixed budget excludes a call in progress whose own thinking did not cross with it, and an output limit too
        // small to hold it.
        if in_tool_loop(turns) || max_output <= LEAST_BUDGET {
            return drop(notes);
        }
        let budget = match asked {
            Thinking::Budget(tokens) => tokens,
            Thinking::Effort(effort) => max_output.saturating_mul(tenths(effort)) / 10,
            _ => max_output / 2,
        };
        Self::Budget(budget.clamp(LEAST_BUDGET, MOST_BUDGET).min(max_output - 1))
    }
}

/// The share of the output limit that an effort may think, in tenths (OpenRouter documents the same shares).
fn tenths(effort: Effort) -> u64 {
    match effort {
        Effort::Minimal => 1,
        Effort::Low => 2,
        Effort::Medium => 5,
        Effort::High => 8,
        Effort::Xhigh | Effort::Max => 9,
    }
}

/// Whether the last turn answers tool calls.
fn in_tool_loop(turns: &[Turn<'_>]) -> bool {
    turns.last().is_some_and(|turn| turn.parts.iter().any(|part| matches!(part.content, Content::Result(_))))
}

/// The word of `output_config.effort`.
pub(super) fn anthropic_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Xhigh => "xhigh",
        Effort::Max => "max",
    }
}

/// `reasoning_effort`. Models take different sets of words; the three that all of them know are used.
pub(super) fn openai_word(thinking: Option<Thinking>, to: &Target<'_>, notes: &mut Notes) -> Option<&'static str> {
    let thinking = thinking.filter(|thinking| *thinking != Thinking::Off)?;
    if to.capabilities.reasoning == Some(false) {
        notes.add(notes::REASONING_EFFORT);
        return None;
    }
    Some(match thinking {
        // What the model sees fit is what it does unasked; only a model that is known to reason is told to.
        Thinking::Off | Thinking::Adaptive => return to.capabilities.reasoning.map(|_| "medium"),
        Thinking::Budget(tokens) if tokens < 4_096 => "low",
        Thinking::Budget(tokens) if tokens < 16_384 => "medium",
        Thinking::Budget(_) | Thinking::Effort(Effort::High) => "high",
        Thinking::Effort(Effort::Minimal | Effort::Low) => "low",
        Thinking::Effort(Effort::Medium) => "medium",
        Thinking::Effort(Effort::Xhigh | Effort::Max) => {
            notes.add(notes::CLAMPED_EFFORT);
            "high"
        }
    })
}
