//! Which routes agents use: those whose requests offer tools, or belong to runs of more than three turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use weir_capacity::readiness::AgentRoute;
use weir_ledger::{Filter, Query, Reader, StoreError};
use weir_units::WallTime;
use weir_units::numbers::count;

/// So many of a route's newest requests are looked at.
const NEWEST: u32 = 1_000;
/// The most routes that are looked at.
const ROUTES: usize = 200;
/// A run with more requests than this is an agent's.
const TURNS: u64 = 3;

/// Those of `routes` that agents use.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn agents(
    routes: impl Iterator<Item = Arc<str>>,
    reader: &Reader,
    since: WallTime,
    until: WallTime,
) -> Result<Vec<AgentRoute>, StoreError> {
    let mut found = Vec::new();
    for route in routes.take(ROUTES) {
        let filter =
            Filter { since: Some(since), until: Some(until), route: Some(route.to_string()), ..Filter::default() };
        let records = reader.requests(&Query { filter, limit: NEWEST, before: None }).await?;
        if let Some(why) = why(&records) {
            found.push(AgentRoute { route, why });
        }
    }
    Ok(found)
}

/// How it shows in records that agents sent them, if it does.
fn why(records: &[String]) -> Option<String> {
    let (mut with_tools, mut runs, mut all) = (0_u64, BTreeMap::<String, u64>::new(), 0_u64);
    for record in records {
        let Ok(record) = serde_json::from_str::<Value>(record) else { continue };
        all += 1;
        let admitted = record["events"].as_array().into_iter().flatten().find(|event| event["fact"] == "Admitted");
        with_tools += u64::from(admitted.is_some_and(|admitted| admitted["tools"] == true));
        if let Some(run) = record["run"].as_str() {
            *runs.entry(run.to_owned()).or_default() += 1;
        }
    }
    let longest = runs.values().copied().max().unwrap_or_default();
    match (with_tools, longest) {
        (0, ..=TURNS) => None,
        (0, _) => Some(format!("runs of up to {} turns in its newest {} requests", count(longest), count(all))),
        _ => Some(format!("{} of its newest {} requests offer tools", count(with_tools), count(all))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: Option<&str>, tools: bool) -> String {
        let admitted = serde_json::json!({ "fact": "Admitted", "tools": tools });
        serde_json::json!({ "run": run, "events": [admitted] }).to_string()
    }

    #[test]
    fn tools_or_runs_of_more_than_three_turns_are_an_agents() {
        let chat: Vec<String> = (0..90).map(|n| record(Some(&format!("run_{}", n / 3)), false)).collect();
        assert_eq!(why(&chat), None);
        assert_eq!(why(&[]), None);
        let long = [chat.clone(), vec![record(Some("run_7"), false)]].concat();
        assert_eq!(why(&long).as_deref(), Some("runs of up to 4 turns in its newest 91 requests"));
        let tools = [chat, vec![record(None, true)]].concat();
        assert_eq!(why(&tools).as_deref(), Some("1 of its newest 91 requests offer tools"));
        // A damaged record is none.
        assert_eq!(why(&["{".to_owned()]), None);
    }
}
