//! From evidence to grades: each question passes, fails, or has not enough data, and says what to do.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use weir_engine::Zone;
use weir_units::WallTime;

use super::{Evidence, failover, owning, traffic, words};

/// Below so many requests shares say nothing.
pub const FEWEST_REQUESTS: u64 = 100;

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Nothing needs to be done.
    Pass,
    /// Somebody has to do something.
    Fail,
    /// Not enough is known.
    Unknown,
}

impl Grade {
    /// The name in JSON: `pass`, `fail`, `unknown`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }

    /// The grade of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Unknown].into_iter().find(|grade| grade.name() == name)
    }
}

impl Serialize for Grade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The answer to one of the seven questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Which question, from 1.
    pub question: u8,
    /// What was asked.
    pub asked: &'static str,
    /// What came of it.
    pub grade: Grade,
    /// The answer in one sentence.
    pub answer: String,
    /// The figures behind it, a sentence each.
    pub evidence: Vec<String>,
    /// What to do about it, where something is to be done.
    #[serde(rename = "do")]
    pub action: Option<String>,
    /// The part of docs/runbook.md that says more.
    pub runbook: &'static str,
    /// The figures themselves.
    pub figures: Map<String, Value>,
}

/// What was asked, in the order of the questions.
pub const QUESTIONS: [&str; 7] = [
    "What share of production errors were 429s?",
    "What happens when the primary provider is down for two hours?",
    "Does every route that agents use have a breaker and run guards?",
    "What share of token spend is retries?",
    "How much of each ceiling does the peak hour use?",
    "Do critical routes have a secondary that was exercised?",
    "Who owns capacity?",
];

const RUNBOOK: [&str; 7] = ["429s", "outage", "guards", "retries", "peak", "secondary", "owner"];

impl Answer {
    pub(super) fn new(question: u8, grade: Grade, answer: impl Into<String>) -> Self {
        let place = usize::from(question.saturating_sub(1)) % QUESTIONS.len();
        Self {
            question,
            asked: QUESTIONS[place],
            grade,
            answer: answer.into(),
            evidence: Vec::new(),
            action: None,
            runbook: RUNBOOK[place],
            figures: Map::new(),
        }
    }

    /// That not enough is known, and how to know more.
    pub(super) fn unknown(question: u8, gap: &super::Gap) -> Self {
        let mut answer = Self::new(question, Grade::Unknown, gap.why.clone());
        answer.action = Some(gap.get.clone()).filter(|get| !get.is_empty());
        answer
    }

    pub(super) fn evidence(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines);
        self
    }

    pub(super) fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    pub(super) fn figure(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }
}

/// The seven answers, and when what they are answered from begins and ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Readiness {
    /// When what was measured begins.
    pub since: WallTime,
    /// When it ends.
    pub until: WallTime,
    /// One for each question, in order.
    pub answers: [Answer; 7],
}

/// Answers the seven questions; times are said in `zone`.
#[must_use]
pub fn grade(evidence: &Evidence, zone: &Zone) -> Readiness {
    Readiness {
        since: evidence.since,
        until: evidence.until,
        answers: [
            traffic::errors(evidence),
            failover::outage(evidence),
            owning::guards(evidence),
            traffic::retries(evidence),
            traffic::peak(evidence, zone),
            failover::secondary(evidence, zone),
            owning::owner(evidence),
        ],
    }
}

impl Readiness {
    /// How many answers have this grade.
    #[must_use]
    pub fn count(&self, grade: Grade) -> usize {
        self.answers.iter().filter(|answer| answer.grade == grade).count()
    }

    /// The grade of all: a failure wins, then what is not known.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let any = |grade| self.count(grade) > 0;
        if any(Grade::Fail) {
            Grade::Fail
        } else if any(Grade::Unknown) {
            Grade::Unknown
        } else {
            Grade::Pass
        }
    }

    /// What a program leaves with: 0 all pass, 1 a question fails, 3 not enough data.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.grade() {
            Grade::Pass => 0,
            Grade::Fail => 1,
            Grade::Unknown => 3,
        }
    }

    /// `3 of 7 pass, 2 fail, 2 have not enough data`.
    #[must_use]
    pub fn headline(&self) -> String {
        let mut text = format!("{} of 7 pass", self.count(Grade::Pass));
        match self.count(Grade::Fail) {
            0 => {}
            1 => text.push_str(", 1 fails"),
            more => text.push_str(&format!(", {more} fail")),
        }
        match self.count(Grade::Unknown) {
            0 => {}
            1 => text.push_str(", 1 has not enough data"),
            more => text.push_str(&format!(", {more} have not enough data")),
        }
        text
    }

    /// The answers as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "since": self.since.to_string(),
            "until": self.until.to_string(),
            "grade": self.grade(),
            "exit_code": self.exit_code(),
            "headline": self.headline(),
            "pass": self.count(Grade::Pass),
            "fail": self.count(Grade::Fail),
            "unknown": self.count(Grade::Unknown),
            "questions": self.answers,
        })
    }

    /// The answers as a terminal shows them, a line for each and one for what to do; `detail` adds the evidence.
    #[must_use]
    pub fn to_text(&self, zone: &Zone, zone_name: &str, detail: bool) -> String {
        let days = days(self.since, self.until);
        let mut lines =
            vec![format!("{}        {days} d to {} {zone_name}", self.headline(), words::day(self.until, zone))];
        for answer in &self.answers {
            let grade = match answer.grade {
                Grade::Pass => "PASS",
                Grade::Fail => "FAIL",
                Grade::Unknown => "?   ",
            };
            lines.push(format!("{}  {grade}  {}", answer.question, answer.answer));
            if detail || answer.grade == Grade::Fail {
                lines.extend(answer.evidence.iter().map(|line| format!("         {line}")));
            }
            if let Some(action) = &answer.action {
                let more = if answer.grade == Grade::Fail {
                    format!("; see docs/runbook.md#{}", answer.runbook)
                } else {
                    String::new()
                };
                lines.push(format!("         do: {action}{more}"));
            }
        }
        lines.join("\n")
    }
}

/// Whole days between two times, and at least one.
fn days(since: WallTime, until: WallTime) -> i64 {
    const DAY: i64 = 86_400_000_000;
    (until.0.saturating_sub(since.0).saturating_add(DAY / 2) / DAY).max(1)
}
