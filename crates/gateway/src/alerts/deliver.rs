//! Sending: a task and a bounded line for each notifier, so that one that is down delays no other, and each gets its messages in
//! order. What fails is tried again for an hour; what finally fails is on record, and an alert of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use weir_config::{Notifier, NotifierKind};
use weir_engine::alerts::{Alert, Notice, NoticeKind, NotifierSeen};
use weir_ledger::{Event, Fact, Stage};
use weir_units::WallTime;

use super::message::Letter;
use super::{pagerduty, slack, webhook};
use crate::body::Segments;
use crate::clock::wall;
use crate::fault::causes;
use crate::state::{Live, Shared};

/// Messages that may wait for a notifier.
const LINE: usize = 256;
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first wait before another try, the longest, and how long a message is tried.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const GIVE_UP: Duration = Duration::from_secs(3_600);
/// So many tries in a row that failed are worth an alert.
const FAILING: u32 = 4;

/// The lines of all notifiers.
#[derive(Default)]
pub(super) struct Deliveries {
    lines: Mutex<BTreeMap<Arc<str>, Line>>,
    counts: Mutex<BTreeMap<(Arc<str>, &'static str), u64>>,
}

/// What waits for one notifier, and how it fares.
struct Line {
    sender: mpsc::Sender<Notice>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Tries in a row that failed, since when, and why the last did; a message that finally failed counts as many.
    failed: u32,
    since: Option<WallTime>,
    why: String,
    delivered_at: Option<WallTime>,
}

/// What came of a try.
pub(crate) enum Tried {
    /// It was taken.
    Taken,
    /// It may be taken later; after this time, if that was said.
    Later(String, Option<Duration>),
    /// It will never be taken.
    Refused(String),
}

impl Deliveries {
    /// Puts a message in line.
    pub(super) fn send(&self, shared: &Arc<Shared>, notice: Notice) {
        let to = Arc::clone(&notice.to);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(Arc::clone(&to)).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(LINE);
            let state = Arc::<Mutex<State>>::default();
            tokio::spawn(deliver(Arc::clone(shared), Arc::clone(&to), receiver, Arc::clone(&state)));
            Line { sender, state }
        });
        let left_over = line.sender.try_send(notice).err();
        drop(lines);
        if let Some(left_over) = left_over {
            let notice = left_over.into_inner();
            failed(shared, &notice, 0, format!("{LINE} messages wait for it already"));
        }
    }

    fn count(&self, to: &Arc<str>, result: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((Arc::clone(to), result)).or_default() += 1;
    }

    /// Tries by notifier and result.
    pub(super) fn counts(&self) -> BTreeMap<(Arc<str>, &'static str), u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How notifiers fare, for alerts.
    pub(super) fn seen(&self) -> Vec<NotifierSeen> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |(name, line): (&Arc<str>, &Line)| {
            let state = of(&line.state);
            NotifierSeen {
                name: Arc::clone(name),
                failing_since: state.since.filter(|_| state.failed >= FAILING),
                why: state.why.as_str().into(),
                waiting: LINE - line.sender.capacity(),
            }
        };
        lines.iter().map(seen).collect()
    }

    /// How notifiers fare, for people; addresses are credentials, and not told.
    pub(super) fn told(&self, live: &Live) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |notifier: &Notifier| {
            let line = lines.get(&notifier.name);
            let state = line.map(|line| of(&line.state));
            json!({
                "notifier": &*notifier.name,
                "kind": notifier.kind.name(),
                "waiting": line.map_or(0, |line| LINE - line.sender.capacity()),
                "delivered_at": state.as_ref().and_then(|state| state.delivered_at).map(|at| at.to_string()),
                "failing_since": state.as_ref().and_then(|state| state.since).map(|at| at.to_string()),
                "why": state.as_ref().filter(|state| state.failed > 0).map(|state| state.why.clone()),
            })
        };
        live.config.notifiers.values().map(told).collect()
    }
}

fn of(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends one notifier's messages, one after another.
async fn deliver(shared: Arc<Shared>, to: Arc<str>, mut line: mpsc::Receiver<Notice>, state: Arc<Mutex<State>>) {
    while let Some(notice) = line.recv().await {
        let (began, mut tries, mut wait) = (tokio::time::Instant::now(), 0, FIRST_WAIT);
        loop {
            tries += 1;
            let (why, after) = match once(&shared, &notice).await {
                Tried::Taken => {
                    *of(&state) = State { delivered_at: Some(wall()), ..State::default() };
                    delivered(&shared, &notice, tries);
                    break;
                }
                Tried::Refused(why) => (why, None),
                Tried::Later(why, after) => (why, Some(after.unwrap_or(wait).min(GIVE_UP))),
            };
            note(&state, &why, if after.is_none() { FAILING } else { 1 });
            let Some(after) = after.filter(|after| began.elapsed() + *after < GIVE_UP) else {
                // The next message is no reason to forget that this one is lost.
                note(&state, &why, FAILING);
                failed(&shared, &notice, tries, why);
                break;
            };
            shared.alarms.deliveries.count(&to, "retried");
            tracing::debug!(notifier = %to, %why, "a message is tried again");
            let spread = Duration::from_millis(shared.clock.draw() % 250);
            tokio::time::sleep(after + spread).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

fn note(state: &Mutex<State>, why: &str, tries: u32) {
    let mut state = of(state);
    state.failed = state.failed.saturating_add(tries);
    state.since = state.since.or_else(|| Some(wall()));
    why.clone_into(&mut state.why);
}

fn delivered(shared: &Shared, notice: &Notice, tries: u32) {
    shared.alarms.deliveries.count(&notice.to, "delivered");
    let (alert, to, what) = (notice.alert.id.to_string(), notice.to.to_string(), notice.kind.key());
    let fact = Fact::AlertDelivered { alert, to, what, tries };
    shared.ledger.note(Event { at: wall(), stage: Stage::Settle, fact });
}

fn failed(shared: &Shared, notice: &Notice, tries: u32, why: String) {
    shared.alarms.deliveries.count(&notice.to, "failed");
    let (alert, to, what) = (notice.alert.id.to_string(), notice.to.to_string(), notice.kind.key());
    let fact = Fact::AlertDeliveryFailed { alert, to, what, tries, why };
    tracing::error!("{}", fact.in_words());
    shared.tell(Event { at: wall(), stage: Stage::Settle, fact });
}

/// Sends a trial message; PagerDuty's is resolved at once.
pub(super) async fn try_out(shared: &Arc<Shared>, name: &str) -> Option<Tried> {
    let live = shared.live.load_full();
    let notifier = live.config.notifiers.get(name)?;
    let mut notice =
        Notice { alert: Alert::trial(wall(), name), to: Arc::clone(&notifier.name), kind: NoticeKind::Opened };
    let mut tried = once(shared, &notice).await;
    if matches!(tried, Tried::Taken) && notifier.kind == NotifierKind::PagerDuty {
        notice.kind = NoticeKind::Resolved;
        tried = once(shared, &notice).await;
    }
    Some(tried)
}

/// Tries once.
async fn once(shared: &Shared, notice: &Notice) -> Tried {
    let live = shared.live.load_full();
    let Some(notifier) = live.config.notifiers.get(&notice.to) else {
        return Tried::Refused("no notifier of this name is configured any more".to_owned());
    };
    let letter = Letter::of(&live, notice, shared.audit.head());
    let request = match request(notifier, &letter) {
        Ok(request) => request,
        Err(why) => return Tried::Refused(why),
    };
    post(&live, request).await
}

/// Sends a message once.
pub(super) async fn post(live: &Live, request: Request<Segments>) -> Tried {
    let Some(client) = live.client(PATIENCE / 2) else {
        return Tried::Later("no connection can be made".to_owned(), None);
    };
    match tokio::time::timeout(PATIENCE, client.request(request)).await {
        Err(_) => Tried::Later(format!("it did not answer within {} s", PATIENCE.as_secs()), None),
        // What could not be reached says where it was looked for, and an address may be a credential: hosts at most are told.
        Ok(Err(error)) => Tried::Later(format!("it cannot be reached: {}", causes(&error)), None),
        Ok(Ok(response)) => judge(response.status(), response.headers()),
    }
}

/// What an answer means.
fn judge(status: StatusCode, headers: &HeaderMap) -> Tried {
    let header = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let code = status.as_u16();
    match code {
        200..300 => Tried::Taken,
        300..400 => {
            Tried::Refused(format!("it answers {code}, and redirects are not followed: write where it leads to"))
        }
        408 | 425 | 429 | 500.. => {
            let after = weir_wire::retry_after(None, header(RETRY_AFTER), header(DATE));
            Tried::Later(format!("it answers {code}"), after)
        }
        _ => Tried::Refused(format!("it answers {code}")),
    }
}

fn request(notifier: &Notifier, letter: &Letter<'_>) -> Result<Request<Segments>, String> {
    let at = wall();
    let secret = notifier.secret.as_ref().map(weir_config::Secret::expose).unwrap_or_default();
    let body = match notifier.kind {
        NotifierKind::Slack => slack::body(letter),
        NotifierKind::PagerDuty => pagerduty::body(letter, secret),
        NotifierKind::Webhook => webhook::body(letter, at),
    };
    signed(notifier, &body, &letter.notice.event_id(), at)
}

/// A message of another kind than an alert's, as its notifier takes it.
pub(super) fn envelope(notifier: &Notifier, body: &Value, event: &str) -> Result<Request<Segments>, String> {
    signed(notifier, body, event, wall())
}

fn signed(notifier: &Notifier, body: &Value, event: &str, at: WallTime) -> Result<Request<Segments>, String> {
    let secret = notifier.secret.as_ref().map(weir_config::Secret::expose).unwrap_or_default();
    let body = Bytes::from(body.to_string());
    let unusable = |_| "its `url` cannot be used".to_owned();
    let uri: Uri = notifier.url.expose().parse().map_err(unusable)?;
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")));
    if notifier.kind == NotifierKind::Webhook {
        request =
            request.header("x-weir-event-id", event).header("x-weir-signature", webhook::signature(secret, at, &body));
    }
    request.body(Segments::from(vec![body])).map_err(|_| "the message cannot be sent there".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_taken_later_or_never() {
        let told = |code: u16, after: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(RETRY_AFTER, after.parse().unwrap());
            }
            match judge(StatusCode::from_u16(code).unwrap(), &headers) {
                Tried::Taken => "taken".to_owned(),
                Tried::Later(_, after) => format!("later {:?}", after.map(|after| after.as_secs())),
                Tried::Refused(why) => format!("never: {why}"),
            }
        };
        assert_eq!((told(200, None), told(202, None)), ("taken".to_owned(), "taken".to_owned()));
        assert_eq!((told(429, Some("7")), told(503, None)), ("later Some(7)".to_owned(), "later None".to_owned()));
        assert!(told(302, None).starts_with("never: it answers 302, and redirects are not followed"));
        assert_eq!(told(404, None), "never: it answers 404");
    }
}
