//! `weir keys`: the keys of a running gateway, and the ways to make, rotate and revoke one; and `weir keys new`, a key for
//! weir.toml, which needs no gateway.

mod list;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use weir_gateway::AskFault;

use crate::Common;
use crate::server::{Server, encoded, no_answer};
use crate::terminal::{NO, UNREACHABLE, USAGE, fail, print, say};

const PATH: &str = "/admin/v1/keys";

#[derive(Args)]
#[command(
    after_help = "Without a command, all keys are listed. The admin key is taken from WEIR_ADMIN_KEY. A secret goes to stdout, alone, and is\n\
shown once: the gateway keeps its hash.\n\n\
Exit codes: 0 done · 1 the gateway says no: the name is taken, or there is no such key · 2 wrong usage, or the admin key is\n\
refused · 4 the gateway cannot be reached"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key that the running gateway lets in at once
    Make {
        /// What it is called in pages, facts and sums
        name: String,
        /// Who it belongs to: a name under [tenants], or `default`
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// The routes that it may use and nothing else; left out, all
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        routes: Option<Vec<String>>,
        /// The budgets that its requests are paid from
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        budgets: Option<Vec<String>>,
        /// The class of its requests, and the highest they may ask for: interactive, standard, batch
        #[arg(long, value_name = "CLASS")]
        priority: Option<String>,
        /// After how long it ends by itself: 30d
        #[arg(long, value_name = "SPAN")]
        expires: Option<String>,
    },
    /// Give a key a new secret; the one before works on for a while
    Rotate {
        /// The key
        name: String,
        /// How long former secrets work on; 0s ends them at once
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        grace: String,
    },
    /// Shut a key out, at once and for good
    Revoke {
        /// The key
        name: String,
    },
    /// Make a key of 256 random bits for weir.toml; it is shown once and kept nowhere
    New {
        /// The name of the key in weir.toml
        #[arg(default_value = "my-client")]
        name: String,
    },
}

/// Does what was asked.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let (method, path, body) = match &arguments.action {
        Some(Action::New { name }) => return new(common, name),
        None => (Method::GET, PATH.to_owned(), None),
        Some(Action::Make { name, tenant, routes, budgets, priority, expires }) => {
            let asked = json!({
                "name": name, "tenant": tenant, "routes": routes, "budgets": budgets, "priority": priority, "expires": expires,
            });
            (Method::POST, PATH.to_owned(), Some(asked.to_string()))
        }
        Some(Action::Rotate { name, grace }) => {
            (Method::POST, format!("{PATH}/{}/rotate", encoded(name)), Some(json!({ "grace": grace }).to_string()))
        }
        Some(Action::Revoke { name }) => (Method::DELETE, format!("{PATH}/{}", encoded(name)), None),
    };
    let (operator, runtime) = match arguments.server.open() {
        Ok(both) => both,
        Err(code) => return code,
    };
    let answer = match runtime.block_on(operator.send(method, &path, body)) {
        Ok(answer) => answer,
        Err(AskFault::Refused(status, why)) if arguments.action.is_some() && matches!(status.as_u16(), 404 | 409) => {
            return fail(NO, why);
        }
        Err(AskFault::Refused(status, why)) if status.as_u16() == 400 => return fail(USAGE, why),
        Err(fault) => return no_answer(&fault),
    };
    let read: Value = match serde_json::from_slice(&answer) {
        Ok(read) => read,
        Err(error) => return no_answer(&crate::top::not_understood(&operator, &error)),
    };
    if common.json {
        print(String::from_utf8_lossy(&answer).trim_end());
        return ExitCode::SUCCESS;
    }
    match &arguments.action {
        None => match list::Keys::read(&answer) {
            Ok(keys) => list::show(&keys),
            Err(error) => return no_answer(&crate::top::not_understood(&operator, &error)),
        },
        Some(Action::Make { .. }) => made(&read),
        Some(Action::Rotate { .. }) => rotated(&read),
        Some(Action::Revoke { .. } | Action::New { .. }) => {
            say(format_args!("key `{}` is revoked: whoever sends it gets 401 from now on", told(&read, "name")));
        }
    }
    ExitCode::SUCCESS
}

/// A text of the answer, as a terminal may show it.
fn told(answer: &Value, member: &str) -> String {
    weir_wire::shown(answer[member].as_str().unwrap_or("-"))
}

fn made(answer: &Value) {
    print(told(answer, "key"));
    let until = answer["expires_at"].as_str().map(|at| format!(" until {}", list::time(at))).unwrap_or_default();
    say(format_args!(
        "give it to the client: it is shown this once. Key `{}` of tenant `{}` may use {}{until}",
        told(answer, "name"),
        told(answer, "tenant"),
        list::names(&answer["routes"]).map_or_else(|| "all routes".to_owned(), |routes| format!("the routes {routes}")),
    ));
    if answer["keyless_ended"] == true {
        say("until now everyone on this machine was served without a key; from now on whoever sends none gets 401");
    }
}

fn rotated(answer: &Value) {
    print(told(answer, "key"));
    let former = match answer["former_until"].as_str() {
        Some(until) => format!("the one before works until {}", list::time(until)),
        None => "the one before works no longer".to_owned(),
    };
    say(format_args!(
        "give it to the client: it is shown this once. Key `{}` has a new secret; {former}",
        told(answer, "name")
    ));
}

/// Makes a key for weir.toml.
fn new(common: &Common, name: &str) -> ExitCode {
    let mut random = [0_u8; 32];
    if SystemRandom::new().fill(&mut random).is_err() {
        return fail(UNREACHABLE, "the operating system gives no random numbers");
    }
    let key = weir_config::generate_key(random);
    let hash = weir_config::hex(&weir_config::hash_key(&key));
    if common.json {
        print(json!({ "name": name, "key": key, "key_hash": hash }));
    } else {
        print(&key);
        say(format_args!(
            "give it to the client; weir.toml keeps only its hash:\n\n[keys.{name}]\nkey-hash = \"{hash}\""
        ));
    }
    ExitCode::SUCCESS
}
