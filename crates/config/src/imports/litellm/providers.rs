//! Which API a LiteLLM model is at: by the word before the first slash of its name.

/// An API: LiteLLM's word, our kind, its address and the environment variable that LiteLLM reads its key from.
type Row = (&'static str, &'static str, Option<&'static str>, Option<&'static str>);

/// APIs that Weir speaks to. Those of the kind `openai-compatible` need an address.
const KNOWN: &[Row] = &[
    ("openai", "openai", None, Some("OPENAI_API_KEY")),
    ("text-completion-openai", "openai", None, Some("OPENAI_API_KEY")),
    ("anthropic", "anthropic", None, Some("ANTHROPIC_API_KEY")),
    (
        "gemini",
        "openai-compatible",
        Some("https://generativelanguage.googleapis.com/v1beta/openai"),
        Some("GEMINI_API_KEY"),
    ),
    ("groq", "openai-compatible", Some("https://api.groq.com/openai/v1"), Some("GROQ_API_KEY")),
    ("mistral", "openai-compatible", Some("https://api.mistral.ai/v1"), Some("MISTRAL_API_KEY")),
    ("deepseek", "openai-compatible", Some("https://api.deepseek.com/v1"), Some("DEEPSEEK_API_KEY")),
    ("xai", "openai-compatible", Some("https://api.x.ai/v1"), Some("XAI_API_KEY")),
    ("together_ai", "openai-compatible", Some("https://api.together.xyz/v1"), Some("TOGETHERAI_API_KEY")),
    ("fireworks_ai", "openai-compatible", Some("https://api.fireworks.ai/inference/v1"), Some("FIREWORKS_AI_API_KEY")),
    ("openrouter", "openai-compatible", Some("https://openrouter.ai/api/v1"), Some("OPENROUTER_API_KEY")),
    ("perplexity", "openai-compatible", Some("https://api.perplexity.ai"), Some("PERPLEXITYAI_API_KEY")),
    ("cerebras", "openai-compatible", Some("https://api.cerebras.ai/v1"), Some("CEREBRAS_API_KEY")),
    ("nvidia_nim", "openai-compatible", Some("https://integrate.api.nvidia.com/v1"), Some("NVIDIA_NIM_API_KEY")),
    ("cohere_chat", "openai-compatible", Some("https://api.cohere.ai/compatibility/v1"), Some("COHERE_API_KEY")),
    ("zai", "openai-compatible", Some("https://api.z.ai/api/paas/v4"), Some("ZAI_API_KEY")),
    ("moonshot", "openai-compatible", Some("https://api.moonshot.ai/v1"), Some("MOONSHOT_API_KEY")),
    ("minimax", "openai-compatible", Some("https://api.minimax.io/v1"), Some("MINIMAX_API_KEY")),
    (
        "dashscope",
        "openai-compatible",
        Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        Some("DASHSCOPE_API_KEY"),
    ),
    ("volcengine", "openai-compatible", Some("https://ark.cn-beijing.volces.com/api/v3"), Some("VOLCENGINE_API_KEY")),
    ("sambanova", "openai-compatible", Some("https://api.sambanova.ai/v1"), Some("SAMBANOVA_API_KEY")),
    ("deepinfra", "openai-compatible", Some("https://api.deepinfra.com/v1/openai"), Some("DEEPINFRA_API_KEY")),
    ("novita", "openai-compatible", Some("https://api.novita.ai/v3/openai"), Some("NOVITA_API_KEY")),
    ("nebius", "openai-compatible", Some("https://api.studio.nebius.ai/v1"), Some("NEBIUS_API_KEY")),
    ("hyperbolic", "openai-compatible", Some("https://api.hyperbolic.xyz/v1"), Some("HYPERBOLIC_API_KEY")),
    ("meta_llama", "openai-compatible", Some("https://api.llama.com/compat/v1"), Some("LLAMA_API_KEY")),
    (
        "vercel_ai_gateway",
        "openai-compatible",
        Some("https://ai-gateway.vercel.sh/v1"),
        Some("VERCEL_AI_GATEWAY_API_KEY"),
    ),
    ("huggingface", "openai-compatible", Some("https://router.huggingface.co/v1"), Some("HF_TOKEN")),
    ("github", "openai-compatible", Some("https://models.github.ai/inference"), Some("GITHUB_API_KEY")),
    ("databricks", "openai-compatible", None, Some("DATABRICKS_API_KEY")),
    ("xinference", "openai-compatible", None, None),
    ("docker_model_runner", "openai-compatible", None, None),
    ("azure", "openai-compatible", None, Some("AZURE_API_KEY")),
    ("azure_ai", "openai-compatible", None, Some("AZURE_AI_API_KEY")),
    ("hosted_vllm", "openai-compatible", None, None),
    ("vllm", "openai-compatible", None, None),
    ("ollama", "openai-compatible", Some("http://127.0.0.1:11434/v1"), None),
    ("ollama_chat", "openai-compatible", Some("http://127.0.0.1:11434/v1"), None),
    ("lm_studio", "openai-compatible", Some("http://127.0.0.1:1234/v1"), None),
    ("llamafile", "openai-compatible", Some("http://127.0.0.1:8080/v1"), None),
    ("litellm_proxy", "openai-compatible", None, Some("LITELLM_PROXY_API_KEY")),
    ("custom_openai", "openai-compatible", None, None),
    ("openai_like", "openai-compatible", None, None),
];

/// APIs that need a signature or a dialect that Weir does not speak.
const FOREIGN: &[&str] = &[
    "bedrock",
    "bedrock_converse",
    "sagemaker",
    "sagemaker_chat",
    "vertex_ai",
    "vertex_ai_beta",
    "cohere",
    "replicate",
    "watsonx",
    "github_copilot",
    "chatgpt",
    "palm",
    "ai21",
    "triton",
    "voyage",
    "jina_ai",
    "deepgram",
    "assemblyai",
    "elevenlabs",
    "sap",
    "oci",
    "snowflake",
    "predibase",
    "nlp_cloud",
    "petals",
    "cloudflare",
];

/// What is known of an API.
pub(super) struct Api {
    /// LiteLLM's word for it, a name for the provider.
    pub(super) word: String,
    pub(super) kind: &'static str,
    pub(super) base_url: Option<&'static str>,
    pub(super) key: Option<&'static str>,
    /// The model as the API knows it.
    pub(super) model: String,
}

/// The API of a model, with the word for it where the name has none; an error says why there is none.
pub(super) fn of(model: &str, given: Option<&str>, has_base: bool) -> Result<Api, String> {
    let (word, rest) = match (given, model.split_once('/')) {
        (Some(word), Some((first, rest))) if word == first => (word, rest),
        (Some(word), _) => (word, model),
        (None, Some((word, rest))) if is_word(word) => (word, rest),
        (None, _) => {
            let word = weir_wire::provider_of(model).map(weir_wire::ProviderKind::name);
            (word.unwrap_or(if has_base { "openai" } else { "" }), model)
        }
    };
    if FOREIGN.contains(&word) {
        return Err(format!("Weir does not speak to `{word}`: put a gateway of its own before it, or leave it out"));
    }
    let Some((_, kind, base_url, key)) = KNOWN.iter().find(|(known, ..)| *known == word) else {
        return Err(match word {
            "" if model.contains('/') => {
                let word = model.split('/').next().unwrap_or_default();
                format!("Weir knows no API `{word}`: declare it with kind = \"openai-compatible\" and its base-url")
            }
            "" => {
                format!("whose model `{model}` is cannot be told: write the provider before it, like `openai/{model}`")
            }
            word => {
                format!("Weir knows no API `{word}`: declare it with kind = \"openai-compatible\" and its base-url")
            }
        });
    };
    // What is called openai and is elsewhere is something that speaks like it.
    let kind = if *kind == "openai" && has_base { "openai-compatible" } else { kind };
    Ok(Api { word: word.replace('_', "-"), kind, base_url: *base_url, key: *key, model: rest.to_owned() })
}

fn is_word(word: &str) -> bool {
    KNOWN.iter().any(|(known, ..)| *known == word) || FOREIGN.contains(&word)
}
