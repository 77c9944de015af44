//! Where tools have which field: paths into a record, as the tools' own schemas name them.

/// A field that may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Slot {
    Id,
    At,
    Ended,
    DurationMs,
    DurationS,
    /// A span whose unit depends on who wrote it.
    Latency,
    FirstAt,
    FirstMs,
    FirstS,
    /// A number, or a word such as `success`.
    Status,
    /// A code that says more than the status.
    ErrorCode,
    ErrorClass,
    Message,
    Provider,
    Model,
    Route,
    Url,
    Method,
    Key,
    Tenant,
    User,
    Run,
    CallType,
    Kind,
    Level,
    Input,
    Output,
    Total,
    Cached,
    CacheWrite,
    Reasoning,
    Cost,
    Stream,
    Retry,
    CacheHit,
    Content,
    MaxOutput,
    Finish,
    Flags,
    LimitRequests,
    LimitTokens,
    LimitInput,
    LimitOutput,
    Attempts,
    Outcome,
    RequestLine,
    Log,
    Observations,
    Spans,
    SdkRetry,
    Deployment,
    CostEstimated,
}

/// How many slots there are.
pub(crate) const SLOTS: usize = Slot::CostEstimated as usize + 1;

/// What the presence of a name says of who wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Mark {
    LiteLlmSpend = 1,
    LiteLlmProxy = 2,
    LiteLlm = 4,
    Langfuse = 8,
    Helicone = 16,
    Weir = 32,
    OtelSpan = 64,
    Envoy = 128,
    Nginx = 256,
    Otlp = 512,
    LiteLlmLog = 1024,
    Usage = 2048,
}

/// A path: names with `/` between them. Of several for one slot, that of the lowest rank counts.
type Row = (&'static str, Slot, u8);

const ROWS: &[Row] = &[
    // Identity.
    ("id", Slot::Id, 2),
    ("request_id", Slot::Id, 1),
    ("requestId", Slot::Id, 1),
    ("response_id", Slot::Id, 3),
    ("litellm_call_id", Slot::Id, 4),
    ("spanId", Slot::Id, 3),
    ("span_id", Slot::Id, 3),
    ("context/span_id", Slot::Id, 3),
    ("request/id", Slot::Id, 1),
    // Times.
    ("startTime", Slot::At, 1),
    ("start_time", Slot::At, 1),
    ("started_at", Slot::At, 1),
    ("startedAt", Slot::At, 1),
    ("request_created_at", Slot::At, 1),
    ("request/created_at", Slot::At, 1),
    ("request_start_time", Slot::At, 2),
    ("created_at", Slot::At, 3),
    ("createdAt", Slot::At, 3),
    ("timestamp", Slot::At, 3),
    ("@timestamp", Slot::At, 3),
    ("time", Slot::At, 3),
    ("time_iso8601", Slot::At, 2),
    ("time_local", Slot::At, 3),
    ("ts", Slot::At, 4),
    ("date", Slot::At, 5),
    ("datetime", Slot::At, 4),
    ("msec", Slot::At, 4),
    ("at", Slot::At, 4),
    ("startTimeUnixNano", Slot::At, 1),
    ("endTime", Slot::Ended, 1),
    ("end_time", Slot::Ended, 1),
    ("ended_at", Slot::Ended, 1),
    ("endedAt", Slot::Ended, 1),
    ("response_created_at", Slot::Ended, 2),
    ("response/created_at", Slot::Ended, 2),
    ("endTimeUnixNano", Slot::Ended, 1),
    ("request_duration_ms", Slot::DurationMs, 2),
    ("duration_ms", Slot::DurationMs, 1),
    ("durationMs", Slot::DurationMs, 1),
    ("latency_ms", Slot::DurationMs, 1),
    ("latencyMs", Slot::DurationMs, 1),
    ("delay_ms", Slot::DurationMs, 1),
    ("response/delay_ms", Slot::DurationMs, 1),
    ("elapsed_ms", Slot::DurationMs, 2),
    ("response_time_ms", Slot::DurationMs, 2),
    ("response_time", Slot::DurationS, 2),
    ("request_time", Slot::DurationS, 1),
    ("duration_s", Slot::DurationS, 1),
    ("latency_s", Slot::DurationS, 1),
    ("duration", Slot::Latency, 1),
    ("latency", Slot::Latency, 2),
    ("completionStartTime", Slot::FirstAt, 1),
    ("completion_start_time", Slot::FirstAt, 1),
    ("time_to_first_token_ms", Slot::FirstMs, 1),
    ("first_content_ms", Slot::FirstMs, 1),
    ("ttft_ms", Slot::FirstMs, 1),
    ("response/time_to_first_token", Slot::FirstMs, 2),
    ("time_to_first_token", Slot::FirstS, 1),
    ("timeToFirstToken", Slot::FirstS, 1),
    ("ttft", Slot::FirstS, 2),
    // How it ended.
    ("status", Slot::Status, 2),
    ("response_status", Slot::Status, 1),
    ("response/status", Slot::Status, 1),
    ("status_code", Slot::Status, 1),
    ("statusCode", Slot::Status, 1),
    ("http_status", Slot::Status, 1),
    ("response_code", Slot::Status, 1),
    ("code", Slot::Status, 5),
    ("status/status_code", Slot::Status, 1),
    ("status/code", Slot::Status, 1),
    ("metadata/status", Slot::Status, 4),
    ("metadata/error_information/error_code", Slot::ErrorCode, 1),
    ("error_information/error_code", Slot::ErrorCode, 1),
    ("error_code", Slot::ErrorCode, 2),
    ("error/code", Slot::ErrorCode, 3),
    ("error/status", Slot::ErrorCode, 2),
    ("metadata/error_information/error_class", Slot::ErrorClass, 1),
    ("error_information/error_class", Slot::ErrorClass, 1),
    ("error_class", Slot::ErrorClass, 2),
    ("error_type", Slot::ErrorClass, 2),
    ("error/type", Slot::ErrorClass, 2),
    ("metadata/error_information/error_message", Slot::Message, 1),
    ("error_information/error_message", Slot::Message, 1),
    ("error_str", Slot::Message, 2),
    ("statusMessage", Slot::Message, 1),
    ("status_message", Slot::Message, 1),
    ("status/description", Slot::Message, 2),
    ("status/message", Slot::Message, 2),
    ("error_message", Slot::Message, 2),
    ("error", Slot::Message, 4),
    ("error/message", Slot::Message, 3),
    ("exception", Slot::Message, 4),
    ("message", Slot::Message, 5),
    ("level", Slot::Level, 1),
    ("finish_reason", Slot::Finish, 1),
    ("stop_reason", Slot::Finish, 1),
    ("response/choices/finish_reason", Slot::Finish, 2),
    ("response/stop_reason", Slot::Finish, 2),
    ("response_body/choices/finish_reason", Slot::Finish, 3),
    ("response_body/stop_reason", Slot::Finish, 3),
    ("output/choices/finish_reason", Slot::Finish, 3),
    ("response_flags", Slot::Flags, 1),
    // Whose model, and what was asked for.
    ("custom_llm_provider", Slot::Provider, 1),
    ("provider", Slot::Provider, 2),
    ("request/provider", Slot::Provider, 2),
    ("target_provider", Slot::Provider, 3),
    ("model", Slot::Model, 2),
    ("provided_model_name", Slot::Model, 1),
    ("providedModelName", Slot::Model, 1),
    ("response_model", Slot::Model, 1),
    ("request_model", Slot::Model, 3),
    ("model_name", Slot::Model, 3),
    ("modelName", Slot::Model, 3),
    ("request/model", Slot::Model, 3),
    ("response/model", Slot::Model, 1),
    ("request_body/model", Slot::Model, 4),
    ("body/model", Slot::Model, 4),
    ("json_data/model", Slot::Model, 4),
    ("model_group", Slot::Route, 1),
    ("route", Slot::Route, 2),
    ("deployment", Slot::Deployment, 1),
    ("attempts/deployment", Slot::Deployment, 2),
    ("api_base", Slot::Url, 4),
    ("hidden_params/api_base", Slot::Url, 5),
    ("request_path", Slot::Url, 2),
    ("request/path", Slot::Url, 2),
    ("path", Slot::Url, 2),
    ("url", Slot::Url, 1),
    ("uri", Slot::Url, 2),
    ("request_uri", Slot::Url, 1),
    ("target_url", Slot::Url, 2),
    ("request", Slot::RequestLine, 1),
    ("method", Slot::Method, 1),
    ("request_method", Slot::Method, 1),
    ("call_type", Slot::CallType, 1),
    ("endpoint", Slot::CallType, 2),
    ("type", Slot::Kind, 1),
    ("stream", Slot::Stream, 1),
    ("model_parameters/stream", Slot::Stream, 2),
    ("modelParameters/stream", Slot::Stream, 2),
    ("request_body/stream", Slot::Stream, 3),
    ("model_parameters/max_tokens", Slot::MaxOutput, 1),
    ("model_parameters/max_completion_tokens", Slot::MaxOutput, 1),
    ("modelParameters/max_tokens", Slot::MaxOutput, 1),
    ("modelParameters/max_completion_tokens", Slot::MaxOutput, 1),
    ("request_body/max_tokens", Slot::MaxOutput, 2),
    ("request_body/max_completion_tokens", Slot::MaxOutput, 2),
    ("max_tokens", Slot::MaxOutput, 2),
    ("messages", Slot::Content, 1),
    ("request_body/messages", Slot::Content, 2),
    ("request/messages", Slot::Content, 2),
    ("input", Slot::Content, 3),
    ("prompt", Slot::Content, 4),
    ("content", Slot::Content, 5),
    // Who.
    ("metadata/user_api_key_alias", Slot::Key, 1),
    ("user_api_key_alias", Slot::Key, 1),
    ("key_alias", Slot::Key, 1),
    ("key", Slot::Key, 2),
    ("api_key", Slot::Key, 3),
    ("metadata/user_api_key_hash", Slot::Key, 4),
    ("metadata/user_api_key", Slot::Key, 5),
    ("key_name", Slot::Key, 2),
    ("auth_hash", Slot::Key, 4),
    ("metadata/user_api_key_team_alias", Slot::Tenant, 1),
    ("team_alias", Slot::Tenant, 1),
    ("tenant", Slot::Tenant, 1),
    ("team_id", Slot::Tenant, 3),
    ("metadata/user_api_key_team_id", Slot::Tenant, 4),
    ("team", Slot::Tenant, 2),
    ("end_user", Slot::User, 1),
    ("user_id", Slot::User, 1),
    ("userId", Slot::User, 1),
    ("request_user_id", Slot::User, 1),
    ("request/user_id", Slot::User, 1),
    ("user", Slot::User, 2),
    ("model_parameters/user", Slot::User, 3),
    ("metadata/user_api_key_user_id", Slot::User, 4),
    ("remote_addr", Slot::User, 5),
    ("downstream_remote_address", Slot::User, 5),
    ("x_forwarded_for", Slot::User, 4),
    ("client_ip", Slot::User, 5),
    ("session_id", Slot::Run, 1),
    ("sessionId", Slot::Run, 1),
    ("run", Slot::Run, 1),
    ("properties/Helicone-Session-Id", Slot::Run, 1),
    ("request_properties/Helicone-Session-Id", Slot::Run, 1),
    ("request/properties/Helicone-Session-Id", Slot::Run, 1),
    ("trace_id", Slot::Run, 3),
    ("traceId", Slot::Run, 3),
    ("context/trace_id", Slot::Run, 3),
    ("conversation_id", Slot::Run, 2),
    // What it used.
    ("prompt_tokens", Slot::Input, 1),
    ("promptTokens", Slot::Input, 2),
    ("input_tokens", Slot::Input, 1),
    ("inputTokens", Slot::Input, 1),
    ("tokens_in", Slot::Input, 2),
    ("inputUsage", Slot::Input, 2),
    ("response/prompt_tokens", Slot::Input, 1),
    ("usageDetails/input", Slot::Input, 0),
    ("usage_details/input", Slot::Input, 0),
    ("usage/input", Slot::Input, 3),
    ("usage/prompt_tokens", Slot::Input, 2),
    ("usage/input_tokens", Slot::Input, 2),
    ("usage/promptTokens", Slot::Input, 3),
    ("response_body/usage/prompt_tokens", Slot::Input, 4),
    ("response_body/usage/input_tokens", Slot::Input, 4),
    ("completion_tokens", Slot::Output, 1),
    ("completionTokens", Slot::Output, 2),
    ("output_tokens", Slot::Output, 1),
    ("outputTokens", Slot::Output, 1),
    ("tokens_out", Slot::Output, 2),
    ("outputUsage", Slot::Output, 2),
    ("output", Slot::Output, 6),
    ("response/completion_tokens", Slot::Output, 1),
    ("usageDetails/output", Slot::Output, 0),
    ("usage_details/output", Slot::Output, 0),
    ("usage/output", Slot::Output, 3),
    ("usage/completion_tokens", Slot::Output, 2),
    ("usage/output_tokens", Slot::Output, 2),
    ("usage/completionTokens", Slot::Output, 3),
    ("response_body/usage/completion_tokens", Slot::Output, 4),
    ("response_body/usage/output_tokens", Slot::Output, 4),
    ("total_tokens", Slot::Total, 1),
    ("totalTokens", Slot::Total, 2),
    ("response/total_tokens", Slot::Total, 2),
    ("usageDetails/total", Slot::Total, 0),
    ("usage_details/total", Slot::Total, 0),
    ("usage/total", Slot::Total, 3),
    ("usage/total_tokens", Slot::Total, 3),
    ("metadata/usage_object/prompt_tokens_details/cached_tokens", Slot::Cached, 1),
    ("metadata/usage_object/cache_read_input_tokens", Slot::Cached, 2),
    ("metadata/additional_usage_values/cache_read_input_tokens", Slot::Cached, 3),
    ("metadata/additional_usage_values/prompt_tokens_details/cached_tokens", Slot::Cached, 3),
    ("usageDetails/input_cached_tokens", Slot::Cached, 1),
    ("usageDetails/cache_read_input_tokens", Slot::Cached, 1),
    ("usage_details/input_cached_tokens", Slot::Cached, 1),
    ("usage_details/cache_read_input_tokens", Slot::Cached, 1),
    ("usage/prompt_tokens_details/cached_tokens", Slot::Cached, 2),
    ("usage/cache_read_input_tokens", Slot::Cached, 2),
    ("usage/cached_input", Slot::Cached, 1),
    ("prompt_cache_read_tokens", Slot::Cached, 1),
    ("prompt_cached_tokens", Slot::Cached, 1),
    ("cached_tokens", Slot::Cached, 2),
    ("cached_input", Slot::Cached, 2),
    ("cached_input_tokens", Slot::Cached, 2),
    ("cache_read_input_tokens", Slot::Cached, 2),
    ("metadata/usage_object/cache_creation_input_tokens", Slot::CacheWrite, 1),
    ("metadata/additional_usage_values/cache_creation_input_tokens", Slot::CacheWrite, 2),
    ("usageDetails/cache_creation_input_tokens", Slot::CacheWrite, 1),
    ("usageDetails/input_cache_creation", Slot::CacheWrite, 2),
    ("usage_details/cache_creation_input_tokens", Slot::CacheWrite, 1),
    ("usage_details/input_cache_creation", Slot::CacheWrite, 2),
    ("usage/cache_write", Slot::CacheWrite, 1),
    ("usage/cache_creation_input_tokens", Slot::CacheWrite, 2),
    ("prompt_cache_write_tokens", Slot::CacheWrite, 1),
    ("cache_creation_input_tokens", Slot::CacheWrite, 2),
    ("metadata/usage_object/completion_tokens_details/reasoning_tokens", Slot::Reasoning, 1),
    ("usageDetails/output_reasoning_tokens", Slot::Reasoning, 1),
    ("usage_details/output_reasoning_tokens", Slot::Reasoning, 1),
    ("usage/reasoning", Slot::Reasoning, 1),
    ("reasoning_tokens", Slot::Reasoning, 1),
    ("reasoning", Slot::Reasoning, 2),
    // What it cost.
    ("spend", Slot::Cost, 1),
    ("response_cost", Slot::Cost, 1),
    ("cost_usd", Slot::Cost, 1),
    ("costDetails/total", Slot::Cost, 0),
    ("cost_details/total", Slot::Cost, 0),
    ("totalCost", Slot::Cost, 1),
    ("total_cost", Slot::Cost, 1),
    ("calculatedTotalCost", Slot::Cost, 2),
    ("calculated_total_cost", Slot::Cost, 2),
    ("costUSD", Slot::Cost, 2),
    ("cost", Slot::Cost, 3),
    ("provider_total_cost", Slot::Cost, 3),
    // Tries, caches and limits.
    ("metadata/attempted_retries", Slot::Retry, 1),
    ("attempted_retries", Slot::Retry, 1),
    ("retry_count", Slot::Retry, 1),
    ("retries", Slot::Retry, 2),
    ("retry", Slot::Retry, 3),
    ("attempt_number", Slot::Retry, 3),
    ("sdk_retry", Slot::SdkRetry, 1),
    ("cache_hit", Slot::CacheHit, 1),
    ("cache_enabled", Slot::CacheHit, 3),
    ("cacheHit", Slot::CacheHit, 1),
    ("hidden_params/additional_headers/x_ratelimit_limit_requests", Slot::LimitRequests, 1),
    ("hidden_params/additional_headers/x_ratelimit_limit_tokens", Slot::LimitTokens, 1),
    ("hidden_params/additional_headers/x-ratelimit-limit-requests", Slot::LimitRequests, 2),
    ("hidden_params/additional_headers/x-ratelimit-limit-tokens", Slot::LimitTokens, 2),
    ("hidden_params/additional_headers/llm_provider-x-ratelimit-limit-requests", Slot::LimitRequests, 3),
    ("hidden_params/additional_headers/llm_provider-x-ratelimit-limit-tokens", Slot::LimitTokens, 3),
    ("hidden_params/additional_headers/llm_provider-anthropic-ratelimit-requests-limit", Slot::LimitRequests, 3),
    ("hidden_params/additional_headers/llm_provider-anthropic-ratelimit-input-tokens-limit", Slot::LimitInput, 1),
    ("hidden_params/additional_headers/llm_provider-anthropic-ratelimit-output-tokens-limit", Slot::LimitOutput, 1),
    ("x_ratelimit_limit_requests", Slot::LimitRequests, 2),
    ("x_ratelimit_limit_tokens", Slot::LimitTokens, 2),
    // What holds other records.
    ("observations", Slot::Observations, 1),
    ("data", Slot::Observations, 2),
    ("log", Slot::Log, 1),
    ("resourceSpans", Slot::Spans, 1),
    ("attempts", Slot::Attempts, 1),
    ("outcome", Slot::Outcome, 1),
    ("cost_estimated", Slot::CostEstimated, 1),
    // OpenTelemetry's names where attributes are an object.
    ("attributes/gen_ai.provider.name", Slot::Provider, 1),
    ("attributes/gen_ai.system", Slot::Provider, 2),
    ("attributes/gen_ai.response.model", Slot::Model, 1),
    ("attributes/gen_ai.request.model", Slot::Model, 2),
    ("attributes/gen_ai.operation.name", Slot::CallType, 1),
    ("attributes/gen_ai.conversation.id", Slot::Run, 1),
    ("attributes/session.id", Slot::Run, 2),
    ("attributes/user.id", Slot::User, 1),
    ("attributes/enduser.id", Slot::User, 1),
    ("attributes/gen_ai.usage.input_tokens", Slot::Input, 1),
    ("attributes/gen_ai.usage.prompt_tokens", Slot::Input, 2),
    ("attributes/llm.usage.prompt_tokens", Slot::Input, 3),
    ("attributes/llm.token_count.prompt", Slot::Input, 3),
    ("attributes/gen_ai.usage.output_tokens", Slot::Output, 1),
    ("attributes/gen_ai.usage.completion_tokens", Slot::Output, 2),
    ("attributes/llm.usage.completion_tokens", Slot::Output, 3),
    ("attributes/llm.token_count.completion", Slot::Output, 3),
    ("attributes/llm.model_name", Slot::Model, 3),
    ("attributes/llm.provider", Slot::Provider, 3),
    ("attributes/gen_ai.usage.cache_read.input_tokens", Slot::Cached, 1),
    ("attributes/gen_ai.usage.cache_read_input_tokens", Slot::Cached, 2),
    ("attributes/gen_ai.usage.cached_tokens", Slot::Cached, 3),
    ("attributes/gen_ai.usage.cache_creation.input_tokens", Slot::CacheWrite, 1),
    ("attributes/gen_ai.usage.cache_creation_input_tokens", Slot::CacheWrite, 2),
    ("attributes/gen_ai.usage.cost", Slot::Cost, 1),
    ("attributes/gen_ai.request.max_tokens", Slot::MaxOutput, 1),
    ("attributes/gen_ai.response.finish_reasons", Slot::Finish, 1),
    ("attributes/http.response.status_code", Slot::ErrorCode, 1),
    ("attributes/http.status_code", Slot::ErrorCode, 2),
    ("attributes/error.type", Slot::ErrorClass, 1),
    ("attributes/http.request.resend_count", Slot::Retry, 1),
    ("attributes/url.full", Slot::Url, 3),
    ("attributes/http.url", Slot::Url, 3),
    ("attributes/server.address", Slot::Url, 6),
];

const MARKS: &[(&str, Mark)] = &[
    ("call_type", Mark::LiteLlm),
    ("custom_llm_provider", Mark::LiteLlm),
    ("model_group", Mark::LiteLlm),
    ("spend", Mark::LiteLlmSpend),
    ("response_cost", Mark::LiteLlmProxy),
    ("hidden_params", Mark::LiteLlmProxy),
    ("status_fields", Mark::LiteLlmProxy),
    ("model_map_information", Mark::LiteLlmProxy),
    ("component", Mark::LiteLlmLog),
    ("usageDetails", Mark::Langfuse),
    ("usage_details", Mark::Langfuse),
    ("costDetails", Mark::Langfuse),
    ("cost_details", Mark::Langfuse),
    ("completionStartTime", Mark::Langfuse),
    ("statusMessage", Mark::Langfuse),
    ("parentObservationId", Mark::Langfuse),
    ("parent_observation_id", Mark::Langfuse),
    ("provided_model_name", Mark::Langfuse),
    ("calculatedTotalCost", Mark::Langfuse),
    ("bookmarked", Mark::Langfuse),
    ("request_created_at", Mark::Helicone),
    ("response_created_at", Mark::Helicone),
    ("response_status", Mark::Helicone),
    ("request_user_id", Mark::Helicone),
    ("request/created_at", Mark::Helicone),
    ("response/delay_ms", Mark::Helicone),
    ("attempts", Mark::Weir),
    ("outcome", Mark::Weir),
    ("first_content_ms", Mark::Weir),
    ("overhead_us", Mark::Weir),
    ("attributes", Mark::OtelSpan),
    ("resourceSpans", Mark::Otlp),
    ("resourceLogs", Mark::Otlp),
    ("resourceMetrics", Mark::Otlp),
    ("response_code", Mark::Envoy),
    ("upstream_cluster", Mark::Envoy),
    ("response_flags", Mark::Envoy),
    ("remote_addr", Mark::Nginx),
    ("time_local", Mark::Nginx),
    ("time_iso8601", Mark::Nginx),
    ("request_uri", Mark::Nginx),
    ("upstream_response_time", Mark::Nginx),
    ("body_bytes_sent", Mark::Nginx),
    ("prompt_tokens", Mark::Usage),
    ("completion_tokens", Mark::Usage),
    ("input_tokens", Mark::Usage),
    ("output_tokens", Mark::Usage),
];

/// A name on the way to a field.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// What comes after it, by name.
    children: Vec<(Box<str>, usize)>,
    /// The field that it is, and its rank.
    pub(crate) slot: Option<(Slot, u8)>,
    /// What its presence says.
    pub(crate) mark: u32,
}

/// All paths, as a tree of names.
#[derive(Debug)]
pub(crate) struct Paths(Vec<Node>);

impl Default for Paths {
    fn default() -> Self {
        let mut paths = Self(vec![Node::default()]);
        for (path, slot, rank) in ROWS {
            paths.add(path.split('/'), *slot, *rank + 1);
        }
        for (path, mark) in MARKS {
            let node = paths.node(path.split('/'));
            paths.0[node].mark |= *mark as u32;
        }
        paths
    }
}

impl Paths {
    fn node<'p>(&mut self, path: impl Iterator<Item = &'p str>) -> usize {
        path.fold(0, |node, name| match self.0[node].children.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(found) => self.0[node].children[found].1,
            Err(place) => {
                let next = self.0.len();
                self.0.push(Node::default());
                self.0[node].children.insert(place, (name.into(), next));
                next
            }
        })
    }

    fn add<'p>(&mut self, path: impl Iterator<Item = &'p str>, slot: Slot, rank: u8) {
        let node = self.node(path);
        let node = &mut self.0[node];
        if node.slot.is_none_or(|(_, known)| known >= rank) {
            node.slot = Some((slot, rank));
        }
    }

    /// Maps a path of the user's to a field, before all others.
    pub(crate) fn map(&mut self, path: &str, slot: Slot) {
        // What is mapped elsewhere is not looked for at its usual places.
        for node in &mut self.0 {
            if node.slot.is_some_and(|(known, rank)| known == slot && rank > 0) {
                node.slot = None;
            }
        }
        self.add(path.split('/'), slot, 0);
    }

    /// What is behind `name` after `node`.
    pub(crate) fn child(&self, node: usize, name: &str) -> Option<usize> {
        let children = &self.0[node].children;
        children.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|found| children[found].1)
    }

    pub(crate) fn at(&self, node: usize) -> &Node {
        &self.0[node]
    }

    /// Whether more comes after `node`.
    pub(crate) fn has_children(&self, node: usize) -> bool {
        !self.0[node].children.is_empty()
    }

    /// The node of a column's name: as it is, or with dots or slashes between its parts, in any case.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let name = name.trim();
        self.child(0, name)
            .or_else(|| {
                let mut parts = name.split(['.', '/']);
                let first = self.child(0, parts.next()?)?;
                parts.try_fold(first, |node, part| self.child(node, part))
            })
            .or_else(|| {
                let plain: String =
                    name.chars().map(|c| if matches!(c, ' ' | '-') { '_' } else { c.to_ascii_lowercase() }).collect();
                (plain != name).then(|| self.child(0, &plain)).flatten()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_found() {
        let paths = Paths::default();
        for (path, slot, _) in ROWS {
            let node = path.split('/').try_fold(0, |node, name| paths.child(node, name));
            assert_eq!(node.and_then(|node| paths.at(node).slot).map(|(slot, _)| slot), Some(*slot), "{path}");
        }
    }

    #[test]
    fn a_mapped_path_takes_the_place_of_the_usual_ones() {
        let mut paths = Paths::default();
        paths.map("when", Slot::At);
        let slot = |name: &str| paths.child(0, name).and_then(|node| paths.at(node).slot).map(|(slot, _)| slot);
        assert_eq!((slot("when"), slot("timestamp"), slot("model")), (Some(Slot::At), None, Some(Slot::Model)));
        assert!(paths.column("Prompt Tokens").is_some() && paths.column("usage.prompt_tokens").is_some());
    }
}
