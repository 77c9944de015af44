//! The weekly report, sent through the owner's notifiers at the hour that the configuration names. That it was sent is a fact, so that a
//! restart does not send it twice.

use std::sync::Arc;
use std::time::Duration;

use weir_config::WeeklyAt;
use weir_engine::Zone;
use weir_ledger::{Event, Fact, FactQuery, Stage};
use weir_units::WallTime;

use super::live::answer;
use super::weekly::weekly;
use crate::alerts;
use crate::capacity;
use crate::clock::wall;
use crate::state::Shared;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// A report that could not be made at its hour is made within this time, or not at all.
const LATE: i64 = 26 * HOUR;
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Sends reports when they are due, for as long as the gateway runs.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut done = None;
    loop {
        if let Some(due) = due(&shared).filter(|due| done != Some(*due)) {
            match send(&shared, due).await {
                Ok(()) => done = Some(due),
                Err(why) => tracing::warn!("the weekly report cannot be made: {why}"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// When the report was due that should be sent by now, if somebody is to get one.
fn due(shared: &Shared) -> Option<WallTime> {
    let (live, now) = (shared.live.load(), wall());
    let due = last_due(live.config.report?, &live.config.zone, now);
    let late = now.0.saturating_sub(due.0) > LATE;
    (!late && !live.config.alerts.owner.notify.is_empty()).then_some(due)
}

/// The last time that a report was due, at or before `now`.
fn last_due(at: WeeklyAt, zone: &Zone, now: WallTime) -> WallTime {
    let ahead = zone.seconds_ahead(now) * 1_000_000;
    let local = now.0.saturating_add(ahead);
    // 1970-01-01 was a Thursday, the fourth day from Monday.
    let weekday = (local.div_euclid(DAY) + 3).rem_euclid(7);
    let since_due = (weekday - i64::from(at.weekday)).rem_euclid(7) * DAY + local.rem_euclid(DAY)
        - i64::from(at.minute) * (HOUR / 60);
    let back = if since_due < 0 { since_due + WEEK } else { since_due };
    let due = WallTime(now.0 - back);
    // Clocks may have been changed in between.
    WallTime(due.0 + ahead - zone.seconds_ahead(due) * 1_000_000)
}

async fn send(shared: &Arc<Shared>, due: WallTime) -> Result<(), String> {
    let kinds = vec!["ReportSent".to_owned()];
    let query = FactQuery { kinds, since: Some(due), limit: 1, ..FactQuery::default() };
    let text = |error: weir_ledger::StoreError| error.to_string();
    if !shared.ledger.facts_of(&query).await.map_err(text)?.is_empty() {
        return Ok(());
    }
    let live = shared.live.load_full();
    let desk = capacity::latest(shared).await?;
    let now = answer(shared, due, Some(Arc::clone(&desk))).await?;
    let before = answer(shared, WallTime(due.0 - WEEK), None).await?;
    let span = (WallTime(due.0 - WEEK), due);
    let reader = shared.ledger.reader();
    let readiness = Some((now, Some(before)));
    let report = weekly(&live.config, reader, span, Some((*desk).clone()), readiness).await.map_err(text)?;
    if report.users.first().is_none_or(|seen| seen.week.asked == 0) {
        tracing::info!("no weekly report is sent: nothing was asked in the week");
        return Ok(());
    }
    // On record first: a report that is sent twice annoys more than one that is lost, and it can be asked for at any time.
    let to = live.config.alerts.owner.notify.clone();
    let fact = Fact::ReportSent { to: to.iter().map(ToString::to_string).collect(), headline: report.headline() };
    shared.tell(Event { at: wall(), stage: Stage::Settle, fact });
    shared.ledger.flush().await;
    for name in to {
        alerts::send_report(shared, name, &report);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_due_once_a_week_on_the_clocks_of_the_zone() {
        let at = |text: &str| text.parse::<WallTime>().unwrap();
        let monday = WeeklyAt { weekday: 0, minute: 9 * 60 };
        for (now, due) in [
            ("2026-11-18T14:47:00Z", "2026-11-16T09:00:00Z"),
            ("2026-11-16T09:00:00Z", "2026-11-16T09:00:00Z"),
            ("2026-11-16T08:59:59Z", "2026-11-09T09:00:00Z"),
            ("2026-11-22T23:59:00Z", "2026-11-16T09:00:00Z"),
        ] {
            assert_eq!(last_due(monday, &Zone::UTC, at(now)), at(due), "{now}");
        }
        // Clocks an hour ahead in summer, put back on Sun 25 Oct 2026 at 01:00 UTC.
        let zone = Zone::new(7_200, [(at("2026-10-25T01:00:00Z"), 3_600)]);
        assert_eq!(last_due(monday, &zone, at("2026-10-26T12:00:00Z")), at("2026-10-26T08:00:00Z"));
        assert_eq!(last_due(monday, &zone, at("2026-10-25T12:00:00Z")), at("2026-10-19T07:00:00Z"));
    }
}
