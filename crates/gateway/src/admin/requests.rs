//! `/admin/v1/requests`, `/admin/v1/series` and `/admin/v1/facts`: what the ledger has, listed and counted.

use std::time::Duration;

use http::{Response, StatusCode, request};
use serde_json::json as value;
use weir_ledger::{FactQuery, Filter, Query, SeriesBy, SeriesQuery, Step, asked_time, edges};
use weir_units::WallTime;

use super::{LARGEST_PAGE, PAGE, unreadable};
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// Requests are counted up to this.
const COUNTED: u64 = 10_000;
/// Names of a series that are told one by one, unless asked for fewer or more.
const NAMES: usize = 10;
const MOST_NAMES: usize = 100;
/// How far back a series goes, unless the question says.
const SINCE: Duration = Duration::from_secs(86_400);
/// How long counting may take, so that an answer comes before who asked gives up.
const PATIENCE: Duration = Duration::from_secs(8);

/// Answers `/admin/v1/requests`.
pub(super) async fn list(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let query = page(parts.uri.query().unwrap_or_default(), wall())?;
    let records = within(shared.ledger.requests(&query)).await?.map_err(unreadable)?;
    Ok(json(StatusCode::OK, format!("{{\"requests\":[{}]}}\n", records.join(","))))
}

/// Answers `/admin/v1/requests/count`.
pub(super) async fn count(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let mut filter = Filter::default();
    let now = wall();
    for (name, text) in pairs(parts.uri.query().unwrap_or_default()) {
        if !set(&mut filter, name, &text, now)? {
            return Err(unknown(name, ""));
        }
    }
    let count = within(shared.ledger.count(&filter, COUNTED)).await?.map_err(unreadable)?;
    Ok(json(StatusCode::OK, format!("{}\n", value!({ "count": count.found, "more": count.more }))))
}

/// Answers `/admin/v1/series`.
pub(super) async fn series(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let zone = shared.live.load().config.zone.clone();
    let query = counted(parts.uri.query().unwrap_or_default(), wall(), |at| zone.seconds_ahead(at))?;
    let series = within(shared.ledger.series(&query)).await?.map_err(unreadable)?;
    Ok(json(StatusCode::OK, format!("{}\n", series.to_json())))
}

/// Answers `/admin/v1/facts`.
pub(super) async fn facts(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let query = happened(parts.uri.query().unwrap_or_default(), wall())?;
    let facts = within(shared.ledger.facts_of(&query)).await?.map_err(unreadable)?;
    // The id is what the next page goes by.
    let facts: Vec<String> = facts
        .iter()
        .map(|fact| format!("{{\"id\":\"{}\",{}", fact.id, fact.json.strip_prefix('{').unwrap_or("}")))
        .collect();
    Ok(json(StatusCode::OK, format!("{{\"facts\":[{}]}}\n", facts.join(","))))
}

async fn within<T>(reading: impl Future<Output = T>) -> Result<T, Refusal> {
    tokio::time::timeout(PATIENCE, reading).await.map_err(|_| {
        let message = "reading the ledger takes too long here: ask for a shorter time, or with fewer filters";
        Refusal::weir(Cause::UpstreamTimeout, message)
    })
}

pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, text)| (name, percent_decoded(text)))
}

/// Restricts the filter; false if the name is none of a filter.
fn set(filter: &mut Filter, name: &str, text: &str, now: WallTime) -> Result<bool, Refusal> {
    filter.set(name, text, now).map_err(|expected| wrong(name, text, expected))
}

pub(super) fn wrong(name: &str, text: &str, expected: &str) -> Refusal {
    let message = format!("`{}` is not what `{}` takes: {expected}", shown(text), shown(name));
    Refusal::weir(Cause::Malformed, message).param(name)
}

fn unknown(name: &str, more: &str) -> Refusal {
    let message = format!("`{}` is no filter here: {more}{} are", shown(name), Filter::NAMES.join(", "));
    Refusal::weir(Cause::Malformed, message)
}

pub(super) fn rows(name: &str, text: &str) -> Result<u32, Refusal> {
    let limit: u32 = text.parse().map_err(|_| wrong(name, text, "a number of rows"))?;
    Ok(limit.clamp(1, LARGEST_PAGE))
}

/// Reads the filters of a page of requests.
fn page(text: &str, now: WallTime) -> Result<Query, Refusal> {
    let mut query = Query { limit: PAGE, ..Query::default() };
    for (name, text) in pairs(text) {
        match name {
            "limit" => query.limit = rows(name, &text)?,
            "before" => query.before = Some(text.parse().map_err(|_| wrong(name, &text, "a request id"))?),
            _ if set(&mut query.filter, name, &text, now)? => {}
            _ => return Err(unknown(name, "limit, before, ")),
        }
    }
    Ok(query)
}

/// Reads what a series is of.
fn counted(text: &str, now: WallTime, offset: impl Fn(WallTime) -> i64) -> Result<SeriesQuery, Refusal> {
    let (mut filter, mut step, mut by, mut top) = (Filter::default(), Step::Auto, None, NAMES);
    for (name, text) in pairs(text) {
        match name {
            "step" => step = Step::parse(&text).ok_or_else(|| wrong(name, &text, "minute, hour, day or auto"))?,
            "by" => {
                let names = "deployment, provider, model, route, key, tenant, status, outcome or tag:NAME";
                by = Some(SeriesBy::parse(&text).ok_or_else(|| wrong(name, &text, names))?);
            }
            "top" => {
                let names: usize = text.parse().map_err(|_| wrong(name, &text, "a number of names"))?;
                top = names.clamp(1, MOST_NAMES);
            }
            _ if set(&mut filter, name, &text, now)? => {}
            _ => return Err(unknown(name, "step, by, top, ")),
        }
    }
    let span = i64::try_from(SINCE.as_micros()).unwrap_or(i64::MAX);
    let until = filter.until.unwrap_or(now);
    let since = filter.since.unwrap_or(WallTime(until.0.saturating_sub(span)));
    if since >= until {
        return Err(Refusal::weir(Cause::Malformed, "`since` must be before `until`"));
    }
    let edges = edges(since, until, step, offset);
    if edges[0] > since {
        let message = format!(
            "that are more than {} buckets: ask for a shorter time, or a longer `step`",
            weir_ledger::MOST_BUCKETS
        );
        return Err(Refusal::weir(Cause::Malformed, message));
    }
    Ok(SeriesQuery { filter, edges, by, top })
}

/// Reads which facts are asked for.
fn happened(text: &str, now: WallTime) -> Result<FactQuery, Refusal> {
    let mut query = FactQuery { limit: PAGE, ..FactQuery::default() };
    for (name, text) in pairs(text) {
        let time = |text: &str| asked_time(text, now).map_err(|expected| wrong(name, text, expected)).map(Some);
        match name {
            "limit" => query.limit = rows(name, &text)?,
            "before" => query.before = Some(text.parse().map_err(|_| wrong(name, &text, "the id of a fact"))?),
            "kind" => query.kinds.extend(text.split(',').filter(|kind| !kind.is_empty()).take(50).map(str::to_owned)),
            "since" => query.since = time(&text)?,
            "until" => query.until = time(&text)?,
            _ => {
                let message = format!("`{}` is no filter here: limit, before, kind, since, until are", shown(name));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use weir_ledger::StatusFilter;

    use super::*;

    const NOW: WallTime = WallTime(1_795_013_223_114_000);

    #[test]
    fn filters_are_read_and_what_is_none_is_refused_by_name() {
        let query = page("limit=5000&status=5xx&tag=team%3Da%20b&since=1h&errors", NOW).unwrap();
        assert_eq!((query.limit, query.filter.errors), (1_000, true));
        assert_eq!(query.filter.status, Some(StatusFilter::Class(5)));
        assert_eq!(query.filter.tag, Some(("team".to_owned(), "a b".to_owned())));
        assert_eq!(query.filter.since, Some(WallTime(NOW.0 - 3_600_000_000)));
        for (text, why) in [
            ("status=many", "`many` is not what `status` takes"),
            ("limit=all", "number of rows"),
            ("before=7", "a request id"),
            ("colour=red", "refused-by"),
            ("cost=%1b%5b2J", "dollars"),
        ] {
            let refusal = page(text, NOW).unwrap_err();
            assert!(refusal.message.contains(why) && !refusal.message.contains('\u{1b}'), "{}", refusal.message);
        }
    }

    #[test]
    fn a_series_is_of_a_day_unless_the_question_says() {
        let asked = |text: &str| counted(text, NOW, |_| 0);
        let query = asked("by=tag%3Ateam&top=3&route=smart").unwrap();
        assert_eq!((query.edges[0].0, query.edges.last()), (NOW.0 - 86_400_000_000, Some(&NOW)));
        assert_eq!((query.by, query.top), (Some(SeriesBy::Tag("team".to_owned())), 3));
        for (text, why) in [
            ("step=week", "minute, hour, day or auto"),
            ("by=colour", "tag:NAME"),
            ("since=7d&step=minute", "more than 1500 buckets"),
            ("since=1h&until=2h", "must be before"),
        ] {
            let refusal = asked(text).unwrap_err();
            assert!(refusal.message.contains(why), "{}", refusal.message);
        }
    }
}
