//! The record of a request, as `/admin/v1/requests` and `/admin/v1/requests/{id}` tell it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use weir_units::NanoUsd;

use super::Usage;

/// All that is kept of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the record, which docs/reference/record.md documents")]
pub struct Record {
    pub id: String,
    pub run: Option<String>,
    pub key: Option<String>,
    pub tenant: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub route: Option<String>,
    pub model: Option<String>,
    pub dialect: String,
    pub endpoint: String,
    pub stream: bool,
    pub outcome: String,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub refused_by: Option<String>,
    pub started_at: String,
    pub ended_at: Option<String>,
    pub first_content_ms: Option<u64>,
    pub queued_ms: u64,
    pub overhead_us: Option<u64>,
    pub usage: Option<Usage>,
    pub cost_usd: Option<String>,
    pub cost_estimated: bool,
    pub degraded: Vec<String>,
    pub content: Option<String>,
    pub sdk_retry: Option<u32>,
    pub attempts: Vec<Attempt>,
    pub events: Vec<Event>,
}

/// One call upstream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the record, which docs/reference/record.md documents")]
pub struct Attempt {
    pub deployment: String,
    pub status: Option<u16>,
    pub class: Option<String>,
    pub message: Option<String>,
    pub started_at: String,
    pub ended_at: String,
    pub usage: Option<Usage>,
    pub cost_usd: Option<String>,
    pub cost_estimated: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the record, which docs/reference/record.md documents")]
pub struct Event {
    pub at: String,
    pub stage: String,
    pub fact: String,
    /// What else the fact says.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Record {
    /// What it cost; none is unknown.
    #[must_use]
    pub fn cost(&self) -> Option<NanoUsd> {
        super::nano(self.cost_usd.as_deref())
    }
}

impl Attempt {
    /// What it cost; none is unknown.
    #[must_use]
    pub fn cost(&self) -> Option<NanoUsd> {
        super::nano(self.cost_usd.as_deref())
    }
}

impl Event {
    /// What else it says, as text.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.more.get(member).and_then(Value::as_str)
    }

    /// What else it says, as a number.
    #[must_use]
    pub fn number(&self, member: &str) -> Option<u64> {
        self.more.get(member).and_then(Value::as_u64)
    }

    /// The same as a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let mut fact = serde_json::Map::new();
        fact.insert("fact".into(), self.fact.clone().into());
        fact.extend(self.more.iter().map(|(name, value)| (name.clone(), value.clone())));
        weir_ledger::in_words(&Value::Object(fact))
    }
}
