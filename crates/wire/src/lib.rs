//! The dialects that clients and providers speak: bytes to what Weir acts on, and back.
//!
//! This crate alone knows a provider's JSON. It does no I/O and keeps no clock: bytes go in, bytes and facts come out.

mod answer;
mod catalogue;
mod classify;
mod clean;
mod dialect;
mod escapes;
mod estimate;
mod faults;
mod head;
mod history;
mod lanes;
mod limits_seen;
mod models;
mod refusal;
mod retry_after;
mod sse;
mod stream;
mod strict;
mod translate;
mod unary;
mod usage;

pub use answer::Stop;
pub use catalogue::{Capabilities, Model, model, models_of, price, provider_of};
pub use classify::{ProviderKind, Reply, UpstreamFault, classify, classify_stream_error};
pub use clean::{clean_message, remove_keys, shown};
pub use dialect::{Dialect, Endpoint};
pub use escapes::unescape;
pub use estimate::{Calibration, Measure, count_tokens_answer, measure};
pub use head::{BadRequest, Head, Rewrite, Sessions, points_elsewhere, read_head, rewrite};
pub use history::{HistoryKey, Room, Scope, quote, read_addition, read_history};
pub use limits_seen::{HeaderDialect, LimitSeen, LimitsSeen, limits_seen};
pub use models::{ModelItem, model_object, models_page};
pub use refusal::{Refusal, error_frame, refusal_body, responses_error_frame};
pub use retry_after::retry_after;
pub use stream::{Ending, Progress, Relay, RelayOptions, Said, SpliceState, Spoken, keep_alive};
pub use translate::{
    AnswerContext, AnthropicVersion, CannotExpress, Malformed, RequestError, Target, TargetCapabilities, Translated,
    translate_answer, translate_request,
};
pub use unary::{AnswerFacts, read_answer};
pub use usage::{AnthropicUsage, Count, OpenAiUsage, ResponsesUsage, to_anthropic_json, to_openai_json};
