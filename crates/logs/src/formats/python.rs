//! What OpenAI's and Anthropic's SDKs for Python write at `OPENAI_LOG=debug`, and httpx beside them: several lines a call, told apart by
//! their words, since every application lays out its log lines in its own way.
//!
//! Calls that ran at the same time are told apart by their addresses alone; where these are alike, the first that was sent is taken
//! to be the first that was answered. That leaves all counts right, and may swap the models of two.

use std::borrow::Cow;
use std::collections::VecDeque;

use weir_units::WallTime;

use crate::call::{Call, Endpoint, Format, Limit};
use crate::values;

use super::{errors, providers};

/// Calls that may be under way at once; more are forgotten, the oldest first.
const MOST_OPEN: usize = 4_096;

/// A call that was sent.
#[derive(Debug, Default)]
struct Sent {
    at: Option<WallTime>,
    path: Option<Box<str>>,
    model: Option<Box<str>>,
    stream: Option<bool>,
    max_output: Option<u64>,
    content: Option<u64>,
    retry: u32,
}

/// The state of one log.
#[derive(Debug, Default)]
pub(super) struct Python {
    sent: VecDeque<Sent>,
    /// Retries that were announced and not sent yet, the addresses that they go to and what number each is.
    retries: VecDeque<(Option<Box<str>>, u32)>,
    /// The last answer, to which more may be said.
    last: Option<(Call<'static>, bool)>,
}

impl Python {
    /// Takes a line; false if it says nothing of a call. What a line tells ended goes to `sink`.
    pub(super) fn line(&mut self, line: &str, mut sink: impl FnMut(Call<'static>)) -> bool {
        let Some((before, words, rest)) = find(line) else { return false };
        let at = time_in(before);
        let anthropic = before.contains("anthropic");
        match words {
            Words::Options => self.options(at, rest),
            Words::Building => {
                let taken = number_after(rest, "retries_taken=");
                // A version that tells both is counted once.
                match self.sent.back_mut() {
                    Some(sent) if sent.at == at && sent.model.is_some() && sent.retry == 0 => sent.retry = taken,
                    _ => self.send(Sent { at, retry: taken, ..Sent::default() }),
                }
            }
            Words::Request => self.answered(at, rest, false, anthropic, &mut sink),
            Words::Response => self.answered(at, rest, true, anthropic, &mut sink),
            Words::Retrying => {
                let path = rest.strip_prefix("to ").and_then(|rest| rest.split(' ').next());
                let number = number_after(rest, "(retry ").max(1);
                let earlier = self.last.as_ref().map_or(0, |(call, _)| call.retry.unwrap_or(0));
                push(&mut self.retries, (path.map(Box::from), number.max(earlier + 1)));
            }
            Words::Exception => {
                // An answer with an error's status is an exception, too, and was told of already.
                if rest.contains("HTTPStatusError") || rest.contains("status error") {
                    return true;
                }
                let sent = self.sent.pop_front().unwrap_or_default();
                let mut call = self.call(sent, at, anthropic);
                call.failed = true;
                call.error = Some(Cow::Owned(rest.trim().chars().take(120).collect()));
                self.hold(call, false, &mut sink);
            }
            Words::Id => {
                if let Some((call, _)) = &mut self.last {
                    call.id = Some(Cow::Owned(rest.trim().chars().take(120).collect()));
                }
            }
            Words::Other => {}
        }
        true
    }

    /// What is held at the end.
    pub(super) fn finish(&mut self, mut sink: impl FnMut(Call<'static>)) {
        if let Some((call, _)) = self.last.take() {
            sink(call);
        }
        // What was sent and not answered was still under way: no error, and no call yet.
        self.sent.clear();
    }

    fn options(&mut self, at: Option<WallTime>, options: &str) {
        let model = quoted_after(options, "'model': ");
        let path = quoted_after(options, "'url': ");
        let stream = options.contains("'stream': True").then_some(true);
        let max_output = ["'max_tokens': ", "'max_completion_tokens': ", "'max_output_tokens': "]
            .iter()
            .find_map(|name| options.rsplit_once(name).map(|(_, rest)| number(rest)));
        let body = options.split_once("'json_data': ").map(|(_, body)| body);
        let content = body.map(|body| twox_hash::XxHash3_64::oneshot(body.as_bytes()));
        self.send(Sent {
            at,
            path: path.map(Box::from),
            model: model.map(Box::from),
            stream,
            max_output,
            content,
            retry: 0,
        });
    }

    fn send(&mut self, mut sent: Sent) {
        if sent.retry == 0 {
            sent.retry = self.due(sent.path.as_deref());
        } else {
            self.due(sent.path.as_deref());
        }
        push(&mut self.sent, sent);
    }

    /// Which retry the next call to `path` is, if one was announced.
    fn due(&mut self, path: Option<&str>) -> u32 {
        let path = path.and_then(|path| path.split('?').next());
        let same = |(known, _): &(Option<Box<str>>, u32)| match (known.as_deref(), path) {
            (Some(known), Some(path)) => path.ends_with(known) || known.ends_with(path),
            _ => true,
        };
        self.retries.iter().position(same).and_then(|at| self.retries.remove(at)).map_or(0, |(_, number)| number)
    }

    /// `POST https://… "HTTP/1.1 429 Too Many Requests"`, `POST https://… "429 …" Headers({…})` or `POST 429`
    fn answered(
        &mut self,
        at: Option<WallTime>,
        text: &str,
        by_sdk: bool,
        anthropic: bool,
        sink: &mut impl FnMut(Call<'static>),
    ) {
        let mut words = text.split(' ');
        let _method = words.next();
        let Some(second) = words.next() else { return };
        let url = second.contains("://").then_some(second);
        let status = match url {
            Some(_) => text.split_once('"').and_then(|(_, rest)| {
                errors::status(
                    rest.strip_prefix("HTTP/")
                        .and_then(|rest| rest.split_once(' '))
                        .map_or(rest, |(_, rest)| rest)
                        .trim_end_matches('"'),
                )
            }),
            None => errors::status(second),
        };
        let Some(status) = status else { return };
        let endpoint = url.and_then(Endpoint::of_path);
        if url.is_some() && endpoint.is_none() {
            // httpx serves other callers, too.
            return;
        }
        // httpx told of the same answer just before.
        if by_sdk
            && let Some((call, complete)) = &mut self.last
            && !*complete
            && call.status == Some(status)
        {
            *complete = true;
            headers(call, text);
            return;
        }
        let place = match url {
            Some(url) => self
                .sent
                .iter()
                .position(|sent| sent.path.as_deref().is_none_or(|path| url.ends_with(path) || url.contains(path))),
            None => (!self.sent.is_empty()).then_some(0),
        };
        let sent = place.and_then(|place| self.sent.remove(place));
        let sent = sent.unwrap_or_else(|| Sent { retry: self.due(url), ..Sent::default() });
        let mut call = self.call(sent, at, anthropic).with_status(status);
        call.endpoint = endpoint.or(call.endpoint);
        if let Some(url) = url {
            call.provider = providers::of_host(url).map(Cow::Borrowed).or(call.provider);
            if call.model.is_none() {
                call.model = providers::model_in(url).map(|model| Cow::Owned(model.to_owned()));
            }
        }
        headers(&mut call, text);
        self.hold(call, by_sdk, sink);
    }

    fn call(&self, sent: Sent, ended: Option<WallTime>, anthropic: bool) -> Call<'static> {
        let mut call = Call::new(Format::SdkPython);
        call.at = sent.at.or(ended);
        call.ended = ended;
        call.endpoint = sent.path.as_deref().and_then(Endpoint::of_path);
        call.model = sent.model.map(|model| Cow::Owned(model.into()));
        call.stream = sent.stream;
        call.max_output = sent.max_output;
        call.content = sent.content;
        call.retry = Some(sent.retry);
        super::object::tidy_model(&mut call);
        if call.provider.is_none() {
            call.provider = Some(Cow::Borrowed(if anthropic { "anthropic" } else { "openai" }));
        }
        call
    }

    fn hold(&mut self, call: Call<'static>, complete: bool, sink: &mut impl FnMut(Call<'static>)) {
        if let Some((call, _)) = self.last.replace((call, complete)) {
            sink(call);
        }
    }
}

/// Puts it at the end, where there is room.
fn push<T>(into: &mut VecDeque<T>, item: T) {
    if into.len() == MOST_OPEN {
        into.pop_front();
    }
    into.push_back(item);
}

/// What a line is about.
#[derive(Clone, Copy, PartialEq)]
enum Words {
    Options,
    Building,
    Request,
    Response,
    Retrying,
    Exception,
    Id,
    Other,
}

/// The words that the SDKs and httpx use, longer ones before those in them.
const PHRASES: &[(&str, Words)] = &[
    ("Request options: ", Words::Options),
    ("Building HTTP request: ", Words::Building),
    ("Sending HTTP Request: ", Words::Other),
    ("HTTP Request: ", Words::Request),
    ("HTTP Response: ", Words::Response),
    ("Retrying request ", Words::Retrying),
    ("Retrying due to status code ", Words::Other),
    ("Encountered httpx.", Words::Exception),
    ("Encountered exception", Words::Exception),
    ("Encountered Exception", Words::Exception),
    ("Encountered an HTTP status error", Words::Other),
    ("Raising timeout error", Words::Other),
    ("Raising connection error", Words::Other),
    ("Re-raising status error", Words::Other),
    ("request_id: ", Words::Id),
    ("_base_client", Words::Other),
];

/// What is before the words, which they are, and what comes after.
fn find(line: &str) -> Option<(&str, Words, &str)> {
    // The words stand near the begin; whatever a prompt says comes later.
    let window = &line[..line.floor_char_boundary(240)];
    let (at, phrase, words) = PHRASES
        .iter()
        .filter_map(|(phrase, words)| window.find(phrase).map(|at| (at, *phrase, *words)))
        .min_by_key(|(at, _, words)| (*words == Words::Other, *at))?;
    // Beside the words there is the name of a logger, or nothing but a time and a level.
    let logger = ["_base_client", "httpx", "openai", "anthropic"].iter().any(|name| window[..at].contains(name));
    if !logger
        && words != Words::Request
        && words != Words::Options
        && words != Words::Response
        && words != Words::Retrying
    {
        return None;
    }
    Some((&line[..at], words, &line[at + phrase.len()..]))
}

/// The first time in what is before the words.
fn time_in(before: &str) -> Option<WallTime> {
    let year = before.find("20")?;
    let text = &before[year..];
    values::leading_time(text).map(|(at, _)| at)
}

/// What stands in quotes after `name`, the last time that it is there: a model's name comes after the messages.
fn quoted_after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.rsplit_once(name)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let end = rest[1..].find(quote)?;
    (end <= 300).then(|| &rest[1..=end])
}

fn number(text: &str) -> u64 {
    text.bytes().take_while(u8::is_ascii_digit).take(12).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

fn number_after(text: &str, name: &str) -> u32 {
    text.split_once(name).map_or(0, |(_, rest)| u32::try_from(number(rest)).unwrap_or(u32::MAX))
}

/// Reads what the headers of an answer say, as Python prints them.
fn headers(call: &mut Call<'_>, text: &str) {
    let Some((_, headers)) = text.split_once("Headers(") else { return };
    let value = |name: &str| {
        // Names have quotes around them, in a list of pairs or in a dictionary.
        let (_, rest) = headers.split_once(&format!("'{name}'"))?;
        let rest = rest.trim_start_matches([':', ',', ' ', '(']);
        rest.strip_prefix('\'')?.split('\'').next()
    };
    let date = value("date").and_then(values::time);
    if call.ended.is_none() {
        // A log without times has that of the answer.
        (call.at, call.ended) = (call.at.or(date), date);
    } else if let Some(date) = date
        && let (Some(at), Some(ended)) = (call.at, call.ended)
    {
        // The log's clock may be that of any zone; the answer's date is not.
        const QUARTER: i64 = 900 * 1_000_000;
        let ahead = (ended.0 - date.0 + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        call.at = Some(WallTime(at.0 - ahead));
        call.ended = Some(WallTime(ended.0 - ahead));
    }
    for (name, dimension) in super::node::LIMITS {
        if let Some(limit) = value(name).and_then(values::count).filter(|limit| *limit > 0) {
            call.limits.push(Limit { dimension: *dimension, limit });
        }
    }
}
