//! The writer: groups what comes in and commits each group at once.
//!
//! It sleeps while a group gathers rather than waking for each message, and a request whose intent and entry fall into one
//! group is written once. While the database fails, groups go to the spill, and come back from it when it works again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use weir_units::{RequestId, WallTime};

use crate::change::{Asked, Changes};
use crate::content::Content;
use crate::ledger::{Message, Options, State, wall_now};
use crate::lock::Lock;
use crate::open::{OpenError, close_open, connect};
use crate::rolling::Rolling;
use crate::row::{Row, minutes};
use crate::spill::{Ask, Spill, Taken};
use crate::store::Store;

/// Messages that one transaction takes at most.
const GROUP: usize = 2_048;

/// How long a failing database is left alone before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How often old records are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

pub(crate) struct Writer {
    options: Options,
    /// How long a group gathers; the rest of `commit_every` is for the commit.
    window: Duration,
    store: Store,
    messages: mpsc::Receiver<Message>,
    spill: Spill,
    state: Arc<State>,
    _lock: Arc<Lock>,
    group: Vec<Message>,
    /// Whether the database was ready before: what a former process left open is closed once.
    prepared: bool,
    /// What is committed and not counted yet.
    rolling: Rolling,
    /// When a database that fails is tried again.
    retry_at: Option<Instant>,
    changes: Changes,
    /// The spill file that is being read back, and the rows of it that are next.
    back: Option<(Taken, Vec<Row>, u64)>,
    sweep_at: Instant,
}

impl Writer {
    pub(crate) fn new(
        options: Options,
        store: Store,
        messages: mpsc::Receiver<Message>,
        spill: Spill,
        state: Arc<State>,
        lock: Arc<Lock>,
    ) -> Self {
        let window = options.commit_every.mul_f32(0.8);
        let sweep_at = Instant::now();
        let prepared = store.is_connected();
        let rolling = Rolling::new();
        let (group, retry_at, changes, back) = (Vec::new(), None, Changes::default(), None);
        Self {
            options,
            window,
            store,
            messages,
            spill,
            state,
            _lock: lock,
            group,
            prepared,
            rolling,
            retry_at,
            changes,
            back,
            sweep_at,
        }
    }

    pub(crate) async fn run(mut self) {
        if self.prepared
            && let Ok(on) = self.store.on()
            && let Err(error) = self.rolling.take_over(on).await
        {
            self.fails(error).await;
        }
        loop {
            let open = self.gather().await;
            let Parts { rows, changes, contents, flushes, rolls, closes } = parts_of(&mut self.group);
            let now = Instant::now();
            let all = !open || !flushes.is_empty() || !rolls.is_empty() || !closes.is_empty();
            if all || self.retry_at.is_some_and(|at| at <= now) {
                self.retry_at = None;
            }
            self.commit(rows).await;
            self.keep(changes, false).await;
            self.keep_contents(contents).await;
            self.read_back(all).await;
            while self.roll(!rolls.is_empty()).await && !rolls.is_empty() {}
            self.sweep().await;
            for done in flushes.into_iter().chain(rolls) {
                let _ = done.send(());
            }
            if !open || !closes.is_empty() {
                return self.end(closes).await;
            }
        }
    }

    /// Waits until there is something to do and takes what has come; false when nobody can send any more.
    async fn gather(&mut self) -> bool {
        let backlog = self.back.is_some() || self.state.spilled.load(Ordering::Relaxed) > 0;
        if self.retry_at.is_none() && backlog {
            return self.drain();
        }
        let retries = [self.retry_at, self.changes.retry_at()].into_iter().flatten();
        let wake_at = retries.fold(self.sweep_at.min(self.rolling.at), Instant::min);
        tokio::select! {
            message = self.messages.recv() => {
                let Some(message) = message else { return false };
                self.group.push(message);
            }
            () = self.state.hurry.notified() => return self.drain(),
            () = sleep_until(wake_at) => return self.drain(),
        }
        tokio::select! {
            () = sleep(self.window) => {}
            () = self.state.hurry.notified() => {}
        }
        self.drain()
    }

    fn drain(&mut self) -> bool {
        while self.group.len() < GROUP {
            match self.messages.try_recv() {
                Ok(message) => self.group.push(message),
                Err(mpsc::error::TryRecvError::Empty) => return true,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
        // There is more: the next group need not gather.
        self.state.hurry.notify_one();
        true
    }

    /// Writes rows to the database, or else to the spill.
    async fn commit(&mut self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        if self.retry_at.is_none() {
            match self.write(&rows).await {
                Ok(minutes) => {
                    self.rolling.committed(rows, &minutes);
                    return self.works();
                }
                Err(error) => self.fails(error).await,
            }
        }
        let (done, kept) = oneshot::channel();
        self.spill.ask(Ask::Rows(rows, done));
        let _ = kept.await;
    }

    /// Writes changes that must be on disk before anybody may say that they are made.
    async fn keep(&mut self, asked: Vec<Asked>, last: bool) {
        if self.changes.is_due(&asked, last) {
            let ready = self.ready().await;
            self.changes.write(&mut self.store, &self.state, ready, asked, last).await;
        }
    }

    /// Writes contents that were captured. What cannot be written is gone: no other file may have it.
    async fn keep_contents(&mut self, contents: Vec<Content>) {
        if contents.is_empty() {
            return;
        }
        let size = contents.iter().map(|content| content.content.len()).sum();
        let kept = match self.retry_at {
            None => self.store.keep_contents(&contents).await,
            Some(_) => Err(sqlx::Error::PoolClosed),
        };
        if let Err(error) = kept {
            tracing::warn!(contents = contents.len(), %error, "captured contents are not kept: the database does not take them");
        }
        self.state.waiting_contents.fetch_sub(size, Ordering::Relaxed);
    }

    /// Brings rows back from the spill: the next some, or all.
    async fn read_back(&mut self, all: bool) {
        while self.retry_at.is_none() && (all || self.back.is_some() || self.state.spilled.load(Ordering::Relaxed) > 0)
        {
            match self.read_back_some().await {
                Ok(true) if all => {}
                Ok(_) => return,
                Err(error) => return self.fails(error).await,
            }
        }
    }

    /// Brings the next rows back; false if there were none.
    async fn read_back_some(&mut self) -> Result<bool, sqlx::Error> {
        let (taken, rows, lines) = match self.back.take() {
            Some(back) => back,
            None => {
                let (reply, answer) = oneshot::channel();
                self.spill.ask(Ask::Take(reply));
                let Some(taken) = answer.await.map_err(|_| sqlx::Error::WorkerCrashed)?? else { return Ok(false) };
                (taken, Vec::new(), 0)
            }
        };
        let (taken, rows, lines) = if lines == 0 { read_some(taken).await? } else { (taken, rows, lines) };
        if lines == 0 {
            taken.done()?;
            return Ok(true);
        }
        let written = self.write(&rows).await;
        if let Ok(minutes) = &written {
            self.rolling.committed(rows, minutes);
            // A file that had to be begun again is counted twice, so this must not wrap.
            let less = |spilled: u64| Some(spilled.saturating_sub(lines));
            let _ = self.state.spilled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            self.back = Some((taken, Vec::new(), 0));
            self.works();
        } else {
            self.back = Some((taken, rows, lines));
        }
        written.map(|_| true)
    }

    async fn sweep(&mut self) {
        if self.retry_at.is_some() || Instant::now() < self.sweep_at {
            return;
        }
        let before = self.kept();
        let swept = match self.store.sweep(before).await {
            Ok(more) => self.store.sweep_contents(wall_now()).await.map(|contents| more || contents),
            Err(error) => Err(error),
        };
        match swept {
            Ok(true) => self.sweep_at = Instant::now() + self.window,
            Ok(false) => self.sweep_at = Instant::now() + SWEEP_EVERY,
            Err(error) => self.fails(error).await,
        }
    }

    /// Since when detail is kept.
    fn kept(&self) -> WallTime {
        let retention = i64::try_from(self.options.retention.as_micros()).unwrap_or(i64::MAX);
        WallTime(wall_now().0.saturating_sub(retention))
    }

    fn works(&self) {
        if let Some(since) = self.state.works() {
            tracing::info!(%since, "the ledger's database works again");
        }
    }

    async fn fails(&mut self, error: sqlx::Error) {
        self.retry_at = Some(Instant::now() + RETRY);
        self.state.fails(&error);
        tracing::error!(%error, "the ledger's database fails; records go to the spill until it works");
        // A connection whose worker or server is gone will not come back by itself.
        let gone = matches!(error, sqlx::Error::WorkerCrashed | sqlx::Error::Io(_));
        if gone || self.options.postgres.is_some() {
            self.store.connects(None);
        }
    }

    /// Writes rows, and marks their minutes, which it returns.
    async fn write(&mut self, rows: &[Row]) -> Result<Vec<i64>, sqlx::Error> {
        self.ready().await?;
        let minutes = minutes(rows);
        self.store.write(rows, &self.rolling.to_mark(&minutes)).await?;
        Ok(minutes)
    }

    /// Counts what was committed, when it is time or `now`; true if there is more.
    async fn roll(&mut self, now: bool) -> bool {
        if self.retry_at.is_some() || (!now && Instant::now() < self.rolling.at) {
            return false;
        }
        let kept = self.kept().0.div_euclid(60_000_000) + 1;
        let rolled = match self.ready().await.and_then(|()| self.store.on()) {
            Ok(on) => self.rolling.roll(on, kept).await,
            Err(error) => Err(error),
        };
        match rolled {
            Ok(more) => more,
            Err(error) => {
                self.fails(error).await;
                false
            }
        }
    }

    /// Connects again, if need be.
    async fn ready(&mut self) -> Result<(), sqlx::Error> {
        if self.store.is_connected() {
            return Ok(());
        }
        let connected = connect(self.store.place()).await.map_err(|error| match error {
            OpenError::Database { source, .. } => source,
            other => sqlx::Error::Configuration(other.to_string().into()),
        });
        self.store.connects(Some(connected?));
        let mut taken = match self.prepared {
            true => Ok(()),
            false => close_open(&mut self.store, &self.state).await,
        };
        if taken.is_ok() {
            // Whether the last commit came through is not known.
            self.rolling.forget();
            taken = self.rolling.take_over(self.store.on()?).await;
        }
        taken.inspect_err(|_| self.store.connects(None))?;
        self.prepared = true;
        Ok(())
    }

    async fn end(mut self, mut closes: Waiting) {
        // From here on, what handles still send goes to the spill.
        self.messages.close();
        while let Some(message) = self.messages.recv().await {
            self.group.push(message);
        }
        let Parts { rows, changes, contents, closes: late, .. } = parts_of(&mut self.group);
        closes.extend(late);
        self.commit(rows).await;
        self.keep(changes, true).await;
        self.keep_contents(contents).await;
        let Self { store, _lock: lock, .. } = self;
        if let Err(error) = store.close().await {
            tracing::error!(%error, "the ledger's database did not close cleanly");
        }
        drop(lock);
        for done in closes {
            let _ = done.send(());
        }
    }
}

async fn read_some(mut taken: Taken) -> Result<(Taken, Vec<Row>, u64), sqlx::Error> {
    let read = tokio::task::spawn_blocking(move || taken.rows(GROUP).map(|(rows, lines)| (taken, rows, lines))).await;
    Ok(read.map_err(|_| sqlx::Error::WorkerCrashed)??)
}

type Waiting = Vec<oneshot::Sender<()>>;

/// A group, taken apart.
#[derive(Default)]
struct Parts {
    /// Rows, without the intents whose entry is in the group as well.
    rows: Vec<Row>,
    changes: Vec<Asked>,
    contents: Vec<Content>,
    /// Who waits for the commit, for all to be counted, and for the end.
    flushes: Waiting,
    rolls: Waiting,
    closes: Waiting,
}

fn parts_of(group: &mut Vec<Message>) -> Parts {
    let mut settled: Vec<RequestId> = group
        .iter()
        .filter_map(|message| if let Message::Settle(row) = message { Some(row.id) } else { None })
        .collect();
    settled.sort_unstable();
    let mut parts = Parts { rows: Vec::with_capacity(group.len()), ..Parts::default() };
    for message in group.drain(..) {
        match message {
            Message::Intent(intent) if settled.binary_search(&intent.id).is_ok() => {}
            Message::Change(change, waits) => parts.changes.push((change, waits)),
            Message::Content(content) => parts.contents.push(*content),
            Message::Flush(done) => parts.flushes.push(done),
            Message::Roll(done) => parts.rolls.push(done),
            Message::Close(done) => parts.closes.push(done),
            message => parts.rows.extend(Row::of(message)),
        }
    }
    parts
}
