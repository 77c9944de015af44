//! `weir.toml`: from the config as written to the config as meant.
//!
//! A file is read once into values of their types, by one table of settings that is also the reference page; then cross-checked and given
//! its meaning. No step stops at the first fault, so a person sees all of them at once.

mod environment;
mod fault;
mod key;
mod meant;
mod resolve;
mod secret;
mod standins;

pub use environment::{Environment, ProcessEnvironment};
pub use fault::{Fault, Place, Report};
pub use key::{Key, generate_key, hash_key, hex, may_use};
pub use meant::{AfterCut, Config, Ledger, ModelSettings, Provider, Route, Server, Source, Timeouts, Tls};
pub use resolve::Resolved;
pub use secret::Secret;
pub use standins::{BreakerSettings, ProviderKind, RetrySettings, Settings, Strategy};
