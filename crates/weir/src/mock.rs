//! `weir mock`: a provider to try things on, with limits, latency and faults on order.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use weir_mock::{Charge, Dimension, FaultOrder, Latency, LimitRules, Limits, Mock, Options, Profile, Standing, Window};

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
    /// Input tokens a minute before it answers 429
    #[arg(long, value_name = "N")]
    input_tokens_per_minute: Option<u64>,
    /// Output tokens a minute before it answers 429
    #[arg(long, value_name = "N")]
    output_tokens_per_minute: Option<u64>,
    /// Requests a day before it answers 429
    #[arg(long, value_name = "N")]
    requests_per_day: Option<u64>,
    /// Tokens a day before it answers 429
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<u64>,
    /// Requests at the same time before it answers 429
    #[arg(long, value_name = "N")]
    concurrent_requests: Option<u64>,
    /// How much of a minute's limit is there at once; limits refill all the time
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = window)]
    burst: Duration,
    /// Limits start over every so often, in the place of refilling all the time
    #[arg(long, value_name = "DURATION", conflicts_with = "burst", value_parser = window)]
    fixed_window: Option<Duration>,
    /// Each limit per minute is held over slices of this length as well, and no header tells so
    #[arg(long, value_name = "DURATION", value_parser = window)]
    slice: Option<Duration>,
    /// What limits on tokens are charged with; as OpenAI or Anthropic do it, by the dialect, without this
    #[arg(long, value_enum)]
    charge: Option<ChargeRule>,
    /// Output tokens reserved where a request sets no max_tokens
    #[arg(long, value_name = "N", default_value_t = 0)]
    assumed_output: u64,
    /// Sends no headers about limits
    #[arg(long)]
    no_limit_headers: bool,
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

/// What a provider charges its limits on tokens with.
#[derive(Clone, Copy, clap::ValueEnum)]
enum ChargeRule {
    /// max(input, max_tokens), nothing given back (OpenAI)
    Reserve,
    /// input + max_tokens, nothing given back (Azure, Cerebras)
    ReserveSum,
    /// input + max_tokens, at the end what was used (Bedrock)
    Settle,
    /// as Settle, with output counted five times (Bedrock, some models)
    SettleFive,
    /// fresh input at once, output as it comes (Anthropic)
    Metered,
    /// input alone (Gemini)
    Input,
}

/// A window's length; one of no length holds nothing.
fn window(text: &str) -> Result<Duration, String> {
    let span = weir_units::parse_duration(text).map_err(|error| error.to_string())?;
    if span < Duration::from_millis(1) { Err("it is shorter than `1ms`".to_owned()) } else { Ok(span) }
}

impl Arguments {
    fn limits(&self) -> Limits {
        let mut limits = Limits::NONE;
        for (dimension, limit) in [
            (Dimension::RequestsPerMinute, self.requests_per_minute),
            (Dimension::InputTokensPerMinute, self.input_tokens_per_minute),
            (Dimension::OutputTokensPerMinute, self.output_tokens_per_minute),
            (Dimension::TokensPerMinute, self.tokens_per_minute),
            (Dimension::RequestsPerDay, self.requests_per_day),
            (Dimension::TokensPerDay, self.tokens_per_day),
            (Dimension::ConcurrentRequests, self.concurrent_requests),
        ] {
            limits.set(dimension, limit);
        }
        limits
    }

    fn rules(&self) -> LimitRules {
        LimitRules {
            window: match self.fixed_window {
                Some(span) => Window::Fixed { span },
                None => Window::Bucket { burst: self.burst },
            },
            slice: self.slice,
            assumed_output: self.assumed_output,
            headers: !self.no_limit_headers,
            ..LimitRules::default()
        }
    }
}

impl ChargeRule {
    fn meant(self) -> Charge {
        match self {
            Self::Reserve => Charge::Reserve,
            Self::ReserveSum => Charge::ReserveSum,
            Self::Settle => Charge::Settle { burndown: 1 },
            Self::SettleFive => Charge::Settle { burndown: 5 },
            Self::Metered => Charge::Metered,
            Self::Input => Charge::Input,
        }
    }
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
            limits: arguments.limits(),
            rules: arguments.rules(),
            faults: fault.map(Standing::all).into_iter().collect(),
            ..Profile::default()
        },
        seed: arguments.seed,
        charge: arguments.charge.map(ChargeRule::meant),
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
