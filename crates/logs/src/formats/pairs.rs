//! Lines of pairs, `time=… status=429 request="POST /v1/x HTTP/1.1"`: logfmt, and access logs that are laid out like it.

use std::borrow::Cow;

use crate::json::{Fields, Paths, Raw};

/// A line of fewer pairs is prose with an equals sign in it.
const FEWEST: usize = 3;

/// The fields of a line; none if it is no such line.
pub(super) fn read<'a>(line: &'a str, paths: &Paths) -> Option<Fields<'a>> {
    let mut fields = Fields::default();
    let (mut rest, mut pairs) = (line.trim_start(), 0);
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', '=']).unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(value) = rest[end..].strip_prefix('=') else {
            // A word before the pairs, such as a time or a level.
            rest = rest[end..].trim_start();
            continue;
        };
        let length = match value.strip_prefix('"') {
            Some(inside) => {
                inside.match_indices('"').find(|(at, _)| *at == 0 || inside.as_bytes()[at - 1] != b'\\')?.0 + 2
            }
            None => value.find([' ', '\t']).unwrap_or(value.len()),
        };
        let text = value[..length].trim_matches('"');
        if let Some(node) = paths.column(name) {
            crate::json::put(&mut fields, paths, node, Raw::Text(Cow::Borrowed(text)));
        }
        pairs += 1;
        rest = value[length..].trim_start();
    }
    (pairs >= FEWEST).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Slot;

    #[test]
    fn pairs_are_read_and_prose_is_not() {
        let paths = Paths::default();
        let line = r#"time="2026-11-18T14:47:03+00:00" status=429 request="POST /v1/chat/completions HTTP/1.1" request_time=0.1"#;
        let fields = read(line, &paths).unwrap();
        assert_eq!((fields.count(Slot::Status), fields.time(Slot::At).is_some()), (Some(429), true));
        assert_eq!(fields.text(Slot::RequestLine).as_deref(), Some("POST /v1/chat/completions HTTP/1.1"));
        for wrong in ["", "a=1 and no more", "x=\"open", "plain words only"] {
            assert!(read(wrong, &paths).is_none(), "{wrong}");
        }
    }
}
