//! Counting as the writer goes: once a minute, what was committed since is added to roll-ups and spans.
//!
//! A minute is marked as dirty in the transaction that writes the first of its requests since, and is clean again in the
//! one that adds them, so that a crash leaves nothing counted twice and nothing forgotten: what was dirty then is
//! counted anew from the requests. So is what came out of the spill, which may have been there before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::built::{Built, Counted, MinuteSums};
use crate::db::{Connection, DbRow};
use crate::demand;
use crate::figures;
use crate::index::{Postings, minute};
use crate::rollup::{Cells, Grain, Margins, Part, TagCells, Written, add_to, write_many};
use crate::row::Row;
use crate::runs;
use crate::seen::Seen;

/// How often what was committed is added.
const EVERY: Duration = Duration::from_secs(60);
/// It is added earlier when so many requests wait in memory.
const MOST: usize = 8_192;
/// A span that has fewer requests than this takes more.
const SMALL: i64 = 8_192;
/// The most requests of a span that is made anew from what the database has.
const SPAN: usize = 32_768;
/// Minutes that are counted anew in one go.
const ANEW: usize = 8;

/// What is committed and not counted yet.
pub(crate) struct Rolling {
    /// The requests of each dirty minute.
    fresh: BTreeMap<i64, Built>,
    waiting: usize,
    /// Minutes that must be counted anew.
    stale: BTreeSet<i64>,
    /// Minutes that the database has as dirty.
    marked: BTreeSet<i64>,
    /// Of the minutes that were added to last, those with too many runs to count any more of.
    full_of_runs: Vec<i64>,
    /// When it is next time.
    pub(crate) at: Instant,
}

impl Rolling {
    pub(crate) fn new() -> Self {
        Self {
            fresh: BTreeMap::new(),
            waiting: 0,
            stale: BTreeSet::new(),
            marked: BTreeSet::new(),
            full_of_runs: Vec::new(),
            at: Instant::now(),
        }
    }

    /// Takes over what a former process left dirty.
    pub(crate) async fn take_over(&mut self, on: &mut Connection) -> Result<(), sqlx::Error> {
        for row in on.rows(on.statement("SELECT minute FROM dirty")).await? {
            let minute = row.int(0)?;
            self.marked.insert(minute);
            self.anew(minute);
        }
        self.at = Instant::now();
        Ok(())
    }

    /// Of the minutes of these rows, those that are not marked yet.
    pub(crate) fn to_mark(&self, minutes: &[i64]) -> Vec<i64> {
        minutes.iter().filter(|minute| !self.marked.contains(minute)).copied().collect()
    }

    /// Takes note of rows that are committed.
    pub(crate) fn committed(&mut self, rows: Vec<Row>, minutes: &[i64]) {
        self.marked.extend(minutes);
        for row in rows {
            let Row::Request(row) = row else { continue };
            let minute = minute(row.id.0);
            match row.seen {
                Some(seen) if !self.stale.contains(&minute) => {
                    let full = &self.full_of_runs;
                    self.fresh.entry(minute).or_insert_with(|| Built::begin(full.contains(&minute))).add(&seen);
                    self.waiting += 1;
                }
                None if !row.is_open() => self.anew(minute),
                _ => {}
            }
        }
        if self.waiting >= MOST {
            self.at = Instant::now();
        }
    }

    fn anew(&mut self, minute: i64) {
        self.stale.insert(minute);
        self.waiting -= self.fresh.remove(&minute).map_or(0, |built| built.postings.ids.len());
    }

    /// Nothing is in memory, whatever was: the database has it all, and what is dirty there.
    pub(crate) fn forget(&mut self) {
        let minutes: Vec<i64> = self.fresh.keys().copied().collect();
        minutes.into_iter().for_each(|minute| self.anew(minute));
    }

    /// Adds what waits; true if there is more to do at once.
    /// Of minutes before `kept` the database may have some requests only, so they are not counted anew.
    pub(crate) async fn roll(&mut self, on: &mut Connection, kept: i64) -> Result<bool, sqlx::Error> {
        self.at = Instant::now() + EVERY;
        let fresh = std::mem::take(&mut self.fresh);
        self.waiting = 0;
        if !fresh.is_empty() {
            let minutes: Vec<i64> = fresh.keys().copied().collect();
            // What cannot be added now is counted anew later.
            self.stale.extend(&minutes);
            self.full_of_runs.clear();
            let done = |(minute, built): (i64, Built)| (minute, built.done());
            let built = tokio::task::spawn_blocking(move || fresh.into_iter().map(done).collect::<Vec<_>>()).await;
            let built = built.map_err(|_| sqlx::Error::WorkerCrashed)?;
            on.begin().await?;
            let added = add_and_clean(on, built).await;
            self.full_of_runs = on.end(added).await?;
            self.clean(&minutes);
        }
        let stale: Vec<i64> = self.stale.iter().rev().take(ANEW).copied().collect();
        for minute in &stale {
            on.begin().await?;
            let counted = count_anew(on, *minute, kept).await;
            let counted = on.end(counted).await?;
            self.clean(&counted);
        }
        let more = !self.stale.is_empty();
        if more {
            self.at = Instant::now();
        }
        Ok(more)
    }

    fn clean(&mut self, minutes: &[i64]) {
        for minute in minutes {
            self.stale.remove(minute);
            self.marked.remove(minute);
        }
    }
}

async fn add_and_clean(on: &mut Connection, built: Vec<(i64, Counted)>) -> Result<Vec<i64>, sqlx::Error> {
    on.alone().await?;
    for (minute, _) in &built {
        clean(on, *minute, minute + 1).await?;
    }
    add(on, built).await
}

/// Adds to roll-ups and spans what was counted of some minutes, in order, in a transaction in which nobody else does; returns
/// which of them have too many runs to count any more of.
pub(crate) async fn add(on: &mut Connection, counted: Vec<(i64, Counted)>) -> Result<Vec<i64>, sqlx::Error> {
    let mut cells: [BTreeMap<i64, Cells>; 3] = Default::default();
    let mut tags: [BTreeMap<i64, TagCells>; 3] = Default::default();
    let mut margins: [BTreeMap<i64, Margins>; 3] = Default::default();
    let (mut demands, mut all_figures, mut all_postings) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut all_runs = BTreeMap::new();
    for (minute, of_it) in counted {
        for (place, grain) in Grain::ALL.into_iter().enumerate() {
            let start = grain.begin(minute * Grain::Minute.length());
            cells[place].entry(start).or_default().merge(&of_it.cells);
            tags[place].entry(start).or_default().merge(&of_it.tags);
            if grain.of_margins().is_some() {
                margins[place].entry(start).or_default().merge(&of_it.margins);
            }
        }
        all_postings.push((minute, of_it.postings));
        demands.insert(minute, of_it.demand);
        all_figures.insert(minute, of_it.figures);
        all_runs.insert(minute, of_it.runs);
    }
    add_spans(on, all_postings).await?;
    let mut written = Vec::new();
    for (((grain, cells), tags), margins) in Grain::ALL.into_iter().zip(cells).zip(tags).zip(margins) {
        add_to(on, grain.number(), cells, &mut written).await?;
        add_to(on, grain.of_tags(), tags, &mut written).await?;
        if let Some(number) = grain.of_margins() {
            add_to(on, number, margins, &mut written).await?;
        }
    }
    demand::add(on, demands, &mut written).await?;
    figures::add(on, &all_figures, &mut written).await?;
    let full_of_runs = runs::add(on, all_runs, &mut written).await?;
    write_many(on, written).await?;
    Ok(full_of_runs)
}

/// Adds the postings of minutes: those of an hour together, where no other window is between them.
async fn add_spans(on: &mut Connection, postings: Vec<(i64, Postings)>) -> Result<(), sqlx::Error> {
    let mut postings = postings.into_iter().peekable();
    while let Some((first, own)) = postings.next() {
        let (mut last, mut hour) = (first, vec![(first, own)]);
        while let Some((minute, more)) = postings.next_if(|(minute, _)| minute / 60 == first / 60) {
            last = minute;
            hour.push((minute, more));
        }
        if hour.len() > 1 && is_clear(on, first, last + 1).await? {
            // Of two of about the same size, so that none is copied more often than need be.
            let mut hour: Vec<Postings> = hour.into_iter().map(|(_, postings)| postings).collect();
            while hour.len() > 1 {
                let mut pairs = hour.into_iter();
                let mut merged = Vec::new();
                while let Some(one) = pairs.next() {
                    merged.push(match pairs.next() {
                        Some(other) => one.merge(other),
                        None => one,
                    });
                }
                hour = merged;
            }
            if let Some(all) = hour.pop() {
                add_span(on, first, last + 1, all).await?;
            }
            continue;
        }
        for (minute, postings) in hour {
            add_span(on, minute, minute + 1, postings).await?;
        }
    }
    Ok(())
}

/// Whether the minutes from one on and before another are in one window, or in none.
async fn is_clear(on: &mut Connection, start: i64, until: i64) -> Result<bool, sqlx::Error> {
    let mut sql = on.statement("SELECT id FROM spans WHERE start > ");
    sql.bind(start).push(" AND start < ").bind(until).push(" LIMIT 1");
    if !on.rows(sql).await?.is_empty() {
        return Ok(false);
    }
    let window = window_before(on, start).await?;
    Ok(window.is_none_or(|window| window.until <= start || window.until >= until))
}

/// Counts a minute anew from its requests, and the others of its window with it; returns which minutes are clean now.
async fn count_anew(on: &mut Connection, stale: i64, kept: i64) -> Result<Vec<i64>, sqlx::Error> {
    on.alone().await?;
    let window = window_of(on, stale).await?;
    let (start, until) = window.map_or((stale, stale + 1), |window| (window.start, window.until));
    drop_spans(on, start).await?;
    let mut minutes: BTreeMap<i64, MinuteSums> = (start..until).map(|minute| (minute, MinuteSums::default())).collect();
    let (mut span, mut from) = (Postings::default(), first_id(start));
    loop {
        let rows = ended(on, &from, first_id(until)).await?;
        let all = rows.len() < BATCH;
        for row in &rows {
            from = row.blob(0)?;
            let Some(seen) = Seen::read(row.int(1)?, &row.text(2)?) else { continue };
            minutes.entry(minute(seen.id.0)).or_default().add(&seen);
            span.push(&seen);
        }
        // The next begins after the last.
        from.push(0);
        if span.ids.len() >= SPAN || (all && !span.ids.is_empty()) {
            insert_span(on, start, until, &std::mem::take(&mut span)).await?;
        }
        if all {
            break;
        }
    }
    clean(on, start, until).await?;
    let unknown_runs = runs::unknown_hours(on, start..until).await?;
    let mut longer = BTreeSet::new();
    let (mut demands, mut all_figures, mut all_runs) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (minute, sums) in minutes.into_iter().filter(|(minute, _)| *minute >= kept) {
        let MinuteSums { cells, tags, demand, figures, runs } = sums;
        let at = minute * Grain::Minute.length();
        write_rollup(on, Grain::Minute, at, &cells.done(), &tags).await?;
        demands.insert(minute, demand);
        all_figures.insert(minute, figures);
        all_runs.insert(minute, runs);
        longer.insert((Grain::Hour, Grain::Hour.begin(at)));
        longer.insert((Grain::Day, Grain::Day.begin(at)));
    }
    for (grain, start) in longer {
        let finer = if grain == Grain::Hour { Grain::Minute } else { Grain::Hour };
        let (mut cells, mut tags, mut margins) = (Cells::default(), TagCells::default(), Margins::default());
        for part in 0..grain.length() / finer.length() {
            let start = start + part * finer.length();
            let (some, some_tags) = read_rollup(on, finer, start).await?;
            cells.merge(&some);
            tags.merge(&some_tags);
            match finer {
                Grain::Minute => margins.add(&some),
                _ => margins.merge(&read_margins(on, finer, start).await?),
            }
        }
        write_margins(on, grain, start, &margins).await?;
        write_rollup(on, grain, start, &cells, &tags).await?;
    }
    let mut written: Vec<Written> = Vec::new();
    demand::count_anew(on, demands, &mut written).await?;
    runs::count_anew(on, &all_runs, &unknown_runs, &mut written).await?;
    write_many(on, written).await?;
    figures::count_anew(on, &all_figures).await?;
    Ok((start..until).collect())
}

/// Requests that are read at once.
const BATCH: usize = 1_024;

/// The requests that have ended, from one id on and before another.
async fn ended(on: &mut Connection, from: &[u8], to: Vec<u8>) -> Result<Vec<DbRow>, sqlx::Error> {
    let mut sql = on.statement("SELECT id, started_at, record FROM requests WHERE id >= ");
    sql.bind(from.to_vec()).push(" AND id < ").bind(to);
    sql.push(" AND outcome <> 'open' ORDER BY id LIMIT ").bind(i64::try_from(BATCH).unwrap_or(i64::MAX));
    on.rows(sql).await
}

fn first_id(minute: i64) -> Vec<u8> {
    weir_units::RequestId::new(minute.saturating_mul(60_000), 0).0.to_be_bytes().to_vec()
}

struct Window {
    start: i64,
    until: i64,
    /// Its last span, and how many requests that has.
    last: (i64, i64),
    /// How many spans it has.
    spans: usize,
}

/// The window that begins at the minute or before it, nearest to it.
async fn window_before(on: &mut Connection, minute: i64) -> Result<Option<Window>, sqlx::Error> {
    let mut sql = on.statement(
        "SELECT id, start, until, rows FROM spans WHERE start = (SELECT max(start) FROM spans WHERE start <= ",
    );
    sql.bind(minute).push(") ORDER BY id");
    let rows = on.rows(sql).await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let (start, until) = (last.int(1)?, last.int(2)?);
    Ok(Some(Window { start, until, last: (last.int(0)?, last.int(3)?), spans: rows.len() }))
}

/// The window that holds the minute.
async fn window_of(on: &mut Connection, minute: i64) -> Result<Option<Window>, sqlx::Error> {
    Ok(window_before(on, minute).await?.filter(|window| window.until > minute))
}

/// Adds the postings of some minutes' requests: to a small span there, or before it in the same hour, or as one of their own.
async fn add_span(on: &mut Connection, start: i64, until: i64, postings: Postings) -> Result<(), sqlx::Error> {
    let rows = i64::try_from(postings.ids.len()).unwrap_or(i64::MAX);
    let Some(window) = window_before(on, start).await? else { return insert_span(on, start, until, &postings).await };
    let inside = window.until > start;
    let extends = !inside && window.spans == 1 && window.start / 60 == start / 60;
    if window.last.1 + rows <= SMALL && (inside || extends) {
        let (id, _) = window.last;
        let before = Postings::read(&blobs(on, id).await?).unwrap_or_default();
        delete_span(on, id).await?;
        let until = window.until.max(until);
        return insert_span(on, window.start, until, &before.merge(postings)).await;
    }
    match inside {
        true => insert_span(on, window.start, window.until, &postings).await,
        false => insert_span(on, start, until, &postings).await,
    }
}

async fn blobs(on: &mut Connection, span: i64) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let kinds: Vec<i64> = Postings::numbers().collect();
    let mut blobs = Vec::new();
    for kind in kinds {
        let mut sql = on.statement("SELECT data FROM postings WHERE kind = ");
        sql.bind(kind).push(" AND span = ").bind(span);
        for row in on.rows(sql).await? {
            blobs.push((kind, row.blob(0)?));
        }
    }
    Ok(blobs)
}

async fn insert_span(on: &mut Connection, start: i64, until: i64, postings: &Postings) -> Result<(), sqlx::Error> {
    let rows = on.rows(on.statement("SELECT coalesce(max(id), 0) + 1 FROM spans")).await?;
    let id = rows.first().map_or(Ok(1), |row| row.int(0))?;
    let mut sql = on.statement("INSERT INTO spans (id, start, until, rows) VALUES (");
    sql.bind(id).push(", ").bind(start).push(", ").bind(until).push(", ");
    sql.bind(i64::try_from(postings.ids.len()).unwrap_or(i64::MAX)).push(")");
    on.execute(sql).await?;
    for (kind, data) in postings.blobs() {
        let mut sql = on.statement("INSERT INTO postings (kind, span, data) VALUES (");
        sql.bind(kind).push(", ").bind(id).push(", ").bind(data).push(")");
        on.execute(sql).await?;
    }
    Ok(())
}

/// Deletes a span and its postings.
pub(crate) async fn delete_span(on: &mut Connection, id: i64) -> Result<(), sqlx::Error> {
    for kind in Postings::numbers() {
        let mut sql = on.statement("DELETE FROM postings WHERE kind = ");
        sql.bind(kind).push(" AND span = ").bind(id);
        on.execute(sql).await?;
    }
    let mut sql = on.statement("DELETE FROM spans WHERE id = ");
    sql.bind(id);
    on.execute(sql).await.map(|_| ())
}

async fn drop_spans(on: &mut Connection, start: i64) -> Result<(), sqlx::Error> {
    let mut sql = on.statement("SELECT id FROM spans WHERE start = ");
    sql.bind(start);
    for row in on.rows(sql).await? {
        delete_span(on, row.int(0)?).await?;
    }
    Ok(())
}

async fn clean(on: &mut Connection, start: i64, until: i64) -> Result<(), sqlx::Error> {
    let mut sql = on.statement("DELETE FROM dirty WHERE minute >= ");
    sql.bind(start).push(" AND minute < ").bind(until);
    on.execute(sql).await.map(|_| ())
}

async fn read_rollup(on: &mut Connection, grain: Grain, start: i64) -> Result<(Cells, TagCells), sqlx::Error> {
    let mut found = (Cells::default(), TagCells::default());
    let mut sql = on.statement("SELECT grain, data FROM rollups WHERE start = ");
    sql.bind(start).push(" AND grain IN (").bind(grain.number()).push(", ").bind(grain.of_tags()).push(")");
    for row in on.rows(sql).await? {
        let data = row.blob(1)?;
        if row.int(0)? == grain.number() {
            found.0 = Cells::decode(&data).unwrap_or_default();
        } else {
            found.1 = TagCells::decode(&data).unwrap_or_default();
        }
    }
    Ok(found)
}

async fn read_margins(on: &mut Connection, grain: Grain, start: i64) -> Result<Margins, sqlx::Error> {
    let mut sql = on.statement("SELECT data FROM rollups WHERE grain = ");
    sql.bind(grain.of_margins()).push(" AND start = ").bind(start);
    let rows = on.rows(sql).await?;
    let Some(row) = rows.first() else { return Ok(Margins::default()) };
    Ok(Margins::decode(&row.blob(0)?).unwrap_or_default())
}

async fn write_margins(on: &mut Connection, grain: Grain, start: i64, margins: &Margins) -> Result<(), sqlx::Error> {
    let Some(number) = grain.of_margins() else { return Ok(()) };
    write_many(on, vec![(number, start, margins.written())]).await
}

async fn write_rollup(
    on: &mut Connection,
    grain: Grain,
    start: i64,
    cells: &Cells,
    tags: &TagCells,
) -> Result<(), sqlx::Error> {
    for (number, data, is_empty) in [
        (grain.number(), cells.encode(), cells.cells.is_empty()),
        (grain.of_tags(), tags.encode(), tags.cells.is_empty()),
    ] {
        if is_empty {
            let mut sql = on.statement("DELETE FROM rollups WHERE grain = ");
            sql.bind(number).push(" AND start = ").bind(start);
            on.execute(sql).await?;
            continue;
        }
        let mut sql = on.statement("INSERT INTO rollups (grain, start, data) VALUES (");
        sql.bind(number).push(", ").bind(start).push(", ").bind(data);
        sql.push(") ON CONFLICT (grain, start) DO UPDATE SET data = excluded.data");
        on.execute(sql).await?;
    }
    Ok(())
}
