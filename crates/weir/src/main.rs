//! The `weir` command: what it can be asked, and who answers. `weir serve` is the default.

mod alerts;
mod audit;
mod check;
mod demo;
mod diagnose;
mod export;
mod headroom;
mod import;
mod keys;
mod ledger;
mod logs;
mod mock;
mod plan;
mod proof;
mod providers;
mod reading;
mod replay;
mod report;
mod runs;
mod serve;
mod server;
mod simulate;
mod spend;
mod terminal;
mod top;
mod trace;
mod waste;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The LLM gateway and capacity desk.
///
/// Exit codes: 0 done or yes · 1 the answer is no · 2 wrong usage or unreadable config · 3 not enough known ·
/// 4 server or ledger cannot be reached · 130 interrupted.
#[derive(Parser)]
#[command(name = "weir", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Clone)]
struct Common {
    /// The configuration; without one, providers are taken from the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, …)
    #[arg(long, global = true, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Print for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the gateway (the default)
    Serve(serve::Arguments),
    /// Check the configuration: every fault at once, with its place and a hint
    Check(check::Arguments),
    /// Watch a provider's bad day: calm, a storm of 429s, an outage, recovery; all on this machine
    Demo(demo::Arguments),
    /// Play a provider on this machine: both dialects, limits, faults on order
    Mock(Box<mock::Arguments>),
    /// Show what happened to one request, as a timeline
    Trace(trace::Arguments),
    /// Show requests as they end and facts as they happen
    Logs(logs::Arguments),
    /// Watch the gateway live: what users get, deployments, limits, queues
    Top(top::Arguments),
    /// Show how full each limit is, and who waits for it
    Headroom(headroom::Arguments),
    /// Say whether a load will fit: which limit binds, who would wait, what it costs, and what would do
    Plan(Box<plan::Arguments>),
    /// Show how available each provider and deployment was, beside what users saw
    Providers(providers::Arguments),
    /// Run a scenario in invented time: what would be answered, how long would be waited, what would be refused
    Simulate(simulate::Arguments),
    /// Answer the seven questions of readiness, with evidence, a grade each and what to do
    Diagnose(diagnose::Arguments),
    /// Write the weekly capacity report, or the runbook of what users see when a provider is down
    Report(report::Arguments),
    /// Show what was spent, by key, model, run and more
    Spend(spend::Arguments),
    /// Show what was paid for and served nobody, with the cheapest remedies first
    Waste(waste::Arguments),
    /// Write requests as JSON Lines or CSV
    Export(export::Arguments),
    /// Take in what other tools have: their logs, a LiteLLM proxy's configuration
    Import(import::Arguments),
    /// List agent runs, show one as a tree, or let a halted one go on
    Runs(runs::Arguments),
    /// Show who did what at the admin interface, or check that nobody has changed the log of it
    Audit(audit::Arguments),
    /// List alerts, take one on, silence it, or try a notifier out
    Alerts(alerts::Arguments),
    /// List the keys of a running gateway, and make, rotate or revoke them
    Keys(keys::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(serve::Arguments::default())) {
        Command::Serve(arguments) => serve::run(&cli.common, &arguments),
        Command::Check(arguments) => check::run(&cli.common, &arguments),
        Command::Export(arguments) => export::run(&cli.common, &arguments),
        Command::Demo(arguments) => demo::run(&cli.common, &arguments),
        Command::Mock(arguments) => mock::run(&arguments),
        Command::Trace(arguments) => trace::run(&cli.common, &arguments),
        Command::Logs(arguments) => logs::run(&cli.common, &arguments),
        Command::Top(arguments) => top::run(&cli.common, &arguments),
        Command::Headroom(arguments) => headroom::run(&cli.common, &arguments),
        Command::Plan(arguments) => plan::run(&cli.common, &arguments),
        Command::Providers(arguments) => providers::run(&cli.common, &arguments),
        Command::Simulate(arguments) => simulate::run(&cli.common, &arguments),
        Command::Diagnose(arguments) => diagnose::run(&cli.common, &arguments),
        Command::Report(arguments) => report::run(&cli.common, &arguments),
        Command::Spend(arguments) => spend::run(&cli.common, &arguments),
        Command::Waste(arguments) => waste::run(&cli.common, &arguments),
        Command::Import(arguments) => import::run(&cli.common, &arguments),
        Command::Runs(arguments) => runs::run(&cli.common, &arguments),
        Command::Audit(arguments) => audit::run(&cli.common, &arguments),
        Command::Alerts(arguments) => alerts::run(&cli.common, &arguments),
        Command::Keys(arguments) => keys::run(&cli.common, &arguments),
    }
}
