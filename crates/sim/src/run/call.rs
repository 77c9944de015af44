//! One request between its arrival and its end.

use std::time::Duration;

use weir_units::{Dimension, Moment, Tokens, Usage};

use crate::gateway::{AnswerEnd, Told};
use crate::provider::Serving;
use crate::record::{Record, RecordEnd};
use crate::workload::Request;

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) request: Request,
    pub(super) gateway: usize,
    pub(super) attempts: u32,
    /// How many steps its gateway decided on.
    pub(super) steps: u32,
    pub(super) refused_429: u32,
    pub(super) predicted: Option<Duration>,
    pub(super) within: Option<Duration>,
    pub(super) first_token_at: Option<Moment>,
    pub(super) deployment: Option<usize>,
    /// The answer of the attempt that is under way, once the provider has begun it.
    pub(super) serving: Option<Serving>,
    /// How the attempt under way will have ended when its end arrives.
    pub(super) end: Option<AnswerEnd>,
    pub(super) told: Told,
    pub(super) output: Tokens,
    is_sent: bool,
    queued: Duration,
    queued_since: Option<Moment>,
}

impl Calling {
    pub(super) fn new(request: Request, gateway: usize) -> Self {
        Self {
            request,
            gateway,
            attempts: 0,
            steps: 0,
            refused_429: 0,
            predicted: None,
            within: None,
            first_token_at: None,
            deployment: None,
            serving: None,
            end: None,
            told: [None; Dimension::ALL.len()],
            output: Tokens(0),
            is_sent: false,
            queued: Duration::ZERO,
            queued_since: None,
        }
    }

    /// Whether an attempt is under way.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent
    }

    pub(super) fn send(&mut self, deployment: usize) {
        self.attempts += 1;
        self.deployment = Some(deployment);
        (self.serving, self.end, self.is_sent) = (None, None, true);
        self.told = [None; Dimension::ALL.len()];
    }

    pub(super) fn attempt_over(&mut self) {
        self.is_sent = false;
    }

    /// Whether that changes anything.
    pub(super) fn set_queued(&mut self, now: Moment, queued: bool) -> bool {
        match (self.queued_since, queued) {
            (None, true) => self.queued_since = Some(now),
            (Some(since), false) => {
                self.queued += now.since(since);
                self.queued_since = None;
            }
            _ => return false,
        }
        true
    }

    pub(super) fn usage(&self, output: Tokens) -> Usage {
        Usage { input: self.request.input, cached_input: self.request.cached, output, ..Usage::default() }
    }

    pub(super) fn record(&self, now: Moment, end: RecordEnd, is_last: bool) -> Record {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Record {
            workload: short(self.request.workload),
            retry: self.request.retry,
            is_last,
            at: self.request.at,
            first_at: self.request.first_at,
            queued: self.queued,
            predicted: self.predicted,
            within: self.within,
            first_token_at: self.first_token_at,
            ended_at: now,
            end,
            deployment: self.deployment.map(short),
            attempts: self.attempts,
            refused_429: self.refused_429,
            input: self.request.input,
            output: self.output,
        }
    }
}
