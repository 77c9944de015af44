//! A tape of everything that an engine was asked, when, and what it answered.
//!
//! The same questions at the same moments, with the same seed, must get the same answers: so a recorded run of the live gateway
//! can be replayed in the simulator, decision by decision. Answers are kept as text, because they are only compared.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_units::{DeploymentId, Moment, Usage, WallTime};

use crate::ask::{Ask, Outcome};
use crate::engine::Engine;
use crate::limits::Stated;
use crate::settings::Settings;

/// One question, when it was asked, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// What was asked, or told.
    pub question: Question,
    /// What was answered, as text; empty where nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// What an engine is asked, or told. Calls are counted from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is named as the method that it stands for, and holds its arguments")]
pub enum Question {
    New {
        seed: u64,
        settings: Box<Settings>,
    },
    /// Credentials are numbered by their first appearance.
    Configure {
        settings: Box<Settings>,
        declared: Vec<DeploymentId>,
        credentials: BTreeMap<Arc<str>, u64>,
    },
    Calendar {
        wall: WallTime,
    },
    AdmitKey {
        key: Arc<str>,
        input: u64,
        max_output: Option<u64>,
    },
    Begin {
        call: u64,
        ask: Box<Ask>,
    },
    ChargeKey {
        call: u64,
    },
    Next {
        call: u64,
    },
    Splice {
        call: u64,
    },
    RuleOut {
        call: u64,
        candidate: usize,
    },
    SetAside {
        call: u64,
    },
    Stated {
        call: u64,
        limits: Vec<Stated>,
    },
    Produced {
        call: u64,
        output: u64,
    },
    Content {
        call: u64,
        after: Duration,
    },
    Used {
        call: u64,
        usage: Usage,
    },
    Report {
        call: u64,
        outcome: Outcome,
    },
    End {
        call: u64,
    },
    Pump,
}

/// What was put on tape and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    entries: Vec<Entry>,
    credentials: Vec<u64>,
}

impl Engine {
    /// From now on every question and its answer is put on tape. An engine is replayed from its beginning, so this comes right
    /// after [`new`](Self::new).
    pub fn record(&mut self) {
        self.tape = Some(Box::default());
        let settings = Box::new(self.settings.clone());
        let seed = self.seed;
        self.put(Moment::ZERO, |_| Question::New { seed, settings }, &"");
    }

    /// What was put on tape since the last time.
    pub fn take_tape(&mut self) -> Vec<Entry> {
        self.tape.as_mut().map_or_else(Vec::new, |tape| std::mem::take(&mut tape.entries))
    }

    /// Puts a question and its answer on tape, if there is one.
    #[inline]
    pub(crate) fn put(&mut self, at: Moment, question: impl FnOnce(&mut Tape) -> Question, answer: &dyn fmt::Debug) {
        if let Some(tape) = &mut self.tape {
            let question = question(tape);
            let answer = match format!("{answer:?}") {
                nothing if nothing == "()" || nothing == "\"\"" => String::new(),
                said => said,
            };
            tape.entries.push(Entry { at, question, answer });
        }
    }
}

impl Tape {
    /// Credentials by number, so that nothing of them is on tape but whether they are the same.
    pub(crate) fn numbered(&mut self, credentials: &BTreeMap<Arc<str>, u64>) -> BTreeMap<Arc<str>, u64> {
        let mut number = |fingerprint: u64| {
            let place = self.credentials.iter().position(|known| *known == fingerprint).unwrap_or_else(|| {
                self.credentials.push(fingerprint);
                self.credentials.len() - 1
            });
            place as u64
        };
        credentials.iter().map(|(provider, fingerprint)| (Arc::clone(provider), number(*fingerprint))).collect()
    }
}
