//! Reading the ledger back: by id, and the newest first.
//!
//! Ids begin with the time of arrival, so pages go by "before this id" and stay stable while new requests come in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};
use weir_units::{NanoUsd, RequestId, WallTime};

use crate::db::{Dialect, Pool};
use crate::filter::Filter;
use crate::index::Reading;
use crate::open::{OpenError, check, check_postgres, not_opened};
use crate::place::{Place, Postgres};
use crate::seen::Seen;
use crate::stored;

/// A page of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which.
    pub filter: Filter,
    /// At most so many.
    pub limit: u32,
    /// Only those that arrived before this one.
    pub before: Option<RequestId>,
}

impl Default for Query {
    /// The newest hundred.
    fn default() -> Self {
        Self { filter: Filter::default(), limit: 100, before: None }
    }
}

/// How many requests there are, as far as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// So many were found.
    pub found: u64,
    /// There may be more.
    pub more: bool,
}

/// Which facts about Weir itself are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactQuery {
    /// Only those of these names, such as `BreakerChanged`; all if there is none.
    pub kinds: Vec<String>,
    /// Only those of this time or later.
    pub since: Option<WallTime>,
    /// Only those before this time.
    pub until: Option<WallTime>,
    /// Only those before the fact of this id.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Default for FactQuery {
    /// The newest hundred.
    fn default() -> Self {
        Self { kinds: Vec::new(), since: None, until: None, before: None, limit: 100 }
    }
}

/// A fact about Weir itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRecord {
    /// Its id, which pages go by.
    pub id: i64,
    /// The fact, with its time and stage, as JSON.
    pub json: String,
}

/// Whose requests are paid from one purse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payer {
    /// Those of these tenants,
    pub tenants: Vec<Arc<str>>,
    /// of these keys,
    pub keys: Vec<Arc<str>>,
    /// and with this tag, its name and its value.
    pub tag: Option<(Arc<str>, Arc<str>)>,
}

/// Why the ledger could not be read, or a key not be written.
#[derive(Debug, thiserror::Error)]
#[error("use the ledger: {0}")]
pub struct StoreError(#[from] sqlx::Error);

/// Reads a ledger and never writes to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) pool: Pool,
}

impl Reader {
    /// Opens the ledger at `path` for reading; it may be served by another process at the same time.
    ///
    /// # Errors
    /// When there is no ledger, or one that this version does not understand.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        let mut connection = readable(path).connect().await.map_err(|error| not_opened(path, error))?;
        check(path, &mut connection).await?;
        Ok(Self::lazy(&Place::File(path.to_owned())))
    }

    /// Opens the ledger in Postgres for reading.
    ///
    /// # Errors
    /// When it cannot be reached, or is one that this version does not understand.
    pub async fn open_postgres(postgres: &Postgres) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Database { path: postgres.to_string().into(), source };
        let mut connection = postgres.options.connect().await.map_err(failed)?;
        check_postgres(postgres, &mut connection).await?;
        connection.close().await.map_err(failed)?;
        Ok(Self::lazy(&Place::Postgres(postgres.clone())))
    }

    /// A reader of a database that is known to be right; it connects when first asked.
    pub(crate) fn lazy(place: &Place) -> Self {
        let pool = match place {
            Place::File(path) => Pool::sqlite(path),
            Place::Postgres(postgres) => Pool::postgres((*postgres.options).clone()),
        };
        Self { pool }
    }

    /// The record of one request as JSON; none if the ledger does not have it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn request(&self, id: RequestId) -> Result<Option<String>, StoreError> {
        let mut sql = self.pool.statement("SELECT record FROM requests WHERE id = ");
        sql.bind(key(id));
        let rows = self.pool.rows(sql).await?;
        Ok(rows.first().map(|row| row.text(0)).transpose()?.map(stored::whole))
    }

    /// The records of the requests that `query` asks for as JSON, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn requests(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        let mut records = Vec::new();
        let limit = query.limit as usize;
        let mut snapshot = self.pool.snapshot().await?;
        let mut reading = Reading::new(&mut snapshot, &query.filter, query.before).await?;
        reading
            .each(|_, record| {
                records.push(stored::whole(record));
                records.len() < limit
            })
            .await?;
        records.truncate(limit);
        Ok(records)
    }

    /// How many requests there are of the kind, counted up to `most`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count(&self, filter: &Filter, most: u64) -> Result<Count, StoreError> {
        let mut snapshot = self.pool.snapshot().await?;
        Ok(Reading::new(&mut snapshot, filter, None).await?.count(most).await?)
    }

    /// The requests of the same content that arrived in the minute before this one did, the newest first: what a client's SDK tries
    /// again looks like that.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn same_call(&self, id: RequestId) -> Result<Vec<String>, StoreError> {
        let Some(record) = self.request(id).await? else { return Ok(Vec::new()) };
        let at = WallTime(id.millis().saturating_mul(1_000));
        let Some(content) = Seen::read(at.0, &record).and_then(|seen| seen.content) else { return Ok(Vec::new()) };
        let since = Some(WallTime(at.0.saturating_sub(60_000_000)));
        let filter = Filter { since, content: Some(content), ..Filter::default() };
        self.requests(&Query { filter, before: Some(id), limit: 100 }).await
    }

    /// What the requests that arrived in `from..until` and that `payer` pays for have cost, as far as it is known. It reads all
    /// that arrived then.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn spent(&self, from: WallTime, until: WallTime, payer: &Payer) -> Result<NanoUsd, StoreError> {
        let postgres = self.pool.dialect() == Dialect::Postgres;
        let sum = if postgres { "coalesce(sum(cost_nano), 0)::bigint" } else { "coalesce(sum(cost_nano), 0)" };
        let mut sql = self.pool.statement(&format!("SELECT {sum} FROM requests WHERE id >= "));
        sql.bind(key(RequestId::new(from.millis().max(0), 0)));
        sql.push(" AND id < ").bind(key(first_after(until)));
        sql.push(" AND started_at >= ").bind(from.0);
        sql.push(" AND started_at < ").bind(until.0).push(" AND (false");
        for (column, names) in [("tenant", &payer.tenants), ("key", &payer.keys)] {
            for name in names {
                sql.push(&format!(" OR {column} = ")).bind(Arc::clone(name));
            }
        }
        if let Some((name, value)) = &payer.tag {
            if postgres {
                sql.push(" OR (record::json -> 'tags' ->> ").bind(Arc::clone(name));
            } else {
                sql.push(" OR (json_extract(record, ").bind(&*format!("$.tags.\"{name}\""));
                sql.push(")");
            }
            sql.push(") = ").bind(Arc::clone(value));
        }
        sql.push(")");
        let rows = self.pool.rows(sql).await?;
        Ok(NanoUsd(rows.first().map_or(Ok(0), |row| row.int(0))?))
    }

    /// The newest `limit` facts about Weir itself as JSON, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn facts(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let facts = self.facts_of(&FactQuery { limit, ..FactQuery::default() }).await?;
        Ok(facts.into_iter().map(|fact| fact.json).collect())
    }

    /// The facts about Weir itself that `query` asks for, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn facts_of(&self, query: &FactQuery) -> Result<Vec<FactRecord>, StoreError> {
        let mut sql = self.pool.statement("SELECT id, record FROM facts WHERE true");
        if let Some(since) = query.since {
            // The id of a fact is never below its time.
            sql.push(" AND id >= ").bind(since.0).push(" AND at >= ").bind(since.0);
        }
        if let Some(until) = query.until {
            sql.push(" AND at < ").bind(until.0);
        }
        if let Some(before) = query.before {
            sql.push(" AND id < ").bind(before);
        }
        for (place, kind) in query.kinds.iter().enumerate() {
            sql.push(if place == 0 { " AND fact IN (" } else { ", " }).bind(kind.as_str());
        }
        sql.push(if query.kinds.is_empty() { "" } else { ")" });
        sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(query.limit));
        let rows = self.pool.rows(sql).await?;
        Ok(rows
            .iter()
            .map(|row| Ok(FactRecord { id: row.int(0)?, json: row.text(1)? }))
            .collect::<Result<_, sqlx::Error>>()?)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// How a database at `path` is opened for reading.
pub(crate) fn readable(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(Duration::from_secs(2))
        .disable_statement_logging()
}

pub(crate) fn key(id: RequestId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

/// The first id that can belong to a request of a later millisecond than `at`.
pub(crate) fn first_after(at: WallTime) -> RequestId {
    RequestId::new(at.millis().max(0).saturating_add(1), 0)
}
