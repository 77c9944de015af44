//! Why an answer ended, in the words of each dialect.
//!
//! A dialect has several words for one reason and some reasons that the other lacks; the mapping follows the
//! API references of OpenAI and Anthropic (2026-11). A provider's failure is never mapped to a clean end.

/// Why the model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It had said all it wanted to.
    End,
    /// It produced a stop sequence; the text where the dialect says which.
    Sequence(Option<String>),
    /// It reached the output limit.
    Length,
    /// It reached the end of its context window.
    Window,
    /// It calls tools.
    ToolCalls,
    /// It, or a filter, refused.
    Refusal,
    /// It paused for a hosted tool and wants the turn resent.
    Pause,
    /// A word that is not known here.
    Other(String),
}

impl Stop {
    /// Reads Chat Completions' `finish_reason`.
    #[must_use]
    pub fn from_openai(word: &str) -> Self {
        match word {
            "stop" => Self::End,
            "length" => Self::Length,
            "tool_calls" | "function_call" => Self::ToolCalls,
            "content_filter" => Self::Refusal,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Reads Anthropic's `stop_reason`; `sequence` is the `stop_sequence` beside it.
    #[must_use]
    pub fn from_anthropic(word: &str, sequence: Option<&str>) -> Self {
        match word {
            "end_turn" => Self::End,
            "stop_sequence" => Self::Sequence(sequence.map(str::to_owned)),
            "max_tokens" => Self::Length,
            "model_context_window_exceeded" => Self::Window,
            "tool_use" => Self::ToolCalls,
            "refusal" => Self::Refusal,
            "pause_turn" => Self::Pause,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word for Chat Completions' `finish_reason`.
    #[must_use]
    pub fn to_openai(&self) -> &str {
        match self {
            Self::End | Self::Sequence(_) => "stop",
            Self::Length | Self::Window | Self::Pause => "length",
            Self::ToolCalls => "tool_calls",
            Self::Refusal => "content_filter",
            Self::Other(word) => word,
        }
    }

    /// The word for Anthropic's `stop_reason`.
    #[must_use]
    pub fn to_anthropic(&self) -> &str {
        match self {
            Self::End => "end_turn",
            Self::Sequence(_) => "stop_sequence",
            Self::Length => "max_tokens",
            Self::Window => "model_context_window_exceeded",
            Self::ToolCalls => "tool_use",
            Self::Refusal => "refusal",
            Self::Pause => "pause_turn",
            Self::Other(word) => word,
        }
    }
}
