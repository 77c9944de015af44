//! Plays a tape of a live run to a fresh engine, and tells where it decides otherwise.
//!
//! The engine is the same code live and here, so on the same questions at the same moments it must answer the same, decision by
//! decision. Where it does not, something that is not on the tape has decided: a clock, an order of a map, chance.

use std::collections::BTreeMap;

use weir_engine::{Admitted, Call, Engine, Entry, Question, Settings};
use weir_units::Moment;

/// How many differences are kept; the first one is the one that matters.
const KEPT: usize = 20;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Questions that were asked again.
    pub questions: u64,
    /// Those that have an answer to compare.
    pub answers: u64,
    /// Calls that were begun.
    pub calls: u64,
    /// Answers that differ.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// An answer that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which entry of the tape it is, from 1.
    pub entry: u64,
    /// When it was asked.
    pub at: Moment,
    /// What was asked.
    pub question: String,
    /// What was answered then, and what is answered now.
    pub answers: [String; 2],
}

/// Replays a tape entry by entry.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    calls: BTreeMap<u64, Call>,
    admitted: Option<Admitted>,
    found: Replayed,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            engine: Engine::new(Settings::default(), 0),
            calls: BTreeMap::new(),
            admitted: None,
            found: Replayed::default(),
        }
    }
}

impl Replay {
    /// Asks the next question of the tape again.
    ///
    /// # Errors
    /// The tape does not fit together: it speaks of a call that it has not begun.
    pub fn play(&mut self, entry: Entry) -> Result<(), String> {
        self.found.questions += 1;
        let shown = if entry.answer.is_empty() { String::new() } else { format!("{:?}", entry.question) };
        let answer = self.ask(entry.at, entry.question)?;
        if !entry.answer.is_empty() {
            self.found.answers += 1;
            if answer != entry.answer {
                self.differs(entry.at, shown, entry.answer, answer);
            }
        }
        Ok(())
    }

    /// What was found.
    #[must_use]
    pub fn finish(self) -> Replayed {
        self.found
    }

    fn differs(&mut self, at: Moment, question: String, then: String, now: String) {
        self.found.different += 1;
        if self.found.differences.len() < KEPT {
            let entry = self.found.questions;
            self.found.differences.push(Difference { entry, at, question, answers: [then, now] });
        }
    }

    fn ask(&mut self, now: Moment, question: Question) -> Result<String, String> {
        let Self { engine, calls, .. } = self;
        match question {
            Question::New { seed, settings } => *engine = Engine::new(*settings, seed),
            Question::Configure { settings, declared, credentials } => {
                engine.configure(*settings, declared, credentials);
            }
            Question::Calendar { wall } => engine.calendar(now, wall),
            Question::AdmitKey { key, input, max_output } => {
                let answer = engine.admit_key(now, &key, input, max_output);
                let said = format!("{:?}", answer.as_ref().err());
                self.admitted = answer.unwrap_or_default();
                return Ok(said);
            }
            Question::Begin { call, ask } => {
                self.found.calls += 1;
                calls.insert(call, engine.begin(now, *ask));
            }
            Question::ChargeKey { call: number } => engine.charge_key(begun(calls, number)?, self.admitted.take()),
            Question::Next { call: number } => return Ok(format!("{:?}", engine.next(now, begun(calls, number)?))),
            Question::Splice { call: number } => return Ok(format!("{:?}", engine.splice(now, begun(calls, number)?))),
            Question::RuleOut { call: number, candidate } => engine.rule_out(now, begun(calls, number)?, candidate),
            Question::SetAside { call: number } => engine.set_aside(now, begun(calls, number)?),
            Question::Stated { call: number, limits } => engine.stated(now, begun(calls, number)?, &limits),
            Question::Produced { call: number, output } => engine.produced(now, begun(calls, number)?, output),
            Question::Content { call: number, after } => engine.content(now, begun(calls, number)?, after),
            Question::Used { call: number, usage } => engine.used(begun(calls, number)?, usage),
            Question::Report { call: number, outcome } => engine.report(now, begun(calls, number)?, outcome),
            Question::End { call: number } => {
                let call = calls.remove(&number).ok_or_else(|| format!("call {number} was never begun"))?;
                engine.end(now, call);
            }
            Question::Pump => engine.pump(now),
        }
        Ok(String::new())
    }
}

fn begun(calls: &mut BTreeMap<u64, Call>, number: u64) -> Result<&mut Call, String> {
    calls.get_mut(&number).ok_or_else(|| format!("call {number} was never begun, or has ended already"))
}

#[cfg(test)]
mod tests {
    use weir_units::WallTime;

    use super::*;

    #[test]
    fn a_tape_that_does_not_fit_together_is_said_to() {
        let entry = |question| Entry { at: Moment(1), question, answer: String::new() };
        let mut replay = Replay::default();
        replay.play(entry(Question::Calendar { wall: WallTime(5) })).unwrap();
        let error = replay.play(entry(Question::Next { call: 3 })).unwrap_err();
        assert!(error.starts_with("call 3 was never begun"), "{error}");
        assert_eq!(replay.finish().questions, 2);
    }

    #[test]
    fn an_answer_that_differs_is_found() {
        let mut engine = Engine::new(Settings::default(), 9);
        engine.record();
        engine.pump(Moment(3));
        let mut tape = engine.take_tape();
        tape[0].answer = "something else".to_owned();
        let mut replay = Replay::default();
        tape.into_iter().for_each(|entry| replay.play(entry).unwrap());
        let found = replay.finish();
        assert_eq!((found.different, found.differences.len()), (1, 1));
    }
}
