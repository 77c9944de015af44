//! Reading the ledger back: by id, and the newest first.
//!
//! Ids begin with the time of arrival, so pages go by "before this id" and stay stable while new requests come in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, QueryBuilder, Sqlite};
use weir_units::{NanoUsd, RequestId, WallTime};

use crate::open::{OpenError, check, not_opened};

/// Which requests are asked for. What is left out does not restrict.
#[derive(Clone, Debug)]
pub struct Query {
    /// At most so many.
    pub limit: u32,
    /// Only those that arrived before this one.
    pub before: Option<RequestId>,
    /// Only those of this key.
    pub key: Option<String>,
    /// Only those of this tenant.
    pub tenant: Option<String>,
    /// Only those of this route.
    pub route: Option<String>,
    /// Only those that ended with this status.
    pub status: Option<u16>,
    /// Only those that arrived at this time or later.
    pub since: Option<WallTime>,
    /// Only those that arrived before this time.
    pub until: Option<WallTime>,
}

impl Default for Query {
    /// The newest hundred.
    fn default() -> Self {
        Self { limit: 100, before: None, key: None, tenant: None, route: None, status: None, since: None, until: None }
    }
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
    pub(crate) pool: SqlitePool,
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
        Ok(Self::lazy(path))
    }

    /// A reader of a database that is known to be right; it connects when first asked.
    pub(crate) fn lazy(path: &Path) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .test_before_acquire(false)
            .connect_lazy_with(readable(path));
        Self { pool }
    }

    /// The record of one request as JSON; none if the ledger does not have it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn request(&self, id: RequestId) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT record FROM requests WHERE id = ?").bind(key(id));
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// The records of the requests that `query` asks for as JSON, newest first. Without `since`, a filter that matches
    /// little reads the whole ledger.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn requests(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT record FROM requests WHERE true");
        if let Some(before) = query.before {
            sql.push(" AND id < ").push_bind(key(before));
        }
        if let Some(until) = query.until {
            sql.push(" AND id < ").push_bind(key(first_after(until)));
            sql.push(" AND started_at < ").push_bind(until.0);
        }
        if let Some(since) = query.since {
            sql.push(" AND id >= ").push_bind(key(RequestId::new(since.millis().max(0), 0)));
            sql.push(" AND started_at >= ").push_bind(since.0);
        }
        for (column, value) in [("key", &query.key), ("tenant", &query.tenant), ("route", &query.route)] {
            if let Some(value) = value {
                sql.push(format!(" AND {column} = ")).push_bind(value.as_str());
            }
        }
        if let Some(status) = query.status {
            sql.push(" AND status = ").push_bind(status);
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(query.limit);
        Ok(sql.build_query_scalar().fetch_all(&self.pool).await?)
    }

    /// What the requests that arrived in `from..until` and that `payer` pays for have cost, as far as it is known. It reads all
    /// that arrived then.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn spent(&self, from: WallTime, until: WallTime, payer: &Payer) -> Result<NanoUsd, StoreError> {
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new("SELECT coalesce(sum(cost_nano), 0) FROM requests WHERE id >= ");
        sql.push_bind(key(RequestId::new(from.millis().max(0), 0)));
        sql.push(" AND id < ").push_bind(key(first_after(until)));
        sql.push(" AND started_at >= ").push_bind(from.0);
        sql.push(" AND started_at < ").push_bind(until.0).push(" AND (false");
        for (column, names) in [("tenant", &payer.tenants), ("key", &payer.keys)] {
            for name in names {
                sql.push(format!(" OR {column} = ")).push_bind(&**name);
            }
        }
        if let Some((name, value)) = &payer.tag {
            sql.push(" OR json_extract(record, ").push_bind(format!("$.tags.\"{name}\""));
            sql.push(") = ").push_bind(&**value);
        }
        sql.push(")");
        Ok(NanoUsd(sql.build_query_scalar().fetch_one(&self.pool).await?))
    }

    /// The newest `limit` facts about Weir itself as JSON, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn facts(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT record FROM facts ORDER BY id DESC LIMIT ?").bind(limit);
        Ok(query.fetch_all(&self.pool).await?)
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
