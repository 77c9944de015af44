//! Cuts bytes into records: lines, or the elements of one JSON array or the values of a file of JSON that is laid out for people.
//!
//! A record that is longer than allowed is passed over without being kept. What is wrong in one record costs no other: lines are
//! apart anyhow, and where values go over lines, the next line that begins as values here begin is where reading goes on.

use std::io::Read;

use memchr::memchr;

/// Bytes that are asked for at once.
const CHUNK: usize = 256 * 1024;

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A line, or a JSON value, without what is around it.
    Whole(&'a [u8]),
    /// It is longer than allowed, so many bytes.
    TooLong(u64),
    /// It ends in its midst.
    Broken(&'a [u8]),
    /// The input cannot be read any further: it is damaged, or was cut.
    Cut(String),
}

/// How records lie in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Not looked at yet.
    Unknown,
    /// Each in its line.
    Lines,
    /// JSON values over several lines, or all in one; they begin this far into their lines.
    Values { indent: usize },
}

/// The records of one input.
pub(crate) struct Records<R> {
    input: R,
    buffer: Vec<u8>,
    /// What was given out already.
    start: usize,
    /// Whether the input is at its end.
    ended: bool,
    cut: Option<String>,
    layout: Layout,
    longest: usize,
    chunk: usize,
    /// The line at which `start` is, counted from 1.
    line: u64,
    /// The line at which the record last given out begins.
    begins: u64,
}

impl<R: Read> Records<R> {
    /// The records of `input`; none is longer than `longest`.
    pub(crate) fn new(input: R, longest: usize) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            ended: false,
            cut: None,
            layout: Layout::Unknown,
            longest: longest.max(64),
            chunk: CHUNK,
            line: 1,
            begins: 1,
        }
    }

    /// The line at which the last record begins.
    pub(crate) fn begin(&self) -> u64 {
        self.begins
    }

    /// The next record; none at the end.
    pub(crate) fn next(&mut self) -> Option<Record<'_>> {
        if self.layout == Layout::Unknown {
            self.look();
        }
        match self.layout {
            Layout::Values { indent } => self.value(indent),
            _ => self.next_line(),
        }
    }

    /// Reads more; false if there is no more.
    fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.start > 0 && (self.start >= self.chunk || self.start == self.buffer.len()) {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let filled = self.buffer.len();
        let read = (&mut self.input).take(self.chunk as u64).read_to_end(&mut self.buffer);
        if let Err(error) = read {
            self.cut = Some(error.to_string());
            self.ended = true;
        }
        self.ended |= self.buffer.len() == filled;
        self.buffer.len() > filled
    }

    /// What is there and not given out yet.
    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Where, from `start`, the line ends that begins at `from`, without its line feed; none if there is no more line feed.
    fn line_end(&mut self, from: usize, most: usize) -> Option<usize> {
        let mut looked = from;
        loop {
            if let Some(at) = memchr(b'\n', &self.rest()[looked..]) {
                return Some(looked + at);
            }
            looked = self.rest().len();
            if looked - from > most || !self.more() {
                return None;
            }
        }
    }

    fn next_line(&mut self) -> Option<Record<'_>> {
        self.begins = self.line;
        let end = match self.line_end(0, self.longest) {
            Some(end) => end,
            None if self.rest().len() > self.longest => return Some(self.pass_over()),
            None if self.rest().is_empty() => return self.cut.take().map(Record::Cut),
            None => {
                // The last line may have no line feed; in front of the place where an archive was cut it is no whole line.
                let line = self.start..self.buffer.len();
                self.start = self.buffer.len();
                let line = trimmed(&self.buffer[line]);
                return Some(if self.cut.is_some() { Record::Broken(line) } else { Record::Whole(line) });
            }
        };
        let line = self.start..self.start + end;
        self.start += end + 1;
        self.line += 1;
        if end > self.longest {
            return Some(Record::TooLong(end as u64));
        }
        Some(Record::Whole(trimmed(&self.buffer[line])))
    }

    /// Leaves out a line that is too long, without keeping it.
    fn pass_over(&mut self) -> Record<'_> {
        let mut length = 0;
        loop {
            if let Some(at) = memchr(b'\n', self.rest()) {
                self.start += at + 1;
                self.line += 1;
                return Record::TooLong(length + at as u64);
            }
            length += self.rest().len() as u64;
            self.start = self.buffer.len();
            if !self.more() {
                return Record::TooLong(length);
            }
        }
    }

    /// Finds out how records lie, by the first line that has something in it.
    fn look(&mut self) {
        while self.buffer.len() < 3 && self.more() {}
        if self.buffer.starts_with(b"\xEF\xBB\xBF") {
            self.start = 3;
        }
        self.layout = Layout::Lines;
        let mut from = 0;
        loop {
            let end = self.line_end(from, self.longest.min(4 * CHUNK));
            let line = &self.rest()[from..end.unwrap_or(self.rest().len())];
            match end {
                Some(end) if line.trim_ascii().is_empty() => from = end + 1,
                _ => {
                    if let Some(inside) = values_begin(line, end.is_some()).or_else(|| one_behind_the_other(line)) {
                        self.skip(from + inside);
                        self.layout = Layout::Values { indent: self.indent() };
                    }
                    return;
                }
            }
        }
    }

    /// Goes on by `count` bytes, counting lines.
    fn skip(&mut self, count: usize) {
        self.line += memchr::memchr_iter(b'\n', &self.rest()[..count]).count() as u64;
        self.start += count;
    }

    /// Goes to the next value's begin; false if there is none.
    fn seek_value(&mut self) -> bool {
        loop {
            let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']');
            match self.rest().iter().position(|byte| !between(byte)) {
                Some(at) => {
                    self.skip(at);
                    return true;
                }
                None => {
                    // The line so far is kept: it tells how far into it a value begins.
                    let line = memchr::memrchr(b'\n', self.rest()).map_or(0, |at| at + 1);
                    self.skip(line);
                    let kept = self.rest().len();
                    if kept > self.longest {
                        self.skip(kept);
                    }
                    if !self.more() {
                        self.skip(self.rest().len());
                        return false;
                    }
                }
            }
        }
    }

    /// How far into its line the next value begins.
    fn indent(&mut self) -> usize {
        if !self.seek_value() {
            return 0;
        }
        self.buffer[..self.start].iter().rev().take_while(|byte| **byte != b'\n').count()
    }

    /// The next value, where values may go over lines.
    fn value(&mut self, indent: usize) -> Option<Record<'_>> {
        loop {
            if !self.seek_value() {
                self.begins = self.line;
                return self.cut.take().map(Record::Cut);
            }
            self.begins = self.line;
            if self.rest().first() == Some(&b'{') {
                return Some(self.object(indent));
            }
            let length = match self.line_end(0, self.longest) {
                Some(end) => end,
                None if self.rest().len() > self.longest => return Some(self.pass_over()),
                None => self.rest().len(),
            };
            let line = self.start..self.start + length;
            self.skip(length);
            // The end of what is around the values is none of them.
            if !matches!(self.buffer[line.start], b'}' | b'"') {
                return Some(Record::Whole(trimmed(&self.buffer[line])));
            }
        }
    }

    /// The object that begins here.
    fn object(&mut self, indent: usize) -> Record<'_> {
        let mut scan = Scan { depth: 0, in_text: false, escaped: false };
        let mut at = 0;
        let (length, whole) = loop {
            match scan.seek_end(&self.buffer[self.start..], self.ended, &mut at, indent) {
                Step::Ended => break (at, true),
                Step::Broken(end) => break (end, false),
                Step::Starved if at > self.longest => return self.pass_over_object(indent),
                Step::Starved if self.ended => break (self.rest().len(), false),
                Step::Starved => {
                    self.more();
                }
            }
        };
        let value = self.start..self.start + length;
        self.skip(length);
        match whole {
            _ if length > self.longest => Record::TooLong(length as u64),
            true => Record::Whole(&self.buffer[value]),
            false => Record::Broken(&self.buffer[value]),
        }
    }

    /// Leaves out an object that is too long: up to the next line that begins as values here do.
    fn pass_over_object(&mut self, indent: usize) -> Record<'_> {
        let mut length = 0;
        loop {
            // The line after a line feed must be there, as far as it is looked at.
            let (passed, found) = match memchr(b'\n', self.rest()) {
                Some(at) => {
                    while self.rest().len() < at + indent + 4 && self.more() {}
                    (at + 1, begins_here(&self.rest()[at + 1..], indent))
                }
                None => (self.rest().len(), false),
            };
            length += passed as u64;
            self.skip(passed);
            if found || (self.rest().is_empty() && !self.more()) {
                return Record::TooLong(length);
            }
        }
    }
}

/// A line without the carriage return at its end.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where the first value begins, if a file that begins with this line has values which go over lines or lie in an array.
fn values_begin(line: &[u8], has_more: bool) -> Option<usize> {
    let at = line.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let text = line[at..].trim_ascii_end();
    let after =
        |from: usize| text[from..].iter().position(|byte| !byte.is_ascii_whitespace()).map(|space| from + space);
    if text.first() == Some(&b'[') {
        // `[2026-…` and `[log_…` begin lines of logs.
        return match after(1) {
            None | Some(_) if text.len() == 1 && has_more => Some(at + 1),
            Some(inside) if matches!(text[inside], b'{' | b']') => Some(at + inside),
            _ => None,
        };
    }
    if text.first() != Some(&b'{') {
        return None;
    }
    if text.len() == 1 && has_more {
        return Some(at);
    }
    // `{"data": [{…` is an answer of an API, whole: what counts is in its array.
    let name_end = 2 + memchr(b'"', text.get(2..)?)?;
    let names =
        [&b"data"[..], b"events", b"observations", b"rows", b"results", b"items", b"records", b"logs", b"traces"];
    if text.get(1) == Some(&b'"') && names.contains(&&text[2..name_end]) {
        let colon = after(name_end + 1).filter(|at| text[*at] == b':')?;
        let bracket = after(colon + 1).filter(|at| text[*at] == b'[')?;
        return Some(at + bracket + 1);
    }
    None
}

/// Where the first value begins, if a line has several, with nothing or a comma between them: what is collected in batches may have
/// no line feed at all.
fn one_behind_the_other(line: &[u8]) -> Option<usize> {
    let begin = line.iter().position(|byte| !byte.is_ascii_whitespace()).filter(|at| line[*at] == b'{')?;
    let mut scan = Scan { depth: 0, in_text: false, escaped: false };
    let mut at = 0;
    let ended = matches!(scan.seek_end(&line[begin..], true, &mut at, 0), Step::Ended);
    let next = line[begin + at..].iter().find(|byte| !byte.is_ascii_whitespace() && **byte != b',');
    (ended && next == Some(&b'{')).then_some(begin)
}

/// Whether a line begins, at `indent`, with an object, behind a comma or not.
fn begins_here(line: &[u8], indent: usize) -> bool {
    let spaces = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match line.get(spaces) {
        Some(b'{') => spaces == indent,
        Some(b',') => line[spaces + 1..].trim_ascii_start().first() == Some(&b'{'),
        _ => false,
    }
}

/// Where in a JSON value a reader is.
struct Scan {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

enum Step {
    /// The value ends here.
    Ended,
    /// It does not end; the next one begins here.
    Broken(usize),
    /// More bytes are needed.
    Starved,
}

impl Scan {
    /// Goes on to the end of the value, from `at`.
    fn seek_end(&mut self, bytes: &[u8], ended: bool, at: &mut usize, indent: usize) -> Step {
        while let Some(byte) = bytes.get(*at) {
            if self.escaped {
                self.escaped = false;
                *at += 1;
                continue;
            }
            match byte {
                b'\n' => {
                    // A line that begins as values here do, and that is not all there yet, is waited for.
                    let next = &bytes[*at + 1..];
                    if next.len() < indent + 3 && !ended {
                        return Step::Starved;
                    }
                    if begins_here(next, indent) || self.in_text {
                        let end = *at + 1;
                        return Step::Broken(end);
                    }
                }
                b'"' => self.in_text = !self.in_text,
                b'\\' if self.in_text => self.escaped = true,
                _ if self.in_text => {
                    let rest = &bytes[*at..];
                    *at += memchr::memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len());
                    continue;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        *at += 1;
                        return Step::Ended;
                    }
                }
                _ => {}
            }
            *at += 1;
        }
        Step::Starved
    }
}

#[cfg(test)]
mod tests;
