//! Sixteen bytes at a time: which of them are of a kind, as bits.
//!
//! A history is long, and most of its bytes are of no interest by themselves; this finds those that are.

use wide::u8x16;

/// The bits of the quotes and backslashes.
#[inline]
pub(crate) fn quotes_or_backslashes(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    (bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

/// The same of 64 bytes.
#[inline]
pub(crate) fn quotes_or_backslashes_of(block: &[u8; 64]) -> u64 {
    bits(block, |bytes| bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')))
}

/// The bits of the quotes, the backslashes, and what no JSON string may hold as it stands.
#[inline]
pub(crate) fn quotes_escapes_or_controls(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    quotes_or_backslashes(chunk) | below(bytes, 0, b' ').to_bitmask()
}

/// How many letters and digits of ASCII a text begins with.
#[inline]
pub(crate) fn letters_and_digits(text: &[u8]) -> usize {
    let mut rest = text;
    while let Some(chunk) = rest.first_chunk::<16>() {
        let bytes = u8x16::new(*chunk);
        let other = !(is_digit(bytes) | is_letter(bytes)).to_bitmask() & 0xFFFF;
        if other != 0 {
            return text.len() - rest.len() + other.trailing_zeros() as usize;
        }
        rest = &rest[16..];
    }
    text.len() - rest.len() + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// What the 64 bytes are that begin somewhere in a text, a bit for each.
#[derive(Default)]
pub(crate) struct Block {
    /// The digits.
    pub(crate) digits: u64,
    /// What words joined by hyphens are made of, letters, digits and hyphens of ASCII; none where there is no digit.
    pub(crate) words: u64,
    /// The blanks with another one behind.
    pub(crate) gaps: u64,
}

impl Block {
    /// The block that begins at `at`; behind the end of the text is nothing of interest.
    #[inline]
    pub(crate) fn at(text: &[u8], at: usize) -> Self {
        let rest = text.get(at..).unwrap_or_default();
        let next = rest.get(64).is_some_and(|byte| *byte <= b' ');
        if let Some(block) = rest.first_chunk::<64>() {
            return Self::of(block, next);
        }
        let mut block = [b'.'; 64];
        block[..rest.len()].copy_from_slice(rest);
        Self::of(&block, next)
    }

    #[inline]
    fn of(block: &[u8; 64], blank_behind: bool) -> Self {
        let (digits, blanks) = (bits(block, is_digit), bits(block, |bytes| below(bytes, 0, b' ' + 1)));
        // Words are asked for only where a digit is.
        let words = if digits == 0 { 0 } else { bits(block, is_word) };
        Self { digits, words, gaps: blanks & (blanks >> 1 | u64::from(blank_behind) << 63) }
    }
}

/// A bit for each byte, as `kind` tells of sixteen at once.
#[inline]
fn bits(block: &[u8; 64], kind: impl Fn(u8x16) -> u8x16) -> u64 {
    let chunks = block.as_chunks::<16>().0.iter().zip([0, 16, 32, 48]);
    chunks.fold(0, |bits, (chunk, place)| bits | u64::from(kind(u8x16::new(*chunk)).to_bitmask()) << place)
}

#[inline]
fn is_digit(bytes: u8x16) -> u8x16 {
    below(bytes, b'0', 10)
}

#[inline]
fn is_word(bytes: u8x16) -> u8x16 {
    is_digit(bytes) | is_letter(bytes) | bytes.simd_eq(u8x16::splat(b'-'))
}

#[inline]
fn is_letter(bytes: u8x16) -> u8x16 {
    below(bytes | u8x16::splat(0x20), b'a', 26)
}

/// Which bytes are `count` values from `least` on.
#[inline]
fn below(bytes: u8x16, least: u8, count: u8) -> u8x16 {
    let from = bytes - u8x16::splat(least);
    from.min(u8x16::splat(count - 1)).simd_eq(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_what_it_is() {
        for byte in 0..=255_u8 {
            for place in [0, 15, 16, 40, 63] {
                let mut text = [b'.'; 80];
                (text[place], text[place + 1]) = (byte, byte);
                let block = Block::at(&text, 0);
                let bit = |bits: u64| bits >> place & 1 == 1;
                assert_eq!(bit(block.digits), byte.is_ascii_digit(), "{byte}");
                assert_eq!(bit(block.words), byte.is_ascii_digit(), "{byte}");
                text[63 - place] = b'7';
                let beside_a_digit = Block::at(&text, 0);
                assert_eq!(bit(beside_a_digit.words), byte.is_ascii_alphanumeric() || byte == b'-', "{byte}");
                assert_eq!(bit(block.gaps), byte <= b' ', "{byte}");
                let quotes = quotes_or_backslashes(text[..16].first_chunk().unwrap());
                assert_eq!(quotes != 0, place < 16 && matches!(byte, b'"' | b'\\'), "{byte}");
                let ends = quotes_escapes_or_controls(text[..16].first_chunk().unwrap());
                assert_eq!(ends != 0, place < 16 && matches!(byte, b'"' | b'\\' | ..b' '), "{byte}");
            }
        }
    }

    #[test]
    fn a_word_ends_where_it_ends() {
        for length in [0, 1, 7, 15, 16, 17, 40] {
            for behind in ["", "-", " and more of it that is long", "é"] {
                let text = format!("{}{behind}", &"aZ09".repeat(10)[..length]);
                assert_eq!(letters_and_digits(text.as_bytes()), length, "{text}");
            }
        }
    }

    #[test]
    fn a_blank_at_the_very_end_has_nothing_behind() {
        assert_eq!(Block::at(b"a ", 0).gaps, 0);
        assert_eq!(Block::at(b"a  ", 0).gaps, 0b10);
        assert_eq!(Block::at(b"a", 7).words, 0);
    }
}
