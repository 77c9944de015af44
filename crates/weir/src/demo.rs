//! `weir demo`: two providers, the gateway before them, real traffic, and a story in four acts: calm, a storm of 429s, an
//! outage of the primary, its recovery; then two agents that loop, with guards on runs off and on.
//!
//! Nothing is acted: the providers are the mocks that the tests use, the gateway is the one that `weir serve` runs, and
//! each figure is what a client got, what a provider counted, or what the ledger holds. It all stays on loopback.

mod act;
mod agents;
mod bar;
mod client;
mod house;
mod play;
mod report;
mod runaway;
mod slice;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use self::act::Act;
use self::client::Client;
use self::house::{House, ROUTE};
use self::play::Traffic;
use self::report::{Story, act_as_record, act_in_words};
use self::runaway::Runaway;
use self::slice::Slice;
use self::tally::Tally;
use crate::Common;
use crate::serve::runtime;
use crate::terminal::{UNREACHABLE, fail, moves, print, say, shown};

/// Told again and again, the story ends by itself after this long.
const LONGEST: Duration = Duration::from_secs(3_600);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Tell the story once and end; without it, it is told again until Ctrl-C, and the gateway takes your requests too
    #[arg(long)]
    once: bool,
    /// How many times faster than the trace requests come: 1 is its real pace, about 5 a second
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20))]
    speed: u32,
    /// How long one telling takes, in seconds; the last answers and the breaker's return may add a few
    #[arg(long, value_name = "SECONDS", default_value_t = 36, value_parser = clap::value_parser!(u64).range(12..=600))]
    seconds: u64,
    /// Write the ledger to this file, and keep it
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
}

/// For whom the story is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listener {
    /// A person at a terminal.
    Person,
    /// Whatever reads lines.
    Pipe,
    /// A program that reads JSON.
    Program,
}

/// Tells the story.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let listener = match (common.json, moves()) {
        (true, _) => Listener::Program,
        (false, true) => Listener::Person,
        (false, false) => Listener::Pipe,
    };
    match runtime() {
        Ok(runtime) => runtime.block_on(demo(arguments, listener)),
        Err(error) => fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    }
}

async fn demo(arguments: &Arguments, listener: Listener) -> ExitCode {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let folder = match tempfile::Builder::new().prefix("weir-demo-").permissions(private).tempdir() {
        Ok(folder) => folder,
        Err(error) => return fail(UNREACHABLE, format_args!("there is no place for temporary files: {error}")),
    };
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return fail(UNREACHABLE, "signals cannot be listened to");
    };
    let house = match House::start(folder.path(), arguments.keep.as_deref()).await {
        Ok(house) => house,
        Err(error) => return fail(UNREACHABLE, error),
    };
    let told = tokio::select! {
        told = tell(&house, folder.path(), arguments, listener) => Some(told),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    house.stop().await;
    match told {
        // What the report says to look at must be there to be looked at.
        Some(Ok(())) if arguments.keep.is_none() => {
            let _ = folder.keep();
            ExitCode::SUCCESS
        }
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => fail(UNREACHABLE, error),
        None => ExitCode::from(130),
    }
}

/// Tells the story, once or again and again.
async fn tell(house: &House, folder: &Path, arguments: &Arguments, listener: Listener) -> Result<(), String> {
    let address = house.gateway.address();
    if listener == Listener::Person {
        introduce(house, arguments);
    }
    let mut traffic = Traffic::new(Client::new(address), Slice::new(arguments.speed), listener == Listener::Person);
    let began = Instant::now();
    loop {
        let story = tell_once(house, arguments, listener, &mut traffic).await?;
        if listener == Listener::Person {
            print(shown(Runaway::introduction()));
        }
        let runaway = runaway::play(folder).await?;
        match (listener, story) {
            (Listener::Person, _) => print(shown(&format!("{}\n", runaway.in_words()))),
            (Listener::Pipe, _) => print(runaway.as_records()),
            (Listener::Program, mut story) => {
                story["loop"] = runaway.as_json();
                print(story);
            }
        }
        if arguments.once || began.elapsed() >= LONGEST {
            return Ok(());
        }
    }
}

/// Tells it once, to its report.
async fn tell_once(
    house: &House,
    arguments: &Arguments,
    listener: Listener,
    traffic: &mut Traffic,
) -> Result<Value, String> {
    let began = Instant::now();
    traffic.begin();
    let mut acts: Vec<(Act, Tally)> = Vec::new();
    let mut whole = Tally::default();
    for act in Act::ALL {
        let after = began.elapsed();
        let tally = traffic.play(house, act, act.length(Duration::from_secs(arguments.seconds))).await?;
        match listener {
            Listener::Person => print(shown(&act_in_words(act, &tally))),
            Listener::Pipe => print(act_as_record(act, &tally)),
            Listener::Program => say(act_as_record(act, &tally)),
        }
        whole.add(&tally, after);
        acts.push((act, tally));
    }
    let story =
        Story { acts: &acts, whole: &whole, took: began.elapsed(), speed: arguments.speed, ledger: &house.ledger };
    match listener {
        Listener::Person => print(shown(&format!("\n{}\n", story.in_words()))),
        Listener::Pipe => print(story.as_records()),
        Listener::Program => {}
    }
    Ok(story.as_json())
}

/// Says what is about to be seen.
fn introduce(house: &House, arguments: &Arguments) {
    let address = house.gateway.address();
    let until = if arguments.once { "about" } else { "again and again until Ctrl-C, each telling about" };
    let speed = match arguments.speed {
        1 => "at its real pace".to_owned(),
        times => format!("at {times} times its pace"),
    };
    print(shown(&format!(
        "A chat service's traffic ({speed}, half of it streamed) meets a provider's bad day; {until} {} s.\n\
         Route `{ROUTE}` at http://{address} fails over from openai to anthropic; both are played on this machine.",
        arguments.seconds
    )));
    if !arguments.once {
        print(format_args!(
            "try it:  curl http://{address}/v1/chat/completions -H 'content-type: application/json' \
             -d '{{\"model\":\"{ROUTE}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'"
        ));
    }
    print("");
}
