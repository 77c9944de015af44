//! `weir keys new`: a key for a client, and the line of weir.toml that lets it in.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use crate::Common;
use crate::terminal::{UNREACHABLE, fail, print, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key of 256 random bits; it is shown once and kept nowhere
    New {
        /// The name of the key in weir.toml
        #[arg(default_value = "my-client")]
        name: String,
    },
}

/// Makes a key.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let Action::New { name } = &arguments.action;
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
