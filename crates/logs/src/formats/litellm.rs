//! What LiteLLM's proxy writes into its own log beside its server's lines: which model answered, and which error was told.
//!
//! Its server's line has the status and nothing of the model; the lines before it have the rest. An error that no line of the
//! server follows, as where that one logs no requests, is a call of its own.

use std::borrow::Cow;
use std::collections::VecDeque;

use weir_units::WallTime;

use super::errors;
use crate::call::{Call, Format};

/// What may wait for its line of the server; more is given out, or forgotten.
const MOST_WAITING: usize = 1_024;

/// The state of one log.
#[derive(Debug, Default)]
pub(super) struct Proxy {
    failed: VecDeque<Call<'static>>,
    answered: VecDeque<Box<str>>,
}

impl Proxy {
    /// Takes a message; false if it says nothing of a call. What no longer waits goes to `sink`.
    pub(super) fn line(&mut self, text: &str, at: Option<WallTime>, sink: &mut dyn FnMut(Call<'_>)) -> bool {
        if let Some((_, error)) =
            text.split_once("Exception occured - ").or_else(|| text.split_once("Exception occurred - "))
        {
            // What was wrong with the request itself has no name of an error before it.
            let call = failed(error, at);
            if self.failed.len() == MOST_WAITING
                && let Some(oldest) = self.failed.pop_front()
            {
                sink(oldest);
            }
            self.failed.push_back(call);
            return true;
        }
        if let Some((_, rest)) = text.split_once("completion(model=").or_else(|| text.split_once("embedding(model="))
            && let Some((model, rest)) = rest.split_once(')')
            && rest.trim_start().starts_with("200 OK")
        {
            if self.answered.len() == MOST_WAITING {
                self.answered.pop_front();
            }
            self.answered.push_back(model.chars().take(200).collect());
            return true;
        }
        false
    }

    /// Adds to a line of the server what was told before it.
    pub(super) fn complete(&mut self, call: &mut Call<'_>) {
        if !call.failed {
            if let Some(model) = self.answered.pop_front() {
                call.model = Some(Cow::Owned(model.into()));
                super::object::tidy_model(call);
            }
            return;
        }
        let same = |told: &Call<'_>| told.status.is_none() || told.status == call.status;
        let Some(told) = self.failed.iter().position(same).and_then(|place| self.failed.remove(place)) else { return };
        call.at = call.at.or(told.at);
        call.error = told.error;
        call.route = told.route;
        call.model = call.model.take().or(told.model);
        call.provider = call.provider.take().or(told.provider);
    }

    /// Gives out what is left.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Call<'_>)) {
        self.failed.drain(..).for_each(sink);
    }
}

/// `litellm.RateLimitError: RateLimitError: OpenAIException - Error code: 429 … Received Model Group=smart`
fn failed(error: &str, at: Option<WallTime>) -> Call<'static> {
    let error =
        error.strip_prefix("litellm_call_id=").and_then(|rest| rest.split_once(" - ")).map_or(error, |(_, rest)| rest);
    let class = error.strip_prefix("litellm.").and_then(|rest| rest.split([':', ' ']).next());
    let status = class.and_then(errors::of_class).filter(|status| *status > 0);
    let status = status.or_else(|| errors::of_message(error));
    let provider = error.split_once("Exception").and_then(|(before, _)| before.rsplit([' ', '.']).next());
    let group = error.split_once("Received Model Group=").and_then(|(_, rest)| rest.split_whitespace().next());
    Call {
        at,
        status,
        failed: true,
        error: class.map(|class| Cow::Owned(class.chars().take(120).collect())),
        provider: provider
            .filter(|name| !name.is_empty() && name.len() <= 40)
            .and_then(of_exception)
            .map(Cow::Borrowed),
        route: group.map(|group| Cow::Owned(group.chars().take(200).collect())),
        ..Call::new(Format::LiteLlmProxy)
    }
}

/// Whose API an exception is named after: `AzureException`.
fn of_exception(name: &str) -> Option<&'static str> {
    const NAMES: &[(&str, &str)] = &[
        ("OpenAI", "openai"),
        ("AzureOpenAI", "azure"),
        ("Azure", "azure"),
        ("Anthropic", "anthropic"),
        ("Bedrock", "bedrock"),
        ("VertexAI", "vertex"),
        ("Vertex_ai", "vertex"),
        ("Vertex_ai_beta", "vertex"),
        ("Gemini", "gemini"),
        ("Groq", "groq"),
        ("Mistral", "mistral"),
        ("Deepseek", "deepseek"),
        ("Xai", "xai"),
        ("Cohere", "cohere"),
        ("Openrouter", "openrouter"),
    ];
    NAMES.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name)).map(|(_, ours)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_the_servers_line_after_it_are_one_call() {
        let mut proxy = Proxy::default();
        let mut given = Vec::new();
        let mut sink = |call: Call<'_>| given.push(call.deployment());
        let text = "litellm.proxy.proxy_server._handle_llm_api_exception(): Exception occured - litellm.RateLimitError: RateLimitError: OpenAIException - Error code: 429. Received Model Group=smart";
        assert!(proxy.line(text, None, &mut sink));
        assert!(proxy.line("litellm.acompletion(model=azure/gpt-4o) 200 OK", None, &mut sink));
        assert!(!proxy.line("Traceback (most recent call last):", None, &mut sink));
        let mut refused = Call::new(Format::LiteLlmProxy).with_status(429);
        proxy.complete(&mut refused);
        assert_eq!((refused.route.as_deref(), refused.provider.as_deref()), (Some("smart"), Some("openai")));
        let mut answered = Call::new(Format::LiteLlmProxy).with_status(200);
        proxy.complete(&mut answered);
        assert_eq!(answered.deployment(), "azure/gpt-4o");
        proxy.line("Exception occured - litellm.Timeout: APITimeoutError. Received Model Group=fast", None, &mut sink);
        proxy.finish(&mut sink);
        assert_eq!(given, ["unknown/fast"]);
    }
}
