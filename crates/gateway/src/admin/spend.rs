//! `/admin/v1/spend`: what was spent, added up by what the question names.

use std::time::Duration;

use http::{Response, StatusCode, request};
use weir_ledger::{SpendBy, SpendError, SpendQuery, asked_time};
use weir_units::WallTime;

use super::{LARGEST_PAGE, unreadable};
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// How long adding up may take, so that an answer comes before who asked gives up.
const PATIENCE: Duration = Duration::from_secs(8);
/// Rows, unless asked for fewer or more.
const ROWS: u32 = 100;
/// How far back, unless the question says.
const SINCE: Duration = Duration::from_secs(7 * 86_400);

/// Answers the path.
pub(super) async fn serve(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let query = query(parts.uri.query().unwrap_or_default(), wall())?;
    // One at a time: each reads much, and the disk is the ledger's as well.
    let began = shared.clock.now();
    let turn = tokio::time::timeout(PATIENCE, shared.adding_up.acquire()).await;
    let _turn = turn.map_err(|_| too_long())?;
    let left = PATIENCE.saturating_sub(shared.clock.now().since(began));
    match shared.ledger.spend(&query, Some(left)).await {
        Ok(spend) => Ok(json(StatusCode::OK, format!("{}\n", spend.to_json(&query)))),
        Err(SpendError::TooLong(_)) => Err(too_long()),
        Err(SpendError::Store(error)) => Err(unreadable(error)),
    }
}

fn too_long() -> Refusal {
    let message =
        "adding up takes too long here: ask for a shorter time, or have `weir spend --ledger FILE` read the file";
    Refusal::weir(Cause::UpstreamTimeout, message)
}

/// Reads what is asked for; times are what [`asked_time`] reads.
fn query(text: &str, now: WallTime) -> Result<SpendQuery, Refusal> {
    let ago = |span: Duration| WallTime(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    // What arrives while this is read belongs to the next answer.
    let mut query = SpendQuery { by: Vec::new(), since: ago(SINCE), until: now, tenant: None, top: ROWS };
    for (name, text) in text.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        let text = percent_decoded(text);
        let wrong = |why: String| Refusal::weir(Cause::Malformed, why).param(name);
        let time = || asked_time(&text, now).map_err(|expected| wrong(format!("`{}` is not {expected}", shown(&text))));
        match name {
            "by" => query.by = SpendBy::list(&text).map_err(wrong)?,
            "since" => query.since = time()?,
            "until" => query.until = time()?,
            "tenant" => query.tenant = Some(text),
            "top" => {
                let top: u32 =
                    text.parse().map_err(|_| wrong(format!("`{}` is not a number of rows", shown(&text))))?;
                query.top = top.clamp(1, LARGEST_PAGE);
            }
            other => {
                let message = format!("`{}` is no filter here: by, since, until, tenant, top are", shown(other));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spans_before_now_or_milliseconds() {
        let now = WallTime(1_795_013_223_114_000);
        let asked = query("by=key%2Cmodel&since=1d&until=1795013223000&tenant=a%20b&top=5000", now).unwrap();
        assert_eq!(asked.by, [SpendBy::Key, SpendBy::Model]);
        assert_eq!((asked.since.0, asked.until.0), (now.0 - 86_400_000_000, 1_795_013_223_000_000));
        assert_eq!((asked.tenant.as_deref(), asked.top), (Some("a b"), 1_000));
        assert_eq!(query("", now).unwrap().since.0, now.0 - 7 * 86_400_000_000);
        for (text, why) in [
            ("by=colour", "key, tenant, model"),
            ("since=long", "`long` is not a time: a duration before now"),
            ("top=all", "number of rows"),
            ("since=%1b%5b2J", "is not a time"),
            ("colour=red", "no filter"),
        ] {
            let refusal = query(text, now).unwrap_err();
            assert!(refusal.message.contains(why) && !refusal.message.contains('\u{1b}'), "{}", refusal.message);
        }
    }
}
