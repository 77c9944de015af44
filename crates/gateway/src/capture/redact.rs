//! What is taken out of captured texts before anything is written: keys, e-mail addresses, card numbers, and what the
//! configuration's own rules find.
//!
//! JSON is not searched as it stands, where an escape would hide a letter, but string by string, each as it means; strings that hold
//! JSON again, as the arguments of tools do, as well.

use std::sync::LazyLock;

use regex::Regex;

/// A private key, also one whose end is cut off.
static PRIVATE_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)";
    Regex::new(pattern).ok()
});
static E_MAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}").ok());
/// Thirteen to nineteen digits that begin as those of the large card schemes do, in groups or not.
static CARD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b[2-6](?:[ -]?[0-9]){12,18}\b").ok());

/// How deep JSON in strings of JSON is looked into.
const DEEPEST: usize = 4;

/// The rules of one route and key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    own: Vec<Regex>,
}

/// A text without what the rules take out, and how often that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redacted {
    pub(crate) text: String,
    pub(crate) removed: u64,
}

impl Rules {
    pub(crate) fn new(own: Vec<Regex>) -> Self {
        Self { own }
    }

    /// A text that is just text.
    pub(crate) fn text(&self, text: &str) -> Redacted {
        let mut found = Redacted { text: text.to_owned(), removed: 0 };
        for (n, rule) in self.own.iter().enumerate() {
            found.replace(rule, &format!("[removed: rule {}]", n + 1), |part| !part.is_empty());
        }
        let built_in = [(&PRIVATE_KEY, "[removed: key]"), (&E_MAIL, "[removed: e-mail]")];
        for (rule, by) in built_in {
            if let Some(rule) = &**rule {
                found.replace(rule, by, |_| true);
            }
        }
        if let Some(rule) = &*CARD {
            found.replace(rule, "[removed: card]", is_card);
        }
        let (text, removed) = weir_wire::remove_keys(&found.text, "[removed: key]");
        Redacted { text, removed: found.removed + removed }
    }

    /// A text that is JSON, or was before it was cut.
    pub(crate) fn json(&self, text: &str) -> Redacted {
        self.json_within(text, DEEPEST)
    }

    fn json_within(&self, text: &str, depth: usize) -> Redacted {
        let mut whole = Redacted { text: String::with_capacity(text.len()), removed: 0 };
        let mut rest = text;
        while let Some(quote) = rest.find('"') {
            // Numbers stand outside of strings.
            whole.add(&self.text(&rest[..quote]));
            let after = &rest[quote + 1..];
            let end = end_of_string(after);
            let inner = &after[..end.unwrap_or(after.len())];
            let meant = weir_wire::unescape(inner);
            let nested = depth > 0 && meant.starts_with(['{', '[']) && meant.contains('"');
            let clean = if nested { self.json_within(&meant, depth - 1) } else { self.text(&meant) };
            whole.text.push('"');
            if clean.removed == 0 {
                whole.text.push_str(inner);
            } else {
                let written = serde_json::Value::from(clean.text).to_string();
                whole.text.push_str(&written[1..written.len() - 1]);
                whole.removed += clean.removed;
            }
            let Some(end) = end else { return whole };
            whole.text.push('"');
            rest = &after[end + 1..];
        }
        whole.add(&self.text(rest));
        whole
    }
}

impl Redacted {
    fn add(&mut self, more: &Self) {
        self.text.push_str(&more.text);
        self.removed += more.removed;
    }

    fn replace(&mut self, rule: &Regex, by: &str, really: impl Fn(&str) -> bool) {
        let mut kept = String::new();
        let mut from = 0;
        for found in rule.find_iter(&self.text).filter(|found| really(found.as_str())) {
            kept.push_str(&self.text[from..found.start()]);
            kept.push_str(by);
            from = found.end();
            self.removed += 1;
        }
        if from > 0 {
            kept.push_str(&self.text[from..]);
            self.text = kept;
        }
    }

    /// At most `most` bytes of it; whether something was cut off.
    pub(crate) fn cut(&mut self, most: usize) -> bool {
        let cut = self.text.len() > most;
        self.text.truncate(self.text.floor_char_boundary(most));
        cut
    }
}

/// Where a string of JSON ends: at a quote that no backslash stands before.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Whether these digits can be a card's (ISO/IEC 7812-1, annex B).
fn is_card(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit) {
            (1, 5..) => 2 * digit - 9,
            (1, _) => 2 * digit,
            _ => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(own: &[&str]) -> Rules {
        Rules::new(own.iter().map(|rule| Regex::new(rule).unwrap()).collect())
    }

    #[test]
    fn keys_addresses_and_cards_are_taken_out_and_what_only_looks_like_them_stays() {
        for (text, clean, removed) in [
            ("write to bob.o'neil+x@mail.example.com!", "write to [removed: e-mail]!", 1),
            ("jürgen@müller.de", "[removed: e-mail]", 1),
            ("card 4111 1111 1111 1111, exp 12/27", "card [removed: card], exp 12/27", 1),
            ("378282246310005 and 5555-5555-5555-4444", "[removed: card] and [removed: card]", 2),
            ("4111 1111 1111 1112 fails the check", "4111 1111 1111 1112 fails the check", 0),
            ("at 1795013223114 ms, order 12345", "at 1795013223114 ms, order 12345", 0),
            ("key sk-proj-abcdefgh1234 here", "key [removed: key] here", 1),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nrest", "[removed: key]\nrest", 1),
            ("-----BEGIN PRIVATE KEY-----\nMIIB and no end", "[removed: key]", 1),
            ("a @ b, x@localhost, @mention, 3 < 4", "a @ b, x@localhost, @mention, 3 < 4", 0),
        ] {
            assert_eq!(rules(&[]).text(text), Redacted { text: clean.to_owned(), removed }, "{text}");
        }
    }

    #[test]
    fn own_rules_are_named_by_their_place() {
        let own = rules(&[r"PRJ-\d+", r"(?i)secret\s+\w+"]);
        let found = own.text("PRJ-17: the Secret garden, PRJ-18");
        assert_eq!(found.text, "[removed: rule 1]: the [removed: rule 2], [removed: rule 1]");
        assert_eq!(found.removed, 3);
    }

    #[test]
    fn no_escape_hides_anything_and_what_is_clean_stays_as_it_was_written() {
        let own = rules(&["tango"]);
        for (text, clean) in [
            (r#"{"a":"bob\u0040x.example","n":1.50}"#, r#"{"a":"[removed: e-mail]","n":1.50}"#),
            (r#"{"a":"\u0074ango","b":"caf\u00e9"}"#, r#"{"a":"[removed: rule 1]","b":"caf\u00e9"}"#),
            (r#"{"a":"x\nbob@x.example\n"}"#, r#"{"a":"x\n[removed: e-mail]\n"}"#),
            (r#"{"card":4111111111111111}"#, r#"{"card":[removed: card]}"#),
            (r#"{"bob@x.example":1}"#, r#"{"[removed: e-mail]":1}"#),
            (
                r#"{"arguments":"{\"to\":\"bob\\u0040x.example\",\"n\":1}"}"#,
                r#"{"arguments":"{\"to\":\"[removed: e-mail]\",\"n\":1}"}"#,
            ),
            // Cut in the middle of a string, and of an escape.
            (r#"{"a":"bob@x.example, and "#, r#"{"a":"[removed: e-mail], and "#),
            (r#"{"a":"tango\"#, "{\"a\":\"[removed: rule 1]\u{fffd}"),
            (r#"{"a":"it says \"tango\" \\","b":"ok"}"#, r#"{"a":"it says \"[removed: rule 1]\" \\","b":"ok"}"#),
        ] {
            assert_eq!(own.json(text).text, clean, "{text}");
        }
        let clean = r#"{ "model" : "m\/x", "t": [1, "\ud83d", ""] }"#;
        assert_eq!(own.json(clean), Redacted { text: clean.to_owned(), removed: 0 });
    }

    #[test]
    fn json_in_json_is_looked_into_but_not_without_end() {
        let mut text = r#"{"a":"bob@x.example"}"#.to_owned();
        for _ in 0..40 {
            text = serde_json::json!({ "a": &text[..text.len().min(4_000)] }).to_string();
        }
        assert!(rules(&[]).json(&text).text.starts_with(r#"{"a":""#), "it ends");
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let mut text = Redacted { text: "añb".to_owned(), removed: 0 };
        assert!(text.cut(2) && text.text == "a");
        assert!(!text.cut(2));
    }
}
