//! `/admin/v1/uptime`: what providers answered of what they were asked, beside what users saw.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use serde_json::{Value, json as value};
use weir_ledger::{Figures, Measured, Step, edges};
use weir_units::WallTime;

use super::unreadable;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// How long counting may take, so that an answer comes before who asked gives up.
const PATIENCE: Duration = Duration::from_secs(8);
/// Days that are told one by one.
const DAYS: i64 = 90;
const DAY: i64 = 86_400_000_000;

/// Answers the path.
pub(super) async fn serve(shared: &Shared) -> Result<Response<ReplyBody>, Refusal> {
    let now = wall();
    let zone = shared.live.load().config.zone.clone();
    let since = WallTime(now.0.saturating_sub((DAYS - 1) * DAY));
    let midnight = (since.0 + zone.seconds_ahead(since) * 1_000_000).div_euclid(DAY) * DAY;
    let since = WallTime(midnight - zone.seconds_ahead(since) * 1_000_000);
    let edges = edges(since, now, Step::Day, |at| zone.seconds_ahead(at));
    let counting = async {
        let uptime = shared.ledger.uptime(now).await?;
        Ok((uptime, shared.ledger.figures_over(&edges).await?))
    };
    let counted = tokio::time::timeout(PATIENCE, counting).await.map_err(|_| {
        let message = "counting takes too long here: `weir providers --ledger FILE` reads the file";
        Refusal::weir(Cause::UpstreamTimeout, message)
    })?;
    let (uptime, days) = counted.map_err(unreadable)?;
    let mut answer = uptime.to_json(now);
    answer["daily"] = daily(&edges, &days);
    Ok(json(StatusCode::OK, format!("{answer}\n")))
}

fn daily(edges: &[WallTime], days: &[Figures]) -> Value {
    let mut deployments: BTreeMap<Arc<str>, Vec<Measured>> = BTreeMap::new();
    let mut users = Vec::with_capacity(days.len());
    for (place, day) in days.iter().enumerate() {
        let all = day.all_users();
        users.push(told(Measured { answered: all.answered, asked: all.requests }));
        for (name, calls) in day.by_deployment() {
            let own = deployments.entry(name).or_insert_with(|| vec![Measured::default(); days.len()]);
            own[place] = Measured { answered: calls.answered, asked: calls.asked() };
        }
    }
    let of = |(name, days): (Arc<str>, Vec<Measured>)| value!({ "name": &*name, "spans": days.into_iter().map(told).collect::<Vec<_>>() });
    value!({
        "edges": edges.iter().map(WallTime::to_string).collect::<Vec<_>>(),
        "users": users,
        "deployments": deployments.into_iter().map(of).collect::<Vec<_>>(),
    })
}

fn told(day: Measured) -> Value {
    value!({ "answered": day.answered, "asked": day.asked })
}
