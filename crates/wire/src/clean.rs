//! A stranger's words, made fit to keep and to show: short, one line, nothing like a key in them.
//!
//! Providers quote what they were sent, keys included ("Incorrect API key provided: sk-…"), and their messages land in the
//! ledger, in logs and on pages. What looks like a secret goes, even if an innocent hash goes with it.

/// The most characters that are kept.
const KEPT: usize = 300;

/// How keys begin at the providers that mark them, and at Weir.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk-",
    "rk-",
    "weir_",
    "xai-",
    "gsk_",
    "AIza",
    "AKIA",
    "ASIA",
    "hf_",
    "ghp_",
    "github_pat_",
    "xoxb-",
    "eyJ",
    "fw_",
    "r8_",
    "tgp_",
    "ya29.",
    "bedrock-api-key-",
];

/// `text` on one line, at most 300 characters, with key-like parts replaced by `[removed]`.
#[must_use]
pub fn clean_message(text: &str) -> String {
    // Only the beginning can be kept; a hostile megabyte is not walked.
    let window = &text[..text.floor_char_boundary(4_096)];
    let mut kept = String::with_capacity(window.len().min(KEPT));
    let mut after_bearer = false;
    let mut rest = window;
    while let Some(first) = rest.chars().next() {
        if is_token(first) {
            let end = rest.find(|c| !is_token(c)).unwrap_or(rest.len());
            let (token, tail) = rest.split_at(end);
            let bare = token.trim_end_matches(['.', '/', '+']);
            if is_secret(bare) || (after_bearer && bare.len() >= 6) {
                kept.push_str("[removed]");
                kept.push_str(&token[bare.len()..]);
            } else {
                kept.push_str(token);
            }
            after_bearer = precedes_a_key(bare);
            rest = tail;
        } else {
            push_plain(&mut kept, first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shorten(kept.trim())
}

/// `text` with `by` in the place of whatever looks like a key, and how often that was; all else stays as it is.
#[must_use]
pub fn remove_keys(text: &str, by: &str) -> (String, u64) {
    let (mut kept, mut removed) = (String::with_capacity(text.len()), 0);
    let mut after_bearer = false;
    let mut rest = text;
    while let Some(begin) = rest.find(is_token) {
        let (plain, from) = rest.split_at(begin);
        let end = from.find(|c| !is_token(c)).unwrap_or(from.len());
        let (token, tail) = from.split_at(end);
        let bare = token.trim_end_matches(['.', '/', '+']);
        kept.push_str(plain);
        if is_secret(bare) || (after_bearer && bare.len() >= 6) {
            kept.push_str(by);
            kept.push_str(&token[bare.len()..]);
            removed += 1;
        } else {
            kept.push_str(token);
        }
        after_bearer = precedes_a_key(bare);
        rest = tail;
    }
    kept.push_str(rest);
    (kept, removed)
}

fn precedes_a_key(word: &str) -> bool {
    ["bearer", "basic", "x-api-key", "api-key"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// `text` with a `?` in place of whatever a terminal or a page would obey, or hide.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { '?' } else { c }).collect()
}

/// What is not seen, or changes the writing direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Spaces of all kinds become one space; what is invisible or changes the writing direction is dropped.
fn push_plain(kept: &mut String, c: char) {
    if c.is_whitespace() {
        if !kept.ends_with(' ') {
            kept.push(' ');
        }
    } else if !c.is_control() && !is_invisible(c) {
        kept.push(c);
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(KEPT) {
        None => text.to_owned(),
        Some(_) => {
            let end = text.char_indices().nth(KEPT - 1).map_or(text.len(), |(at, _)| at);
            format!("{}…", &text[..end])
        }
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '*' | '/' | '+')
}

fn is_secret(token: &str) -> bool {
    let marked = |part: &str| part.len() >= 8 && PREFIXES.iter().any(|prefix| part.starts_with(prefix));
    token.split('/').any(marked) || has_long_hex(token) || is_long_base64(token)
}

fn has_long_hex(token: &str) -> bool {
    token.split(|c: char| !c.is_ascii_hexdigit()).any(|run| run.len() >= 32)
}

/// Forty and more letters of both cases and digits, without a dot: no word, no address.
fn is_long_base64(token: &str) -> bool {
    token.len() >= 40
        && !token.contains('.')
        && token.bytes().any(|b| b.is_ascii_digit())
        && token.bytes().any(|b| b.is_ascii_uppercase())
        && token.bytes().any(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_removed() {
        for (text, clean) in [
            ("Incorrect API key provided: sk-proj-ab12****cdef.", "Incorrect API key provided: [removed]."),
            ("key=sk-ant-api03-abcdef; next", "key=[removed]; next"),
            ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [removed]"),
            ("x-api-key: hunter2hunter2", "x-api-key: [removed]"),
            ("weir_0123456789abcdef is unknown", "[removed] is unknown"),
            ("AKIAIOSFODNN7EXAMPLE", "[removed]"),
            ("hash 0123456789abcdef0123456789abcdef!", "hash [removed]!"),
            ("token QWxhZGRpbjpvcGVuIHNlc2FtZQ12QWxhZGRpbjpvcGVu", "token [removed]"),
            ("https://host/v1/sk-abcdefgh/x", "https:[removed]"),
        ] {
            assert_eq!(clean_message(text), clean, "{text}");
        }
    }

    #[test]
    fn keys_are_removed_from_a_text_of_any_length_that_is_otherwise_as_it_was() {
        let text = format!(
            "{} use sk-proj-ab12cdef99.\n\tBearer abc.def-ghi, é {}",
            "x ".repeat(5_000),
            "QUJD".repeat(20) + "9a"
        );
        let (clean, removed) = remove_keys(&text, "[key]");
        let expected = format!("{} use [key].\n\tBearer [key], é [key]", "x ".repeat(5_000));
        assert_eq!((clean, removed), (expected, 3));
        assert_eq!(remove_keys("nothing here, é\r\n", "[key]"), ("nothing here, é\r\n".to_owned(), 0));
    }

    #[test]
    fn what_helps_a_person_stays() {
        for text in [
            "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 2s.",
            "You can find your key at https://platform.openai.com/account/api-keys.",
            "no such model: accounts/fireworks/models/llama-v3p1-405b-instruct",
            "request 0190a1b2-1111-2222-3333-444455556666 failed, ask about req_011CSHoEeqs5C35K2UUqR7Fy",
            "task-force is no key",
        ] {
            assert_eq!(clean_message(text), text);
        }
    }

    #[test]
    fn a_hostile_name_is_shown_and_neither_obeyed_nor_hidden() {
        assert_eq!(shown("gpt\u{1b}[31m\u{202e}x\u{200b}\u{7f}\nä 水"), "gpt?[31m?x???ä 水");
    }

    #[test]
    fn the_kept_text_is_one_short_line() {
        assert_eq!(clean_message("a\r\n\tb\u{0}\u{1b}[31mc\u{202e}d\u{200b}"), "a b[31mcd");
        let long = clean_message(&"ä ".repeat(5_000));
        assert_eq!(long.chars().count(), 300);
        assert!(long.ends_with('…'));
    }
}
