//! `weir-bench upstream` and `weir-bench load`: the two ends of a measurement. `bench/run.py` puts the proxies in between.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use weir_bench::load::{Asking, closed};
use weir_bench::open::open;
use weir_bench::upstream::{Shape, serve};

/// The two ends of a measurement of Weir, on loopback alone.
#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    end: End,
}

#[derive(Subcommand)]
enum End {
    /// Answer as a provider would, cheaply, until killed.
    Upstream(Upstream),
    /// Ask for a while, and print what came of it as JSON.
    Load(Load),
}

#[derive(Args)]
struct Upstream {
    /// Where to listen, on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// Chunks with content in a stream.
    #[arg(long, default_value_t = 200)]
    chunks: usize,
    /// Milliseconds before each chunk.
    #[arg(long, default_value_t = 5)]
    pace_ms: u64,
}

#[derive(Args)]
struct Load {
    /// Whom to ask: an address of this machine and its port.
    #[arg(long)]
    to: SocketAddr,
    /// The client's key.
    #[arg(long, default_value = "none")]
    key: String,
    /// The length of the prompt.
    #[arg(long, default_value_t = 1_000)]
    prompt_bytes: usize,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// For how long to ask.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Closed loop: so many connections, each asks again when it has its answer.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Open loop: so many requests a second, whatever comes back.
    #[arg(long, conflicts_with = "connections")]
    rate: Option<f64>,
}

fn main() -> ExitCode {
    let done = match Line::parse().end {
        End::Upstream(upstream) => answer(&upstream),
        End::Load(load) => ask(&load),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to tell when stderr is closed.
            writeln!(io::stderr(), "error: {why}").unwrap_or_default();
            ExitCode::from(2)
        }
    }
}

fn answer(upstream: &Upstream) -> io::Result<()> {
    let shape = Shape { chunks: upstream.chunks, pace: Duration::from_millis(upstream.pace_ms) };
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, upstream.port));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async { serve(TcpListener::bind(at).await?, shape).await })
}

fn ask(load: &Load) -> io::Result<()> {
    if !load.to.ip().is_loopback() {
        return Err(io::Error::other(format!("`{}` is not on this machine: load stays on loopback", load.to)));
    }
    let asking = Asking { to: load.to, key: load.key.clone(), prompt_bytes: load.prompt_bytes, stream: load.stream };
    let lasting = Duration::try_from_secs_f64(load.seconds).map_err(io::Error::other)?;
    let began = Instant::now();
    let mut outcome = match load.rate {
        Some(rate) => open(&asking, rate, lasting),
        None => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, closed(&asking, load.connections, lasting))
        }
    };
    writeln!(io::stdout(), "{}", outcome.report(began.elapsed()))
}
