//! Answers of the dashboard: the headers that say what a page may do, cookies, compression.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderName, LOCATION, REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use weir_dashboard::frame::Theme;

use super::session::{COOKIE_NAME, LASTS};
use crate::body::ReplyBody;
use crate::headers;
use crate::reply::typed;

/// What a page may load and do: its own style, script and live figures, and nothing of anybody else's.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What is smaller is not worth packing.
const SMALL: usize = 1_024;
/// Answers larger than this are packed beside the runtime.
const LARGE: usize = 64 * 1_024;

/// A page.
pub(super) fn page(status: StatusCode, html: String) -> Response<ReplyBody> {
    typed(status, "text/html; charset=utf-8", html)
}

/// A style sheet or script: its address changes with what is in it.
pub(super) fn asset(kind: &'static str, text: &'static str) -> Response<ReplyBody> {
    let mut response = typed(StatusCode::OK, kind, Bytes::from_static(text.as_bytes()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

/// A file to keep.
pub(super) fn file(kind: &'static str, name: &'static str, text: String) -> Response<ReplyBody> {
    let mut response = typed(StatusCode::OK, kind, text);
    response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
    response
}

/// Go there.
pub(super) fn see(next: &str) -> Response<ReplyBody> {
    let mut response = page(StatusCode::SEE_OTHER, String::new());
    let next = HeaderValue::from_str(next).unwrap_or(HeaderValue::from_static("/dashboard"));
    response.headers_mut().insert(LOCATION, next);
    response
}

/// Somebody is logged in.
pub(super) fn logged_in(token: &str, next: &str, secure: bool) -> Response<ReplyBody> {
    with_cookie(see(next), &session(token, LASTS.as_secs(), secure))
}

/// Somebody is not logged in any more.
pub(super) fn logged_out(secure: bool) -> Response<ReplyBody> {
    with_cookie(see("/dashboard/login"), &session("", 0, secure))
}

/// The colours that somebody chose.
pub(super) fn theme(theme: Theme, next: &str) -> Response<ReplyBody> {
    let age = if theme == Theme::System { 0 } else { 31_536_000 };
    with_cookie(
        see(next),
        &format!("weir_theme={}; Path=/dashboard; Max-Age={age}; SameSite=Strict; HttpOnly", theme.name()),
    )
}

fn session(token: &str, age: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={token}; Path=/dashboard; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

fn with_cookie(mut response: Response<ReplyBody>, cookie: &str) -> Response<ReplyBody> {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Adds the headers of every answer, and packs what is worth it.
pub(super) async fn finish(mut response: Response<ReplyBody>, asked: &HeaderMap) -> Response<ReplyBody> {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With none at all, browsers would say `Origin: null` of the forms here.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(VARY, HeaderValue::from_static("cookie, accept-encoding"));
    let wants = headers::text(asked, &ACCEPT_ENCODING).is_some_and(|accept| accept.contains("gzip"));
    let (mut parts, body) = response.into_parts();
    let body = match body {
        ReplyBody::Whole(bytes) if wants && bytes.len() >= SMALL && parts.headers.contains_key(CONTENT_TYPE) => {
            match pack(&bytes).await {
                Some(packed) => {
                    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    ReplyBody::Whole(packed)
                }
                None => ReplyBody::Whole(bytes),
            }
        }
        other => other,
    };
    Response::from_parts(parts, body)
}

async fn pack(bytes: &Bytes) -> Option<Bytes> {
    let (bytes, large) = (bytes.clone(), bytes.len() > LARGE);
    let packed = move || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(5));
        encoder.write_all(&bytes).ok()?;
        encoder.finish().ok().map(Bytes::from)
    };
    if large { tokio::task::spawn_blocking(packed).await.ok().flatten() } else { packed() }
}
