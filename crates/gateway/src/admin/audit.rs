//! `/admin/v1/audit`: the audit log, and the head of its chain.

use bytes::Bytes;
use http::{Response, StatusCode, request};
use http_body::Body;
use serde_json::{Value, json as value};
use weir_ledger::{AuditHead, AuditQuery, asked_time};
use weir_units::WallTime;

use super::members::members;
use super::{Person, unreadable};
use crate::admit::shown;
use crate::audit::did;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// Rows in a page, unless asked for fewer or more.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 10_000;

/// Answers with rows of the log. That somebody reads it is on record first, and is the newest row itself.
pub(super) async fn list(
    shared: &Shared,
    person: &Person,
    parts: &request::Parts,
) -> Result<Response<ReplyBody>, Refusal> {
    let asked = parts.uri.query().unwrap_or_default();
    let query = query(asked, wall())?;
    shared.audit.first(did(person, "audit.read", asked, "done")).await?;
    let rows = shared.ledger.audited(&query).await.map_err(unreadable)?;
    let entries: Vec<Value> = rows.iter().map(weir_ledger::AuditRecord::to_json).collect();
    let body = value!({ "head": told(&shared.audit.head()), "entries": entries });
    Ok(json(StatusCode::OK, format!("{body}\n")))
}

/// Puts an export on record that somebody makes beside the gateway.
pub(super) async fn export<B>(
    shared: &Shared,
    person: &Person,
    parts: &request::Parts,
    body: B,
) -> Result<Response<ReplyBody>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let what = members(shared, parts, body).await?.text("what")?.unwrap_or_default();
    shared.audit.first(did(person, "requests.export", &what, "done")).await?;
    Ok(head(shared))
}

/// Answers with the newest row's place and hash.
pub(super) fn head(shared: &Shared) -> Response<ReplyBody> {
    json(StatusCode::OK, format!("{}\n", told(&shared.audit.head())))
}

fn told(head: &AuditHead) -> Value {
    value!({ "sequence": head.sequence, "hash": head.hash })
}

/// Reads what is asked for; times are what [`asked_time`] reads.
fn query(text: &str, now: WallTime) -> Result<AuditQuery, Refusal> {
    let mut query = AuditQuery { limit: PAGE, ..AuditQuery::default() };
    for (name, text) in text.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        let text = percent_decoded(text);
        let wrong = |expected: &str| {
            let message = format!("`{}` is not {expected}, which `{}` takes", shown(&text), shown(name));
            Refusal::weir(Cause::Malformed, message).param(name)
        };
        let row = || text.parse::<u64>().map_err(|_| wrong("a row's number"));
        let time = || asked_time(&text, now).map_err(wrong);
        match name {
            "limit" => {
                let limit: u32 = text.parse().map_err(|_| wrong("a number of rows"))?;
                query.limit = limit.clamp(1, LARGEST_PAGE);
            }
            "order" => {
                query.oldest_first = match text.as_str() {
                    "oldest" => true,
                    "newest" => false,
                    _ => return Err(wrong("oldest or newest")),
                };
            }
            "after" => query.after = Some(row()?),
            "before" => query.before = Some(row()?),
            "who" => query.who = Some(text),
            "action" => query.action = Some(text),
            "what" => query.what = Some(text),
            "since" => query.since = Some(time()?),
            "until" => query.until = Some(time()?),
            other => {
                let message = format!(
                    "`{}` is no filter here: limit, order, after, before, who, action, what, since, until are",
                    shown(other)
                );
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
    fn filters_are_read_and_what_is_none_is_refused_in_words() {
        let now = WallTime(1_795_013_223_114_000);
        let asked = query("limit=99999&order=oldest&after=7&who=al%20ice&action=key.&since=1d&until=5", now).unwrap();
        assert_eq!((asked.limit, asked.oldest_first, asked.after), (10_000, true, Some(7)));
        assert_eq!((asked.who.as_deref(), asked.action.as_deref()), (Some("al ice"), Some("key.")));
        assert_eq!((asked.since, asked.until), (Some(WallTime(now.0 - 86_400_000_000)), Some(WallTime(5_000))));
        for (text, why) in [
            ("limit=all", "a number of rows"),
            ("order=random", "oldest or newest"),
            ("after=-1", "a row's number"),
            ("since=%1b%5b2J", "`?[2J` is not a time"),
            ("colour=red", "no filter"),
        ] {
            let refusal = query(text, now).unwrap_err();
            assert!(refusal.message.contains(why) && !refusal.message.contains('\u{1b}'), "{}", refusal.message);
        }
    }
}
