//! `weir logs`: requests as they end and facts as they happen, the last ones and, with `--follow`, those to come.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use weir_engine::Zone;
use weir_gateway::{AskFault, Operator};
use weir_units::WallTime;

use crate::server::{Server, encoded, no_answer};
use crate::terminal::{UNREACHABLE, USAGE, fail, moves, print, say, shown};
use crate::top::not_understood;
use crate::top::plain::word;
use crate::trace::{Which, at_millis, list};
use crate::when::clock;
use crate::{Common, reading};

#[derive(Args)]
#[command(
    after_help = "Times are on the clocks of [server] timezone; without a terminal, a record a line is printed, in UTC. The gateway is asked; the\n\
admin key is taken from WEIR_ADMIN_KEY.\n\n\
Exit codes: 0 done · 2 wrong usage, or the admin key is refused · 4 the gateway cannot be reached, or it ended · 130 interrupted"
)]
pub(crate) struct Arguments {
    /// Go on with what happens from now on
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    which: Which,
    /// Only requests, and no facts about the gateway itself
    #[arg(long)]
    no_facts: bool,
    /// How many of the last requests are shown first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    top: u32,
    #[command(flatten)]
    server: Server,
}

/// Prints them.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let (operator, runtime) = match arguments.server.open() {
        Ok(both) => both,
        Err(code) => return code,
    };
    let zone = reading::config(common).map_or(Zone::UTC, |config| config.zone);
    let form = Form { json: common.json, people: moves(), zone };
    match runtime.block_on(tell(&operator, arguments, &form)) {
        Ok(()) if arguments.follow => fail(UNREACHABLE, format_args!("{} has ended the stream", operator.authority())),
        Ok(()) => ExitCode::SUCCESS,
        Err(AskFault::Refused(status, why)) if status.as_u16() == 400 => fail(USAGE, why),
        Err(fault) => no_answer(&fault),
    }
}

async fn tell(operator: &Operator, arguments: &Arguments, form: &Form) -> Result<(), AskFault> {
    let filters = arguments.which.filters();
    let facts = !arguments.no_facts && filters.is_empty();
    let asked: String = filters.iter().map(|(name, text)| format!("&{name}={}", encoded(text))).collect();
    if arguments.top > 0 {
        last(operator, arguments.top, &asked, facts, form).await?;
    }
    if !arguments.follow {
        return Ok(());
    }
    let path = format!("/admin/v1/logs?facts={facts}{asked}");
    operator
        .listen(&path, |event, data| {
            match (event, serde_json::from_str::<Value>(data)) {
                ("missed", _) => say(format_args!("{} came too fast and are not shown", weir_wire::shown(data))),
                (_, Ok(told)) => print(form.line(&told)),
                (_, Err(error)) => say(format_args!("an event that is no JSON: {error}")),
            }
            true
        })
        .await
}

/// The last requests and facts, in the order in which they came.
async fn last(operator: &Operator, top: u32, asked: &str, facts: bool, form: &Form) -> Result<(), AskFault> {
    let mut told = ask(operator, &format!("/admin/v1/requests?limit={top}{asked}"), "requests").await?;
    if facts {
        let oldest = told.iter().filter_map(|request| at_millis(&request["started_at"])).min();
        let since = oldest.map(|at| format!("&since={at}")).unwrap_or_default();
        told.extend(ask(operator, &format!("/admin/v1/facts?limit={top}{since}"), "facts").await?);
    }
    told.sort_by_key(when);
    told.iter().for_each(|one| print(form.line(one)));
    Ok(())
}

async fn ask(operator: &Operator, path: &str, member: &str) -> Result<Vec<Value>, AskFault> {
    let answer = operator.ask(path).await?;
    let mut read: Value = serde_json::from_slice(&answer).map_err(|error| not_understood(operator, &error))?;
    Ok(match read[member].take() {
        Value::Array(all) => all,
        _ => Vec::new(),
    })
}

/// When a request ended, or a fact happened.
fn when(told: &Value) -> i64 {
    ["ended_at", "started_at", "at"].iter().find_map(|member| at_millis(&told[*member])).unwrap_or_default()
}

/// How lines are printed.
struct Form {
    json: bool,
    people: bool,
    zone: Zone,
}

impl Form {
    fn line(&self, told: &Value) -> String {
        let fact = told["fact"].as_str();
        match (self.json, self.people, fact) {
            (true, ..) => told.to_string(),
            (false, true, Some(_)) => {
                let at = clock(WallTime(when(told).saturating_mul(1_000)), &self.zone);
                shown(&format!("{at}  ·   {}", weir_wire::shown(&weir_ledger::in_words(told))))
            }
            (false, true, None) => {
                let at = clock(WallTime(when(told).saturating_mul(1_000)), &self.zone);
                let (end, took) = (list::end(told), list::took(told));
                let named = ["route", "key", "run", "id"].map(|member| list::text(told, member)).join("  ");
                shown(&format!("{at}  {end:<34}  {took:>9}  {named}"))
            }
            (false, false, Some(fact)) => {
                let at = told["at"].as_str().map(weir_wire::shown).unwrap_or_default();
                let words = word(&weir_wire::shown(&weir_ledger::in_words(told)));
                format!("fact {} at={at} words={words}", word(&weir_wire::shown(fact)))
            }
            (false, false, None) => list::line(told),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_is_a_line_for_a_person_or_a_program_and_nothing_is_obeyed() {
        let fact = json!({ "at": "2026-11-18T14:46:40.000Z", "stage": "call", "fact": "ConfigReloaded", "path": "a\u{1b}[2J b" });
        let request = json!({
            "id": "req_1", "run": "r\u{202e}", "key": "bot", "route": "smart", "outcome": "answered", "status": 200, "attempts": [],
            "started_at": "2026-11-18T14:47:03.114Z", "ended_at": "2026-11-18T14:47:04.114Z",
        });
        let form = |json, people| Form { json, people, zone: Zone::new(3_600, []) };
        assert_eq!(when(&request) - when(&fact), 24_114);
        let person = form(false, true).line(&request);
        assert!(
            person.starts_with("15:47:04.114  200 answered ") && person.ends_with("smart  bot  r?  req_1"),
            "{person}"
        );
        for line in [form(false, true).line(&fact), form(false, false).line(&fact)] {
            assert!(line.contains("from") && !line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line}");
        }
        assert!(
            form(false, false).line(&fact).starts_with("fact ConfigReloaded at=2026-11-18T14:46:40.000Z words=config_")
        );
        assert!(form(false, false).line(&request).starts_with("request req_1 at="));
        assert_eq!(form(true, true).line(&fact), fact.to_string());
    }
}
