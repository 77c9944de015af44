//! Walks over JSON in place: members, items and strings are met one by one, and what is not asked for is skipped.
//!
//! It goes forward only, keeps no stack, and stops with `None` where the bytes are no JSON. It does not check what it
//! skips: a request's body was checked before it comes here.

use std::borrow::Cow;

use memchr::memchr2;

use crate::lanes::{quotes_or_backslashes, quotes_or_backslashes_of};

/// A place in a JSON text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The inside of a JSON string as it stands in the source.
#[derive(Clone, Copy)]
pub(super) struct Literal<'a> {
    pub(super) inner: &'a [u8],
    escaped: bool,
}

impl<'a> Literal<'a> {
    /// What it means.
    #[inline]
    pub(super) fn decoded(self) -> Option<Cow<'a, [u8]>> {
        if self.escaped { self.unescaped().map(Cow::Owned) } else { Some(Cow::Borrowed(self.inner)) }
    }

    fn unescaped(self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode::<false>(&[self.inner, b"\""].concat(), 0, &mut out)?;
        Some(out)
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes on by `length` bytes.
    pub(super) fn forward(&mut self, length: usize) {
        self.at = (self.at + length).min(self.bytes.len());
    }

    /// The next byte that is no blank.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        match *self.bytes.get(self.at)? {
            ..=b' ' => self.peek_behind_blanks(),
            byte => Some(byte),
        }
    }

    fn peek_behind_blanks(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Steps over `byte`, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over `byte`, which must come next.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Whether nothing but blanks is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Inside an object: the next member's name, with its value next; `Some(None)` behind the last.
    #[inline]
    pub(super) fn member(&mut self, first: &mut bool) -> Option<Option<Cow<'a, [u8]>>> {
        // Most are written without blanks, and have short names.
        let rest = self.bytes.get(self.at..)?;
        let next = if *first { rest } else { rest.strip_prefix(b",").unwrap_or_default() };
        if let Some(chunk) = next.strip_prefix(b"\"").and_then(|name| name.first_chunk::<16>()) {
            let end = quotes_or_backslashes(chunk).trailing_zeros() as usize;
            if chunk.get(end) == Some(&b'"') && next.get(end + 2) == Some(&b':') {
                self.at += rest.len() - next.len() + end + 3;
                *first = false;
                return Some(Some(Cow::Borrowed(&next[1..=end])));
            }
        }
        self.spaced_member(first)
    }

    fn spaced_member(&mut self, first: &mut bool) -> Option<Option<Cow<'a, [u8]>>> {
        if self.eat(b'}') {
            return Some(None);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        let name = self.string()?.decoded()?;
        self.expect(b':')?;
        Some(Some(name))
    }

    /// Inside an array: whether another item follows.
    pub(super) fn item(&mut self, first: &mut bool) -> Option<bool> {
        if self.eat(b']') {
            return Some(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Some(true)
    }

    /// Steps over a string. Most are short, and hold no escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Option<Literal<'a>> {
        self.expect(b'"')?;
        let rest = self.bytes.get(self.at..)?;
        if let Some(chunk) = rest.first_chunk() {
            let end = quotes_or_backslashes(chunk).trailing_zeros() as usize;
            if chunk.get(end) == Some(&b'"') {
                self.at += end + 1;
                return Some(Literal { inner: &rest[..end], escaped: false });
            }
        }
        self.long_string()
    }

    fn long_string(&mut self) -> Option<Literal<'a>> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            if self.bytes[self.at] == b'"' {
                let inner = &self.bytes[start..self.at];
                self.at += 1;
                return Some(Literal { inner, escaped });
            }
            escaped = true;
            self.at += 2;
        }
    }

    /// Appends what the string that comes next means.
    pub(super) fn string_into(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.expect(b'"')?;
        self.at = decode::<false>(self.bytes, self.at, out)?;
        Some(())
    }

    /// Appends what the string that comes next means, quotes and backslashes in it escaped, and those only.
    pub(super) fn quoted_into(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.peek()?;
        // Short ones are copied with both their quotes.
        if let Some(chunk) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<16>()) {
            let end = (quotes_or_backslashes(chunk) & !1).trailing_zeros() as usize;
            if chunk[0] == b'"' && chunk.get(end) == Some(&b'"') {
                out.extend_from_slice(chunk);
                out.truncate(out.len() - 15 + end);
                self.at += end + 1;
                return Some(());
            }
        }
        self.expect(b'"')?;
        out.push(b'"');
        self.at = decode::<true>(self.bytes, self.at, out)?;
        out.push(b'"');
        Some(())
    }

    /// Steps over a number, or one of the words `true`, `false` and `null`.
    pub(super) fn scalar(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
        let word = &rest[..end.unwrap_or(rest.len())];
        let number = |word: &[u8]| {
            word.first().is_some_and(|b| b.is_ascii_digit() || *b == b'-')
                && word.iter().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        };
        if !matches!(word, b"true" | b"false" | b"null") && !number(word) {
            return None;
        }
        self.at += word.len();
        Some(word)
    }

    /// Steps over any value: the bytes it is written in.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        self.bytes.get(start..self.at)
    }

    /// Steps over a string: where its inside stands.
    pub(super) fn place(&mut self) -> Option<std::ops::Range<usize>> {
        let length = self.string()?.inner.len();
        Some(self.at - 1 - length..self.at - 1)
    }

    /// Steps over any value.
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            _ => self.scalar().map(|_| ()),
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Some(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// The value of the member `name` of the object that comes next, if it is a string; the cursor stays.
    pub(super) fn look_for(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let mut ahead = *self;
        ahead.expect(b'{')?;
        let mut first = true;
        while let Some(member) = ahead.member(&mut first)? {
            if *member == *name {
                return if ahead.peek()? == b'"' { ahead.string()?.decoded() } else { None };
            }
            ahead.skip()?;
        }
        None
    }
}

/// Appends what the string means whose inside begins at `at`; where the string has ended. With `QUOTED`, quotes and
/// backslashes are escaped.
fn decode<const QUOTED: bool>(bytes: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) else {
            return decode_end::<QUOTED>(bytes, at, out);
        };
        let mut found = quotes_or_backslashes_of(block);
        // What of the block comes next.
        let mut from = 0;
        while found != 0 {
            let place = found.trailing_zeros() as usize & 63;
            // All of a block is copied before it is known how much of it is meant: that is quicker than to copy just that.
            let Some(chunk) = bytes.get(at + from..).and_then(|rest| rest.first_chunk::<64>()) else {
                return decode_end::<QUOTED>(bytes, at + from, out);
            };
            let length = out.len() + place - from;
            out.extend_from_slice(chunk);
            if block[place] == b'"' {
                out.truncate(length);
                return Some(at + place + 1);
            }
            let meant = ESCAPES[usize::from(*bytes.get(at + place + 1)?)];
            if meant != 0 && !(QUOTED && is_quoted(meant)) {
                // The backslash has been copied: what it means takes its place.
                out.truncate(length + 1);
                if let Some(last) = out.last_mut() {
                    *last = meant;
                }
                from = place + 2;
            } else {
                out.truncate(length);
                from = escape::<QUOTED>(bytes, at + place + 1, out)? - at;
            }
            found = if from < 64 { found & u64::MAX << from } else { 0 };
        }
        if from == 0 {
            out.extend_from_slice(block);
            at += 64;
        } else {
            at += from;
        }
    }
}

/// The same near the end of `bytes`.
fn decode_end<const QUOTED: bool>(bytes: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) else {
            return decode_rest::<QUOTED>(bytes, at, out);
        };
        let found = quotes_or_backslashes(chunk);
        let plain = (found | 1 << 16).trailing_zeros() as usize;
        out.extend_from_slice(&chunk[..plain]);
        at += plain;
        match chunk.get(plain) {
            None => {}
            Some(b'"') => return Some(at + 1),
            Some(_) => at = escape::<QUOTED>(bytes, at + 1, out)?,
        }
    }
}

/// The same, byte by byte.
#[cold]
fn decode_rest<const QUOTED: bool>(bytes: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape::<QUOTED>(bytes, at + 1, out)?,
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
}

/// What the letter behind a backslash means, for those that mean one byte; 0 for all others.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let pairs = *b"\"\"\\\\//n\nt\tr\rb\x08f\x0C";
    let mut pair = 0;
    while pair < pairs.len() {
        table[pairs[pair] as usize] = pairs[pair + 1];
        pair += 2;
    }
    table
};

/// Whether it is escaped in quoted form, too.
fn is_quoted(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// Appends what the escape means whose backslash stands before `at`; where it has ended.
fn escape<const QUOTED: bool>(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let letter = *bytes.get(at)?;
    let meant = ESCAPES[usize::from(letter)];
    if meant == 0 {
        return if letter == b'u' { unicode::<QUOTED>(bytes, at + 1, out) } else { None };
    }
    if QUOTED && is_quoted(meant) {
        out.push(b'\\');
    }
    out.push(meant);
    Some(at + 1)
}

fn unicode<const QUOTED: bool>(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let unit = hex4(bytes, at)?;
    let mut end = at + 4;
    let mut code = unit;
    if (0xD800..0xDC00).contains(&unit)
        && bytes.get(end..end + 2) == Some(b"\\u")
        && let Some(low) = hex4(bytes, end + 2).filter(|low| (0xDC00..0xE000).contains(low))
    {
        code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        end += 6;
    }
    if QUOTED && matches!(code, 0x22 | 0x5C) {
        out.push(b'\\');
    }
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        // Half a surrogate pair stays what it is, as three bytes that no character has.
        None => out.extend([0xE0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3F) as u8, 0x80 | (code & 0x3F) as u8]),
    }
    Some(end)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | (*digit as char).to_digit(16)?))
}
