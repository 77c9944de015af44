//! Calls as records of the ledger.
//!
//! A record's id is made of its time and of what the log says of it, so that a log that is imported twice is imported once.

use std::collections::BTreeMap;
use std::sync::Arc;

use twox_hash::XxHash3_128;
use weir_ledger::{Attempt, Entry, Event, Fact, Outcome, Stage};
use weir_units::{FaultClass, RequestId, WallTime};

use crate::call::{Call, Endpoint, Format, NO_TARGET, Text};
use crate::price::cost;
use crate::tally::{Again, Asked, Retries};

/// Names that are kept to be shared; what more there are is not.
const MOST_NAMES: usize = 20_000;

/// A record of a call that still lacks what those before it tell of it.
#[derive(Debug)]
pub(crate) struct Drawn {
    entry: Entry,
    /// None of what Weir wrote, which says itself what was wasted.
    asked: Option<Asked>,
    spent: Option<Spent>,
}

/// What a call used, and what became of it.
#[derive(Debug)]
struct Spent {
    input: u64,
    output: u64,
    abandoned: bool,
    failed: bool,
    truncated: bool,
}

/// Makes records of calls.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    names: BTreeMap<Box<str>, Arc<str>>,
    retries: Retries,
}

impl Entries {
    /// The record of a call; none if nobody knows when it was.
    #[cfg(test)]
    fn entry(&mut self, call: &Call<'_>) -> Option<Entry> {
        self.draw(call).map(|drawn| self.finish(drawn))
    }

    /// The record of a call, as far as it tells by itself; none if nobody knows when it was.
    pub(crate) fn draw(&mut self, call: &Call<'_>) -> Option<Drawn> {
        let at = call.at?;
        let ended = call.ended.unwrap_or(at);
        let model = self.name(&call.model.clone().or_else(|| call.route.clone()));
        let route = self.name(&call.route.clone().or_else(|| call.model.clone()));
        let source = self.shared(call.format.source());
        let mut tags = vec![(self.shared("source"), source)];
        if let Some(user) = self.name(&call.user) {
            tags.push((self.shared("user"), user));
        }
        let cost = cost(call);
        let mut entry = Entry {
            id: id(call),
            run: self.name(&call.run),
            key: self.name(&call.key.as_deref().map(shown_key)),
            tenant: self.name(&call.tenant),
            tags,
            route,
            model,
            dialect: dialect(call),
            endpoint: call.endpoint.map_or("chat", Endpoint::name),
            stream: call.stream.unwrap_or(false),
            trace: None,
            sdk_retry: call.retry,
            content: call.content,
            outcome: outcome(call),
            status: call.status.or(call.abandoned.then_some(499)),
            code: None,
            refused_by: refused_by(call).map(|by| self.shared(by)),
            started_at: at,
            ended_at: Some(ended),
            first_content_ms: call.first_content.and_then(|micros| u64::try_from(micros / 1_000).ok()),
            queued_ms: 0,
            overhead_us: None,
            cost_usd: None,
            cost_estimated: false,
            usage: call.usage.filter(|_| !call.failed),
            degraded: Vec::new(),
            attempts: Vec::new(),
            events: Vec::new(),
        };
        if !call.from_cache {
            entry.attempts.push(Attempt {
                deployment: self.shared(&call.deployment()),
                status: call.status,
                class: class(call),
                message: call.error.as_deref().map(|error| weir_wire::clean_message(error).into()),
                upstream_id: call.id.as_deref().map(|id| id.chars().take(200).collect::<String>().into()),
                started_at: at,
                ended_at: ended,
                usage: call.usage,
                cost_usd: cost,
                cost_estimated: false,
            });
        }
        entry.sum_costs();
        let used = call.usage.filter(|usage| usage.input.0.saturating_add(usage.output.0) > 0 && !call.from_cache);
        let spent = used.map(|usage| Spent {
            input: usage.input.0,
            output: usage.output.0,
            abandoned: call.abandoned,
            failed: call.failed,
            truncated: call.truncated,
        });
        let asked = (call.format != Format::Weir).then(|| Asked::of(call, cost));
        Some(Drawn { entry, asked, spent })
    }

    /// Says of a record what was wasted, as far as it and those that were finished before tell: they come in the order of time.
    pub(crate) fn finish(&mut self, drawn: Drawn) -> Entry {
        let Drawn { mut entry, asked, spent } = drawn;
        let again = asked.as_ref().map_or(Again::Untold, |asked| self.retries.see(asked));
        let Some(Spent { input, output, abandoned, failed, truncated }) = spent else { return entry };
        let why = match again {
            _ if abandoned => "abandoned",
            _ if failed => "failed_attempt",
            Again::Retry(None) | Again::AnsweredBefore { by_sdk: true } => "client_retry",
            Again::AnsweredBefore { by_sdk: false } => "duplicate",
            _ if truncated => "truncated",
            _ => return entry,
        };
        let (cost_usd, estimated) = (entry.cost_usd, entry.cost_estimated);
        let fact = Fact::Wasted { why, input, output, cost_usd, estimated };
        entry.events.push(Event { at: entry.ended_at.unwrap_or(entry.started_at), stage: Stage::Settle, fact });
        entry
    }

    fn name(&mut self, text: &Option<Text<'_>>) -> Option<Arc<str>> {
        text.as_deref().map(|text| self.shared(text))
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        let text = &text[..text.floor_char_boundary(200)];
        if let Some(known) = self.names.get(text) {
            return Arc::clone(known);
        }
        let name: Arc<str> = text.into();
        if self.names.len() < MOST_NAMES {
            self.names.insert(text.into(), Arc::clone(&name));
        }
        name
    }
}

/// A key's name; of one that is the secret itself, or its hash, only the begin.
fn shown_key(key: &str) -> Text<'_> {
    let secret = key.len() >= 32 || key.starts_with("sk-");
    if secret { Text::Owned(format!("{}…", key.chars().take(8).collect::<String>())) } else { Text::Borrowed(key) }
}

/// The id: the time, and a hash of what makes the call this one and no other.
fn id(call: &Call<'_>) -> RequestId {
    let millis = call.at.map_or(0, |at| at.millis());
    if call.format == Format::Weir
        && let Some(id) = call.id.as_deref().and_then(|id| id.parse::<RequestId>().ok())
    {
        return id;
    }
    let mut parts = likeness(call);
    if call.nth > 0 {
        parts.push(format!("{}", call.nth));
    }
    RequestId::new(millis, XxHash3_128::oneshot(parts.join("\u{0}").as_bytes()))
}

/// What tells a call apart from others.
pub(crate) fn likeness(call: &Call<'_>) -> Vec<String> {
    let text = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
    let mut parts = vec![
        call.format.source().to_owned(),
        text(&call.id),
        call.at.map_or(0, |at| at.0).to_string(),
        format!("{:?}", call.status),
        call.deployment(),
    ];
    if call.id.is_none() {
        let usage = call.usage.unwrap_or_default();
        parts.extend([
            call.ended.map_or(0, |at| at.0).to_string(),
            text(&call.user),
            text(&call.run),
            text(&call.key),
            format!("{} {}", usage.input.0, usage.output.0),
        ]);
    }
    parts
}

fn dialect(call: &Call<'_>) -> &'static str {
    let anthropic = call.endpoint == Some(Endpoint::Messages)
        || (call.endpoint.is_none() && call.provider.as_deref() == Some("anthropic"));
    if anthropic { "anthropic" } else { "openai" }
}

/// Who refused it: what a log tells is what a provider answered.
fn refused_by<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    let refused = call.failed && !call.abandoned && call.status.is_some_and(|status| (400..500).contains(&status));
    let error = call.error.as_deref().unwrap_or_default();
    // What is in between may refuse by itself, and says so.
    let own = match call.format {
        Format::LiteLlmSpend | Format::LiteLlmProxy => {
            ["HTTPException", "ProxyException", "BudgetExceeded", "ProxyModelNotFound", "ProxyRateLimit"]
                .iter()
                .any(|class| error.contains(class))
        }
        Format::Envoy => error.split(',').any(|flag| matches!(flag, "RL" | "UAEX" | "RLSE")),
        Format::Alb => error == NO_TARGET,
        _ => false,
    };
    let by = if own { call.format.source() } else { call.provider.as_deref().unwrap_or("unknown") };
    refused.then_some(by)
}

fn outcome(call: &Call<'_>) -> Outcome {
    match call {
        Call { abandoned: true, .. } => Outcome::Cancelled,
        Call { failed: true, .. } => Outcome::Failed,
        _ => Outcome::Answered,
    }
}

/// What kind of fault it was, by its status.
fn class(call: &Call<'_>) -> Option<FaultClass> {
    if !call.failed {
        return None;
    }
    Some(match call.status {
        Some(429) => FaultClass::RateLimited,
        Some(401) => FaultClass::Unauthorized,
        Some(402) => FaultClass::Billing,
        Some(403) => FaultClass::Forbidden,
        Some(404) => FaultClass::ModelNotFound,
        Some(503 | 529) => FaultClass::Overloaded,
        Some(408 | 504) => FaultClass::FirstByteTimeout,
        Some(400..500) => FaultClass::Rejected,
        Some(_) => FaultClass::ServerError,
        None => FaultClass::Reset,
    })
}

impl Drawn {
    /// When the call began.
    pub(crate) fn at(&self) -> WallTime {
        self.entry.started_at
    }
}

#[cfg(test)]
mod tests {
    use weir_units::{NanoUsd, Tokens, Usage};

    use super::*;

    fn call() -> Call<'static> {
        Call {
            id: Some("chatcmpl-1".into()),
            at: Some(WallTime(1_795_010_400_000_000)),
            ended: Some(WallTime(1_795_010_401_500_000)),
            provider: Some("openai".into()),
            model: Some("gpt-5-mini".into()),
            route: Some("smart".into()),
            key: Some("88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539".into()),
            usage: Some(Usage { input: Tokens(100), output: Tokens(20), ..Usage::default() }),
            ..Call::new(Format::LiteLlmSpend).with_status(200)
        }
    }

    #[test]
    fn a_call_becomes_a_record_with_its_one_attempt_and_what_it_cost() {
        let entry = Entries::default().entry(&call()).unwrap();
        assert_eq!((entry.outcome, entry.status, entry.id.millis()), (Outcome::Answered, Some(200), 1_795_010_400_000));
        assert_eq!(entry.attempts[0].deployment.as_ref(), "openai/gpt-5-mini");
        assert_eq!(entry.cost_usd, Some(NanoUsd(100 * 250 + 20 * 2_000)));
        assert_eq!((entry.route.as_deref(), entry.key.as_deref()), (Some("smart"), Some("88dc28d0…")));
        assert_eq!(entry.tags[0].1.as_ref(), "litellm");
    }

    #[test]
    fn the_same_call_has_the_same_id_and_another_has_another() {
        let id = |call: &Call<'_>| Entries::default().entry(call).unwrap().id;
        assert_eq!(id(&call()), id(&call()));
        for other in [
            Call { id: Some("chatcmpl-2".into()), ..call() },
            Call { at: Some(WallTime(1_795_010_400_000_001)), ..call() },
            Call { status: Some(500), failed: true, ..call() },
        ] {
            assert_ne!(id(&call()), id(&other));
        }
        assert!(Entries::default().entry(&Call { at: None, ..call() }).is_none());
    }

    #[test]
    fn a_failure_says_what_kind_it_was_and_shows_no_key() {
        let failed =
            Call { error: Some("RateLimitError for sk-abcdefghijklmnopqrstuvwxyz0123".into()), usage: None, ..call() };
        let entry = Entries::default().entry(&failed.with_status(429)).unwrap();
        assert_eq!((entry.outcome, entry.attempts[0].class), (Outcome::Failed, Some(FaultClass::RateLimited)));
        assert!(!entry.to_json().contains("abcdefghij"), "{}", entry.to_json());
        assert_eq!((entry.refused_by.as_deref(), entry.cost_usd), (Some("openai"), Some(NanoUsd::ZERO)));
    }

    #[test]
    fn what_is_in_between_may_have_refused_by_itself() {
        let by = |format, error: &'static str| {
            let refused = Call { format, usage: None, error: Some(error.into()), ..call() }.with_status(429);
            Entries::default().entry(&refused).unwrap().refused_by.map(|by| by.to_string())
        };
        assert_eq!(by(Format::LiteLlmSpend, "RateLimitError").as_deref(), Some("openai"));
        assert_eq!(by(Format::LiteLlmSpend, "HTTPException").as_deref(), Some("litellm"));
        assert_eq!(by(Format::Envoy, "RL").as_deref(), Some("envoy"));
        assert_eq!(by(Format::Alb, NO_TARGET).as_deref(), Some("alb"));
    }

    #[test]
    fn what_its_log_marks_as_a_further_try_is_wasted_as_a_retry() {
        let entry = Entries::default().entry(&Call { retry: Some(1), ..call() }).unwrap();
        let [Event { fact: Fact::Wasted { why, input, output, cost_usd, .. }, .. }] = entry.events.as_slice() else {
            panic!("{:?}", entry.events)
        };
        assert_eq!((*why, *input, *output, *cost_usd), ("client_retry", 100, 20, entry.cost_usd));
        for first in [Call { retry: Some(0), ..call() }, call()] {
            assert!(Entries::default().entry(&first).unwrap().events.is_empty());
        }
        // So is the first try after a failure of the same user, and no other.
        let mut entries = Entries::default();
        let by = |id: &'static str, seconds: i64| Call {
            id: Some(id.into()),
            at: Some(WallTime(1_795_010_400_000_000 + seconds * 1_000_000)),
            user: Some("alice".into()),
            ..call()
        };
        let failed = Call { usage: None, ..by("a", 0) }.with_status(429);
        let told = [failed, by("b", 2), by("c", 4)].map(|call| entries.entry(&call).unwrap().events.len());
        assert_eq!(told, [0, 1, 0]);
    }
}
