//! Keeping demand: what was counted of minutes is written, and the hours that it changes are made anew from their minutes.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{HourCells, MinuteCells, decode_hours, encode_hours, hour_of};
use super::{HOURS, LONGEST, MINUTES};
use crate::db::Connection;
use crate::rollup::Grain;

type Minutes = BTreeMap<i64, MinuteCells>;

/// Adds to minutes what was counted of more of their requests.
pub(crate) async fn add(on: &mut Connection, fresh: &Minutes) -> Result<(), sqlx::Error> {
    keep(on, fresh, false).await
}

/// Writes minutes of which all requests were counted anew.
pub(crate) async fn count_anew(on: &mut Connection, counted: &Minutes) -> Result<(), sqlx::Error> {
    keep(on, counted, true).await
}

async fn keep(on: &mut Connection, fresh: &Minutes, anew: bool) -> Result<(), sqlx::Error> {
    // Calls that go on after their hour are in the next one, too.
    let hours: BTreeSet<i64> =
        fresh.keys().map(|minute| minute.div_euclid(60)).flat_map(|hour| [hour, hour + 1]).collect();
    let mut hours = hours.into_iter().peekable();
    while let Some(first) = hours.next() {
        let mut last = first;
        while let Some(next) = hours.next_if_eq(&(last + 1)) {
            last = next;
        }
        keep_hours(on, fresh, first, last, anew).await?;
    }
    Ok(())
}

/// Writes the minutes of hours that follow each other, and the hours.
async fn keep_hours(
    on: &mut Connection,
    fresh: &Minutes,
    first: i64,
    last: i64,
    anew: bool,
) -> Result<(), sqlx::Error> {
    let before = read_minutes(on, first * 60 - LONGEST, (last + 1) * 60).await?;
    let mut after = before.clone();
    for (minute, cells) in fresh.range(first * 60..(last + 1) * 60) {
        let own = after.entry(*minute).or_default();
        if anew {
            own.clone_from(cells);
        } else {
            own.merge(cells);
        }
        write(on, MINUTES, *minute * Grain::Minute.length(), (!own.0.is_empty()).then(|| own.encode())).await?;
    }
    for hour in first..=last {
        let start = hour * Grain::Hour.length();
        let kept = read_hour(on, start).await?;
        let cells = match !anew && has_more(&kept, &hour_of(&before, hour)) {
            // The minutes are gone already, and the hour is all that is left of them.
            true => widened(kept, &hour_of(fresh, hour)),
            false => hour_of(&after, hour),
        };
        write(on, HOURS, start, (!cells.is_empty()).then(|| encode_hours(&cells))).await?;
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

async fn read_hour(on: &mut Connection, start: i64) -> Result<HourCells, sqlx::Error> {
    let mut sql = on.statement("SELECT data FROM rollups WHERE grain = ");
    sql.bind(HOURS).push(" AND start = ").bind(start);
    let rows = on.rows(sql).await?;
    let Some(row) = rows.first() else { return Ok(HourCells::new()) };
    Ok(decode_hours(&row.blob(0)?).unwrap_or_default())
}

/// Writes a roll-up, or sees to it that there is none.
pub(crate) async fn write(
    on: &mut Connection,
    grain: i64,
    start: i64,
    data: Option<Vec<u8>>,
) -> Result<(), sqlx::Error> {
    let Some(data) = data else {
        let mut sql = on.statement("DELETE FROM rollups WHERE grain = ");
        sql.bind(grain).push(" AND start = ").bind(start);
        return on.execute(sql).await.map(|_| ());
    };
    let mut sql = on.statement("INSERT INTO rollups (grain, start, data) VALUES (");
    sql.bind(grain).push(", ").bind(start).push(", ").bind(data);
    sql.push(") ON CONFLICT (grain, start) DO UPDATE SET data = excluded.data");
    on.execute(sql).await.map(|_| ())
}
