//! Reading a time: out of roll-ups as far as these have it, else out of the requests.

use std::collections::BTreeSet;
use std::time::Instant;

use weir_units::{RequestId, WallTime};

use super::cells::{Cell, CellKey, Cells};
use super::cover::{Piece, Pieces};
use super::margins::Margin;
use super::tags::TagCells;
use super::{Grain, cells, margins, tags};
use crate::db::Snapshot;
use crate::filter::Filter;
use crate::index::{Reading, dirty_minutes};
use crate::query::{Reader, StoreError, key};
use crate::seen::Seen;
use crate::series::{Adding, Series, SeriesBy, SeriesQuery, Tally};

/// What takes the counts of a time.
pub(crate) trait Sink {
    /// Takes a roll-up, and one by tag, if these are read.
    fn rolled(&mut self, bucket: usize, cells: Option<&[(CellKey, Cell)]>, tags: Option<&TagCells>);

    /// Takes a roll-up by one thing at a time.
    fn margin(&mut self, bucket: usize, margin: Margin);

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
    /// Whether roll-ups by one thing at a time will do, and of which kind of names; in place of the others.
    pub(crate) margin: Option<Option<usize>>,
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
        let mut pieces = Pieces::of(self.edges, Grain::Day, &dirty);
        while let Some((bucket, piece)) = pieces.next() {
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
                    let run = pieces.run(bucket, grain, start);
                    pieces.put_first(self.run(grain, &run, oldest, sink).await?);
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

    /// Takes those roll-ups by one thing at a time that will do; returns of which times others must be taken.
    async fn margins(
        &mut self,
        grain: Grain,
        run: &[(usize, i64)],
        sink: &mut impl Sink,
    ) -> Result<Vec<(usize, i64)>, sqlx::Error> {
        let (Some(kind), Some(number)) = (self.margin, grain.of_margins()) else { return Ok(run.to_vec()) };
        let mut found = rollups(self.snapshot, Some(number), run).await?.into_iter().peekable();
        let mut rest = Vec::new();
        for (bucket, start) in run {
            let margin = found.next_if(|(at, _)| at == start).and_then(|(_, data)| margins::read(&data, kind));
            match margin {
                Some(margin) if !margin.folded => sink.margin(*bucket, margin),
                _ => rest.push((*bucket, *start)),
            }
        }
        if !rest.is_empty() {
            let kept = kept(self.snapshot, grain.number(), &rest).await?;
            rest.retain(|(_, start)| kept.contains(start));
        }
        Ok(rest)
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
        let rest = self.margins(grain, run, sink).await?;
        let run = rest.as_slice();
        let (cells, tags) = (self.cells.then_some(grain.number()), self.tags.then_some(grain.of_tags()));
        let mut cells = rollups(self.snapshot, cells, run).await?.into_iter().peekable();
        let mut tags = rollups(self.snapshot, tags, run).await?.into_iter().peekable();
        for (bucket, start) in run {
            let cells = cells.next_if(|(at, _)| at == start).and_then(|(_, data)| Cells::list(&data, self.filter));
            let tags = tags.next_if(|(at, _)| at == start).and_then(|(_, data)| TagCells::decode(&data));
            let folded = cells.as_ref().is_some_and(|(folded, _)| *folded && self.names_matter)
                || tags.as_ref().is_some_and(|tags| tags.folded);
            if folded && *start >= oldest && has_finer(self.snapshot, grain, *start).await? {
                again.extend(finer(grain, *start).into_iter().map(|piece| (*bucket, piece)));
                continue;
            }
            sink.rolled(*bucket, cells.as_ref().map(|(_, cells)| cells.as_slice()), tags.as_ref());
        }
        Ok(again)
    }
}

/// Which of some times have a roll-up of this number.
async fn kept(snapshot: &mut Snapshot, number: i64, run: &[(usize, i64)]) -> Result<BTreeSet<i64>, sqlx::Error> {
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { return Ok(BTreeSet::new()) };
    let mut sql = snapshot.statement("SELECT start FROM rollups WHERE grain = ");
    sql.bind(number).push(" AND start >= ").bind(*first).push(" AND start <= ").bind(*last);
    snapshot.rows(sql).await?.iter().map(|row| row.int(0)).collect()
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

/// The roll-ups of a number, of some times that follow each other.
pub(crate) async fn rollups(
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

/// Whether what a roll-up is made of is there: where days that were imported of late are kept, that of those between may be gone.
async fn has_finer(snapshot: &mut Snapshot, grain: Grain, start: i64) -> Result<bool, sqlx::Error> {
    let end = start + grain.length();
    let mut sql = match grain {
        // Hours are kept for more than a year.
        Grain::Day => return Ok(true),
        Grain::Hour => {
            let mut sql = snapshot.statement("SELECT start FROM rollups WHERE grain = ");
            sql.bind(Grain::Minute.number()).push(" AND start >= ").bind(start).push(" AND start < ").bind(end);
            sql
        }
        Grain::Minute => {
            let id = |at: i64| key(RequestId::new(WallTime(at).millis(), 0));
            let mut sql = snapshot.statement("SELECT started_at FROM requests WHERE id >= ");
            sql.bind(id(start)).push(" AND id < ").bind(id(end));
            sql
        }
    };
    sql.push(" LIMIT 1");
    Ok(!snapshot.rows(sql).await?.is_empty())
}

/// The first microsecond of which there may be requests: before it, roll-ups are all that there is.
pub(crate) async fn oldest(snapshot: &mut Snapshot) -> Result<i64, sqlx::Error> {
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
                margin: if by_cell { margin(query) } else { None },
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

/// What is told apart by itself, if that is all that is asked for.
fn margin(query: &SeriesQuery) -> Option<Option<usize>> {
    if (Filter { since: None, until: None, ..query.filter.clone() }) != Filter::default() {
        return None;
    }
    match &query.by {
        None => Some(None),
        Some(by) => margins::kind(by).map(Some),
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

    fn margin(&mut self, bucket: usize, margin: Margin) {
        self.adding.all(bucket).merge(&margin.all);
        for (name, tally) in margin.names {
            self.adding.of(bucket, name).merge(&tally);
        }
    }

    fn seen(&mut self, _bucket: usize, seen: &Seen) {
        self.adding.add(seen);
    }
}
