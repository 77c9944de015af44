//! What is counted of an act, and where from: the client's own answers, each provider's own statistics, and the ledger.
//!
//! The three do not know of each other, so a figure of the report is as true as its source, and none is made up here.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use weir_ledger::{Filter, Ledger, Query};
use weir_mock::Stats;
use weir_units::WallTime;

use super::act::Act;
use super::client::Got;
use crate::trace::at_millis;

/// Records in a page of the ledger.
const PAGE: u32 = 500;
/// How often the ledger is asked again for a record that is not there yet, and how long after.
const LOOKS: u32 = 40;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Changes of breakers that are looked at; an act has a handful.
const FACTS: u32 = 200;

/// One provider's own count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Provider {
    pub(super) attempts: u64,
    /// Answered with 200.
    pub(super) ok: u64,
    /// Answered with 429.
    pub(super) limited: u64,
}

impl Provider {
    /// What was counted between two looks.
    pub(super) fn between(before: &Stats, after: &Stats) -> Self {
        let status = |stats: &Stats, status| stats.by_status.get(&status).copied().unwrap_or(0);
        let grown = |of: &dyn Fn(&Stats) -> u64| of(after).saturating_sub(of(before));
        Self {
            attempts: grown(&|stats| stats.requests),
            ok: grown(&|stats| status(stats, 200)),
            limited: grown(&|stats| status(stats, 429)),
        }
    }

    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.ok += other.ok;
        self.limited += other.limited;
    }
}

/// A breaker that moved.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    /// Milliseconds since the act, or the story, began.
    pub(super) after_ms: u64,
    pub(super) scope: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) why: String,
}

/// A request worth a look.
#[derive(Clone, Debug)]
pub(super) struct LookAt {
    pub(super) id: String,
    pub(super) act: Act,
    pub(super) attempts: u64,
    pub(super) answered: bool,
}

/// All that is counted, of an act or of the whole story.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) answered: u64,
    pub(super) streamed: u64,
    pub(super) first_tokens_us: Vec<u64>,
    pub(super) overheads_us: Vec<u64>,
    pub(super) longest_us: u64,
    pub(super) openai: Provider,
    pub(super) anthropic: Provider,
    /// Requests that anthropic answered.
    pub(super) by_second: u64,
    pub(super) retries: u64,
    pub(super) failovers: u64,
    pub(super) waits: u64,
    pub(super) waited_ms: u64,
    pub(super) moves: Vec<Moved>,
    pub(super) look_at: Vec<LookAt>,
}

impl Tally {
    /// Takes in what a client got.
    pub(super) fn got(&mut self, got: &Got) {
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.requests += 1;
        self.answered += u64::from(got.answered);
        self.streamed += u64::from(got.streamed);
        self.longest_us = self.longest_us.max(us(got.took));
        self.first_tokens_us.extend(got.first_token.map(us));
        self.overheads_us.extend(got.overhead_us);
        let by_second = got.deployment.as_deref().is_some_and(|name| name.starts_with("anthropic/"));
        self.by_second += u64::from(got.answered && by_second);
    }

    /// Takes in what the ledger holds of one request.
    fn record(&mut self, record: &Value) {
        for event in record["events"].as_array().into_iter().flatten() {
            match event["fact"].as_str().unwrap_or_default() {
                "AttemptStarted" => self.retries += u64::from(event["why"] == "retry"),
                "FailedOver" => self.failovers += 1,
                "Waited" => {
                    self.waits += 1;
                    self.waited_ms += event["for_ms"].as_u64().unwrap_or(0);
                }
                _ => {}
            }
        }
    }

    /// Reads from the ledger what became of `ids`, and how breakers moved, since the act began.
    ///
    /// # Errors
    /// When the ledger cannot be read, or lacks a request.
    pub(super) async fn read(
        &mut self,
        ledger: &Ledger,
        since: WallTime,
        mut ids: BTreeSet<String>,
    ) -> Result<(), String> {
        for _ in 0..LOOKS {
            for record in records(ledger, since).await? {
                if record["id"].as_str().is_some_and(|id| record["outcome"] != "open" && ids.remove(id)) {
                    self.record(&record);
                }
            }
            if ids.is_empty() {
                self.moves = moves(ledger, since).await?;
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(format!("the ledger lacks {} requests of this act", ids.len()))
    }

    /// Adds an act that began `after` the story did.
    pub(super) fn add(&mut self, act: &Self, after: Duration) {
        self.requests += act.requests;
        self.answered += act.answered;
        self.streamed += act.streamed;
        self.first_tokens_us.extend(&act.first_tokens_us);
        self.overheads_us.extend(&act.overheads_us);
        self.longest_us = self.longest_us.max(act.longest_us);
        self.openai.add(act.openai);
        self.anthropic.add(act.anthropic);
        self.by_second += act.by_second;
        self.retries += act.retries;
        self.failovers += act.failovers;
        self.waits += act.waits;
        self.waited_ms += act.waited_ms;
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.moves.extend(act.moves.iter().cloned().map(|m| Moved { after_ms: m.after_ms + after_ms, ..m }));
        self.look_at.extend(act.look_at.iter().cloned());
    }
}

/// The value that `percent` of all are not above (nearest rank); none of none.
pub(super) fn percentile(values: &[u64], percent: usize) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

/// Whether every breaker that moved since then is closed again.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn is_calm(ledger: &Ledger, since: WallTime) -> Result<bool, String> {
    let moves = moves(ledger, since).await?;
    let last = |scope: &str| moves.iter().rev().find(|m| m.scope == scope).is_none_or(|m| m.to == "closed");
    Ok(moves.iter().all(|m| last(&m.scope)))
}

async fn records(ledger: &Ledger, since: WallTime) -> Result<Vec<Value>, String> {
    ledger.flush().await;
    let filter = Filter { since: Some(since), ..Filter::default() };
    let mut query = Query { filter, limit: PAGE, before: None };
    let mut records = Vec::new();
    loop {
        let page = ledger.requests(&query).await.map_err(|error| error.to_string())?;
        for text in &page {
            records.push(serde_json::from_str::<Value>(text).map_err(|error| error.to_string())?);
        }
        query.before = records.last().and_then(|last| last["id"].as_str()).and_then(|id| id.parse().ok());
        if page.len() < PAGE as usize || query.before.is_none() {
            return Ok(records);
        }
    }
}

/// How breakers moved since then, oldest first.
async fn moves(ledger: &Ledger, since: WallTime) -> Result<Vec<Moved>, String> {
    ledger.flush().await;
    let mut moves = Vec::new();
    for text in ledger.facts(FACTS).await.map_err(|error| error.to_string())? {
        let fact: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let Some(at) = at_millis(&fact["at"]).filter(|at| *at >= since.millis()) else { continue };
        if fact["fact"] == "BreakerChanged" {
            let text = |name: &str| fact[name].as_str().unwrap_or_default().to_owned();
            let after_ms = u64::try_from(at - since.millis()).unwrap_or(0);
            moves.push(Moved { after_ms, scope: text("scope"), from: text("from"), to: text("to"), why: text("why") });
        }
    }
    moves.reverse();
    Ok(moves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(percentile(&values, 50), Some(100));
        assert_eq!(percentile(&values, 99), Some(198));
        assert_eq!(percentile(&[7], 50), Some(7));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn facts_are_counted_from_a_record() {
        let mut tally = Tally::default();
        tally.record(&serde_json::json!({ "events": [
            { "fact": "AttemptStarted", "why": "first" },
            { "fact": "Waited", "why": "retry_after", "for_ms": 1_040 },
            { "fact": "AttemptStarted", "why": "retry" },
            { "fact": "FailedOver", "from": "a/m", "to": "b/n" },
            { "fact": "AttemptStarted", "why": "failover" },
        ]}));
        assert_eq!((tally.retries, tally.failovers, tally.waits, tally.waited_ms), (1, 1, 1, 1_040));
    }
}
