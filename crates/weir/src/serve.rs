//! `weir serve`: the gateway until a signal ends it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use weir_config::{Environment, ProcessEnvironment, Report};
use weir_gateway::{Gateway, watch_config};
use weir_mock::Mock;

use crate::Common;
use crate::terminal::{UNREACHABLE, USAGE, fail, say};

/// Reads the configuration, from its file or from the environment.
pub(crate) fn read_config(path: Option<&Path>, environment: &dyn Environment) -> Report {
    match path {
        Some(path) => weir_config::load(path, environment),
        None => weir_config::from_environment(environment),
    }
}

/// What `weir serve` is told.
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Write every question to the engine, and its answer, to this new file, for `weir simulate --replay`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// How the log is written to stderr: text, or json, one object a line; [server] log-format where it is not said
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,
}

/// Runs the gateway.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let report = read_config(common.config.as_deref(), &ProcessEnvironment);
    let written = report.config.as_ref().is_some_and(|config| config.server.log_json);
    start_log(arguments.log_format.as_deref().map_or(written, |format| format == "json"));
    for warning in &report.warnings {
        tracing::warn!("{}", warning.as_warning());
    }
    let Some(config) = report.config.filter(|_| report.faults.is_empty()) else {
        for fault in &report.faults {
            say(fault);
        }
        return ExitCode::from(USAGE);
    };
    raise_file_limit();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    runtime.block_on(serve(common, arguments, config))
}

async fn serve(common: &Common, arguments: &Arguments, mut config: weir_config::Config) -> ExitCode {
    // Before anyone can reach it: a signal that comes at once must find somebody who listens.
    let Ok(signals) = Signals::listen() else {
        return fail(UNREACHABLE, "signals cannot be listened to");
    };
    let mocks = match start_mocks(&mut config).await {
        Ok(mocks) => mocks,
        Err(error) => return fail(UNREACHABLE, format_args!("the built-in mock provider cannot start: {error}")),
    };
    let source = config.source.clone();
    let started = match &arguments.record {
        Some(tape) => Gateway::start_recording(config.clone(), tape).await,
        None => Gateway::start(config.clone()).await,
    };
    let gateway = match started {
        Ok(gateway) => gateway,
        Err(error) => return fail(UNREACHABLE, error),
    };
    gateway.prove_with(std::sync::Arc::new(crate::proof::Simulator));
    welcome(&gateway, &config);
    let (hangup, hung_up) = tokio::sync::mpsc::channel(1);
    let (path, addresses) = (common.config.clone(), mocks.addresses());
    let read = move || {
        let mut report = read_config(path.as_deref(), &ProcessEnvironment);
        if let Some(config) = &mut report.config {
            addresses.fill_in(config);
        }
        report
    };
    let watching = tokio::spawn(watch_config(gateway.reloading(), source, read, hung_up));
    let code = signals.wait_for_end(gateway, hangup).await;
    watching.abort();
    code
}

/// The signals that the process acts on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the signals that end the process; a second one ends it at once.
    async fn wait_for_end(mut self, gateway: Gateway, hangup: tokio::sync::mpsc::Sender<()>) -> ExitCode {
        let interrupted = loop {
            tokio::select! {
                _ = self.terminate.recv() => break false,
                _ = self.interrupt.recv() => break true,
                _ = self.hang_up.recv() => { let _ = hangup.try_send(()); }
            }
        };
        tracing::info!("shutting down: running requests may end first; a second signal ends at once");
        tokio::select! {
            () = gateway.drain() => {}
            _ = self.terminate.recv() => tracing::warn!("ended at once"),
            _ = self.interrupt.recv() => tracing::warn!("ended at once"),
        }
        if interrupted { ExitCode::from(130) } else { ExitCode::SUCCESS }
    }
}

/// The mocks behind providers of kind mock that have no address of their own.
pub(crate) struct Mocks {
    running: Vec<(std::sync::Arc<str>, Mock)>,
}

/// Where the built-in mocks listen.
pub(crate) struct Addresses(Vec<(std::sync::Arc<str>, String)>);

/// Starts what the configuration leaves to the built-in mock, and writes its address into it.
pub(crate) async fn start_mocks(config: &mut weir_config::Config) -> std::io::Result<Mocks> {
    let mut running = Vec::new();
    for provider in config.providers.values_mut().filter(|p| p.base_url.is_empty()) {
        let mock = Mock::start(built_in(&provider.name)).await?;
        provider.base_url = mock.base_url();
        running.push((std::sync::Arc::clone(&provider.name), mock));
    }
    Ok(Mocks { running })
}

/// A mock that answers at a pace that a person can watch.
fn built_in(name: &str) -> weir_mock::Options {
    weir_mock::Options {
        name: name.to_owned(),
        profile: weir_mock::Profile { tokens_per_second: 200, ..weir_mock::Profile::default() },
        ..weir_mock::Options::default()
    }
}

impl Mocks {
    fn addresses(&self) -> Addresses {
        Addresses(self.running.iter().map(|(name, mock)| (name.clone(), mock.base_url())).collect())
    }
}

impl Addresses {
    /// Writes the addresses into a configuration that was read anew.
    fn fill_in(&self, config: &mut weir_config::Config) {
        for provider in config.providers.values_mut().filter(|p| p.base_url.is_empty()) {
            match self.0.iter().find(|(name, _)| *name == provider.name) {
                Some((_, url)) => provider.base_url.clone_from(url),
                None => tracing::warn!(
                    "provider `{}` needs the built-in mock, which starts with the process",
                    provider.name
                ),
            }
        }
    }
}

/// Says where it serves and what, so that the next step is plain.
fn welcome(gateway: &Gateway, config: &weir_config::Config) {
    let address = gateway.address();
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let providers: Vec<String> = config.providers.values().map(|p| p.name.to_string()).collect();
    tracing::info!(%address, providers = providers.join(", "), ledger = %config.ledger.path.display(), "weir serves");
    if let Some(admin) = gateway.admin_address() {
        tracing::info!(address = %admin, "admin and metrics");
    }
    if let Some(mock) = config.providers.values().find(|p| p.kind == weir_wire::ProviderKind::Mock) {
        let key = if gateway.asks_for_keys() { "-H \"authorization: Bearer $KEY\" " } else { "" };
        say(format_args!(
            "try it:  curl {scheme}://{address}/v1/chat/completions -H 'content-type: application/json' {key}\
             -d '{{\"model\":\"{}/fast\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'",
            mock.name
        ));
    }
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let rich = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if json {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    } else {
        log.with_ansi(rich).init();
    }
}

/// One worker a core; on a single core no second thread is needed to move work between.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = if cores == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    builder.enable_all().build()
}

/// Each connection takes a descriptor, and the usual soft limit of 1,024 is low for a gateway.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files cannot be raised");
        }
    }
}
