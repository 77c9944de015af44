//! The statement that adds up what was spent.
//!
//! A request is one part, unless its attempts went to several deployments or only some of their costs are known: then each
//! attempt is a part. Parts are grouped; of the groups the dearest are told one by one, and all of them together as one row.

use sqlx::{QueryBuilder, Sqlite};
use weir_units::{RequestId, WallTime};

use crate::query::{first_after, key};
use crate::spend::{SpendBy, SpendQuery};

/// Which requests are taken apart; an index has just these, and is used where this is said word for word.
const SPLIT: &str = "attempts > 1 AND (deployment IS NULL OR cost_nano IS NULL)";

/// The statement for `query`, whose columns are by0, by1 …, groups (null but in the row of all groups) and the sums.
pub(crate) fn statement(query: &SpendQuery) -> QueryBuilder<Sqlite> {
    let names: Vec<String> = (0..query.by.len()).map(|n| format!("by{n}")).collect();
    let named = |text: fn(&str) -> String| names.iter().map(|name| text(name)).collect::<String>();
    let group = if names.is_empty() { String::new() } else { format!(" GROUP BY {}", names.join(", ")) };
    let told_apart = |deployment: &str| -> String {
        query.by.iter().zip(&names).map(|(by, name)| format!("{} AS {name}, ", expression(*by, deployment))).collect()
    };
    // Each kind of part is grouped by itself: put together before, all parts would be copied first.
    let whole = sums(&WHOLE.map(|(name, part)| (name, part.to_owned())));
    let mut sql = QueryBuilder::new(format!(
        "WITH grouped AS MATERIALIZED (SELECT {}{} FROM (SELECT {}{whole} FROM requests r WHERE NOT ({SPLIT})",
        named(|name| format!("{name}, ")),
        sums(&WHOLE.map(|(name, _)| (name, name.to_owned()))),
        told_apart("deployment"),
    ));
    filter(&mut sql, query);
    sql.push(format!(
        "{group} UNION ALL SELECT {}{} FROM requests r, json_each(r.record, '$.attempts') a WHERE {SPLIT}",
        told_apart("(a.value ->> '$.deployment')"),
        sums(&attempts(query)),
    ));
    filter(&mut sql, query);
    sql.push(format!("{group}){group}) "));
    let totals = sums(&WHOLE.map(|(name, _)| (name, name.to_owned())));
    sql.push(format!("SELECT {}count(*) AS groups, {totals} FROM grouped", named(|name| format!("NULL AS {name}, "))));
    if !names.is_empty() {
        sql.push(format!(
            " UNION ALL SELECT * FROM (SELECT {}NULL AS groups, {} FROM grouped \
             ORDER BY cost_dollars + cost_nanos / 1000000000 DESC, cost_nanos % 1000000000 DESC, requests DESC, {} LIMIT ",
            named(|name| format!("{name}, ")),
            WHOLE.map(|(name, _)| name).join(", "),
            names.join(", ")
        ));
        sql.push_bind(query.top).push(")");
    }
    sql
}

/// The sums, and what a request that is one part adds to each. Money is added up as dollars and as what is over a dollar, so
/// that no sum overflows.
const WHOLE: [(&str, &str); 14] = [
    ("requests", "1"),
    ("requests_once", "1"),
    ("attempts", "attempts"),
    ("cost_dollars", "cost_nano / 1000000000"),
    ("cost_nanos", "cost_nano % 1000000000"),
    ("estimated_dollars", "estimated_nano / 1000000000"),
    ("estimated_nanos", "estimated_nano % 1000000000"),
    ("unknown", "cost_nano IS NULL"),
    ("unknown_once", "cost_nano IS NULL"),
    ("input", "input"),
    ("cached_input", "cached_input"),
    ("output", "output"),
    ("reasoning", "reasoning"),
    ("unreported", "unreported"),
];

/// What one attempt of a request that is taken apart adds to each sum.
fn attempts(query: &SpendQuery) -> [(&'static str, String); 14] {
    // An attempt counts its request only if none before it, in the same group, has done so.
    let same: String = query
        .by
        .iter()
        .filter(|by| by.is_of_attempts())
        .map(|by| {
            let (one, other) = ("(b.value ->> '$.deployment')", "(a.value ->> '$.deployment')");
            format!(" AND {} = {}", expression(*by, one), expression(*by, other))
        })
        .collect();
    let earlier = |which: &str| {
        format!("NOT EXISTS (SELECT 1 FROM json_each(r.record, '$.attempts') b WHERE b.key < a.key{which})")
    };
    let (unpriced, priced) = ("(a.value ->> '$.cost_usd') IS NULL", "(b.value ->> '$.cost_usd') IS NULL");
    let cost = nanos("(a.value ->> '$.cost_usd')");
    let estimated = format!("CASE WHEN a.value ->> '$.cost_estimated' THEN {cost} ELSE 0 END");
    let tokens = |name: &str| format!("min(a.value ->> '$.usage.{name}', 1000000000000)");
    [
        ("requests", earlier(&same)),
        ("requests_once", "a.key = 0".to_owned()),
        ("attempts", "1".to_owned()),
        ("cost_dollars", format!("({cost}) / 1000000000")),
        ("cost_nanos", format!("({cost}) % 1000000000")),
        ("estimated_dollars", format!("({estimated}) / 1000000000")),
        ("estimated_nanos", format!("({estimated}) % 1000000000")),
        ("unknown", format!("{unpriced} AND {}", earlier(&format!("{same} AND {priced}")))),
        ("unknown_once", format!("{unpriced} AND {}", earlier(&format!(" AND {priced}")))),
        ("input", tokens("input")),
        ("cached_input", tokens("cached_input")),
        ("output", tokens("output")),
        ("reasoning", tokens("reasoning")),
        ("unreported", "(a.value ->> '$.usage') IS NULL AND (a.value ->> '$.cost_usd') IS NOT '0'".to_owned()),
    ]
}

fn filter(sql: &mut QueryBuilder<Sqlite>, query: &SpendQuery) {
    // An id has room for some nine thousand years.
    let within = |at: WallTime| WallTime(at.0.clamp(0, 281_474_976_710_000_000));
    let first = RequestId::new(within(query.since).millis(), 0);
    sql.push(" AND outcome <> 'open' AND r.id >= ").push_bind(key(first));
    sql.push(" AND r.id < ").push_bind(key(first_after(within(query.until))));
    sql.push(" AND started_at >= ").push_bind(query.since.0);
    sql.push(" AND started_at < ").push_bind(query.until.0);
    if let Some(tenant) = &query.tenant {
        sql.push(" AND tenant = ").push_bind(tenant.clone());
    }
}

fn expression(by: SpendBy, deployment: &str) -> String {
    match by {
        SpendBy::Deployment => deployment.to_owned(),
        SpendBy::Model => format!("substr({deployment}, instr({deployment}, '/') + 1)"),
        SpendBy::Provider => format!("substr({deployment}, 1, instr({deployment}, '/') - 1)"),
        SpendBy::Day => "date(started_at / 1000000, 'unixepoch')".to_owned(),
        // What a list in JSON is taken apart into has a `key`, too.
        SpendBy::Key | SpendBy::Tenant | SpendBy::Route | SpendBy::Run | SpendBy::Outcome => format!("r.{}", by.name()),
    }
}

/// Each sum under its name; of nothing it is zero.
fn sums(parts: &[(&str, String); 14]) -> String {
    parts.iter().map(|(name, part)| format!("coalesce(sum({part}), 0) AS {name}")).collect::<Vec<_>>().join(", ")
}

/// Dollars as a decimal text, in nano-dollars.
fn nanos(text: &str) -> String {
    format!(
        "CAST({text} AS INTEGER) * 1000000000 + \
         CAST(substr(substr({text}, instr({text} || '.', '.') + 1) || '000000000', 1, 9) AS INTEGER)"
    )
}
