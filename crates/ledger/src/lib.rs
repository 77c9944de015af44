//! Facts, and the ledger in which they are kept: one record per request, also when the process dies.
//!
//! [`Fact`] is what happened, [`Entry`] is one request's record, [`Ledger`] takes both without ever making its caller wait,
//! and [`Reader`] reads them back, in the serving process or in another. [`Slices`] is the record of what strict budgets may
//! spend, [`AuditEntry`] what somebody did at the admin interface, [`Content`] a prompt and its answer where they are captured.

mod asked;
mod audit;
mod built;
mod change;
mod content;
mod db;
mod demand;
mod entry;
mod fact;
mod figures;
mod filter;
mod import;
mod index;
mod json;
mod keys;
mod ledger;
mod lock;
mod open;
mod pack;
mod place;
mod query;
mod restore;
mod rolling;
mod rollup;
mod row;
mod runs;
mod secret;
mod seen;
mod series;
mod slices;
mod spend;
mod spend_rolled;
mod spend_sql;
mod spill;
mod store;
mod stored;
mod sweep;
mod waste;
mod words;
mod writer;

pub use asked::time as asked_time;
pub use audit::{AuditBreak, AuditChain, AuditEntry, AuditHead, AuditQuery, AuditRecord};
pub use content::Content;
pub use demand::{Demand, DemandQuery, DemandRow, DemandStep};
pub use entry::{Attempt, Entry, Intent, Outcome};
pub use fact::{AlertTold, Event, Fact, RunEvidence, Stage};
pub use figures::{CallFigures, Figures, Measured, RouteCalls, UPTIME_DAYS, Uptime, UserFigures};
pub use filter::{Filter, StatusFilter};
pub use import::{Imported, Importer};
pub use keys::{FormerSecret, KeyRecord, KnownKeys};
pub use ledger::{Behind, Ledger, Options};
pub use open::{OpenError, WriterTask, append_audit, open};
pub use place::Postgres;
pub use query::{Count, FactQuery, FactRecord, Payer, Query, Reader, StoreError};
pub use rollup::OTHER;
pub use runs::WastedRuns;
pub use secret::installation_secret;
pub use series::{
    Calls, Histogram, MOST_BUCKETS, Requests, Series, SeriesBy, SeriesQuery, SeriesRow, Step, Tally, WASTE, Wasted,
    edges,
};
pub use slices::{BudgetName, Slice, SliceBalance, SliceError, SliceRecord, Slices};
pub use spend::{Spend, SpendBy, SpendError, SpendQuery, SpendRow, Sums};
pub use waste::{WastedPart, WastedRequest};
pub use words::in_words;
