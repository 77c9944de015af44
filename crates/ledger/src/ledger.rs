//! The handle through which everyone writes to the ledger, without ever waiting for it.
//!
//! A call puts its message in a bounded queue, and if that is full hands it to the spill. Records are made once the answers
//! are sent; grouping and committing are the writer's.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::yield_now;
use weir_units::{NanoUsd, RequestId, WallTime};

use crate::audit::{AuditEntry, AuditHead, AuditQuery, AuditRecord};
use crate::change::Change;
use crate::content::Content;
use crate::demand::{DemandQuery, DemandRow};
use crate::entry::{Entry, Intent};
use crate::fact::Event;
use crate::figures::{Figures, Uptime};
use crate::filter::Filter;
use crate::keys::{KeyRecord, KeysCopy, KnownKeys};
use crate::lock::Lock;
use crate::place::Postgres;
use crate::query::{Count, FactQuery, FactRecord, Payer, Query, Reader, StoreError};
use crate::row::{FactRow, RequestRow};
use crate::series::{Series, SeriesQuery};
use crate::spend::{Spend, SpendError, SpendQuery};
use crate::spill::{Ask, Spill};

/// Requests that have ended and wait for their record at most.
const MOST_ENDED: usize = 64;

/// Captured contents that may wait in memory, in bytes.
const MOST_CONTENT: usize = 32 << 20;

/// How the ledger is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database's file. Beside it lie `.lock`, SQLite's own two files, and `.spill` when the database was not to be had.
    pub path: PathBuf,
    /// The database in Postgres, if it is there and not in the file; what else lies beside the file does so all the same.
    pub postgres: Option<Postgres>,
    /// How long records are kept.
    pub retention: Duration,
    /// How many messages may wait in memory; what comes on top is spilled.
    pub queue: usize,
    /// A message is committed within this time of its arrival.
    pub commit_every: Duration,
}

impl Options {
    /// The ledger at `path` with the defaults: 35 days, 8,192 messages, 50 ms.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            postgres: None,
            retention: Duration::from_secs(35 * 86_400),
            queue: 8_192,
            commit_every: Duration::from_millis(50),
        }
    }
}

/// How far the database is behind what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Messages that wait in memory.
    pub queued: usize,
    /// Rows that wait in the spill file.
    pub spilled: u64,
    /// Rows that are on no record at all: the database and the spill both failed.
    pub lost: u64,
    /// Since when the database has been failing; none if it works.
    pub since: Option<WallTime>,
    /// Why it fails, or why the spill does.
    pub error: Option<String>,
}

/// Takes intents, entries and facts. Cheap to clone; no method but `flush`, `close` and the queries ever waits.
#[derive(Clone, Debug)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    messages: mpsc::Sender<Message>,
    spill: Spill,
    state: Arc<State>,
    reader: Reader,
    copy: Option<KeysCopy>,
    /// Requests that have ended and have no record yet. In boxes, as they come: each is half a kilobyte.
    #[expect(clippy::vec_box, reason = "a move is less than a copy")]
    ended: Mutex<Vec<Box<Entry>>>,
    /// Is held while their records are made.
    recording: Mutex<()>,
    _lock: Arc<Lock>,
}

/// Records what has ended when it is dropped, so that nothing is left out when its task never comes to run.
struct Rest(Ledger);

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.record_ended();
    }
}

/// What goes to the writer.
#[derive(Debug)]
pub(crate) enum Message {
    Intent(Box<Intent>),
    Settle(Box<RequestRow>),
    /// A fact and its id.
    Note(i64, Box<Event>),
    /// What must be on disk before it is said to be, and who waits for that.
    Change(Box<Change>, Option<oneshot::Sender<Result<(), sqlx::Error>>>),
    /// What was captured of a request.
    Content(Box<Content>),
    Flush(oneshot::Sender<()>),
    /// As `Flush`, and all that is committed is counted in roll-ups and found by postings.
    Roll(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// What handles, writer and spill know of each other.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Rouses the writer before its window is over.
    pub(crate) hurry: Notify,
    /// Messages on their way to the spill file.
    pub(crate) overflow: AtomicUsize,
    pub(crate) spilled: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) last_fact: AtomicI64,
    pub(crate) trouble: Mutex<Option<(WallTime, String)>>,
    /// Bytes of captured contents that wait in memory.
    pub(crate) waiting_contents: AtomicUsize,
    /// The newest row of the audit log; none before the database was reached.
    pub(crate) audit_head: Mutex<Option<AuditHead>>,
}

impl Ledger {
    pub(crate) fn new(
        messages: mpsc::Sender<Message>,
        spill: Spill,
        state: Arc<State>,
        reader: Reader,
        copy: Option<KeysCopy>,
        lock: Arc<Lock>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                messages,
                spill,
                state,
                reader,
                copy,
                ended: Mutex::default(),
                recording: Mutex::default(),
                _lock: lock,
            }),
        }
    }

    /// Takes down that a request was admitted.
    pub fn intent(&self, intent: Intent) {
        self.put(Message::Intent(Box::new(intent)));
    }

    /// Takes down how a request ended, in place of its intent. Its record is made when those who serve have had their turn: after
    /// the answer is sent, of a few requests in a row, and while the entry is still in a near cache, which it is not when the
    /// writer comes to it.
    pub fn settle(&self, entry: Box<Entry>) {
        let waiting = {
            let mut ended = self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.push(entry);
            ended.len()
        };
        match (waiting, Handle::try_current()) {
            (1, Ok(runtime)) => {
                // A runtime that shuts down drops it here and now.
                let rest = Rest(self.clone());
                runtime.spawn(async move {
                    yield_now().await;
                    drop(rest);
                });
            }
            (2..MOST_ENDED, Ok(_)) => {}
            _ => self.record_ended(),
        }
    }

    /// Makes the records of those that have ended. When it returns, all that had ended when it was called are in the queue, also
    /// those that another thread was at.
    fn record_ended(&self) {
        let _turn = self.inner.recording.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for entry in all {
            self.put(Message::Settle(Box::new(RequestRow::settled(*entry))));
        }
    }

    /// Takes down a fact about Weir itself.
    pub fn note(&self, event: Event) {
        self.put(Message::Note(self.fact_id(&event), Box::new(event)));
    }

    /// The id of a fact: it follows the fact's time and never repeats, which makes writing a fact twice harmless.
    fn fact_id(&self, event: &Event) -> i64 {
        let next = |last: i64| event.at.0.max(last.saturating_add(1));
        let ids = &self.inner.state.last_fact;
        let last = ids.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        next(last.unwrap_or_default())
    }

    /// Writes a key made at run time as it is from now on, the fact that says so, and what the audit log says of it. It returns
    /// when all are on disk, or none will be.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_key(&self, key: KeyRecord, event: Event, audit: Option<AuditEntry>) -> Result<(), StoreError> {
        let fact = FactRow::of(self.fact_id(&event), &event);
        self.change(Change { key: Some((key, fact)), audit }).await
    }

    /// Adds to the audit log; it returns when the entry is on disk, or never will be.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.change(Change { key: None, audit: Some(entry) }).await
    }

    /// Adds to the audit log what nobody waits for. While the database fails it is kept in memory.
    pub fn audit_later(&self, entry: AuditEntry) {
        let change = Box::new(Change { key: None, audit: Some(entry) });
        if let Err(error) = self.inner.messages.try_send(Message::Change(change, None)) {
            tracing::error!(%error, "an entry of the audit log is on no record");
        }
    }

    /// The newest row of the audit log that is on disk: a *head* to tell others, so that a log that is cut later is seen to be.
    #[must_use]
    pub fn audit_head(&self) -> AuditHead {
        self.inner.state.audit_head.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    /// The rows of the audit log that `query` asks for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audited(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        self.inner.reader.audit(query).await
    }

    /// Keeps what was captured of a request; false if there is no room for it now, and it is kept nowhere.
    #[must_use]
    pub fn keep_content(&self, content: Content) -> bool {
        let waiting = &self.inner.state.waiting_contents;
        let size = content.content.len();
        let room = |held: usize| held.checked_add(size).filter(|held| *held <= MOST_CONTENT);
        if waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return false;
        }
        let kept = self.inner.messages.try_send(Message::Content(Box::new(content))).is_ok();
        if !kept {
            waiting.fetch_sub(size, Ordering::Relaxed);
        }
        kept
    }

    /// What was captured of a request, as JSON; none if nothing was, or its time is over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn content(&self, id: RequestId) -> Result<Option<String>, StoreError> {
        self.inner.reader.content(id, wall_now()).await
    }

    async fn change(&self, change: Change) -> Result<(), StoreError> {
        let (done, wait) = oneshot::channel();
        let closed = |_| StoreError::from(sqlx::Error::PoolClosed);
        self.inner
            .messages
            .send(Message::Change(Box::new(change), Some(done)))
            .await
            .map_err(|_| sqlx::Error::PoolClosed)?;
        self.inner.state.hurry.notify_one();
        wait.await.map_err(closed)??;
        if self.inner.copy.is_some() {
            // The next start may find the database away.
            let _ = self.keys().await;
        }
        Ok(())
    }

    /// All keys made at run time, by name, as the database has them. Those of a database that is another machine's are copied to a
    /// file of this one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let keys = self.inner.reader.keys().await?;
        if let Some(copy) = &self.inner.copy {
            copy.write(&keys);
        }
        Ok(keys)
    }

    /// The same while a database of another machine's is away: as this one knew them last.
    ///
    /// # Errors
    /// When the database is a file, and cannot be read.
    pub async fn known_keys(&self) -> Result<KnownKeys, StoreError> {
        match (self.keys().await, &self.inner.copy) {
            (Err(error), Some(copy)) => {
                let keys = copy.read();
                let known = keys.as_ref().map_or(0, Vec::len);
                tracing::error!(%error, known, "keys made at run time cannot be read: until they are, those count that this machine knew last");
                Ok(KnownKeys::Remembered(keys))
            }
            (keys, _) => keys.map(KnownKeys::Read),
        }
    }

    /// What was spent, added up as `query` says.
    ///
    /// # Errors
    /// When the database cannot be read, or not within `patience`.
    pub async fn spend(&self, query: &SpendQuery, patience: Option<Duration>) -> Result<Spend, SpendError> {
        self.inner.reader.spend(query, patience).await
    }

    fn put(&self, message: Message) {
        let inner = &*self.inner;
        match inner.messages.try_send(message) {
            // The writer sleeps while a group gathers; half a queue is reason enough to wake it.
            Ok(()) if inner.messages.capacity() == inner.messages.max_capacity() / 2 => inner.state.hurry.notify_one(),
            Ok(()) => {}
            Err(TrySendError::Full(message)) => {
                inner.state.hurry.notify_one();
                inner.spill.overflow(&inner.state, message);
            }
            Err(TrySendError::Closed(message)) => inner.spill.overflow(&inner.state, message),
        }
    }

    /// How far the database is behind.
    #[must_use]
    pub fn behind(&self) -> Behind {
        let inner = &*self.inner;
        let trouble = inner.state.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (since, error) = trouble.unzip();
        Behind {
            queued: inner.messages.max_capacity() - inner.messages.capacity(),
            spilled: inner.state.spilled.load(Ordering::Relaxed),
            lost: inner.state.lost.load(Ordering::Relaxed),
            since,
            error,
        }
    }

    /// Waits until all that was taken down before this call is in the database, or in the spill if the database fails.
    pub async fn flush(&self) {
        self.record_ended();
        let (done, wait) = oneshot::channel();
        if self.inner.messages.send(Message::Flush(done)).await.is_ok() {
            self.inner.state.hurry.notify_one();
            let _ = wait.await;
        }
    }

    /// Waits for that, and until all that is in the database is in roll-ups and postings, which is done every minute anyhow.
    pub async fn roll(&self) {
        self.record_ended();
        let (done, wait) = oneshot::channel();
        if self.inner.messages.send(Message::Roll(done)).await.is_ok() {
            self.inner.state.hurry.notify_one();
            let _ = wait.await;
        }
    }

    /// Writes what is left and closes the database. What other clones take down afterwards goes to the spill, and is read
    /// back at the next start.
    pub async fn close(self) {
        self.record_ended();
        // Whoever closes last folds the log into the database and removes it, and a reader may not.
        self.inner.reader.close().await;
        let (done, wait) = oneshot::channel();
        if self.inner.messages.send(Message::Close(done)).await.is_ok() {
            self.inner.state.hurry.notify_one();
            let _ = wait.await;
        }
        // What ended while this waited is waited for too.
        self.record_ended();
        let (done, wait) = oneshot::channel();
        self.inner.spill.ask(Ask::Rows(Vec::new(), done));
        let _ = wait.await;
    }

    /// What reads it.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.inner.reader
    }

    /// The record of one request as JSON; none if the ledger does not have it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn request(&self, id: RequestId) -> Result<Option<String>, StoreError> {
        self.inner.reader.request(id).await
    }

    /// The records of the requests that `query` asks for as JSON, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn requests(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        self.inner.reader.requests(query).await
    }

    /// How many requests there are of the kind, counted up to `most`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count(&self, filter: &Filter, most: u64) -> Result<Count, StoreError> {
        self.inner.reader.count(filter, most).await
    }

    /// What was asked of each deployment; see [`Reader::demand`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn demand(&self, query: &DemandQuery) -> Result<Vec<DemandRow>, StoreError> {
        self.inner.reader.demand(query).await
    }

    /// How deployments served; see [`Reader::figures`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn figures(&self, from: WallTime, until: WallTime) -> Result<Figures, StoreError> {
        self.inner.reader.figures(from, until).await
    }

    /// How deployments served between each two edges; see [`Reader::figures_over`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn figures_over(&self, edges: &[WallTime]) -> Result<Vec<Figures>, StoreError> {
        self.inner.reader.figures_over(edges).await
    }

    /// Measured availability before `now`; see [`Reader::uptime`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn uptime(&self, now: WallTime) -> Result<Uptime, StoreError> {
        self.inner.reader.uptime(now).await
    }

    /// Counts over time, as `query` says.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        self.inner.reader.series(query).await
    }

    /// The requests of the same content that arrived in the minute before this one did, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn same_call(&self, id: RequestId) -> Result<Vec<String>, StoreError> {
        self.inner.reader.same_call(id).await
    }

    /// The facts about Weir itself that `query` asks for, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn facts_of(&self, query: &FactQuery) -> Result<Vec<FactRecord>, StoreError> {
        self.inner.reader.facts_of(query).await
    }

    /// What the requests that arrived in `from..until` and that `payer` pays for have cost, as far as it is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn spent(&self, from: WallTime, until: WallTime, payer: &Payer) -> Result<NanoUsd, StoreError> {
        self.inner.reader.spent(from, until, payer).await
    }

    /// The newest `limit` facts about Weir itself as JSON, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn facts(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.inner.reader.facts(limit).await
    }
}

impl State {
    /// Takes down that the database, or the spill, fails; the first time of a row is kept.
    pub(crate) fn fails(&self, error: &dyn std::fmt::Display) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let since = trouble.as_ref().map_or_else(wall_now, |(since, _)| *since);
        *trouble = Some((since, error.to_string()));
    }

    /// Takes down that the database works; returns since when it had not.
    pub(crate) fn works(&self) -> Option<WallTime> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().map(|(since, _)| since)
    }

    /// Counts rows that are nowhere on record.
    pub(crate) fn loses(&self, rows: u64, why: &dyn std::fmt::Display) {
        self.lost.fetch_add(rows, Ordering::Relaxed);
        self.fails(why);
        tracing::error!(rows, %why, "the ledger loses records: neither the database nor the spill takes them");
    }
}

/// The calendar's time.
pub(crate) fn wall_now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
