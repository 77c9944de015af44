//! A request as both dialects mean it, between a reader and a writer.
//!
//! Each dialect has one reader into this and one writer out of it, so a third dialect is two files and no pairs. What
//! only one dialect can say is not here: its reader reports it, as a note or as what cannot be expressed.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::json::Json;

/// A model request.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<Choice<'a>>,
    /// At most one tool call per answer.
    pub(super) one_call: bool,
    pub(super) format: Option<Format<'a>>,
    pub(super) max_output: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u64>,
    pub(super) stop: Vec<Cow<'a, str>>,
    pub(super) thinking: Option<Thinking>,
    pub(super) user: Option<Cow<'a, str>>,
    pub(super) stream: bool,
}

/// What one side said at one point. Tool results are said by the user.
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) parts: Vec<Part<'a>>,
}

/// Who speaks. `System` is whoever wrote the program: system and developer alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

/// A piece of a turn and where in the client's body it stood.
pub(super) struct Part<'a> {
    pub(super) at: Place,
    pub(super) content: Content<'a>,
}

/// What a piece holds.
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Image(Media<'a>),
    /// A PDF; text documents are text to a dialect that has none.
    Document(Document<'a>),
    Call(Call<'a>),
    Result(ToolResult<'a>),
}

/// An image or a file: where it lies, or its bytes.
pub(super) enum Media<'a> {
    Url(Cow<'a, str>),
    Base64 { media_type: Cow<'a, str>, data: Cow<'a, str> },
}

/// A document with what is said of it.
pub(super) struct Document<'a> {
    pub(super) body: DocumentBody<'a>,
    pub(super) title: Option<Cow<'a, str>>,
}

/// A document's content.
pub(super) enum DocumentBody<'a> {
    /// A PDF's bytes in base64.
    Pdf(Cow<'a, str>),
    /// Where a PDF lies.
    Url(Cow<'a, str>),
    /// Plain text.
    Text(Cow<'a, str>),
}

/// A call of a tool by the model.
pub(super) struct Call<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    pub(super) arguments: Arguments<'a>,
}

/// A call's arguments, as text: they are never re-written, only carried.
pub(super) enum Arguments<'a> {
    /// A JSON object as it stood in the body.
    Object(&'a RawValue),
    /// The model's own text, which ought to be a JSON object.
    Text(Cow<'a, str>),
}

/// What a tool answered.
pub(super) struct ToolResult<'a> {
    pub(super) call: Cow<'a, str>,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) is_error: bool,
}

/// A function that the model may call.
pub(super) struct Tool<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) description: Option<Cow<'a, str>>,
    pub(super) schema: Option<&'a RawValue>,
    pub(super) strict: bool,
    /// Its index in the client's `tools`.
    pub(super) at: usize,
}

/// Whether the model must call a tool.
pub(super) enum Choice<'a> {
    Auto,
    None,
    Any,
    Tool(Cow<'a, str>),
}

/// The form that the answer's text must have.
pub(super) enum Format<'a> {
    JsonObject,
    JsonSchema { name: Option<Cow<'a, str>>, schema: &'a RawValue, strict: bool },
}

/// How much the model should think before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    Off,
    /// As much as the model sees fit.
    Adaptive,
    Effort(Effort),
    /// At most this many tokens.
    Budget(u64),
}

/// The steps of `reasoning_effort` and `output_config.effort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    /// The step that both dialects call by this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Xhigh,
            "max" => Self::Max,
            _ => return None,
        })
    }
}

/// Where in the client's body something stands, as an error's `param` names it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The top-level `system`.
    System,
    /// `messages[i]`.
    Message(usize),
    /// `messages[i].content[j]`.
    Part(usize, usize),
    /// `messages[i].tool_calls[j]`.
    Call(usize, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Message(i) => write!(f, "messages[{i}]"),
            Self::Part(i, j) => write!(f, "messages[{i}].content[{j}]"),
            Self::Call(i, j) => write!(f, "messages[{i}].tool_calls[{j}]"),
        }
    }
}

impl<'a> Arguments<'a> {
    /// The text of the arguments for a dialect that carries a string; none at all is `{}`.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Object(raw) => Cow::Borrowed(raw.get()),
            Self::Text(text) if text.trim().is_empty() => Cow::Borrowed("{}"),
            Self::Text(text) => text,
        }
    }

    /// The object for a dialect that carries one, and whether the text was none and had to be wrapped.
    pub(super) fn into_object(self) -> (Json<'a>, bool) {
        let text = match self {
            Self::Object(raw) => return (Json::Raw(raw), false),
            Self::Text(text) => text,
        };
        let trimmed = if text.trim().is_empty() { "{}" } else { text.trim() };
        let object = trimmed.starts_with('{').then(|| RawValue::from_string(trimmed.to_owned()).ok()).flatten();
        match object {
            Some(raw) => (Json::Made(raw), false),
            None => (Json::Object(vec![("_raw", Json::Text(text))]), true),
        }
    }
}

/// Joins turns of one role that follow each other; both dialects read them as one, and Anthropic's asks for it.
pub(super) fn merge(turns: Vec<Turn<'_>>) -> Vec<Turn<'_>> {
    let mut merged: Vec<Turn<'_>> = Vec::with_capacity(turns.len());
    for turn in turns {
        match merged.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            _ => merged.push(turn),
        }
    }
    merged
}
