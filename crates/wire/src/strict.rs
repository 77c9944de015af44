//! Walks over JSON in place, and checks every byte of it: what it walks over to the end is JSON.
//!
//! A text with escapes is checked, too, but only passed over: whoever wants to know what it means asks serde.

use crate::lanes::quotes_escapes_or_controls;

/// The deepest nesting that is walked into, that of serde_json.
const DEEPEST: u32 = 127;

pub(crate) struct Strict<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Strict<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// Whether nothing but blanks is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Walks over an object; `member` is called with each name, walks over its value, and ends the walk with `None`.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.eat(b'}') {
            return Some(());
        }
        loop {
            let name = self.text()?;
            self.expect(b':')?;
            member(self, name)?;
            if self.eat(b'}') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// Walks over an array; `item` walks over each item.
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.eat(b']') {
            return Some(());
        }
        loop {
            item(self)?;
            if self.eat(b']') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// A string without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.peek()?;
        let start = self.at + 1;
        let escaped = self.string()?;
        if escaped { None } else { self.text.get(start..self.at - 1) }
    }

    /// A string without escapes, or `null`.
    pub(crate) fn text_or_null(&mut self) -> Option<Option<&'a str>> {
        if self.peek()? == b'"' { self.text().map(Some) } else { self.null().map(|()| None) }
    }

    /// An object as it stands, or `null`.
    pub(crate) fn object_or_null(&mut self) -> Option<Option<&'a str>> {
        if self.peek()? == b'{' { self.value().map(Some) } else { self.null().map(|()| None) }
    }

    /// Any value as it stands.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        self.text.get(start..self.at)
    }

    pub(crate) fn null(&mut self) -> Option<()> {
        self.peek()?;
        self.word(b"null")
    }

    /// Walks over any value.
    pub(crate) fn skip(&mut self) -> Option<()> {
        // A bit for each open object or array: whether it is an object.
        let (mut objects, mut depth) = (0_u128, 0);
        loop {
            match self.peek()? {
                b'"' => self.string().map(|_| ())?,
                open @ (b'{' | b'[') => {
                    (depth < DEEPEST).then_some(())?;
                    self.at += 1;
                    let object = open == b'{';
                    (objects, depth) = (objects << 1 | u128::from(object), depth + 1);
                    if !self.eat(if object { b'}' } else { b']' }) {
                        if object {
                            self.name()?;
                        }
                        continue;
                    }
                    (objects, depth) = (objects >> 1, depth - 1);
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // A value has ended, and with it perhaps what it stands in.
            loop {
                if depth == 0 {
                    return Some(());
                }
                let object = objects & 1 == 1;
                if self.eat(b',') {
                    if object {
                        self.name()?;
                    }
                    break;
                }
                self.expect(if object { b'}' } else { b']' })?;
                (objects, depth) = (objects >> 1, depth - 1);
            }
        }
    }

    fn name(&mut self) -> Option<()> {
        self.peek()?;
        self.string()?;
        self.expect(b':')
    }

    /// Walks over a string; whether it holds escapes.
    fn string(&mut self) -> Option<bool> {
        (self.bytes.get(self.at) == Some(&b'"')).then_some(())?;
        self.at += 1;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let plain = match rest.first_chunk() {
                Some(chunk) => match quotes_escapes_or_controls(chunk) {
                    0 => {
                        self.at += 16;
                        continue;
                    }
                    found => found.trailing_zeros() as usize,
                },
                None => rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')).count(),
            };
            self.at += plain;
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let length = match *self.bytes.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = self.bytes.get(self.at + 2..self.at + 6)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.bytes.get(self.at) == Some(&b'-'));
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(())
    }

    /// One digit, or more.
    fn digits(&mut self) -> Option<()> {
        let digits = self.bytes.get(self.at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word).then_some(())?;
        self.at += word.len();
        Some(())
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }
}
