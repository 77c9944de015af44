//! Retention: what is older than it is kept goes, a little at a time.

use weir_units::{RequestId, WallTime};

use crate::db::Connection;
use crate::import::{gaps, held};
use crate::ledger::wall_now;
use crate::query::key;
use crate::rolling::delete_span;
use crate::rollup::Grain;
use crate::store::Store;
use crate::{demand, figures, runs};

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
        let id = |at: i64| key(RequestId::new(WallTime(at).millis().max(0), 0));
        let mut requests = 0_u64;
        for (from, to) in gaps(&held(on, before.0).await?, before.0) {
            let mut sql = on.statement("DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE id >= ");
            sql.bind(id(from)).push(" AND id < ").bind(id(to));
            sql.push(" ORDER BY id LIMIT ").bind(SWEEP - requests.cast_signed()).push(")");
            requests += on.execute(sql).await?;
            if requests >= SWEEP.unsigned_abs() {
                break;
            }
        }
        // The id of a fact is never below its time, so the facts to delete are the first ones. What is said of limits is their
        // history, which is kept as long as the roll-ups that it explains.
        let mut sql = on.statement("DELETE FROM facts WHERE id IN (SELECT id FROM facts WHERE fact <> 'LimitChanged'");
        sql.push(" ORDER BY id LIMIT ").bind(SWEEP).push(") AND at < ").bind(before.0);
        let mut facts = on.execute(sql).await?;
        let mut sql = on.statement("DELETE FROM facts WHERE id IN (SELECT id FROM facts ORDER BY id LIMIT ");
        sql.bind(SWEEP).push(") AND at < ").bind(before.0.min(wall_now().0 - HOURS * Grain::Day.length()));
        facts += on.execute(sql).await?;
        // The last key stays: that one was ever made means that keys are asked for.
        let mut sql = on.statement("DELETE FROM keys WHERE coalesce(revoked_at, expires_at) < ");
        sql.bind(before.0).push(" AND name <> (SELECT name FROM keys ORDER BY created_at DESC, name LIMIT 1)");
        on.execute(sql).await?;
        let more = self.sweep_rollups(before).await?;
        Ok(more || requests + facts >= SWEEP.unsigned_abs())
    }

    /// Deletes roll-ups that are older than theirs are kept, and some of the postings of what is deleted; returns whether there may
    /// be more.
    async fn sweep_rollups(&mut self, before: WallTime) -> Result<bool, sqlx::Error> {
        let on = self.on()?;
        let minute = before.0.div_euclid(Grain::Minute.length());
        // An hour that is counted anew is counted from its minutes, so these stay for a while after their requests.
        let minutes = before.0.saturating_sub(2 * Grain::Day.length());
        let held = held(on, before.0).await?;
        for number in [
            Grain::Minute.number(),
            Grain::Minute.of_tags(),
            demand::MINUTES,
            figures::MINUTES,
            runs::MINUTES,
            runs::HOURS,
        ] {
            for (from, to) in gaps(&held, minutes) {
                drop_rollups(on, number, from, to).await?;
            }
        }
        let hours = minutes.min(wall_now().0 - HOURS * Grain::Day.length());
        let days = minutes.min(wall_now().0 - DAYS * Grain::Day.length());
        for (number, before) in [
            (Grain::Hour.number(), hours),
            (Grain::Hour.of_tags(), hours),
            (figures::HOURS, hours),
            (Grain::Hour.of_margins().unwrap_or(-1), hours),
            (Grain::Day.number(), days),
            (Grain::Day.of_tags(), days),
            (figures::DAYS, days),
            (Grain::Day.of_margins().unwrap_or(-1), days),
            (demand::HOURS, days),
        ] {
            drop_rollups(on, number, 0, before).await?;
        }
        let mut sql = on.statement("DELETE FROM dirty WHERE minute < ");
        sql.bind(minute);
        on.execute(sql).await?;
        let mut swept = 0;
        for (from, to) in gaps(&held, before.0) {
            let length = Grain::Minute.length();
            let mut sql = on.statement("SELECT id FROM spans WHERE start >= ");
            sql.bind(from / length).push(" AND until <= ").bind(to / length).push(" LIMIT ").bind(SWEPT_SPANS - swept);
            for row in on.rows(sql).await? {
                delete_span(on, row.int(0)?).await?;
                swept += 1;
            }
        }
        Ok(swept == SWEPT_SPANS)
    }
}

async fn drop_rollups(on: &mut Connection, number: i64, from: i64, to: i64) -> Result<(), sqlx::Error> {
    let mut sql = on.statement("DELETE FROM rollups WHERE grain = ");
    sql.bind(number).push(" AND start >= ").bind(from).push(" AND start < ").bind(to);
    on.execute(sql).await.map(|_| ())
}
