//! What was spent, added up by key, model, run and more: sums that are exact, of whatever the ledger still has.
//!
//! Roll-ups have the sums of all but runs (`spend_rolled.rs`), and others have those of runs (`runs/`). What neither knows, such as the models of each run, is added up by the database, over columns;
//! the few requests whose attempts went to several deployments are taken apart by their records (`spend_sql.rs` writes the statement). What is unknown is counted beside a sum and is never zero in it.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sqlx::ConnectOptions;
use weir_units::{NanoUsd, WallTime};

use crate::db::{Connection, DbRow, Pool};
use crate::query::{Reader, StoreError};
use crate::runs::Rolled;
use crate::series::Tally;
use crate::spend_sql::{SUMS, statement};

/// What can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendBy {
    /// The name of the client's key.
    Key,
    /// Who the key belongs to.
    Tenant,
    /// The model that was called, by its provider's name for it.
    Model,
    /// What was called, `provider/model`.
    Deployment,
    /// The provider that was called.
    Provider,
    /// The route, or the name that led straight to a deployment.
    Route,
    /// The agent run or conversation.
    Run,
    /// The day of arrival, in UTC.
    Day,
    /// How the request ended.
    Outcome,
}

impl SpendBy {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Key,
        Self::Tenant,
        Self::Model,
        Self::Deployment,
        Self::Provider,
        Self::Route,
        Self::Run,
        Self::Day,
        Self::Outcome,
    ];

    /// The name in questions and answers: `key`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Model => "model",
            Self::Deployment => "deployment",
            Self::Provider => "provider",
            Self::Route => "route",
            Self::Run => "run",
            Self::Day => "day",
            Self::Outcome => "outcome",
        }
    }

    /// Reads names with commas between them, each once.
    ///
    /// # Errors
    /// A sentence that says which name is none, and what the names are.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let mut list = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = Self::ALL.map(Self::name).join(", ");
            let one = Self::ALL.into_iter().find(|by| by.name() == name);
            let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            let one = one.ok_or_else(|| format!("spend is not known by `{shown}`, but by {known}"))?;
            if !list.contains(&one) {
                list.push(one);
            }
        }
        Ok(list)
    }

    /// Whether attempts of one request may differ in it.
    pub(crate) fn is_of_attempts(self) -> bool {
        matches!(self, Self::Model | Self::Deployment | Self::Provider)
    }
}

/// What is to be added up.
#[derive(Clone, Debug)]
pub struct SpendQuery {
    /// What is told apart; with nothing, there is one sum of all.
    pub by: Vec<SpendBy>,
    /// Only requests that arrived at this time or later.
    pub since: WallTime,
    /// Only requests that arrived before this time.
    pub until: WallTime,
    /// Only those of this tenant.
    pub tenant: Option<String>,
    /// The dearest so many are told one by one, and the others as one sum.
    pub top: u32,
}

/// Why nothing was added up.
#[derive(Debug, thiserror::Error)]
pub enum SpendError {
    /// It takes too long.
    #[error("adding up takes longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// The ledger cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for SpendError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Sums over requests that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests; one whose attempts fall under several rows counts in each of them, and once in the total.
    pub requests: u64,
    /// Calls upstream, also those that failed.
    pub attempts: u64,
    /// What is known of the cost.
    pub cost: NanoUsd,
    /// The part of it that is estimated.
    pub estimated: NanoUsd,
    /// Requests of which a part of the cost, or all of it, is unknown.
    pub unknown: u64,
    /// Input tokens, as providers reported them, cached ones too.
    pub input: u64,
    /// Of those, what a cache had.
    pub cached_input: u64,
    /// Output tokens, reasoning ones too.
    pub output: u64,
    /// Of those, what was reasoning.
    pub reasoning: u64,
    /// Calls that cost something, or nobody knows what, and whose tokens are unknown.
    pub unreported: u64,
}

/// The sums of what has these names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRow {
    /// A name for each thing that is told apart, in the query's order; none where there is none.
    pub names: Vec<Option<String>>,
    /// Its sums.
    pub sums: Sums,
}

/// What was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The dearest first; by day, in the order of days.
    pub rows: Vec<SpendRow>,
    /// How many more there are, and their sums.
    pub rest: (u64, Sums),
    /// All of it.
    pub total: Sums,
}

impl Reader {
    /// What was spent, added up as `query` says. Memory is bounded by `top`; time by `patience`, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read, or not within `patience`.
    pub async fn spend(&self, query: &SpendQuery, patience: Option<Duration>) -> Result<Spend, SpendError> {
        if !query.by.contains(&SpendBy::Run) {
            let deadline = patience.map(|patience| Instant::now() + patience);
            let spend = self.spend_rolled(query, deadline).await?;
            return spend.ok_or(SpendError::TooLong(patience.unwrap_or_default()));
        }
        match self.spend_of_runs(query, patience.map(|patience| Instant::now() + patience)).await? {
            Rolled::Told(spend) => return Ok(spend),
            Rolled::TooLate => return Err(SpendError::TooLong(patience.unwrap_or_default())),
            Rolled::Unknown => {}
        }
        let sql = statement(self.pool.dialect(), query);
        let rows = match &self.pool {
            Pool::Sqlite(pool) => {
                // A connection of its own, which ends with this question even if nobody waits for the answer.
                let mut connection = pool.connect_options().connect().await?;
                let deadline = patience.map(|patience| Instant::now() + patience);
                connection
                    .lock_handle()
                    .await?
                    .set_progress_handler(10_000, move || deadline.is_none_or(|deadline| Instant::now() < deadline));
                Connection::Sqlite(connection).rows(sql).await
            }
            Pool::Postgres(pool) => {
                let mut connection = Connection::Postgres(pool.connect_options().connect().await?);
                if let Some(patience) = patience {
                    let limit = format!("SET statement_timeout = {}", patience.as_millis().max(1));
                    connection.execute(connection.statement(&limit)).await?;
                }
                connection.rows(sql).await
            }
        };
        match rows {
            Ok(rows) => Spend::read(query, &rows).map_err(Into::into),
            // SQLITE_INTERRUPT, and what Postgres calls query_canceled.
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "9" || code == "57014") => {
                Err(SpendError::TooLong(patience.unwrap_or_default()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Spend {
    fn read(query: &SpendQuery, rows: &[DbRow]) -> Result<Self, sqlx::Error> {
        let mut spend = Self { rows: Vec::new(), rest: (0, Sums::default()), total: Sums::default() };
        let names = query.by.len();
        for row in rows {
            let (own, once) = (Sums::read(row, names + 1, false)?, Sums::read(row, names + 1, true)?);
            match row.some_int(names)? {
                // The row of all groups together.
                Some(groups) => {
                    let told_apart = !query.by.is_empty();
                    spend.rest = if told_apart { (groups.cast_unsigned(), own) } else { spend.rest };
                    spend.total = once;
                }
                None => {
                    let names = (0..names).map(|n| row.some_text(n));
                    spend.rows.push(SpendRow { names: names.collect::<Result<_, _>>()?, sums: own });
                }
            }
        }
        for row in &spend.rows {
            spend.rest.0 = spend.rest.0.saturating_sub(1);
            spend.rest.1.take_out(&row.sums);
        }
        if let Some(day) = query.by.iter().position(|by| *by == SpendBy::Day) {
            spend.rows.sort_by(|a, b| a.names[day].cmp(&b.names[day]));
        }
        Ok(spend)
    }

    /// The answer to `query` as JSON.
    #[must_use]
    pub fn to_json(&self, query: &SpendQuery) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(|row| row.to_json(&query.by)).collect();
        let rest = (self.rest.0 > 0).then(|| {
            let mut rest = self.rest.1.to_json();
            rest.insert("rows".to_owned(), self.rest.0.into());
            rest
        });
        json!({
            "since": query.since.to_string(),
            "until": query.until.to_string(),
            "by": query.by.iter().map(|by| by.name()).collect::<Vec<_>>(),
            "tenant": query.tenant,
            "rows": rows,
            "rest": rest,
            "total": self.total.to_json(),
        })
    }
}

impl SpendRow {
    fn to_json(&self, by: &[SpendBy]) -> Value {
        let mut row = self.sums.to_json();
        for (by, name) in by.iter().zip(&self.names) {
            row.insert(by.name().to_owned(), name.as_deref().into());
        }
        Value::Object(row)
    }
}

impl Sums {
    /// Reads the sums of a row, whose first is in the column `first`; `once` counts a request once, in however many groups it is.
    fn read(row: &DbRow, first: usize, once: bool) -> Result<Self, sqlx::Error> {
        let column = |name: &str| SUMS.iter().position(|sum| *sum == name).map_or(first, |place| first + place);
        let count = |name: &str| row.int(column(name)).map(|count| u64::try_from(count).unwrap_or_default());
        // Dollars and what is over a dollar are added up apart, so that no sum overflows.
        let money = |dollars: &str, nanos: &str| -> Result<NanoUsd, sqlx::Error> {
            let (dollars, nanos): (i64, i64) = (row.int(column(dollars))?, row.int(column(nanos))?);
            Ok(NanoUsd(dollars.saturating_mul(1_000_000_000).saturating_add(nanos)))
        };
        Ok(Self {
            requests: count(if once { "requests_once" } else { "requests" })?,
            attempts: count("attempts")?,
            cost: money("cost_dollars", "cost_nanos")?,
            estimated: money("estimated_dollars", "estimated_nanos")?,
            unknown: count(if once { "unknown_once" } else { "unknown" })?,
            input: count("input")?,
            cached_input: count("cached_input")?,
            output: count("output")?,
            reasoning: count("reasoning")?,
            unreported: count("unreported")?,
        })
    }

    /// Adds the sums of calls.
    pub(crate) fn add_calls(&mut self, calls: &Tally) {
        self.attempts += calls.calls.attempts;
        self.cost += calls.cost;
        self.estimated += calls.estimated;
        self.input += calls.calls.input;
        self.cached_input += calls.calls.cached_input;
        self.output += calls.calls.output;
        self.reasoning += calls.calls.reasoning;
        self.unreported += calls.calls.unreported;
    }

    /// Adds other sums.
    pub(crate) fn merge(&mut self, part: &Self) {
        self.requests += part.requests;
        self.attempts += part.attempts;
        self.cost += part.cost;
        self.estimated += part.estimated;
        self.unknown += part.unknown;
        self.input += part.input;
        self.cached_input += part.cached_input;
        self.output += part.output;
        self.reasoning += part.reasoning;
        self.unreported += part.unreported;
    }

    /// Takes out the sums of a part.
    pub(crate) fn take_out(&mut self, part: &Self) {
        self.cost = self.cost.saturating_sub(part.cost);
        self.estimated = self.estimated.saturating_sub(part.estimated);
        for (sum, part) in [
            (&mut self.requests, part.requests),
            (&mut self.attempts, part.attempts),
            (&mut self.unknown, part.unknown),
            (&mut self.input, part.input),
            (&mut self.cached_input, part.cached_input),
            (&mut self.output, part.output),
            (&mut self.reasoning, part.reasoning),
            (&mut self.unreported, part.unreported),
        ] {
            *sum = sum.saturating_sub(part);
        }
    }

    fn to_json(self) -> Map<String, Value> {
        let value = json!({
            "cost_usd": self.cost.to_string(),
            "estimated_usd": self.estimated.to_string(),
            "cost_unknown": self.unknown,
            "requests": self.requests,
            "attempts": self.attempts,
            "usage": {
                "input": self.input, "cached_input": self.cached_input, "output": self.output, "reasoning": self.reasoning,
            },
            "usage_unknown": self.unreported,
        });
        if let Value::Object(members) = value { members } else { Map::new() }
    }
}
