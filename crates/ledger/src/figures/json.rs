//! Measured availability as JSON, for the admin API and for programs.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_units::WallTime;

use super::{Measured, UPTIME_DAYS, Uptime};

impl Uptime {
    /// It as JSON; it was measured at `now`.
    #[must_use]
    pub fn to_json(&self, now: WallTime) -> Value {
        json!({
            "at": now.to_string(),
            "days": UPTIME_DAYS,
            "users": spans(&self.users),
            "routes": named(&self.routes),
            "providers": named(&self.providers),
            "deployments": named(&self.deployments),
        })
    }
}

fn named(all: &[(Arc<str>, [Measured; 4])]) -> Vec<Value> {
    all.iter().map(|(name, measured)| json!({ "name": &**name, "spans": spans(measured) })).collect()
}

fn spans(measured: &[Measured; 4]) -> Vec<Value> {
    let one = |(days, of): (&u32, &Measured)| json!({ "days": days, "answered": of.answered, "asked": of.asked, "share": of.share() });
    UPTIME_DAYS.iter().zip(measured).map(one).collect()
}
