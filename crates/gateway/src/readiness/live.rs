//! The seven answers while the gateway serves: made off the way of requests, now and then, and whenever somebody asks for older ones.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{Response, StatusCode};
use weir_capacity::desk::Desk;
use weir_capacity::readiness::{Readiness, grade};
use weir_units::WallTime;

use super::drill::prove;
use super::gather::gather;
use crate::body::ReplyBody;
use crate::capacity;
use crate::clock::wall;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// How far back is looked.
const SPAN: i64 = 30 * 86_400_000_000;
/// How often the answers are made whether or not anybody asks.
const EVERY: Duration = Duration::from_secs(3_600);
/// Answers that are older are made anew once somebody asks.
const FRESH: Duration = Duration::from_secs(300);

/// The answers that were made last.
#[derive(Default)]
pub(crate) struct Figures {
    latest: ArcSwapOption<Readiness>,
    /// Whose turn it is to make them.
    making: tokio::sync::Mutex<()>,
}

/// Makes the answers now and then, for as long as the gateway runs.
pub(crate) async fn watch(shared: Arc<Shared>) {
    loop {
        // At the start a server has better things to do.
        tokio::time::sleep(EVERY).await;
        if let Err(why) = make(&shared).await {
            tracing::warn!("the questions of readiness cannot be answered: {why}");
        }
    }
}

/// `/admin/v1/readiness`.
pub(crate) async fn serve(shared: &Arc<Shared>) -> Result<Response<ReplyBody>, Refusal> {
    let readiness = latest(shared).await.map_err(|why| {
        tracing::error!("the questions of readiness cannot be answered: {why}");
        Refusal::weir(Cause::UpstreamError, "the ledger cannot be read at the moment: see the log")
    })?;
    Ok(json(StatusCode::OK, format!("{}\n", readiness.to_json())))
}

/// The latest answers. The first to ask waits until there are some; old ones are made anew behind the asker's back.
pub(crate) async fn latest(shared: &Arc<Shared>) -> Result<Arc<Readiness>, String> {
    let Some(latest) = shared.readiness.latest.load_full() else { return make(shared).await };
    let old = wall().0.saturating_sub(latest.until.0) > i64::try_from(FRESH.as_micros()).unwrap_or(i64::MAX);
    if old && shared.readiness.making.try_lock().is_ok() {
        let shared = Arc::clone(shared);
        tokio::spawn(async move { make(&shared).await.map_err(|why| tracing::warn!("readiness: {why}")) });
    }
    Ok(latest)
}

async fn make(shared: &Arc<Shared>) -> Result<Arc<Readiness>, String> {
    let asked = wall();
    let _turn = shared.readiness.making.lock().await;
    // Somebody else may have made them meanwhile.
    if let Some(latest) = shared.readiness.latest.load_full().filter(|latest| latest.until >= asked) {
        return Ok(latest);
    }
    let desk = capacity::latest(shared).await?;
    let readiness = Arc::new(answer(shared, wall(), Some(desk)).await?);
    shared.readiness.latest.store(Some(Arc::clone(&readiness)));
    Ok(readiness)
}

/// The answers as of a time.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    until: WallTime,
    desk: Option<Arc<Desk>>,
) -> Result<Readiness, String> {
    let live = shared.live.load_full();
    let since = WallTime(until.0.saturating_sub(SPAN));
    let mut gathered =
        gather(&live.config, shared.ledger.reader(), since, until).await.map_err(|error| error.to_string())?;
    let prover = shared.planning.prover();
    let zone = live.config.zone.clone();
    let made = tokio::task::spawn_blocking(move || {
        prove(&mut gathered, prover.as_deref(), desk.as_deref(), &mut |_| {});
        grade(&gathered.evidence, &zone)
    });
    made.await.map_err(|error| error.to_string())
}
