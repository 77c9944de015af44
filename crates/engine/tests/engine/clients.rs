//! Clients of one engine, by name, in invented time: what each asked and hears, and in which order they were let go.
//!
//! They behave as the live shell does: who is woken asks again, and nothing is pumped but when the engine says that it is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{
    Ask, Call, Engine, GiveUp, LimitSettings, Outcome, Priority, ProviderLimits, Queued, Settings, Step,
};
use weir_units::{Dimension, FaultClass, Limits, Moment, Tokens, Usage, WallTime};

use crate::world::{ask, deployment};

/// A request of `tenant` for deployment `a`, of a thousand tokens of work: 900 of input and 25 of output.
pub(crate) fn of(tenant: &str, priority: Priority) -> Ask {
    Ask { tenant: Arc::from(tenant), priority, ..sized(900) }
}

/// A request for deployment `a` with so much input.
pub(crate) fn sized(input: u64) -> Ask {
    let mut ask = ask(&["a"]);
    ask.candidates[0].input = Tokens(input);
    Ask { input: Tokens(input), max_output: Some(100), ..ask }
}

/// Settings in which the account that deployment `a` belongs to has these limits.
pub(crate) fn limited(limits: Limits) -> Settings {
    let mut of = LimitSettings::default();
    of.providers.insert(Arc::from("a"), ProviderLimits { limits, ..ProviderLimits::default() });
    Settings { limits: of, ..Settings::default() }
}

/// One limit.
pub(crate) fn only(dimension: Dimension, limit: u64) -> Limits {
    Limits::NONE.with(dimension, limit)
}

pub(crate) struct Clients {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    calls: BTreeMap<String, Call>,
    tickets: BTreeMap<u64, String>,
    /// Who was told to ask again at a certain time.
    timers: BTreeMap<(Moment, String), ()>,
    sent: Vec<String>,
    given_up: BTreeMap<String, GiveUp>,
}

impl Clients {
    /// It is midnight UTC.
    pub(crate) fn new(settings: Settings) -> Self {
        let mut engine = Engine::new(settings.clone(), 7);
        engine.calendar(Moment::ZERO, WallTime(WallTime::day_of(2026, 11, 25) * 86_400_000_000));
        engine.configure(settings, vec![deployment("a")], BTreeMap::new());
        Self {
            engine,
            now: Moment::ZERO,
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            timers: BTreeMap::new(),
            sent: Vec::new(),
            given_up: BTreeMap::new(),
        }
    }

    /// Somebody asks, and hears what to do.
    pub(crate) fn ask(&mut self, name: &str, ask: Ask) -> Step {
        let call = self.engine.begin(self.now, ask);
        self.calls.insert(name.to_owned(), call);
        let step = self.next(name);
        self.wake();
        step
    }

    /// Somebody asks and has to wait.
    pub(crate) fn waits(&mut self, name: &str, ask: Ask) -> Queued {
        match self.ask(name, ask) {
            Step::Queue(queued) => queued,
            other => panic!("{name} should wait, and heard {other:?}"),
        }
    }

    /// Somebody asks and is sent at once.
    pub(crate) fn goes(&mut self, name: &str, ask: Ask) {
        let step = self.ask(name, ask);
        assert!(matches!(step, Step::Send(_)), "{name} should go, and heard {step:?}");
    }

    /// Somebody asks and is refused at once.
    pub(crate) fn is_refused(&mut self, name: &str, ask: Ask) -> GiveUp {
        match self.ask(name, ask) {
            Step::GiveUp(why) => why,
            other => panic!("{name} should be refused, and heard {other:?}"),
        }
    }

    /// The attempt of this name is answered.
    pub(crate) fn answer(&mut self, name: &str) {
        let call = self.calls.get_mut(name).expect("somebody of that name");
        self.engine.report(self.now, call, Outcome::Success);
        self.leave(name);
    }

    /// It is answered, with so much output.
    pub(crate) fn answer_with(&mut self, name: &str, output: u64) {
        let call = self.calls.get_mut(name).expect("somebody of that name");
        let input = call.ask().input;
        self.engine.used(call, Usage { input, output: Tokens(output), ..Usage::default() });
        self.answer(name);
    }

    /// The provider answers it with a 429.
    pub(crate) fn refuse(&mut self, name: &str, retry_after: Option<Duration>, limit: Option<Dimension>) -> Step {
        let call = self.calls.get_mut(name).expect("somebody of that name");
        let class = FaultClass::RateLimited;
        self.engine.report(self.now, call, Outcome::Fault { class, retry_after, limit, after_content: false });
        let step = self.next(name);
        self.wake();
        step
    }

    /// The client of that name goes away.
    pub(crate) fn leave(&mut self, name: &str) {
        let call = self.calls.remove(name).expect("somebody of that name");
        self.engine.end(self.now, call);
        self.wake();
    }

    /// The client of that name is gone, and nobody has told the engine.
    pub(crate) fn vanish(&mut self, name: &str) {
        self.tickets.retain(|_, known| known != name);
    }

    /// Time passes. What is due meanwhile is done when it is due.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let timer = self.timers.first_key_value().map(|((at, _), ())| *at);
            let pumped = self.engine.next_deadline();
            let due = [pumped, timer].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = due.max(self.now);
            if pumped == Some(due) {
                self.engine.pump(self.now);
            } else if let Some(((_, name), ())) = self.timers.pop_first() {
                self.next(&name);
            }
            self.wake();
        }
        self.now = end;
    }

    /// Who was sent since the last time, in order.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    /// What somebody was told who is no longer served.
    pub(crate) fn given_up(&self, name: &str) -> Option<&GiveUp> {
        self.given_up.get(name)
    }

    /// The call of somebody.
    pub(crate) fn call(&mut self, name: &str) -> (&mut Engine, &mut Call) {
        (&mut self.engine, self.calls.get_mut(name).expect("somebody of that name"))
    }

    /// Each in turn is answered and makes room for the next: who was sent, `count` of them.
    pub(crate) fn one_by_one(&mut self, count: usize) -> Vec<String> {
        let mut order: Vec<String> = Vec::new();
        while order.len() < count {
            let under_way = self.sent.pop().expect("somebody is under way");
            assert!(self.sent.is_empty(), "they go one by one");
            self.answer(&under_way);
            order.extend(self.sent.first().cloned());
        }
        order
    }

    fn next(&mut self, name: &str) -> Step {
        let call = self.calls.get_mut(name).expect("somebody of that name");
        let step = self.engine.next(self.now, call);
        match &step {
            Step::Send(_) => self.sent.push(name.to_owned()),
            Step::Queue(_) => {
                self.tickets.insert(call.ticket().expect("who waits has a ticket"), name.to_owned());
            }
            Step::Wait { until, .. } => {
                self.timers.insert((*until, name.to_owned()), ());
            }
            Step::GiveUp(why) => {
                self.given_up.insert(name.to_owned(), why.clone());
                let call = self.calls.remove(name).expect("it was just there");
                self.engine.end(self.now, call);
            }
        }
        step
    }

    fn wake(&mut self) {
        while self.engine.has_woken() {
            for ticket in self.engine.take_woken() {
                if let Some(name) = self.tickets.remove(&ticket)
                    && self.calls.contains_key(&name)
                {
                    self.next(&name);
                }
            }
        }
    }
}
