//! `weir alerts`: what is wrong now and what was, taking an alert on, silencing it, and trying a notifier out.

mod list;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use weir_gateway::AskFault;

use crate::Common;
use crate::server::{Server, encoded, no_answer};
use crate::terminal::{NO, USAGE, fail, print, say};

const PATH: &str = "/admin/v1/alerts";

#[derive(Args)]
#[command(
    after_help = "Without a command, alerts are listed: open ones first, the most urgent of them first, then those that ended. The admin key is\n\
taken from WEIR_ADMIN_KEY.\n\n\
Exit codes: 0 done · 1 the gateway says no: there is no such alert, it has ended, or the notifier did not take the message ·\n\
2 wrong usage, or the admin key is refused · 4 the gateway cannot be reached"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Alerts in this state alone: open, closed
    #[arg(long, value_name = "STATE", value_parser = ["open", "closed", "all"], default_value = "all")]
    state: String,
    /// Alerts of this rule alone: breaker-open, headroom, …
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Alerts of this severity alone: info, warning, error, critical
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// How many are shown
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    top: u32,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show one alert with its evidence and what to do
    Show {
        /// The alert
        id: String,
    },
    /// Take an alert on: it is escalated no further until it gets worse
    Ack {
        /// The alert
        id: String,
    },
    /// Tell nobody of what an alert is about for a while, also if it ends and comes back
    Silence {
        /// The alert
        id: String,
        /// How long: 2h
        #[arg(long = "for", value_name = "SPAN")]
        span: String,
        /// Why; it is on record
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// End a silence before its time
    Unsilence {
        /// The alert
        id: String,
    },
    /// Send a trial message to a notifier
    Test {
        /// The notifier
        notifier: String,
    },
}

impl Action {
    /// What is asked of the gateway.
    fn question(&self) -> (Method, String, Option<Value>) {
        let of = |id: &str, action: &str| format!("{PATH}/{}{action}", encoded(id));
        match self {
            Self::Show { id } => (Method::GET, of(id, ""), None),
            Self::Ack { id } => (Method::POST, of(id, "/acknowledge"), Some(json!({}))),
            Self::Silence { id, span, why } => {
                (Method::POST, of(id, "/silence"), Some(json!({ "for": span, "why": why })))
            }
            Self::Unsilence { id } => (Method::DELETE, of(id, "/silence"), None),
            Self::Test { notifier } => {
                (Method::POST, format!("/admin/v1/notifiers/{}/test", encoded(notifier)), Some(json!({})))
            }
        }
    }
}

/// Does what was asked.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let (operator, runtime) = match arguments.server.open() {
        Ok(both) => both,
        Err(code) => return code,
    };
    let (method, path, body) = match &arguments.action {
        Some(action) => action.question(),
        None => (Method::GET, listing(arguments), None),
    };
    let asked = runtime.block_on(operator.send(method, &path, body.map(|body| body.to_string())));
    let answer = match asked.and_then(|answer| read(&answer)) {
        Ok(answer) => answer,
        Err(AskFault::Refused(status, why)) if arguments.action.is_some() && matches!(status.as_u16(), 404 | 409) => {
            return fail(NO, why);
        }
        Err(AskFault::Refused(status, why)) if status.as_u16() == 400 => return fail(USAGE, why),
        Err(fault) => return no_answer(&fault),
    };
    let told = |member: &str| weir_wire::shown(answer[member].as_str().unwrap_or("-"));
    let undelivered = answer["delivered"] == false;
    if common.json {
        print(&answer);
        return if undelivered { ExitCode::from(NO) } else { ExitCode::SUCCESS };
    }
    match &arguments.action {
        None => list::show(&answer),
        Some(Action::Show { .. }) => list::show_one(&answer),
        Some(Action::Ack { .. }) => say(format_args!("acknowledged: {}", told("subject"))),
        Some(Action::Silence { .. }) => {
            let until = weir_wire::shown(answer["silenced"]["until"].as_str().unwrap_or("-"));
            say(format_args!("nobody is told of {} about {} until {until}", told("rule"), told("about")));
        }
        Some(Action::Unsilence { .. }) => say(format_args!("{} about {} is told again", told("rule"), told("about"))),
        Some(Action::Test { .. }) if undelivered => {
            return fail(NO, format_args!("notifier `{}` did not take it: {}", told("notifier"), told("why")));
        }
        Some(Action::Test { .. }) => say(format_args!("notifier `{}` took a trial message", told("notifier"))),
    }
    ExitCode::SUCCESS
}

fn listing(arguments: &Arguments) -> String {
    let mut path = format!("{PATH}?state={}&limit={}", arguments.state, arguments.top);
    for (name, text) in [("rule", &arguments.rule), ("severity", &arguments.severity)] {
        if let Some(text) = text {
            path.push_str(&format!("&{name}={}", encoded(text)));
        }
    }
    path
}

fn read(answer: &[u8]) -> Result<Value, AskFault> {
    serde_json::from_slice(answer)
        .map_err(|error| AskFault::Unreachable(format!("what answers is no gateway: {error}")))
}
