//! Reading a time: out of roll-ups as far as these have it, else out of the requests.

use std::collections::VecDeque;
use std::time::Instant;

use weir_units::{RequestId, WallTime};

use super::cells::{Cell, CellKey, Cells};
use super::cover::{Piece, cover};
use super::tags::TagCells;
use super::{Grain, cells, tags};
use crate::db::Snapshot;
use crate::filter::Filter;
use crate::index::{Reading, dirty_minutes};
use crate::query::{Reader, StoreError, key};
use crate::seen::Seen;
use crate::series::{Adding, Series, SeriesBy, SeriesQuery, Tally};

/// Roll-ups that are read at once.
const BATCH: usize = 64;

/// What takes the counts of a time.
pub(crate) trait Sink {
    /// Takes a roll-up, and one by tag, if these are read.
    fn rolled(&mut self, bucket: usize, cells: Option<&[(CellKey, Cell)]>, tags: Option<&TagCells>);

    /// Takes a request.
    fn seen(&mut self, bucket: usize, seen: &Seen);
}

/// A time that is read.
pub(crate) struct Rolled<'a> {
    pub(crate) snapshot: &'a mut Snapshot,
    pub(crate) filter: &'a Filter,
    /// Where its buckets begin, and where the last ends.
    pub(crate) edges: &'a [WallTime],
    /// Whether roll-ups are read, and those by tag.
    pub(crate) cells: bool,
    pub(crate) tags: bool,
    /// Whether a name that became another would make a difference.
    pub(crate) names_matter: bool,
    /// When it is too late.
    pub(crate) deadline: Option<Instant>,
}

impl Rolled<'_> {
    /// Reads it all; false if it became too late.
    pub(crate) async fn read(&mut self, sink: &mut impl Sink) -> Result<bool, sqlx::Error> {
        let (Some(from), Some(to)) = (self.edges.first(), self.edges.last()) else { return Ok(true) };
        let oldest = oldest(self.snapshot).await?;
        let dirty = dirty_minutes(self.snapshot, from.0, to.0).await?;
        let mut pieces: VecDeque<(usize, Piece)> = VecDeque::new();
        for (bucket, edges) in self.edges.windows(2).enumerate() {
            let parts = cover(edges[0].0, edges[1].0, Grain::Day, &dirty);
            pieces.extend(parts.into_iter().map(|piece| (bucket, piece)));
        }
        while let Some((bucket, piece)) = pieces.pop_front() {
            if self.is_late() {
                return Ok(false);
            }
            match piece {
                Piece::Rows(from, to) => {
                    if !self.rows(bucket, from, to, sink).await? {
                        return Ok(false);
                    }
                }
                Piece::Roll(grain, start) => {
                    let mut run = vec![(bucket, start)];
                    while let Some((bucket, Piece::Roll(next, start))) = pieces.front().copied()
                        && next == grain
                        && run.len() < BATCH
                        && start == run[run.len() - 1].1 + grain.length()
                    {
                        run.push((bucket, start));
                        pieces.pop_front();
                    }
                    for piece in self.run(grain, &run, oldest, sink).await?.into_iter().rev() {
                        pieces.push_front(piece);
                    }
                }
            }
        }
        Ok(true)
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Reads the requests of a time one by one; false if it became too late.
    async fn rows(&mut self, bucket: usize, from: i64, to: i64, sink: &mut impl Sink) -> Result<bool, sqlx::Error> {
        let filter = Filter { since: Some(WallTime(from)), until: Some(WallTime(to)), ..self.filter.clone() };
        let (mut late, deadline) = (false, self.deadline);
        let take = |seen: Seen, _| {
            sink.seen(bucket, &seen);
            late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            !late
        };
        Reading::plain(self.snapshot, &filter).each(take).await?;
        Ok(!late)
    }

    /// Takes roll-ups that follow each other; returns those that must be taken from shorter ones, as pieces.
    async fn run(
        &mut self,
        grain: Grain,
        run: &[(usize, i64)],
        oldest: i64,
        sink: &mut impl Sink,
    ) -> Result<Vec<(usize, Piece)>, sqlx::Error> {
        let mut again = Vec::new();
        let (cells, tags) = (self.cells.then_some(grain.number()), self.tags.then_some(grain.of_tags()));
        let mut cells = rollups(self.snapshot, cells, run).await?.into_iter().peekable();
        let mut tags = rollups(self.snapshot, tags, run).await?.into_iter().peekable();
        for (bucket, start) in run {
            let cells = cells.next_if(|(at, _)| at == start).and_then(|(_, data)| Cells::list(&data));
            let tags = tags.next_if(|(at, _)| at == start).and_then(|(_, data)| TagCells::decode(&data));
            let folded = cells.as_ref().is_some_and(|(folded, _)| *folded && self.names_matter)
                || tags.as_ref().is_some_and(|tags| tags.folded);
            if folded && *start >= oldest && has_requests(self.snapshot, *start, *start + grain.length()).await? {
                again.extend(finer(grain, *start).into_iter().map(|piece| (*bucket, piece)));
                continue;
            }
            sink.rolled(*bucket, cells.as_ref().map(|(_, cells)| cells.as_slice()), tags.as_ref());
        }
        Ok(again)
    }
}

/// What a roll-up is made of.
fn finer(grain: Grain, start: i64) -> Vec<Piece> {
    let parts = |finer: Grain| {
        let starts = (0..grain.length() / finer.length()).map(|n| start + n * finer.length());
        starts.map(|start| Piece::Roll(finer, start)).collect()
    };
    match grain {
        Grain::Day => parts(Grain::Hour),
        Grain::Hour => parts(Grain::Minute),
        Grain::Minute => vec![Piece::Rows(start, start + grain.length())],
    }
}

async fn rollups(
    snapshot: &mut Snapshot,
    number: Option<i64>,
    run: &[(usize, i64)],
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let (Some(number), Some((_, first)), Some((_, last))) = (number, run.first(), run.last()) else {
        return Ok(Vec::new());
    };
    let mut sql = snapshot.statement("SELECT start, data FROM rollups WHERE grain = ");
    sql.bind(number).push(" AND start >= ").bind(*first).push(" AND start <= ").bind(*last).push(" ORDER BY start");
    snapshot.rows(sql).await?.iter().map(|row| Ok((row.int(0)?, row.blob(1)?))).collect()
}

/// Whether a time has requests: where days that were imported late are kept, those between may be gone.
async fn has_requests(snapshot: &mut Snapshot, from: i64, to: i64) -> Result<bool, sqlx::Error> {
    let id = |at: i64| key(RequestId::new(WallTime(at).millis(), 0));
    let mut sql = snapshot.statement("SELECT id FROM requests WHERE id >= ");
    sql.bind(id(from)).push(" AND id < ").bind(id(to)).push(" LIMIT 1");
    Ok(!snapshot.rows(sql).await?.is_empty())
}

/// The first microsecond of which there may be requests: before it, roll-ups are all that there is.
async fn oldest(snapshot: &mut Snapshot) -> Result<i64, sqlx::Error> {
    let rows = snapshot.rows(snapshot.statement("SELECT id FROM requests ORDER BY id LIMIT 1")).await?;
    let Some(row) = rows.first() else { return Ok(i64::MAX) };
    let id = row.blob(0)?.try_into().map_or(0, u128::from_be_bytes);
    // The first minute may be half deleted.
    Ok((RequestId(id).millis() / 60_000 + 1) * Grain::Minute.length())
}

impl Reader {
    /// Counts over time, as `query` says. Requests that still run are in none of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        let mut snapshot = self.pool.snapshot().await?;
        let mut counting = Counting { adding: Adding::new(query), query };
        let by_tag = tags::answers(&query.filter, query.by.as_ref());
        let by_cell = cells::answers(&query.filter) && !matches!(query.by, Some(SeriesBy::Tag(_)));
        if by_tag || by_cell {
            let mut rolled = Rolled {
                snapshot: &mut snapshot,
                filter: &query.filter,
                edges: &query.edges,
                cells: by_cell || query.filter.tag.is_none(),
                tags: by_tag,
                names_matter: by_cell && names_matter(query),
                deadline: None,
            };
            rolled.read(&mut counting).await?;
        } else {
            let (from, until) = (query.edges.first(), query.edges.last());
            let filter = Filter { since: from.copied(), until: until.copied(), ..query.filter.clone() };
            let add = |seen: Seen, _| {
                counting.adding.add(&seen);
                true
            };
            Reading::new(&mut snapshot, &filter, None).await?.each(add).await?;
        }
        Ok(counting.adding.done())
    }
}

fn names_matter(query: &SeriesQuery) -> bool {
    let filter = &query.filter;
    let names = [&filter.key, &filter.tenant, &filter.route, &filter.deployment, &filter.provider, &filter.model];
    let told_apart = query.by.as_ref().is_some_and(|by| !matches!(by, SeriesBy::Status | SeriesBy::Outcome));
    told_apart || filter.refused_by.is_some() || names.iter().any(|name| name.is_some())
}

struct Counting<'q> {
    adding: Adding<'q>,
    query: &'q SeriesQuery,
}

impl Sink for Counting<'_> {
    fn rolled(&mut self, bucket: usize, cells: Option<&[(CellKey, Cell)]>, tags: Option<&TagCells>) {
        let filter = &self.query.filter;
        let Some(SeriesBy::Tag(name)) = &self.query.by else {
            match (cells, tags) {
                (_, Some(tags)) => tags.add_to(&mut self.adding, bucket, filter),
                (Some(cells), None) => cells::add_to(cells, &mut self.adding, bucket, filter),
                (None, None) => {}
            }
            return;
        };
        let mut untagged = Tally::default();
        for (_, cell) in cells.unwrap_or_default() {
            untagged.merge(&cell.requests);
            cell.calls.iter().for_each(|calls| untagged.merge_calls(calls));
        }
        self.adding.all(bucket).merge(&untagged);
        if let Some(tags) = tags {
            tags.add_to(&mut self.adding, bucket, filter);
            let tagged = tags.cells.iter().filter(|((known, _), _)| **known == **name);
            tagged.for_each(|(_, tally)| untagged.take_out(tally));
        }
        if untagged.requests.requests > 0 {
            self.adding.of(bucket, None).merge(&untagged);
        }
    }

    fn seen(&mut self, _bucket: usize, seen: &Seen) {
        self.adding.add(seen);
    }
}
