//! The statement that adds up what was spent.
//!
//! A request is one part, unless its attempts went to several deployments or only some of their costs are known: then each
//! attempt is a part. Parts are grouped; of the groups, the dearest are told one by one, and all of them once as one row.

use sqlx::{QueryBuilder, Sqlite};
use weir_units::RequestId;

use crate::query::{first_after, key};
use crate::spend::{SpendBy, SpendQuery};

/// Which requests are taken apart; an index has just these, and is used where this is said word for word.
const SPLIT: &str = "attempts > 1 AND (deployment IS NULL OR cost_nano IS NULL)";

/// The statement for `query`, whose columns are by0, by1 …, groups (null but in the row of all groups) and the sums.
pub(crate) fn statement(query: &SpendQuery) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(
        "WITH parts AS (SELECT tenant, key, route, run, outcome, started_at, deployment, \
         1 AS requests, 1 AS requests_once, attempts, cost_nano AS cost, estimated_nano AS estimated, \
         cost_nano IS NULL AS unknown, cost_nano IS NULL AS unknown_once, \
         input, cached_input, output, reasoning, unreported FROM requests r WHERE NOT (",
    );
    sql.push(SPLIT).push(")");
    filter(&mut sql, query);
    sql.push(attempts(query)).push(" WHERE ").push(SPLIT);
    filter(&mut sql, query);
    let names: Vec<String> = (0..query.by.len()).map(|n| format!("by{n}")).collect();
    let named = |text: fn(&str) -> String| names.iter().map(|name| text(name)).collect::<String>();
    let expressions: String = query
        .by
        .iter()
        .zip(&names)
        .map(|(by, name)| format!("{} AS {name}, ", expression(*by, "deployment")))
        .collect();
    // Without GROUP BY there would be a row even of nothing, as it should be: the sum of nothing.
    let group = if names.is_empty() { String::new() } else { format!(" GROUP BY {}", names.join(", ")) };
    sql.push(format!("), grouped AS MATERIALIZED (SELECT {expressions}{} FROM parts{group}) ", sums(true)));
    sql.push(format!(
        "SELECT {}count(*) AS groups, {} FROM grouped",
        named(|name| format!("NULL AS {name}, ")),
        sums(false)
    ));
    if !names.is_empty() {
        sql.push(format!(
            " UNION ALL SELECT * FROM (SELECT {}NULL AS groups, {} FROM grouped \
             ORDER BY cost_dollars + cost_nanos / 1000000000 DESC, cost_nanos % 1000000000 DESC, requests DESC, {} LIMIT ",
            named(|name| format!("{name}, ")),
            COLUMNS.map(|(name, _)| name).join(", "),
            names.join(", ")
        ));
        sql.push_bind(query.top).push(")");
    }
    sql
}

/// The attempts of the requests that are taken apart, as parts.
fn attempts(query: &SpendQuery) -> String {
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
    let tokens = |name: &str| format!("coalesce(min(a.value ->> '$.usage.{name}', 1000000000000), 0)");
    format!(
        " UNION ALL SELECT tenant, r.key, route, run, outcome, started_at, a.value ->> '$.deployment', \
         {first}, a.key = 0, 1, {cost}, CASE WHEN a.value ->> '$.cost_estimated' THEN {cost} ELSE 0 END, \
         {unpriced} AND {first_unpriced}, {unpriced} AND {first_unpriced_of_all}, \
         {input}, {cached}, {output}, {reasoning}, \
         (a.value ->> '$.usage') IS NULL AND (a.value ->> '$.cost_usd') IS NOT '0' \
         FROM requests r, json_each(r.record, '$.attempts') a",
        first = earlier(&same),
        first_unpriced = earlier(&format!("{same} AND {priced}")),
        first_unpriced_of_all = earlier(&format!(" AND {priced}")),
        input = tokens("input"),
        cached = tokens("cached_input"),
        output = tokens("output"),
        reasoning = tokens("reasoning"),
    )
}

fn filter(sql: &mut QueryBuilder<Sqlite>, query: &SpendQuery) {
    let first = RequestId::new(query.since.millis().max(0), 0);
    sql.push(" AND outcome <> 'open' AND r.id >= ").push_bind(key(first));
    sql.push(" AND r.id < ").push_bind(key(first_after(query.until)));
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
        SpendBy::Key | SpendBy::Tenant | SpendBy::Route | SpendBy::Run | SpendBy::Outcome => by.name().to_owned(),
    }
}

/// The sums, and what of a part each adds up. Money is added up as dollars and as what is over a dollar.
const COLUMNS: [(&str, &str); 14] = [
    ("requests", "requests"),
    ("requests_once", "requests_once"),
    ("attempts", "attempts"),
    ("cost_dollars", "cost / 1000000000"),
    ("cost_nanos", "cost % 1000000000"),
    ("estimated_dollars", "estimated / 1000000000"),
    ("estimated_nanos", "estimated % 1000000000"),
    ("unknown", "unknown"),
    ("unknown_once", "unknown_once"),
    ("input", "input"),
    ("cached_input", "cached_input"),
    ("output", "output"),
    ("reasoning", "reasoning"),
    ("unreported", "unreported"),
];

/// The sums over parts, or over groups of them.
fn sums(of_parts: bool) -> String {
    let sum =
        |(name, part): (&str, &str)| format!("coalesce(sum({}), 0) AS {name}", if of_parts { part } else { name });
    COLUMNS.map(sum).join(", ")
}

/// Dollars as a decimal text, in nano-dollars.
fn nanos(text: &str) -> String {
    format!(
        "CAST({text} AS INTEGER) * 1000000000 + \
         CAST(substr(substr({text}, instr({text} || '.', '.') + 1) || '000000000', 1, 9) AS INTEGER)"
    )
}
