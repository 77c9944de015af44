//! An entry of `model_list`: a deployment, and the route that it is behind.

use super::super::yaml::Node;
use super::providers::{self, Api};
use super::{Draft, Model, Provider, duration, environment_name};

/// Settings of a call that a client may send with it, and that a proxy may have set for it.
const OF_A_CALL: &[&str] = &[
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "seed",
    "stop",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "thinking",
    "extra_body",
    "response_format",
    "tools",
    "tool_choice",
    "user",
    "logit_bias",
];

/// Takes in an entry.
pub(super) fn read(item: &Node, credentials: &[Node], draft: &mut Draft) {
    let name = item.get("model_name").and_then(Node::text);
    let Some(params) = item.get("litellm_params") else {
        return draft.leave(item, "model_list[]", "it has no `litellm_params`");
    };
    let Some(model) = params.get("model").and_then(Node::text) else {
        return draft.leave(params, "litellm_params", "it has no `model`");
    };
    let credential = params.get("litellm_credential_name").and_then(Node::text);
    let named = |known: &&Node| known.get("credential_name").and_then(Node::text) == credential;
    let values = credentials.iter().filter(|_| credential.is_some()).find(named);
    let values = values.and_then(|known| known.get("credential_values"));
    if let (Some(credential), None) = (credential, values) {
        draft.leave(
            params,
            "litellm_credential_name",
            &format!("`{credential}` is no credential of `credential_list`"),
        );
    }
    let both = values.map(|values| params.with(values));
    let params = both.as_ref().unwrap_or(params);
    let name = name.unwrap_or(model);
    let base = params.get("api_base").or_else(|| params.get("base_url")).filter(|node| !node.is_null());
    let given = params.get("custom_llm_provider").and_then(Node::text);
    if name == "*" && model == "*" {
        return every_model(params, draft);
    }
    let api = match providers::of(model, given, base.is_some()) {
        Ok(api) => api,
        Err(why) => return draft.leave(params, &format!("model_list[].{name}"), &why),
    };
    let wild = name != "*" && !(name.ends_with("/*") && api.model == "*");
    if wild && (name.contains('*') || api.model.contains('*')) {
        let why = "a pattern is no route: write a route for each model, or have clients ask for `provider/model`";
        return draft.leave(item, &format!("model_list[].{name}"), why);
    }
    let Some(provider) = provider(&api, params, base, name, draft) else { return };
    let limits_and_price = of_model(&api.model, item, params, draft);
    let deployment = format!("{}/{}", draft.providers[provider].name, api.model);
    if let Some(model) = limits_and_price {
        add_model(&mut draft.providers[provider], model);
    }
    others(params, name, draft);
    beside(item, name, draft);
    if let Some(wild) = name.strip_suffix("/*").filter(|_| api.model == "*") {
        // `provider/model` means that provider's model anyhow.
        let ours = draft.providers[provider].name.clone();
        if wild != ours {
            draft.leave(
                item,
                &format!("model_list[].{name}"),
                &format!("models are asked for as `{ours}/…` in its place"),
            );
        }
        return;
    }
    let order = params.get("order").and_then(Node::number).and_then(whole);
    let weighted = params.get("weight").is_some();
    let total =
        params.get("timeout").or_else(|| params.get("request_timeout")).and_then(Node::number).and_then(duration);
    let first_content = params.get("stream_timeout").and_then(Node::number).and_then(duration);
    let route = draft.route(name);
    route.line = if route.line == 0 { item.line } else { route.line };
    route.weighted |= weighted;
    route.first_content = route.first_content.take().or(first_content);
    route.total = route.total.take().or(total);
    if route.deployments.iter().any(|(known, _)| *known == deployment) {
        let note = format!("`{deployment}` is there twice in LiteLLM's list, with the same credential; once is enough");
        route.notes.push(note);
    } else {
        route.deployments.push((deployment, order));
    }
}

/// `"*"`: any model of any provider whose key is in the environment.
fn every_model(params: &Node, draft: &mut Draft) {
    draft.leave(
        params,
        "model_list[].*",
        "a model of any provider: clients ask for `provider/model` of the providers that are declared; a route \"*\" sends bare names to one of them",
    );
}

/// The provider with this address and credential, made where there is none yet.
fn provider(api: &Api, params: &Node, base: Option<&Node>, name: &str, draft: &mut Draft) -> Option<usize> {
    let mut note = None;
    let mut base_url = match base.and_then(Node::text) {
        Some(text) => match environment_name(text) {
            Some(variable) => {
                let why =
                    format!("an address cannot come from the environment: write what `{variable}` has as `base-url`");
                draft.leave(base.unwrap_or(params), &format!("model_list[].{name}.api_base"), &why);
                Some(format!("https://{}.invalid/v1", variable.to_ascii_lowercase().replace('_', "-")))
            }
            None => Some(address(text)),
        },
        None => api.base_url.map(str::to_owned),
    };
    if api.word == "azure" || api.word == "azure-ai" {
        let Some(base) = base_url.take() else {
            draft.leave(params, &format!("model_list[].{name}"), "Azure needs an `api_base`");
            return None;
        };
        let base =
            base.strip_suffix("/v1").filter(|base| base.ends_with(".invalid")).map_or(base.clone(), str::to_owned);
        let base = base.strip_suffix("/openai").map_or(base.clone(), str::to_owned);
        let v1 = base.ends_with("/openai/v1");
        base_url = Some(if v1 || api.word == "azure-ai" { base } else { format!("{base}/openai/v1") });
        note = Some(
            "Azure's API of version v1, which takes OpenAI's requests as they are; a deployment's name is the model"
                .to_owned(),
        );
        if let Some(version) = params.get("api_version") {
            draft.leave(version, &format!("model_list[].{name}.api_version"), "the address with /openai/v1 needs none");
        }
    }
    if api.word.starts_with("ollama")
        && let Some(base) = &base_url
        && !base.ends_with("/v1")
    {
        base_url = Some(format!("{base}/v1"));
    }
    if api.kind == "openai-compatible" && base_url.is_none() {
        draft.leave(params, &format!("model_list[].{name}"), &format!("`{}` needs an `api_base`", api.word));
        return None;
    }
    let key = credential(api, params, base_url.is_some() && api.base_url.is_none(), name, draft);
    let same = |known: &Provider| known.kind == api.kind && known.base_url == base_url && known.key == key;
    if let Some(at) = draft.providers.iter().position(same) {
        return Some(at);
    }
    let word = if api.kind == "openai-compatible" && api.word == "openai" { "openai-like" } else { &api.word };
    let taken = |name: &str| draft.providers.iter().any(|known| known.name == name);
    let mut unique = word.to_owned();
    let mut number = 2;
    while taken(&unique) {
        unique = format!("{word}-{number}");
        number += 1;
    }
    draft.providers.push(Provider { name: unique, kind: api.kind, base_url, key, models: Vec::new(), note });
    Some(draft.providers.len() - 1)
}

/// An address without the paths that requests have behind it.
fn address(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let text = text.split("/openai/deployments/").next().unwrap_or_default().trim_end_matches('/');
    let ends = ["/chat/completions", "/completions", "/embeddings", "/v1/messages", "/messages"];
    ends.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text).to_owned()
}

/// The environment variable that has the credential. A secret that stands in the file is not carried over.
fn credential(api: &Api, params: &Node, elsewhere: bool, name: &str, draft: &mut Draft) -> Option<String> {
    let Some(node) = params.get("api_key").filter(|node| !node.is_null()) else {
        // At an address of one's own there may be none.
        return if elsewhere && api.kind != "anthropic" && api.word != "azure" {
            None
        } else {
            api.key.map(str::to_owned)
        };
    };
    let text = node.text().unwrap_or_default();
    if let Some(variable) = environment_name(text) {
        return Some(variable.to_owned());
    }
    if matches!(
        text.to_ascii_lowercase().as_str(),
        "none" | "fake" | "fake-key" | "dummy" | "empty" | "not-needed" | "anything" | ""
    ) {
        return None;
    }
    let digest = weir_digest(text);
    let variable = format!("{}_API_KEY_{digest}", api.word.to_ascii_uppercase().replace('-', "_"));
    draft.leave(
        node,
        &format!("model_list[].{name}.api_key"),
        &format!("a secret does not belong in a configuration: put it into the environment as {variable}"),
    );
    Some(variable)
}

/// A few digits that tell secrets apart and give nothing of them away.
fn weir_digest(secret: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().take(2).map(|byte| format!("{byte:02X}")).collect()
}

/// What of an entry is the model's own.
fn of_model(name: &str, item: &Node, params: &Node, draft: &mut Draft) -> Option<Model> {
    let info = item.get("model_info");
    let find = |key: &str| {
        let info = || info.and_then(|info| info.get(key));
        // Limits may stand beside the parameters, too.
        params.get(key).or_else(|| item.get(key)).or_else(info).filter(|node| !node.is_null())
    };
    let mut model = Model { name: name.to_owned(), limits: Vec::new(), price: Vec::new(), context_window: None };
    for (theirs, ours) in
        [("rpm", "requests-per-minute"), ("tpm", "tokens-per-minute"), ("max_parallel_requests", "concurrent-requests")]
    {
        if let Some(node) = find(theirs) {
            match node.number().and_then(whole).filter(|limit| *limit > 0) {
                Some(limit) => model.limits.push((ours, limit)),
                None => draft.leave(node, theirs, "no whole number above zero"),
            }
        }
    }
    for (theirs, ours) in [
        ("input_cost_per_token", "input"),
        ("output_cost_per_token", "output"),
        ("cache_read_input_token_cost", "cached-input"),
        ("cache_creation_input_token_cost", "cache-write"),
    ] {
        if let Some(price) = find(theirs).and_then(|node| per_million(node.text()?)) {
            model.price.push((ours, price));
        }
    }
    model.context_window = info
        .and_then(|info| info.get("max_input_tokens"))
        .and_then(Node::number)
        .and_then(whole)
        .filter(|size| *size > 0);
    let any = !model.limits.is_empty() || !model.price.is_empty() || model.context_window.is_some();
    if name == "*" {
        if any {
            draft.leave(params, "model_list[].*", "limits and prices of all models at once: write them for each model");
        }
        return None;
    }
    any.then_some(model)
}

/// Adds limits and prices to a provider's model; those that are there count.
fn add_model(provider: &mut Provider, model: Model) {
    match provider.models.iter_mut().find(|known| known.name == model.name) {
        Some(known) => {
            for limit in model.limits {
                if !known.limits.iter().any(|(name, _)| *name == limit.0) {
                    known.limits.push(limit);
                }
            }
            for price in model.price {
                if !known.price.iter().any(|(name, _)| *name == price.0) {
                    known.price.push(price);
                }
            }
        }
        None => provider.models.push(model),
    }
}

/// Lists what an entry says beside its parameters.
fn beside(item: &Node, name: &str, draft: &mut Draft) {
    const LIMITS: &[&str] = &["rpm", "tpm", "max_parallel_requests"];
    for (key, node) in item.entries() {
        if !matches!(key.as_str(), "model_name" | "litellm_params" | "model_info") && !LIMITS.contains(&key.as_str()) {
            draft.leave(node, &format!("model_list[].{name}.{key}"), "it has no equivalent");
        }
    }
    const TAKEN: &[&str] = &[
        "max_input_tokens",
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
    ];
    // These describe the model and change nothing.
    const TOLD: &[&str] =
        &["id", "description", "mode", "base_model", "version", "litellm_provider", "max_tokens", "max_output_tokens"];
    for (key, node) in item.get("model_info").map(Node::entries).unwrap_or_default() {
        let known = [TAKEN, TOLD, LIMITS].iter().any(|keys| keys.contains(&key.as_str()));
        if known || key.starts_with("supports_") || node.flag() == Some(false) {
            continue;
        }
        let why = match key.contains("cost") || key == "pricing" {
            true => "prices are of tokens: input, output, cached-input and cache-write of the model's `price`",
            false => "it has no equivalent",
        };
        draft.leave(node, &format!("model_list[].{name}.model_info.{key}"), why);
    }
}

/// Lists what else an entry says.
fn others(params: &Node, name: &str, draft: &mut Draft) {
    const TAKEN: &[&str] = &[
        "model",
        "api_base",
        "base_url",
        "api_key",
        "api_version",
        "rpm",
        "tpm",
        "max_parallel_requests",
        "order",
        "weight",
        "timeout",
        "request_timeout",
        "stream_timeout",
        "custom_llm_provider",
        "litellm_credential_name",
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
    ];
    for (key, node) in params.entries() {
        let setting = format!("model_list[].{name}.{key}");
        match key.as_str() {
            key if TAKEN.contains(&key) => {}
            "num_retries" | "max_retries" => {
                draft.leave(node, &setting, "attempts are set for all routes, as `retry.attempts`")
            }
            "max_budget" | "budget_duration" => {
                draft.leave(node, &setting, "budgets hold for keys, tenants and tags; see [budgets]")
            }
            "organization" => draft.leave(
                node,
                &setting,
                "send it as a header: headers = { \"OpenAI-Organization\" = \"…\" } of the provider",
            ),
            "region_name" | "aws_region_name" | "vertex_location" => {
                draft.leave(node, &setting, "a region is part of `base-url`")
            }
            "tags" => draft.leave(node, &setting, "routes are not chosen by tags; make a route for each"),
            key if OF_A_CALL.contains(&key) => {
                draft.leave(node, &setting, "Weir does not add to what clients ask for: set it in the client")
            }
            _ => draft.leave(node, &setting, "it has no equivalent"),
        }
    }
}

/// A whole number that is not below zero.
pub(super) fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (number.fract() == 0.0 && (0.0..1e15).contains(&number)).then_some(number as u64)
}

/// A price of a token, `2.5e-06`, as one of a million: `2.5`.
fn per_million(text: &str) -> Option<String> {
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + power + 6;
    if !(-20..=20).contains(&point) {
        return None;
    }
    let padded = if point <= 0 {
        format!("{}{digits}", "0".repeat(usize::try_from(1 - point).ok()?))
    } else {
        let missing = usize::try_from(point).ok()?.saturating_sub(digits.len());
        format!("{digits}{}", "0".repeat(missing))
    };
    let at = usize::try_from(point.max(1)).ok()?;
    let (whole, part) = padded.split_at(at);
    let whole = whole.trim_start_matches('0');
    let part = &part[..part.len().min(6)];
    let part = part.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_price_is_written_for_a_million() {
        for (text, price) in [
            ("2.5e-06", "2.5"),
            ("0.0000025", "2.5"),
            ("1e-5", "10"),
            ("3e-08", "0.03"),
            ("0.00001", "10"),
            ("0", "0"),
            ("1.5E-7", "0.15"),
            ("2", "2000000"),
        ] {
            assert_eq!(per_million(text).as_deref(), Some(price), "{text}");
        }
        assert_eq!((per_million("free"), per_million("-1"), per_million("1e99")), (None, None, None));
    }
}
