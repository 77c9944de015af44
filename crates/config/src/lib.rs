//! `weir.toml`: from the config as written to the config as meant.
//!
//! A file is read once, by the table of settings that is also the reference page, into values of their types ([`load`]
//! to `written`), which are then cross-checked and given their meaning ([`Config`]). No step stops at the first fault,
//! so that a person sees all of them at once.

mod admin;
mod capture;
mod environment;
mod fault;
mod guards;
pub mod imports;
mod key;
mod load;
mod log;
mod made;
mod mean;
mod meant;
mod nearest;
mod notifier;
mod read;
mod reference;
mod resolve;
mod secret;
mod tag;
mod url;
mod written;

pub use admin::{Admin, Right, Role};
pub use capture::{Capture, CapturePart};
pub use environment::{Environment, ProcessEnvironment, WithoutSecrets};
pub use fault::{Fault, Place, Report};
pub use guards::GuardsPart;
pub use key::{Key, generate_key, hash_key, hex, is_made, may_use};
pub use load::{from_environment, load};
pub use log::{At, Log, shown, shown_within};
pub use made::{KeyFault, KeySettings};
pub use meant::{
    AfterCut, Budget, Config, Ledger, ModelSettings, Provider, Route, Server, Source, Telemetry, Tenant, Timeouts, Tls,
    WeeklyAt,
};
pub use nearest::nearest;
pub use notifier::{Contact, Notifier, NotifierKind};
pub use reference::reference_markdown;
pub use resolve::Resolved;
pub use secret::Secret;
pub use tag::{Tag, TagError};
