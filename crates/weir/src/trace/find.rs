//! Finding requests: by any id that somebody may have, or around a time, in the ledger or by a gateway.

use serde_json::Value;
use weir_gateway::{AskFault, Operator};
use weir_ledger::{Filter, Query, Reader};
use weir_units::RequestId;

use crate::server::encoded;
use crate::top::not_understood;
use crate::when::{Around, now};

/// How much is looked at around a minute in which nothing is, the least first: five minutes, an hour, a day.
const WIDER: [i64; 3] = [300_000_000, 3_600_000_000, 86_400_000_000];

/// Where it is looked.
pub(crate) enum Source {
    Ledger(Reader),
    Gateway(Box<Operator>),
}

/// Why it cannot be looked there.
pub(crate) enum Trouble {
    Gateway(AskFault),
    Ledger(String),
}

impl From<AskFault> for Trouble {
    fn from(fault: AskFault) -> Self {
        Self::Gateway(fault)
    }
}

/// Filters by name, as the admin API and the ledger take them alike.
pub(crate) type Filters = Vec<(&'static str, String)>;

impl Source {
    /// One request by Weir's own id.
    async fn request(&self, id: RequestId) -> Result<Option<Value>, Trouble> {
        match self {
            Self::Ledger(reader) => {
                let record = reader.request(id).await.map_err(|error| Trouble::Ledger(error.to_string()))?;
                record.map(|record| read(&record)).transpose()
            }
            Self::Gateway(operator) => match operator.ask(&format!("/admin/v1/requests/{id}")).await {
                Ok(answer) => Ok(Some(serde_json::from_slice(&answer).map_err(|e| not_understood(operator, &e))?)),
                Err(AskFault::Refused(status, _)) if status.as_u16() == 404 => Ok(None),
                Err(fault) => Err(fault.into()),
            },
        }
    }

    /// The newest requests that fit, the newest first.
    pub(crate) async fn requests(&self, filters: &Filters, limit: u32) -> Result<Vec<Value>, Trouble> {
        match self {
            Self::Ledger(reader) => {
                let mut query = Query { filter: Filter::default(), limit, before: None };
                for (name, text) in filters {
                    let set = query.filter.set(name, text, now());
                    set.map_err(|takes| Trouble::Ledger(format!("--{name} takes {takes}")))?;
                }
                let records = reader.requests(&query).await.map_err(|error| Trouble::Ledger(error.to_string()))?;
                records.iter().map(|record| read(record)).collect()
            }
            Self::Gateway(operator) => {
                let mut path = format!("/admin/v1/requests?limit={limit}");
                filters.iter().for_each(|(name, text)| path.push_str(&format!("&{name}={}", encoded(text))));
                let answer = operator.ask(&path).await?;
                let mut read: Value = serde_json::from_slice(&answer).map_err(|e| not_understood(operator, &e))?;
                Ok(match read["requests"].take() {
                    Value::Array(records) => records,
                    _ => Vec::new(),
                })
            }
        }
    }

    /// The requests with an id: Weir's, a provider's, or that of a trace.
    pub(crate) async fn by_id(&self, id: &str, limit: u32) -> Result<Vec<Value>, Trouble> {
        if id == "last" {
            return self.requests(&Filters::new(), 1).await;
        }
        if let Ok(id) = id.parse::<RequestId>() {
            return Ok(self.request(id).await?.into_iter().collect());
        }
        if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let found = self.requests(&vec![("trace", id.to_ascii_lowercase())], limit).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        self.requests(&vec![("upstream", id.to_owned())], limit).await
    }

    /// The requests nearest to a time, in the order in which they came, and whether they lie in what was meant.
    pub(crate) async fn around(
        &self,
        filters: &Filters,
        meant: Around,
        limit: u32,
    ) -> Result<(Vec<Value>, bool), Trouble> {
        for by in std::iter::once(0).chain(WIDER) {
            let span = meant.wider(by);
            let mut filters = filters.clone();
            // The admin API takes milliseconds.
            filters.push(("since", (span.since.0.div_euclid(1_000)).to_string()));
            filters.push(("until", (span.until.0.div_euclid(1_000)).to_string()));
            let mut found = self.requests(&filters, limit).await?;
            if !found.is_empty() {
                found.reverse();
                return Ok((found, by == 0));
            }
        }
        Ok((Vec::new(), false))
    }
}

fn read(record: &str) -> Result<Value, Trouble> {
    serde_json::from_str(record).map_err(|error| Trouble::Ledger(format!("a record is damaged: {error}")))
}
