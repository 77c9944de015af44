//! `weir mock`: a provider to try things on, with limits, latency and faults on order.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use weir_mock::{FaultOrder, Latency, Limits, Mock, Options, Profile, Standing};

use crate::serve::runtime;
use crate::terminal::{UNREACHABLE, USAGE, fail, say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:4199")]
    listen: SocketAddr,
    /// Time to the first token
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = weir_units::parse_duration)]
    latency: Duration,
    /// How fast it writes; 0 is at once
    #[arg(long, value_name = "N", default_value_t = 0)]
    tokens_per_second: u64,
    /// Requests a minute before it answers 429
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u64>,
    /// Tokens a minute before it answers 429
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// A fault for every request, e.g. 500, 429:2, reset, cut:3 (docs/guide/mock.md lists them)
    #[arg(long, value_name = "FAULT")]
    fault: Option<String>,
    /// The only credential that is taken; any is, without it
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Seed of what is random in it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Plays a provider until interrupted.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    runtime.block_on(play(arguments))
}

async fn play(arguments: &Arguments) -> ExitCode {
    let fault = match arguments.fault.as_deref().map(str::parse::<FaultOrder>).transpose() {
        Ok(fault) => fault,
        Err(error) => return fail(USAGE, error),
    };
    let options = Options {
        listen: arguments.listen,
        name: "mock".to_owned(),
        profile: Profile {
            latency: Latency { base: arguments.latency, ..Latency::default() },
            tokens_per_second: arguments.tokens_per_second,
            limits: Limits {
                requests_per_minute: arguments.requests_per_minute,
                tokens_per_minute: arguments.tokens_per_minute,
            },
            context_window: None,
            faults: fault.map(Standing::all).into_iter().collect(),
        },
        seed: arguments.seed,
        api_key: arguments.api_key.clone(),
    };
    let mock = match Mock::start(options).await {
        Ok(mock) => mock,
        Err(error) => return fail(UNREACHABLE, format_args!("`{}` cannot be listened on: {error}", arguments.listen)),
    };
    say(format_args!("a mock provider listens at {} (OpenAI and Anthropic dialects); Ctrl-C ends it", mock.base_url()));
    if tokio::signal::ctrl_c().await.is_err() {
        return fail(UNREACHABLE, "signals cannot be listened to");
    }
    let stats = mock.stats();
    say(format_args!("{} requests, {} answered, {} cancelled", stats.requests, stats.completed, stats.cancelled));
    mock.stop().await;
    ExitCode::from(130)
}
