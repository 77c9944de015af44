//! OpenTelemetry: a request's record becomes spans when it has ended, the counters become metrics at an interval, and both are sent by
//! OTLP over HTTP, by tasks that no request waits for.
//!
//! What is exported is made from the ledger's record and the counters behind `/metrics`, so it cannot tell another story than they do.

mod context;
mod deliver;
mod events;
mod export;
mod proto;
mod queue;
mod spans;

use crate::state::{Live, Shared};

pub(crate) use context::{attempt_span, is_on, state, tell, trace};
pub(crate) use export::{Exporting, tell_fact};
pub(crate) use proto::Proto;
pub(crate) use queue::{Aside, Telemetry};
pub(crate) use spans::{Provider, class, dollars, operation, provider_name};

/// Who sends: the fields of a `Resource`.
fn resource(proto: &mut Proto, shared: &Shared, live: &Live) {
    let version = env!("CARGO_PKG_VERSION");
    let given = live.config.telemetry.as_ref().map_or(&[][..], |settings| &settings.resource);
    for (name, value) in given {
        proto.foreign_attribute(1, name, value);
    }
    let instance = format!("{:032x}", shared.telemetry.instance);
    for (name, value) in [
        ("service.version", version),
        ("service.instance.id", &instance),
        ("telemetry.sdk.name", "weir"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.version", version),
    ] {
        if !given.iter().any(|(known, _)| known == name) {
            proto.attribute(1, name, value);
        }
    }
}

/// What made it: the fields of an `InstrumentationScope`.
fn scope(proto: &mut Proto) {
    proto.text(1, "weir");
    proto.text(2, env!("CARGO_PKG_VERSION"));
}
