//! A configuration with most of what there is, and the file that it becomes.

use std::io;
use std::path::Path;

use super::*;

/// The same, of a configuration that includes nothing.
fn read(text: &str) -> Result<Imported, YamlError> {
    litellm(text, &|_| Err("there is no such file".to_owned()))
}

/// An environment in which every secret is set, and with one file.
struct Given(String);

impl crate::Environment for Given {
    fn var(&self, name: &str) -> Option<String> {
        Some(format!("a-secret-of-more-than-24-characters-for-{name}"))
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Ok(self.0.clone())
    }
}

const CONFIG: &str = r#"
model_list:
  - model_name: smart
    litellm_params:
      model: openai/gpt-5.2
      api_key: os.environ/OPENAI_API_KEY
      rpm: 500
      tpm: 300000
      input_cost_per_token: 1.75e-06
      temperature: 0.2
  - model_name: smart
    litellm_params:
      model: azure/gpt-52-eu
      api_base: https://my-team.openai.azure.com/
      api_key: os.environ/AZURE_API_KEY
      api_version: "2024-10-21"
  - model_name: sonnet
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: sk-ant-oat-literal-secret
      timeout: 90
      stream_timeout: 12.5
  - model_name: local
    litellm_params:
      model: hosted_vllm/llama-3
      api_base: http://10.0.0.5:8000/v1
  - model_name: titan
    litellm_params:
      model: bedrock/amazon.titan-text
  - model_name: "anthropic/*"
    litellm_params:
      model: "anthropic/*"
      api_key: os.environ/ANTHROPIC_API_KEY
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 2
  cooldown_time: 30
  model_group_alias: {"gpt-4": "smart"}
litellm_settings:
  fallbacks: [{"smart": ["sonnet"]}]
  request_timeout: 600
  cache: true
  success_callback: ["langfuse"]
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
  database_url: os.environ/DATABASE_URL
environment_variables:
  FOO: bar
"#;

#[test]
fn providers_routes_and_limits_are_carried_over() {
    let imported = read(CONFIG).unwrap();
    let expected = r#"# Made by `weir import litellm`. Check it with `weir check`.
# LiteLLM's master key opens its admin interface, too. Weir's takes a key of its own: [server] admin-key.

[providers.openai]
kind = "openai"
api-key = { env = "OPENAI_API_KEY" }

[providers.openai.models."gpt-5.2"]
limits = { requests-per-minute = 500, tokens-per-minute = 300000 }
price = { input = "1.75" }

[providers.azure]
# Azure's API of version v1, which takes OpenAI's requests as they are; a deployment's name is the model
kind = "openai-compatible"
base-url = "https://my-team.openai.azure.com/openai/v1"
api-key = { env = "AZURE_API_KEY" }
"#;
    assert!(imported.toml.starts_with(expected), "{}", imported.toml);
    for part in [
        "[routes.smart]\n# then those of `sonnet`, when all of its own have failed\ndeployments = [\"openai/gpt-5.2\", \"azure/gpt-52-eu\", \"anthropic/claude-sonnet-4-5\"]\nstrategy = \"failover\"",
        "[routes.gpt-4]\n# an alias of `smart`\ndeployments = [\"openai/gpt-5.2\", \"azure/gpt-52-eu\"]\nstrategy = \"balance\"  # latency-based-routing in LiteLLM",
        "[routes.sonnet]\ndeployments = [\"anthropic/claude-sonnet-4-5\"]\ntimeouts = { total = \"90s\", first-content = \"12500ms\" }",
        "[providers.hosted-vllm]\nkind = \"openai-compatible\"\nbase-url = \"http://10.0.0.5:8000/v1\"\n",
        "[retry]\nattempts = 3",
        "[breaker]\ncooldown = \"30s\"",
        "[timeouts]\ntotal = \"600s\"",
        "[keys.master]\nkey = { env = \"LITELLM_MASTER_KEY\" }",
    ] {
        assert!(imported.toml.contains(part), "{part}\n\n{}", imported.toml);
    }
}

#[test]
fn what_has_no_equivalent_is_listed_with_its_line_and_no_secret_is_carried_over() {
    let imported = read(CONFIG).unwrap();
    let told: Vec<(usize, &str)> = imported.leftovers.iter().map(|one| (one.line, one.setting.as_str())).collect();
    for expected in [
        (10, "model_list[].smart.temperature"),
        (16, "model_list[].smart.api_version"),
        (20, "model_list[].sonnet.api_key"),
        (29, "model_list[].titan"),
        (44, "litellm_settings.success_callback.langfuse"),
        (49, "environment_variables.FOO"),
    ] {
        assert!(
            told.iter().any(|(line, setting)| line.abs_diff(expected.0) <= 1 && *setting == expected.1),
            "{expected:?} in {told:?}"
        );
    }
    assert!(told.is_sorted());
    assert!(
        !imported.toml.contains("literal-secret") && !format!("{:?}", imported.leftovers).contains("literal-secret")
    );
}

#[test]
fn what_is_no_configuration_is_refused() {
    for wrong in ["", "a: [", "hello", "model_list: []", "model_list:\n"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_comes_out_is_a_configuration() {
    let imported = read(CONFIG).unwrap();
    let report = crate::load(Path::new("weir.toml"), &Given(imported.toml.clone()));
    assert!(
        report.faults.is_empty(),
        "{:?}\n{}",
        report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        imported.toml
    );
}

/// What a configuration leaves over, as `line setting`.
fn leftovers(text: &str) -> Vec<String> {
    read(text).unwrap().leftovers.iter().map(|one| format!("{} {}", one.line, one.setting)).collect()
}

#[test]
fn an_address_that_is_a_whole_url_of_azure_is_cut_to_its_resource() {
    for base in [
        "https://eu.openai.azure.com",
        "https://eu.openai.azure.com/",
        "https://eu.openai.azure.com/openai",
        "https://eu.openai.azure.com/openai/v1/",
        "https://eu.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-02-15",
    ] {
        let text =
            format!("model_list:\n- model_name: a\n  litellm_params: {{model: azure/gpt, api_base: \"{base}\"}}\n");
        let toml = read(&text).unwrap().toml;
        assert!(toml.contains("base-url = \"https://eu.openai.azure.com/openai/v1\"\n"), "{base}: {toml}");
    }
}

#[test]
fn a_credential_of_the_list_is_its_models() {
    let text = "
model_list:
  - model_name: a
    litellm_params: {model: azure/gpt, litellm_credential_name: eu}
  - model_name: b
    litellm_params: {model: openai/gpt-5, litellm_credential_name: nobody}
credential_list:
  - credential_name: eu
    credential_values: {api_key: os.environ/AZURE_EU, api_base: https://eu.openai.azure.com}
";
    let toml = read(text).unwrap().toml;
    assert!(toml.contains("https://eu.openai.azure.com/openai/v1\"\napi-key = { env = \"AZURE_EU\" }"), "{toml}");
    assert_eq!(leftovers(text), ["6 litellm_credential_name"]);
}

#[test]
fn what_leads_nowhere_or_is_lost_is_listed() {
    let text = "
model_list:
  - model_name: a
    litellm_params: {model: openai/gpt-5, api_key: os.environ/ONE, weight: 3}
    rpm: 60
    model_info: {id: x, mode: chat, supports_vision: true, input_cost_per_second: 0.1, access_groups: [beta]}
  - model_name: a
    litellm_params: {model: openai/gpt-5, api_key: os.environ/TWO}
    priority: 1
  - model_name: b
    litellm_params: {model: openai/gpt-5-mini, api_key: os.environ/ONE}
router_settings:
  fallbacks: [{a: [b]}, {c: [a]}]
  context_window_fallbacks: [{a: [d]}]
  model_group_alias: {e: f}
router_settings:
  fallbacks: [{a: [b]}, {c: [a]}]
  context_window_fallbacks: [{a: [d]}]
  model_group_alias: {e: f}
include: [more.yaml]
";
    let imported = read(text).unwrap();
    assert!(imported.toml.contains("limits = { requests-per-minute = 60 }"), "{}", imported.toml);
    assert_eq!(
        leftovers(text),
        [
            "3 model_list[].a",
            "3 model_list[].a.weight",
            "6 model_list[].a.model_info.input_cost_per_second",
            "6 model_list[].a.model_info.access_groups",
            "9 model_list[].a.priority",
            "13 router_settings",
            "17 fallbacks.c",
            "18 fallbacks.a",
            "19 model_group_alias.e",
            "20 include",
        ]
    );
}

#[test]
fn no_name_breaks_out_of_a_remark() {
    let text = "
model_list:
  - model_name: \"a\\n[server]\\nlisten = \\\"0.0.0.0:1\\\"\"
    litellm_params: {model: openai/gpt-5, api_key: os.environ/ONE}
router_settings:
  routing_strategy: \"x\\n[server]\"
  model_group_alias: {b: \"a\\n[server]\\nlisten = \\\"0.0.0.0:1\\\"\"}
";
    let toml = read(text).unwrap().toml;
    assert!(!toml.lines().any(|line| line.starts_with("[server]")), "{toml}");
}

#[test]
fn included_files_are_taken_in_and_named_where_something_of_them_is_left_over() {
    let included = |name: &str| match name {
        "models.yaml" => {
            Ok("model_list:\n  - model_name: b\n    litellm_params: {model: openai/gpt-5, seed: 7}\n".to_owned())
        }
        "damaged.yaml" => Ok("a: [".to_owned()),
        _ => Err("there is no such file".to_owned()),
    };
    let text = "include: [models.yaml, damaged.yaml, gone.yaml]\nmodel_list:\n  - model_name: a\n    litellm_params: {model: openai/gpt-5-mini}\n";
    let imported = litellm(text, &included).unwrap();
    assert!(imported.toml.contains("[routes.a]") && imported.toml.contains("[routes.b]"), "{}", imported.toml);
    let told: Vec<(Option<&str>, usize, &str)> =
        imported.leftovers.iter().map(|one| (one.file.as_deref(), one.line, one.setting.as_str())).collect();
    assert_eq!(told, [(None, 1, "include"), (None, 1, "include"), (Some("models.yaml"), 3, "model_list[].b.seed")]);
    assert!(read("include: [gone.yaml]\n").unwrap_err().why.contains("gone.yaml"));
}

#[test]
fn names_that_no_route_may_have_are_changed_and_patterns_are_left_over() {
    let text = "
model_list:
  - {model_name: Café GPT (beta), litellm_params: {model: openai/gpt-5}}
  - {model_name: \"claude-*\", litellm_params: {model: \"anthropic/claude-*\"}}
";
    let imported = read(text).unwrap();
    assert!(imported.toml.contains("[routes.\"Café-GPT-(beta)\"]"), "{}", imported.toml);
    assert_eq!(leftovers(text), ["3 model_list[].Café GPT (beta)", "4 model_list[].claude-*"]);
    let report = crate::load(Path::new("weir.toml"), &Given(imported.toml));
    assert!(report.faults.is_empty());
}
