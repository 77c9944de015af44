//! The answers of `/admin/v1/alerts` and `/admin/v1/alerts/{id}`.

use serde::Deserialize;

/// All alerts that are known: open ones first.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Alerts {
    pub alerts: Vec<Alert>,
    pub left_out: u64,
    pub silences: Vec<Silence>,
    pub silenced_rules: Vec<String>,
    pub notifiers: Vec<Notifier>,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Alert {
    pub id: String,
    pub rule: String,
    pub about: String,
    pub severity: String,
    pub state: String,
    pub since: String,
    pub subject: String,
    pub evidence: Vec<String>,
    #[serde(rename = "do")]
    pub what_to_do: String,
    pub owner: Option<String>,
    pub decide_by: Option<String>,
    pub contact: Option<String>,
    pub upgrade_url: Option<String>,
    pub peak: String,
    pub escalated: u64,
    pub told: Vec<String>,
    pub acknowledged: Option<Acknowledged>,
    pub silenced: Option<Silence>,
    pub closed: Option<Closed>,
    pub command: String,
}

impl Alert {
    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Whether somebody must act at once.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        matches!(self.severity.as_str(), "critical" | "error")
    }
}

/// Who took it on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Acknowledged {
    pub by: String,
    pub at: String,
}

/// Why nobody is told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Silence {
    pub rule: String,
    pub about: String,
    pub by: String,
    pub why: String,
    pub since: String,
    pub until: String,
}

/// How it ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Closed {
    pub at: String,
    pub lasted_s: u64,
    pub words: String,
}

/// Where alerts are sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Notifier {
    #[serde(alias = "notifier")]
    pub name: String,
    pub kind: String,
    pub waiting: u64,
    pub delivered_at: Option<String>,
    pub failing_since: Option<String>,
    pub why: Option<String>,
}
