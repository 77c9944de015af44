//! Finding requests by what they are, at no cost for each request that is written.
//!
//! Requests lie in the order of their ids, which is that of time. A span is the postings of some minutes' requests, made by the
//! writer from memory; spans of the same minutes are a window, and windows do not overlap. Minutes whose requests are not
//! all in spans yet are dirty, and looked through one by one, as are requests that still run.

mod postings;
mod reading;

use std::collections::BTreeSet;

pub(crate) use postings::{Plain, Postings, minute};
pub(crate) use reading::Reading;

use crate::db::Snapshot;

/// The minutes, since 1970, of which not all requests are counted and in spans yet, in a time given in microseconds.
pub(crate) async fn dirty_minutes(snapshot: &mut Snapshot, from: i64, to: i64) -> Result<BTreeSet<i64>, sqlx::Error> {
    let mut sql = snapshot.statement("SELECT minute FROM dirty WHERE minute >= ");
    sql.bind(from.div_euclid(60_000_000)).push(" AND minute <= ").bind(to.div_euclid(60_000_000));
    snapshot.rows(sql).await?.iter().map(|row| row.int(0)).collect()
}
