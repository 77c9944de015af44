//! The seven answers, as the admin API tells them.

use serde::Deserialize;
use weir_units::WallTime;

use super::wall;

/// All seven.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub struct Readiness {
    pub since: String,
    pub until: String,
    pub grade: String,
    pub headline: String,
    pub pass: u64,
    pub fail: u64,
    pub unknown: u64,
    pub questions: Vec<Answer>,
}

/// One of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub struct Answer {
    pub question: u64,
    pub asked: String,
    pub grade: String,
    pub answer: String,
    #[serde(default)]
    pub evidence: Vec<String>,
    #[serde(rename = "do")]
    pub action: Option<String>,
    pub runbook: String,
}

impl Readiness {
    /// When what was measured ends.
    #[must_use]
    pub fn at(&self) -> Option<WallTime> {
        wall(&self.until)
    }
}
