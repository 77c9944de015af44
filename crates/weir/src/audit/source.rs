//! Where the audit log is read: from a gateway that runs, or from a ledger itself.

use std::path::Path;

use serde_json::Value;
use weir_gateway::{AskFault, Operator};
use weir_ledger::{AuditHead, AuditQuery, AuditRecord, Reader};

use crate::server::{Server, encoded, millis};
use crate::terminal::say;
use crate::top::not_understood;
use crate::{Common, reading};

const PATH: &str = "/admin/v1/audit";

/// Where it is read.
pub(super) enum Source {
    Gateway(Box<Operator>),
    Ledger(Reader, String),
}

/// Why it cannot be read.
pub(super) enum Trouble {
    Gateway(AskFault),
    Ledger(String),
}

impl From<AskFault> for Trouble {
    fn from(fault: AskFault) -> Self {
        Self::Gateway(fault)
    }
}

impl Source {
    /// The file that is named; else the gateway; else, where none answers at the usual address, the configuration's ledger.
    pub(super) async fn open(common: &Common, server: &Server, ledger: Option<&Path>) -> Result<Self, Trouble> {
        if let Some(path) = ledger {
            let (reader, place) = reading::file(path).await.map_err(Trouble::Ledger)?;
            return Ok(Self::Ledger(reader, place));
        }
        let operator = server.operator()?;
        let source = Self::Gateway(Box::new(operator));
        let Err(Trouble::Gateway(AskFault::Unreachable(why))) = source.head().await else { return Ok(source) };
        match reading::config(common).filter(reading::is_there) {
            Some(config) if server.is_default() => {
                let (reader, place) = reading::ledger(&config).await.map_err(Trouble::Ledger)?;
                say(format_args!("{why}; this is the audit log of {place}"));
                Ok(Self::Ledger(reader, place))
            }
            _ => Err(AskFault::Unreachable(why).into()),
        }
    }

    /// What it is called.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Gateway(operator) => operator.authority().to_owned(),
            Self::Ledger(_, place) => place.clone(),
        }
    }

    /// The newest row, as the gateway says or as it stands in the file.
    pub(super) async fn head(&self) -> Result<AuditHead, Trouble> {
        match self {
            Self::Gateway(operator) => {
                let told = ask(operator, &format!("{PATH}/head")).await?;
                Ok(AuditHead {
                    sequence: told["sequence"].as_u64().unwrap_or(0),
                    hash: told["hash"].as_str().map(weir_wire::shown).unwrap_or_default(),
                })
            }
            Self::Ledger(..) => {
                let newest = self.rows(&AuditQuery { limit: 1, ..AuditQuery::default() }).await?;
                let head = |row: AuditRecord| AuditHead { sequence: row.sequence, hash: row.hash };
                Ok(newest.into_iter().next().map_or_else(AuditHead::default, head))
            }
        }
    }

    /// A page of rows.
    pub(super) async fn rows(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, Trouble> {
        match self {
            Self::Gateway(operator) => {
                let told = ask(operator, &format!("{PATH}?{}", parameters(query))).await?;
                Ok(told["entries"].as_array().into_iter().flatten().map(AuditRecord::from_json).collect())
            }
            Self::Ledger(reader, _) => reader.audit(query).await.map_err(|error| Trouble::Ledger(error.to_string())),
        }
    }
}

async fn ask(operator: &Operator, path: &str) -> Result<Value, Trouble> {
    let answer = operator.ask(path).await?;
    Ok(serde_json::from_slice(&answer).map_err(|error| not_understood(operator, &error))?)
}

/// A query as the admin API takes it.
fn parameters(query: &AuditQuery) -> String {
    let mut parameters = format!("limit={}", query.limit);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            parameters.push_str(&format!("&{name}={}", encoded(&value)));
        }
    };
    add("order", query.oldest_first.then(|| "oldest".to_owned()));
    add("after", query.after.map(|row| row.to_string()));
    add("before", query.before.map(|row| row.to_string()));
    add("who", query.who.clone());
    add("action", query.action.clone());
    add("what", query.what.clone());
    add("since", query.since.map(|at| millis(at).to_string()));
    add("until", query.until.map(|at| millis(at).to_string()));
    parameters
}
