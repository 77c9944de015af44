//! Keeping figures: minutes, and the hours and days that they are in.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::FigureCells;
use super::{DAYS, HOURS, MINUTES};
use crate::db::Connection;
use crate::rollup::{Grain, Part, Written, add_to, write_many};

const GRAINS: [(Grain, i64); 3] = [(Grain::Minute, MINUTES), (Grain::Hour, HOURS), (Grain::Day, DAYS)];

/// Adds what was counted of minutes.
pub(crate) async fn add(
    on: &mut Connection,
    fresh: &BTreeMap<i64, FigureCells>,
    written: &mut Vec<Written>,
) -> Result<(), sqlx::Error> {
    for (grain, number) in GRAINS {
        let mut sums: BTreeMap<i64, FigureCells> = BTreeMap::new();
        for (minute, cells) in fresh {
            sums.entry(grain.begin(minute * Grain::Minute.length())).or_default().merge(cells);
        }
        add_to(on, number, sums, written).await?;
    }
    Ok(())
}

/// Writes minutes of which all requests were counted anew, and the hours and days that they are in.
pub(crate) async fn count_anew(on: &mut Connection, counted: &BTreeMap<i64, FigureCells>) -> Result<(), sqlx::Error> {
    for (minute, cells) in counted {
        write(on, MINUTES, minute * Grain::Minute.length(), cells).await?;
    }
    for parts in GRAINS.windows(2) {
        let [(finer, finer_number), (grain, number)] = parts else { continue };
        let starts: BTreeSet<i64> = counted.keys().map(|minute| grain.begin(minute * Grain::Minute.length())).collect();
        for start in starts {
            let mut sum = FigureCells::default();
            for part in 0..grain.length() / finer.length() {
                sum.merge(&read(on, *finer_number, start + part * finer.length()).await?);
            }
            write(on, *number, start, &sum).await?;
        }
    }
    Ok(())
}

async fn read(on: &mut Connection, number: i64, start: i64) -> Result<FigureCells, sqlx::Error> {
    let mut sql = on.statement("SELECT data FROM rollups WHERE grain = ");
    sql.bind(number).push(" AND start = ").bind(start);
    let rows = on.rows(sql).await?;
    let Some(row) = rows.first() else { return Ok(FigureCells::default()) };
    Ok(FigureCells::decode(&row.blob(0)?).unwrap_or_default())
}

async fn write(on: &mut Connection, number: i64, start: i64, cells: &FigureCells) -> Result<(), sqlx::Error> {
    write_many(on, vec![(number, start, cells.written())]).await
}
