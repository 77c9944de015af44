//! The live shell around the engine: HTTP in and out, streams, the ledger fed, the operator answered.
//!
//! A request's way is one file a stage: [`serve`] finds the door, then `accept`, `admit`, `route`, `call`, `stream` (and
//! `splice`), `settle`. This crate alone speaks HTTP; what to do is asked of `weir_engine`, what bytes mean of `weir_wire`.

mod accept;
mod admin;
mod admit;
mod alerts;
mod answer;
mod asking;
mod audit;
mod bill;
mod body;
mod budgets;
mod call;
mod calling;
pub mod capacity;
mod capture;
mod changes;
mod clock;
mod dashboard;
mod fault;
mod follow;
mod headers;
mod headroom;
mod in_place;
mod keys;
mod limits;
mod listen;
mod live;
mod metrics;
mod models;
mod oversized;
mod pins;
mod planning;
mod probe;
mod pulse;
mod queue;
pub mod readiness;
mod recorder;
mod reload;
mod reply;
mod retried;
mod route;
mod runs;
mod serve;
mod settle;
mod splice;
mod state;
mod stream;
mod telemetry;
mod tls;
mod upstream;
mod waste;
mod waste_report;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use weir_config::Config;
use weir_ledger::{Event, Fact, Ledger, Options, Stage};

use crate::budgets::Spending;
use crate::clock::wall;
use crate::keys::Keys;
use crate::listen::Phase;
use crate::recorder::Recorder;
use crate::serve::Door;
use crate::state::Shared;
use crate::telemetry::Exporting;

pub use asking::{AskFault, Operator};
pub use planning::{Assumed, Prepared, Unprepared, only_route, prepare, site, site_for};
pub use probe::{Probe, probe};
pub use reload::{Reloading, watch_config};
pub use waste_report::waste_figures;

/// Facts that may wait in memory before they are spilled to a file.
const LEDGER_QUEUE: usize = 16_384;
/// How long a fact may wait to be committed.
const COMMIT_EVERY: Duration = Duration::from_millis(50);
/// How long the last bytes of the last answers may take to leave.
const LAST_BYTES: Duration = Duration::from_millis(50);
/// How long connections have to close once nothing runs on them.
const CLOSING: Duration = Duration::from_secs(2);

/// Why the gateway does not start.
#[derive(Debug)]
pub enum StartError {
    /// A value of the config that only shows its fault in use.
    Config(String),
    /// An address that cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// A ledger that cannot be opened.
    Ledger(weir_ledger::OpenError),
    /// The installation's secret beside the ledger, which can be neither read nor made.
    Secret(std::io::Error),
    /// A ledger whose keys cannot be read.
    Keys(weir_ledger::StoreError),
    /// A record of budgets that cannot be opened.
    Budgets(weir_ledger::SliceError),
    /// A tape that cannot be begun.
    Tape(PathBuf, std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) => f.write_str(why),
            Self::Listen(address, error) => write!(f, "`{address}` cannot be listened on: {error}"),
            Self::Ledger(error) => write!(f, "the ledger cannot be opened: {error}"),
            Self::Secret(error) => write!(f, "the file `.secret` beside the ledger cannot be used: {error}"),
            Self::Keys(error) => write!(f, "the keys made at run time cannot be read: {error}"),
            Self::Budgets(error) => write!(f, "the record of budgets cannot be opened: {error}"),
            Self::Tape(path, error) => write!(f, "the tape `{}` cannot be begun: {error}", path.display()),
        }
    }
}

impl std::error::Error for StartError {}

/// The ledger's database, if it is in Postgres.
fn postgres(config: &Config) -> Result<Option<weir_ledger::Postgres>, StartError> {
    let url = config.ledger.postgres.as_ref().map(|url| weir_ledger::Postgres::parse(url.expose())).transpose();
    url.map_err(|why| StartError::Config(format!("`ledger.url`: {why}")))
}

/// A running gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    accepting: Vec<JoinHandle<()>>,
    pump: JoinHandle<()>,
    reading_keys: JoinHandle<()>,
    recording: JoinHandle<()>,
    watching_alerts: JoinHandle<()>,
    watching_capacity: JoinHandle<()>,
    watching_readiness: [JoinHandle<()>; 2],
    exporting: Exporting,
    writer: weir_ledger::WriterTask,
}

impl Gateway {
    /// Opens the ledger and the listeners, and serves from then on.
    ///
    /// # Errors
    /// When an address or the ledger is taken or cannot be used.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, None).await
    }

    /// Serves as [`start`](Self::start) does, and writes down every question to the engine and its answer, for the simulator to
    /// replay. The file must not exist.
    ///
    /// # Errors
    /// As above, and when the file cannot be made.
    pub async fn start_recording(config: Config, tape: &Path) -> Result<Self, StartError> {
        let recorder = Recorder::start(tape).map_err(|e| StartError::Tape(tape.to_owned(), e))?;
        Self::start_with(config, Some(recorder)).await
    }

    async fn start_with(config: Config, recorder: Option<Recorder>) -> Result<Self, StartError> {
        let server = config.server.clone();
        let main = listen::bind(server.listen).map_err(|e| StartError::Listen(server.listen, e))?;
        let admin = server
            .admin_listen
            .map(|address| listen::bind(address).map_err(|e| StartError::Listen(address, e)))
            .transpose()?;
        let options = Options {
            path: config.ledger.path.clone(),
            postgres: postgres(&config)?,
            retention: config.ledger.retention,
            queue: LEDGER_QUEUE,
            commit_every: COMMIT_EVERY,
        };
        let (ledger, writer) = weir_ledger::open(options).await.map_err(StartError::Ledger)?;
        let made = Keys::of(ledger.known_keys().await.map_err(StartError::Keys)?);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let (spending, to_record) = Spending::new(&config);
        spending.open_record(&config).map_err(StartError::Budgets)?;
        let shared = Arc::new(Shared::new(config, made, ledger, recorder, spending)?);
        let recording = tokio::spawn(budgets::record(Arc::clone(&shared), to_record));
        shared.pay_by(budgets::start(&shared).await);
        shared.audit.of_system("start", &format!("weir {version}"), "done");
        shared.tell(Event { at: wall(), stage: Stage::Accept, fact: Fact::Started { version } });
        alerts::restore(&shared).await;
        limits::declare(&shared).await;
        let watching_alerts = tokio::spawn(alerts::watch(Arc::clone(&shared)));
        let watching_capacity = tokio::spawn(capacity::watch(Arc::clone(&shared)));
        let watching_readiness = [
            tokio::spawn(readiness::watch(Arc::clone(&shared))),
            tokio::spawn(readiness::send_weekly(Arc::clone(&shared))),
        ];
        let listening = |e| StartError::Listen(server.listen, e);
        let address = main.local_addr().map_err(listening)?;
        let admin_address = admin.as_ref().map(|a| a.local_addr()).transpose().map_err(listening)?;
        let (phase, watching) = watch::channel(Phase::Serving);
        let places = Arc::new(Semaphore::new(server.max_connections));
        let mut accepting = Vec::new();
        for (listener, door) in std::iter::once((main, Door::Main)).chain(admin.map(|a| (a, Door::Admin))) {
            let accepted = listen::accept(Arc::clone(&shared), listener, door, Arc::clone(&places), watching.clone());
            accepting.push(tokio::spawn(accepted));
        }
        let reading_keys = tokio::spawn(keys::read(Arc::clone(&shared)));
        tokio::spawn(shared.capture.run(shared.ledger.clone()));
        let pump = tokio::spawn(queue::pump(Arc::clone(&shared)));
        let exporting = Exporting::start(&shared);
        Ok(Self {
            shared,
            address,
            admin_address,
            phase,
            accepting,
            pump,
            reading_keys,
            recording,
            watching_alerts,
            watching_capacity,
            watching_readiness,
            exporting,
            writer,
        })
    }

    /// Where clients reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where admin and metrics are, if not on the same address.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// What puts a new configuration in force.
    #[must_use]
    pub fn reloading(&self) -> Reloading {
        Reloading::new(Arc::clone(&self.shared))
    }

    /// Whether a client needs a key.
    #[must_use]
    pub fn asks_for_keys(&self) -> bool {
        self.shared.live.load().asks_for_keys()
    }

    /// Says who plays loads in invented time, for plans and for what an outage would mean. Without one there are formulas alone.
    pub fn prove_with(&self, prover: Arc<dyn weir_capacity::plan::Prover>) {
        self.shared.planning.prove_with(prover);
    }

    /// How many requests wait in line for capacity.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.waiters.count()
    }

    /// The ledger it writes.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Turns readiness to 503, lets running requests end within the grace period, then closes the ledger.
    pub async fn drain(self) {
        self.shared.draining.store(true, Ordering::Release);
        self.shared.waiters.wake_all();
        self.shared.spending.wake_all();
        let grace = self.shared.live.load().config.server.grace;
        let idle = async {
            loop {
                let ended = self.shared.idle.notified();
                if self.shared.in_flight.load(Ordering::Acquire) == 0 {
                    return;
                }
                ended.await;
            }
        };
        let whole = tokio::time::timeout(grace, idle).await.is_ok();
        self.phase.send_replace(Phase::Closing);
        if whole {
            // The last answers may still be on their way out of the process.
            tokio::time::sleep(LAST_BYTES).await;
        } else {
            let running = self.shared.in_flight.load(Ordering::Acquire);
            tracing::warn!(running, "the grace period is over: what still runs is dropped");
        }
        self.phase.send_replace(Phase::Gone);
        self.pump.abort();
        self.reading_keys.abort();
        self.watching_alerts.abort();
        self.watching_capacity.abort();
        self.watching_readiness.iter().for_each(JoinHandle::abort);
        for task in self.accepting {
            let _ = tokio::time::timeout(CLOSING, task).await;
        }
        budgets::close(&self.shared).await;
        self.recording.abort();
        self.shared.capture.flush().await;
        let why = if whole { "drained" } else { "the grace period was over" }.to_owned();
        self.shared.audit.of_system("stop", &why, "done");
        self.shared.tell(Event { at: wall(), stage: Stage::Settle, fact: Fact::Stopped { why } });
        self.exporting.close(&self.shared).await;
        // Other handles live on, with connections that do not let go: the writer is told to end, not waited out.
        self.shared.ledger.clone().close().await;
        self.writer.join().await;
    }
}
