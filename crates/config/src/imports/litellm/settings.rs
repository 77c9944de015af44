//! What LiteLLM's configuration says of all models: router, library, server, environment.

use super::super::yaml::Node;
use super::models::whole;
use super::{Draft, Fallback, duration, environment_name};

/// `router_settings`.
pub(super) fn router(node: &Node, draft: &mut Draft) {
    for (key, value) in node.entries() {
        if common(key, value, "router_settings", draft) {
            continue;
        }
        let setting = format!("router_settings.{key}");
        match key.as_str() {
            "routing_strategy" => {
                draft.balance = true;
                let strategy = value.text().unwrap_or_default();
                draft.strategy = Some(strategy.to_owned());
                if matches!(strategy, "cost-based-routing") {
                    draft.leave(value, &setting, "`balance` weighs cost beside latency, errors and headroom");
                }
            }
            "model_group_alias" => aliases(value, draft),
            "redis_host" | "redis_port" | "redis_password" | "redis_url" | "redis_db" => {
                draft.leave(value, &setting, "Weir keeps its counts in the process; it needs no Redis");
            }
            "enable_pre_call_checks" => {}
            "routing_strategy_args" => draft.leave(value, &setting, "`balance` has nothing to set"),
            "provider_budget_config" => {
                draft.leave(value, &setting, "budgets hold for keys, tenants and tags; see [budgets]")
            }
            "retry_policy" | "model_group_retry_policy" => {
                draft.leave(value, &setting, "what is tried again is told in docs/policy.md")
            }
            _ => draft.leave(value, &setting, "it has no equivalent"),
        }
    }
}

/// `litellm_settings`.
pub(super) fn litellm(node: &Node, draft: &mut Draft) {
    for (key, value) in node.entries() {
        if common(key, value, "litellm_settings", draft) {
            continue;
        }
        let setting = format!("litellm_settings.{key}");
        match key.as_str() {
            "cache" | "cache_params" | "enable_caching_on_provider_specific_optional_params" => {
                if value.flag() != Some(false) {
                    draft.leave(value, &setting, "Weir keeps no answers; providers' prompt caches are counted");
                }
            }
            "callbacks" | "success_callback" | "failure_callback" | "service_callbacks" => {
                callbacks(value, &setting, draft)
            }
            "max_budget" => budget(node, value, draft),
            "budget_duration" | "set_verbose" | "json_logs" | "suppress_debug_info" | "telemetry" => {}
            "drop_params" | "modify_params" => {
                if value.flag() != Some(false) {
                    draft.leave(
                        value,
                        &setting,
                        "what an API does not take is told as `degraded`, or is a 400; nothing is set",
                    );
                }
            }
            "turn_off_message_logging" | "redact_user_api_key_info" => {
                // Prompts are kept only where that is asked for.
            }
            "model_alias_map" => aliases(value, draft),
            "guardrails" => draft.leave(
                value,
                &setting,
                "Weir does not look into what is said; run a filter of your own before or behind it",
            ),
            _ => draft.leave(value, &setting, "it has no equivalent"),
        }
    }
}

/// What may stand in both.
fn common(key: &str, value: &Node, section: &str, draft: &mut Draft) -> bool {
    let setting = format!("{section}.{key}");
    match key {
        "num_retries" | "max_retries" => match value.number().and_then(whole) {
            Some(retries) => draft.set("retry", format!("attempts = {}", retries.min(20) + 1), &setting),
            None => draft.leave(value, &setting, "no whole number"),
        },
        "timeout" | "request_timeout" => match value.number().and_then(duration) {
            Some(span) => draft.set("timeouts", format!("total = {span}"), &setting),
            None => draft.leave(value, &setting, "no number of seconds from 0.001 to 86,400"),
        },
        "stream_timeout" => match value.number().and_then(duration) {
            Some(span) => draft.set("timeouts", format!("first-content = {span}"), &setting),
            None => draft.leave(value, &setting, "no number of seconds"),
        },
        "cooldown_time" => match value.number().and_then(duration) {
            Some(span) => draft.set("breaker", format!("cooldown = {span}"), &setting),
            None => draft.leave(value, &setting, "no number of seconds above zero"),
        },
        "allowed_fails" => match value.number().and_then(whole).filter(|fails| *fails > 0) {
            Some(fails) => draft.set("breaker", format!("consecutive-failures = {}", fails + 1), &setting),
            None => draft.leave(value, &setting, "no whole number above zero"),
        },
        "disable_cooldowns" => {
            if value.flag() == Some(true) {
                draft.leave(value, &setting, "breakers are always on; raise `breaker.consecutive-failures`");
            }
        }
        "allowed_fails_policy" => {
            draft.leave(value, &setting, "one count holds for all faults: `breaker.consecutive-failures`")
        }
        "retry_after" => draft.leave(value, &setting, "waits are drawn from 0 to `retry.base` · 2ⁿ"),
        "fallbacks" => fallbacks(value, "when all of its own have failed", draft),
        "context_window_fallbacks" => fallbacks(value, "for what is too long for the others", draft),
        "content_policy_fallbacks" => {
            draft.leave(value, &setting, "a content filter's refusal is the answer; another model is not asked");
        }
        "default_fallbacks" => {
            draft.default_fallbacks.extend(value.items().iter().filter_map(Node::text).map(str::to_owned))
        }
        _ => return false,
    }
    true
}

/// `- smart: [backup]`
fn fallbacks(list: &Node, why: &'static str, draft: &mut Draft) {
    for (name, to) in list.items().iter().flat_map(Node::entries) {
        let names: Vec<String> = to.items().iter().filter_map(Node::text).map(str::to_owned).collect();
        if names.len() < to.items().len() || names.is_empty() {
            draft.leave(to, &format!("fallbacks.{name}"), "a fallback that is not the name of a model");
        }
        if name == "*" {
            draft.default_fallbacks.extend(names);
        } else {
            draft.fallbacks.push(Fallback { name: name.clone(), to: names, why, line: to.line });
        }
    }
}

fn aliases(node: &Node, draft: &mut Draft) {
    for (name, to) in node.entries() {
        match to.text().or_else(|| to.get("model").and_then(Node::text)) {
            Some(target) => draft.aliases.push((name.clone(), target.to_owned(), to.line)),
            None => draft.leave(to, &format!("model_group_alias.{name}"), "it names no model"),
        }
    }
}

fn callbacks(node: &Node, setting: &str, draft: &mut Draft) {
    let items = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
    for item in items {
        let name = item.text().unwrap_or_default();
        let why = match name {
            "prometheus" => "metrics are at /metrics of the admin address; nothing is set",
            "otel" | "opentelemetry" | "arize" | "arize_phoenix" => "set the endpoint in [telemetry]",
            "langfuse" | "langfuse_otel" => "Langfuse takes OpenTelemetry: set its endpoint in [telemetry]",
            "slack" => "set a notifier of kind \"slack\" in [notifiers]",
            "" => continue,
            _ => "each request is in the ledger; `weir export` and [telemetry] hand it on",
        };
        draft.leave(item, &format!("{setting}.{name}"), why);
    }
}

/// A budget on all: a tenant's that every key belongs to.
fn budget(section: &Node, value: &Node, draft: &mut Draft) {
    let amount = value.text().filter(|text| text.parse::<f64>().is_ok_and(|amount| amount > 0.0 && amount < 1e9));
    let Some(amount) = amount else { return draft.leave(value, "litellm_settings.max_budget", "no amount of dollars") };
    let period = section.get("budget_duration").and_then(Node::text).unwrap_or_default();
    let ours = match period {
        "1h" => "hour",
        "1d" | "24h" => "day",
        "7d" | "1w" => "week",
        "30d" | "1mo" | "31d" => "month",
        "" => "total",
        _ => {
            draft.leave(
                value,
                "litellm_settings.budget_duration",
                "periods are an hour, a day, a week or a month; a month is taken",
            );
            "month"
        }
    };
    draft.tables.push(("budgets.all", format!("limit = \"{amount}\""), "litellm_settings.max_budget".to_owned()));
    draft.tables.push(("budgets.all", format!("period = \"{ours}\""), "litellm_settings.budget_duration".to_owned()));
    draft.tables.push(("tenants.default", "budgets = [\"all\"]".to_owned(), "all keys together".to_owned()));
}

/// `general_settings`.
pub(super) fn general(node: &Node, draft: &mut Draft) {
    for (key, value) in node.entries() {
        let setting = format!("general_settings.{key}");
        match key.as_str() {
            "master_key" => master_key(value, draft),
            "database_url" | "database_connection_pool_limit" | "store_model_in_db" | "store_prompts_in_spend_logs" => {
                draft.leave(value, &setting, "keys and spend of LiteLLM's database are not carried over: make keys with `weir keys`, and read its spend logs with `weir import logs`; the ledger is sqlite:weir.db");
            }
            "alerting" | "alert_types" | "alerting_threshold" | "alerting_args" => {
                draft.leave(value, &setting, "set notifiers in [notifiers] and who hears of alerts in [owner]")
            }
            "max_parallel_requests" | "global_max_parallel_requests" => draft.leave(
                value,
                &setting,
                "limits are of providers, models, pools and keys: set concurrent-requests there",
            ),
            "max_request_size_mb" => match value.number().and_then(whole).filter(|size| *size > 0) {
                Some(size) => draft.set("server", format!("body-limit = \"{size}MiB\""), &setting),
                None => draft.leave(value, &setting, "no whole number above zero"),
            },
            "infer_model_from_keys"
            | "disable_spend_logs"
            | "proxy_batch_write_at"
            | "background_health_checks"
            | "health_check_interval" => {}
            _ => draft.leave(value, &setting, "it has no equivalent"),
        }
    }
}

fn master_key(value: &Node, draft: &mut Draft) {
    let text = value.text().unwrap_or_default();
    let variable = match environment_name(text) {
        Some(name) => name.to_owned(),
        None => {
            draft.leave(value, "general_settings.master_key", "a secret does not belong in a configuration: put it into the environment as WEIR_MASTER_KEY, at least 24 characters");
            "WEIR_MASTER_KEY".to_owned()
        }
    };
    // It is what clients and operators use; two secrets are better, and one is what there is.
    draft.tables.push((
        "keys.master",
        format!("key = {{ env = \"{variable}\" }}"),
        "general_settings.master_key".to_owned(),
    ));
    draft.notes.push(
        "LiteLLM's master key opens its admin interface, too. Weir's takes a key of its own: [server] admin-key."
            .to_owned(),
    );
}

/// `environment_variables`.
pub(super) fn environment(node: &Node, draft: &mut Draft) {
    for (name, value) in node.entries() {
        draft.leave(
            value,
            &format!("environment_variables.{name}"),
            "Weir reads the environment and does not set it: export it where Weir starts",
        );
    }
}

/// What can be said only when everything was read: aliases, fallbacks, the order of deployments.
pub(super) fn finish(draft: &mut Draft) {
    for (name, to, line) in std::mem::take(&mut draft.aliases) {
        let Some(route) = draft.routes.iter().find(|route| route.name == to) else {
            let why = format!("it is an alias of `{to}`, which is no route here");
            draft.leave_at(line, format!("model_group_alias.{name}"), why);
            continue;
        };
        let (deployments, total, first) = (route.deployments.clone(), route.total.clone(), route.first_content.clone());
        let alias = draft.route(&name);
        (alias.deployments, alias.total, alias.first_content) = (deployments, total, first);
        alias.notes.push(format!("an alias of `{to}`"));
    }
    for route in &mut draft.routes {
        if route.deployments.iter().any(|(_, order)| order.is_some()) {
            route.deployments.sort_by_key(|(_, order)| order.unwrap_or(u64::MAX));
        }
    }
    let own: Vec<(String, Vec<String>)> = draft
        .routes
        .iter()
        .map(|route| (route.name.clone(), route.deployments.iter().map(|(name, _)| name.clone()).collect()))
        .collect();
    let mut fallbacks = std::mem::take(&mut draft.fallbacks);
    let rest = std::mem::take(&mut draft.default_fallbacks);
    for (name, _) in own.iter().filter(|(name, _)| !rest.is_empty() && !rest.contains(name)) {
        fallbacks.push(Fallback { name: name.clone(), to: rest.clone(), why: "as all routes do", line: 0 });
    }
    let mut shared = Vec::new();
    for Fallback { name, to, why, line } in fallbacks {
        for to in to {
            let Some((_, more)) = own.iter().find(|(known, _)| *known == to) else {
                if line > 0 {
                    draft.leave_at(line, format!("fallbacks.{name}"), format!("`{to}` is no route here"));
                }
                continue;
            };
            let Some(route) = draft.routes.iter_mut().find(|route| route.name == name) else {
                draft.leave_at(line, format!("fallbacks.{name}"), format!("`{name}` is no route here"));
                continue;
            };
            let ordered = route.deployments.iter().any(|(_, order)| order.is_some());
            if !ordered && route.deployments.len() > 1 {
                shared.push((route.line, route.name.clone()));
            }
            let before = route.deployments.len();
            for deployment in more {
                if !route.deployments.iter().any(|(known, _)| known == deployment) {
                    // Fallbacks come after all that has an order.
                    route.deployments.push((deployment.clone(), Some(u64::MAX)));
                }
            }
            if route.deployments.len() > before {
                route.notes.push(format!("then those of `{to}`, {why}"));
            }
        }
    }
    for (line, name) in shared {
        let why = "its own deployments shared the calls; before a fallback they are asked in order (`balance` would take the fallback in)";
        draft.leave_at(line, format!("model_list[].{name}"), why.to_owned());
    }
    let weighted: Vec<(usize, String)> =
        draft.routes.iter().filter(|route| route.weighted).map(|route| (route.line, route.name.clone())).collect();
    for (line, name) in weighted {
        let why = "weights have no equivalent: `balance` shares calls by latency, errors, headroom and cost";
        draft.leave_at(line, format!("model_list[].{name}.weight"), why.to_owned());
    }
    rename(draft);
}

/// Gives routes names that routes may have: clients must ask for these.
fn rename(draft: &mut Draft) {
    for place in 0..draft.routes.len() {
        let (line, name) = (draft.routes[place].line, draft.routes[place].name.clone());
        let fits = |c: char| !c.is_whitespace() && weir_wire::shown(c.encode_utf8(&mut [0; 4])) == c.to_string();
        let mut ours: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
        ours.truncate(ours.floor_char_boundary(120));
        if ours == name {
            continue;
        }
        while draft.routes.iter().any(|route| route.name == ours) {
            ours.push('-');
        }
        draft.leave_at(
            line,
            format!("model_list[].{name}"),
            format!("a route's name has no spaces: it is `{ours}` here"),
        );
        draft.routes[place].name = ours;
    }
}
