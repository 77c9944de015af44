//! What an attempt costs: the price that it has, and what is known by now of what it used.
//!
//! Three cases, decided here alone. A provider that answered is paid for what it reports. A provider that failed before it
//! said anything is paid nothing. One that was hung up on, by a client that left or a time limit, or that broke off after content, is
//! paid an estimate: what it did report, else the input by what was learned of its model and the output by the text that came.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use weir_engine::OutputCharge;
use weir_ledger::Attempt;
use weir_units::{FaultClass, NanoUsd, Price, Tier, Tokens, Usage};
use weir_wire::{Endpoint, Progress};

use crate::accept::Accepted;
use crate::fault::Fault;
use crate::route::Target;
use crate::state::Shared;

/// Providers cache no prompt of fewer tokens (OpenAI and Anthropic: 1,024 for most models, 2026-11).
const SMALLEST_CACHED: u64 = 1_024;

/// What the attempt in hand is billed by.
pub(crate) struct Bill {
    price: Listed,
    model: Arc<str>,
    body: Bytes,
    streamed: bool,
    /// What its provider has reported so far.
    reported: Option<Usage>,
    /// About how many tokens of output have come so far.
    came: u64,
    /// Only the end mark is missing.
    finished: bool,
    /// Whether a small model could be asked as well: no tools, no reasoning, an answer in words.
    pub(crate) simple: bool,
    /// How its provider counts output towards limits.
    pub(crate) charge: OutputCharge,
}

/// The price that holds for an attempt.
pub(crate) enum Listed {
    Free,
    At(Arc<Price>),
    Unknown,
}

impl Listed {
    /// What a request costs at this deployment.
    pub(crate) fn of(target: &Target, accepted: &Accepted) -> Self {
        // A service tier is said only in the dialect that knows it: a translation leaves it out.
        let list_price = accepted.head.list_price || target.endpoint.dialect() != accepted.endpoint.dialect();
        match &target.price {
            _ if target.endpoint == Endpoint::CountTokens => Self::Free,
            Some(price) if list_price => Self::At(Arc::clone(price)),
            _ => Self::Unknown,
        }
    }
}

/// What an attempt cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// None is unknown.
    amount: Option<NanoUsd>,
    estimated: bool,
    /// It is taken for nothing, and its provider may think otherwise: it had begun.
    doubtful: bool,
    /// What it is for; none where its provider bills nothing, or nobody counted.
    used: Option<Usage>,
}

impl Cost {
    const NOTHING: Self = Self { amount: Some(NanoUsd::ZERO), estimated: false, doubtful: false, used: None };
    const NOTHING_PERHAPS: Self = Self { doubtful: true, ..Self::NOTHING };

    pub(crate) fn amount(&self) -> Option<NanoUsd> {
        self.amount
    }

    pub(crate) fn is_estimated(&self) -> bool {
        self.estimated && self.amount.is_some()
    }

    /// Room of a limit that was held for nothing: it costs nothing by itself.
    pub(crate) fn room(output: Tokens) -> Self {
        Self { used: Some(Usage { output, ..Usage::default() }), ..Self::NOTHING }
    }

    /// What a part of a call costs, by an estimate.
    pub(crate) fn part(amount: Option<NanoUsd>, used: Usage) -> Self {
        Self { amount, estimated: true, doubtful: false, used: Some(used) }
    }

    pub(crate) fn used(&self) -> Option<&Usage> {
        self.used.as_ref()
    }

    /// What budgets are told of it. An estimate may be too low, so a budget that is never to be passed is not told of one; a
    /// call whose price is unknown costs what was held for it.
    pub(crate) fn for_budgets(self, never_pass: bool, priced: bool) -> weir_engine::Bill {
        match self.amount {
            Some(_) if never_pass && (self.estimated || self.doubtful) => weir_engine::Bill::Unknown,
            Some(NanoUsd::ZERO) if !self.estimated => weir_engine::Bill::Unbilled,
            Some(amount) => weir_engine::Bill::Cost(amount),
            None if priced => weir_engine::Bill::Unknown,
            None => weir_engine::Bill::AsHeld,
        }
    }

    /// Writes it down.
    pub(crate) fn book(&self, attempt: &mut Attempt) {
        attempt.cost_usd = self.amount;
        attempt.cost_estimated = self.is_estimated();
    }
}

impl Bill {
    /// Nothing is used yet.
    pub(crate) fn open(target: &Target, accepted: &Accepted) -> Self {
        Self {
            price: Listed::of(target, accepted),
            model: Arc::clone(&target.deployment.model),
            body: accepted.body.clone(),
            streamed: accepted.head.stream,
            reported: None,
            came: 0,
            finished: false,
            simple: is_simple(accepted),
            charge: target.candidate.charge.output,
        }
    }

    /// The provider reports what it used. A report of nothing at all is none.
    pub(crate) fn reported(&mut self, usage: Usage) {
        if usage.input.0 > 0 || usage.output.0 > 0 {
            self.reported = Some(usage);
        }
    }

    /// A stream has come this far.
    pub(crate) fn progressed(&mut self, progress: &Progress) {
        (self.came, self.finished) = (progress.output_estimate(), progress.finished);
        if let Some(usage) = progress.usage {
            self.reported(usage);
        }
    }

    /// The whole answer came. What a provider that does not count made of a whole answer is unknown; of a stream it is estimated.
    pub(crate) fn answered(&self, shared: &Shared) -> Cost {
        match self.reported {
            Some(usage) => self.exact(&usage),
            None if self.streamed => self.estimate(shared),
            None => self.exact_or_unknown(),
        }
    }

    /// What a provider's cache would have saved that had the input of the request before, if it had less than half of it.
    pub(crate) fn missed_cache(&self, before: Tokens) -> Option<Cost> {
        let (Listed::At(price), Some(usage)) = (&self.price, &self.reported) else { return None };
        let could = before.min(usage.input);
        if could.0 < SMALLEST_CACHED || usage.cached_input.0 * 2 >= could.0 || price.rates.cached_input.is_none() {
            return None;
        }
        let missed = Tokens(could.0 - usage.cached_input.0);
        let had = Usage { cached_input: could, ..*usage };
        let saved = price.cost(usage, Tier::Standard)?.0 - price.cost(&had, Tier::Standard)?.0;
        let used = Usage { input: missed, ..Usage::default() };
        (saved > 0).then_some(Cost { amount: Some(NanoUsd(saved)), estimated: true, used: Some(used), doubtful: false })
    }

    /// What its provider has reported.
    pub(crate) fn usage(&self) -> Option<&Usage> {
        self.reported.as_ref()
    }

    /// The price that is known of it.
    pub(crate) fn price(&self) -> Option<&Price> {
        if let Listed::At(price) = &self.price { Some(price) } else { None }
    }

    /// Whether nobody knows what it costs.
    pub(crate) fn is_unpriced(&self) -> bool {
        matches!(self.price, Listed::Unknown)
    }

    /// It failed.
    pub(crate) fn failed(&self, shared: &Shared, fault: &Fault, after_content: bool) -> Cost {
        match self.reported {
            // The answer was whole, and only the client could not be told.
            Some(usage) if !self.streamed => self.exact(&usage),
            _ if after_content || fault.ours.is_some() || hung_up(fault.class) => self.estimate(shared),
            _ if began(fault) => Cost::NOTHING_PERHAPS,
            _ => Cost::NOTHING,
        }
    }

    /// The client left before it ended.
    pub(crate) fn left(&self, shared: &Shared) -> Cost {
        match self.reported {
            Some(usage) if self.finished => self.exact(&usage),
            _ => self.estimate(shared),
        }
    }

    fn exact(&self, usage: &Usage) -> Cost {
        let amount = match &self.price {
            Listed::Free => Some(NanoUsd::ZERO),
            Listed::At(price) => price.cost(usage, Tier::Standard),
            Listed::Unknown => None,
        };
        Cost { amount, used: Some(*usage), ..Cost::NOTHING }
    }

    fn exact_or_unknown(&self) -> Cost {
        let amount = if matches!(self.price, Listed::Free) { Some(NanoUsd::ZERO) } else { None };
        Cost { amount, ..Cost::NOTHING }
    }

    fn estimate(&self, shared: &Shared) -> Cost {
        let Listed::At(price) = &self.price else { return self.exact_or_unknown() };
        let mut usage = self.reported.unwrap_or_default();
        if usage.input.0 == 0 {
            let learned = shared.calibration.lock().unwrap_or_else(PoisonError::into_inner);
            usage.input = learned.estimate(&self.model, &weir_wire::measure(&self.body));
        }
        // What is reported at a stream's start counts a token or so, for what was not yet said.
        usage.output = usage.output.max(Tokens(self.came));
        Cost { amount: price.cost(&usage, Tier::Standard), estimated: true, used: Some(usage), ..Cost::NOTHING }
    }
}

fn is_simple(accepted: &Accepted) -> bool {
    let head = &accepted.head;
    let speaks = matches!(
        accepted.endpoint,
        Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Messages | Endpoint::Responses
    );
    speaks && !head.tools && !head.reasoning && !head.stored_input && head.previous_response_id.is_none()
}

/// Whether the provider may have worked on a call that brought nothing.
fn began(fault: &Fault) -> bool {
    fault.class == FaultClass::Reset || fault.status.is_some_and(|status| status.is_success())
}

/// Whether it was Weir that ended the call, and not the provider.
fn hung_up(class: FaultClass) -> bool {
    matches!(class, FaultClass::FirstByteTimeout | FaultClass::FirstContentTimeout)
}
