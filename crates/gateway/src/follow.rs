//! Requests and facts for whoever watches, as they end and happen: the other end of `weir logs --follow`.
//!
//! Without anybody who watches, an ended request costs one look at a counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use tokio::sync::broadcast::{self, error::RecvError};
use weir_ledger::{Entry, Event, Outcome};

use crate::admin::Person;
use crate::admit::shown;
use crate::body::{ReplyBody, Sink};
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal};
use crate::state::Shared;

/// How many may watch at once.
const MOST: usize = 32;
/// What waits for somebody who is slow; what comes on top they miss, and are told so.
const WAITING: usize = 1_024;
/// How often somebody to whom nothing is told is told that.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Those who watch.
pub(crate) struct Followers {
    told: broadcast::Sender<Arc<Told>>,
    watching: AtomicUsize,
}

impl Default for Followers {
    fn default() -> Self {
        Self { told: broadcast::channel(WAITING).0, watching: AtomicUsize::new(0) }
    }
}

/// Somebody who watches, until it is dropped.
struct Watching(Arc<Shared>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.followers.watching.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is told.
struct Told {
    /// A request that has ended; else a fact.
    request: Option<Ended>,
    json: Arc<str>,
}

/// What requests are chosen by.
struct Ended {
    key: Option<Arc<str>>,
    tenant: Option<Arc<str>>,
    route: Option<Arc<str>>,
    run: Option<Arc<str>>,
    status: Option<u16>,
    error: bool,
}

impl Followers {
    /// A request has ended.
    pub(crate) fn request(&self, entry: &Entry) {
        if self.watching.load(Ordering::Relaxed) == 0 {
            return;
        }
        let request = Ended {
            key: entry.key.clone(),
            tenant: entry.tenant.clone(),
            route: entry.route.clone(),
            run: entry.run.clone(),
            status: entry.status,
            error: matches!(entry.outcome, Outcome::Refused | Outcome::Failed | Outcome::Lost),
        };
        let _ = self.told.send(Arc::new(Told { request: Some(request), json: entry.to_json() }));
    }

    /// Something happened to the system.
    pub(crate) fn fact(&self, event: &Event) {
        if self.watching.load(Ordering::Relaxed) > 0 {
            let _ = self.told.send(Arc::new(Told { request: None, json: event.to_json() }));
        }
    }
}

/// What somebody wants to be told of.
#[derive(Default)]
struct Wanted {
    key: Option<String>,
    tenant: Option<String>,
    route: Option<String>,
    run: Option<String>,
    status: Option<String>,
    errors: bool,
    facts: bool,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        for (name, text) in query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
            let text = percent_decoded(text);
            match name {
                "key" => wanted.key = Some(text),
                "tenant" => wanted.tenant = Some(text),
                "route" => wanted.route = Some(text),
                "run" => wanted.run = Some(text),
                "status" => wanted.status = Some(text),
                "errors" => wanted.errors = text != "false",
                "facts" => wanted.facts = text != "false",
                other => {
                    let message = format!(
                        "`{}` is no filter here: key, tenant, route, run, status, errors, facts are",
                        shown(other)
                    );
                    return Err(Refusal::weir(Cause::Malformed, message));
                }
            }
        }
        Ok(wanted)
    }

    fn holds(&self, told: &Told) -> bool {
        let Some(request) = &told.request else { return self.facts };
        let is = |wanted: &Option<String>, value: &Option<Arc<str>>| {
            wanted.as_deref().is_none_or(|wanted| value.as_deref() == Some(wanted))
        };
        is(&self.key, &request.key)
            && is(&self.tenant, &request.tenant)
            && is(&self.route, &request.route)
            && is(&self.run, &request.run)
            && self
                .status
                .as_deref()
                .is_none_or(|wanted| request.status.is_some_and(|status| is_status(wanted, status)))
            && (!self.errors || request.error)
    }
}

/// Whether a status is `503`, or one of `5xx`.
fn is_status(wanted: &str, status: u16) -> bool {
    let status = status.to_string();
    wanted == status || wanted.len() == 3 && wanted.ends_with("xx") && wanted.as_bytes()[0] == status.as_bytes()[0]
}

/// Answers with a stream that tells what happens from now on (Server-Sent Events; `request`, `fact` and `missed`).
pub(crate) fn serve(shared: &Arc<Shared>, person: &Person, query: &str) -> Result<Response<ReplyBody>, Refusal> {
    let wanted = Wanted::read(query)?;
    let followers = &shared.followers;
    let room = |watching: usize| (watching < MOST).then_some(watching + 1);
    if followers.watching.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
        let message = format!("{MOST} are watching already: try again when one has left");
        return Err(Refusal::weir(Cause::RateLimited, message).retry_after(SIGN_OF_LIFE));
    }
    let (told, watching, person) = (followers.told.subscribe(), Watching(Arc::clone(shared)), person.clone());
    let body = ReplyBody::streamed(move |sink| tell(watching, person, wanted, told, sink));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

async fn tell(
    watching: Watching,
    person: Person,
    wanted: Wanted,
    mut told: broadcast::Receiver<Arc<Told>>,
    sink: Sink,
) {
    let shared = &watching.0;
    let mut out = vec![Bytes::from_static(b": here\n\n")];
    loop {
        sink.send(&mut out).await;
        match tokio::time::timeout(SIGN_OF_LIFE, told.recv()).await {
            Ok(Ok(one)) if wanted.holds(&one) => {
                let name = if one.request.is_some() { "request" } else { "fact" };
                out.push(format!("event: {name}\ndata: {}\n\n", one.json).into());
            }
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Lagged(missed))) => out.push(format!("event: missed\ndata: {missed}\n\n").into()),
            Ok(Err(RecvError::Closed)) => return,
            Err(_) => out.push(Bytes::from_static(b": here\n\n")),
        }
        // Whoever is no longer let in is told no more.
        if shared.is_draining() || !person.is_still(&shared.live.load().config) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: &str, status: u16, error: bool) -> Told {
        let (tenant, route, run) = (None, Some("smart".into()), Some("r 1".into()));
        Told {
            request: Some(Ended { key: Some(key.into()), tenant, route, run, status: Some(status), error }),
            json: "{}".into(),
        }
    }

    #[test]
    fn filters_choose_requests_and_facts_are_told_where_they_are_wanted() {
        let fact = || Told { request: None, json: "{}".into() };
        for (query, bot, other, of_system) in [
            ("", true, true, false),
            ("key=bot", true, false, false),
            ("run=r%201&facts=true", true, true, true),
            ("errors=true", false, true, false),
            ("status=5xx", false, true, false),
            ("status=200", true, false, false),
            ("tenant=shop", false, false, false),
        ] {
            let wanted = Wanted::read(query).unwrap();
            let held = [told("bot", 200, false), told("other", 503, true), fact()].map(|one| wanted.holds(&one));
            assert_eq!(held, [bot, other, of_system], "{query}");
        }
        let refusal = Wanted::read("colour\u{1b}=red").err().unwrap();
        assert!(refusal.message.contains("is no filter") && !refusal.message.contains('\u{1b}'));
    }
}
