//! Where a ledger is: in a file of SQLite's, or in Postgres.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// A database of Postgres's, and how to get in. It shows neither user nor password.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) options: Box<PgConnectOptions>,
}

impl Postgres {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. What it leaves out is taken from `PGUSER`, `PGPASSWORD` and the
    /// other usual variables, and from `.pgpass`.
    ///
    /// # Errors
    /// When it is no such url; the text is not repeated, since a password may be in it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let right = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = PgConnectOptions::from_str(url).ok().filter(|_| right);
        let options = options.ok_or("it is no url of Postgres's: write postgres://USER@HOST/DATABASE")?;
        Ok(Self { options: Box::new(options.application_name("weir").disable_statement_logging()) })
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        write!(f, "postgres://{host}:{port}/{}", self.options.get_database().unwrap_or_default())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which database.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    File(PathBuf),
    Postgres(Postgres),
}

impl Place {
    pub(crate) fn of(path: &Path, postgres: Option<&Postgres>) -> Self {
        postgres.cloned().map_or_else(|| Self::File(path.to_owned()), Self::Postgres)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(postgres) => postgres.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_to_nobody() {
        let postgres = Postgres::parse("postgres://ada:s3cret@db.example:6432/weir?sslmode=require").unwrap();
        for shown in
            [format!("{postgres}"), format!("{postgres:?}"), format!("{:?}", Place::Postgres(postgres.clone()))]
        {
            assert!(shown.contains("db.example:6432/weir") && !shown.contains("s3cret"), "{shown}");
        }
        for wrong in ["mysql://a/b", "weir.db", "postgres://a:b:c/d e"] {
            assert!(!Postgres::parse(wrong).unwrap_err().contains(wrong));
        }
    }
}
