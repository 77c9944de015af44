//! The figures of the desk as the admin interface gives them.

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Value, json};
use weir_capacity::desk::{CeilingView, Desk};
use weir_units::WallTime;

use crate::body::ReplyBody;
use crate::reply::{Cause, Refusal};
use crate::state::Shared;

/// `/admin/v1/capacity`: everything.
pub(crate) async fn serve(shared: &Arc<Shared>) -> Result<Response<ReplyBody>, Refusal> {
    let unreadable = |why: String| {
        tracing::error!("the figures of capacity cannot be made: {why}");
        Refusal::weir(Cause::UpstreamError, "the ledger cannot be read at the moment: see the log")
    };
    let desk = super::latest(shared).await.map_err(unreadable)?;
    let text = serde_json::to_string(&*desk).map_err(|error| unreadable(error.to_string()))?;
    Ok(crate::reply::json(StatusCode::OK, format!("{text}\n")))
}

/// Adds to a pool of `/admin/v1/headroom` what will be asked for of each of its limits: null where there is no figure yet.
pub(crate) fn add_forecast(pool: &mut Value, desk: Option<&Desk>) {
    let name = pool["pool"].as_str().unwrap_or_default().to_owned();
    let is_key = pool["kind"] == "key";
    for limit in pool["limits"].as_array_mut().into_iter().flatten() {
        let known = desk.iter().filter(|_| !is_key).flat_map(|desk| &desk.ceilings);
        let found = known.into_iter().find(|one| one.pool == name && limit["dimension"] == one.dimension.as_str());
        limit["ahead"] = found.map_or(Value::Null, ahead);
    }
}

/// What `/admin/v1/headroom` would say, as far as the ledger knows it: use is that of the last minute, or of today, and the peak that of
/// the busiest hour of seven days. The figures of the desk are beside it.
#[must_use]
pub fn headroom_of(desk: &Desk) -> Value {
    let mut pools: Vec<(String, Value)> = Vec::new();
    let percent = |share: f64| (share * 1_000.0).round() / 10.0;
    for view in &desk.ceilings {
        let limit = json!({
            "dimension": view.dimension,
            "per": view.per,
            "limit": view.limit,
            "declared": view.declared,
            "stated": view.stated,
            "used": view.now.amount.round() as u64,
            "peak": view.peak.map(|peak| peak.amount.round() as u64),
            "use_percent": percent(view.now.share),
            "headroom_percent": view.peak.map(|peak| percent(1.0 - peak.share)),
            "ahead": ahead(view),
        });
        let at = pools.iter().position(|(name, _)| *name == view.pool).unwrap_or_else(|| {
            pools.push((view.pool.clone(), json!({ "pool": view.pool, "kind": view.kind, "limits": [] })));
            pools.len() - 1
        });
        if let Some(limits) = pools[at].1["limits"].as_array_mut() {
            limits.push(limit);
        }
    }
    let pools: Vec<Value> = pools.into_iter().map(|(_, pool)| pool).collect();
    json!({ "at": desk.at.to_string(), "pools": pools, "capacity": desk })
}

fn ahead(view: &CeilingView) -> Value {
    let percent = |share: f64| (share * 1_000.0).round() / 10.0;
    let at = |at: WallTime| at.to_string();
    json!({
        "peak_percent": view.peak.map(|peak| percent(peak.share)),
        "peak_at": view.peak.map(|peak| at(peak.at)),
        "forecast_percent": view.busiest.map(|busiest| percent(busiest.share)),
        "forecast_at": view.busiest.map(|busiest| at(busiest.at)),
        "full_by_p10": view.exhaustion.and_then(|found| found.p10).map(at),
        "full_by_p50": view.exhaustion.and_then(|found| found.p50).map(at),
        "full_by_p90": view.exhaustion.and_then(|found| found.p90).map(at),
        "decide_by": view.decide_by.map(at),
        "no_forecast": view.no_forecast,
    })
}

#[cfg(test)]
mod tests {
    use weir_capacity::desk::{Band, HourUse};

    use super::*;

    #[test]
    fn a_limit_says_what_will_be_asked_for_beside_what_is() {
        let at = WallTime(1_795_013_220_000_000);
        let view = CeilingView {
            pool: "gpt-5".into(),
            dimension: "tokens-per-minute".into(),
            peak: Some(HourUse { at, amount: 282_000.0, share: 0.94 }),
            busiest: Some(Band { at, share: 1.041, ..Band::default() }),
            ..CeilingView::default()
        };
        let desk = Desk { ceilings: vec![view], ..Desk::default() };
        let pool = |name: &str, kind: &str| {
            let limits = ["tokens-per-minute", "requests-per-minute"].map(|one| json!({ "dimension": one }));
            json!({ "pool": name, "kind": kind, "limits": limits })
        };
        let told = |mut pool: Value, desk: Option<&Desk>| {
            add_forecast(&mut pool, desk);
            pool["limits"].clone()
        };
        let limits = told(pool("gpt-5", "pool"), Some(&desk));
        assert_eq!(
            (limits[0]["ahead"]["peak_percent"].as_f64(), limits[0]["ahead"]["forecast_percent"].as_f64()),
            (Some(94.0), Some(104.1))
        );
        assert!(limits[1]["ahead"].is_null());
        assert!(told(pool("gpt-5", "key"), Some(&desk))[0]["ahead"].is_null(), "a key may be called like a pool");
        assert!(told(pool("gpt-5", "pool"), None)[0]["ahead"].is_null());
    }
}
