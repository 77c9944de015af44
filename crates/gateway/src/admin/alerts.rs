//! `/admin/v1/alerts` and `/admin/v1/notifiers`: what is open and what was, taking an alert on, silencing it, and trying a notifier
//! out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode, request};
use http_body::Body;
use serde_json::json as value;
use weir_config::nearest;
use weir_engine::alerts::{AlertId, AlertRule, NoSuchAlert, Severity};

use super::members::{Members, members, wrong};
use super::{LARGEST_PAGE, Person, is_within};
use crate::admit::shown;
use crate::alerts::{self, Tried};
use crate::body::ReplyBody;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

const PATH: &str = "/admin/v1/alerts";
const NOTIFIERS: &str = "/admin/v1/notifiers/";
/// Alerts in a page, unless asked for fewer or more.
const PAGE: usize = 100;
/// A silence has an end that somebody will live to see.
const LONGEST_SILENCE: Duration = Duration::from_secs(90 * 86_400);

/// Whether a path is about alerts.
pub(super) fn is_own(path: &str) -> bool {
    is_within(path, PATH) || path.starts_with(NOTIFIERS)
}

/// Answers the paths about alerts.
pub(super) async fn serve<B>(
    shared: &Arc<Shared>,
    person: &Person,
    parts: &request::Parts,
    body: B,
) -> Result<Response<ReplyBody>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let path = parts.uri.path();
    if let Some(name) = path.strip_prefix(NOTIFIERS).and_then(|rest| rest.strip_suffix("/test")) {
        members(shared, parts, body).await?.done()?;
        return test(shared, &percent_decoded(name)).await;
    }
    let rest = path.strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
    if rest.is_empty() {
        return list(shared, parts.uri.query().unwrap_or_default());
    }
    let (name, action) = rest.split_once('/').unwrap_or((rest, ""));
    let id: AlertId = percent_decoded(name).parse().map_err(|why| {
        Refusal::weir(Cause::Malformed, format!("`{}` is no alert's id: {why}", shown(&percent_decoded(name))))
    })?;
    match (action, &parts.method) {
        ("", _) => {}
        ("acknowledge", _) => {
            members(shared, parts, body).await?.done()?;
            alerts::acknowledge(shared, id, &person.name).map_err(refused)?;
        }
        ("silence", &Method::DELETE) => alerts::end_silence(shared, id, &person.name).map_err(refused)?,
        ("silence", _) => silence(shared, person, id, members(shared, parts, body).await?)?,
        _ => return Err(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(path)))),
    }
    let told = alerts::one(shared, id).ok_or_else(|| refused(NoSuchAlert::Unknown))?;
    Ok(json(StatusCode::OK, format!("{told}\n")))
}

fn refused(why: NoSuchAlert) -> Refusal {
    let cause = if why == NoSuchAlert::Unknown { Cause::NotFound } else { Cause::Conflict };
    Refusal::weir(cause, why.to_string())
}

fn list(shared: &Arc<Shared>, query: &str) -> Result<Response<ReplyBody>, Refusal> {
    let mut filter = alerts::Filter { limit: PAGE, ..alerts::Filter::default() };
    for (name, text) in query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        let text = percent_decoded(text);
        let wrong = |expected: &str| {
            let message = format!("`{}` is not {expected}, which `{}` takes", shown(&text), shown(name));
            Refusal::weir(Cause::Malformed, message).param(name)
        };
        match name {
            "state" => {
                filter.open = match text.as_str() {
                    "open" => Some(true),
                    "closed" => Some(false),
                    "all" => None,
                    _ => return Err(wrong("open, closed or all")),
                }
            }
            "rule" => {
                let near = nearest(&text, AlertRule::ALL.into_iter().map(AlertRule::name));
                let expected = near.map_or("a rule".to_owned(), |near| format!("a rule (did you mean `{near}`?)"));
                filter.rule = Some(AlertRule::from_name(&text).ok_or_else(|| wrong(&expected))?);
            }
            "severity" => {
                filter.severity =
                    Some(Severity::from_name(&text).ok_or_else(|| wrong("info, warning, error or critical"))?);
            }
            "limit" => {
                let limit: usize = text.parse().map_err(|_| wrong("a number of rows"))?;
                filter.limit = limit.clamp(1, LARGEST_PAGE as usize);
            }
            other => {
                let message = format!("`{}` is no filter here: state, rule, severity, limit are", shown(other));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    Ok(json(StatusCode::OK, format!("{}\n", alerts::list(shared, &filter))))
}

fn silence(shared: &Arc<Shared>, person: &Person, id: AlertId, mut asked: Members) -> Result<(), Refusal> {
    let (span, why) = (asked.span("for")?, asked.text("why")?);
    asked.done()?;
    let span = span.filter(|span| !span.is_zero()).ok_or_else(|| wrong("for", "`for` says how long, like \"2h\""))?;
    if span > LONGEST_SILENCE {
        return Err(wrong("for", "`for` is longer than 90 days: end the rule in `[alerts] silence` instead"));
    }
    let why = why.filter(|why| !why.trim().is_empty()).ok_or_else(|| wrong("why", "`why` says the reason"))?;
    alerts::silence(shared, id, &person.name, &why, span).map(drop).map_err(refused)
}

async fn test(shared: &Arc<Shared>, name: &str) -> Result<Response<ReplyBody>, Refusal> {
    let Some(tried) = alerts::try_out(shared, name).await else {
        let message = format!("no notifier `{}` is configured: `[notifiers.NAME]` defines one", shown(name));
        return Err(Refusal::weir(Cause::NotFound, message));
    };
    let told = match tried {
        Tried::Taken => value!({ "notifier": name, "delivered": true }),
        Tried::Later(why, _) | Tried::Refused(why) => {
            value!({ "notifier": name, "delivered": false, "why": why })
        }
    };
    Ok(json(StatusCode::OK, format!("{told}\n")))
}
