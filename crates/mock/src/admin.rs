//! The mock's own endpoints under `/mock/`: what it saw, and what it shall do wrong.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use weir_sim::{FaultOrder, Profile, Standing, Window};
use weir_units::Dimension;

use crate::house::House;
use crate::playing::Playing;
use crate::stats::Seen;

/// Answers if the path is one of its own.
pub(crate) fn handle(house: &House, method: &Method, path: &str, body: &Bytes) -> Option<Response<Playing>> {
    let path = path.strip_prefix("/mock/")?;
    let answer = match (method, path) {
        (&Method::GET, "stats") => Ok(json!(house.inner().stats)),
        (&Method::GET, "log") => Ok(house.inner().log.entries().map(shown).collect()),
        (&Method::POST, "order") => order(body).map(|order| {
            house.inner().provider.order(order);
            json!({ "ordered": order.fault.to_string() })
        }),
        (&Method::POST, "clear") => {
            house.inner().provider.clear();
            Ok(json!({ "cleared": true }))
        }
        (&Method::POST, "profile") => profile(house, body),
        _ => Err(format!("no such thing: {method} /mock/{path}")),
    };
    let (status, answer) = match answer {
        Ok(answer) => (StatusCode::OK, answer),
        Err(message) => (StatusCode::BAD_REQUEST, json!({ "error": message })),
    };
    let mut response = Response::new(Playing::at_once(answer.to_string(), None));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Some(response)
}

/// A log entry without its credentials: the log is readable by whoever reaches the mock.
fn shown(seen: &Seen) -> Value {
    let headers: serde_json::Map<String, Value> = seen
        .headers
        .iter()
        .map(|(name, value)| {
            let secret =
                matches!(name.as_str(), "authorization" | "x-api-key" | "api-key" | "cookie" | "proxy-authorization");
            (name.clone(), Value::from(if secret { "(present)" } else { value }))
        })
        .collect();
    json!({
        "number": seen.number, "at_ms": seen.at_ms, "method": seen.method, "path": seen.path, "status": seen.status,
        "headers": headers, "body": String::from_utf8_lossy(&seen.body),
    })
}

/// `{"fault":"500","next":3}`, `{"fault":"429:2","share":0.6}`, or `{"fault":"silence"}` until it is cleared.
fn order(body: &[u8]) -> Result<Standing, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let fault = body.get("fault").and_then(Value::as_str).ok_or("`fault` is missing")?;
    let fault: FaultOrder = fault.parse().map_err(|error: weir_sim::FaultError| error.to_string())?;
    match (body.get("next"), body.get("share")) {
        (None, None) => Ok(Standing::all(fault)),
        (Some(next), None) => {
            let n = next.as_u64().ok_or("`next` is not a whole number")?;
            Ok(Standing::next(fault, n))
        }
        (None, Some(share)) => {
            let share = share.as_f64().filter(|s| (0.0..=1.0).contains(s)).ok_or("`share` is not between 0 and 1")?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
            let ppm = (share * 1e6).round() as u32;
            Ok(Standing::share(fault, ppm))
        }
        (Some(_), Some(_)) => Err("give `next` or `share`, not both".to_owned()),
    }
}

/// Changes what is named and leaves the rest; null lifts a limit.
fn profile(house: &House, body: &[u8]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let fields = body.as_object().ok_or("an object is expected")?;
    let now = house.now();
    let mut inner = house.inner();
    let mut next: Profile = inner.provider.profile().clone();
    for (name, value) in fields {
        let number = value.as_u64();
        let whole = number.ok_or_else(|| format!("`{name}` is not a whole number"));
        let limit = if value.is_null() { Ok(None) } else { whole.clone().map(Some) };
        match name.as_str() {
            "latency_ms" => next.latency.base = Duration::from_millis(whole?),
            "jitter_ms" => next.latency.jitter = Duration::from_millis(whole?),
            "tokens_per_second" => next.tokens_per_second = whole?,
            "burst_seconds" => next.rules.window = Window::Bucket { burst: Duration::from_secs(whole?) },
            "fixed_window_seconds" => next.rules.window = Window::Fixed { span: Duration::from_secs(whole?.max(1)) },
            "slice_ms" => next.rules.slice = limit?.map(|ms| Duration::from_millis(ms.max(1))),
            "limit_headers" => {
                next.rules.headers = value.as_bool().ok_or_else(|| format!("`{name}` is not true or false"))?;
            }
            "context_window" => next.context_window = limit?,
            // The limits, by the config's names with underscores.
            other => {
                let dimension = Dimension::from_name(&other.replace('_', "-"));
                let dimension = dimension.ok_or_else(|| format!("`{other}` is not part of a profile"))?;
                next.limits.set(dimension, limit?);
            }
        }
    }
    inner.provider.handle_profile(now, next);
    Ok(json!({ "changed": fields.len() }))
}
