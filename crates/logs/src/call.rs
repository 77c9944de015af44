//! One model call as some tool wrote it down: the one shape that all formats are read into.

use std::borrow::Cow;

use weir_units::{Dimension, NanoUsd, Usage, WallTime};

/// A text that is in the line, or was made of it.
pub type Text<'a> = Cow<'a, str>;

/// The error of a call that a load balancer answered by itself.
pub(crate) const NO_TARGET: &str = "the target gave no answer";

/// What wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Rows of LiteLLM's table of spend logs.
    LiteLlmSpend,
    /// What LiteLLM's proxy hands to its loggers, and its own log lines.
    LiteLlmProxy,
    /// Observations and traces exported from Langfuse.
    Langfuse,
    /// Requests exported from Helicone.
    Helicone,
    /// Debug logs of OpenAI's and Anthropic's SDKs for Python.
    SdkPython,
    /// Debug logs of OpenAI's and Anthropic's SDKs for Node.
    SdkNode,
    /// Access logs of nginx, and what looks like them.
    Nginx,
    /// Access logs of Amazon's Application Load Balancer.
    Alb,
    /// Access logs of Envoy.
    Envoy,
    /// Spans of OpenTelemetry as JSON.
    OpenTelemetry,
    /// Records that `weir export` wrote.
    Weir,
    /// JSON with names that are well known, or were mapped.
    Json,
    /// CSV with names that are well known, or were mapped.
    Csv,
}

impl Format {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 13] = [
        Self::LiteLlmSpend,
        Self::LiteLlmProxy,
        Self::Langfuse,
        Self::Helicone,
        Self::SdkPython,
        Self::SdkNode,
        Self::Nginx,
        Self::Alb,
        Self::Envoy,
        Self::OpenTelemetry,
        Self::Weir,
        Self::Json,
        Self::Csv,
    ];

    /// The name by which a person knows it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::LiteLlmSpend => "LiteLLM spend logs",
            Self::LiteLlmProxy => "LiteLLM proxy logs",
            Self::Langfuse => "Langfuse export",
            Self::Helicone => "Helicone export",
            Self::SdkPython => "Python SDK debug log",
            Self::SdkNode => "Node SDK debug log",
            Self::Nginx => "nginx access log",
            Self::Alb => "ALB access log",
            Self::Envoy => "Envoy access log",
            Self::OpenTelemetry => "OpenTelemetry spans",
            Self::Weir => "Weir export",
            Self::Json => "JSON",
            Self::Csv => "CSV",
        }
    }

    /// The name in JSON and in the tag that an imported record has: `litellm`.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::LiteLlmSpend | Self::LiteLlmProxy => "litellm",
            Self::Langfuse => "langfuse",
            Self::Helicone => "helicone",
            Self::SdkPython | Self::SdkNode => "sdk",
            Self::Nginx => "nginx",
            Self::Alb => "alb",
            Self::Envoy => "envoy",
            Self::OpenTelemetry => "opentelemetry",
            Self::Weir => "weir",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// Whether it is an access log.
    #[must_use]
    pub fn is_access_log(self) -> bool {
        matches!(self, Self::Nginx | Self::Alb | Self::Envoy)
    }

    /// Whether all that is in such a file is a record, so that what is none is damaged. Programs write other things into their own logs.
    #[must_use]
    pub fn is_strict(self) -> bool {
        !matches!(self, Self::SdkPython | Self::SdkNode | Self::LiteLlmProxy)
    }
}

/// What was asked for, as far as a path or a name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Chat Completions.
    Chat,
    /// The legacy Completions.
    Completions,
    /// Responses.
    Responses,
    /// Messages.
    Messages,
    /// Embeddings.
    Embeddings,
    /// Something else that a model was asked for.
    Other,
}

impl Endpoint {
    /// The endpoint that a path, with or without a host, leads to; none if it leads to no model.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        const ENDS: [(&str, Endpoint); 14] = [
            ("/chat/completions", Endpoint::Chat),
            ("/completions", Endpoint::Completions),
            ("/responses", Endpoint::Responses),
            ("/messages", Endpoint::Messages),
            ("/embeddings", Endpoint::Embeddings),
            ("/complete", Endpoint::Completions),
            ("/invoke", Endpoint::Messages),
            ("/invoke-with-response-stream", Endpoint::Messages),
            ("/converse", Endpoint::Messages),
            ("/converse-stream", Endpoint::Messages),
            ("/images/generations", Endpoint::Other),
            ("/audio/transcriptions", Endpoint::Other),
            ("/audio/speech", Endpoint::Other),
            ("/rerank", Endpoint::Other),
        ];
        let found = ENDS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, endpoint)| *endpoint);
        match found {
            // Threads of other APIs have messages, too, and many an application has completions.
            Some(Self::Messages) if path.ends_with("/messages") && path.contains("/threads/") => None,
            Some(endpoint) => Some(endpoint),
            None if path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent") => Some(Self::Chat),
            None if path.ends_with(":embedContent") || path.ends_with(":batchEmbedContents") => Some(Self::Embeddings),
            None if path.ends_with(":predict") || path.ends_with(":rawPredict") => Some(Self::Messages),
            None if path.ends_with(":streamRawPredict") => Some(Self::Messages),
            None => None,
        }
    }

    /// The endpoint of a name such as LiteLLM's `acompletion` or OpenTelemetry's `chat`; none if it is no model's call.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let bare = name.strip_prefix('a').unwrap_or(name);
        match bare {
            "completion" | "chat" | "text" | "generate_content" | "generateContent" => Some(Self::Chat),
            "text_completion" | "completions" => Some(Self::Completions),
            "messages" => Some(Self::Messages),
            "embedding" | "embeddings" => Some(Self::Embeddings),
            "responses" => Some(Self::Responses),
            "nthropic_messages" | "anthropic_messages" => Some(Self::Messages),
            _ if name.starts_with('/') => Self::of_path(name),
            _ => None,
        }
    }

    /// The name in the ledger's records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Other => "other",
        }
    }
}

/// A limit that was seen in the headers of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it counts.
    pub dimension: Dimension,
    /// How much.
    pub limit: u64,
}

/// One call of a model. What the log does not tell is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    /// What wrote it down.
    pub format: Format,
    /// Its id in the other tool.
    pub id: Option<Text<'a>>,
    /// When it began.
    pub at: Option<WallTime>,
    /// When it ended.
    pub ended: Option<WallTime>,
    /// The HTTP status; none if the log has none, or there was no answer.
    pub status: Option<u16>,
    /// Whether it led to no answer, or to one that says no.
    pub failed: bool,
    /// What kind of error, or what was said; never content.
    pub error: Option<Text<'a>>,
    /// Whose API was called: `openai`.
    pub provider: Option<Text<'a>>,
    /// The model as the provider knows it.
    pub model: Option<Text<'a>>,
    /// What was asked for, where that is not the model: a group or an alias.
    pub route: Option<Text<'a>>,
    /// The name, or a hash, of the key that was used.
    pub key: Option<Text<'a>>,
    /// Whose key it is: a team.
    pub tenant: Option<Text<'a>>,
    /// On whose behalf it was.
    pub user: Option<Text<'a>>,
    /// The session or trace that it belongs to.
    pub run: Option<Text<'a>>,
    /// What was asked for.
    pub endpoint: Option<Endpoint>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it cost, as the log says.
    pub cost: Option<NanoUsd>,
    /// Microseconds until the first content came.
    pub first_content: Option<i64>,
    /// Whether the answer was streamed.
    pub stream: Option<bool>,
    /// How many calls came before it for the same request, where the log says so.
    pub retry: Option<u32>,
    /// Whether it was answered from the tool's own cache, and never sent.
    pub from_cache: bool,
    /// A hash of what was asked.
    pub content: Option<u64>,
    /// The most output tokens that were asked for.
    pub max_output: Option<u64>,
    /// Whether the answer ended because it was too long.
    pub truncated: bool,
    /// Whether the client had gone before it ended.
    pub abandoned: bool,
    /// Limits that its answer stated.
    pub limits: Vec<Limit>,
    /// How many calls came before it in its file that nothing tells apart from it: an access log has seconds, and no ids.
    pub nth: u32,
    /// The whole record, where Weir wrote it.
    pub record: Option<Box<str>>,
}

impl<'a> Call<'a> {
    /// A call of which nothing is known.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            id: None,
            at: None,
            ended: None,
            status: None,
            failed: false,
            error: None,
            provider: None,
            model: None,
            route: None,
            key: None,
            tenant: None,
            user: None,
            run: None,
            endpoint: None,
            usage: None,
            cost: None,
            first_content: None,
            stream: None,
            retry: None,
            from_cache: false,
            content: None,
            max_output: None,
            truncated: false,
            abandoned: false,
            limits: Vec::new(),
            nth: 0,
            record: None,
        }
    }

    /// Says how it ended, by its status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self.failed = status >= 400;
        self
    }

    /// Whether its client saw a 429.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.status == Some(429)
    }

    /// What was called, `provider/model`, as far as it is known.
    #[must_use]
    pub fn deployment(&self) -> String {
        let provider = self.provider.as_deref().unwrap_or("unknown");
        let model = self.model.as_deref().or(self.route.as_deref()).unwrap_or("unknown");
        format!("{provider}/{model}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_an_endpoint_or_to_no_model() {
        for (path, endpoint) in [
            ("/v1/chat/completions", Some(Endpoint::Chat)),
            ("https://api.openai.com/v1/responses?stream=1", Some(Endpoint::Responses)),
            ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01", Some(Endpoint::Chat)),
            ("/v1/messages/", Some(Endpoint::Messages)),
            ("/v1/threads/t_1/messages", None),
            ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", Some(Endpoint::Chat)),
            ("/model/anthropic.claude-v2/invoke", Some(Endpoint::Messages)),
            ("/health", None),
            ("/v1/models", None),
            ("", None),
        ] {
            assert_eq!(Endpoint::of_path(path), endpoint, "{path}");
        }
        assert_eq!(Endpoint::of_name("acompletion"), Some(Endpoint::Chat));
        assert_eq!(Endpoint::of_name("anthropic_messages"), Some(Endpoint::Messages));
        assert_eq!(Endpoint::of_name("aembedding"), Some(Endpoint::Embeddings));
        assert_eq!(Endpoint::of_name("/v1/messages"), Some(Endpoint::Messages));
        assert_eq!(Endpoint::of_name("health"), None);
    }
}
