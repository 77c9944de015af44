//! Keys made at run time, as the ledger keeps them: of each secret only its hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_units::WallTime;

use crate::db::{DbRow, Dialect, Statement};
use crate::lock::beside;
use crate::query::{Reader, StoreError};

/// A key as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its name.
    pub name: Arc<str>,
    /// Who it belongs to.
    pub tenant: Arc<str>,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// What it may do, as JSON that the gateway writes and reads.
    pub settings: String,
    /// When it was made.
    pub created_at: WallTime,
    /// When it ends by itself.
    pub expires_at: Option<WallTime>,
    /// When it was revoked.
    pub revoked_at: Option<WallTime>,
    /// Secrets that a newer one has taken the place of, and that work for a while yet.
    pub former: Vec<FormerSecret>,
}

/// A secret that works on after another has taken its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerSecret {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Until when it works.
    pub until: WallTime,
}

/// What is known of all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownKeys {
    /// As the database has them.
    Read(Vec<KeyRecord>),
    /// The database is away, and they are as this machine knew them last; none where it never did.
    Remembered(Option<Vec<KeyRecord>>),
}

/// A former secret in the column `grace`.
#[derive(Serialize, Deserialize)]
struct Grace {
    hash: String,
    until: i64,
}

impl KeyRecord {
    /// The statement that writes it, in place of what was there.
    pub(crate) fn insert(&self, dialect: Dialect) -> Statement {
        let grace: Vec<Grace> =
            self.former.iter().map(|former| Grace { hash: hex(&former.hash), until: former.until.0 }).collect();
        let columns = COLUMNS.split(", ").skip(1).map(|column| format!("{column} = excluded.{column}"));
        let renewed = columns.collect::<Vec<_>>().join(", ");
        let mut sql = Statement::new(dialect, &format!("INSERT INTO keys ({COLUMNS}) VALUES ("));
        sql.bind(&*self.name).push(", ").bind(&*self.tenant).push(", ").bind(self.hash.to_vec()).push(", ");
        sql.bind(self.settings.as_str()).push(", ").bind(self.created_at.0).push(", ");
        sql.bind(self.expires_at.map(|at| at.0)).push(", ").bind(self.revoked_at.map(|at| at.0)).push(", ");
        // A list of texts and numbers always serialises.
        sql.bind(serde_json::to_string(&grace).unwrap_or_default().as_str());
        sql.push(&format!(") ON CONFLICT (name) DO UPDATE SET {renewed}"));
        sql
    }

    fn read(row: &DbRow) -> Result<Self, sqlx::Error> {
        let damaged = |what: &str| sqlx::Error::Decode(format!("the `{what}` of a key is damaged").into());
        let hash = row.blob(2)?;
        let grace: Vec<Grace> = serde_json::from_str(&row.text(7)?).map_err(|_| damaged("grace"))?;
        let former = |grace: Grace| {
            let hash = from_hex(&grace.hash).ok_or_else(|| damaged("grace"))?;
            Ok::<_, sqlx::Error>(FormerSecret { hash, until: WallTime(grace.until) })
        };
        Ok(Self {
            name: row.text(0)?.into(),
            tenant: row.text(1)?.into(),
            hash: hash.try_into().map_err(|_| damaged("hash"))?,
            settings: row.text(3)?,
            created_at: WallTime(row.int(4)?),
            expires_at: row.some_int(5)?.map(WallTime),
            revoked_at: row.some_int(6)?.map(WallTime),
            former: grace.into_iter().map(former).collect::<Result<_, _>>()?,
        })
    }
}

/// The columns of a key, in the order in which they are bound and read.
const COLUMNS: &str = "name, tenant, hash, settings, created_at, expires_at, revoked_at, grace";

/// Keys of a database elsewhere, as they were last known, in a file of this machine's.
#[derive(Debug)]
pub(crate) struct KeysCopy(PathBuf);

impl KeysCopy {
    pub(crate) fn new(path: &Path) -> Self {
        Self(beside(path, ".keys"))
    }

    /// The file is replaced whole, so that a crash leaves the one or the other.
    pub(crate) fn write(&self, keys: &[KeyRecord]) {
        let new = beside(&self.0, ".new");
        let text = serde_json::to_vec(keys).unwrap_or_default();
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &self.0));
        if let Err(error) = written {
            tracing::warn!(%error, path = %self.0.display(), "the copy of the keys made at run time cannot be written");
        }
    }

    /// None, if nothing was ever copied.
    pub(crate) fn read(&self) -> Option<Vec<KeyRecord>> {
        fs::read(&self.0).ok().and_then(|text| serde_json::from_slice(&text).ok())
    }
}

impl Reader {
    /// All keys made at run time, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = self.pool.statement(&format!("SELECT {COLUMNS} FROM keys ORDER BY name"));
        let rows = self.pool.rows(sql).await?;
        Ok(rows.iter().map(KeyRecord::read).collect::<Result<_, _>>()?)
    }
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let bytes: Option<Vec<u8>> =
        text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect();
    bytes?.try_into().ok()
}
