//! Token counts as each provider reports them, and as Weir keeps them.
//!
//! The readers forgive: a count that is null, missing, a float or nonsense must not cost the client its answer, so it
//! reads as "not said". What is kept is [`Usage`], whose `input` is the total; Anthropic's `input_tokens` is not one.
//! Sources: the OpenAI and Anthropic SDKs' usage types (2026-11), Groq's and DeepSeek's extensions of the former.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weir_units::{Tokens, Usage};

/// A count of tokens that may be missing, null or nonsense; then it is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub Option<u64>);

impl Count {
    fn or(self, earlier: Self) -> Self {
        Self(self.0.or(earlier.0))
    }

    fn tokens(self) -> Tokens {
        Tokens(self.0.unwrap_or(0))
    }
}

/// `usage` of Chat Completions, Completions and Embeddings, and of what is compatible with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OpenAiUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    #[serde(deserialize_with = "details")]
    prompt_tokens_details: InputDetails,
    #[serde(deserialize_with = "details")]
    completion_tokens_details: OutputDetails,
    prompt_cache_hit_tokens: Count,
}

impl OpenAiUsage {
    /// The same in Weir's terms.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            input: self.prompt_tokens.tokens(),
            cached_input: self.prompt_tokens_details.cached_tokens.or(self.prompt_cache_hit_tokens).tokens(),
            cache_write: self.prompt_tokens_details.cache_write_tokens.tokens(),
            cache_write_long: self.prompt_tokens_details.cache_write_tokens_details.ttl_12h_tokens.tokens(),
            output: self.completion_tokens.tokens(),
            reasoning: self.completion_tokens_details.reasoning_tokens.tokens(),
        }
    }

    /// Whether it says anything: some providers send `usage: {}` on each chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prompt_tokens.0.is_none() && self.completion_tokens.0.is_none()
    }
}

/// `usage` of the Responses API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ResponsesUsage {
    input_tokens: Count,
    output_tokens: Count,
    #[serde(deserialize_with = "details")]
    input_tokens_details: InputDetails,
    #[serde(deserialize_with = "details")]
    output_tokens_details: OutputDetails,
}

impl ResponsesUsage {
    /// The same in Weir's terms.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            input: self.input_tokens.tokens(),
            cached_input: self.input_tokens_details.cached_tokens.tokens(),
            cache_write: self.input_tokens_details.cache_write_tokens.tokens(),
            cache_write_long: self.input_tokens_details.cache_write_tokens_details.ttl_12h_tokens.tokens(),
            output: self.output_tokens.tokens(),
            reasoning: self.output_tokens_details.reasoning_tokens.tokens(),
        }
    }
}

/// `usage` of a Message, a `message_start` or a `message_delta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AnthropicUsage {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    #[serde(deserialize_with = "details")]
    cache_creation: Lifetimes,
    cache_read_input_tokens: Count,
    output_tokens: Count,
    #[serde(deserialize_with = "details")]
    output_tokens_details: OutputDetails,
}

impl AnthropicUsage {
    /// The same in Weir's terms: all three kinds of input are summed.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (write, read) = (self.cache_creation().tokens(), self.cache_read_input_tokens.tokens());
        Usage {
            input: self.input_tokens.tokens() + write + read,
            cached_input: read,
            cache_write: write,
            cache_write_long: self.cache_creation.ephemeral_1h_input_tokens.tokens(),
            output: self.output_tokens.tokens(),
            reasoning: self.output_tokens_details.reasoning().tokens(),
        }
    }

    /// What was written to the cache; where the total is left out, the sum of its lifetimes.
    fn cache_creation(&self) -> Count {
        self.cache_creation_input_tokens.or(self.cache_creation.sum())
    }

    /// Takes in a later report of the same stream: its counts are cumulative, and one that it leaves out still stands.
    pub fn update(&mut self, later: &Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens = later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_creation.update(&later.cache_creation);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        let thinking = later.output_tokens_details.reasoning().or(self.output_tokens_details.reasoning());
        self.output_tokens_details = OutputDetails { reasoning_tokens: Count(None), thinking_tokens: thinking };
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
    #[serde(deserialize_with = "details")]
    cache_write_tokens_details: WriteDetails,
}

/// OpenAI's cache writes by how long they are kept; those of thirty minutes are the usual ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct WriteDetails {
    ttl_12h_tokens: Count,
}

/// Anthropic's cache writes by how long they are kept; they are part of `cache_creation_input_tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

impl Lifetimes {
    fn sum(&self) -> Count {
        let (short, long) = (self.ephemeral_5m_input_tokens, self.ephemeral_1h_input_tokens);
        Count(short.0.or(long.0).map(|_| short.0.unwrap_or(0).saturating_add(long.0.unwrap_or(0))))
    }

    fn update(&mut self, later: &Self) {
        self.ephemeral_5m_input_tokens = later.ephemeral_5m_input_tokens.or(self.ephemeral_5m_input_tokens);
        self.ephemeral_1h_input_tokens = later.ephemeral_1h_input_tokens.or(self.ephemeral_1h_input_tokens);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
    thinking_tokens: Count,
}

impl OutputDetails {
    fn reasoning(&self) -> Count {
        self.thinking_tokens.or(self.reasoning_tokens)
    }
}

/// `null` for a details object is as good as none.
fn details<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// `usage` in Chat Completions' shape.
#[must_use]
pub fn to_openai_json(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input.0,
        "completion_tokens": usage.output.0,
        "total_tokens": (usage.input + usage.output).0,
        "prompt_tokens_details": { "cached_tokens": usage.cached_input.0, "cache_write_tokens": usage.cache_write.0 },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning.0 },
    })
}

/// `usage` in the shape of a Message: `input_tokens` is what was neither read from the cache nor written to it.
#[must_use]
pub fn to_anthropic_json(usage: Usage) -> Value {
    let plain = usage.input.0.saturating_sub(usage.cached_input.0).saturating_sub(usage.cache_write.0);
    let mut said = json!({
        "input_tokens": plain,
        "cache_creation_input_tokens": usage.cache_write.0,
        "cache_read_input_tokens": usage.cached_input.0,
        "output_tokens": usage.output.0,
        "output_tokens_details": { "thinking_tokens": usage.reasoning.0 },
    });
    if usage.cache_write_long.0 > 0 {
        said["cache_creation"] = json!({
            "ephemeral_5m_input_tokens": usage.cache_write.0.saturating_sub(usage.cache_write_long.0),
            "ephemeral_1h_input_tokens": usage.cache_write_long.0,
        });
    }
    said
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CountVisitor)
    }
}

impl Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(Count(Some(count)))
    }

    fn visit_i64<E>(self, count: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(count).ok()))
    }

    fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
        // A float's cast saturates; past 2^53 it would no longer be a count.
        Ok(Count((0.0..9e15).contains(&count).then_some(count as u64)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(usage: Usage) -> [u64; 5] {
        [usage.input.0, usage.cached_input.0, usage.cache_write.0, usage.output.0, usage.reasoning.0]
    }

    #[test]
    fn each_dialects_counts_become_one_set() {
        let chat = r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"queue_time":0.1,
            "prompt_tokens_details":{"cached_tokens":60,"audio_tokens":0,"cache_write_tokens":10},
            "completion_tokens_details":{"reasoning_tokens":5}}"#;
        let responses = r#"{"input_tokens":100,"output_tokens":20,"input_tokens_details":{"cached_tokens":60,
            "cache_write_tokens":10},"output_tokens_details":{"reasoning_tokens":5}}"#;
        let messages = r#"{"input_tokens":30,"output_tokens":20,"cache_creation_input_tokens":10,
            "cache_read_input_tokens":60,"output_tokens_details":{"thinking_tokens":5},"service_tier":"standard"}"#;
        let expected = [100, 60, 10, 20, 5];
        assert_eq!(counts(serde_json::from_str::<OpenAiUsage>(chat).unwrap().usage()), expected);
        assert_eq!(counts(serde_json::from_str::<ResponsesUsage>(responses).unwrap().usage()), expected);
        let usage = serde_json::from_str::<AnthropicUsage>(messages).unwrap().usage();
        assert_eq!(counts(usage), expected);
        assert_eq!(to_anthropic_json(usage)["input_tokens"], 30);
        assert_eq!(serde_json::from_value::<AnthropicUsage>(to_anthropic_json(usage)).unwrap().usage(), usage);
        assert_eq!(serde_json::from_value::<OpenAiUsage>(to_openai_json(usage)).unwrap().usage(), usage);
        assert_eq!(to_openai_json(usage)["total_tokens"], 120);
    }

    #[test]
    fn cache_writes_are_told_apart_by_how_long_they_are_kept() {
        // In the form of the example in Anthropic's guide to prompt caching, with lifetimes that add up to their total.
        let messages = r#"{"input_tokens":2048,"cache_read_input_tokens":1800,"cache_creation_input_tokens":248,"output_tokens":503,
            "cache_creation":{"ephemeral_5m_input_tokens":148,"ephemeral_1h_input_tokens":100}}"#;
        let usage = serde_json::from_str::<AnthropicUsage>(messages).unwrap().usage();
        assert_eq!((counts(usage), usage.cache_write_long), ([4_096, 1_800, 248, 503, 0], Tokens(100)));
        assert_eq!(serde_json::from_value::<AnthropicUsage>(to_anthropic_json(usage)).unwrap().usage(), usage);
        let without_total =
            r#"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}}"#;
        let usage = serde_json::from_str::<AnthropicUsage>(without_total).unwrap().usage();
        assert_eq!((usage.input, usage.cache_write, usage.cache_write_long), (Tokens(6), Tokens(5), Tokens(3)));
        let responses = r#"{"input_tokens":100,"output_tokens":20,"input_tokens_details":{"cached_tokens":60,
            "cache_write_tokens":30,"cache_write_tokens_details":{"ttl_12h_tokens":10,"ttl_30m_tokens":20}}}"#;
        let usage = serde_json::from_str::<ResponsesUsage>(responses).unwrap().usage();
        assert_eq!((counts(usage), usage.cache_write_long), ([100, 60, 30, 20, 0], Tokens(10)));
    }

    #[test]
    fn nonsense_counts_read_as_not_said() {
        let odd = r#"{"prompt_tokens":"7","completion_tokens":-3,"prompt_tokens_details":null,
            "completion_tokens_details":{"reasoning_tokens":[{"a":1}]},"prompt_cache_hit_tokens":4.0}"#;
        let usage = serde_json::from_str::<OpenAiUsage>(odd).unwrap();
        assert!(usage.is_empty());
        assert_eq!(counts(usage.usage()), [0, 4, 0, 0, 0]);
    }

    #[test]
    fn later_reports_of_a_stream_replace_only_what_they_say() {
        let mut usage: AnthropicUsage =
            serde_json::from_str(r#"{"input_tokens":9,"cache_read_input_tokens":5,"output_tokens":1}"#).unwrap();
        usage.update(&serde_json::from_str(r#"{"output_tokens":7}"#).unwrap());
        usage.update(&serde_json::from_str(r#"{"output_tokens":12,"input_tokens":null}"#).unwrap());
        assert_eq!(counts(usage.usage()), [14, 5, 0, 12, 0]);
        // As a stream's start tells the lifetimes, and its end only their sum.
        let start =
            r#"{"input_tokens":9,"cache_creation_input_tokens":8,"cache_creation":{"ephemeral_1h_input_tokens":8}}"#;
        let mut usage: AnthropicUsage = serde_json::from_str(start).unwrap();
        usage.update(&serde_json::from_str(r#"{"output_tokens":7,"cache_creation_input_tokens":8}"#).unwrap());
        assert_eq!(usage.usage().cache_write_long, Tokens(8));
    }
}
