//! What OpenAI's and Anthropic's SDKs for Node write at `OPENAI_LOG=info` or `debug`: a line when an answer comes, and objects over
//! several lines with its headers. A call has a name there, so that calls at the same time are told apart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use weir_units::{Dimension, Tokens, Usage, WallTime};

use crate::call::{Call, Endpoint, Format, Limit};
use crate::values;

use super::{errors, providers};

/// Calls that are remembered for what is still said of them.
const MOST_OPEN: usize = 4_096;

/// Headers that state limits, and of what.
pub(super) const LIMITS: &[(&str, Dimension)] = &[
    ("x-ratelimit-limit-requests", Dimension::RequestsPerMinute),
    ("x-ratelimit-limit-tokens", Dimension::TokensPerMinute),
    ("anthropic-ratelimit-requests-limit", Dimension::RequestsPerMinute),
    ("anthropic-ratelimit-input-tokens-limit", Dimension::InputTokensPerMinute),
    ("anthropic-ratelimit-output-tokens-limit", Dimension::OutputTokensPerMinute),
];

/// A call, and whether it was answered.
#[derive(Debug)]
struct Open {
    call: Call<'static>,
    answered: bool,
    /// The order in which they came.
    since: u64,
    took: Option<i64>,
}

/// The state of one log.
#[derive(Debug, Default)]
pub(super) struct Node {
    open: BTreeMap<Box<str>, Open>,
    /// The name of the call that the object being printed is about.
    current: Option<Box<str>>,
    count: u64,
    /// The last time that anything told.
    latest: Option<WallTime>,
    /// How many tries came before each that was named as tried again.
    tries: BTreeMap<Box<str>, u32>,
    /// Which retry the next call is, where versions of old announced one.
    announced: u32,
}

impl Node {
    /// Takes a line; false if it says nothing of a call. What has ended goes to `sink`.
    pub(super) fn line(&mut self, line: &str, mut sink: impl FnMut(Call<'static>)) -> bool {
        if let Some(at) = line.find("[log_") {
            return self.head(&line[at + 1..], time_in(&line[..at]), &mut sink);
        }
        if let Some((before, says)) = line.split_once("OpenAI:DEBUG:").or_else(|| line.split_once("Anthropic:DEBUG:")) {
            return self.earlier(says, time_in(before), &mut sink);
        }
        let Some(name) = &self.current else { return false };
        // Versions of old print several objects one behind the other.
        if line.starts_with("} ") && line.ends_with('{') {
            return true;
        }
        if line == "}" {
            self.current = None;
            return true;
        }
        let inside = line.starts_with("  ");
        if !inside {
            self.current = None;
            return false;
        }
        if let Some(open) = self.open.get_mut(name) {
            detail(open, line.trim());
            self.latest = open.call.at.max(self.latest);
        }
        true
    }

    /// What is held at the end.
    pub(super) fn finish(&mut self, mut sink: impl FnMut(Call<'static>)) {
        for (_, mut open) in std::mem::take(&mut self.open) {
            if open.answered {
                open.call.at = open.call.at.or(self.latest);
                sink(done(open));
            }
        }
    }

    /// `log_e95730, retryOf: log_1, x-request-id: "req_8"] post https://… failed with status 429 in 4ms - retrying, …`
    fn head(&mut self, line: &str, at: Option<WallTime>, sink: &mut impl FnMut(Call<'static>)) -> bool {
        let Some((names, says)) = line.split_once("] ") else { return false };
        let mut names = names.split(", ");
        let Some(name) = names.next().filter(|name| name.len() <= 40) else { return false };
        let name: Box<str> = name.into();
        self.count += 1;
        let since = self.count;
        if !self.open.contains_key(&name) {
            self.make_room(sink);
        }
        let retries = &mut self.tries;
        let open = self.open.entry(name.clone()).or_insert_with(|| Open {
            call: Call { retry: Some(0), ..Call::new(Format::SdkNode) },
            answered: false,
            since,
            took: None,
        });
        open.call.at = open.call.at.or(at);
        for part in names {
            if let Some(first) = part.strip_prefix("retryOf: ")
                && open.call.retry == Some(0)
            {
                if retries.len() >= MOST_OPEN {
                    retries.pop_first();
                }
                let tries = retries.entry(first.into()).or_insert(0);
                *tries += 1;
                open.call.retry = Some(*tries);
            } else if let Some((_, id)) = part.split_once("request-id: ") {
                open.call.id = Some(Cow::Owned(id.trim_matches('"').chars().take(120).collect()));
            }
        }
        if says.starts_with("sending request") {
            self.current = says.ends_with('{').then_some(name);
        } else if says.starts_with("response") || (says.starts_with("connection") && says.ends_with('{')) {
            self.current = says.ends_with('{').then_some(name.clone());
            if says.starts_with("response parsed") && !says.ends_with('{') {
                self.end(&name, sink);
            }
        } else if says.starts_with("connection") {
            open.call.failed = true;
            open.call.error =
                Some(Cow::Owned(says.split(" - ").next().unwrap_or_default().chars().take(120).collect()));
            open.answered = true;
            // Nothing came that would tell the time.
            open.call.at = open.call.at.or(self.latest);
        } else if let Some((request, rest)) =
            says.split_once(" succeeded with status ").or_else(|| says.split_once(" failed with status "))
        {
            answered(open, request, rest, at);
        }
        true
    }

    /// What versions 3 and 4 say: `request https://… {`, `response 200 https://… {` and
    /// `response (error; retrying, 2 attempts remaining) 429 https://… {`.
    fn earlier(&mut self, says: &str, at: Option<WallTime>, sink: &mut impl FnMut(Call<'static>)) -> bool {
        let number = |since: u64| -> Box<str> { format!("#{since:020}").into() };
        if let Some(rest) = says.strip_prefix("request ") {
            self.count += 1;
            self.make_room(sink);
            let mut call = Call { at, ..Call::new(Format::SdkNode) };
            call.endpoint = rest.split(' ').next().and_then(Endpoint::of_path);
            call.retry = Some(std::mem::take(&mut self.announced));
            let name = number(self.count);
            self.open.insert(name.clone(), Open { call, answered: false, since: self.count, took: None });
            self.current = says.ends_with('{').then_some(name);
            return true;
        }
        let Some(rest) = says.strip_prefix("response ") else { return true };
        let (how, rest) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
            Some((how, rest)) => (how, rest),
            None => ("", rest),
        };
        let mut words = rest.split(' ');
        let (Some(status), Some(url)) = (words.next(), words.next()) else { return true };
        if errors::status(status).is_none() {
            return true;
        }
        let mut waiting = self.open.iter().filter(|(name, open)| name.starts_with('#') && !open.answered);
        let name = waiting.next().map(|(name, _)| name.clone());
        if name.is_none() {
            self.count += 1;
            self.make_room(sink);
        }
        let name = name.unwrap_or_else(|| number(self.count));
        let since = self.count;
        let fresh =
            || Open { call: Call { retry: Some(0), ..Call::new(Format::SdkNode) }, answered: false, since, took: None };
        let open = self.open.entry(name.clone()).or_insert_with(fresh);
        answered(open, url, status, at);
        open.call.ended = at.filter(|at| open.call.at.is_some_and(|began| began < *at));
        if how.contains("retrying") {
            self.announced = open.call.retry.unwrap_or(0) + 1;
        }
        self.current = says.ends_with('{').then_some(name);
        true
    }

    fn end(&mut self, name: &str, sink: &mut impl FnMut(Call<'static>)) {
        if let Some(mut open) = self.open.remove(name).filter(|open| open.answered) {
            open.call.at = open.call.at.or(self.latest);
            sink(done(open));
        }
    }

    /// Lets go of the oldest when there are too many.
    fn make_room(&mut self, sink: &mut impl FnMut(Call<'static>)) {
        if self.open.len() < MOST_OPEN {
            return;
        }
        let half = self.count.saturating_sub(MOST_OPEN as u64 / 2);
        let old: Vec<Box<str>> =
            self.open.iter().filter(|(_, open)| open.since <= half).map(|(name, _)| name.clone()).collect();
        for name in old {
            self.end(&name, sink);
        }
    }
}

fn done(open: Open) -> Call<'static> {
    let mut call = open.call;
    if let (Some(took), Some(at)) = (open.took, call.at) {
        // The date of an answer is when it came.
        if call.ended.is_none() {
            call.ended = Some(at);
            call.at = Some(WallTime(at.0 - took));
        }
    }
    super::object::tidy_model(&mut call);
    if call.provider.is_none() {
        // The two SDKs log alike; only one of them asks for messages.
        let messages = call.endpoint == Some(Endpoint::Messages);
        call.provider = Some(Cow::Borrowed(if messages { "anthropic" } else { "openai" }));
    }
    call
}

fn answered(open: &mut Open, request: &str, rest: &str, at: Option<WallTime>) {
    let url = request.rsplit(' ').next().unwrap_or_default();
    let status = rest.split(' ').next().and_then(errors::status);
    let call = &mut open.call;
    if let Some(status) = status {
        call.status = Some(status);
        call.failed = status >= 400;
    }
    call.endpoint = Endpoint::of_path(url);
    call.provider = call.provider.take().or_else(|| providers::of_host(url).map(Cow::Borrowed));
    if call.model.is_none() {
        call.model = providers::model_in(url).map(|model| Cow::Owned(model.to_owned()));
    }
    open.took = rest.split_once(" in ").and_then(|(_, rest)| values::span(rest.split("ms").next()?, 1e3));
    if let (Some(at), Some(_)) = (at, open.took) {
        call.at = Some(at);
    }
    open.answered = true;
}

/// Reads a line of a printed object: `date: 'Fri, 27 Nov 2026 20:41:45 GMT',`
fn detail(open: &mut Open, line: &str) {
    let Some((name, value)) = line.split_once(": ") else { return };
    let name = name.trim_matches(['\'', '"']);
    let value = value.trim_end_matches(',').trim_matches(['\'', '"']);
    let call = &mut open.call;
    match name {
        _ if value.starts_with("{ ") && value.ends_with('}') && !matches!(name, "body" | "response") => {
            inside(value.trim_start_matches('{').trim_end_matches('}')).for_each(|part| detail(open, part));
        }
        "date" if call.at.is_none() => call.at = values::time(value),
        "model" => call.model = Some(Cow::Owned(value.chars().take(200).collect())),
        "body" | "response" => {
            if let Some((_, rest)) = value.split_once("model: '") {
                call.model = rest.split('\'').next().map(|model| Cow::Owned(model.chars().take(200).collect()));
            }
            if let Some((_, rest)) = value.split_once("max_tokens: ") {
                call.max_output = values::count(rest.split([',', ' ']).next().unwrap_or_default());
            }
        }
        "stream" => call.stream = value.parse().ok(),
        "input_tokens" | "prompt_tokens" => usage(call).input = Tokens(values::count(value).unwrap_or(0)),
        "output_tokens" | "completion_tokens" => usage(call).output = Tokens(values::count(value).unwrap_or(0)),
        "reasoning_tokens" => usage(call).reasoning = Tokens(values::count(value).unwrap_or(0)),
        "cache_read_input_tokens" | "cached_tokens" => {
            usage(call).cached_input = Tokens(values::count(value).unwrap_or(0))
        }
        "stop_reason" | "finish_reason" => call.truncated = matches!(value, "max_tokens" | "length"),
        "message" if call.failed && call.status.is_none() && value != "undefined" => {
            call.error = Some(Cow::Owned(value.chars().take(120).collect()));
        }
        _ => {
            let limit = LIMITS.iter().find(|(header, _)| *header == name);
            if let (Some((_, dimension)), Some(limit)) = (limit, values::count(value).filter(|limit| *limit > 0)) {
                call.limits.push(Limit { dimension: *dimension, limit });
            }
        }
    }
}

/// The parts of an object that is printed in one line: commas within quotes part nothing.
fn inside(object: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = object.split(move |c| {
        quoted ^= c == '\'';
        c == ',' && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn usage<'c>(call: &'c mut Call<'_>) -> &'c mut Usage {
    call.usage.get_or_insert_default()
}

fn time_in(before: &str) -> Option<WallTime> {
    let year = before.find("20")?;
    values::leading_time(&before[year..]).map(|(at, _)| at)
}
