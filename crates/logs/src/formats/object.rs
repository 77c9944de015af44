//! Records of fields, JSON objects or rows of CSV: who wrote one, and the call that it tells.

use std::borrow::Cow;

use twox_hash::XxHash3_64;
use weir_units::{Dimension, NanoUsd, Tokens, Usage, WallTime};

use super::errors::{self, Ending};
use super::providers;
use crate::call::{Call, Endpoint, Format, Limit, Text};
use crate::json::{Fields, Mark, Slot};

/// What a record is.
pub(super) enum Seen<'a> {
    /// A call.
    Call(Box<Call<'a>>),
    /// A record of a known tool that is no call: a trace, a span of something else, a request to another path.
    NoCall(Format),
    /// Nobody knows.
    Unknown,
}

/// Names that `--map` gives to fields, with their slots.
pub(crate) struct Mapping;

impl Mapping {
    /// Names and slots.
    pub(crate) const NAMES: &'static [(&'static str, Slot)] = &[
        ("at", Slot::At),
        ("ended", Slot::Ended),
        ("duration-ms", Slot::DurationMs),
        ("duration-s", Slot::DurationS),
        ("first-token-ms", Slot::FirstMs),
        ("status", Slot::Status),
        ("error", Slot::Message),
        ("provider", Slot::Provider),
        ("model", Slot::Model),
        ("route", Slot::Route),
        ("path", Slot::Url),
        ("key", Slot::Key),
        ("tenant", Slot::Tenant),
        ("user", Slot::User),
        ("run", Slot::Run),
        ("input-tokens", Slot::Input),
        ("cached-tokens", Slot::Cached),
        ("cache-write-tokens", Slot::CacheWrite),
        ("output-tokens", Slot::Output),
        ("reasoning-tokens", Slot::Reasoning),
        ("total-tokens", Slot::Total),
        ("max-tokens", Slot::MaxOutput),
        ("cost", Slot::Cost),
        ("stream", Slot::Stream),
        ("retry", Slot::Retry),
        ("content", Slot::Content),
        ("id", Slot::Id),
    ];

    /// The slot of a name.
    pub(crate) fn slot(name: &str) -> Option<Slot> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, slot)| *slot)
    }
}

/// Who wrote a record with these fields; none if that cannot be told.
pub(super) fn format_of(fields: &Fields<'_>) -> Option<Format> {
    let has = |mark| fields.has(mark);
    let starts = |slot, start| fields.plain(slot).is_some_and(|text| text.starts_with(start));
    if has(Mark::Weir) && starts(Slot::Id, "req_") && fields.raw(Slot::Outcome).is_some() {
        return Some(Format::Weir);
    }
    if has(Mark::LiteLlmProxy) && (has(Mark::LiteLlm) || has(Mark::Usage)) {
        return Some(Format::LiteLlmProxy);
    }
    if has(Mark::LiteLlmSpend) && (has(Mark::LiteLlm) || has(Mark::Usage) || fields.raw(Slot::At).is_some()) {
        return Some(Format::LiteLlmSpend);
    }
    if has(Mark::Helicone) {
        return Some(Format::Helicone);
    }
    if has(Mark::OtelSpan) && fields.raw(Slot::Run).is_some() {
        return Some(Format::OpenTelemetry);
    }
    let kind = fields.plain(Slot::Kind).unwrap_or_default();
    let observation =
        ["GENERATION", "SPAN", "EVENT", "EMBEDDING", "AGENT", "TOOL", "CHAIN", "RETRIEVER"].contains(&kind);
    if has(Mark::Langfuse) || (observation && fields.raw(Slot::Run).is_some()) {
        return Some(Format::Langfuse);
    }
    if has(Mark::LiteLlm) {
        return Some(Format::LiteLlmSpend);
    }
    if has(Mark::Envoy) {
        return Some(Format::Envoy);
    }
    if has(Mark::Nginx) {
        return Some(Format::Nginx);
    }
    None
}

/// What a record is; `otherwise` is what it is called if no tool is known by it.
pub(super) fn read<'a>(fields: &Fields<'a>, otherwise: Format, mapped: bool) -> Seen<'a> {
    let known = format_of(fields);
    let format = known.unwrap_or(otherwise);
    if known.is_none() && !mapped && !tells_a_call(fields) {
        return Seen::Unknown;
    }
    // A row that adds up many calls, as usage pages export them, is none.
    if fields.has(Mark::Sums) {
        return Seen::NoCall(format);
    }
    match format {
        Format::Langfuse if !is_generation(fields) => return Seen::NoCall(format),
        Format::OpenTelemetry if !is_model_span(fields) => return Seen::NoCall(format),
        Format::Helicone if fields.plain(Slot::Status) == Some("-2") => return Seen::NoCall(format),
        _ => {}
    }
    let mut call = Call::new(format);
    call.id = fields.text(Slot::Id);
    what(&mut call, fields);
    if call.endpoint.is_none() && call.format.is_access_log() {
        return Seen::NoCall(format);
    }
    who(&mut call, fields);
    when(&mut call, fields);
    ended(&mut call, fields);
    used(&mut call, fields);
    call.limits = limits(fields);
    Seen::Call(Box::new(call))
}

/// Whether a record of no known tool has what a call has: a time or a status, and a model or tokens or a model's path.
pub(super) fn tells_a_call(fields: &Fields<'_>) -> bool {
    let has = |slot| fields.raw(slot).is_some();
    let line = || fields.plain(Slot::RequestLine).and_then(|line| line.split(' ').nth(1));
    let path = || fields.plain(Slot::Url).or_else(line).and_then(Endpoint::of_path).is_some();
    (has(Slot::At) || has(Slot::Status)) && (has(Slot::Model) || fields.has(Mark::Usage) || path())
}

fn is_generation(fields: &Fields<'_>) -> bool {
    match fields.plain(Slot::Kind) {
        Some("GENERATION" | "EMBEDDING") => true,
        Some(_) => false,
        // A row of a table without the kind is one if it has a model.
        None => fields.raw(Slot::Model).is_some(),
    }
}

fn is_model_span(fields: &Fields<'_>) -> bool {
    let operation = fields.plain(Slot::CallType);
    let other = ["execute_tool", "invoke_agent", "create_agent", "invoke_workflow"];
    let model = fields.raw(Slot::Model).is_some() || fields.raw(Slot::Input).is_some();
    // What is around a call adds up its tokens once more: agents, chains and tasks.
    let kind = fields.plain(Slot::Kind).unwrap_or("LLM");
    let kind = ["LLM", "EMBEDDING"].iter().any(|known| kind.eq_ignore_ascii_case(known));
    model && kind && !operation.is_some_and(|name| other.contains(&name))
}

/// Whose model was asked for what.
fn what<'a>(call: &mut Call<'a>, fields: &Fields<'a>) {
    let line = fields.text(Slot::RequestLine);
    let url = line.as_deref().and_then(|line| line.split(' ').nth(1).map(str::to_owned));
    let url: Option<Text<'_>> = url.map(Cow::Owned).or_else(|| fields.text(Slot::Url));
    call.model = fields.text(Slot::Model);
    call.provider = fields.text(Slot::Provider).map(providers::named);
    call.route = fields.text(Slot::Route);
    if let Some(deployment) = fields.text(Slot::Deployment)
        && let Some((provider, model)) = split(deployment)
    {
        (call.provider, call.model) = (Some(provider), Some(model));
    }
    let named = fields.plain(Slot::CallType).filter(|name| !name.is_empty());
    call.endpoint = named.map(|name| Endpoint::of_name(name).unwrap_or(Endpoint::Other));
    let host = fields.text(Slot::Host);
    if let Some(url) = &url {
        call.endpoint = call.endpoint.or_else(|| Endpoint::of_path(url));
        if call.provider.is_none() {
            call.provider = providers::of_host(url).map(Cow::Borrowed);
        }
        if call.model.is_none() {
            call.model = providers::model_in(url).map(|model| Cow::Owned(model.to_owned()));
        }
    }
    if call.provider.is_none() {
        // Envoy's clusters are named `outbound|443||api.openai.com` in meshes.
        let host = host.as_deref().and_then(|host| host.rsplit('|').next());
        call.provider = host.and_then(providers::of_host).map(Cow::Borrowed);
    }
    tidy_model(call);
}

/// `provider/model` in two.
fn split(deployment: Text<'_>) -> Option<(Text<'_>, Text<'_>)> {
    let at = deployment.find('/')?;
    Some(match deployment {
        Cow::Borrowed(text) => (Cow::Borrowed(&text[..at]), Cow::Borrowed(&text[at + 1..])),
        Cow::Owned(text) => (Cow::Owned(text[..at].to_owned()), Cow::Owned(text[at + 1..].to_owned())),
    })
}

/// A model may be written with its provider before it, and may tell whose it is without.
pub(super) fn tidy_model(call: &mut Call<'_>) {
    if let Some((provider, model)) = call.model.clone().and_then(split) {
        let provider = providers::named(provider);
        let same = call.provider.as_ref().is_none_or(|known| *known == provider);
        if same {
            (call.provider, call.model) = (Some(provider), Some(model));
        }
    }
    if call.provider.is_none() {
        call.provider = call.model.as_deref().and_then(providers::of_model).map(Cow::Borrowed);
    }
}

fn who<'a>(call: &mut Call<'a>, fields: &Fields<'a>) {
    call.key = fields.text(Slot::Key);
    call.tenant = fields.text(Slot::Tenant);
    call.user = fields.text(Slot::User);
    call.run = fields.text(Slot::Run);
    let content = fields.raw(Slot::Content).filter(|raw| raw.len() >= 20 && !raw.contains("redacted"));
    call.content = match (call.format, fields.plain(Slot::Content)) {
        (Format::Weir, Some(hex)) => u64::from_str_radix(hex, 16).ok(),
        _ => content.map(|raw| XxHash3_64::oneshot(raw.as_bytes())),
    };
    call.retry = fields.count(Slot::SdkRetry).or_else(|| fields.count(Slot::Retry)).and_then(|n| u32::try_from(n).ok());
    call.stream = fields.flag(Slot::Stream);
    // Helicone names the answer that was taken from its cache; zeros are none.
    let reference = fields.plain(Slot::CacheHit).filter(|_| call.format == Format::Helicone);
    let referred = reference.is_some_and(|id| id.len() > 8 && id.bytes().any(|byte| !matches!(byte, b'0' | b'-')));
    let never_sent = call.format == Format::Weir && fields.plain(Slot::Attempts) == Some("0");
    call.from_cache = never_sent || referred || fields.flag(Slot::CacheHit) == Some(true);
    call.max_output = fields.count(Slot::MaxOutput);
}

/// A span whose unit is the tool's, in micros.
fn span(fields: &Fields<'_>, slot: Slot, format: Format) -> Option<i64> {
    match format {
        Format::Langfuse => fields.span(slot, 1e6),
        Format::Helicone | Format::Envoy => fields.span(slot, 1e3),
        // Seconds are written with a point, and milliseconds are not.
        _ if fields.plain(slot)?.contains(['.', ':']) => fields.span(slot, 1e6),
        _ => fields.span(slot, 1e3),
    }
}

fn when(call: &mut Call<'_>, fields: &Fields<'_>) {
    let took = fields
        .span(Slot::DurationMs, 1e3)
        .or_else(|| fields.span(Slot::DurationS, 1e6))
        .or_else(|| span(fields, Slot::Latency, call.format));
    call.at = fields.time(Slot::At);
    call.ended = fields.time(Slot::Ended);
    match (call.at, call.ended, took) {
        // nginx writes a line, and its time, when the answer has ended.
        (Some(at), None, Some(took)) if call.format == Format::Nginx => {
            (call.at, call.ended) = (Some(WallTime(at.0 - took)), Some(at));
        }
        (Some(at), None, Some(took)) => call.ended = Some(WallTime(at.0 + took)),
        (None, Some(ended), Some(took)) => call.at = Some(WallTime(ended.0 - took)),
        (None, Some(ended), None) => call.at = Some(ended),
        _ => {}
    }
    if let (Some(at), Some(ended)) = (call.at, call.ended)
        && ended < at
    {
        call.ended = None;
    }
    let first_at = fields.time(Slot::FirstAt).zip(call.at).map(|(first, at)| first.0 - at.0);
    // Of an answer that was not streamed, tools write down its end as its first token.
    let ends = call.at.zip(call.ended).map(|(at, ended)| ended.0 - at.0);
    let first_at = first_at.filter(|first| call.stream != Some(false) && Some(*first) != ends);
    call.first_content = first_at
        .or_else(|| fields.span(Slot::FirstMs, 1e3))
        .or_else(|| span(fields, Slot::FirstS, call.format))
        .filter(|micros| *micros >= 0);
}

fn ended<'a>(call: &mut Call<'a>, fields: &Fields<'a>) {
    let word = fields.plain(Slot::Status).unwrap_or_default().to_ascii_lowercase();
    let status = errors::status(&word);
    let code = fields.plain(Slot::ErrorCode).and_then(errors::status);
    let class = fields.text(Slot::ErrorClass);
    let message = fields.text(Slot::Message);
    let level = fields.plain(Slot::Level).unwrap_or_default();
    let said = match status {
        Some(_) => Ending::Unsaid,
        None => errors::ending(&word),
    };
    let says_no = said != Ending::Unsaid
        || match word.as_str() {
            // The codes of a span's status: 2 is an error.
            "2" => call.format == Format::OpenTelemetry,
            "0" => call.format == Format::Envoy,
            "-3" | "-4" | "-1" => call.format == Format::Helicone,
            _ => level.eq_ignore_ascii_case("error") && call.format == Format::Langfuse,
        };
    let status = match status {
        Some(status) => Some(status),
        None if says_no || code.is_some_and(|code| code >= 400) => code
            .or(if let Ending::Failed(status) = said { status } else { None })
            .or_else(|| class.as_deref().and_then(|class| errors::status(class).or_else(|| errors::of_class(class))))
            .or_else(|| message.as_deref().and_then(errors::of_message))
            .filter(|status| *status > 0),
        None => None,
    };
    call.failed = says_no || status.is_some_and(|status| status >= 400);
    call.status = match status {
        None if !call.failed && call.format == Format::Weir => None,
        None if !call.failed => Some(200),
        status => status,
    };
    if call.failed {
        call.error = class.or(message);
    }
    let outcome = fields.plain(Slot::Outcome).unwrap_or_default();
    let flags = fields.plain(Slot::Flags).unwrap_or_default();
    call.abandoned = call.status == Some(499) || outcome == "cancelled" || flags.contains("DC") || word == "-3";
    call.abandoned |= said == Ending::Abandoned;
    call.failed |= matches!(outcome, "failed" | "refused" | "lost" | "cancelled");
    call.truncated = fields.raw(Slot::Finish).is_some_and(|finish| {
        ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"].iter().any(|word| finish.contains(word))
    });
}

fn used(call: &mut Call<'_>, fields: &Fields<'_>) {
    let count = |slot| fields.count(slot);
    let (cached, written) = (count(Slot::Cached).unwrap_or(0), count(Slot::CacheWrite).unwrap_or(0));
    // A column `input` holds a prompt, or how many tokens it had.
    let cell = || fields.json(Slot::Content).is_none().then(|| count(Slot::Content)).flatten();
    let (mut input, mut output) = (count(Slot::Input).or_else(cell), count(Slot::Output));
    if let Some(total) = count(Slot::Total) {
        input = input.or(output.map(|output| total.saturating_sub(output)).or(Some(total)));
        output = output.or(input.map(|input| total.saturating_sub(input)));
    }
    if (input, output) == (None, None) {
        if call.failed || call.from_cache {
            call.cost = Some(NanoUsd::ZERO).filter(|_| call.from_cache);
        }
        return;
    }
    let (mut input, mut output) = (input.unwrap_or(0), output.unwrap_or(0));
    let (beside, thought) = (cached.saturating_add(written), count(Slot::Reasoning).unwrap_or(0));
    if call.format == Format::Langfuse {
        // What is in a detail of its own is not in the main one there, unless the total says that it is.
        let total = count(Slot::Total).filter(|_| fields.raw(Slot::Cached).is_some() || thought > 0);
        let sums = |more: u64| total == Some(input.saturating_add(output).saturating_add(more));
        let (in_input, in_output) = (sums(thought) || sums(0), sums(beside) || sums(0));
        input = input.saturating_add(if in_input { 0 } else { beside });
        output = output.saturating_add(if in_output { 0 } else { thought });
    } else if input < beside {
        // Some count what was in a cache as input, and some beside it.
        input = input.saturating_add(beside);
    }
    call.usage = Some(Usage {
        input: Tokens(input),
        cached_input: Tokens(cached),
        cache_write: Tokens(written),
        output: Tokens(output),
        reasoning: Tokens(thought.min(output)),
        ..Usage::default()
    });
    call.cost = fields.dollars(Slot::Cost);
    if call.format == Format::Helicone {
        // Its database, and so its queries, count in billionths of a dollar.
        let whole = fields.plain(Slot::Cost).filter(|text| text.len() > 3 && text.bytes().all(|b| b.is_ascii_digit()));
        call.cost = whole.and_then(|text| text.parse().ok()).map(NanoUsd).or(call.cost);
    }
    // A tool that knows no price writes zero; only what cost nothing for a reason is known to.
    let free = call.from_cache || (input == 0 && output == 0);
    if call.cost == Some(NanoUsd::ZERO) && !free && call.format != Format::Weir {
        call.cost = None;
    }
    if call.from_cache && call.cost.is_none() {
        call.cost = Some(NanoUsd::ZERO);
    }
}

fn limits(fields: &Fields<'_>) -> Vec<Limit> {
    const OF: [(Slot, Dimension); 4] = [
        (Slot::LimitRequests, Dimension::RequestsPerMinute),
        (Slot::LimitTokens, Dimension::TokensPerMinute),
        (Slot::LimitInput, Dimension::InputTokensPerMinute),
        (Slot::LimitOutput, Dimension::OutputTokensPerMinute),
    ];
    let stated =
        |(slot, dimension)| fields.count(slot).filter(|limit| *limit > 0).map(|limit| Limit { dimension, limit });
    OF.into_iter().filter_map(stated).collect()
}
