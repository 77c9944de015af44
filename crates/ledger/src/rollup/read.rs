//! Counts over time, out of roll-ups as far as these have them, else out of the requests.

use std::collections::VecDeque;

use super::Grain;
use super::cells::{self, Cells};
use super::cover::{Piece, cover};
use super::tags::{self, TagCells};
use crate::db::Snapshot;
use crate::filter::Filter;
use crate::index::{Reading, dirty_minutes};
use crate::query::{Reader, StoreError};
use crate::series::{Adding, Series, SeriesBy, SeriesQuery, Tally};

/// Roll-ups that are read at once.
const BATCH: usize = 64;

impl Reader {
    /// Counts over time, as `query` says. Requests that still run are in none of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        let mut snapshot = self.pool.snapshot().await?;
        let mut adding = Adding::new(query);
        let tags = tags::answers(&query.filter, query.by.as_ref());
        let cells = cells::answers(&query.filter) && !matches!(query.by, Some(SeriesBy::Tag(_)));
        if tags || cells {
            let mut rolling = Rolling { query, snapshot: &mut snapshot, adding: &mut adding, tags, oldest: 0 };
            rolling.read().await?;
        } else {
            let (from, until) = (query.edges.first(), query.edges.last());
            let filter = Filter { since: from.copied(), until: until.copied(), ..query.filter.clone() };
            let mut reading = Reading::new(&mut snapshot, &filter, None).await?;
            reading
                .each(|seen, _| {
                    adding.add(&seen);
                    true
                })
                .await?;
        }
        Ok(adding.done())
    }
}

struct Rolling<'a, 'q> {
    query: &'q SeriesQuery,
    snapshot: &'a mut Snapshot,
    adding: &'a mut Adding<'q>,
    /// Roll-ups by tag are asked.
    tags: bool,
    /// The first microsecond of which there may be requests: before it, roll-ups are all that there is.
    oldest: i64,
}

impl Rolling<'_, '_> {
    async fn read(&mut self) -> Result<(), sqlx::Error> {
        let (Some(from), Some(to)) = (self.query.edges.first(), self.query.edges.last()) else { return Ok(()) };
        self.oldest = oldest(self.snapshot).await?;
        let dirty = dirty_minutes(self.snapshot, from.0, to.0).await?;
        let mut pieces: VecDeque<(usize, Piece)> = VecDeque::new();
        for (bucket, edges) in self.query.edges.windows(2).enumerate() {
            let parts = cover(edges[0].0, edges[1].0, Grain::Day, &dirty);
            pieces.extend(parts.into_iter().map(|piece| (bucket, piece)));
        }
        while let Some((bucket, piece)) = pieces.pop_front() {
            match piece {
                Piece::Rows(from, to) => self.rows(from, to).await?,
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
                    for (bucket, piece) in self.run(grain, &run).await?.into_iter().rev() {
                        pieces.push_front((bucket, piece));
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts the requests of a time one by one.
    async fn rows(&mut self, from: i64, to: i64) -> Result<(), sqlx::Error> {
        let (since, until) = (Some(weir_units::WallTime(from)), Some(weir_units::WallTime(to)));
        let filter = Filter { since, until, ..self.query.filter.clone() };
        let adding = &mut *self.adding;
        let count = |seen: crate::seen::Seen, _| {
            adding.add(&seen);
            true
        };
        Reading::plain(self.snapshot, &filter).each(count).await
    }

    /// Adds roll-ups that follow each other; returns those that must be taken from shorter ones, as pieces.
    async fn run(&mut self, grain: Grain, run: &[(usize, i64)]) -> Result<Vec<(usize, Piece)>, sqlx::Error> {
        let mut again = Vec::new();
        let cells = if self.tags && self.query.filter.tag.is_some() {
            Vec::new()
        } else {
            rollups(self.snapshot, grain.number(), run).await?
        };
        let tags = if self.tags { rollups(self.snapshot, grain.of_tags(), run).await? } else { Vec::new() };
        let (mut cells, mut tags) = (cells.into_iter().peekable(), tags.into_iter().peekable());
        for (bucket, start) in run {
            let cell = cells.next_if(|(at, _)| at == start).and_then(|(_, data)| Cells::decode(&data));
            let tag = tags.next_if(|(at, _)| at == start).and_then(|(_, data)| TagCells::decode(&data));
            let folded = cell.as_ref().is_some_and(|cells| cells.folded && self.names_matter())
                || tag.as_ref().is_some_and(|tags| tags.folded);
            if folded && *start >= self.oldest {
                again.extend(finer(grain, *start).into_iter().map(|piece| (*bucket, piece)));
                continue;
            }
            let mut all = Tally::default();
            if let Some(cells) = &cell {
                if self.tags {
                    cells.cells.values().for_each(|cell| {
                        all.merge(&cell.requests);
                        cell.calls.iter().for_each(|calls| all.merge_calls(calls));
                    });
                    self.adding.all(*bucket).merge(&all);
                } else {
                    cells.add_to(self.adding, *bucket, &self.query.filter);
                }
            }
            if let Some(tags) = &tag {
                tags.add_to(self.adding, *bucket, &self.query.filter);
            }
            if let Some(SeriesBy::Tag(name)) = &self.query.by {
                let tagged = tag.iter().flat_map(|tags| &tags.cells).filter(|((known, _), _)| **known == **name);
                tagged.for_each(|(_, tally)| all.take_out(tally));
                if all.requests.requests > 0 {
                    self.adding.of(*bucket, None).merge(&all);
                }
            }
        }
        Ok(again)
    }

    /// Whether a name that became another would make a difference.
    fn names_matter(&self) -> bool {
        let filter = &self.query.filter;
        let by_name = matches!(
            self.query.by,
            Some(
                SeriesBy::Key
                    | SeriesBy::Tenant
                    | SeriesBy::Route
                    | SeriesBy::Deployment
                    | SeriesBy::Provider
                    | SeriesBy::Model
            )
        );
        by_name
            || filter.key.is_some()
            || filter.tenant.is_some()
            || filter.route.is_some()
            || filter.deployment.is_some()
            || filter.provider.is_some()
            || filter.model.is_some()
            || filter.refused_by.is_some()
    }
}

/// What a roll-up is made of.
fn finer(grain: Grain, start: i64) -> Vec<Piece> {
    let parts = |finer: Grain| {
        (0..grain.length() / finer.length()).map(move |n| Piece::Roll(finer, start + n * finer.length())).collect()
    };
    match grain {
        Grain::Day => parts(Grain::Hour),
        Grain::Hour => parts(Grain::Minute),
        Grain::Minute => vec![Piece::Rows(start, start + grain.length())],
    }
}

async fn rollups(
    snapshot: &mut Snapshot,
    number: i64,
    run: &[(usize, i64)],
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { return Ok(Vec::new()) };
    let mut sql = snapshot.statement("SELECT start, data FROM rollups WHERE grain = ");
    sql.bind(number).push(" AND start >= ").bind(*first).push(" AND start <= ").bind(*last).push(" ORDER BY start");
    snapshot.rows(sql).await?.iter().map(|row| Ok((row.int(0)?, row.blob(1)?))).collect()
}

/// The first microsecond of which there may be requests.
async fn oldest(snapshot: &mut Snapshot) -> Result<i64, sqlx::Error> {
    let rows = snapshot.rows(snapshot.statement("SELECT id FROM requests ORDER BY id LIMIT 1")).await?;
    let Some(row) = rows.first() else { return Ok(i64::MAX) };
    let id = row.blob(0)?.try_into().map_or(0, u128::from_be_bytes);
    // The first minute may be half deleted.
    Ok((weir_units::RequestId(id).millis() / 60_000 + 1) * 60_000_000)
}
