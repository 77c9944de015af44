//! Escapes of JSON strings, read so that nothing is lost where they are broken.

/// What the inside of a JSON string means. What means nothing, such as half a surrogate pair or an escape that is cut, becomes
/// `U+FFFD`.
#[must_use]
pub fn unescape(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else {
            text.push(char::REPLACEMENT_CHARACTER);
            return text;
        };
        rest = &rest[escape.len_utf8()..];
        text.push(match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => escape,
            'u' => {
                let (read, left) = unit(rest);
                rest = left;
                read
            }
            _ => char::REPLACEMENT_CHARACTER,
        });
    }
    text.push_str(rest);
    text
}

/// The character after `\u`, which may be two such escapes, and what follows it.
fn unit(text: &str) -> (char, &str) {
    let Some((first, rest)) = digits(text) else { return (char::REPLACEMENT_CHARACTER, text) };
    if !(0xD800..0xDC00).contains(&first) {
        return (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest);
    }
    match rest.strip_prefix("\\u").and_then(digits) {
        Some((second, after)) if (0xDC00..0xE000).contains(&second) => {
            let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), after)
        }
        _ => (char::REPLACEMENT_CHARACTER, rest),
    }
}

fn digits(text: &str) -> Option<(u32, &str)> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_broken_is_shown_and_the_rest_is_not_lost() {
        for (inner, text) in [
            (r"a\nb", "a\nb"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d!", "\u{fffd}!"),
            (r"\ud83dA", "\u{fffd}A"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ude00", "\u{fffd}"),
            (r"\u12", "\u{fffd}12"),
            (r"\u00é", "\u{fffd}00é"),
            (r"\x", "\u{fffd}"),
            ("a\\", "a\u{fffd}"),
        ] {
            assert_eq!(unescape(inner), text, "{inner}");
        }
    }

    proptest! {
        #[test]
        fn what_was_escaped_comes_back(text in "\\PC*|[\\x00-\\x7f]*") {
            let literal = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescape(&literal[1..literal.len() - 1]), text);
        }
    }
}
