//! Lists and counts through the index: windows from the newest to the oldest, some at a time, until there is enough.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use weir_units::RequestId;

use super::dirty_minutes;
use super::postings::{COSTS, IDS, Kind, dear, find, minute, read_ids, wanted};
use crate::db::{DbRow, Snapshot, Statement};
use crate::filter::{Filter, within};
use crate::query::{Count, key};
use crate::seen::Seen;

/// Rows that are read at once where rows are looked through.
const BATCH: i64 = 512;
/// Rows that are fetched by id at once.
const FETCHED: usize = 64;
/// Windows that are looked at first, and at most at once.
const WINDOWS: usize = 8;
const MOST_WINDOWS: usize = 128;
/// Dirty minutes that are asked for one by one.
const MOST_RANGES: usize = 16;
/// Requests that still run are no more than this.
const OPEN: i64 = 10_000;

/// What is read of each request.
const COLUMNS: &str = "SELECT id, started_at, record FROM requests WHERE ";

/// One question to the index.
pub(crate) struct Reading<'a> {
    snapshot: &'a mut Snapshot,
    filter: &'a Filter,
    wanted: Vec<(Kind, u64)>,
    /// The lowest id that is asked for, and the first that is too high.
    low: u128,
    high: u128,
    dirty: BTreeSet<i64>,
    plain: bool,
}

/// Spans of the same minutes: the first, the first after them, and each span with how many requests it has.
struct Window {
    start: i64,
    spans: Vec<(i64, u32)>,
    until: i64,
}

impl<'a> Reading<'a> {
    pub(crate) async fn new(
        snapshot: &'a mut Snapshot,
        filter: &'a Filter,
        before: Option<RequestId>,
    ) -> Result<Self, sqlx::Error> {
        let first = |at: weir_units::WallTime, more: i64| RequestId::new(within(at).millis() + more, 0).0;
        let low = filter.since.map_or(0, |since| first(since, 0));
        // Ids are of milliseconds: one that is cut into belongs to it as well, and is looked at more closely.
        let high = filter.until.map_or(u128::MAX, |until| first(until, i64::from(until.0 % 1_000 != 0)));
        let high = high.min(before.map_or(u128::MAX, |before| before.0));
        let micros = |id: u128| RequestId(id).millis().saturating_mul(1_000);
        let dirty = dirty_minutes(snapshot, micros(low), micros(high)).await?;
        Ok(Self { snapshot, filter, wanted: wanted(filter), low, high, dirty, plain: false })
    }

    /// All requests are looked through, whatever the filter asks for.
    pub(crate) fn plain(snapshot: &'a mut Snapshot, filter: &'a Filter) -> Self {
        let first = |at: weir_units::WallTime, more: i64| RequestId::new(within(at).millis() + more, 0).0;
        let low = filter.since.map_or(0, |since| first(since, 0));
        let high = filter.until.map_or(u128::MAX, |until| first(until, 1));
        Self { snapshot, filter, wanted: Vec::new(), low, high, dirty: BTreeSet::new(), plain: true }
    }

    fn is_plain(&self) -> bool {
        self.plain || (self.wanted.is_empty() && self.filter.min_cost.is_none())
    }

    /// Goes through the requests that the filter holds, the newest first, each with its record as it is stored, until `each`
    /// has enough.
    pub(crate) async fn each(&mut self, mut each: impl FnMut(Seen, String) -> bool) -> Result<(), sqlx::Error> {
        if self.is_plain() {
            return self.look_through(self.low, self.high, true, &mut each).await.map(|_| ());
        }
        let mut open = self.open().await?;
        let windows = self.windows().await?;
        let mut told = |seen: Seen, record: String| {
            // Those that still run are in no span.
            while open.last().is_some_and(|(running, _)| running.id > seen.id)
                && let Some((running, record)) = open.pop()
            {
                if !each(running, record) {
                    return false;
                }
            }
            each(seen, record)
        };
        let (low, mut high) = (self.low, self.high);
        let mut more = true;
        for (from, to) in self.dirty_ranges(low, high) {
            more = more && self.indexed(&windows, to, high, &mut told).await?;
            more = more && self.look_through(from, to, false, &mut told).await?;
            high = from;
        }
        if more && self.indexed(&windows, low, high, &mut told).await? {
            while let Some((running, record)) = open.pop()
                && each(running, record)
            {}
        }
        Ok(())
    }

    /// Goes through those of a range of ids that spans find, the newest first. False if `each` had enough.
    async fn indexed(
        &mut self,
        windows: &[Window],
        low: u128,
        high: u128,
        each: &mut impl FnMut(Seen, String) -> bool,
    ) -> Result<bool, sqlx::Error> {
        if low >= high {
            return Ok(true);
        }
        let from = windows.partition_point(|window| id_of(window.start) >= high);
        let to = windows.partition_point(|window| id_of(window.until) > low);
        let mut windows = windows.get(from..to).unwrap_or_default();
        let whole = (self.low, self.high);
        (self.low, self.high) = (low, high);
        let mut more = true;
        let mut size = WINDOWS;
        while more && !windows.is_empty() {
            let (now, later) = windows.split_at(size.min(windows.len()));
            (windows, size) = (later, (size * 2).min(MOST_WINDOWS));
            let mut found: Vec<u128> = self.matching(now, true).await?.into_iter().flat_map(|(_, ids)| ids).collect();
            found.sort_unstable_by(|a, b| b.cmp(a));
            more = self.tell(&found, each).await?;
        }
        (self.low, self.high) = whole;
        Ok(more)
    }

    /// Counts the requests that the filter holds, up to `most`.
    pub(crate) async fn count(&mut self, most: u64) -> Result<Count, sqlx::Error> {
        let mut found = self.open().await?.len() as u64;
        let windows = self.windows().await?;
        for (from, to) in self.dirty_ranges(self.low, self.high) {
            let dirty = std::mem::take(&mut self.dirty);
            self.look_through(from, to, false, &mut |seen, _| {
                found += u64::from(dirty.contains(&minute(seen.id.0)));
                found <= most
            })
            .await?;
            self.dirty = dirty;
        }
        let mut ranges = Vec::new();
        // Postings know times to the millisecond. One that is cut into is looked through.
        let millisecond = 1_u128 << 80;
        let cut = |at: Option<weir_units::WallTime>| at.is_some_and(|at| at.0 % 1_000 != 0);
        let (low, high) = (self.low, self.high);
        if cut(self.filter.since) {
            ranges.push((low, high.min(low + millisecond)));
            self.low += millisecond;
        }
        if cut(self.filter.until) && high.trailing_zeros() >= 80 && high > self.low {
            ranges.push((high - millisecond, high));
            self.high -= millisecond;
        }
        for (from, to) in ranges {
            let dirty = std::mem::take(&mut self.dirty);
            self.look_through(from, to, false, &mut |seen, _| {
                found += u64::from(!dirty.contains(&minute(seen.id.0)));
                true
            })
            .await?;
            self.dirty = dirty;
        }
        let mut size = WINDOWS;
        let mut rest = windows.as_slice();
        while !rest.is_empty() && found <= most {
            let (now, later) = rest.split_at(size.min(rest.len()));
            found += self.matching(now, false).await?.iter().map(|(count, _)| *count).sum::<u64>();
            (rest, size) = (later, (size * 2).min(MOST_WINDOWS));
        }
        Ok(Count { found: found.min(most), more: found > most })
    }

    /// Windows with requests of the time that is asked for, the newest first.
    async fn windows(&mut self) -> Result<Vec<Window>, sqlx::Error> {
        let mut sql = self.snapshot.statement("SELECT id, start, until, rows FROM spans WHERE until > ");
        sql.bind(minute(self.low)).push(" AND start <= ").bind(minute(self.high)).push(" ORDER BY start DESC, id");
        let mut windows: Vec<Window> = Vec::new();
        for row in self.snapshot.rows(sql).await? {
            let (id, start, until) = (row.int(0)?, row.int(1)?, row.int(2)?);
            let span = (id, u32::try_from(row.int(3)?).unwrap_or(0));
            match windows.last_mut() {
                Some(window) if window.start == start => window.spans.push(span),
                _ => windows.push(Window { start, until, spans: vec![span] }),
            }
        }
        Ok(windows)
    }

    /// For each span of the windows, how many of its requests have what is wanted, and which, if `listed`. Those of dirty minutes
    /// are left out.
    async fn matching(&mut self, windows: &[Window], listed: bool) -> Result<Vec<(u64, Vec<u128>)>, sqlx::Error> {
        let mut places: BTreeMap<i64, Option<Vec<u32>>> =
            windows.iter().flat_map(|window| &window.spans).map(|(id, _)| (*id, None)).collect();
        let narrow = |places: &mut BTreeMap<i64, Option<Vec<u32>>>,
                      blobs: Vec<(i64, Vec<u8>)>,
                      of: &dyn Fn(&[u8]) -> Vec<u32>| {
            let mut left = BTreeMap::new();
            for (span, blob) in blobs {
                let some = of(&blob);
                let both = match places.remove(&span).flatten() {
                    Some(before) => meet(&before, &some),
                    None => some,
                };
                if !both.is_empty() {
                    left.insert(span, Some(both));
                }
            }
            *places = left;
        };
        for (kind, value) in self.wanted.clone() {
            let blobs = self.blobs(kind.number(), places.keys().copied().collect()).await?;
            narrow(&mut places, blobs, &|blob| find(blob, value));
        }
        if let Some(least) = self.filter.min_cost {
            let blobs = self.blobs(COSTS, places.keys().copied().collect()).await?;
            narrow(&mut places, blobs, &|blob| dear(blob, least));
        }
        let cut = |window: &Window| {
            id_of(window.start) < self.low
                || id_of(window.until) > self.high
                || self.dirty.range(window.start..window.until).next().is_some()
        };
        let cut: BTreeSet<i64> = windows
            .iter()
            .filter(|window| listed || cut(window))
            .flat_map(|window| window.spans.iter().map(|(id, _)| *id))
            .filter(|id| places.contains_key(id))
            .collect();
        let rows: BTreeMap<i64, u32> = windows.iter().flat_map(|window| window.spans.iter().copied()).collect();
        let mut matching: Vec<(u64, Vec<u128>)> = places
            .iter()
            .filter(|(span, _)| !cut.contains(span))
            .map(|(span, places)| {
                let all = rows.get(span).copied().unwrap_or(0);
                (places.as_ref().map_or(u64::from(all), |places| places.len() as u64), Vec::new())
            })
            .collect();
        for (span, blob) in self.blobs(IDS, cut).await? {
            let ids = read_ids(&blob);
            let asked = |id: &u128| *id >= self.low && *id < self.high && !self.dirty.contains(&minute(*id));
            let found: Vec<u128> = match places.get(&span).and_then(Option::as_ref) {
                Some(places) => places.iter().filter_map(|n| ids.get(*n as usize)).copied().filter(asked).collect(),
                None => ids.into_iter().filter(asked).collect(),
            };
            matching.push((found.len() as u64, found));
        }
        Ok(matching)
    }

    /// The blobs of a kind for some spans.
    async fn blobs(&mut self, kind: i64, spans: BTreeSet<i64>) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(Vec::new()) };
        let mut sql = self.snapshot.statement("SELECT span, data FROM postings WHERE kind = ");
        sql.bind(kind);
        if last - first < 4 * i64::try_from(spans.len()).unwrap_or(i64::MAX) {
            sql.push(" AND span >= ").bind(*first).push(" AND span <= ").bind(*last);
        } else {
            sql.push(" AND span IN (");
            for (place, span) in spans.iter().enumerate() {
                sql.push(if place == 0 { "" } else { ", " }).bind(*span);
            }
            sql.push(")");
        }
        let rows = self.snapshot.rows(sql).await?;
        let read = |row: &DbRow| Ok((row.int(0)?, row.blob(1)?));
        let blobs: Vec<(i64, Vec<u8>)> = rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
        Ok(blobs.into_iter().filter(|(span, _)| spans.contains(span)).collect())
    }

    /// Ranges of ids of dirty minutes that follow each other, the newest first.
    fn dirty_ranges(&self, low: u128, high: u128) -> Vec<(u128, u128)> {
        // Where there are many, what lies between them is looked through as well: that is less than asking for each.
        let gap = if self.dirty.len() > MOST_RANGES { 24 * 60 } else { 0 };
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for dirty in &self.dirty {
            let (from, to) = (id_of(*dirty).max(low), id_of(dirty + 1).min(high));
            match ranges.last_mut() {
                _ if from >= to => {}
                Some((_, until)) if minute(from) - minute(*until) <= gap => *until = to,
                _ => ranges.push((from, to)),
            }
        }
        ranges.reverse();
        ranges
    }

    /// The requests that still run and that the filter holds, the oldest first.
    async fn open(&mut self) -> Result<Vec<(Seen, String)>, sqlx::Error> {
        let mut sql = self.snapshot.statement(COLUMNS);
        sql.push("outcome = 'open' ORDER BY started_at DESC LIMIT ").bind(OPEN);
        let mut open: Vec<(Seen, String)> = self.snapshot.rows(sql).await?.iter().filter_map(read).collect();
        open.retain(|(seen, _)| self.asks_for(seen));
        open.sort_unstable_by_key(|(seen, _)| seen.id);
        Ok(open)
    }

    fn asks_for(&self, seen: &Seen) -> bool {
        seen.id.0 >= self.low && seen.id.0 < self.high && self.filter.holds(seen)
    }

    /// Looks through all requests of a range, the newest first; those that still run are left out unless `open`. False if `each`
    /// had enough.
    async fn look_through(
        &mut self,
        low: u128,
        high: u128,
        open: bool,
        each: &mut impl FnMut(Seen, String) -> bool,
    ) -> Result<bool, sqlx::Error> {
        let mut high = high;
        loop {
            let mut sql = self.snapshot.statement(COLUMNS);
            range(&mut sql, low, high);
            self.filter.push(&mut sql);
            sql.push(if open { "" } else { " AND outcome <> 'open'" });
            sql.push(" ORDER BY id DESC LIMIT ").bind(BATCH);
            let rows = self.snapshot.rows(sql).await?;
            let more = i64::try_from(rows.len()).unwrap_or(0) == BATCH;
            for row in &rows {
                high = row.blob(0)?.try_into().map_or(0, u128::from_be_bytes);
                let Some((seen, record)) = read(row) else { continue };
                if self.filter.holds(&seen) && !each(seen, record) {
                    return Ok(false);
                }
            }
            if !more || high <= low {
                return Ok(true);
            }
        }
    }

    /// Tells what was found, after a look at each whether it is what is asked for. False if `each` had enough.
    async fn tell(&mut self, found: &[u128], each: &mut impl FnMut(Seen, String) -> bool) -> Result<bool, sqlx::Error> {
        for some in found.chunks(FETCHED) {
            let mut fetched = self.fetch(some).await?;
            fetched.sort_unstable_by_key(|(seen, _)| Reverse(seen.id));
            for (seen, record) in fetched {
                if self.asks_for(&seen) && !each(seen, record) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn fetch(&mut self, ids: &[u128]) -> Result<Vec<(Seen, String)>, sqlx::Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = self.snapshot.statement(COLUMNS);
        for (place, id) in ids.iter().enumerate() {
            sql.push(if place == 0 { "id IN (" } else { ", " }).bind(id.to_be_bytes().to_vec());
        }
        sql.push(")");
        Ok(self.snapshot.rows(sql).await?.iter().filter_map(read).collect())
    }
}

fn read(row: &DbRow) -> Option<(Seen, String)> {
    let record = row.text(2).ok()?;
    Some((Seen::read(row.int(1).ok()?, &record)?, record))
}

fn range(sql: &mut Statement, low: u128, high: u128) {
    sql.push("id >= ").bind(key(RequestId(low)));
    sql.push(" AND id < ").bind(key(RequestId(high)));
}

/// The first id of a minute.
fn id_of(minute: i64) -> u128 {
    RequestId::new(minute.saturating_mul(60_000), 0).0
}

/// What is in both of two lists that are in order.
fn meet(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    few.iter().filter(|place| many.binary_search(place).is_ok()).copied().collect()
}
