//! Models of what lies around the engine, without clock or socket: providers, and the clients that call them.
//!
//! They are pure because the same model is played twice: over HTTP by `mock`, where a test waits for it, and in invented
//! time, where a day passes in minutes and a seed replays it to the bit.

mod bucket;
mod charge;
mod counters;
mod draw;
mod fault;
mod gateway;
mod open_calls;
mod plot;
mod profile;
mod provider;
mod record;
mod replay;
mod report;
mod run;
mod scenario;
mod trace_hash;
mod weir;
mod window;
mod workload;

pub use bucket::{Bucket, Gauge};
pub use charge::{Charge, Sizes};
pub use counters::Hold;
pub use fault::{Extent, FaultError, FaultOrder, Standing};
pub use gateway::{Answer, AnswerEnd, CallId, Gateway, PassThrough, Refusal, RefusedBy, Step, Told, World};
pub use plot::plot;
pub use profile::{Event, EventKind, Latency, LimitRules, Profile};
pub use provider::{Arrival, Flaw, Plan, Provider, Rejection, RejectionKind, Serving};
pub use record::{Outcome, ProviderSample, Record, RecordEnd, Sample};
pub use replay::{Difference, Replay, Replayed};
pub use report::{Attempts, End, Group, LimitUse, Predictions, Report, Spread};
pub use run::{run, run_watched};
pub use scenario::{GatewayConfig, Pool, Route, Scenario, SimulatedProvider, Strategy, Zone};
pub use trace_hash::TraceHash;
pub use weir::Weir;
pub use window::Window;
pub use workload::{
    Client, ClientRetry, ClientStep, Distribution, MaxTokens, Pattern, Priority, Request, Stream, Trace, TraceError,
    TraceRow, Workload,
};
