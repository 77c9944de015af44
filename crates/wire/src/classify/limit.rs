//! Which limit a refusal is about, by the words that providers use.
//!
//! A limiter that knows it holds back what would exceed it again, and lets the rest pass. Sources: official error pages and
//! captured bodies (2026-11).

use weir_units::Dimension;
use weir_units::Dimension::{
    ConcurrentRequests, InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, RequestsPerMinute, TokensPerDay,
    TokensPerMinute,
};

/// Parts of a lower-case message; the first that is found counts, so what holds another comes before it.
const WORDS: &[(&str, Dimension)] = &[
    ("(tpm)", TokensPerMinute),
    ("(rpm)", RequestsPerMinute),
    ("(rpd)", RequestsPerDay),
    ("(tpd)", TokensPerDay),
    ("(itpm)", InputTokensPerMinute),
    ("(otpm)", OutputTokensPerMinute),
    ("input tokens per min", InputTokensPerMinute),
    ("output tokens per min", OutputTokensPerMinute),
    ("tokens per min", TokensPerMinute),
    ("tokens per day", TokensPerDay),
    ("requests per min", RequestsPerMinute),
    ("requests per day", RequestsPerDay),
    ("concurrent", ConcurrentRequests),
    // Anthropic's older words.
    ("number of request tokens has exceeded your per-minute", InputTokensPerMinute),
    ("number of requests has exceeded your per-minute", RequestsPerMinute),
    ("number of request tokens has exceeded your daily", TokensPerDay),
];

/// What a lower-case message names.
pub(super) fn of_words(message: &str) -> Option<Dimension> {
    WORDS.iter().find(|(words, _)| message.contains(words)).map(|row| row.1)
}

/// What Google's quota ids name: `GenerateRequestsPerDayPerProjectPerModel-FreeTier`. Of several the day's, which lasts.
pub(super) fn of_quotas(ids: &[String]) -> Option<Dimension> {
    ids.iter().filter_map(|id| of_quota(id)).max_by_key(|dimension| dimension.is_daily())
}

fn of_quota(id: &str) -> Option<Dimension> {
    match (id.contains("PerDay"), id.contains("PerMinute"), id.contains("Token")) {
        (true, _, true) => Some(TokensPerDay),
        (true, _, false) => Some(RequestsPerDay),
        (false, true, true) if id.contains("Input") => Some(InputTokensPerMinute),
        (false, true, true) => Some(TokensPerMinute),
        (false, true, false) => Some(RequestsPerMinute),
        (false, false, _) => None,
    }
}

/// What an error's `type` names; a type of "tokens" says nothing of the time, and most limits are a minute's.
pub(super) fn of_type(kind: &str) -> Option<Dimension> {
    match kind {
        "tokens" => Some(TokensPerMinute),
        "requests" => Some(RequestsPerMinute),
        _ => None,
    }
}

/// Whether it counts tokens.
pub(super) fn of_tokens(dimension: Dimension) -> bool {
    matches!(dimension, TokensPerMinute | InputTokensPerMinute | OutputTokensPerMinute | TokensPerDay)
}
