//! Retention: what is older than it is kept goes, a little at a time.

use weir_units::{RequestId, WallTime};

use crate::ledger::wall_now;
use crate::rolling::delete_span;
use crate::rollup::Grain;
use crate::store::Store;
use crate::{demand, figures};

/// Rows that one step of the retention deletes, so that no group waits long behind it.
const SWEEP: i64 = 500;

/// Spans that one step of it deletes.
const SWEPT_SPANS: i64 = 16;

/// How many days roll-ups of hours and of days are kept; longer, if detail is.
const HOURS: i64 = 400;
const DAYS: i64 = 3_660;

impl Store {
    /// Deletes some of what is older than `before`; returns whether there may be more.
    pub(crate) async fn sweep(&mut self, before: WallTime) -> Result<bool, sqlx::Error> {
        let on = self.on()?;
        let bound = RequestId::new(before.millis().max(0), 0).0.to_be_bytes().to_vec();
        let mut sql = on.statement("DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE id < ");
        sql.bind(bound).push(" ORDER BY id LIMIT ").bind(SWEEP).push(")");
        let requests = on.execute(sql).await?;
        // The id of a fact is never below its time, so the facts to delete are the first ones.
        let mut sql = on.statement("DELETE FROM facts WHERE id IN (SELECT id FROM facts ORDER BY id LIMIT ");
        sql.bind(SWEEP).push(") AND at < ").bind(before.0);
        let facts = on.execute(sql).await?;
        // The last key stays: that one was ever made means that keys are asked for.
        let mut sql = on.statement("DELETE FROM keys WHERE coalesce(revoked_at, expires_at) < ");
        sql.bind(before.0).push(" AND name <> (SELECT name FROM keys ORDER BY created_at DESC, name LIMIT 1)");
        on.execute(sql).await?;
        self.sweep_rollups(before).await?;
        Ok(requests + facts >= SWEEP.unsigned_abs())
    }

    /// Deletes roll-ups that are older than theirs are kept, and the postings of what is deleted.
    async fn sweep_rollups(&mut self, before: WallTime) -> Result<(), sqlx::Error> {
        let on = self.on()?;
        let minute = before.0.div_euclid(Grain::Minute.length());
        // An hour that is counted anew is counted from its minutes, so these stay for a while after their requests.
        let minutes = before.0.saturating_sub(2 * Grain::Day.length());
        let hours = minutes.min(wall_now().0 - HOURS * Grain::Day.length());
        let days = minutes.min(wall_now().0 - DAYS * Grain::Day.length());
        for (numbers, before) in [
            ([Grain::Minute.number(), Grain::Minute.of_tags(), demand::MINUTES, figures::MINUTES].as_slice(), minutes),
            (&[Grain::Hour.number(), Grain::Hour.of_tags(), figures::HOURS], hours),
            (&[Grain::Day.number(), Grain::Day.of_tags(), demand::HOURS, figures::DAYS], days),
        ] {
            for number in numbers {
                let mut sql = on.statement("DELETE FROM rollups WHERE grain = ");
                sql.bind(*number).push(" AND start < ").bind(before);
                on.execute(sql).await?;
            }
        }
        let mut sql = on.statement("DELETE FROM dirty WHERE minute < ");
        sql.bind(minute);
        on.execute(sql).await?;
        let mut sql = on.statement("SELECT id FROM spans WHERE until <= ");
        sql.bind(minute).push(" LIMIT ").bind(SWEPT_SPANS);
        for row in on.rows(sql).await? {
            delete_span(on, row.int(0)?).await?;
        }
        Ok(())
    }
}
