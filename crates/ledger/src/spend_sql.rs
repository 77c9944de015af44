//! The statement that adds up what was spent.
//!
//! A request is one part, unless its attempts went to several deployments or only some of their costs are known: then each
//! attempt is a part. Parts are grouped; of the groups the dearest are told one by one, and all of them together as one row.

use weir_units::RequestId;

use crate::db::{Dialect, Statement};
use crate::filter::within;
use crate::query::{first_after, key};
use crate::spend::{SpendBy, SpendQuery};

/// Which requests are taken apart; an index has just these, and is used where this is said word for word.
const SPLIT: &str = "attempts > 1 AND (deployment IS NULL OR cost_nano IS NULL)";

/// The statement for `query`, whose columns are by0, by1 …, groups (null but in the row of all groups) and the sums.
pub(crate) fn statement(dialect: Dialect, query: &SpendQuery) -> Statement {
    let names: Vec<String> = (0..query.by.len()).map(|n| format!("by{n}")).collect();
    let named = |text: fn(&str) -> String| names.iter().map(|name| text(name)).collect::<String>();
    let group = if names.is_empty() { String::new() } else { format!(" GROUP BY {}", names.join(", ")) };
    let told_apart = |deployment: &str| -> String {
        query
            .by
            .iter()
            .zip(&names)
            .map(|(by, name)| format!("{} AS {name}, ", expression(dialect, *by, deployment)))
            .collect()
    };
    // Each kind of part is grouped by itself: put together before, all parts would be copied first.
    let whole = sums(dialect, &WHOLE.map(|(name, part)| (name, part.to_owned())));
    let mut sql = Statement::new(
        dialect,
        &format!(
            "WITH grouped AS MATERIALIZED (SELECT {}{} FROM (SELECT {}{whole} FROM requests r WHERE NOT ({SPLIT})",
            named(|name| format!("{name}, ")),
            sums(dialect, &WHOLE.map(|(name, _)| (name, name.to_owned()))),
            told_apart("deployment"),
        ),
    );
    filter(&mut sql, query);
    sql.push(&format!(
        "{group} UNION ALL SELECT {}{} FROM requests r, {} WHERE {SPLIT}",
        told_apart(&member(dialect, "a", "deployment")),
        sums(dialect, &attempts(dialect, query)),
        parts(dialect, "a"),
    ));
    filter(&mut sql, query);
    sql.push(&format!("{group}){} {group}) ", if dialect == Dialect::Postgres { " parts" } else { "" }));
    let totals = sums(dialect, &WHOLE.map(|(name, _)| (name, name.to_owned())));
    sql.push(&format!("SELECT {}count(*) AS groups, {totals} FROM grouped", named(null)));
    if !names.is_empty() {
        sql.push(&format!(
            " UNION ALL SELECT * FROM (SELECT {}{} AS groups, {} FROM grouped \
             ORDER BY cost_dollars + cost_nanos / 1000000000 DESC, cost_nanos % 1000000000 DESC, requests DESC, {} LIMIT ",
            named(|name| format!("{name}, ")),
            if dialect == Dialect::Postgres { "NULL::bigint" } else { "NULL" },
            WHOLE.map(|(name, _)| name).join(", "),
            names.join(", ")
        ));
        sql.bind(i64::from(query.top)).push(if dialect == Dialect::Postgres { ") told" } else { ")" });
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

/// The names of the sums, in the order of their columns.
pub(crate) const SUMS: [&str; 14] = {
    let mut names = [""; 14];
    let mut n = 0;
    while n < names.len() {
        names[n] = WHOLE[n].0;
        n += 1;
    }
    names
};

/// What one attempt of a request that is taken apart adds to each sum.
fn attempts(dialect: Dialect, query: &SpendQuery) -> [(&'static str, String); 14] {
    // An attempt counts its request only if none before it, in the same group, has done so.
    let same: String = query
        .by
        .iter()
        .filter(|by| by.is_of_attempts())
        .map(|by| {
            let (one, other) = (member(dialect, "b", "deployment"), member(dialect, "a", "deployment"));
            format!(" AND {} = {}", expression(dialect, *by, &one), expression(dialect, *by, &other))
        })
        .collect();
    let others = parts(dialect, "b");
    let earlier = |which: &str| format!("NOT EXISTS (SELECT 1 FROM {others} WHERE b.key < a.key{which})");
    let own = |name: &str| member(dialect, "a", name);
    let unpriced = format!("{} IS NULL", own("cost_usd"));
    let priced = format!("{} IS NULL", member(dialect, "b", "cost_usd"));
    let cost = nanos(dialect, &own("cost_usd"));
    let flag = if dialect == Dialect::Postgres { " = 'true'" } else { "" };
    let estimated = format!("CASE WHEN {}{flag} THEN {cost} ELSE 0 END", own("cost_estimated"));
    let tokens = |name: &str| match dialect {
        Dialect::Sqlite => format!("min(a.value ->> '$.usage.{name}', 1000000000000)"),
        Dialect::Postgres => format!("least(coalesce((a.value -> 'usage' ->> '{name}')::numeric, 0), 1000000000000)"),
    };
    let first = if dialect == Dialect::Postgres { "a.key = 1" } else { "a.key = 0" };
    [
        ("requests", earlier(&same)),
        ("requests_once", first.to_owned()),
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
        ("unreported", format!("{} IS NULL AND coalesce({}, '') <> '0'", own("usage"), own("cost_usd"))),
    ]
}

/// The attempts of a request, each with its place as `key`.
fn parts(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("json_each(r.record, '$.attempts') {name}"),
        Dialect::Postgres => {
            format!("json_array_elements(r.record::json -> 'attempts') WITH ORDINALITY AS {name}(value, key)")
        }
    }
}

/// A member of an attempt as a text.
fn member(dialect: Dialect, of: &str, name: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("({of}.value ->> '$.{name}')"),
        Dialect::Postgres => format!("({of}.value ->> '{name}')"),
    }
}

fn null(name: &str) -> String {
    format!("NULL AS {name}, ")
}

fn filter(sql: &mut Statement, query: &SpendQuery) {
    let first = RequestId::new(within(query.since).millis(), 0);
    sql.push(" AND outcome <> 'open' AND r.id >= ").bind(key(first));
    sql.push(" AND r.id < ").bind(key(first_after(within(query.until))));
    sql.push(" AND started_at >= ").bind(query.since.0);
    sql.push(" AND started_at < ").bind(query.until.0);
    if let Some(tenant) = &query.tenant {
        sql.push(" AND tenant = ").bind(tenant.as_str());
    }
}

fn expression(dialect: Dialect, by: SpendBy, deployment: &str) -> String {
    let place = if dialect == Dialect::Postgres { "strpos" } else { "instr" };
    match by {
        SpendBy::Deployment => deployment.to_owned(),
        SpendBy::Model => format!("substr({deployment}, {place}({deployment}, '/') + 1)"),
        SpendBy::Provider => format!("substr({deployment}, 1, {place}({deployment}, '/') - 1)"),
        SpendBy::Day if dialect == Dialect::Postgres => {
            "to_char(to_timestamp(started_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')".to_owned()
        }
        SpendBy::Day => "date(started_at / 1000000, 'unixepoch')".to_owned(),
        // What a list in JSON is taken apart into has a `key`, too.
        SpendBy::Key | SpendBy::Tenant | SpendBy::Route | SpendBy::Run | SpendBy::Outcome => format!("r.{}", by.name()),
    }
}

/// Each sum under its name; of nothing it is zero. What is true counts as one.
fn sums(dialect: Dialect, parts: &[(&str, String); 14]) -> String {
    let sum = |(name, part): &(&str, String)| {
        let truth = part.contains(" IS NULL") || part.contains(".key =") || part.contains("EXISTS");
        match dialect {
            Dialect::Sqlite => format!("coalesce(sum({part}), 0) AS {name}"),
            Dialect::Postgres if truth => {
                format!("coalesce(sum(CASE WHEN {part} THEN 1 ELSE 0 END), 0)::bigint AS {name}")
            }
            Dialect::Postgres => format!("coalesce(sum({part}), 0)::bigint AS {name}"),
        }
    };
    parts.iter().map(sum).collect::<Vec<_>>().join(", ")
}

/// Dollars as a decimal text, in nano-dollars.
fn nanos(dialect: Dialect, text: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!(
            "CAST({text} AS INTEGER) * 1000000000 + \
             CAST(substr(substr({text}, instr({text} || '.', '.') + 1) || '000000000', 1, 9) AS INTEGER)"
        ),
        Dialect::Postgres => format!("({text}::numeric * 1000000000)::bigint"),
    }
}
