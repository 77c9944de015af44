//! `/admin/v1/waste`: what was paid for and served nobody, and the cheapest remedies first.

use std::time::Duration;

use http::{Response, StatusCode, request};
use weir_capacity::waste::{By, WasteReport};
use weir_ledger::asked_time;
use weir_units::WallTime;

use super::requests::{pairs, rows, wrong};
use super::unreadable;
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;
use crate::waste_report::waste_figures;

/// How long counting may take, so that an answer comes before who asked gives up; and how much of it is for runs.
const PATIENCE: Duration = Duration::from_secs(8);
const RUNS: Duration = Duration::from_secs(3);
/// Rows, unless asked for fewer or more.
const ROWS: usize = 10;
/// How far back, unless the question says.
const SINCE: i64 = 7 * 86_400_000_000;

/// Answers the path.
pub(super) async fn serve(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let asked = read(parts.uri.query().unwrap_or_default(), wall())?;
    let began = shared.clock.now();
    let reading = async {
        // One at a time: each reads much, and the disk is the ledger's as well.
        let _turn = shared.adding_up.acquire().await;
        let go_on = |_| shared.clock.now().since(began) < RUNS;
        waste_figures(shared.ledger.reader(), (asked.since, asked.until), Some(RUNS), go_on).await
    };
    let figures = tokio::time::timeout(PATIENCE, reading).await.map_err(|_| {
        let message = "adding up takes too long here: ask for a shorter time, or have `weir waste` read the ledger";
        Refusal::weir(Cause::UpstreamTimeout, message)
    })?;
    let report = WasteReport::of(&figures.map_err(unreadable)?, asked.by, asked.top);
    let text = serde_json::to_string(&report).map_err(|_| Refusal::weir(Cause::UpstreamError, "no report"))?;
    Ok(json(StatusCode::OK, format!("{text}\n")))
}

struct Asked {
    since: WallTime,
    until: WallTime,
    by: By,
    top: usize,
}

fn read(text: &str, now: WallTime) -> Result<Asked, Refusal> {
    let (mut since, mut until, mut by, mut top) = (None, now, By::Key, ROWS);
    for (name, text) in pairs(text) {
        let time = || asked_time(&text, now).map_err(|expected| wrong(name, &text, expected));
        match name {
            "since" => since = Some(time()?),
            "until" => until = time()?,
            "by" => by = By::from_name(&text).ok_or_else(|| wrong(name, &text, "route, key or run"))?,
            "top" => top = rows(name, &text)? as usize,
            _ => {
                let message = format!("`{}` is no filter here: since, until, by, top are", shown(name));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    let since = since.unwrap_or(WallTime(until.0.saturating_sub(SINCE)));
    if since >= until {
        return Err(Refusal::weir(Cause::Malformed, "`since` must be before `until`"));
    }
    Ok(Asked { since, until, by, top })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_of_a_week_by_key_unless_the_question_says() {
        let now = WallTime(1_795_013_223_114_000);
        let asked = read("", now).unwrap();
        assert_eq!((asked.until.0 - asked.since.0, asked.by, asked.top), (SINCE, By::Key, ROWS));
        let asked = read("since=1d&by=run&top=3", now).unwrap();
        assert_eq!((now.0 - asked.since.0, asked.by, asked.top), (86_400_000_000, By::Run, 3));
        for (text, why) in [
            ("by=colour", "route, key or run"),
            ("since=1h&until=2h", "must be before"),
            ("since=%1b%5b2J", "a time"),
            ("colour=red", "no filter"),
        ] {
            let refusal = read(text, now).map(|_| ()).unwrap_err();
            assert!(refusal.message.contains(why) && !refusal.message.contains('\u{1b}'), "{}", refusal.message);
        }
    }
}
