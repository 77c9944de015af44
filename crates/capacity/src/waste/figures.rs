//! What a waste report is made from: sums by kind, and who they are of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_units::{NanoUsd, WallTime};

use super::kind::Kind;

/// Names of one sort that are told apart; what more there are is [`OTHER`].
pub const MOST_NAMES: usize = 20_000;
/// The name of all names that are too many.
pub const OTHER: &str = "(other)";

/// What waste is told apart by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The route.
    Route,
    /// The name of the client's key.
    #[default]
    Key,
    /// The agent run or conversation.
    Run,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Route, Self::Key, Self::Run];

    /// The name in questions and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Key => "key",
            Self::Run => "run",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// What was lost for one reason, or for several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How often. A request with two failed attempts was twice.
    pub times: u64,
    /// Requests, where that is known to be another number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requests: Option<u64>,
    /// Tokens of both kinds.
    pub tokens: u64,
    /// What is known of their cost.
    #[serde(rename = "cost_usd", with = "dollars")]
    pub cost: NanoUsd,
    /// How often the cost is unknown.
    #[serde(rename = "cost_unknown")]
    pub unpriced: u64,
}

impl Lost {
    /// One loss.
    #[must_use]
    pub fn once(tokens: u64, cost: Option<NanoUsd>) -> Self {
        let (unpriced, cost) = (u64::from(cost.is_none()), cost.unwrap_or_default());
        Self { times: 1, requests: None, tokens, cost, unpriced }
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.times = self.times.saturating_add(other.times);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost += other.cost;
        self.unpriced = self.unpriced.saturating_add(other.unpriced);
    }
}

/// Whose loss it was, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who<'a> {
    /// The route.
    pub route: Option<&'a str>,
    /// The key.
    pub key: Option<&'a str>,
    /// The run.
    pub run: Option<&'a str>,
}

type Names = BTreeMap<Option<String>, BTreeMap<Kind, Lost>>;

/// What a report is made from. Sums may be told at once, with whose they are ([`WasteFigures::lost`]), or each by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasteFigures {
    /// The range that is looked at.
    pub since: WallTime,
    /// Its end.
    pub until: WallTime,
    /// When the first request that is known of arrived, in the range or before it; none if there was none.
    pub first: Option<WallTime>,
    /// Requests.
    pub requests: u64,
    /// Calls upstream.
    pub attempts: u64,
    /// Tokens of both kinds.
    pub tokens: u64,
    /// What is known of the cost.
    pub cost: NanoUsd,
    /// Requests whose cost, or a part of it, is unknown.
    pub unpriced: u64,
    kinds: BTreeMap<Kind, Lost>,
    names: BTreeMap<By, Names>,
    unknown: BTreeMap<Kind, String>,
    unknown_by: BTreeMap<By, String>,
}

impl WasteFigures {
    /// Nothing yet of a range.
    #[must_use]
    pub fn of(since: WallTime, until: WallTime) -> Self {
        Self { since, until, ..Self::default() }
    }

    /// Adds a loss, and whose it was.
    pub fn lost(&mut self, kind: Kind, who: Who<'_>, lost: &Lost) {
        self.lost_of_all(kind, lost);
        for (by, name) in [(By::Route, who.route), (By::Key, who.key), (By::Run, who.run)] {
            self.lost_by(by, name, kind, lost);
        }
    }

    /// Adds a loss to the sums of all.
    pub fn lost_of_all(&mut self, kind: Kind, lost: &Lost) {
        self.kinds.entry(kind).or_default().add(lost);
    }

    /// Adds a loss to one name's sums, and to no others.
    pub fn lost_by(&mut self, by: By, name: Option<&str>, kind: Kind, lost: &Lost) {
        let names = self.names.entry(by).or_default();
        let name = name.map(str::to_owned);
        let known = names.len() < MOST_NAMES || names.contains_key(&name);
        let name = if known { name } else { Some(OTHER.to_owned()) };
        names.entry(name).or_default().entry(kind).or_default().add(lost);
    }

    /// Says in how many requests a kind occurred, where that is not how often it did.
    pub fn occurred_in(&mut self, kind: Kind, requests: u64) {
        if let Some(lost) = self.kinds.get_mut(&kind) {
            lost.requests = Some(requests);
        }
    }

    /// Says why nothing is known of a kind: an absent figure is no zero.
    pub fn not_known(&mut self, kind: Kind, why: &str) {
        self.unknown.insert(kind, why.to_owned());
    }

    /// Says why losses are not known by this, or not all of them.
    pub fn not_known_by(&mut self, by: By, why: &str) {
        self.unknown_by.insert(by, why.to_owned());
    }

    pub(super) fn kinds(&self) -> &BTreeMap<Kind, Lost> {
        &self.kinds
    }

    pub(super) fn names(&self, by: By) -> Option<&Names> {
        self.names.get(&by)
    }

    pub(super) fn unknown(&self) -> &BTreeMap<Kind, String> {
        &self.unknown
    }

    pub(super) fn unknown_by(&self, by: By) -> Option<&String> {
        self.unknown_by.get(&by)
    }
}

/// Money as a decimal in quotes.
pub(super) mod dollars {
    use serde::{Deserialize, Deserializer, Serializer};
    use weir_units::NanoUsd;

    pub(crate) fn serialize<S: Serializer>(amount: &NanoUsd, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NanoUsd, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The same where it may be unknown.
pub(super) mod dollars_if_known {
    use serde::{Deserialize, Deserializer, Serializer};
    use weir_units::NanoUsd;

    pub(crate) fn serialize<S: Serializer>(amount: &Option<NanoUsd>, serializer: S) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => serializer.collect_str(amount),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NanoUsd>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
