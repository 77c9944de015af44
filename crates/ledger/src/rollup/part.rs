//! Roll-ups of any kind, many at once: read, added to, and written in few statements.

use std::collections::BTreeMap;

use super::{Cells, Margins, TagCells};
use crate::db::{Connection, Value, places};

/// Roll-ups that one statement asks for.
const ASKED: usize = 256;

/// Roll-ups that one statement writes.
const WRITTEN: [usize; 3] = [64, 8, 1];

/// A roll-up of one kind.
pub(crate) trait Part: Default + Send + 'static {
    /// Out of what the database keeps; none if that makes no sense.
    fn read(bytes: &[u8]) -> Option<Self>;
    /// As the database keeps it; none if there is nothing.
    fn written(&self) -> Option<Vec<u8>>;
    /// Adds what `other` has counted.
    fn plus(&mut self, other: &Self);
}

macro_rules! part {
    ($type:ty, $is_empty:expr) => {
        impl $crate::rollup::Part for $type {
            fn read(bytes: &[u8]) -> Option<Self> {
                Self::decode(bytes)
            }

            fn written(&self) -> Option<Vec<u8>> {
                let is_empty: fn(&Self) -> bool = $is_empty;
                (!is_empty(self)).then(|| self.encode())
            }

            fn plus(&mut self, other: &Self) {
                self.merge(other);
            }
        }
    };
}
pub(crate) use part;

part!(Cells, |cells| cells.cells.is_empty());
part!(TagCells, |tags| tags.cells.is_empty());
part!(Margins, Margins::is_empty);

/// A roll-up to be written: its number, what it starts at, and what it is; none if there must be none.
pub(crate) type Written = (i64, i64, Option<Vec<u8>>);

/// The roll-ups of a number that start at these times, as far as there are any.
pub(crate) async fn read_many(
    on: &mut Connection,
    number: i64,
    starts: &[i64],
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let mut found = Vec::with_capacity(starts.len());
    for some in starts.chunks(ASKED) {
        let mut sql = on.statement("SELECT start, data FROM rollups WHERE grain = ");
        sql.bind(number);
        for (place, start) in some.iter().enumerate() {
            sql.push(if place == 0 { " AND start IN (" } else { ", " }).bind(*start);
        }
        sql.push(")");
        for row in on.rows(sql).await? {
            found.push((row.int(0)?, row.blob(1)?));
        }
    }
    Ok(found)
}

/// Adds to roll-ups of a number what was counted since, for [`write_many`].
pub(crate) async fn add_to<P: Part>(
    on: &mut Connection,
    number: i64,
    mut fresh: BTreeMap<i64, P>,
    written: &mut Vec<Written>,
) -> Result<(), sqlx::Error> {
    let starts: Vec<i64> = fresh.keys().copied().collect();
    let before = read_many(on, number, &starts).await?;
    // Elsewhere: large ones take milliseconds, and requests are served here.
    let added = tokio::task::spawn_blocking(move || {
        for (start, bytes) in before {
            if let (Some(own), Some(before)) = (fresh.get_mut(&start), P::read(&bytes)) {
                own.plus(&before);
            }
        }
        let parts = fresh.into_iter();
        parts.filter_map(|(start, part)| Some((number, start, Some(part.written()?)))).collect::<Vec<_>>()
    });
    written.extend(added.await.map_err(|_| sqlx::Error::WorkerCrashed)?);
    Ok(())
}

/// Writes roll-ups.
pub(crate) async fn write_many(on: &mut Connection, written: Vec<Written>) -> Result<(), sqlx::Error> {
    let mut rows = Vec::with_capacity(written.len());
    for (number, start, data) in written {
        match data {
            Some(data) => rows.push((number, start, data)),
            None => {
                let mut sql = on.statement("DELETE FROM rollups WHERE grain = ");
                sql.bind(number).push(" AND start = ").bind(start);
                on.execute(sql).await?;
            }
        }
    }
    let mut rows = rows.into_iter();
    for size in WRITTEN {
        let text = format!(
            "INSERT INTO rollups (grain, start, data) VALUES {} ON CONFLICT (grain, start) DO UPDATE SET data = excluded.data",
            places(on.dialect(), 3, size)
        );
        while rows.len() >= size {
            let some = rows.by_ref().take(size);
            let values =
                some.flat_map(|(number, start, data)| [Value::from(number), start.into(), data.into()]).collect();
            on.insert(&text, values).await?;
        }
    }
    Ok(())
}
