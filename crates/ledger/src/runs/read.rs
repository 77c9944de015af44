//! Reading what runs came to in a time: out of roll-ups as far as these have it, else out of the requests.

use std::time::Instant;

use weir_units::WallTime;

use super::cells::read;
use super::{HOURS, RunSums, number};
use crate::db::Snapshot;
use crate::entry::Outcome;
use crate::filter::Filter;
use crate::index::{Reading, dirty_minutes};
use crate::rollup::{Grain, Piece, Pieces, rollups};

/// Whether roll-ups have the runs of a whole time: hours that an earlier version counted have none.
pub(super) async fn are_kept(snapshot: &mut Snapshot, from: i64, to: i64) -> Result<bool, sqlx::Error> {
    let mut sql = snapshot.statement("SELECT c.start FROM rollups c WHERE c.grain = ");
    sql.bind(Grain::Hour.number()).push(" AND c.start >= ").bind(Grain::Hour.begin(from));
    sql.push(" AND c.start < ").bind(to);
    sql.push(" AND NOT EXISTS (SELECT 1 FROM rollups r WHERE r.grain = ").bind(HOURS);
    sql.push(" AND r.start = c.start) LIMIT 1");
    Ok(snapshot.rows(sql).await?.is_empty())
}

/// Goes through the sums of runs between each two `edges`, told apart by which two these are; false if it became too late.
pub(super) async fn each(
    snapshot: &mut Snapshot,
    edges: &[WallTime],
    deadline: Option<Instant>,
    each: &mut impl FnMut(usize, &RunSums<'_>),
) -> Result<bool, sqlx::Error> {
    let (Some(from), Some(to)) = (edges.first(), edges.last()) else { return Ok(true) };
    let dirty = dirty_minutes(snapshot, from.0, to.0).await?;
    let mut pieces = Pieces::of(edges, Grain::Hour, &dirty);
    while let Some((bucket, piece)) = pieces.next() {
        let late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if late() {
            return Ok(false);
        }
        let (grain, start) = match piece {
            Piece::Roll(grain, start) => (grain, start),
            Piece::Rows(from, to) => {
                let filter = Filter { since: Some(WallTime(from)), until: Some(WallTime(to)), ..Filter::default() };
                let mut whole = true;
                let take = |seen, _| {
                    let seen: crate::seen::Seen = seen;
                    if seen.outcome != Outcome::Open {
                        each(bucket, &RunSums::of(&seen));
                    }
                    whole = !late();
                    whole
                };
                Reading::plain(snapshot, &filter).each(take).await?;
                if !whole {
                    return Ok(false);
                }
                continue;
            }
        };
        let run = pieces.run(bucket, grain, start);
        let mut found = rollups(snapshot, Some(number(grain)), &run).await?.into_iter().peekable();
        let mut finer = Vec::new();
        for (bucket, start) in run {
            let Some((_, bytes)) = found.next_if(|(at, _)| *at == start) else { continue };
            if read(&bytes, &mut |of| each(bucket, of)) == Some(false) {
                finer.extend(parts(grain, start).into_iter().map(|piece| (bucket, piece)));
            }
        }
        pieces.put_first(finer);
    }
    Ok(true)
}

/// What a roll-up is made of that has too many runs to keep any.
fn parts(grain: Grain, start: i64) -> Vec<Piece> {
    let minute = Grain::Minute.length();
    match grain {
        Grain::Minute => vec![Piece::Rows(start, start + minute)],
        _ => (0..grain.length() / minute).map(|n| Piece::Roll(Grain::Minute, start + n * minute)).collect(),
    }
}
