//! Whose API a call went to, from the names that tools have for it, from a host, or from the model's name.

use std::borrow::Cow;

use crate::call::Text;

/// Names of tools, and ours.
const NAMES: &[(&str, &str)] = &[
    ("az.ai.openai", "azure"),
    ("azure.ai.openai", "azure"),
    ("azure.ai.inference", "azure"),
    ("az.ai.inference", "azure"),
    ("azure_ai", "azure"),
    ("azure_text", "azure"),
    ("azureopenai", "azure"),
    ("aws.bedrock", "bedrock"),
    ("bedrock_converse", "bedrock"),
    ("aws", "bedrock"),
    ("amazon-bedrock", "bedrock"),
    ("amazon_bedrock", "bedrock"),
    ("azure-openai", "azure"),
    ("gcp.vertex_ai", "vertex"),
    ("vertex_ai", "vertex"),
    ("vertex_ai_beta", "vertex"),
    ("gcp.gemini", "gemini"),
    ("gcp.gen_ai", "gemini"),
    ("google", "gemini"),
    ("google_genai", "gemini"),
    ("mistral_ai", "mistral"),
    ("mistralai", "mistral"),
    ("x_ai", "xai"),
    ("text-completion-openai", "openai"),
    ("custom_openai", "openai-compatible"),
    ("together_ai", "together"),
    ("fireworks_ai", "fireworks"),
];

/// Names that may have an API's name behind a point.
const BEFORE_A_POINT: &[(&str, &str)] = &[
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("azure-openai", "azure"),
    ("google", "gemini"),
    ("mistral", "mistral"),
    ("groq", "groq"),
    ("xai", "xai"),
    ("cohere", "cohere"),
    ("deepseek", "deepseek"),
    ("togetherai", "together"),
];

/// Ends of hosts, and whose they are.
const HOSTS: &[(&str, &str)] = &[
    ("api.openai.com", "openai"),
    ("openai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gemini"),
    ("aiplatform.googleapis.com", "vertex"),
    ("amazonaws.com", "bedrock"),
    ("api.mistral.ai", "mistral"),
    ("api.groq.com", "groq"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "xai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("openrouter.ai", "openrouter"),
    ("oai.helicone.ai", "openai"),
    ("anthropic.helicone.ai", "anthropic"),
];

/// A provider's name as we write it.
pub(super) fn named(name: Text<'_>) -> Text<'_> {
    let lower = name.trim().to_ascii_lowercase();
    // `openai.chat` is what the AI SDK calls an API of OpenAI's.
    if let Some((word, _)) = lower.split_once('.')
        && let Some(ours) = BEFORE_A_POINT.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
    {
        return Cow::Borrowed(ours);
    }
    match NAMES.iter().find(|(theirs, _)| *theirs == lower) {
        Some((_, ours)) => Cow::Borrowed(ours),
        None if lower == *name => name,
        None => Cow::Owned(lower),
    }
}

/// Whose host that is, with or without a scheme, a port and a path.
pub(super) fn of_host(url: &str) -> Option<&'static str> {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?', ':']).next()?;
    HOSTS
        .iter()
        .find(|(end, _)| host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '-'])))
        .map(|(_, name)| *name)
}

/// The model that a path names: Azure's deployments, Gemini's, Bedrock's and Vertex's models.
pub(super) fn model_in(path: &str) -> Option<&str> {
    for (before, after) in [("/deployments/", "/"), ("/models/", ":"), ("/model/", "/")] {
        if let Some((_, rest)) = path.split_once(before) {
            let end = rest.find(after)?;
            let name = &rest[..end];
            return (!name.is_empty() && name.len() <= 200).then_some(name);
        }
    }
    None
}

/// Whose model it is by its name.
pub(super) fn of_model(model: &str) -> Option<&'static str> {
    const STARTS: &[(&str, &str)] = &[
        ("gemini-", "gemini"),
        ("mistral-", "mistral"),
        ("deepseek-", "deepseek"),
        ("grok-", "xai"),
        ("command-", "cohere"),
    ];
    weir_wire::provider_of(model)
        .map(|kind| kind.name())
        .or_else(|| STARTS.iter().find(|(start, _)| model.starts_with(start)).map(|(_, name)| *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_told_by_name_host_or_model() {
        assert_eq!(named(Cow::Borrowed("OPENAI")), "openai");
        assert_eq!(named(Cow::Borrowed("az.ai.openai")), "azure");
        assert_eq!(of_host("https://api.openai.com/v1/chat/completions"), Some("openai"));
        assert_eq!(of_host("my-team.openai.azure.com:443"), Some("azure"));
        assert_eq!(of_host("https://notapi.openai.com.evil.example/v1"), None);
        assert_eq!(of_model("claude-sonnet-4-5"), Some("anthropic"));
        assert_eq!(model_in("/openai/deployments/gpt-4o/chat/completions?api-version=1"), Some("gpt-4o"));
        assert_eq!(model_in("/v1beta/models/gemini-2.5-pro:generateContent"), Some("gemini-2.5-pro"));
        assert_eq!(model_in("/model/anthropic.claude-v2/invoke"), Some("anthropic.claude-v2"));
        assert_eq!(model_in("/v1/models"), None);
    }
}
