//! What is kept of a request or a fact once it is serialised: a line of the spill file, and a row of the database.

use std::cell::Cell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_units::{NanoUsd, RequestId, Tokens};

use crate::entry::{Attempt, Entry, Intent, Outcome};
use crate::fact::Event;
use crate::ledger::Message;
use crate::seen::Seen;

/// One row, of either table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Row {
    /// A request, running or ended.
    Request(RequestRow),
    /// A fact about Weir itself.
    Fact(FactRow),
}

/// The minutes, since 1970, of the requests among the rows that have ended.
pub(crate) fn minutes(rows: &[Row]) -> Vec<i64> {
    let ended = rows.iter().filter_map(Row::request).filter(|row| !row.is_open());
    let minutes: std::collections::BTreeSet<i64> = ended.map(|row| row.id.millis() / 60_000).collect();
    minutes.into_iter().collect()
}

/// A row of `requests`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RequestRow {
    #[serde(with = "id_text")]
    pub(crate) id: RequestId,
    pub(crate) started_at: i64,
    pub(crate) outcome: Arc<str>,
    pub(crate) status: Option<u16>,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) route: Option<Arc<str>>,
    /// In nano-dollars. A spill of a version that knew no prices has none.
    #[serde(default)]
    pub(crate) cost_nano: Option<i64>,
    #[serde(default)]
    pub(crate) run: Option<Arc<str>>,
    #[serde(default)]
    pub(crate) spent: Spent,
    #[serde(with = "raw")]
    pub(crate) record: Arc<str>,
    /// What is counted of it, once it has ended; none if it comes out of the spill.
    #[serde(skip)]
    pub(crate) seen: Option<Box<Seen>>,
}

/// What sums of a request are made of, beside its cost: of all its attempts together.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// What was called; none if several were, or nothing.
    pub(crate) deployment: Option<Arc<str>>,
    pub(crate) attempts: u32,
    /// The part of the cost that is estimated.
    pub(crate) estimated_nano: i64,
    pub(crate) input: i64,
    pub(crate) cached_input: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: i64,
    /// Attempts that cost something, or nobody knows what, and whose providers reported no tokens.
    pub(crate) unreported: u32,
}

/// The most tokens that one report may count, so that no provider can make a sum overflow.
pub(crate) const MOST_TOKENS: u64 = 1_000_000_000_000;

impl Spent {
    fn of(attempts: &[Attempt]) -> Self {
        let mut spent = Self::default();
        if let Some((first, rest)) = attempts.split_first()
            && rest.iter().all(|attempt| attempt.deployment == first.deployment)
        {
            spent.deployment = Some(Arc::clone(&first.deployment));
        }
        let tokens = |tokens: Tokens| tokens.0.min(MOST_TOKENS).cast_signed();
        for attempt in attempts {
            spent.attempts += 1;
            if attempt.cost_estimated {
                let estimate = attempt.cost_usd.unwrap_or_default().0;
                spent.estimated_nano = spent.estimated_nano.saturating_add(estimate);
            }
            match &attempt.usage {
                Some(usage) => {
                    spent.input += tokens(usage.input);
                    spent.cached_input += tokens(usage.cached_input);
                    spent.output += tokens(usage.output);
                    spent.reasoning += tokens(usage.reasoning);
                }
                None => spent.unreported += u32::from(attempt.cost_usd != Some(NanoUsd::ZERO)),
            }
        }
        spent
    }
}

/// A row of `facts`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FactRow {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) fact: Box<str>,
    #[serde(with = "raw")]
    pub(crate) record: Arc<str>,
}

impl Row {
    /// The row of a message, if it is one that is kept.
    pub(crate) fn of(message: Message) -> Option<Self> {
        Some(match message {
            Message::Intent(intent) => Self::Request(RequestRow::open(*intent)),
            Message::Settle(row) => Self::Request(*row),
            Message::Note(id, event) => Self::Fact(FactRow::of(id, &event)),
            Message::Change(..) | Message::Content(_) | Message::Flush(_) | Message::Roll(_) | Message::Close(_) => {
                return None;
            }
        })
    }

    pub(crate) fn request(&self) -> Option<&RequestRow> {
        if let Self::Request(row) = self { Some(row) } else { None }
    }

    pub(crate) fn fact(&self) -> Option<&FactRow> {
        if let Self::Fact(row) = self { Some(row) } else { None }
    }
}

impl RequestRow {
    /// The row of a request that has ended.
    pub(crate) fn settled(entry: Entry) -> Self {
        let open = entry.outcome == Outcome::Open;
        // If the process dies, what is open is closed by what its text says of its outcome.
        let record = if open { entry.to_json() } else { entry.to_stored() };
        let seen = (!open).then(|| Box::new(Seen::of(&entry)));
        Self {
            id: entry.id,
            started_at: entry.started_at.0,
            outcome: shared_name(entry.outcome),
            status: entry.status,
            tenant: entry.tenant,
            key: entry.key,
            route: entry.route,
            cost_nano: entry.cost_usd.map(|cost| cost.0),
            run: entry.run,
            spent: Spent::of(&entry.attempts),
            record,
            seen,
        }
    }

    /// Whether it runs.
    pub(crate) fn is_open(&self) -> bool {
        &*self.outcome == Outcome::Open.name()
    }

    /// The row of a request that runs.
    pub(crate) fn open(intent: Intent) -> Self {
        Self::settled(Entry::of(intent, Outcome::Open))
    }
}

impl FactRow {
    /// The row of a fact, with the id that makes writing it twice harmless.
    pub(crate) fn of(id: i64, event: &Event) -> Self {
        Self { id, at: event.at.0, fact: event.fact.name().into(), record: event.to_json() }
    }
}

thread_local! {
    /// The outcome last written; most are the same.
    static OUTCOME: Cell<Option<Arc<str>>> = const { Cell::new(None) };
}

/// The name of an outcome without an allocation for each.
fn shared_name(outcome: Outcome) -> Arc<str> {
    let name = OUTCOME.take().filter(|name| **name == *outcome.name()).unwrap_or_else(|| outcome.name().into());
    OUTCOME.set(Some(Arc::clone(&name)));
    name
}

mod id_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use weir_units::RequestId;

    pub(super) fn serialize<S: Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RequestId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A record in the spill file is an object in its line, not a text within it.
mod raw {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(record: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(record).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|record| record.get().into())
    }
}
