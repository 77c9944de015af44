//! What the operator asks: health, requests, spend, deployments, metrics; and keys, which the operator changes.

mod keys;
mod members;
mod requests;
mod runs;
mod spend;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode, request};
use http_body::Body;
use serde_json::json as value;
use weir_config::Secret;
use weir_ledger::StoreError;
use weir_units::{Moment, RequestId};
use weir_wire::Dialect;

use crate::admit::{self, shown};
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::metrics::Seen;
use crate::reply::{Cause, Refusal, json, typed};
use crate::state::Shared;
use crate::{budgets, headroom, live};

/// Wrong admin keys a peer may try in a minute.
const TRIES: u32 = 10;
/// Peers whose tries are remembered.
const PEERS: usize = 10_000;
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
        "telemetry": shared.telemetry.health(&shared.live.load().config),
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
    let id = shared.clock.request_id(wall());
    let refused = |refusal: Refusal| refusal.render(Dialect::OpenAi, id);
    if let Err(refusal) = authorize(shared, parts, peer) {
        return refused(refusal);
    }
    if runs::is_own(parts.uri.path()) {
        return runs::serve(shared, parts, body).await.unwrap_or_else(refused);
    }
    if keys::is_own(parts.uri.path()) {
        return keys::serve(shared, parts, body).await.unwrap_or_else(refused);
    }
    if parts.method != Method::GET {
        return refused(Refusal::weir(Cause::MethodNotAllowed, format!("{} takes GET", parts.uri.path())));
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

/// Wrong tries by peer, in the running minute.
#[derive(Default)]
pub(crate) struct Tries(BTreeMap<IpAddr, (Moment, u32)>);

impl Tries {
    /// Whether `peer` may try; `now` begins a new minute for it where the old one is over.
    fn allowed(&mut self, now: Moment, peer: IpAddr) -> Result<(), Duration> {
        let minute = Duration::from_secs(60);
        self.0.retain(|_, (since, _)| now.since(*since) < minute);
        match self.0.get(&peer) {
            Some((since, wrong)) if *wrong >= TRIES => Err(minute.saturating_sub(now.since(*since))),
            _ => Ok(()),
        }
    }

    fn wrong(&mut self, now: Moment, peer: IpAddr) {
        if self.0.len() < PEERS || self.0.contains_key(&peer) {
            self.0.entry(peer).or_insert((now, 0)).1 += 1;
        }
    }
}

fn authorize(shared: &Shared, parts: &request::Parts, peer: SocketAddr) -> Result<(), Refusal> {
    let live = shared.live.load();
    let Some(admin) = &live.config.server.admin_key else {
        return match admit::keyless_fault(&parts.headers, &parts.uri, peer) {
            None => Ok(()),
            Some(why) => Err(Refusal::weir(
                Cause::InvalidApiKey,
                format!("without an `admin-key` this is for programs on the same machine only, and {why}"),
            )),
        };
    };
    let now = shared.clock.now();
    let peer = peer.ip().to_canonical();
    let mut tries = shared.admin_tries.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(wait) = tries.allowed(now, peer) {
        let message = "too many wrong admin keys from this address: wait a minute";
        return Err(Refusal::weir(Cause::RateLimited, message).retry_after(wait));
    }
    match admit::presented(&parts.headers) {
        Some(key) if matches(admin, key) => Ok(()),
        presented => {
            if presented.is_some() {
                tries.wrong(now, peer);
            }
            let message = "send the admin key as `Authorization: Bearer KEY`";
            Err(Refusal::weir(Cause::InvalidApiKey, message))
        }
    }
}

/// Compares two secrets in a time that tells nothing: their hashes, byte by byte, to the end.
fn matches(secret: &Secret, presented: &str) -> bool {
    let (ours, theirs) = (weir_config::hash_key(secret.expose()), weir_config::hash_key(presented));
    ours.iter().zip(theirs).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
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
        deployments: &deployments,
        pools: &pools,
        now,
        behind: &shared.ledger.behind(),
        in_flight: shared.in_flight.load(std::sync::atomic::Ordering::Relaxed),
        buffered: shared.buffers.load().used(),
        runs: shared.runs.look(weir_engine::Runs::size),
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
