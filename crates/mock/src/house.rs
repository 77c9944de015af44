//! The state that all connections of one mock share: the provider model, what was seen, and the responses it keeps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use weir_sim::{Charge, Gauge, Hold, Provider};
use weir_units::{Dimension, Moment, Tokens, WallTime};

use crate::answering::Reply;
use crate::ask::mix;
use crate::stats::{Billed, Log, Seen, Stats, count};

/// Frames between two looks at what a stream has produced so far.
const METER_EVERY: u64 = 16;
/// Responses that are kept for `previous_response_id`.
const KEPT_RESPONSES: usize = 256;

pub(crate) struct House {
    pub(crate) name: String,
    pub(crate) api_key: Option<String>,
    pub(crate) charge: Option<Charge>,
    seed: u64,
    began: Instant,
    inner: Mutex<Inner>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The credential stays out of logs.
        f.debug_struct("House").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) provider: Provider,
    pub(crate) stats: Stats,
    pub(crate) log: Log,
    responses: VecDeque<(String, Bytes)>,
    ids: u64,
}

impl House {
    pub(crate) fn new(options: &crate::Options) -> Self {
        let provider = Provider::new(options.profile.clone(), options.seed, Moment::ZERO);
        let inner =
            Inner { provider, stats: Stats::default(), log: Log::default(), responses: VecDeque::new(), ids: 0 };
        Self {
            name: options.name.clone(),
            api_key: options.api_key.clone(),
            charge: options.charge,
            seed: options.seed,
            began: Instant::now(),
            inner: Mutex::new(inner),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves counts that are at most one off, which is no reason to stop answering.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    pub(crate) fn instant(&self, at: Moment) -> Instant {
        self.began + at.since(Moment::ZERO)
    }

    /// An id that no other request of this mock has.
    pub(crate) fn id(&self, prefix: &str) -> String {
        let mut inner = self.inner();
        inner.ids += 1;
        format!("{prefix}{:016x}{:08x}", mix(mix(self.seed) ^ inner.ids), inner.ids)
    }

    /// What the headers say of a limit.
    pub(crate) fn told(&self, dimension: Dimension) -> Option<Gauge> {
        let now = self.now();
        self.inner().provider.told(now, dimension)
    }

    pub(crate) fn keep_response(&self, id: String, body: Bytes) {
        let mut inner = self.inner();
        inner.responses.push_back((id, body));
        if inner.responses.len() > KEPT_RESPONSES {
            inner.responses.pop_front();
        }
    }

    pub(crate) fn response(&self, id: &str) -> Option<Bytes> {
        self.inner().responses.iter().find(|(kept, _)| kept == id).map(|(_, body)| body.clone())
    }

    pub(crate) fn forget_response(&self, id: &str) {
        self.inner().responses.retain(|(kept, _)| kept != id);
    }
}

/// The time by the calendar.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    WallTime(0) + since
}

/// One request from its arrival to its end, however it ends; it is what keeps the counts true.
pub(crate) struct Flight {
    house: Arc<House>,
    number: u64,
    hold: Hold,
    output: u64,
    sent: u64,
    /// Tokens of the answer that went out.
    said: u64,
    finished: bool,
    bill: Option<Bill>,
}

/// What an answer is billed for.
struct Bill {
    model: String,
    /// If it goes out whole.
    all: Billed,
    /// A fault keeps it from being whole.
    flawed: bool,
}

impl Flight {
    pub(crate) fn begin(house: &Arc<House>, mut seen: Seen, path: &str) -> Self {
        let mut inner = house.inner();
        let number = inner.stats.requests;
        seen.number = number;
        inner.log.push(seen);
        inner.stats.requests += 1;
        inner.stats.in_flight += 1;
        inner.stats.in_flight_most = inner.stats.in_flight_most.max(inner.stats.in_flight);
        count(&mut inner.stats.by_path, path);
        drop(inner);
        Self {
            house: Arc::clone(house),
            number,
            hold: Hold::default(),
            output: 0,
            sent: 0,
            said: 0,
            finished: false,
            bill: None,
        }
    }

    /// What the answer will come to, known once it is composed; `flawed` if a fault keeps it from being whole.
    pub(crate) fn expect(&mut self, hold: Hold, reply: &Reply, flawed: bool) {
        (self.hold, self.output) = (hold, reply.output_tokens);
        self.house.inner().stats.input_tokens += reply.input_tokens;
        let all = Billed {
            answers: 1,
            input: reply.input_tokens,
            cached_input: reply.cached_input,
            cache_write: reply.cache_write,
            output: reply.output_tokens,
        };
        self.bill = (!reply.free).then(|| Bill { model: reply.model.clone(), all, flawed });
    }

    /// A piece went out, and with it a token if it `says` one. Output that is charged as it comes is charged now and then, not only at the end.
    pub(crate) fn sent_one(&mut self, says: bool) {
        self.sent += 1;
        self.said += u64::from(says);
        if self.hold.is_open() && self.sent.is_multiple_of(METER_EVERY) {
            let (now, produced) = (self.house.now(), Tokens(self.sent.min(self.output)));
            self.house.inner().provider.meter(now, &mut self.hold, produced);
        }
    }

    pub(crate) fn answered(&self, status: u16) {
        let mut inner = self.house.inner();
        inner.log.answered(self.number, status);
        *inner.stats.by_status.entry(status).or_default() += 1;
    }

    pub(crate) fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.house.inner().stats.completed += 1;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let now = self.house.now();
        let mut inner = self.house.inner();
        inner.stats.in_flight -= 1;
        if self.finished {
            inner.stats.output_tokens += self.output;
        } else {
            inner.stats.cancelled += 1;
        }
        if let Some(Bill { model, all, flawed }) = self.bill.take() {
            if self.finished && !flawed {
                inner.stats.bill(&model, &all);
            } else if self.said > 0 {
                inner.stats.bill(&model, &Billed { output: self.said.min(all.output), ..all });
            }
        }
        let produced = if self.finished { self.output } else { self.sent.min(self.output) };
        inner.provider.settle(now, &mut self.hold, Tokens(produced));
    }
}
