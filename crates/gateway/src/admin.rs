//! What the operator asks: health, requests, spend, deployments, metrics; and keys, which the operator changes.

mod access;
mod alerts;
mod audit;
mod content;
mod keys;
mod members;
pub(crate) mod people;
mod requests;
mod runs;
mod spend;
mod uptime;
mod waste;

use access::Path;
pub(crate) use people::{Person, Tries};

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::{Response, StatusCode, request};
use http_body::Body;
use serde_json::json as value;
use weir_config::Right;
use weir_ledger::StoreError;
use weir_units::{Moment, RequestId};
use weir_wire::Dialect;

use crate::admit::shown;
use crate::audit::did;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::metrics::Seen;
use crate::reply::{Cause, Refusal, json, typed};
use crate::state::Shared;
use crate::{budgets, capacity, follow, headroom, limits, live, planning, readiness};

/// Rows in a page of requests, unless asked for fewer or more.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 1_000;

/// Whether a path is `root`, or lies below it.
fn is_within(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path is the operator's.
pub(crate) fn is_own(path: &str) -> bool {
    path == "/metrics" || path.starts_with("/admin/")
}

/// Answers `/health/ready`: 503 while shutting down, else 200 with whatever is not as it should be.
pub(crate) fn ready(shared: &Shared) -> Response<ReplyBody> {
    let refused = shared.reload_refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let behind = shared.ledger.behind();
    let draining = shared.is_draining();
    let body = value!({
        "status": if draining { "draining" } else { "ready" },
        "in_flight": shared.in_flight.load(std::sync::atomic::Ordering::Relaxed),
        "config_refused": refused,
        "telemetry": shared.telemetry.health(&shared.live.load().config),
        "ledger": {
            "queued": behind.queued, "spilled": behind.spilled, "error": behind.error,
            "keys_read": !shared.live.load().made.unread(),
        },
    });
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    json(status, format!("{body}\n"))
}

/// Answers the operator's paths.
pub(crate) async fn serve<B>(
    shared: &Arc<Shared>,
    parts: &request::Parts,
    body: B,
    peer: SocketAddr,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    match people::authorize(shared, parts, peer) {
        Ok(person) => serve_person(shared, &person, parts, body).await,
        Err(refusal) => refusal.render(Dialect::OpenAi, shared.clock.request_id(wall())),
    }
}

/// Answers somebody who is known, as far as their role allows; the dashboard asks as well.
pub(crate) async fn serve_person<B>(
    shared: &Arc<Shared>,
    person: &Person,
    parts: &request::Parts,
    body: B,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let id = shared.clock.request_id(wall());
    let refused = |refusal: Refusal| refusal.render(Dialect::OpenAi, id);
    let path = match access::find(&parts.method, parts.uri.path()) {
        Ok(path) => path,
        Err(refusal) => return refused(refusal),
    };
    let answered = match person.check(path.right) {
        Ok(()) => answer(shared, person, parts, body).await,
        Err(refusal) => Err(refusal),
    };
    if path.right != Right::View {
        note(shared, person, path, parts.uri.path(), answered.as_ref().err()).await;
    }
    answered.unwrap_or_else(refused)
}

/// Puts what was asked on record, where whoever answered it has not.
async fn note(shared: &Shared, person: &Person, path: &Path, asked: &str, refusal: Option<&Refusal>) {
    let what = path.name(asked);
    match refusal {
        None if path.own_entry => {}
        None => shared.audit.after(did(person, path.action, &what, "done")).await,
        Some(refusal) => {
            let why = if refusal.status == StatusCode::FORBIDDEN { "forbidden" } else { "refused" };
            let outcome = format!("{why}: {}", refusal.message);
            shared.audit.refused(shared.clock.now(), person, path.action, &what, &outcome);
        }
    }
}

/// Answers what a person may ask.
async fn answer<B>(
    shared: &Arc<Shared>,
    person: &Person,
    parts: &request::Parts,
    body: B,
) -> Result<Response<ReplyBody>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if runs::is_own(parts.uri.path()) {
        return runs::serve(shared, person, parts, body).await;
    }
    if keys::is_own(parts.uri.path()) {
        return keys::serve(shared, person, parts, body).await;
    }
    if alerts::is_own(parts.uri.path()) {
        return alerts::serve(shared, person, parts, body).await;
    }
    if parts.uri.path() == "/admin/v1/audit/exports" {
        return audit::export(shared, person, parts, body).await;
    }
    Ok(match parts.uri.path() {
        "/metrics" => metrics(shared),
        "/admin/v1/openapi.json" => json(StatusCode::OK, include_str!("openapi.json")),
        "/admin/v1/deployments" => deployments(shared),
        "/admin/v1/headroom" => json(
            StatusCode::OK,
            format!("{}\n", value!({ "at": wall().to_string(), "pools": headroom::pools(shared) })),
        ),
        "/admin/v1/capacity" => capacity::serve(shared).await?,
        "/admin/v1/readiness" => readiness::serve(shared).await?,
        "/admin/v1/limits/history" => limits::serve(shared, parts).await?,
        "/admin/v1/uptime" => uptime::serve(shared).await?,
        "/admin/v1/budgets" => json(StatusCode::OK, format!("{}\n", budgets::json(shared))),
        "/admin/v1/live" => json(StatusCode::OK, format!("{}\n", live::view(shared))),
        "/admin/v1/plan" => planning::serve(shared, parts).await?,
        "/admin/v1/spend" => spend::serve(shared, parts).await?,
        "/admin/v1/waste" => waste::serve(shared, parts).await?,
        "/admin/v1/requests" => requests::list(shared, parts).await?,
        "/admin/v1/requests/count" => requests::count(shared, parts).await?,
        "/admin/v1/series" => requests::series(shared, parts).await?,
        "/admin/v1/facts" => requests::facts(shared, parts).await?,
        "/admin/v1/audit" => audit::list(shared, person, parts).await?,
        "/admin/v1/audit/head" => audit::head(shared),
        "/admin/v1/logs" => follow::serve(shared, person, parts.uri.query().unwrap_or_default())?,
        path if content::is_own(path) => content::serve(shared, person, path).await?,
        path => match path.strip_prefix("/admin/v1/requests/") {
            Some(id) => request(shared, id).await?,
            None => return Err(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(path)))),
        },
    })
}

fn metrics(shared: &Shared) -> Response<ReplyBody> {
    let page = seen(shared, |seen| shared.metrics.page(seen));
    typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page)
}

/// What is shown beside the counters, as it is now.
pub(crate) fn seen<T>(shared: &Shared, show: impl FnOnce(&Seen<'_>) -> T) -> T {
    let now = shared.clock.now();
    let (deployments, pools) = {
        let engine = shared.engine();
        (engine.view(now), engine.headroom(now))
    };
    let budgets = budgets::gauges(shared);
    show(&Seen {
        budgets: &budgets,
        alerts: &shared.alarms.figures(),
        desk: shared.desk.latest().as_deref(),
        deployments: &deployments,
        pools: &pools,
        now,
        behind: &shared.ledger.behind(),
        in_flight: shared.in_flight.load(std::sync::atomic::Ordering::Relaxed),
        buffered: shared.buffers.load().used(),
        runs: shared.runs.look(weir_engine::Runs::size),
        captured: shared.capture.counts(),
        telemetry: &shared.telemetry.exported(),
        reload_refused: shared.reload_refused.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
    })
}

fn deployments(shared: &Shared) -> Response<ReplyBody> {
    let now = shared.clock.now();
    let calendar = |at: Moment| (wall() + at.since(now)).to_string();
    let views: Vec<_> = shared.engine().view(now);
    let list: Vec<_> = views
        .iter()
        .map(|view| {
            value!({
                "deployment": view.deployment.to_string(),
                "breaker": view.breaker.name(),
                "open_until": view.open_until.map(&calendar),
                "benched": view.benched.map(|bench| value!({
                    "class": bench.class.name(), "until": calendar(bench.until),
                    "what": if bench.credential { "credential" } else { "model" },
                })),
                "in_flight": view.in_flight,
                "first_content_ms": view.ttft.map(|t| t.as_millis() as u64),
                "success": f64::from(view.success_ppm) / 1e6,
            })
        })
        .collect();
    json(StatusCode::OK, format!("{}\n", value!({ "deployments": list })))
}

async fn request(shared: &Shared, id: &str) -> Result<Response<ReplyBody>, Refusal> {
    let id: RequestId = id.parse().map_err(|e| Refusal::weir(Cause::Malformed, format!("{e}")))?;
    match shared.ledger.request(id).await.map_err(unreadable)? {
        Some(record) => Ok(json(StatusCode::OK, record)),
        None => {
            let message = format!("the ledger has no request `{id}`: it never came, or is older than `retention`");
            Err(Refusal::weir(Cause::NotFound, message))
        }
    }
}

fn unreadable(error: StoreError) -> Refusal {
    tracing::error!(%error, "the ledger cannot be read");
    Refusal::weir(Cause::UpstreamError, "the ledger cannot be read at the moment: see the log")
}
