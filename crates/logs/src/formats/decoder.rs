//! Finds out what each record of a file is, and reads it.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::access::{self, Line};
use super::csv::{Columns, Row};
use super::litellm::Proxy;
use super::node::Node;
use super::object::{self, Seen};
use super::otlp;
use super::pairs;
use super::python::Python;
use crate::call::{Call, Format};
use crate::json::{Fields, Mark, Paths, Slot, extract};
use crate::values;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was read; it may have told a call, or belong to one.
    Read(Format),
    /// It is of a known form, and of something else than a model's call.
    Elsewhere(Format),
    /// JSON or a row of no known form.
    Unknown,
    /// A text of no known form.
    Stray,
    /// It is part of one that goes on.
    Part,
    /// It cannot be read.
    Damaged(String),
}

/// Lines with remarks, or the separator, that a table may have before its columns' names.
const BEFORE_COLUMNS: u8 = 10;

/// Records lie in each other this deep at most: a page of traces, each with what a logger put around it, is not as deep.
const DEEPEST: u8 = 8;

/// The state of one file.
pub(crate) struct Decoder<'p> {
    paths: &'p Paths,
    mapped: bool,
    /// The fields that were found where the user said, a bit each.
    found: u64,
    /// How many records the one that is read lies in.
    depth: u8,
    longest: usize,
    columns: Option<Columns>,
    python: Python,
    node: Node,
    proxy: Proxy,
    /// What the last text was read as.
    text: Option<Format>,
    /// How many lines may still come before one that names columns.
    before_columns: u8,
}

impl<'p> Decoder<'p> {
    /// A decoder of a file in which fields are at `paths`, some of them by the user's word.
    pub(crate) fn new(paths: &'p Paths, mapped: bool, longest: usize) -> Self {
        Self {
            paths,
            mapped,
            found: 0,
            depth: 0,
            longest,
            columns: None,
            python: Python::default(),
            node: Node::default(),
            proxy: Proxy::default(),
            text: None,
            before_columns: BEFORE_COLUMNS,
        }
    }

    /// Reads a record; its calls go to `sink`.
    pub(crate) fn record(&mut self, record: &str, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        if record.trim().is_empty() {
            return Verdict::Part;
        }
        if let Some(columns) = &mut self.columns {
            let row = columns.row(record, self.paths, self.longest);
            if let Row::Fields(fields) | Row::After(_, fields) = &row {
                self.found |= fields.mapped();
            }
            return Self::row(row, self.mapped, sink);
        }
        let begin = record.trim_start();
        if begin.starts_with('{') {
            self.before_columns = 0;
            return self.json(begin, sink);
        }
        if self.before_columns > 0 {
            self.before_columns -= 1;
            if begin.starts_with('#') || begin.starts_with("sep=") {
                return Verdict::Part;
            }
            if let Some(columns) = Columns::of(record, self.paths) {
                self.columns = Some(columns);
                return Verdict::Part;
            }
        }
        let verdict = self.text(record, sink);
        if verdict != Verdict::Stray {
            self.before_columns = 0;
        }
        verdict
    }

    /// The fields that were found where the user said, a bit each.
    pub(crate) fn mapped(&self) -> u64 {
        self.found
    }

    /// What is held at the file's end.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        self.python.finish(&mut *sink);
        self.node.finish(&mut *sink);
        self.proxy.finish(sink);
        let open = self.columns.as_ref().is_some_and(Columns::is_open);
        open.then(|| Verdict::Damaged("a quote is never closed".to_owned()))
    }

    fn row(row: Row<'_>, mapped: bool, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        let told = |fields: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)| match object::read(fields, Format::Csv, mapped)
        {
            Seen::Call(call) => {
                let format = call.format;
                sink(*call);
                Verdict::Read(format)
            }
            Seen::NoCall(format) => Verdict::Elsewhere(format),
            Seen::Unknown => Verdict::Unknown,
        };
        match row {
            Row::Fields(fields) => told(&fields, sink),
            Row::More => Verdict::Part,
            Row::Damaged(why) => Verdict::Damaged(why),
            Row::After(why, fields) => {
                told(&fields, sink);
                Verdict::Damaged(why)
            }
        }
    }

    fn json(&mut self, json: &str, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        if self.depth == DEEPEST {
            return Verdict::Unknown;
        }
        self.depth += 1;
        let verdict = self.value(json, sink);
        self.depth -= 1;
        verdict
    }

    fn value(&mut self, json: &str, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        let fields = match extract(json, self.paths) {
            Ok(fields) => fields,
            Err(error) => return self.several(json, sink).unwrap_or_else(|| Verdict::Damaged(why(&error))),
        };
        if fields.has(Mark::Otlp) {
            return self.spans(json, &fields, sink);
        }
        if object::format_of(&fields) == Some(Format::Weir) {
            return self.object(&fields, &mut |call| sink(Call { record: Some(json.into()), ..call }));
        }
        self.object(&fields, sink)
    }

    /// Reads a line of several objects, with nothing or a comma between them; none if it does not begin with a whole one.
    fn several(&mut self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        let mut told = None;
        let mut rest = line;
        loop {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
            let first = values.next().filter(Result::is_ok);
            let Some(Ok(object)) = first else {
                let damaged = Verdict::Damaged("no JSON behind the first object".to_owned());
                return told.map(|_| damaged);
            };
            let end = values.byte_offset();
            if told.is_none() && rest[end..].trim().is_empty() {
                return None;
            }
            let verdict = self.json(object.get(), sink);
            told = Some(verdict);
            rest = rest[end..].trim_start_matches([' ', '\t', '\r', ',']);
            if !rest.starts_with('{') {
                return if rest.is_empty() {
                    told
                } else {
                    Some(Verdict::Damaged("no JSON behind an object".to_owned()))
                };
            }
        }
    }

    fn spans(&self, json: &str, fields: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        if fields.raw(Slot::Spans).is_none() {
            return Verdict::Elsewhere(Format::OpenTelemetry);
        }
        let mut calls = 0;
        match otlp::read(json, self.paths, |call| {
            calls += 1;
            sink(call);
        }) {
            Ok(_) if calls == 0 => Verdict::Elsewhere(Format::OpenTelemetry),
            Ok(_) => Verdict::Read(Format::OpenTelemetry),
            Err(error) => Verdict::Damaged(why(&error)),
        }
    }

    fn object(&mut self, fields: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        if self.mapped {
            self.found |= fields.mapped();
        }
        // A trace with its observations, or a page of an API with its rows.
        if let Some(inside) = fields.json(Slot::Observations).filter(|json| json.starts_with('['))
            && let Some(verdict) = self.elements(inside, fields, sink)
        {
            return verdict;
        }
        if object::format_of(fields).is_none() {
            let known = object::tells_a_call(fields);
            if let Some(inside) = fields.json(Slot::Inner).filter(|json| json.starts_with('{') && !known)
                && let Some(verdict) = self.within(inside, fields, sink)
            {
                return verdict;
            }
            if fields.has(Mark::LiteLlmLog)
                && let Some(verdict) = self.logged(fields, sink)
            {
                return verdict;
            }
            for slot in [Slot::Log, Slot::Message] {
                if let Some(inside) = fields.json(slot).filter(|json| json.starts_with('{') && !known)
                    && let Some(verdict) = self.within(inside, fields, sink)
                {
                    return verdict;
                }
                if let Some(line) = fields.text(slot).filter(|_| slot == Slot::Log || !known)
                    && let Some(verdict) = self.within(line.trim(), fields, sink)
                {
                    return verdict;
                }
            }
        }
        match object::read(fields, Format::Json, self.mapped) {
            Seen::Call(call) => {
                let format = call.format;
                sink(*call);
                Verdict::Read(format)
            }
            Seen::NoCall(format) => Verdict::Elsewhere(format),
            Seen::Unknown => Verdict::Unknown,
        }
    }

    /// Reads the elements of an array; none if there is no call in them.
    fn elements(&mut self, array: &str, around: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        let (mut read, mut damaged) = (None, None);
        let mut reader = serde_json::Deserializer::from_str(array);
        let owned = |slot| around.text(slot).map(Cow::into_owned);
        let (run, user) = (owned(Slot::Run), owned(Slot::User));
        let each = Each(|element: &str| {
            let verdict = if element.starts_with('{') {
                self.json(element, &mut |mut call| {
                    call.run = run.clone().map(Cow::Owned).or(call.run);
                    call.user = call.user.or_else(|| user.clone().map(Cow::Owned));
                    sink(call);
                })
            } else {
                Verdict::Unknown
            };
            match verdict {
                Verdict::Read(format) => read = Some(format),
                Verdict::Damaged(why) => damaged = Some(why),
                Verdict::Elsewhere(format) => read = read.or(Some(format)),
                _ => {}
            }
        });
        // The array was read as JSON before.
        let _ = each.deserialize(&mut reader);
        damaged.map(Verdict::Damaged).or(read.map(Verdict::Read))
    }

    /// Reads a line that a collector of logs, or a logger, put into an object; none if it tells of no call.
    fn within(&mut self, line: &str, around: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        let at = around.time(Slot::At);
        let mut timed = |mut call: Call<'_>| {
            call.at = call.at.or(at);
            sink(call);
        };
        if line.starts_with('{') {
            return Some(self.json(line, &mut timed));
        }
        if let Some(verdict) = self.access(line, &mut timed) {
            return Some(verdict);
        }
        // The words are those of a line that has the time and the logger before them.
        let logger = around.text(Slot::Logger).unwrap_or_default();
        let line = format!("{} {logger} {line}", at.map_or_else(String::new, |at| at.to_string()));
        match self.text(&line, &mut timed) {
            Verdict::Stray | Verdict::Unknown => None,
            verdict => Some(verdict),
        }
    }

    /// A log line that LiteLLM's proxy wrote as JSON.
    fn logged(&mut self, fields: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        let at = fields.time(Slot::At);
        let message = fields.text(Slot::Message).unwrap_or(Cow::Borrowed(""));
        let message = without_colours(&message);
        if self.proxy.line(&message, at, sink) {
            return Some(Verdict::Read(Format::LiteLlmProxy));
        }
        match access::read(&message) {
            Line::Call(mut call) => {
                call.format = Format::LiteLlmProxy;
                call.at = at.or(call.at);
                self.proxy.complete(&mut call);
                sink(*call);
                Some(Verdict::Read(Format::LiteLlmProxy))
            }
            Line::Other(_) => Some(Verdict::Elsewhere(Format::LiteLlmProxy)),
            Line::No => self.sdk(&message, sink).or(Some(Verdict::Elsewhere(Format::LiteLlmProxy))),
        }
    }

    fn text(&mut self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        let line = &*without_colours(line);
        let read = match self.text {
            Some(format) if format.is_access_log() => self.access(line, sink).or_else(|| self.sdk(line, sink)),
            _ => self.sdk(line, sink).or_else(|| self.access(line, sink)),
        };
        if let Some(verdict) = read {
            if let Verdict::Read(format) | Verdict::Elsewhere(format) = verdict {
                self.text = Some(format);
            }
            return verdict;
        }
        // A record in JSON behind what a collector of logs put before it.
        if let Some(at) = line.find('{').filter(|at| *at <= 400)
            && line.trim_end().ends_with('}')
            && let Ok(fields) = extract(&line[at..], self.paths)
        {
            return self.object(&fields, sink);
        }
        if let Some(fields) = pairs::read(line, self.paths)
            && (object::format_of(&fields).is_some() || object::tells_a_call(&fields))
        {
            return self.object(&fields, sink);
        }
        Verdict::Stray
    }

    fn sdk(&mut self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        let proxys = line.contains("LiteLLM") || line.contains("litellm");
        if proxys && self.proxy.line(line, values::time_within(line), sink) {
            return Some(Verdict::Read(Format::LiteLlmProxy));
        }
        if self.python.line(line, &mut *sink) {
            return Some(Verdict::Read(Format::SdkPython));
        }
        self.node.line(line, sink).then_some(Verdict::Read(Format::SdkNode))
    }

    fn access(&mut self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        match access::read(line) {
            Line::Call(mut call) => {
                if call.format == Format::LiteLlmProxy {
                    self.proxy.complete(&mut call);
                }
                let format = call.format;
                sink(*call);
                Some(Verdict::Read(format))
            }
            Line::Other(format) => Some(Verdict::Elsewhere(format)),
            Line::No => None,
        }
    }
}

/// A line without the sequences that make it coloured on a terminal.
fn without_colours(line: &str) -> Cow<'_, str> {
    if memchr::memchr(0x1B, line.as_bytes()).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    for (number, part) in line.split('\u{1b}').enumerate() {
        let part = match part.strip_prefix('[').filter(|_| number > 0) {
            Some(part) => {
                part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..).unwrap_or_default()
            }
            None => part,
        };
        plain.push_str(part);
    }
    Cow::Owned(plain)
}

/// An error of a parser, without what it quotes of the line.
fn why(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "it ends in its midst".to_owned(),
        Category::Syntax | Category::Io => format!("no JSON, at column {}", error.column()),
        Category::Data => "no object of JSON".to_owned(),
    }
}

/// Gives each element of an array to a function.
struct Each<F>(F);

impl<'a, F: FnMut(&'a str)> DeserializeSeed<'a> for Each<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, F: FnMut(&'a str)> Visitor<'a> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'a>>(mut self, mut seq: S) -> Result<(), S::Error> {
        while let Some(element) = seq.next_element::<&'a RawValue>()? {
            (self.0)(element.get());
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
