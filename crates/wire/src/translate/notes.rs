//! What a translation leaves out or changes, as the short tokens of the `x-weir-degraded` header.
//!
//! Every fixed token is in [`TOKENS`], and a test holds that list against `docs/translation.md`: a drop that the page
//! does not tell of cannot be emitted.

/// Declares the tokens once, as constants and as a list.
macro_rules! tokens {
    ($($name:ident = $text:literal;)*) => {
        $(pub(super) const $name: &str = $text;)*
        /// Every fixed token.
        #[cfg(test)]
        pub(super) const TOKENS: &[&str] = &[$($text),*];
    };
}

tokens! {
    REASONING = "dropped:reasoning";
    REASONING_EFFORT = "dropped:reasoning_effort";
    CLAMPED_EFFORT = "clamped:reasoning_effort";
    TEMPERATURE = "dropped:temperature";
    CLAMPED_TEMPERATURE = "clamped:temperature";
    TOP_P = "dropped:top_p";
    TOP_K = "dropped:top_k";
    CLAMPED_MAX = "clamped:max_tokens";
    DETAIL = "dropped:detail";
    NAME = "dropped:name";
    CACHE_CONTROL = "dropped:cache_control";
    CITATIONS = "dropped:citations";
    DOCUMENT_CONTEXT = "dropped:document_context";
    USER = "dropped:user";
    STRICT = "dropped:strict";
    RELAXED_STRICT = "relaxed:strict";
    INSTRUCTED_JSON = "instructed:json_object";
    MOVED_SYSTEM = "moved:system";
    MOVED_MEDIA = "moved:tool_result_media";
    INLINED_DOCUMENT = "inlined:document";
    INLINED_SEARCH_RESULT = "inlined:search_result";
    INLINED_IS_ERROR = "inlined:is_error";
    INSERTED_USER = "inserted:user_turn";
    WRAPPED_ARGUMENTS = "wrapped:arguments";
}

/// What begins the token of a hosted or unknown tool; its type follows.
pub(super) const DROPPED_TOOL: &str = "dropped-tool:";
/// What begins the token of a content block that has no counterpart; its type follows.
pub(super) const DROPPED_BLOCK: &str = "dropped-block:";
/// What begins the token of a request field that has no counterpart; its name follows.
pub(super) const DROPPED_FIELD: &str = "dropped:";

/// More than this many tokens would not fit a header that proxies let pass.
const MOST: usize = 32;

/// The tokens of one translation, each once, in the order of what they tell of.
#[derive(Default)]
pub(super) struct Notes {
    list: Vec<String>,
}

impl Notes {
    /// Adds a fixed token.
    pub(super) fn add(&mut self, token: &str) {
        if self.list.len() < MOST && !self.list.iter().any(|t| t == token) {
            self.list.push(token.to_owned());
        }
    }

    /// Adds `prefix` and a word that the client chose, in characters that a header may hold.
    pub(super) fn add_named(&mut self, prefix: &str, word: &str) {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
        let word: String = word.chars().take(64).map(plain).collect();
        self.add(&format!("{prefix}{}", if word.is_empty() { "unnamed" } else { &word }));
    }

    /// The tokens.
    pub(super) fn into_list(self) -> Vec<String> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_write_into_the_header() {
        let mut notes = Notes::default();
        notes.add_named(DROPPED_TOOL, "a\r\nset-cookie: é,x");
        notes.add_named(DROPPED_TOOL, "");
        notes.add(USER);
        notes.add(USER);
        assert_eq!(notes.into_list(), ["dropped-tool:a__set-cookie____x", "dropped-tool:unnamed", "dropped:user"]);
        let mut many = Notes::default();
        for i in 0..1_000 {
            many.add_named(DROPPED_FIELD, &i.to_string());
        }
        assert_eq!(many.into_list().len(), MOST);
    }
}
