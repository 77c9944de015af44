//! Sends one export by OTLP over HTTP, and tells by the answer whether to send it again.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use weir_config::Telemetry as Settings;

use crate::body::Segments;
use crate::fault::causes;
use crate::state::Live;

/// As much of an answer as is read.
const LARGEST_ANSWER: usize = 64 * 1024;
/// The longest that a receiver may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What became of an export.
#[derive(Debug)]
pub(super) enum Delivery {
    /// It was taken, but for so many items, for a reason that the receiver gives.
    Taken { rejected: u64, said: Option<String> },
    /// It was refused for good.
    Refused(String),
    /// It may be taken later: after this long, where the receiver says so.
    Later(String, Option<Duration>),
}

/// Sends `body` to `address`.
pub(super) async fn post(live: &Live, settings: &Settings, address: &str, body: Vec<Bytes>) -> Delivery {
    match tokio::time::timeout(settings.timeout, exchange(live, settings, address, body)).await {
        Ok(delivery) => delivery,
        Err(_) => Delivery::Later(format!("no answer within {} ms", settings.timeout.as_millis()), None),
    }
}

async fn exchange(live: &Live, settings: &Settings, address: &str, body: Vec<Bytes>) -> Delivery {
    let Some(client) = live.client(live.config.timeouts.connect) else {
        return Delivery::Refused("no client is configured".to_owned());
    };
    let request = match request(settings, address, body) {
        Ok(request) => request,
        Err(error) => return Delivery::Refused(format!("it cannot be sent: {error}")),
    };
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) => return Delivery::Later(causes(&error), None),
    };
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let status = parts.status;
    if status.is_success() {
        let (rejected, said) = partial_success(&body).unwrap_or_default();
        return Delivery::Taken { rejected, said: said.map(|said| weir_wire::clean_message(&said)) };
    }
    let why = format!("it answers {}", status.as_u16());
    let again = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if !again.contains(&status) {
        return Delivery::Refused(why);
    }
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let after = weir_wire::retry_after(None, text(RETRY_AFTER), text(DATE));
    Delivery::Later(why, after.map(|after| after.min(LONGEST_WAIT)))
}

fn request(settings: &Settings, address: &str, body: Vec<Bytes>) -> Result<Request<Segments>, http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(address)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(USER_AGENT, concat!("weir-otlp/", env!("CARGO_PKG_VERSION")));
    for (name, value) in &settings.headers {
        let mut value = HeaderValue::try_from(value.expose())?;
        value.set_sensitive(true);
        request = request.header(HeaderName::try_from(name.as_str())?, value);
    }
    let small = if settings.gzip { gzip(&body) } else { None };
    if small.is_some() {
        request = request.header(CONTENT_ENCODING, "gzip");
    }
    let body = small.map_or(body, |small| vec![Bytes::from(small)]);
    request.body(Segments::from(body))
}

fn gzip(body: &[Bytes]) -> Option<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    body.iter().try_for_each(|part| writer.write_all(part)).ok()?;
    writer.finish().ok()
}

/// Reads `partial_success` of an answer: how many items were rejected, and why (its fields 1 and 2, within field 1).
fn partial_success(answer: &[u8]) -> Option<(u64, Option<String>)> {
    let (mut rejected, mut said) = (0, None);
    let mut outer = answer;
    while let Some((field, value)) = next_field(&mut outer) {
        let (1, Field::Bytes(mut inner)) = (field, value) else { continue };
        while let Some((field, value)) = next_field(&mut inner) {
            match (field, value) {
                (1, Field::Number(count)) => rejected = count,
                (2, Field::Bytes(text)) => said = Some(String::from_utf8_lossy(text).into_owned()),
                _ => {}
            }
        }
    }
    Some((rejected, said.filter(|said| !said.is_empty())))
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field of a protobuf message; none at its end, or where it makes no sense.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = varint(rest)?;
    let length = match key & 7 {
        0 => return Some((key >> 3, Field::Number(varint(rest)?))),
        1 => 8,
        2 => usize::try_from(varint(rest)?).ok()?,
        5 => 4,
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((key >> 3, Field::Bytes(value)))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (first, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::proto::Proto;
    use super::*;

    #[test]
    fn a_partial_success_says_how_many_and_why() {
        let mut answer = Proto::default();
        answer.message(1, |partial| {
            partial.number(1, 300);
            partial.text(2, "too old");
            partial.double(7, 1.0);
        });
        assert_eq!(partial_success(&answer.0), Some((300, Some("too old".to_owned()))));
        assert_eq!(partial_success(b""), Some((0, None)));
        assert_eq!(partial_success(&answer.0[..answer.0.len() - 3]), Some((0, None)), "half an answer says nothing");
        assert_eq!(partial_success(b"<html>not protobuf</html>"), Some((0, None)));
    }
}
