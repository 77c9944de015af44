//! Limits and queues under random schedules, beside a model of them that is slow and obvious.
//!
//! The model keeps a list of everything that was let go, and what it came to, in whole millionths. It knows nothing of buckets:
//! it only sums what any window holds. What the engine says is taken at its word, as a caller must.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use weir_engine::{
    Ask, Call, ChargeModel, Engine, LimitSettings, Outcome, PoolLimits, Priority, ProviderLimits, Settings, Stated,
    Step,
};
use weir_units::{DeploymentId, Dimension, FaultClass, Limits, Moment, Tokens, Usage, WallTime};

use crate::world::ask;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    Arrive {
        tenant: u8,
        priority: u8,
        input: u64,
        max: u64,
        patience: u64,
        lane: u8,
    },
    /// The oldest, or another, attempt under way ends.
    Answer {
        which: usize,
        output: u64,
    },
    Refuse {
        which: usize,
        retry_after: Option<u64>,
    },
    Headers {
        which: usize,
        part: u64,
    },
    /// Somebody who waits or is served goes away.
    Leave {
        which: usize,
    },
    /// The calendar jumps, in seconds.
    Jump {
        seconds: i64,
    },
    Pass {
        millis: u64,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let arrive = (0..4_u8, 0..3_u8, 1..4_000_u64, 1..4_000_u64, 0..60_000_u64, 0..3_u8).prop_map(
        |(tenant, priority, input, max, patience, lane)| Event::Arrive { tenant, priority, input, max, patience, lane },
    );
    prop_oneof![
        8 => arrive,
        6 => (0..50_usize, 0..4_000_u64).prop_map(|(which, output)| Event::Answer { which, output }),
        1 => (0..50_usize, prop::option::of(1..20_u64)).prop_map(|(which, retry_after)| Event::Refuse { which, retry_after }),
        1 => (0..50_usize, 0..=100_u64).prop_map(|(which, part)| Event::Headers { which, part }),
        1 => (0..50_usize).prop_map(|which| Event::Leave { which }),
        1 => (-100_000..100_000_i64).prop_map(|seconds| Event::Jump { seconds }),
        8 => (1..3_000_u64).prop_map(|millis| Event::Pass { millis }),
    ]
}

const REQUESTS: u64 = 600;
const INPUT: u64 = 60_000;
const TOKENS: u64 = 90_000;
const AT_ONCE: u64 = 6;
const A_DAY: u64 = 300;
const MINUTE: Duration = Duration::from_secs(60);
const LARGEST: u64 = 4_000;

fn settings() -> Settings {
    let account = Limits::NONE
        .with(Dimension::RequestsPerMinute, REQUESTS)
        .with(Dimension::ConcurrentRequests, AT_ONCE)
        .with(Dimension::RequestsPerDay, A_DAY);
    let pool = Limits::NONE.with(Dimension::InputTokensPerMinute, INPUT).with(Dimension::TokensPerMinute, TOKENS);
    let mut limits = LimitSettings::default();
    limits.providers.insert(Arc::from("a"), ProviderLimits { limits: account, ..ProviderLimits::default() });
    limits.pools.insert(Arc::from("p"), PoolLimits { limits: pool, reserve_for_interactive_ppm: 200_000 });
    for model in ["m", "n"] {
        let of = weir_engine::ModelLimits { limits: Limits::NONE, pool: Some(Arc::from("p")) };
        limits.models.insert(DeploymentId::new("a", model), of);
    }
    Settings { limits, ..Settings::default() }
}

/// Who is where.
enum Place {
    Waiting,
    UnderWay,
}

struct Town {
    engine: Engine,
    now: Moment,
    wall: WallTime,
    calls: BTreeMap<u64, (Call, Place)>,
    tickets: BTreeMap<u64, u64>,
    next: u64,
    ended: BTreeSet<u64>,
    /// What went when: its number, its input, and whether it was given back whole.
    went: Vec<(Moment, u64, u64)>,
    given_back: BTreeSet<usize>,
    /// What went on each day of the calendar, as the latest day that was ever seen has it.
    day: i64,
    today: u64,
}

impl Town {
    fn new() -> Self {
        let mut engine = Engine::new(Settings::default(), 1);
        let wall = WallTime(WallTime::day_of(2026, 11, 25) * 86_400_000_000 + 43_200_000_000);
        engine.calendar(Moment::ZERO, wall);
        let declared = ["m", "n"].map(|model| DeploymentId::new("a", model)).to_vec();
        engine.configure(settings(), declared, BTreeMap::new());
        let day = wall.0.div_euclid(86_400_000_000);
        Self {
            engine,
            now: Moment::ZERO,
            wall,
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next: 0,
            ended: BTreeSet::new(),
            went: Vec::new(),
            given_back: BTreeSet::new(),
            day,
            today: 0,
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Arrive { tenant, priority, input, max, patience, lane } => {
                let mut ask: Ask = ask(&["a"]);
                ask.candidates[0].input = Tokens(input);
                ask.candidates[0].charge = ChargeModel::METERED;
                if lane == 0 {
                    ask.candidates[0].deployment = DeploymentId::new("a", "n");
                }
                ask.tenant = Arc::from(format!("t{tenant}"));
                ask.priority = Priority::ALL[usize::from(priority)];
                ask.input = Tokens(input);
                ask.max_output = Some(max);
                ask.wait_until = Some(self.now + Duration::from_millis(patience));
                ask.deadline = Some(self.now + Duration::from_secs(600));
                let call = self.engine.begin(self.now, ask);
                self.next += 1;
                self.calls.insert(self.next, (call, Place::Waiting));
                self.ask(self.next);
            }
            Event::Answer { which, output } => {
                let Some(id) = self.under_way(which) else { return };
                let (call, _) = self.calls.get_mut(&id).unwrap();
                let input = call.ask().input;
                self.engine.content(self.now, call, Duration::from_millis(300));
                self.engine.produced(self.now, call, output);
                self.engine.used(call, Usage { input, output: Tokens(output), ..Usage::default() });
                self.engine.report(self.now, call, Outcome::Success);
                self.end(id);
            }
            Event::Refuse { which, retry_after } => {
                let Some(id) = self.under_way(which) else { return };
                let retry_after = retry_after.map(Duration::from_secs);
                let class = FaultClass::RateLimited;
                let (call, place) = self.calls.get_mut(&id).unwrap();
                self.engine.report(
                    self.now,
                    call,
                    Outcome::Fault { class, retry_after, limit: None, after_content: false },
                );
                *place = Place::Waiting;
                let last = self.went.iter().rposition(|(_, number, _)| *number == id).unwrap();
                self.given_back.insert(last);
                self.ask(id);
            }
            Event::Headers { which, part } => {
                let Some(id) = self.under_way(which) else { return };
                let (call, _) = self.calls.get_mut(&id).unwrap();
                let remaining = Some(INPUT * part / 100);
                let stated = Stated { dimension: Dimension::InputTokensPerMinute, limit: INPUT, remaining };
                self.engine.stated(self.now, call, &[stated]);
            }
            Event::Leave { which } => {
                let Some(id) = self.calls.keys().nth(which % self.calls.len().max(1)).copied() else { return };
                self.end(id);
            }
            Event::Jump { seconds } => {
                self.wall = WallTime(self.wall.0 + seconds * 1_000_000);
                self.engine.calendar(self.now, self.wall);
            }
            Event::Pass { millis } => {
                let until = self.now + Duration::from_millis(millis);
                // What is due by time alone is done when it is due.
                while let Some(due) = self.engine.next_deadline().filter(|due| *due <= until) {
                    let before = self.now;
                    self.turn(due.max(self.now));
                    self.engine.pump(self.now);
                    self.wake();
                    let next = self.engine.next_deadline();
                    assert!(self.now > before || next.is_none_or(|next| next > self.now), "it is due again at once");
                }
                self.turn(until);
            }
        }
        self.wake();
        self.check();
    }

    fn turn(&mut self, to: Moment) {
        self.wall = self.wall + to.since(self.now);
        self.now = to;
    }

    fn under_way(&self, which: usize) -> Option<u64> {
        let under_way: Vec<u64> =
            self.calls.iter().filter(|(_, (_, place))| matches!(place, Place::UnderWay)).map(|(id, _)| *id).collect();
        under_way.get(which % under_way.len().max(1)).copied()
    }

    fn ask(&mut self, id: u64) {
        let (call, place) = self.calls.get_mut(&id).unwrap();
        match self.engine.next(self.now, call) {
            Step::Send(_) => {
                assert!(!matches!(place, Place::UnderWay), "{id} is served twice");
                *place = Place::UnderWay;
                let input = call.ask().input.0;
                self.went.push((self.now, id, input));
                let day = self.wall.0.div_euclid(86_400_000_000);
                if day > self.day {
                    (self.day, self.today) = (day, 0);
                }
                self.today += 1;
            }
            Step::Queue(queued) => {
                assert!(queued.until > self.now, "{id} waits for a time that is over");
                self.tickets.insert(call.ticket().unwrap(), id);
            }
            // The model has no timers of its own: who is told to wait is asked again when something happens.
            Step::Wait { .. } => {}
            Step::GiveUp(_) => self.end(id),
        }
    }

    fn end(&mut self, id: u64) {
        let (call, _) = self.calls.remove(&id).unwrap();
        if let Some(ticket) = call.ticket() {
            self.tickets.remove(&ticket);
        }
        self.engine.end(self.now, call);
        assert!(self.ended.insert(id), "{id} ends twice");
    }

    fn wake(&mut self) {
        loop {
            let woken = self.engine.take_woken();
            if woken.is_empty() {
                return;
            }
            for ticket in woken {
                if let Some(id) = self.tickets.remove(&ticket)
                    && self.calls.contains_key(&id)
                {
                    self.ask(id);
                }
            }
        }
    }

    /// Who is alone in line, and for whom all is there, is not kept waiting, but for a moment after a gate has opened. Batch work
    /// may wait for what is reserved.
    fn nobody_waits_for_nothing(&mut self) {
        let mut waiting = self.calls.values().filter(|(call, _)| call.ticket().is_some());
        let (Some((call, _)), None) = (waiting.next(), waiting.next()) else { return };
        let (input, most) = (call.ask().input.0, call.ask().input.0 + call.ask().max_output.unwrap_or(0));
        if call.ask().priority == Priority::Batch {
            return;
        }
        let views = self.engine.headroom(self.now);
        let is_free = views.iter().all(|view| {
            view.gate_until.is_none()
                && view.limits.iter().all(|gauge| match gauge.dimension {
                    Dimension::InputTokensPerMinute => gauge.remaining >= input,
                    Dimension::TokensPerMinute => gauge.remaining >= most,
                    _ => gauge.remaining >= 1,
                })
        });
        let soon = self.now + Duration::from_millis(10);
        assert!(!is_free || self.engine.next_deadline() <= Some(soon), "it waits for nothing: {views:?}");
    }

    fn check(&mut self) {
        let under_way = self.calls.values().filter(|(_, place)| matches!(place, Place::UnderWay)).count() as u64;
        assert!(under_way <= AT_ONCE, "{under_way} at once");
        assert!(self.today <= A_DAY + self.given_back.len() as u64, "{} in a day", self.today);
        assert_eq!(self.next, self.ended.len() as u64 + self.calls.len() as u64, "somebody is lost");
        self.nobody_waits_for_nothing();
        // Of every window that ends now: the requests and the input that went.
        let kept = |at: usize| !self.given_back.contains(&at);
        let (mut requests, mut input) = (0, 0);
        for (at, (went, _, cost)) in self.went.iter().enumerate().rev() {
            let span = self.now.since(*went);
            if span > MINUTE {
                break;
            }
            if kept(at) {
                (requests, input) = (requests + 1, input + cost);
            }
            // The rate, a burst of five seconds, what headers gave back, and the one that empties the bucket.
            let most = |limit: u64, one: u64| (limit as f64 * (span.as_secs_f64() + 10.0) / 60.0) as u64 + one + 1;
            assert!(requests <= most(REQUESTS, 1), "{requests} requests in {span:?}");
            assert!(input <= most(INPUT, LARGEST), "{input} tokens in {span:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_limits_hold_and_nobody_is_lost(events in prop::collection::vec(event(), 1..250)) {
        let mut town = Town::new();
        for event in &events {
            town.happen(event);
        }
        // All that is under way ends, and time passes: whoever still waits goes, or hears that its time is over.
        let mut rounds = 0;
        while !town.calls.is_empty() {
            rounds += 1;
            prop_assert!(rounds < 2_000, "{} wait for ever", town.calls.len());
            town.happen(&Event::Answer { which: 0, output: 100 });
            town.happen(&Event::Pass { millis: 1_000 });
            let idle: Vec<u64> = town.calls.iter().filter(|(_, (call, place))| {
                matches!(place, Place::Waiting) && call.ticket().is_none()
            }).map(|(id, _)| *id).collect();
            for id in idle {
                town.ask(id);
            }
            town.wake();
        }
        // Then everything is there again.
        town.happen(&Event::Pass { millis: 120_000 });
        for view in town.engine.headroom(town.now) {
            for gauge in view.limits.iter().filter(|gauge| !gauge.dimension.is_daily()) {
                prop_assert!(gauge.reset.is_zero(), "{} {:?} is not full again", view.pool, gauge);
                prop_assert!(gauge.dimension != Dimension::ConcurrentRequests || gauge.used == 0, "{gauge:?}");
            }
            prop_assert!(view.queue.is_none());
        }
    }
}

/// How many schedules are tried; four times as many is what proptest's own `PROPTEST_CASES` says.
fn cases() -> u32 {
    ProptestConfig::default().cases / 4
}
