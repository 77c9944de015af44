//! Taking in records of the past, many at once: of requests that went another way, as other tools logged them.
//!
//! Rows and what is counted of them are written in one transaction, so that a minute is never half counted, however old it
//! is. It writes beside a process that serves the same ledger, in transactions that are short enough not to keep that one waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use weir_units::WallTime;

use crate::built::Built;
use crate::db::Connection;
use crate::entry::{Entry, Outcome};
use crate::index::minute;
use crate::ledger::{Options, wall_now};
use crate::lock::Lock;
use crate::open::{OpenError, connect_beside};
use crate::place::Place;
use crate::query::{StoreError, key};
use crate::rolling::add;
use crate::rollup::Grain;
use crate::row::{RequestRow, Row};
use crate::store::Store;

/// Records that one transaction takes at most, where another process writes or may write to the same ledger.
const GROUP: usize = 1_024;

/// The same where nobody does: sums of hours and days are written anew in each transaction, so that few large ones are faster.
const GROUP_ALONE: usize = 4_096;

/// A process that writes to the same file asks for its turn now and then, so it is left a quarter of the time.
const LEFT: u32 = 4;

/// Ids that are looked for at once.
const IDS: usize = 256;

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// These are new.
    pub added: u64,
    /// These are there already, by their ids; they stay as they are.
    pub known: u64,
    /// These are of days that were imported into before and whose detail is deleted since. Whether they were among it cannot be
    /// told, so they are left out.
    pub gone: u64,
}

/// Writes records of the past into a ledger, also while another process serves it.
pub struct Importer {
    store: Store,
    retention: Duration,
    /// Another process serves the same file.
    served: bool,
    /// Records that one transaction takes at most.
    group: usize,
}

impl Importer {
    /// Opens the ledger, or makes one.
    ///
    /// # Errors
    /// When it cannot be reached, or is one that this version does not understand.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let place = Place::of(&options.path, options.postgres.as_ref());
        if let (Place::File(path), Some(folder)) = (&place, options.path.parent()) {
            fs::create_dir_all(folder).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        }
        let connection = connect_beside(&place).await?;
        let served = matches!(&place, Place::File(path) if Lock::take(path).is_err());
        // Who else writes to a Postgres is not known.
        let group = if served || !matches!(place, Place::File(_)) { GROUP } else { GROUP_ALONE };
        Ok(Self { store: Store::new(place, Some(connection)), retention: options.retention, served, group })
    }

    /// Writes records, and counts them in all sums, series, demand and figures; when it returns, they are on disk and counted.
    ///
    /// A record is known by its id, which begins with its time: make it with [`RequestId::new`](weir_units::RequestId::new) out
    /// of the time and of what is always the same of the record, and importing it again changes nothing. Records may come in any
    /// order; those in order of time are written fastest, some thousands at a call. If it fails, some of them are written whole
    /// and the rest is not, so that it may be called again with all of them. Detail of imported days, also what else is of these
    /// days, is kept for the retention from the import on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add(&mut self, mut entries: Vec<Entry>) -> Result<Imported, StoreError> {
        entries.sort_by_key(|entry| entry.id);
        let ended = entries.into_iter().filter(|entry| entry.outcome != Outcome::Open);
        self.add_rows(ended.map(RequestRow::settled)).await
    }

    /// The same with records as `weir export` writes them: they stay as they are, with all their attempts and events. What is no
    /// record of an ended request is left out; it returns how many those were, too.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_records(&mut self, records: &[String]) -> Result<(Imported, u64), StoreError> {
        let mut rows: Vec<RequestRow> = records.iter().filter_map(|record| RequestRow::of_record(record)).collect();
        let damaged = (records.len() - rows.len()) as u64;
        rows.sort_by_key(|row| row.id);
        Ok((self.add_rows(rows.into_iter()).await?, damaged))
    }

    async fn add_rows(&mut self, rows: impl Iterator<Item = RequestRow>) -> Result<Imported, StoreError> {
        let mut all = Imported::default();
        let group = self.group;
        let mut from = rows.peekable();
        while from.peek().is_some() {
            let mut rows: Vec<RequestRow> = Vec::with_capacity(group);
            for row in from.by_ref().take(group) {
                match rows.last() {
                    Some(last) if last.id == row.id => all.known += 1,
                    _ => rows.push(row),
                }
            }
            let began = Instant::now();
            let some = self.write(rows).await?;
            if self.served {
                tokio::time::sleep(began.elapsed() / LEFT).await;
            }
            all.added += some.added;
            all.known += some.known;
            all.gone += some.gone;
        }
        Ok(all)
    }

    /// Closes the database.
    ///
    /// # Errors
    /// When the database says no.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.store.close().await?)
    }

    async fn write(&mut self, rows: Vec<RequestRow>) -> Result<Imported, sqlx::Error> {
        self.store.on()?.begin().await?;
        let written = self.write_within(rows).await;
        self.store.on()?.end(written).await
    }

    async fn write_within(&mut self, mut rows: Vec<RequestRow>) -> Result<Imported, sqlx::Error> {
        let mut told = Imported::default();
        let now = wall_now();
        let on = self.store.on()?;
        on.alone().await?;
        let gone = gone(on, now).await?;
        let count = rows.len();
        rows.retain(|row| !gone.contains(&day(row)));
        told.gone = (count - rows.len()) as u64;
        let known = known(on, &rows).await?;
        let count = rows.len();
        rows.retain(|row| !known.contains(&row.id.0));
        told.known = (count - rows.len()) as u64;
        told.added = rows.len() as u64;
        let mut built: BTreeMap<i64, Built> = BTreeMap::new();
        for row in &rows {
            if let Some(seen) = &row.seen {
                built.entry(minute(row.id.0)).or_default().add(seen);
            }
        }
        let days: BTreeSet<i64> = rows.iter().map(day).collect();
        let rows: Vec<Row> = rows.into_iter().map(Row::Request).collect();
        self.store.write_all(&rows, &[]).await?;
        let on = self.store.on()?;
        add(on, built.into_iter().map(|(minute, built)| (minute, built.done())).collect()).await?;
        let until = now.0.saturating_add(i64::try_from(self.retention.as_micros()).unwrap_or(i64::MAX));
        for day in days {
            let mut sql = on.statement("INSERT INTO imports (day, kept_until) VALUES (");
            sql.bind(day).push(", ").bind(until);
            sql.push(") ON CONFLICT (day) DO UPDATE SET kept_until = excluded.kept_until");
            on.execute(sql).await?;
        }
        Ok(told)
    }
}

/// When the day of a record begins, in microseconds.
fn day(row: &RequestRow) -> i64 {
    Grain::Day.begin(row.id.millis().saturating_mul(1_000))
}

/// Days whose imported detail is deleted.
async fn gone(on: &mut Connection, now: WallTime) -> Result<BTreeSet<i64>, sqlx::Error> {
    let mut sql = on.statement("SELECT day FROM imports WHERE kept_until <= ");
    sql.bind(now.0);
    on.rows(sql).await?.iter().map(|row| row.int(0)).collect()
}

/// The ids among those of the rows that are there already.
async fn known(on: &mut Connection, rows: &[RequestRow]) -> Result<BTreeSet<u128>, sqlx::Error> {
    let mut known = BTreeSet::new();
    for some in rows.chunks(IDS) {
        let mut sql = on.statement("SELECT id FROM requests WHERE id IN (");
        for (place, row) in some.iter().enumerate() {
            sql.push(if place == 0 { "" } else { ", " }).bind(key(row.id));
        }
        sql.push(")");
        for row in on.rows(sql).await? {
            known.insert(row.blob(0)?.try_into().map_or(0, u128::from_be_bytes));
        }
    }
    Ok(known)
}

/// The days before a time whose detail is kept although it is old, since it was imported of late.
pub(crate) async fn held(on: &mut Connection, before: i64) -> Result<Vec<i64>, sqlx::Error> {
    let mut sql = on.statement("SELECT day FROM imports WHERE kept_until > ");
    sql.bind(wall_now().0).push(" AND day < ").bind(before).push(" ORDER BY day");
    on.rows(sql).await?.iter().map(|row| row.int(0)).collect()
}

/// What lies before a time and in no day that is held: from one time on and before another, in microseconds.
pub(crate) fn gaps(held: &[i64], before: i64) -> Vec<(i64, i64)> {
    let (mut gaps, mut from) = (Vec::new(), 0);
    for day in held {
        if *day > from {
            gaps.push((from, (*day).min(before)));
        }
        from = day + Grain::Day.length();
    }
    if from < before {
        gaps.push((from, before));
    }
    gaps
}
