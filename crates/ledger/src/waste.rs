//! What was wasted, request by request: runs are told apart by it, which roll-ups do not know; and since when there is anything.

use std::sync::Arc;

use weir_units::{NanoUsd, RequestId, WallTime};

use crate::filter::{ANY_WASTE, Filter};
use crate::index::Reading;
use crate::query::{Reader, StoreError, first_after, key};
use crate::rollup::Grain;
use crate::seen::Seen;
use crate::series::WASTE;

/// A request of which something served nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WastedRequest {
    /// When it arrived.
    pub started_at: WallTime,
    /// Its route.
    pub route: Option<Arc<str>>,
    /// The name of the client's key.
    pub key: Option<Arc<str>>,
    /// Its agent run or conversation.
    pub run: Option<Arc<str>>,
    /// What was wasted of it, in the order in which it was told.
    pub parts: Vec<WastedPart>,
}

/// What was wasted of one of its calls, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WastedPart {
    /// The reason, by its name in [`WASTE`].
    pub why: &'static str,
    /// Tokens of both kinds.
    pub tokens: u64,
    /// What they cost; none is unknown.
    pub cost: Option<NanoUsd>,
}

impl WastedRequest {
    fn of(seen: Seen) -> Self {
        let all = seen.calls.iter().flat_map(|call| &call.wasted);
        let parts = all.map(|waste| WastedPart { why: WASTE[waste.why], tokens: waste.tokens, cost: waste.cost });
        Self { parts: parts.collect(), started_at: seen.started_at, route: seen.route, key: seen.key, run: seen.run }
    }
}

impl Reader {
    /// Tells the requests of which something was wasted, those that `filter` holds, the newest first, until `each` has enough.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn wasted(&self, filter: &Filter, mut each: impl FnMut(WastedRequest) -> bool) -> Result<(), StoreError> {
        let waste = filter.waste.clone().or_else(|| Some(ANY_WASTE.to_owned()));
        let filter = Filter { waste, ..filter.clone() };
        let mut snapshot = self.pool.snapshot().await?;
        let mut reading = Reading::new(&mut snapshot, &filter, None).await?;
        Ok(reading.each(|seen, _| each(WastedRequest::of(seen))).await?)
    }

    /// When the first request of `since..until` arrived, as far as it is known: to the minute, the hour or the day where only
    /// roll-ups are left.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn first_request(&self, since: WallTime, until: WallTime) -> Result<Option<WallTime>, StoreError> {
        let mut sql = self.pool.statement("SELECT started_at FROM requests WHERE id >= ");
        sql.bind(key(RequestId::new(since.millis().max(0), 0))).push(" AND id < ").bind(key(first_after(until)));
        sql.push(" AND started_at >= ").bind(since.0).push(" AND started_at < ").bind(until.0);
        sql.push(" ORDER BY id LIMIT 1");
        let row = |rows: Vec<crate::db::DbRow>| rows.first().map(|row| row.int(0)).transpose();
        let mut first = row(self.pool.rows(sql).await?)?;
        for grain in Grain::ALL {
            let mut sql = self.pool.statement("SELECT start FROM rollups WHERE grain = ");
            sql.bind(grain.number()).push(" AND start >= ").bind(since.0).push(" AND start < ").bind(until.0);
            sql.push(" ORDER BY start LIMIT 1");
            // A roll-up begins before its first request.
            let rolled = row(self.pool.rows(sql).await?)?;
            first = match (first, rolled) {
                (Some(first), Some(rolled)) if rolled + grain.length() > first => Some(first),
                (Some(first), None) => Some(first),
                (_, rolled) => rolled,
            };
        }
        Ok(first.map(|at| WallTime(at.max(since.0))))
    }
}
