//! Figures as they are counted and as the database keeps them.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_units::{NanoUsd, WallTime};

use super::{Call, CallFigures, UserFigures};
use crate::entry::Outcome;
use crate::pack::{Pack, Unpack};
use crate::rollup::{OTHER, part};
use crate::seen::{Seen, SeenCall};
use crate::series::{Histogram, WASTE};

/// The form that this version writes.
const FORM: u64 = 1;

/// Pairs of a deployment and a route that one roll-up has, before both become [`OTHER`]: clients may name models.
const MOST: usize = 500;

/// Streams that are shorter say little about speed.
const LEAST_OUTPUT: u64 = 10;

type CallKey = (Arc<str>, Option<Arc<str>>);

/// What was counted in a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FigureCells {
    pub(crate) calls: BTreeMap<CallKey, CallFigures>,
    pub(crate) users: BTreeMap<Option<Arc<str>>, UserFigures>,
}

impl FigureCells {
    /// Counts a request that has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        let good = seen.outcome == Outcome::Answered && seen.status.is_none_or(|status| status < 400);
        let left = seen.outcome == Outcome::Cancelled;
        let users = self.users(seen.route.clone());
        users.requests += 1;
        users.answered += u64::from(good);
        users.cancelled += u64::from(left);
        users.errors += u64::from(!left && seen.status.is_none_or(|status| status >= 400));
        users.status_429 += u64::from(seen.status == Some(429));
        for (place, call) in seen.calls.iter().enumerate() {
            let again = seen.calls[..place].iter().any(|before| before.deployment == call.deployment);
            let last = place + 1 == seen.calls.len();
            let figures = self.calls((Arc::clone(&call.deployment), seen.route.clone()));
            figures.retries += u64::from(again);
            figures.add(call, good && last);
        }
    }

    fn calls(&mut self, mut key: CallKey) -> &mut CallFigures {
        if self.calls.len() >= MOST && !self.calls.contains_key(&key) {
            key = (OTHER.into(), Some(OTHER.into()));
        }
        self.calls.entry(key).or_default()
    }

    fn users(&mut self, mut route: Option<Arc<str>>) -> &mut UserFigures {
        if self.users.len() >= MOST && !self.users.contains_key(&route) {
            route = Some(OTHER.into());
        }
        self.users.entry(route).or_default()
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, figures) in &other.calls {
            self.calls(key.clone()).merge(figures);
        }
        for (route, figures) in &other.users {
            self.users(route.clone()).merge(figures);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.users.is_empty()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut pack = Pack::default();
        pack.number(FORM);
        pack.number(self.calls.len() as u64);
        for ((deployment, route), figures) in &self.calls {
            pack.text(deployment);
            some_text(&mut pack, route.as_deref());
            figures.write(&mut pack);
        }
        pack.number(self.users.len() as u64);
        for (route, figures) in &self.users {
            some_text(&mut pack, route.as_deref());
            let UserFigures { requests, answered, cancelled, errors, status_429 } = figures;
            [requests, answered, cancelled, errors, status_429].iter().for_each(|count| pack.number(**count));
        }
        pack.0
    }

    /// None if the bytes make no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Unpack(bytes);
        if bytes.number()? != FORM {
            return None;
        }
        let mut cells = Self::default();
        for _ in 0..bytes.count()? {
            let key = (bytes.text()?.into(), read_text(&mut bytes)?);
            cells.calls.insert(key, CallFigures::read(&mut bytes)?);
        }
        for _ in 0..bytes.count()? {
            let route = read_text(&mut bytes)?;
            let mut count = || bytes.number();
            let figures = UserFigures {
                requests: count()?,
                answered: count()?,
                cancelled: count()?,
                errors: count()?,
                status_429: count()?,
            };
            cells.users.insert(route, figures);
        }
        Some(cells)
    }
}

part!(FigureCells, FigureCells::is_empty);

fn some_text(pack: &mut Pack, text: Option<&str>) {
    pack.number(u64::from(text.is_some()));
    if let Some(text) = text {
        pack.text(text);
    }
}

fn read_text(bytes: &mut Unpack<'_>) -> Option<Option<Arc<str>>> {
    match bytes.number()? {
        0 => Some(None),
        _ => Some(Some(bytes.text()?.into())),
    }
}

impl CallFigures {
    /// Counts a call; `served`: the client has the answer that it led to.
    fn add(&mut self, call: &SeenCall, served: bool) {
        self.attempts += 1;
        match call.came_to {
            Call::Answered => self.answered += 1,
            Call::Failed => self.failed += 1,
            Call::Limited => self.limited += 1,
            Call::Refused => self.refused += 1,
            Call::Left => {}
        }
        let took = u64::try_from(call.to_ms - call.from_ms).unwrap_or(0);
        let [input, _, output, _] = call.tokens.unwrap_or_default();
        self.input = self.input.saturating_add(input);
        self.output = self.output.saturating_add(output);
        self.cost += call.cost.unwrap_or_default();
        self.unpriced += u64::from(call.cost.is_none());
        if let Some(ms) = call.first_content_ms {
            self.first_content.add(ms);
        }
        if call.came_to != Call::Answered {
            return;
        }
        let cut_short = call.wasted.iter().any(|waste| WASTE[waste.why] == "truncated");
        self.complete += u64::from(served && !cut_short);
        self.last_answer = self.last_answer.max(Some(WallTime(call.from_ms.saturating_mul(1_000))));
        self.duration.add(took);
        let content_ms = call.first_content_ms.map_or(0, |first| took.saturating_sub(first));
        if output >= LEAST_OUTPUT && content_ms > 0 {
            self.rate.add(output.saturating_mul(10_000) / content_ms);
        }
    }

    pub(super) fn counts(&self) -> [u64; 10] {
        let Self { attempts, answered, failed, limited, refused, complete, input, output, unpriced, retries, .. } =
            self;
        [*attempts, *answered, *failed, *limited, *refused, *complete, *input, *output, *unpriced, *retries]
    }

    pub(super) fn counts_mut(&mut self) -> [&mut u64; 10] {
        let Self { attempts, answered, failed, limited, refused, complete, input, output, unpriced, retries, .. } =
            self;
        [attempts, answered, failed, limited, refused, complete, input, output, unpriced, retries]
    }

    fn write(&self, pack: &mut Pack) {
        self.counts().iter().for_each(|count| pack.number(*count));
        pack.number(self.cost.0.cast_unsigned());
        pack.number(self.last_answer.map_or(0, |at| u64::try_from(at.0).unwrap_or(0)));
        [&self.first_content, &self.rate, &self.duration].iter().for_each(|times| times.write(pack));
    }

    fn read(bytes: &mut Unpack<'_>) -> Option<Self> {
        let mut figures = Self::default();
        for count in figures.counts_mut() {
            *count = bytes.number()?;
        }
        figures.cost = NanoUsd(bytes.number()?.cast_signed());
        figures.last_answer = i64::try_from(bytes.number()?).ok().filter(|at| *at > 0).map(WallTime);
        figures.first_content = Histogram::read(bytes)?;
        figures.rate = Histogram::read(bytes)?;
        figures.duration = Histogram::read(bytes)?;
        Some(figures)
    }
}
