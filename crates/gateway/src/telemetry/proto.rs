//! Writes the few protobuf messages of OTLP that are sent, straight into bytes.
//!
//! Field numbers are those of opentelemetry-proto 1.x, whose messages are stable. Nothing is built in between: a span goes from the
//! record to its bytes in one pass. The encoding is proved by decoders that are made from the official definitions.

use weir_wire::shown;

/// The longest text of an attribute, in bytes; what is longer is cut.
pub(crate) const LONGEST: usize = 300;

/// A protobuf message in the making.
#[derive(Default)]
pub(crate) struct Proto(pub(crate) Vec<u8>);

impl Proto {
    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    /// An integer, an enumeration or a flag.
    pub(crate) fn number(&mut self, field: u32, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.key(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        self.key(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A text of Weir's own, or one that was cleaned.
    pub(crate) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A text that somebody else chose: cut, and without what a terminal or a page would obey.
    pub(crate) fn foreign(&mut self, field: u32, value: &str) {
        if is_plain(value) { self.text(field, value) } else { self.text(field, &cleaned(value)) }
    }

    /// The beginning of a message inside this one, whose `length` bytes follow.
    pub(crate) fn opened(&mut self, field: u32, length: usize) {
        self.key(field, 2);
        self.varint(length as u64);
    }

    /// A message inside this one.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, 2);
        let begin = self.0.len();
        // Most messages are short. The length of a long one takes more room, which is made when it is known.
        self.0.push(0);
        write(self);
        let mut length = self.0.len() - begin - 1;
        let mut bytes = [0_u8; 10];
        let mut count = 0;
        loop {
            let low = (length & 0x7f) as u8;
            length >>= 7;
            bytes[count] = if length > 0 { low | 0x80 } else { low };
            count += 1;
            if length == 0 {
                break;
            }
        }
        if count == 1 {
            self.0[begin] = bytes[0];
        } else {
            let end = self.0.len();
            self.0.resize(end + count - 1, 0);
            self.0.copy_within(begin + 1..end, begin + count);
            self.0[begin..begin + count].copy_from_slice(&bytes[..count]);
        }
    }

    /// An attribute that is a text of Weir's own.
    pub(crate) fn attribute(&mut self, field: u32, key: &str, value: &str) {
        if !self.short_pair(field, key, &[0x0a, value.len().min(127) as u8], value.as_bytes()) {
            self.pair(field, key, |any| any.text(1, value));
        }
    }

    /// An attribute that somebody else chose.
    pub(crate) fn foreign_attribute(&mut self, field: u32, key: &str, value: &str) {
        if is_plain(value) { self.attribute(field, key, value) } else { self.attribute(field, key, &cleaned(value)) }
    }

    /// The same, if there is one.
    pub(crate) fn some_attribute(&mut self, field: u32, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.foreign_attribute(field, key, value);
        }
    }

    /// An attribute that is a whole number.
    pub(crate) fn count_attribute(&mut self, field: u32, key: &str, value: u64) {
        if value < 128 && self.short_pair(field, key, &[0x18, value as u8], &[]) {
            return;
        }
        // The type is a signed one; what is beyond it is as good as endless.
        self.pair(field, key, |any| any.number(3, value.min(i64::MAX.unsigned_abs())));
    }

    pub(crate) fn double_attribute(&mut self, field: u32, key: &str, value: f64) {
        self.pair(field, key, |any| any.double(4, value));
    }

    pub(crate) fn flag_attribute(&mut self, field: u32, key: &str, value: bool) {
        self.pair(field, key, |any| any.number(2, u64::from(value)));
    }

    /// An attribute that is a list of texts.
    pub(crate) fn list_attribute<'a>(&mut self, field: u32, key: &str, values: impl Iterator<Item = &'a str>) {
        self.pair(field, key, |any| {
            any.message(5, |list| values.for_each(|value| list.message(1, |any| any.foreign(1, value))));
        });
    }

    /// Writes an attribute in one go if it is short, as nearly all are: then each length is one byte and known before. The value is
    /// `head`, its key and length, and `value`.
    fn short_pair(&mut self, field: u32, key: &str, head: &[u8; 2], value: &[u8]) -> bool {
        let any = 2 + value.len();
        let pair = 2 + key.len() + 2 + any;
        if pair >= 128 || field >= 16 {
            return false;
        }
        self.0.reserve(2 + pair);
        self.0.extend_from_slice(&[(field << 3 | 2) as u8, pair as u8, 0x0a, key.len() as u8]);
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(&[0x12, any as u8, head[0], head[1]]);
        self.0.extend_from_slice(value);
        true
    }

    fn pair(&mut self, field: u32, key: &str, write: impl FnOnce(&mut Self)) {
        self.message(field, |pair| {
            pair.text(1, key);
            pair.message(2, write);
        });
    }
}

/// Whether a text can be shown as it is. Without an early end, so that many bytes are looked at at once.
fn is_plain(text: &str) -> bool {
    text.len() <= LONGEST && text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte))
}

fn cleaned(text: &str) -> String {
    let mut kept = shown(&text[..text.floor_char_boundary(4 * LONGEST)]);
    kept.truncate(kept.floor_char_boundary(LONGEST));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_attributes_are_written_alike() {
        for length in [0, 1, 100, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 127, 128, 200, LONGEST] {
            let (value, count) = ("v".repeat(length), length as u64);
            let mut proto = Proto::default();
            proto.attribute(9, "key", &value);
            proto.foreign_attribute(9, "key", &value);
            proto.count_attribute(9, &value, count);
            let mut expected = Proto::default();
            expected.pair(9, "key", |any| any.text(1, &value));
            expected.pair(9, "key", |any| any.text(1, &value));
            expected.pair(9, &value, |any| any.number(3, count));
            assert_eq!(proto.0, expected.0, "{length}");
        }
    }

    #[test]
    fn messages_are_written_as_the_format_wants_them() {
        let mut proto = Proto::default();
        proto.number(6, 300);
        proto.fixed32(16, 0x0301);
        proto.text(5, "chat");
        assert_eq!(proto.0, b"\x30\xac\x02\x85\x01\x01\x03\x00\x00\x2a\x04chat");
        let mut proto = Proto::default();
        proto.attribute(9, "a", "b");
        proto.count_attribute(9, "n", 1);
        proto.flag_attribute(9, "f", true);
        assert_eq!(
            proto.0,
            b"\x4a\x08\x0a\x01a\x12\x03\x0a\x01b\x4a\x07\x0a\x01n\x12\x02\x18\x01\x4a\x07\x0a\x01f\x12\x02\x10\x01"
        );
    }

    #[test]
    fn a_long_message_has_its_length_before_it() {
        for length in [127, 128, 300, 16_383, 16_384, 70_000] {
            let mut proto = Proto::default();
            proto.text(1, "before");
            let begin = proto.0.len();
            proto.message(2, |inner| inner.0.resize(inner.0.len() + length, 7));
            proto.text(3, "after");
            let mut expected = Proto::default();
            expected.bytes(2, &vec![7; length]);
            expected.text(3, "after");
            assert!(proto.0[begin..] == expected.0[..], "{length}");
        }
    }

    #[test]
    fn what_others_chose_is_cut_and_cleaned() {
        let mut proto = Proto::default();
        proto.foreign(1, "a\u{1b}[2Jb");
        assert!(!proto.0.contains(&0x1b));
        let mut proto = Proto::default();
        proto.foreign(1, &"ü".repeat(5_000));
        assert!(proto.0.len() <= LONGEST + 3);
        assert!(std::str::from_utf8(&proto.0[3..]).is_ok());
    }
}
