//! Keeping demand: what was counted of minutes is written, and the hours that it changes are made anew from their minutes.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{HourCells, MinuteCells, decode_hours, encode_hours, hour_of};
use super::{HOURS, LONGEST, MINUTES};
use crate::db::Connection;
use crate::rollup::{Grain, Written, read_many};

type Minutes = BTreeMap<i64, MinuteCells>;

/// Adds to minutes what was counted of more of their requests.
pub(crate) async fn add(on: &mut Connection, fresh: Minutes, written: &mut Vec<Written>) -> Result<(), sqlx::Error> {
    keep(on, &fresh, false, written).await
}

/// Minutes of which all requests were counted anew take the place of what they were.
pub(crate) async fn count_anew(
    on: &mut Connection,
    counted: Minutes,
    written: &mut Vec<Written>,
) -> Result<(), sqlx::Error> {
    keep(on, &counted, true, written).await
}

async fn keep(on: &mut Connection, fresh: &Minutes, anew: bool, written: &mut Vec<Written>) -> Result<(), sqlx::Error> {
    // Calls that go on after their hour are in the next one, too.
    let hours: BTreeSet<i64> =
        fresh.keys().map(|minute| minute.div_euclid(60)).flat_map(|hour| [hour, hour + 1]).collect();
    let starts: Vec<i64> = hours.iter().map(|hour| hour * Grain::Hour.length()).collect();
    let mut kept = BTreeMap::new();
    for (start, bytes) in read_many(on, HOURS, &starts).await? {
        kept.insert(start / Grain::Hour.length(), decode_hours(&bytes).unwrap_or_default());
    }
    let mut hours = hours.into_iter().peekable();
    while let Some(first) = hours.next() {
        let mut last = first;
        while let Some(next) = hours.next_if_eq(&(last + 1)) {
            last = next;
        }
        let before = read_minutes(on, first * 60 - LONGEST, (last + 1) * 60).await?;
        let mut after = before.clone();
        for (minute, cells) in fresh.range(first * 60..(last + 1) * 60) {
            let own = after.entry(*minute).or_default();
            if anew {
                own.clone_from(cells);
            } else {
                own.merge(cells);
            }
            written.push((MINUTES, *minute * Grain::Minute.length(), (!own.0.is_empty()).then(|| own.encode())));
        }
        for hour in first..=last {
            let kept = kept.remove(&hour).unwrap_or_default();
            let cells = match !anew && has_more(&kept, &hour_of(&before, hour)) {
                // The minutes are gone already, and the hour is all that is left of them.
                true => widened(kept, &hour_of(fresh, hour)),
                false => hour_of(&after, hour),
            };
            written.push((HOURS, hour * Grain::Hour.length(), (!cells.is_empty()).then(|| encode_hours(&cells))));
        }
    }
    Ok(())
}

/// Whether an hour has requests that its minutes do not have.
fn has_more(hour: &HourCells, minutes: &HourCells) -> bool {
    hour.iter().any(|(name, cell)| cell.sum.requests > minutes.get(name).map_or(0, |cell| cell.sum.requests))
}

/// An hour with more requests in it. What its minutes were is not known any more, so of two peaks it is the higher one.
fn widened(mut hour: HourCells, more: &HourCells) -> HourCells {
    for (name, cell) in more {
        let own = hour.entry(name.clone()).or_default();
        own.sum.add(&cell.sum);
        own.p95.widen(&cell.p95);
        own.peak.widen(&cell.peak);
    }
    hour
}

async fn read_minutes(on: &mut Connection, from: i64, to: i64) -> Result<Minutes, sqlx::Error> {
    let length = Grain::Minute.length();
    let mut sql = on.statement("SELECT start, data FROM rollups WHERE grain = ");
    sql.bind(MINUTES).push(" AND start >= ").bind(from * length).push(" AND start < ").bind(to * length);
    let mut minutes = BTreeMap::new();
    for row in on.rows(sql).await? {
        minutes.insert(row.int(0)? / length, MinuteCells::decode(&row.blob(1)?).unwrap_or_default());
    }
    Ok(minutes)
}
