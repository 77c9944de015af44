//! Measured availability: what providers answered of what they were asked, and what users saw.

use serde::Deserialize;
use weir_units::WallTime;

use super::wall;

/// The answer of `/admin/v1/uptime`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Uptime {
    /// How many days each span has.
    pub days: Vec<u32>,
    /// What users saw, span by span.
    pub users: Vec<Measured>,
    /// The same of each provider.
    pub providers: Vec<MeasuredOf>,
    /// The same of each deployment.
    pub deployments: Vec<MeasuredOf>,
    /// The longest span, day by day.
    pub daily: Daily,
}

/// What was answered of what was asked.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub struct Measured {
    pub answered: u64,
    pub asked: u64,
}

/// The same of one name.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub struct MeasuredOf {
    pub name: String,
    pub spans: Vec<Measured>,
}

/// Days of the zone, the oldest first.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Daily {
    /// Where days begin, and where the last ends.
    pub edges: Vec<String>,
    /// What users saw.
    pub users: Vec<Measured>,
    /// Each deployment's days.
    pub deployments: Vec<MeasuredOf>,
}

impl Daily {
    /// Where days begin, and where the last ends.
    #[must_use]
    pub fn edges(&self) -> Vec<WallTime> {
        self.edges.iter().filter_map(|edge| wall(edge)).collect()
    }
}
