//! Names that clients and providers chose: made harmless before they are shown.
//!
//! The template escapes what HTML would obey. Here control characters and marks that turn the direction of text become
//! visible, and what is too long loses its middle, where names differ least.

use maud::{Markup, html};

/// How many characters of a name are shown.
const MOST: usize = 64;
/// How many characters of a message are looked at.
const LONGEST: usize = 2_000;

/// `text` with everything visible that would otherwise act: U+202E becomes `⟨U+202E⟩`.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars().take(LONGEST) {
        match c {
            '\n' | '\t' | '\r' => shown.push(' '),
            c if acts(c) => shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Control characters, and what changes how others are laid out or cannot be seen.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` in at most `most` characters, cut in the middle.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let (head, tail) = (most / 2, most.saturating_sub(most / 2 + 1));
    let mut short: String = text.chars().take(head).collect();
    short.push('…');
    short.extend(text.chars().skip(count - tail));
    short
}

/// A name as it is shown.
#[must_use]
pub fn name(text: &str) -> Markup {
    let whole = plain(text);
    let short = cut(&whole, MOST);
    if short == whole {
        return html! { bdi { (short) } };
    }
    html! { bdi title=(cut(&whole, 512)) { (short) } }
}

/// An id: its first eight and last four characters, the whole of it beside.
#[must_use]
pub fn id(text: &str) -> Markup {
    let whole = plain(text);
    let count = whole.chars().count();
    if count <= 16 {
        return html! { bdi class="id" { (whole) } };
    }
    let head: String = whole.chars().take(8).collect();
    let tail: String = whole.chars().skip(count - 4).collect();
    html! { bdi class="id" title=(cut(&whole, 512)) { (head) "…" (tail) } }
}

/// A cell of a CSV file: quoted where it must be, and never a formula to the program that opens it.
#[must_use]
pub fn sheet_cell(text: &str) -> String {
    let text = plain(text);
    let text = match text.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{text}"),
        _ => text,
    };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn what_acts_is_shown_and_not_done() {
        assert_eq!(plain("a\u{202e}b\u{0}c\nd"), "a⟨U+202E⟩b⟨U+0000⟩c d");
        assert_eq!(name("<script>alert(1)</script>").into_string(), "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
        let long = name(&"m".repeat(4_096)).into_string();
        assert!(long.len() < 700 && long.contains('…'), "{} characters", long.len());
        assert_eq!(cut("checkout-bot", 7), "che…bot");
        assert_eq!(
            id("req_01J9ABCDEFGHJKMNPQRSTV7F3A").into_string(),
            "<bdi class=\"id\" title=\"req_01J9ABCDEFGHJKMNPQRSTV7F3A\">req_01J9…7F3A</bdi>"
        );
    }

    #[test]
    fn a_cell_is_no_formula() {
        for (text, cell) in
            [("=1+1", "'=1+1"), ("@a", "'@a"), (" -2", "' -2"), ("a,b", "\"a,b\""), ("a", "a"), ("\t=1", "' =1")]
        {
            assert_eq!(sheet_cell(text), cell);
        }
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_element_or_turns_the_line(text: String) {
            let shown = name(&text).into_string();
            let inner = shown.strip_prefix("<bdi").and_then(|rest| rest.strip_suffix("</bdi>"));
            let (attributes, inner) = inner.and_then(|rest| rest.split_once('>')).unwrap();
            prop_assert!(!inner.contains(['<', '>', '"']) && !attributes.contains('<'));
            prop_assert!(!shown.chars().any(acts));
        }

        #[test]
        fn a_cut_keeps_its_length(text: String, most in 1_usize..100) {
            let count = cut(&text, most).chars().count();
            prop_assert_eq!(count, text.chars().count().min(most));
        }

        #[test]
        fn no_cell_begins_like_a_formula(text: String) {
            let cell = sheet_cell(&text);
            let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(|inner| inner.replace("\"\"", "\""));
            let begins = inner.unwrap_or_else(|| cell.clone()).trim_start().chars().next();
            prop_assert!(!matches!(begins, Some('=' | '+' | '-' | '@')), "{}", cell);
        }
    }
}
