//! The dialects that clients and providers speak: bytes to what Weir acts on, and back.
//!
//! This crate alone knows a provider's JSON. It does no I/O and keeps no clock: bytes go in, bytes and facts come out.

mod answer;
mod dialect;
mod sse;
mod stream;
mod translate;
mod usage;

pub use answer::Stop;
pub use dialect::{Dialect, Endpoint};
pub use stream::{Ending, Progress, Relay, RelayOptions, SpliceState, keep_alive};
pub use translate::{
    AnswerContext, AnthropicVersion, CannotExpress, RequestError, Target, TargetCapabilities, Translated,
    translate_answer, translate_request,
};
pub use usage::{AnthropicUsage, Count, OpenAiUsage, ResponsesUsage, to_anthropic_json, to_openai_json};
