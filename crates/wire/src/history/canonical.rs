//! The canonical form of a JSON value: no blanks, members by name, one way to write a string and a number.
//!
//! Two programs that write the same value write it differently; in this form the bytes are equal. It is written in one
//! pass without recursion. An object is sorted when it ends, and only if its members did not come in order.

use super::cursor::Cursor;

/// Deeper nesting than any tool's arguments have is taken as it stands.
const DEEPEST: usize = 512;

/// Objects within more than these are not sorted: else each level of a hostile nesting would be copied once more.
const SORTED_DEPTH: usize = 16;

/// Buffers for the work.
#[derive(Default)]
pub(super) struct Canonical {
    frames: Vec<Frame>,
    members: Vec<Member>,
    sorted: Vec<u8>,
}

/// An object or array that has not ended.
struct Frame {
    object: bool,
    /// Where in the output its inside begins.
    inside: usize,
    /// Its first place among the members.
    members: usize,
    in_order: bool,
}

/// Where in the output a member stands.
struct Member {
    start: usize,
    value: usize,
    end: usize,
}

impl Canonical {
    /// Appends the canonical form of the value at `cursor` to `out`. Of an outermost object the members in `without` are
    /// left out. The answer tells whether it is an object that speaks of an error.
    pub(super) fn write(&mut self, cursor: &mut Cursor<'_>, without: &[&[u8]], out: &mut Vec<u8>) -> Option<bool> {
        self.frames.clear();
        self.members.clear();
        let begin = out.len();
        let error = self.value(cursor, without, out);
        if error.is_none() {
            out.truncate(begin);
        }
        error
    }

    /// Puts the canonical form of `text` into `out`, if it is a JSON object or array and nothing else.
    pub(super) fn of_text(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<bool> {
        out.clear();
        let mut cursor = Cursor::new(text);
        if !matches!(cursor.peek(), Some(b'{' | b'[')) {
            return None;
        }
        self.write(&mut cursor, &[], out).filter(|_| cursor.is_at_end())
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, without: &[&[u8]], out: &mut Vec<u8>) -> Option<bool> {
        let mut error = false;
        loop {
            match cursor.peek()? {
                b'"' => cursor.quoted_into(out)?,
                open @ (b'{' | b'[') => {
                    if self.frames.len() == DEEPEST {
                        return None;
                    }
                    cursor.expect(open)?;
                    out.push(open);
                    let object = open == b'{';
                    self.frames.push(Frame { object, inside: out.len(), members: self.members.len(), in_order: true });
                    if self.first(cursor, without, out)? {
                        continue;
                    }
                }
                _ => number(cursor.scalar()?, out),
            }
            // A value has ended, and with it perhaps what it stands in.
            loop {
                let Some(frame) = self.frames.last() else { return Some(error) };
                let close = if frame.object { b'}' } else { b']' };
                if frame.object && self.members.len() > frame.members {
                    let end = out.len();
                    self.members.last_mut()?.end = end;
                }
                if cursor.eat(b',') {
                    if !frame.object {
                        out.push(b',');
                        break;
                    }
                    if self.name(cursor, without, out)? {
                        break;
                    }
                    continue;
                }
                cursor.expect(close)?;
                if self.frames.len() == 1 && close == b'}' {
                    error = self.members.iter().any(|member| member.tells_of_an_error(out));
                }
                self.close(out);
                out.push(close);
            }
        }
    }

    /// Begins with what a frame that was just opened holds; whether a value comes next.
    fn first(&mut self, cursor: &mut Cursor<'_>, without: &[&[u8]], out: &mut Vec<u8>) -> Option<bool> {
        let object = self.frames.last()?.object;
        match cursor.peek()? {
            b'}' if object => Some(false),
            b']' if !object => Some(false),
            _ if object => self.name(cursor, without, out),
            _ => Some(true),
        }
    }

    /// Writes a member's name, with its value next; `false` where the member was left out.
    fn name(&mut self, cursor: &mut Cursor<'_>, without: &[&[u8]], out: &mut Vec<u8>) -> Option<bool> {
        let outermost = self.frames.len() == 1;
        let frame = self.frames.last_mut()?;
        let before = out.len();
        let previous = self.members.get(frame.members..)?.last();
        if previous.is_some() {
            out.push(b',');
        }
        let start = out.len();
        cursor.quoted_into(out)?;
        cursor.expect(b':')?;
        if outermost && without.contains(&&out[start + 1..out.len() - 1]) {
            out.truncate(before);
            cursor.skip()?;
            return Some(false);
        }
        if let Some(previous) = previous {
            frame.in_order &= out[previous.start..previous.value] <= out[start..];
        }
        let value = out.len();
        out.push(b':');
        self.members.push(Member { start, value, end: value });
        Some(true)
    }

    /// Takes the innermost frame off, and puts its members in order.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(frame) = self.frames.pop() else { return };
        if !frame.in_order && self.frames.len() < SORTED_DEPTH {
            let members = &mut self.members[frame.members..];
            // Names that are equal keep their order.
            members
                .sort_unstable_by(|a, b| out[a.start..a.value].cmp(&out[b.start..b.value]).then(a.start.cmp(&b.start)));
            self.sorted.clear();
            for member in members {
                if !self.sorted.is_empty() {
                    self.sorted.push(b',');
                }
                self.sorted.extend_from_slice(&out[member.start..member.end]);
            }
            out.truncate(frame.inside);
            out.extend_from_slice(&self.sorted);
        }
        self.members.truncate(frame.members);
    }
}

impl Member {
    /// Whether it is what tools say in JSON when they fail.
    fn tells_of_an_error(&self, out: &[u8]) -> bool {
        let value = &out[self.value + 1..self.end];
        match &out[self.start..self.value] {
            br#""error""# | br#""errors""# => !matches!(value, b"null" | b"false" | b"0" | b"[]" | b"{}" | b"\"\""),
            br#""is_error""# | br#""isError""# => value == b"true",
            br#""success""# => value == b"false",
            br#""status""# => value.eq_ignore_ascii_case(br#""error""#),
            _ => false,
        }
    }
}

/// Some write 1 and some 1.0, some 1e2 and some 100.
fn number(word: &[u8], out: &mut Vec<u8>) {
    let fraction = !matches!(word, b"true" | b"false") && word.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
    let value = fraction.then(|| std::str::from_utf8(word).ok()?.parse::<f64>().ok().filter(|value| value.is_finite()));
    match value.flatten() {
        Some(value) if value == 0.0 || (1e-7..1e17).contains(&value.abs()) => {
            out.extend_from_slice(value.to_string().as_bytes())
        }
        Some(value) => out.extend_from_slice(format!("{value:e}").as_bytes()),
        None => out.extend_from_slice(word),
    }
}

/// The strings of at least `least` characters in a canonical JSON text, names of members not among them.
pub(super) fn long_strings(canonical: &[u8], least: usize, mut each: impl FnMut(&[u8])) {
    let mut cursor = Cursor::new(canonical);
    while let Some(quote) = memchr::memchr(b'"', &canonical[cursor.at()..]) {
        cursor.forward(quote);
        let Some(literal) = cursor.string() else { return };
        if literal.inner.len() < least || canonical.get(cursor.at()) == Some(&b':') {
            continue;
        }
        if let Some(decoded) = literal.decoded().filter(|decoded| characters(decoded) >= least) {
            each(&decoded);
        }
    }
}

/// How many characters there are in UTF-8 text.
pub(super) fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}
