//! What of a journey goes beside its record: to its traces, and to whoever asks the same again.

use http::HeaderName;
use weir_engine::{Call, Engine};
use weir_ledger::{Entry, Event, Fact, Outcome, Stage};
use weir_units::Moment;
use weir_wire::Stop;

use super::Journey;
use crate::accept::Accepted;
use crate::headers;
use crate::retried::First;
use crate::state::{Live, Shared};
use crate::telemetry::{self, Aside};

const X_WEIR_STEP: HeaderName = HeaderName::from_static("x-weir-step");
/// The longest name that is kept of a step, a model or an answer.
const LONGEST: usize = 200;

/// What spans say of a request and its record does not.
pub(crate) fn aside(accepted: &Accepted) -> Box<Aside> {
    Box::new(Aside {
        accepted_at: Some(accepted.accepted_at),
        state: accepted.trace.filter(|trace| trace.parent != 0).and_then(|_| telemetry::state(&accepted.headers)),
        priority: Some(accepted.priority.name()),
        step: headers::text(&accepted.headers, &X_WEIR_STEP).map(kept),
        retried: accepted.retried,
        ..Aside::default()
    })
}

/// A request as the first try of what may follow.
pub(crate) fn first(entry: &Entry) -> First {
    First { id: entry.id, trace_id: entry.trace.map_or(entry.id.0, |trace| trace.trace_id) }
}

fn kept(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(LONGEST)].into()
}

impl Journey {
    /// What was read of the request.
    pub(crate) fn accepted(&mut self, live: &Live, accepted: &Accepted) {
        if let Some(content) = accepted.content {
            self.asks_for(content);
        }
        if let Some(Event { fact: Fact::Admitted { tools, .. }, .. }) =
            self.entry.as_mut().and_then(|entry| entry.events.first_mut())
        {
            *tools = accepted.head.tools;
        }
        self.retried = accepted.retried;
        if let Some(retried) = accepted.retried {
            self.note(Stage::Admit, retried.fact());
        }
        if telemetry::is_on(&live.config) {
            self.aside = Some(aside(accepted));
        }
    }

    /// What the answer says of itself.
    pub(crate) fn said(&mut self, id: Option<&str>, model: Option<&str>, stop: Option<&Stop>) {
        if let Some(aside) = &mut self.aside {
            aside.response = id.map(kept);
            aside.model = model.map(kept);
            aside.finish = stop.map(|stop| kept(stop.to_openai()));
        }
    }

    /// Asks the engine, or tells it something, of this request; what that changed for others is in this one's record, too.
    pub(crate) fn decide<T>(&mut self, shared: &Shared, question: impl FnOnce(&mut Engine, &mut Call) -> T) -> T {
        let (answer, facts) = shared.decide_and_tell(|engine| question(engine, self.call()));
        for fact in facts {
            self.note(Stage::Call, fact);
        }
        answer
    }

    /// The record is whole, and not yet the ledger's.
    pub(super) fn tell(&mut self, entry: &Entry, now: Moment) {
        if let Some(content) = self.content {
            let answered = entry.outcome == Outcome::Answered;
            self.shared.tries.end(now, content, first(entry), self.retried.as_ref(), answered);
        }
        if let Some(aside) = self.aside.take() {
            let live = self.shared.live.load();
            let took = now.since(self.arrived);
            self.shared.telemetry.finished(live.config.telemetry.as_ref(), entry, took, aside);
        }
    }
}
