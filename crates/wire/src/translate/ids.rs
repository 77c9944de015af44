//! Ids that another dialect's checks accept.
//!
//! Anthropic takes tool-call ids of letters, digits, `_` and `-` alone; OpenAI takes up to 40 characters. An id that does
//! not fit is rewritten by a pure function, so a call and its result, or one turn and the next, still agree.

use std::borrow::Cow;

use crate::Dialect;

/// OpenAI refuses longer ids with `string_above_max_length`.
const LONGEST: usize = 40;

/// The tool-call id that a client or provider of `dialect` is shown for `id`.
pub(crate) fn call_id(dialect: Dialect, id: Cow<'_, str>) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let fits = match dialect {
        Dialect::OpenAi => id.chars().count() <= LONGEST,
        Dialect::Anthropic => !id.is_empty() && id.chars().all(plain),
    };
    if fits {
        return id;
    }
    let kept: String = id.chars().take(LONGEST - 9).map(|c| if plain(c) { c } else { '_' }).collect();
    Cow::Owned(format!("{kept}_{:08x}", fingerprint(id.as_bytes()) as u32))
}

/// The answer id that a client of `dialect` is shown for a provider's `id`; `body` stands in where there is none.
pub(crate) fn answer_id(dialect: Dialect, id: &str, body: &[u8]) -> String {
    let prefix = match dialect {
        Dialect::OpenAi => "chatcmpl-",
        Dialect::Anthropic => "msg_",
    };
    let bare = ["chatcmpl-", "msg_", "gen-"].iter().find_map(|known| id.strip_prefix(known)).unwrap_or(id);
    let kept: String = bare.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    if kept.is_empty() { format!("{prefix}{:016x}", fingerprint(body)) } else { format!("{prefix}{kept}") }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): it need only tell ids of one conversation apart.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_fits_is_kept_and_another_becomes_one_that_does() {
        for (dialect, id, same) in [
            (Dialect::Anthropic, "toolu_01A-b", true),
            (Dialect::Anthropic, "functions.get_weather:0", false),
            (Dialect::Anthropic, "", false),
            (Dialect::OpenAi, "functions.get_weather:0", true),
            (Dialect::OpenAi, "srvtoolu_0123456789012345678901234567890123456789", false),
        ] {
            let shown = call_id(dialect, Cow::Borrowed(id));
            assert_eq!(shown == id, same, "{id}");
            assert_eq!(call_id(dialect, shown.clone()), shown, "rewriting is done once");
            assert!(shown.len() <= LONGEST);
        }
        let (a, b) = ("functions.a:0", "functions.a.0");
        assert_ne!(call_id(Dialect::Anthropic, a.into()), call_id(Dialect::Anthropic, b.into()));
    }

    #[test]
    fn an_answer_id_looks_like_its_dialect() {
        for (dialect, id, shown) in [
            (Dialect::OpenAi, "msg_01Xyz", "chatcmpl-01Xyz"),
            (Dialect::Anthropic, "chatcmpl-9Abc", "msg_9Abc"),
            (Dialect::Anthropic, "0195-aa", "msg_0195-aa"),
            (Dialect::Anthropic, "", "msg_cbf29ce484222325"),
        ] {
            assert_eq!(answer_id(dialect, id, b""), shown);
        }
    }
}
