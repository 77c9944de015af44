//! Keys made at run time, as the ledger keeps them: of each secret only its hash.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use weir_units::WallTime;

use crate::query::{Reader, StoreError};

/// A key as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerSecret {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Until when it works.
    pub until: WallTime,
}

/// A former secret in the column `grace`.
#[derive(Serialize, Deserialize)]
struct Grace {
    hash: String,
    until: i64,
}

impl KeyRecord {
    /// The statement that writes it, in place of what was there.
    pub(crate) fn insert(&self) -> sqlx::query::Query<'_, sqlx::Sqlite, SqliteArguments> {
        let grace: Vec<Grace> =
            self.former.iter().map(|former| Grace { hash: hex(&former.hash), until: former.until.0 }).collect();
        sqlx::query(
            "INSERT OR REPLACE INTO keys (name, tenant, hash, settings, created_at, expires_at, revoked_at, grace) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&*self.name)
        .bind(&*self.tenant)
        .bind(self.hash.to_vec())
        .bind(self.settings.as_str())
        .bind(self.created_at.0)
        .bind(self.expires_at.map(|at| at.0))
        .bind(self.revoked_at.map(|at| at.0))
        // A list of texts and numbers always serialises.
        .bind(serde_json::to_string(&grace).unwrap_or_default())
    }

    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let damaged = |what: &str| sqlx::Error::Decode(format!("the `{what}` of a key is damaged").into());
        let text = |column: &str| row.try_get::<String, _>(column).map(Arc::from);
        let time = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.map(WallTime));
        let hash: Vec<u8> = row.try_get("hash")?;
        let grace: Vec<Grace> =
            serde_json::from_str(&row.try_get::<String, _>("grace")?).map_err(|_| damaged("grace"))?;
        let former = |grace: Grace| {
            let hash = from_hex(&grace.hash).ok_or_else(|| damaged("grace"))?;
            Ok::<_, sqlx::Error>(FormerSecret { hash, until: WallTime(grace.until) })
        };
        Ok(Self {
            name: text("name")?,
            tenant: text("tenant")?,
            hash: hash.try_into().map_err(|_| damaged("hash"))?,
            settings: row.try_get("settings")?,
            created_at: WallTime(row.try_get("created_at")?),
            expires_at: time("expires_at")?,
            revoked_at: time("revoked_at")?,
            former: grace.into_iter().map(former).collect::<Result<_, _>>()?,
        })
    }
}

impl Reader {
    /// All keys made at run time, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM keys ORDER BY name").fetch_all(&self.pool).await?;
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
