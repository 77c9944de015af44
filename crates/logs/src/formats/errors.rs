//! What an error was, from the words that tools write down of it.

/// Names of errors in SDKs and in LiteLLM, and the status that each stands for; 0 is no answer at all.
const CLASSES: &[(&str, u16)] = &[
    ("RateLimit", 429),
    ("rate_limit", 429),
    ("Authentication", 401),
    ("authentication_error", 401),
    ("PermissionDenied", 403),
    ("NotFound", 404),
    ("not_found", 404),
    ("ContextWindowExceeded", 400),
    ("ContentPolicyViolation", 400),
    ("BadRequest", 400),
    ("invalid_request_error", 400),
    ("UnprocessableEntity", 422),
    ("Conflict", 409),
    ("ServiceUnavailable", 503),
    ("overloaded", 529),
    ("Overloaded", 529),
    ("InternalServer", 500),
    ("BadGateway", 502),
    ("BudgetExceeded", 400),
    ("Timeout", 0),
    ("timeout", 0),
    ("APIConnection", 0),
    ("ConnectError", 0),
    ("ReadError", 0),
];

/// The status that the name of an error stands for; 0 where there was no answer.
pub(super) fn of_class(class: &str) -> Option<u16> {
    CLASSES.iter().find(|(part, _)| class.contains(part)).map(|(_, status)| *status)
}

/// What a word about how a call ended says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was answered, or nobody can tell.
    Unsaid,
    /// It failed, with a status where the word says one.
    Failed(Option<u16>),
    /// Its client left.
    Abandoned,
}

/// What a word, in small letters, says of how a call ended: `429`, `http 429`, `rate_limited`, `failure`, `cancelled`.
pub(super) fn ending(word: &str) -> Ending {
    let parts = || word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    if let Some(status) = parts().find_map(|part| if part.len() == 3 { status(part) } else { None }) {
        return if status >= 400 { Ending::Failed(Some(status)) } else { Ending::Unsaid };
    }
    let begins = |starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
    if begins(&["cancel", "abort", "client_closed", "client closed", "disconnect"]) {
        return Ending::Abandoned;
    }
    let limited =
        (word.contains("rate") && word.contains("limit")) || word.contains("throttl") || word.contains("quota");
    if limited {
        return Ending::Failed(Some(429));
    }
    if word.contains("overloaded") {
        return Ending::Failed(Some(529));
    }
    let failed = begins(&["fail", "error", "exception", "timeout", "timed", "time out", "refused", "denied"])
        || matches!(word, "status_code_error" | "false" | "ko" | "nok");
    if failed { Ending::Failed(None) } else { Ending::Unsaid }
}

/// The status that a sentence about an error names.
pub(super) fn of_message(message: &str) -> Option<u16> {
    let window = &message[..message.floor_char_boundary(2_000)];
    for mark in [
        "Error code: ",
        "status code: ",
        "status code ",
        "status_code=",
        "status_code: ",
        "\"code\": ",
        "HTTP/1.1 ",
        "HTTP ",
        "status: ",
    ] {
        if let Some((_, rest)) = window.split_once(mark)
            && let Some(status) = leading(rest.trim_start_matches('"'))
        {
            return Some(status);
        }
    }
    if let Some(status) = leading(window.trim_start()) {
        return Some(status);
    }
    let lower = window.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["rate limit", "ratelimit", "rate_limit", "too many requests", "quota exceeded", "resource_exhausted"]) {
        return Some(429);
    }
    if says(&["overloaded"]) {
        return Some(529);
    }
    None
}

/// The status that a text begins with, as a word of its own.
fn leading(text: &str) -> Option<u16> {
    let word = text.get(..3)?;
    let ends = !text[3..].starts_with(|c: char| c.is_ascii_alphanumeric());
    ends.then(|| status(word)).flatten().filter(|status| *status >= 400)
}

/// A status that HTTP has.
pub(super) fn status(text: &str) -> Option<u16> {
    let text = text.trim();
    let number =
        text.split_once('.').map_or(text, |(whole, part)| if part.bytes().all(|b| b == b'0') { whole } else { text });
    let number = number.split_once(' ').map_or(number, |(first, _)| first);
    number.parse().ok().filter(|status| (100..=599).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_how_a_call_ended() {
        for (word, said) in [
            ("http 429", Ending::Failed(Some(429))),
            ("error 503", Ending::Failed(Some(503))),
            ("rate_limited", Ending::Failed(Some(429))),
            ("throttled", Ending::Failed(Some(429))),
            ("failure", Ending::Failed(None)),
            ("timed_out", Ending::Failed(None)),
            ("status_code_error", Ending::Failed(None)),
            ("cancelled", Ending::Abandoned),
            ("ok", Ending::Unsaid),
            ("http 200", Ending::Unsaid),
            ("success", Ending::Unsaid),
            ("", Ending::Unsaid),
        ] {
            assert_eq!(ending(word), said, "{word}");
        }
    }

    #[test]
    fn a_status_is_found_in_words() {
        assert_eq!(of_class("RateLimitError"), Some(429));
        assert_eq!(of_class("litellm.exceptions.Timeout"), Some(0));
        assert_eq!(of_class("KeyError"), None);
        for (message, status) in [
            ("Error code: 429 - {'error': …}", Some(429)),
            ("RateLimitError: 429 Too Many Requests", Some(429)),
            ("429 You exceeded your current quota", Some(429)),
            ("litellm.RateLimitError: OpenAIException - Rate limit reached", Some(429)),
            ("Request failed with status code 503", Some(503)),
            ("Overloaded", Some(529)),
            ("cost 4290 dollars", None),
            ("", None),
        ] {
            assert_eq!(of_message(message), status, "{message}");
        }
        assert_eq!(
            (status("429"), status("200.0"), status("200 OK"), status("-2"), status("7")),
            (Some(429), Some(200), Some(200), None, None)
        );
    }
}
