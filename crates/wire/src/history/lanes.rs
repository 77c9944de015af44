//! Sixteen bytes at a time: which of them are of a kind, as bits.
//!
//! A history is long, and most of its bytes are of no interest by themselves; this finds those that are.

use wide::u8x16;

/// The bits of the quotes and backslashes.
#[inline]
pub(super) fn quotes_or_backslashes(chunk: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*chunk);
    (bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

/// What the 64 bytes are that begin somewhere in a text, a bit for each.
#[derive(Default)]
pub(super) struct Block {
    /// The digits.
    pub(super) digits: u64,
    /// What words joined by hyphens are made of: letters, digits and hyphens of ASCII.
    pub(super) words: u64,
    /// The blanks with another one behind.
    pub(super) gaps: u64,
}

impl Block {
    /// The block that begins at `at`; behind the end of the text is nothing of interest.
    #[inline]
    pub(super) fn at(text: &[u8], at: usize) -> Self {
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
        let (mut digits, mut words, mut blanks) = (0, 0, 0);
        for (chunk, place) in block.as_chunks::<16>().0.iter().zip([0, 16, 32, 48]) {
            let bytes = u8x16::new(*chunk);
            let below = |bytes: u8x16, least: u8, count: u8| {
                let from = bytes - u8x16::splat(least);
                from.min(u8x16::splat(count - 1)).simd_eq(from)
            };
            let digit = below(bytes, b'0', 10);
            let letter = below(bytes | u8x16::splat(0x20), b'a', 26);
            let hyphen = bytes.simd_eq(u8x16::splat(b'-'));
            digits |= u64::from(digit.to_bitmask()) << place;
            words |= u64::from((digit | letter | hyphen).to_bitmask()) << place;
            blanks |= u64::from(below(bytes, 0, b' ' + 1).to_bitmask()) << place;
        }
        Self { digits, words, gaps: blanks & (blanks >> 1 | u64::from(blank_behind) << 63) }
    }
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
                assert_eq!(bit(block.words), byte.is_ascii_alphanumeric() || byte == b'-', "{byte}");
                assert_eq!(bit(block.gaps), byte <= b' ', "{byte}");
                let quotes = quotes_or_backslashes(text[..16].first_chunk().unwrap());
                assert_eq!(quotes != 0, place < 16 && matches!(byte, b'"' | b'\\'), "{byte}");
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
