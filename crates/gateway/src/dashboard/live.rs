//! `/dashboard/live`: a page's figures as they change, as server-sent events.
//!
//! A page and range is made anew once for all who look at it, by one task that ends with the last of them. Each viewer is
//! sent the regions that changed since what they have. What counts in the ledger is asked less often than what is in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use weir_dashboard::frame::Theme;
use weir_dashboard::params::Params;
use weir_units::Moment;

use super::{Visit, gather, respond, token};
use crate::admin::people::Person;
use crate::body::ReplyBody;
use crate::state::Shared;

/// How often a page is made anew at most.
const TICK: Duration = Duration::from_secs(1);
/// How many pages are made for viewers at the same time, and how many viewers there are.
const PAGES: usize = 64;
const VIEWERS: usize = 512;
/// After so many ticks it is asked again whether somebody may still look.
const RECHECK: u32 = 10;

/// One part of a page, and in which making of the page it changed last.
#[derive(Clone)]
struct Part {
    name: &'static str,
    html: Arc<str>,
    changed: u64,
}

/// A page as it is now.
#[derive(Clone, Default)]
struct Shown {
    made: u64,
    at: String,
    parts: Vec<Part>,
}

/// The pages that somebody looks at.
#[derive(Default)]
pub(crate) struct Hub(Mutex<BTreeMap<(bool, String), watch::Sender<Shown>>>);

/// Sends a page's figures as they change.
pub(super) async fn serve(visit: &Visit<'_>, person: Person) -> Response<ReplyBody> {
    let wanted = visit.params.get("for").unwrap_or("/dashboard");
    let (path, query) = wanted.split_once('?').unwrap_or((wanted, ""));
    let page = Params::read(path, query);
    let Some(watching) = visit.shared.hub.join(visit, &person, page) else {
        return respond::page(StatusCode::SERVICE_UNAVAILABLE, String::new());
    };
    let shared = Arc::clone(visit.shared);
    let session = token(&visit.parts.headers).map(str::to_owned);
    let body = ReplyBody::streamed(move |sink| async move {
        let mut watching = watching;
        let (mut seen, mut ticks) = (0, 0_u32);
        loop {
            if watching.changed().await.is_err() {
                sink.send(&mut vec![Bytes::from_static(b"event: end\ndata: {}\n\n")]).await;
                return;
            }
            ticks += 1;
            let may_look = ticks % RECHECK != 0
                || !shared.live.load().config.asks_admins()
                || shared.sessions.find(&shared, session.as_deref()).is_some();
            if shared.is_draining() || !may_look {
                return;
            }
            let shown = watching.borrow_and_update().clone();
            let parts = shown.parts.iter().filter(|part| part.changed > seen);
            let regions: serde_json::Map<_, _> = parts.map(|part| (part.name.to_owned(), json!(&*part.html))).collect();
            seen = shown.made;
            let data = json!({ "at": shown.at, "regions": regions });
            sink.send(&mut vec![Bytes::from(format!("data: {data}\n\n"))]).await;
        }
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Hub {
    /// Joins those who look at a page; none if too many pages or viewers are there.
    fn join(&self, visit: &Visit<'_>, person: &Person, page: Params) -> Option<watch::Receiver<Shown>> {
        let key = (person.role.has(weir_config::Right::Change), page.href());
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.values().map(watch::Sender::receiver_count).sum::<usize>() >= VIEWERS {
            return None;
        }
        if let Some(sender) = pages.get(&key) {
            return Some(sender.subscribe());
        }
        if pages.len() >= PAGES {
            return None;
        }
        let (sender, receiver) = watch::channel(Shown::default());
        pages.insert(key.clone(), sender);
        let host = visit.host();
        tokio::spawn(make(Arc::clone(visit.shared), person.clone(), page, key, host));
        Some(receiver)
    }

    /// Shows a page to those who look at it; false, and forgotten, if nobody does.
    fn show(&self, key: &(bool, String), change: impl FnOnce(&mut Shown)) -> bool {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pages.get(key) {
            Some(sender) if sender.receiver_count() > 0 => {
                sender.send_modify(change);
                true
            }
            _ => {
                pages.remove(key);
                false
            }
        }
    }

    fn end(&self, key: &(bool, String)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Makes a page anew as long as somebody looks at it.
async fn make(shared: Arc<Shared>, person: Person, page: Params, key: (bool, String), host: String) {
    let request = http::Request::builder().uri(page.href()).header(http::header::HOST, host).body(());
    let Ok(request) = request else { return shared.hub.end(&key) };
    let (parts, ()) = request.into_parts();
    let visit =
        Visit { shared: &shared, parts: &parts, params: page, theme: Theme::System, peer: ([127, 0, 0, 1], 0).into() };
    let cache = gather::Cache::default();
    let mut every = TICK;
    let mut made_at: Option<Moment> = None;
    loop {
        tokio::time::sleep(TICK).await;
        let now = shared.clock.now();
        if shared.is_draining() {
            return shared.hub.end(&key);
        }
        // Between two makings the time goes on, so that who looks knows that it is not forgotten.
        let due = made_at.is_none_or(|made| now.since(made) + TICK / 2 >= every);
        let fresh = if due { gather::page(&visit, &person, Some(&cache)).await.ok().flatten() } else { None };
        let at = match &fresh {
            Some((context, content)) => {
                let Some(seconds) = content.every else { return shared.hub.end(&key) };
                // What takes long is made less often, so that it costs a small part of the time at most.
                let took = shared.clock.now().since(now);
                every = Duration::from_secs(u64::from(seconds)).max(took * 10);
                made_at = Some(now);
                context.clock.second(context.clock.now)
            }
            None => String::new(),
        };
        let parts = fresh.map(|(_, content)| content.parts());
        let shown = shared.hub.show(&key, |shown| {
            shown.made += 1;
            if !at.is_empty() {
                shown.at = at;
            }
            for (name, html) in parts.into_iter().flatten() {
                let made = shown.made;
                match shown.parts.iter_mut().find(|part| part.name == name) {
                    Some(part) if *part.html == *html => {}
                    Some(part) => (part.html, part.changed) = (html.into(), made),
                    None => shown.parts.push(Part { name, html: html.into(), changed: made }),
                }
            }
        });
        if !shown {
            return;
        }
    }
}
