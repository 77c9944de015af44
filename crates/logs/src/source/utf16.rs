//! Text in UTF-16, as PowerShell and spreadsheets write it, read as UTF-8.

use std::io::{self, BufRead, Read};

/// Which byte of two comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The lower one.
    Little,
    /// The upper one.
    Big,
}

/// The order that a text's begin tells; none if it is not in UTF-16.
pub(super) fn order(begin: &[u8]) -> Option<Order> {
    match begin {
        [0xFF, 0xFE, ..] => Some(Order::Little),
        [0xFE, 0xFF, ..] => Some(Order::Big),
        // Without the mark: what logs begin with is ASCII.
        [1..=0x7F, 0, 1..=0x7F, 0, ..] => Some(Order::Little),
        [0, 1..=0x7F, 0, 1..=0x7F, ..] => Some(Order::Big),
        _ => None,
    }
}

/// A reader of UTF-8.
pub(super) struct Utf16<R> {
    input: R,
    order: Order,
    /// A unit whose second byte, or a pair whose second unit, is still to come.
    byte: Option<u8>,
    high: Option<u16>,
    /// What was made and not taken yet.
    made: Vec<u8>,
    taken: usize,
}

impl<R: BufRead> Utf16<R> {
    pub(super) fn new(input: R, order: Order) -> Self {
        Self { input, order, byte: None, high: None, made: Vec::new(), taken: 0 }
    }

    fn put(&mut self, c: char) {
        self.made.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn unit(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            match char::decode_utf16([high, unit]).next() {
                Some(Ok(c)) if c.len_utf16() == 2 => return self.put(c),
                _ => self.put(char::REPLACEMENT_CHARACTER),
            }
        }
        match unit {
            0xD800..=0xDBFF => self.high = Some(unit),
            _ => self.put(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// Makes more; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        (self.made, self.taken) = (Vec::new(), 0);
        let bytes = match self.input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            bytes => bytes?,
        };
        let some = bytes.get(..bytes.len().min(64 * 1024)).unwrap_or_default().to_vec();
        self.input.consume(some.len());
        for byte in &some {
            match self.byte.take() {
                None => self.byte = Some(*byte),
                Some(first) => self.unit(match self.order {
                    Order::Little => u16::from_le_bytes([first, *byte]),
                    Order::Big => u16::from_be_bytes([first, *byte]),
                }),
            }
        }
        if some.is_empty() && (self.byte.take().is_some() || self.high.take().is_some()) {
            self.put(char::REPLACEMENT_CHARACTER);
        }
        Ok(!some.is_empty() || !self.made.is_empty())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.made.len() {
            if !self.more()? {
                return Ok(0);
            }
        }
        let rest = &self.made[self.taken..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn read(bytes: &[u8], order: Order) -> String {
        let mut text = String::new();
        Utf16::new(io::BufReader::with_capacity(3, bytes), order).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn half_a_letter_is_told_as_one_that_is_missing() {
        assert_eq!(read(&[0x41, 0, 0x00, 0xD8, 0x42, 0, 0x43], Order::Little), "A\u{FFFD}B\u{FFFD}");
    }

    proptest! {
        #[test]
        fn a_text_is_read_as_it_was(text: String) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            prop_assert_eq!(read(&little, Order::Little), text.clone());
            prop_assert_eq!(read(&big, Order::Big), text);
        }
    }
}
