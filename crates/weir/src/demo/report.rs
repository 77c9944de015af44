//! The story in words: for a person on a terminal, as one record a line, and as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::act::Act;
use super::bar::cells;
use super::tally::{LookAt, Moved, Provider, Tally, percentile};
use crate::terminal::numbers::{availability, count, counted, micros, millis, share};
use crate::terminal::{bold, painted, shown};

/// A story that was told to its end.
pub(super) struct Story<'a> {
    pub(super) acts: &'a [(Act, Tally)],
    pub(super) whole: &'a Tally,
    pub(super) took: Duration,
    pub(super) speed: u32,
    pub(super) ledger: &'a Path,
}

/// An act that is over, in two lines.
pub(super) fn act_in_words(act: Act, tally: &Tally) -> String {
    let (shape, colour) = act.shape();
    // As wide as the widest shape, which are words where the locale has no shapes.
    let wide = shown("●").chars().count();
    let shape = painted(colour, &format!("{:<wide$}", shown(shape)));
    let seen = bold(&format!("{:<8}", availability(tally.answered, tally.requests)));
    let head = format!(
        "{shape} {:<9} {} {:<13} users saw {seen} openai alone {:<8} first token p95 {}",
        act.name(),
        cells(Duration::ZERO, Duration::ZERO),
        counted(tally.requests, "request"),
        availability(tally.openai.ok, tally.openai.attempts),
        percentile(&tally.first_tokens_us, 95).map_or_else(|| "—".to_owned(), micros),
    );
    format!("{head}\n{:wide$} {:<9} {}", "", "", what_happened(act, tally))
}

fn what_happened(act: Act, tally: &Tally) -> String {
    let Tally { openai, by_second, .. } = *tally;
    let moved = |to: &str| tally.moves.iter().rev().find(|m| m.to == to).map(|m| millis(m.after_ms));
    let anthropic_served = format!("anthropic served {}", count(by_second));
    let mut parts = match act {
        Act::Calm => vec![format!("openai served {}", count(tally.answered.saturating_sub(by_second)))],
        Act::Storm => {
            let refused = share(openai.limited, openai.attempts);
            vec![format!("openai answered 429 to {refused} of {}", counted(openai.attempts, "attempt"))]
        }
        Act::Outage => match tally.moves.iter().find(|m| m.to == "open").map(|m| millis(m.after_ms)) {
            Some(after) => vec![format!("breaker open after {after}, anthropic served {}", count(by_second))],
            None => vec!["its breaker stayed closed".to_owned(), anthropic_served.clone()],
        },
        Act::Recovery => match moved("closed") {
            Some(after) => vec![format!("probes passed, traffic came back in steps, breaker closed after {after}")],
            None => vec!["its breaker is not closed yet".to_owned()],
        },
    };
    if tally.waits > 0 {
        parts.push(format!("{}, {} in all", counted(tally.waits, "wait"), millis(tally.waited_ms)));
    }
    if tally.retries > 0 {
        parts.push(if tally.retries == 1 { "1 retry".to_owned() } else { format!("{} retries", count(tally.retries)) });
    }
    if tally.failovers > 0 {
        parts.push(counted(tally.failovers, "fail-over"));
    }
    if by_second > 0 && matches!(act, Act::Calm | Act::Storm | Act::Recovery) {
        parts.push(anthropic_served);
    }
    parts.join(" · ")
}

impl Story<'_> {
    /// The report for a person.
    pub(super) fn in_words(&self) -> String {
        let whole = self.whole;
        let overhead = |percent| percentile(&whole.overheads_us, percent).map_or_else(|| "—".to_owned(), micros);
        let waits = match whole.waits {
            0 => "no wait".to_owned(),
            waits => format!("{}, {} in all", counted(waits, "wait"), millis(whole.waited_ms)),
        };
        let alone = |provider: Provider| availability(provider.ok, provider.attempts);
        let mut lines = vec![
            bold(&format!(
                "users saw {} answered · openai alone {} · anthropic alone {}",
                availability(whole.answered, whole.requests),
                alone(whole.openai),
                alone(whole.anthropic)
            )),
            format!(
                "{}, {} streamed · retries {} · fail-overs {} · {waits}",
                counted(whole.requests, "request"),
                count(whole.streamed),
                count(whole.retries),
                count(whole.failovers)
            ),
            format!(
                "Weir itself added p50 {}, p99 {} · slowest answer {} · told in {}",
                overhead(50),
                overhead(99),
                micros(whole.longest_us),
                micros(us(self.took))
            ),
        ];
        for (place, line) in moves_in_words(&whole.moves).into_iter().enumerate() {
            lines.push(format!("{:<10} {line}", if place == 0 { "breakers" } else { "" }));
        }
        for (place, look) in whole.look_at.iter().enumerate() {
            let title = if place == 0 { "look inside" } else { "" };
            let ledger = quoted(&self.ledger.display().to_string());
            lines.push(format!("{title:<11} weir trace {} --ledger {ledger}   ({})", look.id, look_in_words(look)));
        }
        lines.join("\n")
    }

    /// The report as one record a line, after those of the acts.
    pub(super) fn as_records(&self) -> String {
        let mut lines = vec![record("report", self.whole)];
        for m in &self.whole.moves {
            let Moved { scope, from, to, why, after_ms } = m;
            lines.push(format!("breaker {scope} after_ms={after_ms} from={from} to={to} why=\"{why}\""));
        }
        for look in &self.whole.look_at {
            let (act, ledger) = (look.act.name(), quoted(&self.ledger.display().to_string()));
            lines.push(format!("look {} act={act} attempts={} ledger={ledger}", look.id, look.attempts));
        }
        lines.join("\n")
    }

    /// The report for programs.
    pub(super) fn as_json(&self) -> Value {
        let mut report = figures(self.whole);
        let acts: Vec<Value> = self
            .acts
            .iter()
            .map(|(act, tally)| {
                let mut figures = figures(tally);
                figures["act"] = act.name().into();
                figures
            })
            .collect();
        let moves =
            |m: &Moved| json!({ "after_ms": m.after_ms, "scope": m.scope, "from": m.from, "to": m.to, "why": m.why });
        let look =
            |l: &LookAt| json!({ "id": l.id, "act": l.act.name(), "attempts": l.attempts, "answered": l.answered });
        report["acts"] = acts.into();
        report["breakers"] = self.whole.moves.iter().map(moves).collect();
        report["look_at"] = self.whole.look_at.iter().map(look).collect();
        report["ledger"] = self.ledger.display().to_string().into();
        report["speed"] = self.speed.into();
        report["took_ms"] = (us(self.took) / 1_000).into();
        report
    }
}

/// The figures of an act as one record.
pub(super) fn act_as_record(act: Act, tally: &Tally) -> String {
    record(&format!("act {}", act.name()), tally)
}

fn record(name: &str, tally: &Tally) -> String {
    let figures = figures(tally);
    let mut line = name.to_owned();
    for (key, value) in figures.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(inner) => inner.iter().for_each(|(part, value)| line.push_str(&format!(" {key}.{part}={value}"))),
            None => line.push_str(&format!(" {key}={value}")),
        }
    }
    line
}

fn figures(tally: &Tally) -> Value {
    let provider = |p: Provider| json!({ "attempts": p.attempts, "ok": p.ok, "refused_429": p.limited });
    json!({
        "requests": tally.requests,
        "answered": tally.answered,
        "streamed": tally.streamed,
        "openai": provider(tally.openai),
        "anthropic": provider(tally.anthropic),
        "answered_by_anthropic": tally.by_second,
        "retries": tally.retries,
        "failovers": tally.failovers,
        "waits": tally.waits,
        "waited_ms": tally.waited_ms,
        "first_token_us": { "p50": percentile(&tally.first_tokens_us, 50), "p95": percentile(&tally.first_tokens_us, 95) },
        "overhead_us": { "p50": percentile(&tally.overheads_us, 50), "p99": percentile(&tally.overheads_us, 99) },
        "longest_us": tally.longest_us,
    })
}

/// A line for each move, but one for all probes in a row that failed.
fn moves_in_words(moves: &[Moved]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(moved) = moves.get(at) {
        let (after, scope) = (millis(moved.after_ms), &moved.scope);
        let failed = |pair: &&[Moved]| {
            pair.len() == 2
                && pair.iter().all(|m| m.scope == *scope)
                && pair[0].to == "half-open"
                && pair[1].to == "open"
        };
        let probes = moves[at..].chunks(2).take_while(failed).count();
        if probes > 1 {
            lines.push(format!("{after:>8}  {scope} open: {probes} probes failed, one after each cooldown"));
            at += probes * 2;
        } else {
            lines.push(format!("{after:>8}  {scope} {} → {}: {}", moved.from, moved.to, moved.why));
            at += 1;
        }
    }
    lines
}

fn look_in_words(look: &LookAt) -> String {
    let tries = counted(look.attempts, "attempt");
    let end = if look.answered { "answered" } else { "not answered" };
    format!("{}: {end}, {tries}", look.act.name())
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

fn us(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_that_fail_in_a_row_are_one_line() {
        let moved = |after_ms, from: &str, to: &str| Moved {
            after_ms,
            scope: "a/m".to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            why: "so".to_owned(),
        };
        let moves = [
            moved(10, "closed", "open"),
            moved(20, "open", "half-open"),
            moved(21, "half-open", "open"),
            moved(30, "open", "half-open"),
            moved(31, "half-open", "open"),
            moved(40, "open", "half-open"),
            moved(50, "half-open", "closed"),
        ];
        let lines = moves_in_words(&moves).join("\n").replace('\u{202f}', " ");
        let expected = "   10 ms  a/m closed → open: so\n   20 ms  a/m open: 2 probes failed, one after each cooldown\n   \
                        40 ms  a/m open → half-open: so\n   50 ms  a/m half-open → closed: so";
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(quoted("/tmp/weir-demo-x/demo.db"), "/tmp/weir-demo-x/demo.db");
        assert_eq!(quoted("my demo's.db"), "'my demo'\\''s.db'");
    }
}
