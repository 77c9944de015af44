//! A finished request's record as spans: one for the request, one for each stage it went through, one for each call upstream.

use std::net::IpAddr;

use weir_ledger::{Attempt, Entry, Event, Fact, Outcome, Stage};
use weir_units::{FaultClass, NanoUsd, Usage, WallTime};
use weir_wire::ProviderKind;

use super::context::{attempt_span, request_span, stage_span};
use super::events;
use super::proto::Proto;
use super::queue::Finished;

const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const ERROR: u64 = 2;
/// Whether the parent is in another process, is known; and it is.
const HAS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// The attributes of a span.
const ATTRIBUTES: u32 = 9;

/// What is known of a provider by its name.
pub(crate) struct Provider {
    pub(crate) kind: ProviderKind,
    /// `host` or `host:port`.
    pub(crate) host: std::sync::Arc<str>,
}

/// What a request is called, by the endpoint it came to.
pub(crate) fn operation(endpoint: &str) -> &'static str {
    match endpoint {
        "/v1/completions" => "text_completion",
        "/v1/embeddings" => "embeddings",
        "/v1/messages/count_tokens" => "count_tokens",
        _ => "chat",
    }
}

/// The name of a provider among those that the convention knows, else its own.
pub(crate) fn provider_name<'a>(name: &'a str, provider: Option<&Provider>) -> &'a str {
    let Some(provider) = provider else { return name };
    match provider.kind {
        ProviderKind::OpenAi => "openai",
        ProviderKind::Anthropic => "anthropic",
        ProviderKind::Mock => "mock",
        ProviderKind::OpenAiCompatible => {
            let known = [
                ("openai.azure.com", "azure.ai.openai"),
                ("services.ai.azure.com", "azure.ai.inference"),
                ("generativelanguage.googleapis.com", "gcp.gemini"),
                ("aiplatform.googleapis.com", "gcp.vertex_ai"),
                ("amazonaws.com", "aws.bedrock"),
                ("mistral.ai", "mistral_ai"),
                ("groq.com", "groq"),
                ("deepseek.com", "deepseek"),
                ("x.ai", "x_ai"),
                ("cohere.com", "cohere"),
                ("cohere.ai", "cohere"),
                ("perplexity.ai", "perplexity"),
                ("moonshot.ai", "moonshot_ai"),
                ("moonshot.cn", "moonshot_ai"),
            ];
            let host = provider.host.split(':').next().unwrap_or_default();
            let under = |domain: &str| {
                host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '-']))
            };
            known.iter().find(|(domain, _)| under(domain)).map_or(name, |(_, known)| known)
        }
    }
}

/// What came of an attempt, as metrics and spans name it.
pub(crate) fn class(attempt: &Attempt) -> &'static str {
    attempt.class.map_or(if attempt.status.is_some() { "ok" } else { "cancelled" }, FaultClass::name)
}

/// Writes the spans of a request, each as field 2 of a `ScopeSpans`; returns how many.
pub(crate) fn write(proto: &mut Proto, finished: &Finished, provider: &dyn Fn(&str) -> Option<Provider>) -> u64 {
    let entry = &finished.entry;
    let (Some(trace), ended) = (entry.trace, entry.ended_at.unwrap_or(entry.started_at)) else { return 0 };
    let writer = Writer { finished, entry, trace_id: trace.trace_id.to_be_bytes(), flags: u32::from(trace.flags) };
    let mut count = 1;
    writer.request(proto, trace.parent, ended);
    for (stage, nth, begin, end) in stages(finished, ended) {
        writer.span(
            proto,
            stage_span(entry.id, stage, nth),
            request_span(entry.id),
            stage.name(),
            INTERNAL,
            begin,
            end,
            |_| {},
        );
        count += 1;
    }
    for (attempt, number) in entry.attempts.iter().zip(1..) {
        let name = attempt.deployment.split('/').next().unwrap_or_default();
        writer.attempt(proto, attempt, number, provider(name).as_ref());
        count += 1;
    }
    count
}

/// The stages that a request went through, each with when it began and ended. What is between two facts belongs to the stage that
/// the later one ends.
fn stages(finished: &Finished, ended: WallTime) -> Vec<(Stage, usize, WallTime, WallTime)> {
    let entry = &finished.entry;
    let mut stages = Vec::with_capacity(7);
    let accepted = finished.aside.accepted_at;
    stages.push((Stage::Accept, 0, entry.started_at, accepted.unwrap_or(ended)));
    let Some(accepted) = accepted else { return stages };
    let at = |found: fn(&Fact) -> bool| entry.events.iter().find(|event| found(&event.fact)).map(|event| event.at);
    let admitted = at(|fact| matches!(fact, Fact::Admitted { .. }));
    stages.push((Stage::Admit, 0, accepted, admitted.unwrap_or(ended)));
    let Some(admitted) = admitted else { return stages };
    let called = entry.attempts.first().map(|attempt| attempt.started_at);
    let queued = at(|fact| matches!(fact, Fact::Queued { .. }));
    let routed = [called, queued].into_iter().flatten().min().unwrap_or(ended);
    stages.push((Stage::Route, 0, admitted, routed.max(admitted)));
    let mut in_line: Option<WallTime> = None;
    let mut lines = 0;
    for Event { at, fact, .. } in &entry.events {
        match fact {
            Fact::Queued { .. } => in_line = in_line.or(Some(*at)),
            Fact::Waited { why: "capacity", .. } => {
                if let Some(begin) = in_line.take() {
                    stages.push((Stage::Queue, lines, begin, *at));
                    lines += 1;
                }
            }
            _ => {}
        }
    }
    // One that left while it was in line.
    if let Some(begin) = in_line {
        stages.push((Stage::Queue, lines, begin, ended));
    }
    let last = entry.attempts.iter().map(|attempt| attempt.ended_at).max();
    if let (Some(called), Some(last)) = (called, last) {
        stages.push((Stage::Call, 0, called, last));
    }
    if let (Some(content), Some(last)) = (at(|fact| matches!(fact, Fact::FirstContent { .. })), last) {
        stages.push((Stage::Stream, 0, content, last.max(content)));
    }
    if let Some(last) = last {
        stages.push((Stage::Settle, 0, last, ended.max(last)));
    }
    stages
}

struct Writer<'f> {
    finished: &'f Finished,
    entry: &'f Entry,
    trace_id: [u8; 16],
    flags: u32,
}

impl Writer<'_> {
    #[expect(clippy::too_many_arguments, reason = "they are the fields of a span, in their order")]
    fn span(
        &self,
        proto: &mut Proto,
        id: u64,
        parent: u64,
        name: &str,
        kind: u64,
        begin: WallTime,
        end: WallTime,
        rest: impl FnOnce(&mut Proto),
    ) {
        proto.message(2, |span| {
            span.bytes(1, &self.trace_id);
            span.bytes(2, &id.to_be_bytes());
            if let Some(state) = self.finished.aside.state.as_ref().and_then(|state| state.to_str().ok()) {
                span.text(3, state);
            }
            if parent != 0 {
                span.bytes(4, &parent.to_be_bytes());
            }
            span.foreign(5, name);
            span.number(6, kind);
            span.fixed64(7, nanos(begin));
            span.fixed64(8, nanos(end.max(begin)));
            rest(span);
            let remote = if kind == SERVER && parent != 0 { IS_REMOTE } else { 0 };
            span.fixed32(16, self.flags | HAS_REMOTE | remote);
        });
    }

    fn request(&self, proto: &mut Proto, parent: u64, ended: WallTime) {
        let (entry, name) = (self.entry, format!("POST {}", self.entry.endpoint));
        self.span(proto, request_span(entry.id), parent, &name, SERVER, entry.started_at, ended, |span| {
            span.attribute(ATTRIBUTES, "http.request.method", "POST");
            span.attribute(ATTRIBUTES, "http.route", entry.endpoint);
            span.attribute(ATTRIBUTES, "url.path", entry.endpoint);
            if let Some(status) = entry.status {
                span.count_attribute(ATTRIBUTES, "http.response.status_code", u64::from(status));
            }
            span.attribute(ATTRIBUTES, "gen_ai.operation.name", operation(entry.endpoint));
            span.some_attribute(ATTRIBUTES, "gen_ai.request.model", entry.model.as_deref());
            span.flag_attribute(ATTRIBUTES, "gen_ai.request.stream", entry.stream);
            span.some_attribute(ATTRIBUTES, "gen_ai.conversation.id", entry.run.as_deref());
            if let Some(usage) = &entry.usage {
                write_usage(span, usage);
            }
            span.attribute(ATTRIBUTES, "weir.request", &entry.id.to_string());
            span.attribute(ATTRIBUTES, "weir.outcome", entry.outcome.name());
            span.some_attribute(ATTRIBUTES, "weir.route", entry.route.as_deref());
            span.some_attribute(ATTRIBUTES, "weir.key", entry.key.as_deref());
            span.some_attribute(ATTRIBUTES, "weir.tenant", entry.tenant.as_deref());
            span.some_attribute(ATTRIBUTES, "weir.run", entry.run.as_deref());
            span.some_attribute(ATTRIBUTES, "weir.step", self.finished.aside.step.as_deref());
            span.some_attribute(ATTRIBUTES, "weir.priority", self.finished.aside.priority);
            span.some_attribute(ATTRIBUTES, "weir.code", entry.code.as_deref());
            span.some_attribute(ATTRIBUTES, "weir.refused_by", entry.refused_by.as_deref());
            span.count_attribute(ATTRIBUTES, "weir.attempts", entry.attempts.len() as u64);
            span.count_attribute(ATTRIBUTES, "weir.queued_ms", entry.queued_ms);
            if let Some(overhead) = entry.overhead_us {
                span.count_attribute(ATTRIBUTES, "weir.overhead_us", overhead);
            }
            if let Some(first) = entry.first_content_ms {
                span.count_attribute(ATTRIBUTES, "weir.first_content_ms", first);
            }
            write_cost(span, entry.cost_usd, entry.cost_estimated);
            for (name, value) in &entry.tags {
                span.foreign_attribute(ATTRIBUTES, &format!("weir.tag.{}", weir_wire::shown(name)), value);
            }
            if !entry.degraded.is_empty() {
                span.list_attribute(ATTRIBUTES, "weir.degraded", entry.degraded.iter().map(AsRef::as_ref));
            }
            if let Some(error) = self.error() {
                span.foreign_attribute(ATTRIBUTES, "error.type", error);
            }
            entry.events.iter().for_each(|event| events::write(span, event));
            if let Some(first) = self.finished.aside.retried.as_ref().and_then(|retried| retried.first) {
                span.message(13, |link| {
                    link.bytes(1, &first.trace_id.to_be_bytes());
                    link.bytes(2, &request_span(first.id).to_be_bytes());
                    link.attribute(4, "weir.link", "earlier_try");
                    link.attribute(4, "weir.request", &first.id.to_string());
                });
            }
            // Of a server's span only its own failures are errors: a 4xx is the client's.
            if entry.outcome == Outcome::Failed && entry.status == Some(200) || entry.status.is_some_and(|s| s >= 500) {
                span.message(15, |status| {
                    status.foreign(2, self.failure().unwrap_or_default());
                    status.number(3, ERROR);
                });
            }
        });
    }

    /// The kind of error that a request ended in.
    fn error(&self) -> Option<&str> {
        match self.entry.outcome {
            Outcome::Answered => None,
            Outcome::Cancelled => Some("cancelled"),
            outcome => self.entry.code.as_deref().or(Some(outcome.name())),
        }
    }

    /// What the last attempt that failed says.
    fn failure(&self) -> Option<&str> {
        self.entry.attempts.iter().rev().find_map(|attempt| attempt.message.as_deref()).or(self.entry.code.as_deref())
    }

    fn attempt(&self, proto: &mut Proto, attempt: &Attempt, number: usize, provider: Option<&Provider>) {
        let (entry, aside) = (self.entry, &self.finished.aside);
        let (provider_id, model) = attempt.deployment.split_once('/').unwrap_or(("", &attempt.deployment));
        let (operation, class) = (operation(entry.endpoint), class(attempt));
        let (id, parent) = (attempt_span(entry.id, number), stage_span(entry.id, Stage::Call, 0));
        let name = format!("{operation} {model}");
        self.span(proto, id, parent, &name, CLIENT, attempt.started_at, attempt.ended_at, |span| {
            span.attribute(ATTRIBUTES, "gen_ai.operation.name", operation);
            span.foreign_attribute(ATTRIBUTES, "gen_ai.provider.name", provider_name(provider_id, provider));
            span.foreign_attribute(ATTRIBUTES, "gen_ai.request.model", model);
            span.flag_attribute(ATTRIBUTES, "gen_ai.request.stream", entry.stream);
            span.some_attribute(ATTRIBUTES, "gen_ai.conversation.id", entry.run.as_deref());
            if let Some(provider) = provider {
                let (host, port) = host_and_port(&provider.host);
                span.foreign_attribute(ATTRIBUTES, "server.address", host);
                if let Some(port) = port {
                    span.count_attribute(ATTRIBUTES, "server.port", u64::from(port));
                }
            }
            if let Some(status) = attempt.status {
                span.count_attribute(ATTRIBUTES, "http.response.status_code", u64::from(status));
            }
            if let Some(usage) = &attempt.usage {
                write_usage(span, usage);
            }
            if class == "ok" {
                span.some_attribute(ATTRIBUTES, "gen_ai.response.model", aside.model.as_deref());
                span.some_attribute(ATTRIBUTES, "gen_ai.response.id", aside.response.as_deref());
                if let Some(finish) = aside.finish.as_deref() {
                    span.list_attribute(ATTRIBUTES, "gen_ai.response.finish_reasons", std::iter::once(finish));
                }
            }
            span.foreign_attribute(ATTRIBUTES, "weir.deployment", &attempt.deployment);
            span.count_attribute(ATTRIBUTES, "weir.attempt", number as u64);
            for event in &entry.events {
                match &event.fact {
                    Fact::AttemptStarted { attempt, why, .. } if *attempt as usize == number => {
                        span.attribute(ATTRIBUTES, "weir.why", why);
                    }
                    Fact::FirstContent { attempt, after_ms } if *attempt as usize == number => {
                        #[expect(clippy::cast_precision_loss, reason = "a wait in milliseconds is far below 2^52")]
                        let seconds = *after_ms as f64 / 1e3;
                        span.double_attribute(ATTRIBUTES, "gen_ai.response.time_to_first_chunk", seconds);
                    }
                    Fact::AttemptFailed { attempt, retry_after_ms: Some(wait), .. } if *attempt as usize == number => {
                        span.count_attribute(ATTRIBUTES, "weir.retry_after_ms", *wait);
                    }
                    _ => {}
                }
            }
            span.some_attribute(ATTRIBUTES, "weir.upstream_id", attempt.upstream_id.as_deref());
            write_cost(span, attempt.cost_usd, attempt.cost_estimated);
            if class != "ok" {
                span.attribute(ATTRIBUTES, "error.type", class);
                span.message(15, |status| {
                    status.foreign(2, attempt.message.as_deref().unwrap_or("the client went away"));
                    status.number(3, ERROR);
                });
            }
        });
    }
}

/// Tokens, by the convention: the input holds cached ones, the output those of reasoning.
fn write_usage(span: &mut Proto, usage: &Usage) {
    span.count_attribute(ATTRIBUTES, "gen_ai.usage.input_tokens", usage.input.0);
    span.count_attribute(ATTRIBUTES, "gen_ai.usage.output_tokens", usage.output.0);
    for (name, tokens) in [
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_input),
        ("gen_ai.usage.cache_creation.input_tokens", usage.cache_write),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
    ] {
        if tokens.0 > 0 {
            span.count_attribute(ATTRIBUTES, name, tokens.0);
        }
    }
}

/// Money, once exact and once for charts; what is unknown is not there.
fn write_cost(span: &mut Proto, cost: Option<NanoUsd>, estimated: bool) {
    if let Some(cost) = cost {
        span.count_attribute(ATTRIBUTES, "weir.cost_nano_usd", u64::try_from(cost.0).unwrap_or(0));
        span.double_attribute(ATTRIBUTES, "weir.cost_usd", dollars(cost));
        if estimated {
            span.flag_attribute(ATTRIBUTES, "weir.cost_estimated", true);
        }
    }
}

/// Dollars for charts; what is added up is nano-dollars.
pub(crate) fn dollars(amount: NanoUsd) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is for charts; the exact amount is beside it")]
    let nano = amount.0 as f64;
    nano / 1e9
}

fn host_and_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if host.parse::<IpAddr>().is_err() => match port.parse() {
            Ok(port) => (name.trim_matches(['[', ']']), Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

/// Nanoseconds since the epoch.
pub(crate) fn nanos(at: WallTime) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000)
}
