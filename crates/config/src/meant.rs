//! The config as meant: every value typed, defaulted and checked, so nothing past it is optional or checked again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::alerts::AlertSettings;
use weir_engine::{BudgetScope, BudgetSettings, Guards, RunsSettings, Settings, Strategy, UnknownPrice, Zone};
use weir_units::{DeploymentId, Price, Tokens};
use weir_wire::ProviderKind;

use crate::{Admin, CapturePart, Contact, Key, Notifier, Secret, Tag};

/// The whole config of one Weir.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it listens on and how much it takes in.
    pub server: Server,
    /// Who may use the admin interface besides `root`, by name.
    pub admins: BTreeMap<Arc<str>, Admin>,
    /// Where facts are kept.
    pub ledger: Ledger,
    /// The accounts at LLM APIs, by name.
    pub providers: BTreeMap<Arc<str>, Provider>,
    /// What clients may send as `model`, by name; `*` takes what names no route and no provider.
    pub routes: BTreeMap<Arc<str>, Route>,
    /// What clients authenticate with, by name. Empty is a keyless mode.
    pub keys: BTreeMap<Arc<str>, Key>,
    /// Who keys belong to, by name, as far as anything is said of them.
    pub tenants: BTreeMap<Arc<str>, Tenant>,
    /// What may be spent, by name.
    pub budgets: BTreeMap<Arc<str>, Budget>,
    /// What is done under a budget with a model whose price nobody knows.
    pub unknown_price: UnknownPrice,
    /// Where budgets' periods begin and end.
    pub zone: Zone,
    /// The timeouts of whatever is no route of its own.
    pub timeouts: Timeouts,
    /// How the engine retries, when its breakers open, what limits it keeps to and how much may wait.
    pub engine: Settings,
    /// How much is remembered of agent runs.
    pub runs: RunsSettings,
    /// The guards on runs of whatever is no route of its own.
    pub guards: Arc<Guards>,
    /// What is worth an alert, and who hears of it.
    pub alerts: AlertSettings,
    /// When the weekly report is sent to the owner; none if it is not.
    pub report: Option<WeeklyAt>,
    /// Where alerts can be sent, by name.
    pub notifiers: BTreeMap<Arc<str>, Notifier>,
    /// Whom to ask for more capacity, by provider.
    pub contacts: BTreeMap<Arc<str>, Contact>,
    /// How long a request waits for capacity, unless it says otherwise.
    pub max_wait: Duration,
    /// Where traces and metrics go; none where they go nowhere.
    pub telemetry: Option<Telemetry>,
    /// Where all this was written.
    pub source: Source,
}

impl Config {
    /// Whether the admin interface asks for a key.
    #[must_use]
    pub fn asks_admins(&self) -> bool {
        self.server.admin_key.is_some() || !self.admins.is_empty()
    }
}

/// A time of the week, on the clocks of the configuration's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeeklyAt {
    /// The day, Monday is 0.
    pub weekday: u8,
    /// The minute of that day.
    pub minute: u16,
}

/// Where a config came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This file.
    File(PathBuf),
    /// No file: the usual environment variables.
    Environment,
}

/// What Weir listens on and how much it takes in.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where clients reach it.
    pub listen: SocketAddr,
    /// Where admin, dashboard and metrics are, if not on `listen`.
    pub admin_listen: Option<SocketAddr>,
    /// What the person `root` authenticates with. Without it and without `admins` the admin interface is keyless.
    pub admin_key: Option<Secret>,
    /// What to speak TLS with.
    pub tls: Option<Tls>,
    /// More certificate authorities that a provider's certificate may come from, PEM.
    pub ca_file: Option<PathBuf>,
    /// The address that links in alerts and reports carry, without a slash at its end.
    pub public_url: Option<String>,
    /// The name of the zone that times are shown in.
    pub timezone: String,
    /// Whether the log is written as JSON, one object a line.
    pub log_json: bool,
    /// The largest request body, in bytes, decoded.
    pub body_limit: usize,
    /// What all requests and answers together may buffer, in bytes.
    pub buffer_limit: usize,
    /// How many clients' connections may be open at once.
    pub max_connections: usize,
    /// How long running requests have at SIGTERM.
    pub grace: Duration,
}

/// Where traces and metrics go by OTLP over HTTP, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where spans are sent, the whole address; none if they are not.
    pub traces: Option<String>,
    /// Where metrics are sent.
    pub metrics: Option<String>,
    /// What is sent with each, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// What the sender calls itself: `service.name` and more.
    pub resource: Vec<(String, String)>,
    /// The share of ordinary requests that are traced, in parts per million.
    pub sample_ppm: u32,
    /// A request that takes at least so long is always traced.
    pub slow: Duration,
    /// How long one export may take.
    pub timeout: Duration,
    /// How often metrics are sent.
    pub interval: Duration,
    /// Whether what is sent is compressed.
    pub gzip: bool,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where facts are kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The SQLite file; with Postgres, what the ledger's other files are named after.
    pub path: PathBuf,
    /// The database in Postgres, as a url, if it is there.
    pub postgres: Option<Secret>,
    /// How long detail is kept.
    pub retention: Duration,
}

/// One account at an LLM API.
#[derive(Clone)]
pub struct Provider {
    /// The part of a deployment before the slash.
    pub name: Arc<str>,
    /// Which API it is.
    pub kind: ProviderKind,
    /// Where it is, without a slash at its end; empty for the mock that is built in.
    ///
    /// An OpenAI dialect's includes `/v1` and is followed by `/chat/completions`; Anthropic's does not and is followed by
    /// `/v1/messages`.
    pub base_url: String,
    /// Its credential; `None` where it needs none, or where a header carries it.
    pub api_key: Option<Secret>,
    /// What is sent on each call besides, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What is declared of its models, by the provider's names for them. A model need not be declared to be called.
    pub models: BTreeMap<String, ModelSettings>,
}

/// Header values may be credentials, so only their names are shown.
impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key)
            .field("headers", &headers)
            .field("models", &self.models)
            .finish()
    }
}

/// What the config declares of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSettings {
    /// Its context window, where the catalogue's is not to be used.
    pub context_window: Option<Tokens>,
    /// What its tokens cost: what is written, and the catalogue's prices where that is silent; none where both are.
    pub price: Option<Arc<Price>>,
}

/// A name that clients use as `model`, and the deployments behind it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name.
    pub name: Arc<str>,
    /// What a call may be sent to, at least one. In the route `*` a model may be `*`: the whole name that was asked for.
    pub deployments: Vec<DeploymentId>,
    /// In which order they are tried.
    pub strategy: Strategy,
    /// What follows a stream that breaks after content.
    pub after_cut: AfterCut,
    /// Whether a second provider is expected behind it.
    pub critical: bool,
    /// How long each stage of a call may take.
    pub timeouts: Timeouts,
    /// The guards on its runs.
    pub guards: Arc<Guards>,
    /// What is kept of its prompts and answers.
    pub capture: CapturePart,
}

/// Who keys belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// Who it belongs to itself.
    pub org: Option<Arc<str>>,
    /// The budgets that pay for the requests of all its keys.
    pub budgets: Vec<Arc<str>>,
}

/// A ceiling in dollars, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The name.
    pub name: Arc<str>,
    /// What it is for; of several, the widest.
    pub scope: BudgetScope,
    /// How much, for how long, and how hard it is held.
    pub settings: BudgetSettings,
    /// The route that answers instead once the share of [`BudgetSettings::low_at_ppm`] is spent.
    pub when_low: Option<Arc<str>>,
    /// The tag whose requests it pays for; then no key and no tenant names it.
    pub tag: Option<Tag>,
}

/// What follows a stream that breaks after content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCut {
    /// Another deployment carries on from the same byte, where that is exact; else as [`AfterCut::End`].
    Splice,
    /// The dialect's error frame.
    End,
}

/// How long each stage of a call may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until TCP and TLS stand.
    pub connect: Duration,
    /// From the request until the response headers.
    pub first_byte: Duration,
    /// From the headers until the first content.
    pub first_content: Duration,
    /// Between two pieces of a stream.
    pub stall: Duration,
    /// For the whole call.
    pub total: Duration,
}
