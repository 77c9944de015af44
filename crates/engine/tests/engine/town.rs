//! A small discrete-event world: requests arrive evenly, deployments answer as a closure says, the engine decides.

use std::collections::BTreeMap;
use std::time::Duration;

use weir_engine::{Ask, Call, Engine, Outcome, Send, Step};
use weir_units::Moment;

/// Numbers for the deployments' behaviour, apart from the engine's own (SplitMix64, Steele et al. 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn ppm(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % 1_000_000
    }
}

/// One attempt that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Moment,
    pub(crate) send: Send,
}

/// One request that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) took: Duration,
    pub(crate) answered: bool,
}

enum Event {
    Arrive,
    Wake(usize),
    Answer(usize, Duration, Outcome),
}

/// What happened in a run.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) sent: Vec<Sent>,
    pub(crate) ended: Vec<Ended>,
}

impl Story {
    /// Sends to a candidate within `[from, to)`.
    pub(crate) fn sends(&self, candidate: usize, from: Moment, to: Moment) -> usize {
        self.within(from, to).filter(|sent| sent.send.candidate == candidate).count()
    }

    pub(crate) fn within(&self, from: Moment, to: Moment) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.at >= from && sent.at < to)
    }

    pub(crate) fn failures(&self) -> usize {
        self.ended.iter().filter(|ended| !ended.answered).count()
    }
}

/// Runs `ask` every `gap` for `lasting`; `serve` says how long an attempt takes and how it ends.
pub(crate) fn live(
    engine: &mut Engine,
    ask: &Ask,
    gap: Duration,
    lasting: Duration,
    mut serve: impl FnMut(Moment, usize) -> (Duration, Outcome),
) -> Story {
    let mut story = Story::default();
    let mut calls: Vec<Option<(Moment, Call)>> = Vec::new();
    let mut events: BTreeMap<(Moment, u64), Event> = BTreeMap::new();
    let mut count = 0_u64;
    events.insert((Moment::ZERO, count), Event::Arrive);
    while let Some(((now, _), event)) = events.pop_first() {
        let mut schedule = |at: Moment, event: Event| {
            count += 1;
            events.insert((at, count), event);
        };
        let index = match event {
            Event::Arrive => {
                if now + gap < Moment::ZERO + lasting {
                    schedule(now + gap, Event::Arrive);
                }
                calls.push(Some((now, engine.begin(now, ask.clone()))));
                calls.len() - 1
            }
            Event::Wake(index) => {
                engine.pump(now);
                index
            }
            Event::Answer(index, took, outcome) => {
                let (arrived, call) = calls[index].as_mut().unwrap();
                if outcome == Outcome::Success {
                    engine.content(now, call, took);
                }
                engine.report(now, call, outcome);
                if outcome == Outcome::Success {
                    story.ended.push(Ended { took: now.since(*arrived), answered: true });
                    engine.end(now, calls[index].take().unwrap().1);
                    continue;
                }
                index
            }
        };
        let (arrived, call) = calls[index].as_mut().unwrap();
        match engine.next(now, call) {
            Step::Send(send) => {
                story.sent.push(Sent { at: now, send });
                let (took, outcome) = serve(now, send.candidate);
                schedule(now + took, Event::Answer(index, took, outcome));
            }
            Step::Wait { until, .. } => schedule(until, Event::Wake(index)),
            Step::Queue(queued) => {
                schedule(engine.next_deadline().unwrap_or(queued.until).min(queued.until), Event::Wake(index))
            }
            Step::GiveUp(_) => {
                story.ended.push(Ended { took: now.since(*arrived), answered: false });
                engine.end(now, calls[index].take().unwrap().1);
            }
        }
    }
    story
}
