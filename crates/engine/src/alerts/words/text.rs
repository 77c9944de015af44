//! Strangers' names, made fit for a message: short, on one line, and no link.

/// The most characters of a subject.
pub(super) const SUBJECT: usize = 80;
/// And of the line that says how an alert ended.
pub(super) const CLOSING: usize = 120;

/// `text` on one line and at most so long, with a `?` in place of what a terminal or a page would obey, or hide.
pub(in crate::alerts) fn plain(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for (length, c) in text.chars().enumerate() {
        let c = match c {
            c if c.is_whitespace() => ' ',
            c if c.is_control() || is_invisible(c) => '?',
            c => c,
        };
        if length == most {
            kept.pop();
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept
}

/// What is not seen, or changes the writing direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` without anything that a chat would make a link or a mention of: `https[:]//x`, `www[.]x`, `[at]here`.
fn defused(text: &str) -> String {
    let text = text.replace("://", "[:]//").replace('@', "[at]");
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = find_ignoring_case(rest, &["www.", "mailto:", "tel:"]) {
        let (before, from) = rest.split_at(at);
        let end = from.find(['.', ':']).unwrap_or(0);
        kept.push_str(before);
        kept.push_str(&from[..end]);
        kept.push_str(if from[end..].starts_with('.') { "[.]" } else { "[:]" });
        rest = &from[end + 1..];
    }
    kept.push_str(rest);
    kept
}

fn find_ignoring_case(text: &str, words: &[&str]) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    words.iter().filter_map(|word| lower.find(word)).min()
}

/// A name as messages have it.
pub(super) fn name(text: &str, most: usize) -> String {
    defused(&plain(text, most))
}

/// The longest of a subject's forms that fits: names are cut before figures are.
pub(super) fn fit(form: impl Fn(usize) -> String) -> String {
    fit_within(SUBJECT, form)
}

/// The longest of the forms that has at most so many characters.
pub(super) fn fit_within(characters: usize, form: impl Fn(usize) -> String) -> String {
    let forms = [60, 44, 32, 22, 14, 8].map(form);
    let fits = forms.iter().find(|text| text.chars().count() <= characters);
    fits.cloned().unwrap_or_else(|| plain(&forms[5], characters))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    #[test]
    fn links_and_mentions_are_no_more() {
        for (text, said) in [
            ("https://evil.test/x", "https[:]//evil.test/x"),
            ("WWW.evil.test and www.b", "WWW[.]evil.test and www[.]b"),
            ("mailto:a@b", "mailto[:]a[at]b"),
            ("<!here> @channel", "<!here> [at]channel"),
            ("openai/gpt-5.2", "openai/gpt-5.2"),
        ] {
            assert_eq!(defused(text), said);
        }
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_it_is_one_short_line_without_links(text in ".{0,300}") {
            let said = name(&text, 40);
            prop_assert!(!said.contains("://") && !said.contains('@') && !said.to_ascii_lowercase().contains("www."));
            prop_assert!(said.chars().all(|c| !c.is_control() && !is_invisible(c)), "{:?}", said);
            prop_assert!(plain(&text, 40).chars().count() <= 40);
            let subject = fit(|most| format!("Run halted: {}", name(&text, most)));
            prop_assert!(subject.chars().count() <= SUBJECT);
        }
    }
}
