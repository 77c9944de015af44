//! Finds out what each record of a file is, and reads it.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::access::{self, Line};
use super::csv::{Columns, Row};
use super::node::Node;
use super::object::{self, Seen};
use super::otlp;
use super::python::Python;
use crate::call::{Call, Format};
use crate::json::{Fields, Mark, Paths, Slot, extract};

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

/// The state of one file.
pub(crate) struct Decoder<'p> {
    paths: &'p Paths,
    mapped: bool,
    longest: usize,
    columns: Option<Columns>,
    python: Python,
    node: Node,
    /// What the last text was read as.
    text: Option<Format>,
    /// Whether nothing was read yet.
    first: bool,
}

impl<'p> Decoder<'p> {
    /// A decoder of a file in which fields are at `paths`, some of them by the user's word.
    pub(crate) fn new(paths: &'p Paths, mapped: bool, longest: usize) -> Self {
        Self {
            paths,
            mapped,
            longest,
            columns: None,
            python: Python::default(),
            node: Node::default(),
            text: None,
            first: true,
        }
    }

    /// Reads a record; its calls go to `sink`.
    pub(crate) fn record(&mut self, record: &str, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
        if record.trim().is_empty() {
            return Verdict::Part;
        }
        if let Some(columns) = &mut self.columns {
            return Self::row(columns.row(record, self.paths, self.longest), self.mapped, sink);
        }
        let first = std::mem::take(&mut self.first);
        let begin = record.trim_start();
        if begin.starts_with('{') {
            return self.json(begin, sink);
        }
        if first && let Some(columns) = Columns::of(record, self.paths) {
            self.columns = Some(columns);
            return Verdict::Part;
        }
        self.text(record, sink)
    }

    /// What is held at the file's end.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        self.python.finish(&mut *sink);
        self.node.finish(sink);
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
        let fields = match extract(json, self.paths) {
            Ok(fields) => fields,
            Err(error) => return Verdict::Damaged(why(&error)),
        };
        if fields.has(Mark::Otlp) {
            return self.spans(json, &fields, sink);
        }
        if object::format_of(&fields) == Some(Format::Weir) {
            return self.object(&fields, &mut |call| sink(Call { record: Some(json.into()), ..call }));
        }
        self.object(&fields, sink)
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
        // A trace with its observations, or a page of an API with its rows.
        if let Some(inside) = fields.json(Slot::Observations).filter(|json| json.starts_with('['))
            && let Some(verdict) = self.elements(inside, fields, sink)
        {
            return verdict;
        }
        // A line within a container's log.
        if let Some(line) = fields.text(Slot::Log)
            && object::format_of(fields).is_none()
        {
            let line = line.trim_end();
            return if line.trim_start().starts_with('{') {
                self.json(line.trim_start(), sink)
            } else {
                self.text(line, sink)
            };
        }
        if fields.has(Mark::LiteLlmLog) && object::format_of(fields).is_none() {
            return logged(fields, sink);
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

    fn text(&mut self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
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
        Verdict::Stray
    }

    fn sdk(&mut self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        if self.python.line(line, &mut *sink) {
            return Some(Verdict::Read(Format::SdkPython));
        }
        self.node.line(line, sink).then_some(Verdict::Read(Format::SdkNode))
    }

    fn access(&self, line: &str, sink: &mut dyn FnMut(Call<'_>)) -> Option<Verdict> {
        match access::read(line) {
            Line::Call(call) => {
                let format = call.format;
                sink(*call);
                Some(Verdict::Read(format))
            }
            Line::Other(format) => Some(Verdict::Elsewhere(format)),
            Line::No => None,
        }
    }
}

/// A log line that LiteLLM's proxy wrote as JSON: its server's lines tell of calls.
fn logged(fields: &Fields<'_>, sink: &mut dyn FnMut(Call<'_>)) -> Verdict {
    let message = fields.text(Slot::Message).unwrap_or(Cow::Borrowed(""));
    match access::read(&message) {
        Line::Call(mut call) => {
            call.format = Format::LiteLlmProxy;
            call.at = fields.time(Slot::At).or(call.at);
            sink(*call);
            Verdict::Read(Format::LiteLlmProxy)
        }
        _ => Verdict::Elsewhere(Format::LiteLlmProxy),
    }
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
