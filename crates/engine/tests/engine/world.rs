//! What the tests share: deployments `a`, `b`, …, each at a provider and host of its own, and short ways to ask.

use std::sync::Arc;
use std::time::Duration;

use weir_engine::{Ask, Call, Candidate, ChargeModel, Engine, Outcome, Priority, Send, Settings, Step, Strategy};
use weir_units::{DeploymentId, FaultClass, Moment, Tokens};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn at(millis: u64) -> Moment {
    Moment(millis * 1_000_000)
}

pub(crate) fn deployment(name: &str) -> DeploymentId {
    DeploymentId::new(name, "m")
}

pub(crate) fn candidate(name: &str) -> Candidate {
    Candidate {
        deployment: deployment(name),
        host: Arc::from(name),
        window: None,
        charge: ChargeModel::METERED,
        input: Tokens(800),
    }
}

pub(crate) fn ask(names: &[&str]) -> Ask {
    Ask {
        candidates: names.iter().map(|name| candidate(name)).collect(),
        strategy: Strategy::Failover,
        tenant: Arc::from("t"),
        cost: 1_000,
        input: Tokens(800),
        max_output: None,
        bytes: 4_000,
        priority: Priority::Interactive,
        deadline: None,
        wait_until: None,
        repeatable: true,
        pinned: false,
    }
}

pub(crate) fn engine() -> Engine {
    Engine::new(Settings::default(), 7)
}

pub(crate) fn fault(class: FaultClass) -> Outcome {
    Outcome::Fault { class, retry_after: None, limit: None, after_content: false }
}

pub(crate) fn advised(class: FaultClass, retry_after: Duration) -> Outcome {
    Outcome::Fault { class, retry_after: Some(retry_after), limit: None, after_content: false }
}

/// Runs a call from `now` until it is answered or given up; each attempt lasts no time and ends as `answer` says.
/// What was sent, when, and the last step, if the call was given up.
pub(crate) fn run(
    engine: &mut Engine,
    mut now: Moment,
    ask: Ask,
    mut answer: impl FnMut(Moment, &Send) -> Outcome,
) -> (Vec<(Moment, Send)>, Option<Step>) {
    let mut call = engine.begin(now, ask);
    let mut sent = Vec::new();
    let last = loop {
        match engine.next(now, &mut call) {
            Step::Send(send) => {
                sent.push((now, send));
                let outcome = answer(now, &send);
                if outcome == Outcome::Success {
                    engine.content(now, &mut call, ms(100));
                }
                engine.report(now, &mut call, outcome);
                if outcome == Outcome::Success {
                    break None;
                }
            }
            Step::Wait { until, .. } => now = until,
            Step::Queue(queued) => {
                now = engine.next_deadline().unwrap_or(queued.until).min(queued.until).max(now);
                engine.pump(now);
            }
            step @ Step::GiveUp(_) => break Some(step),
        }
    };
    engine.end(now, call);
    (sent, last)
}

/// The candidates that were asked, in order, as one word: `aab`.
pub(crate) fn path(sent: &[(Moment, Send)]) -> String {
    sent.iter().map(|(_, send)| char::from(b'a' + send.candidate as u8)).collect()
}

pub(crate) fn first_send(engine: &mut Engine, now: Moment, call: &mut Call) -> Send {
    match engine.next(now, call) {
        Step::Send(send) => send,
        other => panic!("expected a send, got {other:?}"),
    }
}

/// One call on `names` that ends as `outcome` says at each of its attempts.
pub(crate) fn all(engine: &mut Engine, now: Moment, names: &[&str], outcome: Outcome) -> (String, Option<Step>) {
    let (sent, last) = run(engine, now, ask(names), |_, _| outcome);
    (path(&sent), last)
}
