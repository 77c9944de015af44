//! What the operator asks: health, requests, spend, deployments, metrics; and keys, which the operator changes.

pub(crate) mod access;
mod keys;
mod members;
pub(crate) mod people;
mod requests;
mod runs;
mod spend;

pub(crate) use people::{Person, Tries};

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::{Response, StatusCode, request};
use http_body::Body;
use serde_json::json as value;
use weir_ledger::StoreError;
use weir_units::{Moment, RequestId};
use weir_wire::Dialect;

use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::metrics::Seen;
use crate::reply::{Cause, Refusal, json, typed};
use crate::state::Shared;
use crate::{budgets, headroom, live};

/// Rows in a page of requests, unless asked for fewer or more.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 1_000;

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
        "ledger": { "queued": behind.queued, "spilled": behind.spilled, "error": behind.error },
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
    match allowed(shared, parts, peer) {
        Ok(person) => answer(shared, &person, parts, body).await,
        Err(refusal) => refusal.render(Dialect::OpenAi, shared.clock.request_id(wall())),
    }
}

/// Answers a person whose role allows what they ask; the dashboard asks as well.
pub(crate) async fn answer<B>(
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
    if runs::is_own(parts.uri.path()) {
        return runs::serve(shared, person, parts, body).await.unwrap_or_else(refused);
    }
    if keys::is_own(parts.uri.path()) {
        return keys::serve(shared, person, parts, body).await.unwrap_or_else(refused);
    }
    match parts.uri.path() {
        "/metrics" => metrics(shared),
        "/admin/v1/openapi.json" => json(StatusCode::OK, include_str!("openapi.json")),
        "/admin/v1/deployments" => deployments(shared),
        "/admin/v1/headroom" => json(
            StatusCode::OK,
            format!("{}\n", value!({ "at": wall().to_string(), "pools": headroom::pools(shared) })),
        ),
        "/admin/v1/budgets" => json(StatusCode::OK, format!("{}\n", budgets::json(shared))),
        "/admin/v1/live" => json(StatusCode::OK, format!("{}\n", live::view(shared))),
        "/admin/v1/spend" => spend::serve(shared, parts).await.unwrap_or_else(refused),
        "/admin/v1/requests" => requests::list(shared, parts).await.unwrap_or_else(refused),
        "/admin/v1/requests/count" => requests::count(shared, parts).await.unwrap_or_else(refused),
        "/admin/v1/series" => requests::series(shared, parts).await.unwrap_or_else(refused),
        "/admin/v1/facts" => requests::facts(shared, parts).await.unwrap_or_else(refused),
        path => match path.strip_prefix("/admin/v1/requests/") {
            Some(id) => request(shared, id).await.unwrap_or_else(refused),
            None => refused(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(path)))),
        },
    }
}

/// Who asks, where their role allows what they ask.
fn allowed(shared: &Shared, parts: &request::Parts, peer: SocketAddr) -> Result<Person, Refusal> {
    let person = people::authorize(shared, parts, peer)?;
    person.check(access::right(&parts.method, parts.uri.path())?)?;
    Ok(person)
}

fn metrics(shared: &Shared) -> Response<ReplyBody> {
    let now = shared.clock.now();
    let (deployments, pools) = {
        let engine = shared.engine();
        (engine.view(now), engine.headroom(now))
    };
    let budgets = budgets::gauges(shared);
    let page = shared.metrics.page(&Seen {
        budgets: &budgets,
        deployments: &deployments,
        pools: &pools,
        now,
        behind: &shared.ledger.behind(),
        in_flight: shared.in_flight.load(std::sync::atomic::Ordering::Relaxed),
        buffered: shared.buffers.load().used(),
        runs: shared.runs.look(weir_engine::Runs::size),
    });
    typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page)
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
