//! Content capture: prompts and answers of the routes and keys that say so, redacted and cut, for auditors to read.
//!
//! A request that is captured holds its body, and what its answer said, until it ends. Then a task beside the requests takes out
//! what the rules name, and hands the rest to the ledger. Memory is bounded; where there is no room, nothing of that request is
//! kept. Headers are never captured.

mod redact;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use weir_config::{Capture, CapturePart, Config, Key};
use weir_ledger::{Content, Entry, Ledger};
use weir_units::{RequestId, WallTime};
use weir_wire::{Said, Spoken};

use crate::capture::redact::{Redacted, Rules};

/// All that is held for capture, in bytes: of requests that run, and of those that wait to be written.
const ROOM: usize = 64 << 20;
/// Ended requests that may wait.
const QUEUE: usize = 1_024;
/// What is read past the longest that is kept, so that no secret is missed for being cut in two.
const BEYOND: usize = 16 << 10;
/// The most memory that a rule may take once it is compiled.
const LARGEST_RULE: usize = 1 << 20;

/// The captures that a configuration asks for.
#[derive(Clone, Default)]
pub(crate) struct Captures {
    any: bool,
    rules: HashMap<Arc<str>, Regex>,
}

impl Captures {
    /// Compiles the rules of a configuration.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let parts = || {
            let routes = config.routes.values().map(|route| &route.capture);
            routes.chain(config.keys.values().map(|key| &key.capture))
        };
        let mut rules = HashMap::new();
        for rule in parts().flat_map(|part| &part.redact) {
            let compiled = RegexBuilder::new(rule).size_limit(LARGEST_RULE).build();
            rules.insert(Arc::clone(rule), compiled.map_err(|_| format!("`redact` holds no expression: `{rule}`"))?);
        }
        Ok(Self { any: parts().any(|part| !part.is_empty()), rules })
    }

    /// What is kept of a request of this route and key; none if nothing is.
    pub(crate) fn of(&self, config: &Config, route: &str, key: Option<&Key>) -> Option<Plan> {
        if !self.any {
            return None;
        }
        let nothing = CapturePart::default();
        let route = config.routes.get(route).map_or(&nothing, |route| &route.capture);
        let capture = key.map_or(&nothing, |key| &key.capture).over(route)?;
        let rules = capture.redact.iter().map(|rule| self.rules.get(rule).cloned()).collect::<Option<Vec<_>>>()?;
        Some(Plan { capture, rules: Rules::new(rules) })
    }
}

/// What is kept of one request.
pub(crate) struct Plan {
    capture: Capture,
    rules: Rules,
}

/// Room that is held, and given back.
struct Held {
    room: Arc<AtomicUsize>,
    size: usize,
}

impl Held {
    fn grow(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.size);
        let fits = |held: usize| held.checked_add(more).filter(|held| *held <= ROOM);
        let fitted = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if fitted {
            self.size += more;
        }
        fitted
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// A request that is captured, while it runs.
pub(crate) struct Capturing {
    plan: Plan,
    request: Option<Bytes>,
    answer: Option<Answer>,
    held: Held,
}

enum Answer {
    Whole(Bytes),
    Streamed(Said),
}

impl Capturing {
    /// What is told what a stream says, if answers are kept; each attempt begins anew.
    pub(crate) fn said(&mut self) -> Option<Said> {
        let said = self.plan.capture.answers.then(|| Said::new(self.plan.longest()))?;
        self.answer = Some(Answer::Streamed(said.clone()));
        Some(said)
    }

    /// Takes a whole answer, as the client gets it.
    pub(crate) fn whole(&mut self, body: &Bytes) {
        if self.plan.capture.answers {
            self.answer = Some(Answer::Whole(body.clone()));
        }
    }

    /// More may have been said.
    pub(crate) fn grew(&mut self) {
        if let Some(Answer::Streamed(said)) = &self.answer {
            let request = self.request.as_ref().map_or(0, |body| body.len().min(self.plan.longest()));
            if !self.held.grow(request + said.kept()) {
                said.stop();
            }
        }
    }
}

impl Plan {
    fn longest(&self) -> usize {
        self.capture.max + BEYOND
    }
}

/// Takes what was captured, and has it written.
pub(crate) struct Capturer {
    room: Arc<AtomicUsize>,
    ended: mpsc::Sender<Told>,
    waiting: Mutex<Option<mpsc::Receiver<Told>>>,
    counts: Arc<Counts>,
}

/// How many requests were captured, and of how many nothing could be kept.
#[derive(Default)]
struct Counts {
    kept: AtomicU64,
    dropped: AtomicU64,
}

enum Told {
    Ended(Box<Ended>),
    Flush(oneshot::Sender<()>),
}

/// A request that was captured and has ended.
struct Ended {
    id: RequestId,
    started_at: WallTime,
    about: Value,
    plan: Plan,
    request: Option<Body>,
    answer: Option<EndedAnswer>,
    _held: Held,
}

enum EndedAnswer {
    Whole(Body),
    Streamed(Said),
}

/// A body, as far as it is read for what is kept of it.
struct Body {
    begin: Bytes,
    length: usize,
}

impl Body {
    /// A copy, since the body itself may be large, and hold what is around it.
    fn of(whole: &Bytes, longest: usize) -> Self {
        Self { begin: Bytes::copy_from_slice(&whole[..whole.len().min(longest)]), length: whole.len() }
    }
}

impl Default for Capturer {
    fn default() -> Self {
        let (ended, waiting) = mpsc::channel(QUEUE);
        let waiting = Mutex::new(Some(waiting));
        Self { room: Arc::default(), ended, waiting, counts: Arc::default() }
    }
}

impl Capturer {
    /// Begins to capture a request, if there is room.
    pub(crate) fn begin(&self, plan: Plan, body: &Bytes) -> Option<Box<Capturing>> {
        let mut held = Held { room: Arc::clone(&self.room), size: 0 };
        let request = plan.capture.requests.then(|| body.clone());
        if !held.grow(request.as_ref().map_or(0, |body| body.len().min(plan.longest()))) {
            self.drops();
            return None;
        }
        Some(Box::new(Capturing { plan, request, answer: None, held }))
    }

    /// The request has ended; what was captured of it is written by and by.
    pub(crate) fn end(&self, capture: Capturing, entry: &Entry) {
        let Capturing { plan, request, answer, mut held } = capture;
        let request = request.map(|body| Body::of(&body, plan.longest()));
        let answer = answer.map(|answer| match answer {
            Answer::Whole(body) => EndedAnswer::Whole(Body::of(&body, plan.longest())),
            Answer::Streamed(said) => EndedAnswer::Streamed(said),
        });
        let size = match &answer {
            Some(EndedAnswer::Whole(body)) => body.begin.len(),
            Some(EndedAnswer::Streamed(said)) => said.kept(),
            None => 0,
        };
        if !held.grow(size + request.as_ref().map_or(0, |body| body.begin.len())) {
            return self.drops();
        }
        let about = json!({
            "key": entry.key, "tenant": entry.tenant, "route": entry.route, "model": entry.model,
            "endpoint": entry.endpoint, "outcome": entry.outcome.name(),
        });
        let (id, started_at) = (entry.id, entry.started_at);
        let ended = Ended { id, started_at, about, plan, request, answer, _held: held };
        if self.ended.try_send(Told::Ended(Box::new(ended))).is_err() {
            self.drops();
        }
    }

    /// Waits until all that has ended is handed to the ledger.
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.ended.send(Told::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// How many were kept, and how many not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.kept.load(Ordering::Relaxed), self.counts.dropped.load(Ordering::Relaxed))
    }

    fn drops(&self) {
        // One line for many: under load each would be one more.
        if self.counts.dropped.fetch_add(1, Ordering::Relaxed).is_multiple_of(1_000) {
            tracing::warn!("there is no room to capture a request: nothing of it is kept");
        }
    }

    /// Writes what comes, until nobody can send any more.
    pub(crate) fn run(&self, ledger: Ledger) -> impl Future<Output = ()> + Send + use<> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let counts = Arc::clone(&self.counts);
        async move {
            let Some(mut waiting) = waiting else { return };
            while let Some(told) = waiting.recv().await {
                match told {
                    Told::Flush(done) => {
                        let _ = done.send(());
                    }
                    Told::Ended(ended) => {
                        let written = tokio::task::spawn_blocking(move || ended.write()).await;
                        let kept = written.is_ok_and(|content| ledger.keep_content(content));
                        let count = if kept { &counts.kept } else { &counts.dropped };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}

impl Ended {
    /// The content, without what the rules take out.
    fn write(self: Box<Self>) -> Content {
        let (rules, most) = (&self.plan.rules, self.plan.capture.max);
        let expires_at = self.started_at + self.plan.capture.retention;
        let answer = self.answer.as_ref().map(|answer| match answer {
            EndedAnswer::Whole(body) => told(rules, most, body),
            EndedAnswer::Streamed(said) => spoken(rules, most, &said.spoken()),
        });
        let mut content = self.about.clone();
        content["id"] = self.id.to_string().into();
        content["started_at"] = self.started_at.to_string().into();
        content["expires_at"] = expires_at.to_string().into();
        content["request"] = self.request.as_ref().map(|body| told(rules, most, body)).into();
        content["answer"] = answer.into();
        Content { id: self.id, expires_at, content: content.to_string() }
    }
}

fn told(rules: &Rules, most: usize, body: &Body) -> Value {
    let mut clean = rules.json(&String::from_utf8_lossy(&body.begin));
    let cut = clean.cut(most) || body.length > body.begin.len();
    json!({ "body": clean.text, "bytes": body.length, "cut": cut, "removed": clean.removed })
}

/// What a stream said, put together: cut texts are as long as all of it may be.
fn spoken(rules: &Rules, most: usize, said: &Spoken) -> Value {
    let (mut left, mut cut, mut removed) = (most, said.cut, 0);
    let mut keep = |mut clean: Redacted| {
        cut |= clean.cut(left);
        left -= clean.text.len();
        removed += clean.removed;
        clean.text
    };
    let text = keep(rules.text(&said.text));
    let reasoning = keep(rules.text(&said.reasoning));
    let refusal = keep(rules.text(&said.refusal));
    let calls: Vec<Value> = said
        .calls
        .iter()
        .map(|(name, arguments)| json!({ "name": keep(rules.text(name)), "arguments": keep(rules.json(arguments)) }))
        .collect();
    json!({
        "text": text, "reasoning": reasoning, "refusal": refusal, "calls": calls, "finished": said.finished, "cut": cut,
        "removed": removed,
    })
}
