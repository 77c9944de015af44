//! Keeping sums of runs, as roll-ups are kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{HOURS, MINUTES, RunCells};
use crate::db::Connection;
use crate::rollup::{Grain, Part, Written, add_to, read_many};

/// By the minute.
type Minutes = BTreeMap<i64, RunCells>;

/// Of the hours of some minutes, those that an earlier version began to count: their runs are not known, and stay so.
pub(crate) async fn unknown_hours(
    on: &mut Connection,
    minutes: impl Iterator<Item = i64>,
) -> Result<BTreeSet<i64>, sqlx::Error> {
    let hours: BTreeSet<i64> = minutes.map(|minute| Grain::Hour.begin(minute * Grain::Minute.length())).collect();
    let mut unknown = BTreeSet::new();
    for hour in hours {
        let mut sql = on.statement("SELECT grain FROM rollups WHERE start = ");
        sql.bind(hour).push(" AND grain IN (").bind(HOURS).push(", ").bind(Grain::Hour.number()).push(")");
        let kept: Vec<i64> = on.rows(sql).await?.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        if !kept.is_empty() && !kept.contains(&HOURS) {
            unknown.insert(hour);
        }
    }
    Ok(unknown)
}

/// Adds to minutes, and to their hours, what was counted of more of their requests; returns which minutes have too many runs, so
/// that no more need be counted of them.
pub(crate) async fn add(
    on: &mut Connection,
    fresh: Minutes,
    written: &mut Vec<Written>,
) -> Result<Vec<i64>, sqlx::Error> {
    let unknown = unknown_hours(on, fresh.keys().copied()).await?;
    let (mut minutes, mut hours) = (BTreeMap::new(), BTreeMap::<i64, RunCells>::new());
    for (minute, runs) in fresh {
        let start = minute * Grain::Minute.length();
        let hour = Grain::Hour.begin(start);
        if !unknown.contains(&hour) {
            hours.entry(hour).or_default().merge(&runs);
            minutes.insert(start, runs);
        }
    }
    let others = written.len();
    add_to(on, MINUTES, minutes, written).await?;
    let is_full = |data: &Option<Vec<u8>>| data.as_deref().is_some_and(RunCells::are_too_many);
    let full = written[others..].iter().filter(|(_, _, data)| is_full(data));
    let full = full.map(|(_, start, _)| start / Grain::Minute.length()).collect();
    add_to(on, HOURS, hours, written).await?;
    Ok(full)
}

/// Minutes of which all requests were counted anew take the place of what they were, and their hours are made from their minutes.
pub(crate) async fn count_anew(
    on: &mut Connection,
    counted: &Minutes,
    unknown: &BTreeSet<i64>,
    written: &mut Vec<Written>,
) -> Result<(), sqlx::Error> {
    let start = |minute: i64| minute * Grain::Minute.length();
    let hours: BTreeSet<i64> = counted.keys().map(|minute| Grain::Hour.begin(start(*minute))).collect();
    for hour in hours.difference(unknown).copied() {
        let minutes: Vec<i64> = (0..60).map(|n| hour + start(n)).collect();
        let mut kept = BTreeMap::new();
        for (at, bytes) in read_many(on, MINUTES, &minutes).await? {
            kept.insert(at, RunCells::decode(&bytes).unwrap_or_default());
        }
        let own = counted.range(hour / start(1)..hour / start(1) + 60);
        kept.extend(own.map(|(minute, runs)| (start(*minute), runs.clone())));
        let mut all = RunCells::default();
        kept.values().for_each(|runs| all.merge(runs));
        written.push((HOURS, hour, all.written()));
    }
    let known = counted.iter().filter(|(minute, _)| !unknown.contains(&Grain::Hour.begin(start(**minute))));
    written.extend(known.map(|(minute, runs)| (MINUTES, start(*minute), runs.written())));
    Ok(())
}
