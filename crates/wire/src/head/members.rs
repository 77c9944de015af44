//! The members of a request body that Weir acts on: found in one pass, each value still as its text, then read one by one.
//!
//! A value's type is checked only where the endpoint has the member, so that one vendor's field is no error in another's API.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::BadRequest;
use crate::dialect::Endpoint;
use crate::strict::Strict;

/// The longest model name that is taken, in bytes; names live in facts, metrics and memory.
const MODEL_BYTES: usize = 256;

macro_rules! fields {
    ($($variant:ident = $name:literal,)*) => {
        /// The top-level members that Weir acts on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Field { $($variant,)* }

        impl Field {
            const COUNT: usize = [$(Self::$variant,)*].len();

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn of_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

fields! {
    Model = "model",
    Messages = "messages",
    Input = "input",
    Prompt = "prompt",
    Conversation = "conversation",
    Stream = "stream",
    StreamOptions = "stream_options",
    MaxTokens = "max_tokens",
    MaxCompletionTokens = "max_completion_tokens",
    MaxOutputTokens = "max_output_tokens",
    N = "n",
    BestOf = "best_of",
    Logprobs = "logprobs",
    TopLogprobs = "top_logprobs",
    Include = "include",
    Tools = "tools",
    Functions = "functions",
    ReasoningEffort = "reasoning_effort",
    Reasoning = "reasoning",
    Thinking = "thinking",
    Store = "store",
    Background = "background",
    PreviousResponseId = "previous_response_id",
    User = "user",
    SafetyIdentifier = "safety_identifier",
    Metadata = "metadata",
    ServiceTier = "service_tier",
    Speed = "speed",
    PromptCacheKey = "prompt_cache_key",
}

/// The values found, each still as its text.
pub(super) struct Members<'a> {
    values: [Option<&'a str>; Field::COUNT],
    doubled: Option<Field>,
}

impl<'a> Members<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, BadRequest> {
        // Nearly every body is of the usual form; of any other it is said what is wrong with it, if anything is.
        if let Some(members) = Self::walk(text) {
            return Ok(members);
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let members = json
            .deserialize_map(MembersVisitor)
            .and_then(|members| json.end().map(|()| members))
            .map_err(|e| not_json(text, &e))?;
        match members.doubled {
            Some(field) => {
                let name = field.name();
                Err(bad(field, format!("`{name}` stands in the body more than once: send it once")))
            }
            None => Ok(members),
        }
    }

    /// The members of an object whose names have no escapes, each there once.
    fn walk(text: &'a str) -> Option<Self> {
        let mut members = Self { values: [None; Field::COUNT], doubled: None };
        let mut json = Strict::new(text);
        json.object(|json, name| {
            let value = json.value()?;
            match Field::of_name(name) {
                Some(field) if members.values[field as usize].replace(value).is_some() => None,
                _ => Some(()),
            }
        })?;
        json.is_at_end().then_some(members)
    }

    pub(super) fn get(&self, field: Field) -> Option<&'a str> {
        self.values[field as usize]
    }

    /// The value's text, unless it is absent or null.
    fn given(&self, field: Field) -> Option<&'a str> {
        self.get(field).filter(|text| *text != "null")
    }

    pub(super) fn flag(&self, field: Field) -> Result<Option<bool>, BadRequest> {
        match self.given(field) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(wrong_type(field, other, "send true or false")),
        }
    }

    fn count(&self, field: Field) -> Result<Option<u64>, BadRequest> {
        let Some(text) = self.given(field) else { return Ok(None) };
        match text.parse() {
            Ok(count) => Ok(Some(count)),
            Err(_) if text.len() <= 20 && text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                let name = field.name();
                Err(bad(field, format!("`{name}` is {text}: send a whole number that is not negative")))
            }
            Err(_) => Err(wrong_type(field, text, "send a whole number")),
        }
    }

    pub(super) fn text(&self, field: Field) -> Result<Option<String>, BadRequest> {
        match self.given(field) {
            None => Ok(None),
            Some(text) => {
                serde_json::from_str::<String>(text).map(Some).map_err(|_| wrong_type(field, text, "send a string"))
            }
        }
    }

    /// Whether nothing is asked for that is billed otherwise than at the list price: OpenAI's `flex` and `priority`,
    /// Anthropic's `fast`.
    pub(super) fn list_price(&self) -> bool {
        let usual =
            |field, words: &[&str]| self.given(field).is_none_or(|text| words.contains(&text.trim_matches('"')));
        usual(Field::ServiceTier, &["auto", "default", "standard", "standard_only"])
            && usual(Field::Speed, &["standard"])
    }

    /// Whether `field` is a list with something in it.
    pub(super) fn list_given(&self, field: Field) -> Result<bool, BadRequest> {
        match self.given(field) {
            None => Ok(false),
            Some(text) if text.starts_with('[') => Ok(!is_empty(text)),
            Some(text) => Err(wrong_type(field, text, "send an array")),
        }
    }

    pub(super) fn model(&self) -> Result<String, BadRequest> {
        let Some(name) = self.text(Field::Model)? else {
            return Err(bad(Field::Model, "`model` is missing: name a route or a model".to_owned()));
        };
        if name.trim().is_empty() {
            return Err(bad(Field::Model, "`model` is empty: name a route or a model".to_owned()));
        }
        if name.len() > MODEL_BYTES {
            let size = name.len();
            let message = format!("`model` has {size} bytes: a model's name has at most {MODEL_BYTES}");
            return Err(bad(Field::Model, message));
        }
        Ok(name)
    }

    /// What the model is to work on must be there; it is not walked.
    pub(super) fn require_input(&self, endpoint: Endpoint) -> Result<(), BadRequest> {
        let field = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens => Field::Messages,
            Endpoint::Completions => Field::Prompt,
            Endpoint::Responses | Endpoint::Embeddings => Field::Input,
        };
        let name = field.name();
        match self.given(field) {
            // What is stored can be all the input there is.
            None if self.stored_input(endpoint) => Ok(()),
            None => Err(bad(field, format!("`{name}` is missing: send {}", shape(field)))),
            Some(text) if text.starts_with('[') && is_empty(text) => {
                Err(bad(field, format!("`{name}` is empty: send {}", shape(field))))
            }
            Some(text) if text.starts_with('[') => Ok(()),
            Some(text) if field != Field::Messages && text.starts_with('"') => Ok(()),
            Some(text) => Err(wrong_type(field, text, &format!("send {}", shape(field)))),
        }
    }

    pub(super) fn streams(&self, endpoint: Endpoint) -> bool {
        !matches!(endpoint, Endpoint::Embeddings | Endpoint::CountTokens)
    }

    pub(super) fn stream_options(&self) -> Result<Option<StreamOptions<'a>>, BadRequest> {
        let Some(text) = self.given(Field::StreamOptions) else { return Ok(None) };
        let wrong = |_| {
            let message = "`stream_options` cannot be read: send an object, like {\"include_usage\": true}, with each \
                           member once";
            bad(Field::StreamOptions, message.to_owned())
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let options = json.deserialize_map(StreamOptionsVisitor).map_err(wrong)?;
        match options.include_usage.map(RawValue::get) {
            None | Some("true" | "false" | "null") => Ok(Some(options)),
            Some(_) => Err(bad(
                Field::StreamOptions,
                "`stream_options.include_usage` is not a boolean: send true or false".to_owned(),
            )),
        }
    }

    pub(super) fn max_output(&self, endpoint: Endpoint) -> Result<Option<u64>, BadRequest> {
        Ok(match endpoint {
            Endpoint::ChatCompletions => self.count(Field::MaxCompletionTokens)?.or(self.count(Field::MaxTokens)?),
            Endpoint::Completions | Endpoint::Messages => self.count(Field::MaxTokens)?,
            Endpoint::Responses => self.count(Field::MaxOutputTokens)?,
            Endpoint::Embeddings | Endpoint::CountTokens => None,
        })
    }

    pub(super) fn output_at_most(&self, endpoint: Endpoint) -> Result<Option<u64>, BadRequest> {
        let limit = self.max_output(endpoint)?;
        let other = if endpoint == Endpoint::ChatCompletions { self.count(Field::MaxTokens)? } else { None };
        Ok(limit.map(|limit| limit.max(other.unwrap_or(0))))
    }

    pub(super) fn best_of(&self, endpoint: Endpoint) -> Result<u64, BadRequest> {
        let given = if endpoint == Endpoint::Completions { self.count(Field::BestOf)? } else { None };
        Ok(given.unwrap_or(1).max(1))
    }

    /// A list of texts, or of lists of tokens, is several prompts; a list of tokens is one.
    pub(super) fn prompts(&self, endpoint: Endpoint) -> u64 {
        let Some(prompt) = self.given(Field::Prompt).filter(|_| endpoint == Endpoint::Completions) else { return 1 };
        let items: Vec<&RawValue> = serde_json::from_str(prompt).unwrap_or_default();
        let whole = items.iter().filter(|item| item.get().starts_with(['"', '['])).count();
        (whole as u64).max(1)
    }

    /// Whether a stored prompt, response or conversation is gone on from.
    pub(super) fn stored_input(&self, endpoint: Endpoint) -> bool {
        let stored = [Field::Prompt, Field::PreviousResponseId, Field::Conversation];
        endpoint == Endpoint::Responses && stored.iter().any(|field| self.given(*field).is_some())
    }

    pub(super) fn answers(&self, endpoint: Endpoint) -> Result<u64, BadRequest> {
        if !matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions) {
            return Ok(1);
        }
        match self.count(Field::N)? {
            Some(0) => Err(bad(Field::N, "`n` is 0: ask for at least one answer".to_owned())),
            n => Ok(n.unwrap_or(1)),
        }
    }

    pub(super) fn logprobs(&self, endpoint: Endpoint) -> Result<bool, BadRequest> {
        Ok(match endpoint {
            Endpoint::ChatCompletions => self.flag(Field::Logprobs)?.unwrap_or(false),
            Endpoint::Completions => self.count(Field::Logprobs)?.is_some(),
            Endpoint::Responses => {
                self.count(Field::TopLogprobs)?.is_some_and(|n| n > 0)
                    || self.given(Field::Include).is_some_and(|list| list.contains("logprobs"))
            }
            _ => false,
        })
    }

    /// The vendors' switches differ; one that belongs to another API is read as far as it can be, and is no error.
    pub(super) fn reasoning(&self, endpoint: Endpoint) -> Result<bool, BadRequest> {
        for (field, owner) in [(Field::Reasoning, Endpoint::Responses), (Field::Thinking, Endpoint::Messages)] {
            if let Some(text) = self.given(field)
                && endpoint == owner
                && !text.starts_with('{')
            {
                return Err(wrong_type(field, text, "send an object"));
            }
        }
        let effort = match endpoint {
            Endpoint::ChatCompletions => self.text(Field::ReasoningEffort)?,
            _ => None,
        };
        Ok(effort.is_some_and(|word| word != "none")
            || self.given(Field::Reasoning).is_some_and(switches_on)
            || self.given(Field::Thinking).is_some_and(switches_on))
    }

    pub(super) fn user(&self, endpoint: Endpoint) -> Result<Option<String>, BadRequest> {
        #[derive(Deserialize)]
        struct Metadata {
            user_id: Option<String>,
        }
        if endpoint.dialect() == crate::Dialect::Anthropic {
            let metadata = self.given(Field::Metadata).map(serde_json::from_str::<Metadata>);
            return match metadata {
                None => Ok(None),
                Some(Ok(metadata)) => Ok(metadata.user_id),
                Some(Err(_)) => {
                    let message = "`metadata` cannot be read: send an object whose `user_id` is a string";
                    Err(bad(Field::Metadata, message.to_owned()))
                }
            };
        }
        Ok(self.text(Field::SafetyIdentifier)?.or(self.text(Field::User)?))
    }
}

/// The ids by which a client says which conversation a request belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// The conversation that the provider keeps.
    pub conversation: Option<String>,
    /// The session that the client's metadata name.
    pub session: Option<String>,
    /// The key of the provider's prompt cache; templated services share one among conversations.
    pub prompt_cache_key: Option<String>,
}

/// The longest id of a session that is taken, in bytes: of a longer one nobody can say what it is.
const SESSION_BYTES: usize = 512;

impl Members<'_> {
    /// What is of an odd type is no id here; whether it is a fault is the provider's business.
    pub(super) fn sessions(&self, endpoint: Endpoint) -> Sessions {
        let id = |text: String| Some(text).filter(|text| !text.is_empty() && text.len() <= SESSION_BYTES);
        let string = |field| self.given(field).and_then(|text| serde_json::from_str(text).ok()).and_then(id);
        let conversation = match endpoint {
            Endpoint::Responses => string(Field::Conversation).or_else(|| {
                let named = self.given(Field::Conversation).and_then(|text| serde_json::from_str::<Named>(text).ok());
                named.and_then(|named| id(named.id))
            }),
            _ => None,
        };
        let metadata = self.given(Field::Metadata).and_then(|text| serde_json::from_str::<Metadata>(text).ok());
        Sessions {
            conversation,
            session: metadata.and_then(Metadata::session).and_then(id),
            prompt_cache_key: string(Field::PromptCacheKey),
        }
    }
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// What of `metadata` names a session. OpenAI's members are the client's own; Anthropic's has a `user_id`, into which Claude Code
/// writes `user_…_account_…_session_UUID`, or an object as text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    session_id: Option<String>,
    #[serde(rename = "sessionId")]
    session_id_in_camel_case: Option<String>,
    conversation_id: Option<String>,
    thread_id: Option<String>,
    user_id: Option<String>,
}

impl Metadata {
    fn session(self) -> Option<String> {
        let of_user = |user: String| match serde_json::from_str::<Self>(&user) {
            Ok(inner) => inner.session_id,
            Err(_) => user.split_once("_session_").map(|(_, session)| session.to_owned()),
        };
        self.session_id
            .or(self.session_id_in_camel_case)
            .or(self.conversation_id)
            .or(self.thread_id)
            .or_else(|| self.user_id.and_then(of_user))
    }
}

/// Whether a `reasoning` or `thinking` value asks for reasoning: it does unless it says that it does not.
fn switches_on(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Switch {
        r#type: Option<String>,
        effort: Option<String>,
        enabled: Option<bool>,
    }
    match serde_json::from_str::<Switch>(text) {
        Ok(switch) => {
            switch.r#type.as_deref() != Some("disabled")
                && switch.effort.as_deref() != Some("none")
                && switch.enabled != Some(false)
        }
        Err(_) => !matches!(text, "false" | "\"none\"" | "0"),
    }
}

/// Whether a JSON array or object has nothing in it.
fn is_empty(text: &str) -> bool {
    text.bytes().skip(1).find(|b| !b.is_ascii_whitespace()).is_some_and(|b| b == b']' || b == b'}')
}

fn shape(field: Field) -> &'static str {
    match field {
        Field::Messages => "an array with at least one message",
        _ => "a string, or an array with at least one item",
    }
}

fn bad(field: Field, message: String) -> BadRequest {
    BadRequest { message, param: Some(field.name()) }
}

fn wrong_type(field: Field, value: &str, hint: &str) -> BadRequest {
    let kind = match value.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        _ => "a number",
    };
    bad(field, format!("`{}` is {kind}: {hint}", field.name()))
}

/// serde_json's own words name a place and never a value, as long as the fault is one of syntax.
fn not_json(text: &str, error: &serde_json::Error) -> BadRequest {
    let message = if text.trim_ascii().is_empty() {
        "the body is empty: send a JSON object".to_owned()
    } else if error.is_syntax() || error.is_eof() {
        format!("the body is not valid JSON ({error}): send one JSON object")
    } else {
        "the body is not a JSON object: send one, with `model` among its members".to_owned()
    };
    BadRequest { message, param: None }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members { values: [None; Field::COUNT], doubled: None };
        while let Some(Key(field)) = map.next_key()? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if members.values[field as usize].replace(map.next_value::<&RawValue>()?.get()).is_some() {
                members.doubled.get_or_insert(field);
            }
        }
        Ok(members)
    }
}

/// A member's name, escapes resolved: the field it is, if it is one.
struct Key(Option<Field>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(Key(Field::of_name(name)))
            }
        }
        from.deserialize_str(KeyVisitor)
    }
}

#[derive(Default)]
pub(super) struct StreamOptions<'a> {
    pub(super) include_usage: Option<&'a RawValue>,
    pub(super) members: usize,
}

struct StreamOptionsVisitor;

impl<'de> Visitor<'de> for StreamOptionsVisitor {
    type Value = StreamOptions<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut options = StreamOptions::default();
        while let Some(name) = map.next_key::<String>()? {
            options.members += 1;
            if name != "include_usage" {
                map.next_value::<IgnoredAny>()?;
            } else if options.include_usage.replace(map.next_value()?).is_some() {
                return Err(serde::de::Error::custom("doubled"));
            }
        }
        Ok(options)
    }
}
