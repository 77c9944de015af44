//! `capture` of routes and keys: what is kept of prompts and answers, and for how long.

use crate::capture::CapturePart;
use crate::log::{Log, shown};
use crate::written::Table;

/// The most that may be kept of one prompt or answer.
const MOST: u64 = 4 << 20;
/// The most memory that a rule may take once it is compiled.
const LARGEST_RULE: usize = 1 << 20;

/// Reads it; that it is on is a warning, since it is people's words that are kept.
pub(super) fn capture(owner: &str, table: &Table, log: &mut Log<'_>) -> CapturePart {
    let at = table.at("capture");
    let table = table.table("capture");
    let flag = |key| table.get(key).map(|_| table.flag(key));
    let max = table.count("max");
    if max.is_some_and(|max| max > MOST) {
        let message = format!("`capture.max` of {owner} is more than 4 MiB");
        log.fault(table.at("max"), message, "a prompt of 64KiB is some 15,000 tokens".to_owned());
    }
    let mut redact = Vec::new();
    for (rule, at) in table.names("redact") {
        match regex::RegexBuilder::new(rule).size_limit(LARGEST_RULE).build() {
            Ok(compiled) if compiled.is_match("") => {
                let message = format!("`capture.redact` of {owner} takes out nothing, everywhere: `{}`", shown(rule));
                log.fault(at, message, "write a regular expression that matches at least one character".to_owned());
            }
            Ok(_) => redact.push(rule.into()),
            Err(error) => {
                let why = error.to_string();
                let why = shown(why.lines().last().unwrap_or_default().trim_start_matches("error: "));
                let message = format!("`capture.redact` of {owner} is no regular expression: `{}`", shown(rule));
                log.fault(at, message, format!("{why}; see https://docs.rs/regex/latest/regex/#syntax"));
            }
        }
    }
    let part = CapturePart {
        requests: flag("requests"),
        answers: flag("answers"),
        max: max.and_then(|max| usize::try_from(max).ok()),
        retention: table.optional_span("retention"),
        redact,
    };
    if let Some(capture) = part.over(&CapturePart::default()) {
        let what = match (capture.requests, capture.answers) {
            (true, true) => "prompts and answers",
            (true, false) => "prompts",
            _ => "answers",
        };
        let span = weir_units::format_duration(capture.retention);
        let message = format!("{what} of {owner} are captured, and kept in the ledger for {span}");
        log.warn(
            at,
            message,
            "whoever has the role auditor can read them; leave `capture` out to keep none".to_owned(),
        );
    }
    part
}
