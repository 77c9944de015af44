//! What all requests share: the configuration in force, the engine, the ledger, and a few bounded memories.
//!
//! The configuration and what is made of it ([`Live`]) is swapped whole on a reload; a request keeps the one it began with.
//! The engine outlives reloads, so no breaker forgets. Its lock is held for a decision, microseconds, never over an await.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use weir_config::{Config, Key, Source};
use weir_engine::{Change, Engine};
use weir_ledger::{Event, Fact, Ledger, Stage};
use weir_units::{DeploymentId, Price, WallTime};
use weir_wire::Calibration;

use crate::accept::Buffers;
use crate::admin::Tries;
use crate::alerts::Alarms;
use crate::audit::AuditLog;
use crate::budgets::{self, Payers, Question, Spending};
use crate::capacity;
use crate::capture::{Capturer, Captures};
use crate::changes;
use crate::clock::{Clock, wall};
use crate::dashboard::{Hub, Sessions};
use crate::follow::Followers;
use crate::keys::Keys;
use crate::live::Recent;
use crate::metrics::{Declared, Metrics};
use crate::oversized::cheapest;
use crate::pins::Pins;
use crate::planning::Planning;
use crate::queue::Waiters;
use crate::readiness;
use crate::recorder::Recorder;
use crate::retried::ClientTries;
use crate::runs::AllRuns;
use crate::telemetry::{self, Telemetry};
use crate::upstream::{HttpClient, StandIns, Upstream, client};
use crate::waste::Answered;
use crate::{StartError, tls};

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) live: ArcSwap<Live>,
    pub(crate) ledger: Ledger,
    pub(crate) audit: AuditLog,
    pub(crate) capture: Capturer,
    pub(crate) followers: Followers,
    pub(crate) metrics: Metrics,
    pub(crate) recent: Recent,
    pub(crate) alarms: Alarms,
    /// What the owner of the capacity decides by.
    pub(crate) desk: capacity::Figures,
    /// The seven answers of readiness.
    pub(crate) readiness: readiness::Figures,
    pub(crate) pins: Mutex<Pins>,
    pub(crate) planning: Planning,
    pub(crate) calibration: Mutex<Calibration>,
    pub(crate) admin_tries: Mutex<Tries>,
    /// Who is logged in at the dashboard, and what they look at.
    pub(crate) sessions: Sessions,
    pub(crate) hub: Hub,
    pub(crate) buffers: ArcSwap<Buffers>,
    pub(crate) draining: AtomicBool,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) idle: tokio::sync::Notify,
    pub(crate) reload_refused: Mutex<Option<String>>,
    pub(crate) waiters: Waiters,
    pub(crate) spending: Spending,
    pub(crate) answered: Answered,
    pub(crate) tries: ClientTries,
    pub(crate) telemetry: Telemetry,
    pub(crate) runs: AllRuns,
    /// Whose turn it is to add up what was spent.
    pub(crate) adding_up: Semaphore,
    /// Whose turn it is to put on record what is declared of limits.
    pub(crate) declaring: Semaphore,
    recorder: Option<Recorder>,
    /// Some limit counts tokens: one that is declared, or one that a provider has stated.
    counts_tokens: AtomicBool,
    answers: AtomicUsize,
    engine: Mutex<Engine>,
}

/// One configuration in force.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) config: Config,
    pub(crate) since: WallTime,
    pub(crate) upstreams: BTreeMap<Arc<str>, Arc<Upstream>>,
    pub(crate) keys: HashMap<[u8; 32], Arc<Key>>,
    /// Keys made at run time, the same for each configuration.
    pub(crate) made: Arc<Keys>,
    pub(crate) payers: Payers,
    /// What the cheapest of the deployments costs.
    pub(crate) cheapest: Option<Arc<Price>>,
    /// What is kept of prompts and answers.
    pub(crate) captures: Captures,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    clients: BTreeMap<Duration, HttpClient>,
    /// What the clients' addresses say instead of hosts.
    stand_ins: StandIns,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        made: Keys,
        ledger: Ledger,
        recorder: Option<Recorder>,
        spending: Spending,
    ) -> Result<Self, StartError> {
        let clock = Clock::start();
        let mut engine = Engine::new(config.engine.clone(), clock.draw());
        let metrics = Metrics::default();
        if recorder.is_some() {
            engine.record();
        }
        engine.calendar(clock.now(), wall());
        configure(&mut engine, &metrics, &config);
        let secret =
            weir_ledger::installation_secret(&config.ledger.path, clock.secret()).map_err(StartError::Secret)?;
        let runs = AllRuns::new(&secret, config.runs.clone());
        let buffers = Buffers::new(config.server.buffer_limit);
        let counts_tokens = limits_tokens(&config);
        let live = Live::new(config, Arc::new(made), None).map_err(StartError::Config)?;
        Ok(Self {
            answered: Answered::new(clock.draw()),
            tries: ClientTries::default(),
            telemetry: Telemetry::new(wall(), u128::from(clock.draw()) << 64 | u128::from(clock.draw())),
            runs,
            clock,
            live: ArcSwap::from_pointee(live),
            audit: AuditLog::new(ledger.clone()),
            capture: Capturer::default(),
            followers: Followers::default(),
            ledger,
            metrics,
            recent: Recent::default(),
            alarms: Alarms::default(),
            desk: capacity::Figures::default(),
            readiness: readiness::Figures::default(),
            pins: Mutex::default(),
            planning: Planning::default(),
            calibration: Mutex::default(),
            admin_tries: Mutex::default(),
            sessions: Sessions::default(),
            hub: Hub::default(),
            buffers: ArcSwap::from_pointee(buffers),
            draining: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            idle: tokio::sync::Notify::new(),
            reload_refused: Mutex::new(None),
            waiters: Waiters::default(),
            adding_up: Semaphore::new(1),
            declaring: Semaphore::new(1),
            spending,
            recorder,
            counts_tokens: AtomicBool::new(counts_tokens),
            answers: AtomicUsize::new(0),
            engine: Mutex::new(engine),
        })
    }

    /// Before anybody is served: these pay.
    pub(crate) fn pay_by(&self, payers: Payers) {
        let before = self.live.load_full();
        self.live.store(Arc::new(Live { payers, ..Live::clone(&before) }));
    }

    /// Asks the engine, or tells it something; what that changed for others is written down, and they are woken.
    pub(crate) fn decide<T>(&self, question: impl FnOnce(&mut Engine) -> T) -> T {
        self.decide_and_tell(question).0
    }

    /// The same, and what it changed: that belongs into the record of whoever asked, too.
    pub(crate) fn decide_and_tell<T>(&self, question: impl FnOnce(&mut Engine) -> T) -> (T, Vec<Fact>) {
        let mut engine = self.engine();
        let answer = question(&mut engine);
        let (changes, woken) = (engine.take_changes(), engine.take_woken());
        if let Some(recorder) = &self.recorder {
            recorder.take(engine.take_tape());
        }
        // The lock must not be held while things are written down.
        drop(engine);
        let facts = self.note_all(changes);
        self.waiters.wake(&woken);
        (answer, facts)
    }

    /// The engine, to look at.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_all(&self, changes: Vec<Change>) -> Vec<Fact> {
        let note = |change| {
            let fact = changes::fact(change, &self.clock);
            changes::log(&fact);
            self.tell(Event { at: wall(), stage: Stage::Call, fact: fact.clone() });
            fact
        };
        changes.into_iter().map(note).collect()
    }

    /// Writes a fact of the system down, and remembers it for the live view.
    pub(crate) fn tell(&self, event: Event) {
        self.followers.fact(&event);
        self.alarms.hear(&event.fact);
        self.recent.push(event.clone());
        telemetry::tell_fact(&self.telemetry, &self.live.load(), &event);
        self.ledger.note(event);
    }

    /// Puts a new configuration in force, for requests that begin after this; returns what the ledger is to be asked about its
    /// new budgets.
    ///
    /// # Errors
    /// A sentence that says what of it cannot be used; nothing changed then.
    pub(crate) fn adopt(&self, config: Config) -> Result<Vec<Question>, String> {
        let before = self.live.load();
        let mut live = Live::new(config, Arc::clone(&before.made), Some(&before))?;
        self.spending.open_record(&live.config).map_err(|error| error.to_string())?;
        self.decide(|engine| configure(engine, &self.metrics, &live.config));
        self.runs.configure(self.clock.now(), live.config.runs.clone());
        if limits_tokens(&live.config) {
            self.tokens_are_limited();
        }
        let (payers, questions) = budgets::prepare(self, &live.config);
        live.payers = payers;
        self.buffers.store(Arc::new(self.buffers.load().with_limit(live.config.server.buffer_limit)));
        let path = match &live.config.source {
            Source::File(path) => path.display().to_string(),
            Source::Environment => "the environment".to_owned(),
        };
        self.live.store(Arc::new(live));
        self.telemetry.changed.notify_waiters();
        self.tell(Event { at: wall(), stage: Stage::Accept, fact: Fact::ConfigReloaded { path } });
        Ok(questions)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether some limit counts tokens, so that they are worth estimating well.
    pub(crate) fn counts_tokens(&self) -> bool {
        self.counts_tokens.load(Ordering::Relaxed)
    }

    /// A provider has stated a limit on tokens.
    pub(crate) fn tokens_are_limited(&self) {
        if !self.counts_tokens() {
            self.counts_tokens.store(true, Ordering::Relaxed);
        }
    }

    /// Whether to learn from this answer how many tokens a text is: from all where that matters, else from one in sixteen.
    pub(crate) fn learns_tokens(&self) -> bool {
        self.counts_tokens() || self.answers.fetch_add(1, Ordering::Relaxed).is_multiple_of(16)
    }

    /// Counts a request as running until the guard is dropped.
    pub(crate) fn running(self: &Arc<Self>) -> Running {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Running(Arc::clone(self))
    }
}

/// One running request.
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Live {
    fn new(config: Config, made: Arc<Keys>, before: Option<&Self>) -> Result<Self, String> {
        let stand_ins = before.map(|before| before.stand_ins.clone()).unwrap_or_default();
        let mut upstreams = BTreeMap::new();
        for (name, provider) in &config.providers {
            upstreams.insert(Arc::clone(name), Arc::new(Upstream::new(provider, &stand_ins)?));
        }
        let keys = config.keys.values().map(|key| (key.hash, Arc::new(key.clone()))).collect();
        let clients = clients(&config, before, &stand_ins)?;
        let tls = config.server.tls.as_ref().map(|t| tls::server_config(&t.certificate, &t.key)).transpose()?;
        made.warn_of_shut_out(&config);
        let captures = Captures::new(&config)?;
        let cheapest = cheapest(&config, &declared(&config));
        Ok(Self {
            captures,
            cheapest,
            config,
            since: wall(),
            upstreams,
            keys,
            made,
            payers: Payers::default(),
            tls,
            clients,
            stand_ins,
        })
    }

    /// Whether a client needs a key: it does where the configuration has keys, or one was ever made at run time.
    pub(crate) fn asks_for_keys(&self) -> bool {
        !self.keys.is_empty() || self.made.any()
    }

    /// Whether all keys, if there are any, are `tenant`'s.
    pub(crate) fn is_alone(&self, tenant: &str) -> bool {
        self.config.keys.values().all(|key| &*key.tenant == tenant) && !self.made.of_others(tenant)
    }

    /// The client whose connections are made within `connect`.
    pub(crate) fn client(&self, connect: Duration) -> Option<&HttpClient> {
        self.clients.get(&connect).or_else(|| self.clients.values().next())
    }
}

/// A client for each connect timeout in use; those of the configuration before are kept, with their warm connections.
fn clients(
    config: &Config,
    before: Option<&Live>,
    stand_ins: &StandIns,
) -> Result<BTreeMap<Duration, HttpClient>, String> {
    let kept = before.filter(|b| b.config.server.ca_file == config.server.ca_file);
    let tls = tls::client_config(config.server.ca_file.as_deref())?;
    let mut wanted: Vec<Duration> = config.routes.values().map(|r| r.timeouts.connect).collect();
    wanted.push(config.timeouts.connect);
    Ok(wanted
        .into_iter()
        .map(|connect| {
            let warm = kept.and_then(|b| b.clients.get(&connect)).cloned();
            (connect, warm.unwrap_or_else(|| client(tls.clone(), connect, stand_ins.clone())))
        })
        .collect())
}

/// The deployments that a configuration names.
fn declared(config: &Config) -> Vec<DeploymentId> {
    let mut declared: Vec<DeploymentId> = config.routes.values().flat_map(|r| r.deployments.iter().cloned()).collect();
    for (name, provider) in &config.providers {
        declared.extend(provider.models.keys().map(|model| DeploymentId::new(Arc::clone(name), model.as_str())));
    }
    declared.retain(|d| &*d.model != "*");
    declared
}

fn configure(engine: &mut Engine, metrics: &Metrics, config: &Config) {
    let declared = declared(config);
    metrics.declare(&Declared {
        deployments: declared.iter().map(|d| Arc::from(d.to_string())).collect(),
        routes: config.routes.keys().cloned().collect(),
        keys: config.keys.keys().cloned().collect(),
    });
    let credentials = config
        .providers
        .iter()
        .filter_map(|(name, p)| p.api_key.as_ref().map(|key| (Arc::clone(name), fingerprint(key.expose()))))
        .collect();
    engine.configure(config.engine.clone(), declared, credentials);
}

/// Whether a limit that is declared counts tokens.
fn limits_tokens(config: &Config) -> bool {
    let declared = &config.engine.limits;
    let providers = declared.providers.values().map(|provider| provider.limits);
    let models = declared.models.values().map(|model| model.limits);
    let pools = declared.pools.values().map(|pool| pool.limits);
    let keys = declared.keys.values().copied();
    providers.chain(models).chain(pools).chain(keys).any(|limits| limits.iter().any(|(what, _)| what.is_of_tokens()))
}

/// Tells one credential from another without keeping it.
fn fingerprint(secret: &str) -> u64 {
    let hash = weir_config::hash_key(secret);
    u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
