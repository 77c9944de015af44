//! What kind of thing went wrong with an attempt; the table of ARCHITECTURE.md hangs on it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a failed attempt. Classification is `wire`'s, what follows from it is `engine`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FaultClass {
    /// No connection: DNS, TCP or TLS failed. A fault of the host, not of one model.
    Connect,
    /// The connection broke, or the answer ended before it was whole.
    Reset,
    /// 500, 502, 504, or an answer that makes no sense (a wrong content type, garbage for JSON).
    ServerError,
    /// 503 and 529: the provider is out of capacity.
    Overloaded,
    /// 429 for a limit that time alone restores.
    RateLimited,
    /// 401: the credential was refused.
    Unauthorized,
    /// The account has no money or quota left: `insufficient_quota`, a billing error, a spend cap.
    Billing,
    /// 403 without an authentication code in its body.
    Forbidden,
    /// 403 whose body says that the credential is at fault.
    ForbiddenCredential,
    /// The model is not known there.
    ModelNotFound,
    /// The request is longer than the model's context window.
    ContextLength,
    /// The provider's content filter refused, also as a moderation 403.
    ContentFilter,
    /// Any other 4xx: the request is at fault.
    Rejected,
    /// No response headers in time.
    FirstByteTimeout,
    /// Headers came, and no content in time.
    FirstContentTimeout,
    /// Content had begun, then nothing came for too long.
    Stalled,
    /// Content had begun, then the stream broke or carried an error.
    Cut,
}

impl FaultClass {
    /// The name in facts, metrics and pages: `rate_limited`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::ServerError => "server_error",
            Self::Overloaded => "overloaded",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::Billing => "billing",
            Self::Forbidden => "forbidden",
            Self::ForbiddenCredential => "forbidden_credential",
            Self::ModelNotFound => "model_not_found",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Rejected => "rejected",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::FirstContentTimeout => "first_content_timeout",
            Self::Stalled => "stalled",
            Self::Cut => "cut",
        }
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
