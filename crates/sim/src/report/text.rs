//! The report for people: the answer first, then what it is made of.

use std::fmt::{self, Write as _};

use weir_units::numbers::{availability, count, counted, micros, share, short};

use super::{Group, LimitUse, Report, Spread};
use crate::record::RecordEnd;

/// Columns of a row's name.
const NAME: usize = 18;

impl Report {
    /// What the run says, in a sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let Self { all, attempts, .. } = self;
        let answered = availability(all.answered, all.requests);
        let refused = match attempts.refused_429 {
            0 => format!("none of {} got a 429", counted(attempts.sent, "attempt")),
            n => format!("{} of {} got a 429", share(n, attempts.sent), counted(attempts.sent, "attempt")),
        };
        format!("{answered} of {} answered; {refused}", counted(all.requests, "request"))
    }

    /// The same scenario with this gateway and with another one, side by side.
    #[must_use]
    pub fn beside(&self, naive: &Self) -> String {
        let mut text = format!(" {:<30}{:>14}{:>16}", "BESIDE IT", "with Weir", "without Weir");
        let mut line = |name: &str, of: &dyn Fn(&Self) -> String| {
            let _ = write!(text, "\n {name:<30}{:>14}{:>16}", of(self), of(naive));
        };
        line("answered", &|of| availability(of.all.answered, of.all.requests));
        line("429s of all attempts", &|of| share(of.attempts.refused_429, of.attempts.sent));
        line("attempts per request", &|of| {
            let tenths = of.attempts.sent * 100 / of.all.requests.max(1);
            format!("{}.{:02}", tenths / 100, tenths % 100)
        });
        line("tokens served", &|of| short(of.all.input_tokens + of.all.output_tokens));
        line("first token p50", &|of| micros(of.all.first_token.p50_us));
        line("first token p95", &|of| micros(of.all.first_token.p95_us));
        text
    }

    /// Which limit is used most, and how much of it.
    fn binding(&self) -> Option<String> {
        let of = self.limits.iter().filter(|of| of.binds).max_by_key(|of| of.used_ppm())?;
        Some(format!("{} is used most, to {} of {}", name_of(of), share(of.used, of.available), short(of.limit)))
    }
}

/// Some lines of at most 100 columns.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        self.binding().map_or(Ok(()), |binding| writeln!(f, "{binding}"))?;
        writeln!(f)?;
        row(f, "REQUESTS", ["requests", "answered", "wait p50", "wait p95", "token p50", "token p95", "whole p95"])?;
        group(f, "all", &self.all)?;
        if self.by_priority.len() > 1 {
            self.by_priority.iter().try_for_each(|of| group(f, &of.name, of))?;
        }
        if self.by_tenant.len() > 1 {
            self.by_tenant.iter().try_for_each(|of| group(f, &format!("tenant {}", of.name), of))?;
        }
        let answered = super::words(RecordEnd::Answered);
        if self.ends.iter().any(|end| end.end != answered) {
            write!(f, "\n {:<NAME$}", "NOT ANSWERED")?;
            let others: Vec<String> = self
                .ends
                .iter()
                .filter(|end| end.end != answered)
                .map(|end| format!("{} {} ({})", count(end.requests), end.end, share(end.requests, self.all.requests)))
                .collect();
            writeln!(f, " {}", others.join(&format!("\n {:NAME$} ", "")))?;
        }
        if !self.limits.is_empty() {
            writeln!(f, "\n {:<30}{:>10}{:>12}{:>15}", "LIMITS", "limit", "used", "worst minute")?;
            self.limits.iter().try_for_each(|of| limit(f, of))?;
        }
        if self.by_tenant.len() > 1 {
            fairness(f, &self.by_tenant)?;
        }
        if let Some(told) = self.predictions {
            writeln!(
                f,
                "\n {:<NAME$} {} of {} kept within what nine of ten are to; half were off by {} at most",
                "PREDICTED WAITS",
                share(told.kept, told.count),
                count(told.count),
                micros(told.median_error_us)
            )?;
        }
        let gateways = if self.gateways > 1 { format!(", {} gateways", self.gateways) } else { String::new() };
        write!(
            f,
            "\n {} simulated{gateways}, seed {}, {}, hash {}",
            micros(self.seconds.saturating_mul(1_000_000)),
            self.seed,
            counted(self.events, "event"),
            self.hash
        )
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, cells: [&str; 7]) -> fmt::Result {
    write!(f, " {:<NAME$}", shortened(name, NAME))?;
    let widths = [10, 10, 12, 12, 12, 12, 13];
    cells.iter().zip(widths).try_for_each(|(cell, width)| write!(f, "{cell:>width$}"))?;
    writeln!(f)
}

fn group(f: &mut fmt::Formatter<'_>, name: &str, of: &Group) -> fmt::Result {
    let time = |spread: Spread, us: u64| if spread.count == 0 { "—".to_owned() } else { micros(us) };
    let cells = [
        count(of.requests),
        availability(of.answered, of.requests),
        time(of.queued, of.queued.p50_us),
        time(of.queued, of.queued.p95_us),
        time(of.first_token, of.first_token.p50_us),
        time(of.first_token, of.first_token.p95_us),
        time(of.whole, of.whole.p95_us),
    ];
    row(f, name, cells.each_ref().map(String::as_str))
}

fn limit(f: &mut fmt::Formatter<'_>, of: &LimitUse) -> fmt::Result {
    let (limit, used) = (short(of.limit), share(of.used, of.available));
    let worst = if of.dimension.is_daily() { "—".to_owned() } else { share(of.worst_minute, of.limit) };
    let binds = if of.binds { "   binds" } else { "" };
    writeln!(f, " {:<30}{limit:>10}{used:>12}{worst:>15}{binds}", shortened(&name_of(of), 29))
}

/// Who got how much of what was served.
fn fairness(f: &mut fmt::Formatter<'_>, tenants: &[Group]) -> fmt::Result {
    writeln!(f, "\n {:<30}{:>10}{:>12}{:>15}", "TOKENS SERVED", "input", "output", "of all tokens")?;
    let tokens = |of: &Group| of.input_tokens + of.output_tokens;
    let all: u64 = tenants.iter().map(tokens).sum();
    tenants.iter().try_for_each(|of| {
        let name = format!("tenant {}", of.name);
        let (input, output, part) = (short(of.input_tokens), short(of.output_tokens), share(tokens(of), all));
        writeln!(f, " {:<30}{input:>10}{output:>12}{part:>15}", shortened(&name, 29))
    })
}

fn name_of(of: &LimitUse) -> String {
    format!("{} {}", of.provider, of.dimension.words())
}

/// A name that may be anything, as it may be shown in `most` columns.
fn shortened(name: &str, most: usize) -> String {
    let name = weir_config::shown(name);
    if name.chars().count() <= most { name } else { name.chars().take(most - 1).chain(['…']).collect() }
}
