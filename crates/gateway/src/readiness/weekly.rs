//! What the weekly report and the runbook are made from.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use weir_capacity::desk::Desk;
use weir_capacity::readiness::Readiness;
use weir_capacity::report::{Ladder, LadderRoute, LimitMove, Seen, SpendLine, Weekly};
use weir_capacity::waste::{By, WasteReport};
use weir_config::{AfterCut, Config};
use weir_engine::Strategy;
use weir_ledger::{
    AuditQuery, FactQuery, Measured, Reader, Spend, SpendBy, SpendError, SpendQuery, StoreError, in_words,
};
use weir_units::WallTime;

use crate::waste_report::waste_figures;

/// Changes of limits that are looked at.
const CHANGES: u32 = 500;
/// Names that are told apart.
const NAMES: u32 = 50;
/// Requests in which something was wasted that are read one by one.
const WASTED: u64 = 50_000;
/// How long sums of runs may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads what the weekly report says of `since..until`.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn weekly(
    config: &Config,
    reader: &Reader,
    (since, until): (WallTime, WallTime),
    desk: Option<Desk>,
    readiness: Option<(Readiness, Option<Readiness>)>,
) -> Result<Weekly, StoreError> {
    let uptime = reader.uptime(until).await?;
    let figures = reader.figures(since, until).await?;
    let all = figures.all_users();
    // The place of thirty days among those that uptime is measured over.
    let month = |over: &[Measured; 4]| over[2];
    let mut users = vec![Seen {
        name: "all routes".to_owned(),
        week: Measured { answered: all.answered, asked: all.requests },
        month: month(&uptime.users),
    }];
    users.extend(figures.users.iter().filter_map(|(name, seen)| {
        let name = name.as_deref()?;
        let over = uptime.routes.iter().find(|(known, _)| **known == *name).map(|(_, over)| month(over));
        let week = Measured { answered: seen.answered, asked: seen.requests };
        Some(Seen { name: name.to_owned(), week, month: over.unwrap_or_default() })
    }));
    users[1..].sort_by_key(|seen| std::cmp::Reverse(seen.week.asked));
    let week: BTreeMap<_, _> = figures.by_provider().into_iter().collect();
    let provider = |(name, over): &(std::sync::Arc<str>, [Measured; 4])| Seen {
        name: name.to_string(),
        week: week
            .get(name)
            .map_or(Measured::default(), |calls| Measured { answered: calls.answered, asked: calls.asked() }),
        month: month(over),
    };
    let before = WallTime(since.0.saturating_sub(until.0.saturating_sub(since.0)));
    let (now, then) = (spent(reader, since, until).await?, spent(reader, before, since).await?);
    let waste = waste_figures(reader, (since, until), Some(PATIENCE), |read| read < WASTED).await?;
    let newest = reader.audit(&AuditQuery { limit: 1, ..AuditQuery::default() }).await?;
    Ok(Weekly {
        since,
        until,
        zone: Some(config.zone.clone()),
        zone_name: config.server.timezone.clone(),
        owner: config.alerts.owner.name.as_deref().map(str::to_owned),
        desk,
        users,
        providers: uptime.providers.iter().map(provider).collect(),
        moves: moves(reader, since, until).await?,
        spend: lines(&now, &then),
        total: line("all".to_owned(), &now.total, then.total.cost),
        waste: Some(WasteReport::of(&waste, By::Route, 5)),
        readiness,
        chain: newest.into_iter().next().map(|row| (row.sequence, row.hash)),
    })
}

async fn spent(reader: &Reader, since: WallTime, until: WallTime) -> Result<Spend, StoreError> {
    let query = SpendQuery { by: vec![SpendBy::Deployment], since, until, tenant: None, top: NAMES };
    match reader.spend(&query, None).await {
        Ok(spend) => Ok(spend),
        Err(SpendError::Store(error)) => Err(error),
        Err(SpendError::TooLong(_)) => {
            Ok(Spend { rows: Vec::new(), rest: (0, weir_ledger::Sums::default()), total: weir_ledger::Sums::default() })
        }
    }
}

fn line(name: String, sums: &weir_ledger::Sums, before: weir_units::NanoUsd) -> SpendLine {
    SpendLine { name, requests: sums.requests, cost: sums.cost, unpriced: sums.unknown, before }
}

fn lines(now: &Spend, then: &Spend) -> Vec<SpendLine> {
    let name = |row: &weir_ledger::SpendRow| row.names.first().cloned().flatten();
    let before = |of: &str| {
        let row = then.rows.iter().find(|row| name(row).as_deref() == Some(of));
        row.map(|row| row.sums.cost).unwrap_or_default()
    };
    let mut lines = Vec::new();
    for row in &now.rows {
        if let Some(of) = name(row) {
            let before = before(&of);
            lines.push(line(of, &row.sums, before));
        }
    }
    lines
}

async fn moves(reader: &Reader, since: WallTime, until: WallTime) -> Result<Vec<LimitMove>, StoreError> {
    let query = FactQuery {
        kinds: vec!["LimitChanged".to_owned()],
        since: Some(since),
        until: Some(until),
        limit: CHANGES,
        ..FactQuery::default()
    };
    let facts = reader.facts_of(&query).await?;
    let told = facts.iter().rev().filter_map(|fact| {
        let fact: Value = serde_json::from_str(&fact.json).ok()?;
        // What was there before is a change; what is known for the first time is none.
        fact["old"].as_u64()?;
        let at = fact["at"].as_str()?.parse().ok()?;
        Some(LimitMove { at, words: in_words(&fact) })
    });
    Ok(told.collect())
}

/// What the configuration says of what happens when calls fail.
#[must_use]
pub fn ladder(config: &Config) -> Ladder {
    let breaker = &config.engine.breaker;
    let route = |route: &weir_config::Route| LadderRoute {
        name: route.name.clone(),
        deployments: route.deployments.iter().map(|deployment| deployment.to_string().into()).collect(),
        balanced: route.strategy == Strategy::Balance,
        critical: route.critical,
        splices: route.after_cut == AfterCut::Splice,
        connect: route.timeouts.connect,
        first_byte: route.timeouts.first_byte,
    };
    let contact = |(name, contact): (&std::sync::Arc<str>, &weir_config::Contact)| {
        let parts: Vec<&str> =
            [contact.contact.as_deref(), contact.upgrade_url.as_deref()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| (name.clone(), parts.join(", ")))
    };
    Ladder {
        routes: config.routes.values().map(route).collect(),
        consecutive_failures: breaker.consecutive_failures,
        failure_rate: f64::from(breaker.failure_rate_ppm) / 1e6,
        window: breaker.window,
        cooldown: breaker.cooldown,
        breaker_off: super::setup::breaker_off(breaker),
        owner: config.alerts.owner.name.clone(),
        attempts: config.engine.retry.attempts,
        contacts: config.contacts.iter().filter_map(contact).collect(),
    }
}
