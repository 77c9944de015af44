//! What is known of models: how much they take, how much they give, what they can do, and what they cost.
//!
//! The catalogue is data (`data/models.json`, made by `data/make_models.py`), each entry with its source and date. It is what Weir knows when the config is silent; a model that it lacks is unknown, which is no reason to refuse
//! a call. Entries are kept sorted by kind and name, so a look-up is a binary search or two.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use weir_units::{Price, Tokens};

use self::price::Listed;

use crate::classify::ProviderKind;

mod price;

/// One model at one kind of provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name as the provider knows it.
    pub name: String,
    /// Whose model it is.
    pub provider: ProviderKind,
    /// The context window: input and output together where the provider counts them so.
    pub window: Option<Tokens>,
    /// The most output tokens of one answer.
    pub max_output: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What it costs, if that is known.
    pub price: Option<Arc<Price>>,
    /// Where this entry comes from.
    pub source: String,
    /// The day it was taken, `2026-11-22`.
    pub date: String,
}

/// What a model can do. `None` is unknown, which is neither yes nor no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Capabilities {
    /// Answers Chat Completions or Messages.
    pub chat: Option<bool>,
    /// Answers the legacy Completions API.
    pub completions: Option<bool>,
    /// Answers the Responses API.
    pub responses: Option<bool>,
    /// Makes embeddings.
    pub embeddings: Option<bool>,
    /// Calls tools.
    pub tools: Option<bool>,
    /// Can be made to call a tool.
    pub forced_tool_choice: Option<bool>,
    /// Reads images.
    pub images: Option<bool>,
    /// Reads PDF documents.
    pub documents: Option<bool>,
    /// Holds its output to a JSON schema.
    pub json_schema: Option<bool>,
    /// Can reason before it answers.
    pub reasoning: Option<bool>,
    /// Reasons whether asked or not.
    pub thinking_always_on: Option<bool>,
    /// Accepts `temperature`, `top_p` and their like.
    pub sampling: Option<bool>,
    /// Goes on from an assistant message that ends the conversation.
    pub prefill: Option<bool>,
}

/// What is known of `name` at this kind of provider.
///
/// A dated snapshot, a `-latest` or a fine-tuned model that is not listed itself is described by its family.
#[must_use]
pub fn model(kind: ProviderKind, name: &str) -> Option<&'static Model> {
    match kind {
        ProviderKind::Mock => mock_model(name.strip_prefix("mock/").unwrap_or(name)),
        ProviderKind::OpenAiCompatible => None,
        ProviderKind::Anthropic if name.contains('.') => family(kind, &name.replace('.', "-")),
        _ => family(kind, name),
    }
}

/// What `name` costs at this kind of provider, if that is known.
///
/// A fine-tuned model costs more than the one that it is made from, so it has no price here. The mock's prices are made up.
#[must_use]
pub fn price(kind: ProviderKind, name: &str) -> Option<&'static Arc<Price>> {
    model(kind, name)?.price_of(name)
}

impl Model {
    /// What the model costs that is called `name` and described by this one.
    #[must_use]
    pub fn price_of(&self, name: &str) -> Option<&Arc<Price>> {
        self.price.as_ref().filter(|_| !name.starts_with("ft:"))
    }
}

/// The names that the catalogue has for this kind of provider, in order.
pub fn models_of(kind: ProviderKind) -> impl Iterator<Item = &'static str> {
    MODELS.iter().filter(move |model| model.provider == kind).map(|model| model.name.as_str())
}

/// Whose model a bare name is, for use without a config.
#[must_use]
pub fn provider_of(name: &str) -> Option<ProviderKind> {
    const OPENAI: &[&str] =
        &["gpt-", "chatgpt-", "o1", "o3", "o4-", "text-embedding-", "codex-", "davinci-", "babbage-", "ft:"];
    if name.starts_with("mock/") {
        return Some(ProviderKind::Mock);
    }
    // A model newer than the catalogue still belongs to whom its name says.
    if name.starts_with("claude-") {
        return Some(ProviderKind::Anthropic);
    }
    let known = OPENAI.iter().any(|prefix| name.starts_with(prefix)) || model(ProviderKind::OpenAi, name).is_some();
    known.then_some(ProviderKind::OpenAi)
}

static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let listed: Vec<Entry> = serde_json::from_str(include_str!("../data/models.json")).unwrap_or_default();
    let mut models: Vec<Model> = listed.into_iter().filter_map(Entry::model).chain(mock_models()).collect();
    models.sort_by(|a, b| (a.provider, &a.name).cmp(&(b.provider, &b.name)));
    models
});

#[derive(Deserialize)]
struct Entry {
    name: String,
    provider: String,
    window: Option<u64>,
    max_output: Option<u64>,
    price: Option<Listed>,
    source: String,
    date: String,
    #[serde(flatten)]
    capabilities: Capabilities,
}

impl Entry {
    fn model(self) -> Option<Model> {
        Some(Model {
            provider: ProviderKind::from_name(&self.provider)?,
            name: self.name,
            window: self.window.map(Tokens),
            max_output: self.max_output,
            capabilities: self.capabilities,
            price: self.price.map(|listed| Arc::new(listed.price())),
            source: self.source,
            date: self.date,
        })
    }
}

fn exact(kind: ProviderKind, name: &str) -> Option<&'static Model> {
    let at = MODELS.binary_search_by(|model| (model.provider, model.name.as_str()).cmp(&(kind, name))).ok()?;
    MODELS.get(at)
}

fn family(kind: ProviderKind, name: &str) -> Option<&'static Model> {
    // `ft:gpt-4o-2024-08-06:org::id` is made from what stands between the first two colons.
    let mut name = name.strip_prefix("ft:").map_or(name, |rest| rest.split(':').next().unwrap_or(rest));
    loop {
        if let Some(found) = exact(kind, name) {
            return Some(found);
        }
        name = without_snapshot(name)?;
    }
}

/// `name` without its last part, if that is a snapshot's: `-latest`, `-20251001`, `-2024-11-20`, `-0613`.
fn without_snapshot(name: &str) -> Option<&str> {
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    let (family, last) = name.rsplit_once('-')?;
    if last == "latest" || digits(last, 8) || digits(last, 4) {
        return Some(family);
    }
    let (rest, month) = family.rsplit_once('-')?;
    let (family, year) = rest.rsplit_once('-')?;
    (digits(last, 2) && digits(month, 2) && digits(year, 4)).then_some(family)
}

/// The mock's models; what follows a family's name (`fast-429`) is an order to the mock.
fn mock_model(name: &str) -> Option<&'static Model> {
    exact(ProviderKind::Mock, name.split(['-', '+', ':', '@']).next()?)
}

fn mock_models() -> impl Iterator<Item = Model> {
    let yes = Some(true);
    let talks = Capabilities {
        chat: yes,
        completions: yes,
        responses: yes,
        embeddings: Some(false),
        tools: yes,
        forced_tool_choice: yes,
        images: yes,
        documents: yes,
        json_schema: yes,
        reasoning: Some(false),
        thinking_always_on: Some(false),
        sampling: yes,
        prefill: Some(false),
    };
    let embeds = Capabilities { embeddings: yes, chat: Some(false), ..Capabilities::default() };
    [
        ("fast", 128_000, Some(16_384), talks, price::made_up(150_000, 75_000, 600_000)),
        (
            "smart",
            200_000,
            Some(64_000),
            Capabilities { reasoning: yes, ..talks },
            price::made_up(3_000_000, 300_000, 15_000_000),
        ),
        ("embed", 8_191, None, embeds, price::made_up(20_000, 20_000, 0)),
    ]
    .into_iter()
    .map(|(name, window, max_output, capabilities, price)| Model {
        name: name.to_owned(),
        provider: ProviderKind::Mock,
        window: Some(Tokens(window)),
        max_output,
        capabilities,
        price: Some(Arc::new(price)),
        source: "Weir's mock provider, with prices that are made up".to_owned(),
        date: "2026-11-23".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: ProviderKind, name: &str) -> Option<&'static str> {
        model(kind, name).map(|model| model.name.as_str())
    }

    #[test]
    fn every_entry_of_the_data_is_read_once() {
        let listed: Vec<Entry> = serde_json::from_str(include_str!("../data/models.json")).unwrap();
        assert!(listed.len() > 100);
        assert_eq!(listed.len() + 3, MODELS.len());
        assert!(MODELS.windows(2).all(|two| (two[0].provider, &two[0].name) < (two[1].provider, &two[1].name)));
        assert!(MODELS.iter().all(|m| !m.source.is_empty() && m.date.len() == 10));
    }

    #[test]
    fn snapshots_fall_back_to_their_family() {
        use ProviderKind::{Anthropic, OpenAi};
        for (kind, asked, found) in [
            (OpenAi, "gpt-4o", Some("gpt-4o")),
            (OpenAi, "gpt-4o-2024-11-20", Some("gpt-4o-2024-11-20")),
            (OpenAi, "gpt-4o-2031-01-02", Some("gpt-4o")),
            (OpenAi, "gpt-6.1-sol-latest", Some("gpt-6.1-sol")),
            (OpenAi, "ft:gpt-4o-mini-2024-07-18:acme::x1", Some("gpt-4o-mini-2024-07-18")),
            (OpenAi, "gpt-4-0125", Some("gpt-4")),
            (Anthropic, "claude-haiku-4-5-20251001", Some("claude-haiku-4-5-20251001")),
            (Anthropic, "claude-haiku-4-5-20991231", Some("claude-haiku-4-5")),
            (Anthropic, "claude-sonnet-5.5", Some("claude-sonnet-5-5")),
            (Anthropic, "gpt-4o", None),
            (OpenAi, "gpt-4o-mega", None),
            (OpenAi, "", None),
            (OpenAi, "-latest", None),
        ] {
            assert_eq!(name(kind, asked), found, "{asked}");
        }
        for (asked, found) in [("fast", "fast"), ("mock/fast-429", "fast"), ("smart:slow", "smart"), ("embed", "embed")]
        {
            assert_eq!(name(ProviderKind::Mock, asked), Some(found));
        }
    }

    #[test]
    fn the_data_says_what_translation_asks_of_it() {
        let of = |kind, name| model(kind, name).unwrap();
        let opus = of(ProviderKind::Anthropic, "claude-opus-5-5");
        assert_eq!((opus.window, opus.max_output), (Some(Tokens(1_000_000)), Some(128_000)));
        let c = opus.capabilities;
        assert_eq!((c.thinking_always_on, c.forced_tool_choice, c.sampling), (Some(true), Some(false), Some(false)));
        assert_eq!((c.prefill, c.images, c.responses), (Some(false), Some(true), Some(false)));
        let haiku = of(ProviderKind::Anthropic, "claude-haiku-4-5").capabilities;
        assert_eq!((haiku.prefill, haiku.sampling, haiku.forced_tool_choice), (Some(true), Some(true), Some(true)));
        let five = of(ProviderKind::OpenAi, "gpt-5");
        assert_eq!((five.window, five.capabilities.sampling), (Some(Tokens(400_000)), Some(false)));
        assert_eq!(of(ProviderKind::OpenAi, "gpt-4o").capabilities.sampling, Some(true));
        for (name, unasked) in
            [("o3", true), ("gpt-5-mini", true), ("gpt-5-chat", false), ("gpt-5.2", false), ("gpt-4o", false)]
        {
            assert_eq!(of(ProviderKind::OpenAi, name).capabilities.thinking_always_on, Some(unasked), "{name}");
        }
        assert_eq!(of(ProviderKind::OpenAi, "text-embedding-3-small").capabilities.embeddings, Some(true));
    }

    #[test]
    fn prices_are_what_their_providers_publish() {
        use ProviderKind::{Anthropic, Mock, OpenAi, OpenAiCompatible};
        let rates = |kind, name| {
            let known = price(kind, name).unwrap().rates;
            [known.input, known.cached_input, known.cache_write, known.cache_write_long, known.output]
                .map(|rate| rate.map_or_else(|| "-".to_owned(), |rate| rate.to_string()))
                .join(" ")
        };
        for (kind, name, said) in [
            (OpenAi, "gpt-6.1-sol", "2 0.1 2.5 5 10"),
            (OpenAi, "gpt-6-luna", "0.1 0.01 0.125 0.25 0.5"),
            (OpenAi, "gpt-4o-2031-01-02", "2.5 1.25 - - 10"),
            (OpenAi, "text-embedding-3-small", "0.02 - - - -"),
            (Anthropic, "claude-opus-5-5", "4 0.2 5 8 20"),
            (Anthropic, "claude-sonnet-5.5", "2 0.1 2.5 4 10"),
            (Anthropic, "claude-haiku-4-5-20251001", "1 0.1 1.25 2 5"),
            (Mock, "fast-429", "0.15 0.075 - - 0.6"),
        ] {
            assert_eq!(rates(kind, name), said, "{name}");
        }
        let long = price(OpenAi, "gpt-5.5").unwrap().long_context.unwrap();
        assert_eq!(long.above, Tokens(272_000));
        assert_eq!(long.rates.input.zip(long.rates.output), Some(("10".parse().unwrap(), "45".parse().unwrap())));
        for (kind, name) in
            [(OpenAi, "ft:gpt-4o:acme::1"), (OpenAi, "gpt-audio"), (OpenAi, "gpt-9"), (OpenAiCompatible, "gpt-4o")]
        {
            assert_eq!(price(kind, name), None, "{name}");
        }
    }

    #[test]
    fn no_price_of_the_data_was_left_unread() {
        let listed: Vec<serde_json::Value> = serde_json::from_str(include_str!("../data/models.json")).unwrap();
        for entry in listed {
            let kind = ProviderKind::from_name(entry["provider"].as_str().unwrap()).unwrap();
            let read = exact(kind, entry["name"].as_str().unwrap()).unwrap().price.as_ref();
            assert_eq!(read.is_some(), entry["price"].is_object(), "{entry}");
            assert!(read.is_none_or(|price| price.rates.input.is_some()), "{entry}");
            assert!(read.is_none_or(|price| price.rates.output.is_some() || entry["embeddings"] == true), "{entry}");
        }
    }

    #[test]
    fn bare_names_belong_to_whom_they_say() {
        for (name, kind) in [
            ("gpt-9-nova", Some(ProviderKind::OpenAi)),
            ("o3", Some(ProviderKind::OpenAi)),
            ("chat-latest", Some(ProviderKind::OpenAi)),
            ("text-embedding-3-small", Some(ProviderKind::OpenAi)),
            ("claude-zebra-9", Some(ProviderKind::Anthropic)),
            ("mock/fast", Some(ProviderKind::Mock)),
            ("llama-4", None),
            ("fast", None),
        ] {
            assert_eq!(provider_of(name), kind, "{name}");
        }
    }
}
