//! Server-sent events: where one ends in a stream of bytes, and what its lines say.
//!
//! Cutting and reading are apart because most events go on as the very bytes they came as: the cutter never copies an
//! event that lies inside one chunk, and the reader borrows. Framing follows the WHATWG HTML standard, section 9.2:
//! lines end in LF, CRLF or a lone CR, an empty line ends the event, a leading byte order mark is skipped.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memrchr};

/// The longest event that is taken in; a longer one is dropped, so that a stream without ends cannot fill the memory.
pub(crate) const MAX_EVENT: usize = 8 << 20;

/// Cuts a stream of chunks into events, each with the empty line that ends it.
#[derive(Debug)]
pub(crate) struct Framer {
    scan: Scan,
    /// The beginning of an event whose end has not come.
    carry: BytesMut,
    /// Whether the event at hand has grown too long, so that the rest of it is dropped too.
    skipping: bool,
}

/// One event, as the cutter found it.
#[derive(Debug)]
pub(crate) enum Frame {
    /// It lies wholly inside the chunk and ends before this offset.
    Inside(usize),
    /// It began in an earlier chunk and ends before this offset of the present one; the bytes are all of it.
    Carried(usize, Bytes),
    /// It was longer than [`MAX_EVENT`], and is gone; it ended before this offset.
    TooLong(usize),
}

impl Framer {
    pub(crate) fn new() -> Self {
        Self { scan: Scan::new(), carry: BytesMut::new(), skipping: false }
    }

    /// The next event of `chunk` from `at` on. `None` means that the rest of the chunk has been put aside.
    pub(crate) fn next(&mut self, chunk: &[u8], at: usize) -> Option<Frame> {
        let rest = chunk.get(at..).filter(|rest| !rest.is_empty())?;
        let Some(length) = self.scan.event_end(rest) else {
            self.put_aside(rest);
            return None;
        };
        let end = at + length;
        let too_long = self.skipping || self.carry.len() + length > MAX_EVENT;
        self.skipping = false;
        if too_long {
            self.carry.clear();
            return Some(Frame::TooLong(end));
        }
        if self.carry.is_empty() {
            return Some(Frame::Inside(end));
        }
        self.carry.extend_from_slice(&rest[..length]);
        Some(Frame::Carried(end, self.carry.split().freeze()))
    }

    /// What was put aside when the stream ended: an event without its empty line, whole or not.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        let rest = self.carry.split().freeze();
        self.scan = Scan::new();
        self.skipping = false;
        (!rest.is_empty()).then_some(rest)
    }

    /// How many bytes are put aside.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.carry.len()
    }

    fn put_aside(&mut self, rest: &[u8]) {
        if self.skipping {
            return;
        }
        if self.carry.len() + rest.len() > MAX_EVENT {
            self.carry = BytesMut::new();
            self.skipping = true;
        } else {
            self.carry.extend_from_slice(rest);
        }
    }
}

/// Finds the ends of events, and remembers across chunks what the last bytes were.
#[derive(Debug)]
struct Scan {
    /// Nothing has come on this line.
    line_empty: bool,
    /// The last byte was a CR, whose LF may be yet to come.
    after_cr: bool,
    /// That CR ended an empty line, so the event ends with it.
    ends: bool,
}

impl Scan {
    fn new() -> Self {
        Self { line_empty: true, after_cr: false, ends: false }
    }

    /// How many of `bytes` belong to the event at hand, if it ends in them.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.after_cr {
                // A lone CR is told from CRLF by the byte behind it alone, so the end of the event waits for that byte.
                let next = bytes.get(at)?;
                at += usize::from(*next == b'\n');
                self.after_cr = false;
                if self.ends {
                    self.ends = false;
                    return Some(at);
                }
            }
            let Some(length) = memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.line_empty &= at == bytes.len();
                return None;
            };
            let empty = self.line_empty && length == 0;
            let newline = bytes[at + length];
            at += length + 1;
            self.line_empty = true;
            if newline == b'\r' {
                self.after_cr = true;
                self.ends = empty;
            } else if empty {
                return Some(at);
            }
        }
    }
}

/// What the lines of one event say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Its data; several lines are joined by LF. `None` where there is no `data` line.
    pub(crate) data: Option<Cow<'a, [u8]>>,
    /// Whether it carries an `event` line.
    pub(crate) named: bool,
    /// Whether it carries a comment, which is what keep-alives are.
    pub(crate) comment: bool,
}

impl<'a> Event<'a> {
    /// Reads the lines of `raw`; a missing newline at the end is forgiven.
    pub(crate) fn read(raw: &'a [u8]) -> Self {
        let mut event = Self::default();
        let mut rest = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
        while !rest.is_empty() {
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            event.line(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        event
    }

    fn line(&mut self, line: &'a [u8]) {
        if let Some(value) = line.strip_prefix(b"data:") {
            self.add(value.strip_prefix(b" ").unwrap_or(value));
        } else if line == b"data" {
            self.add(b"");
        } else if line.starts_with(b":") {
            self.comment = true;
        } else if line.starts_with(b"event:") {
            self.named = true;
        }
    }

    fn add(&mut self, value: &'a [u8]) {
        match &mut self.data {
            None => self.data = Some(Cow::Borrowed(value)),
            Some(data) => {
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        }
    }
}

/// What must follow `bytes`, the last event of a stream, so that a client sees its end.
pub(crate) fn missing_end(bytes: &[u8]) -> &'static [u8] {
    match memrchr(b'\n', bytes) {
        Some(last) if last + 1 == bytes.len() => b"\n",
        _ => b"\n\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of `stream` when it arrives in pieces that end at `cuts`.
    fn cut(stream: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut framer = Framer::new();
        let (mut events, mut from) = (Vec::new(), 0);
        for to in cuts.iter().copied().chain([stream.len()]) {
            let chunk = &stream[from..to];
            from = to;
            let mut at = 0;
            while let Some(frame) = framer.next(chunk, at) {
                let begin = at;
                match frame {
                    Frame::Inside(end) => {
                        events.push(chunk[begin..end].to_vec());
                        at = end;
                    }
                    Frame::Carried(end, bytes) => {
                        events.push(bytes.to_vec());
                        at = end;
                    }
                    Frame::TooLong(end) => {
                        events.push(b"too long".to_vec());
                        at = end;
                    }
                }
            }
        }
        events.extend(framer.rest().map(|rest| rest.to_vec()));
        events
    }

    #[test]
    fn events_end_at_an_empty_line_however_lines_end_and_wherever_chunks_do() {
        for (stream, expected) in [
            ("data: a\n\ndata: b\n\n", vec!["data: a\n\n", "data: b\n\n"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec!["data: a\r\n\r\n", "data: b\r\n\r\n"]),
            ("data: a\r\rdata: b\r\r", vec!["data: a\r\r", "data: b\r\r"]),
            ("data: a\r\n\ndata: b\n\r\nx", vec!["data: a\r\n\n", "data: b\n\r\n", "x"]),
            ("\n\r\n: c\n\ndata: b", vec!["\n", "\r\n", ": c\n\n", "data: b"]),
            ("event: e\ndata: é\ndata: b\n\n", vec!["event: e\ndata: é\ndata: b\n\n"]),
        ] {
            for place in 0..=stream.len() {
                for second in place..=stream.len() {
                    let events = cut(stream.as_bytes(), &[place, second]);
                    assert_eq!(
                        events,
                        expected.iter().map(|e| e.as_bytes()).collect::<Vec<_>>(),
                        "{stream:?} at {place}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_event_without_end_is_dropped_and_the_next_is_read() {
        let mut stream = vec![b'x'; MAX_EVENT + 1];
        stream.extend_from_slice(b"\n\ndata: a\n\n");
        for cuts in [&[][..], &[MAX_EVENT / 2][..], &[100, MAX_EVENT + 1][..]] {
            assert_eq!(cut(&stream, cuts), [b"too long".to_vec(), b"data: a\n\n".to_vec()]);
        }
    }

    #[test]
    fn lines_are_read_as_the_standard_says() {
        for (raw, data, named, comment) in [
            ("data: {\"a\":1}\n\n", Some("{\"a\":1}"), false, false),
            ("data:  two\r\n\r\n", Some(" two"), false, false),
            ("data:a\rdata:b\r\r", Some("a\nb"), false, false),
            ("\u{feff}data: a\n\n", Some("a"), false, false),
            ("event: ping\nid: 7\nretry: 5\nx: y\n\n", None, true, false),
            (": keep-alive\n\n", None, false, true),
            ("data\n\n", Some(""), false, false),
            ("database: 1\n\n", None, false, false),
            ("data: a", Some("a"), false, false),
        ] {
            let event = Event::read(raw.as_bytes());
            assert_eq!(event.data.as_deref(), data.map(str::as_bytes), "{raw:?}");
            assert_eq!((event.named, event.comment), (named, comment), "{raw:?}");
        }
    }
}
