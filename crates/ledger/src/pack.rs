//! Numbers and texts in few bytes, for what the database keeps as blobs.

/// Writes.
#[derive(Default)]
pub(crate) struct Pack(pub(crate) Vec<u8>);

impl Pack {
    /// A number, seven bits a byte, the lowest first.
    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Reads what [`Pack`] wrote; none where it ends too early or makes no sense.
pub(crate) struct Unpack<'a>(pub(crate) &'a [u8]);

impl<'a> Unpack<'a> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// Goes on behind a number.
    pub(crate) fn pass(&mut self) -> Option<()> {
        let last = self.0.iter().position(|byte| byte & 0x80 == 0)?;
        self.0 = self.0.get(last + 1..)?;
        Some(())
    }

    /// A number of things that follow, each of one byte at least.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_none() {
        let mut pack = Pack::default();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        numbers.iter().for_each(|number| pack.number(*number));
        pack.text("né");
        for length in 0..pack.0.len() {
            let mut cut = Unpack(&pack.0[..length]);
            let all = numbers.iter().all(|number| cut.number() == Some(*number)) && cut.text() == Some("né");
            assert!(!all, "{length}");
        }
        let mut whole = Unpack(&pack.0);
        assert!(numbers.iter().all(|number| whole.number() == Some(*number)));
        assert_eq!((whole.text(), whole.number()), (Some("né"), None));
    }
}
