//! Stage *route*: which deployments the name in `model` means, and which of them can be asked this at all.
//!
//! The order among them is the engine's business. What it takes to say the request in a provider's dialect is found out
//! when that provider's turn comes, not before: most requests are answered by the first.

use std::sync::Arc;

use bytes::Bytes;
use weir_config::{AfterCut, Config, Resolved, Timeouts};
use weir_engine::{Candidate, ChargeModel, Guards, Strategy};
use weir_units::{DeploymentId, Price, Tokens};
use weir_wire::{
    AnthropicVersion, Dialect, Endpoint, ProviderKind, RequestError, Rewrite, Target as Wanted, TargetCapabilities,
};

use crate::accept::Accepted;
use crate::admit::{Caller, shown};
use crate::reply::{Cause, Refusal};
use crate::state::{Live, Shared};
use crate::upstream::Upstream;

/// The rule of thumb where nothing depends on tokens but what a repeat may cost.
const BYTES_PER_TOKEN: u64 = 4;
/// An estimate must exceed a window by a quarter before a request is refused for it, in percent of the window.
const DOUBT: u64 = 125;

/// Where a request may go.
pub(crate) struct Routed {
    pub(crate) route: Arc<str>,
    pub(crate) strategy: Strategy,
    pub(crate) after_cut: AfterCut,
    pub(crate) timeouts: Timeouts,
    pub(crate) targets: Vec<Target>,
    /// Only the deployment that made the stored response it continues.
    pub(crate) pinned: bool,
    /// What guards its runs.
    pub(crate) guards: Arc<Guards>,
}

/// One deployment that speaks what the request needs.
pub(crate) struct Target {
    pub(crate) deployment: DeploymentId,
    /// `provider/model`, as headers and facts say it.
    pub(crate) name: Arc<str>,
    pub(crate) upstream: Arc<Upstream>,
    /// What is called there.
    pub(crate) endpoint: Endpoint,
    pub(crate) candidate: Candidate,
    pub(crate) catalogued: Option<&'static weir_wire::Model>,
    /// What it costs, if that is known.
    pub(crate) price: Option<Arc<Price>>,
}

/// A request as one provider gets it.
pub(crate) struct Prepared {
    pub(crate) body: Vec<Bytes>,
    pub(crate) degraded: Vec<String>,
    /// Usage was asked for although the client did not.
    pub(crate) usage_was_added: bool,
}

/// Finds the deployments for a request.
pub(crate) fn route(shared: &Shared, live: &Live, accepted: &Accepted, caller: &Caller) -> Result<Routed, Refusal> {
    route_to(shared, live, accepted, caller, &accepted.head.model)
}

/// Finds the deployments for a request, as if it had asked for `model`.
pub(crate) fn route_to(
    shared: &Shared,
    live: &Live,
    accepted: &Accepted,
    caller: &Caller,
    model: &str,
) -> Result<Routed, Refusal> {
    let Some(resolved) = live.config.resolve(model, accepted.endpoint.dialect()) else {
        let message =
            format!("no route, provider or model is called `{}` here: GET /v1/models lists them", shown(model));
        return Err(Refusal::weir(Cause::ModelNotFound, message).param("model"));
    };
    let mut targets: Vec<Target> =
        resolved.deployments.iter().filter_map(|d| target(live, d, accepted.endpoint)).collect();
    if targets.is_empty() {
        let message = format!(
            "no deployment of `{}` speaks {}: {} do not have it",
            shown(model),
            accepted.endpoint.path(),
            resolved.deployments.iter().map(|d| shown(&d.to_string())).collect::<Vec<_>>().join(", ")
        );
        return Err(Refusal::weir(Cause::Malformed, message).param("model"));
    }
    let pinned = pin(shared, live, accepted, caller, &mut targets)?;
    estimate(shared, accepted, &mut targets)?;
    let Resolved { route_name, strategy, after_cut, timeouts, guards, .. } = resolved;
    let (timeouts, guards) = (timeouts.clone(), Arc::clone(guards));
    Ok(Routed { route: route_name, strategy, after_cut, timeouts, targets, pinned, guards })
}

/// Leaves only the deployment that made the response which this request continues; true if it continues one.
fn pin(
    shared: &Shared,
    live: &Live,
    accepted: &Accepted,
    caller: &Caller,
    targets: &mut Vec<Target>,
) -> Result<bool, Refusal> {
    let Some(id) = &accepted.head.previous_response_id else { return Ok(false) };
    let maker = shared.pins.lock().unwrap_or_else(std::sync::PoisonError::into_inner).maker(&caller.tenant, id);
    match maker {
        Some(maker) => targets.retain(|t| t.deployment == maker),
        // Not made here, or before a restart. With one tenant it can be nobody else's, so the first deployment may know it.
        None if live.is_alone(&caller.tenant) => targets.truncate(1),
        None => targets.clear(),
    }
    if targets.is_empty() {
        let message = format!("no response `{}` is known here: send the conversation in `input` instead", shown(id));
        let mut refusal = Refusal::weir(Cause::NotFound, message).param("previous_response_id");
        refusal.code = "previous_response_not_found".into();
        return Err(refusal);
    }
    Ok(true)
}

/// Estimates the input as each target's model counts it, and leaves out targets that it is certainly too long for.
///
/// # Errors
/// It is too long for all of them: refused before it costs anything.
fn estimate(shared: &Shared, accepted: &Accepted, targets: &mut Vec<Target>) -> Result<(), Refusal> {
    // A token has at least a byte, so most bodies fit their window whatever they hold.
    let longer = |target: &Target| target.candidate.window.is_some_and(|window| accepted.body.len() as u64 > window.0);
    if !shared.counts_tokens() && !targets.iter().any(longer) {
        let rough = Tokens((accepted.body.len() as u64 / BYTES_PER_TOKEN).max(1));
        targets.iter_mut().for_each(|target| target.candidate.input = rough);
        return Ok(());
    }
    {
        let learned = shared.calibration.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for target in targets.iter_mut() {
            target.candidate.input = learned.estimate(&target.deployment.model, accepted.measure());
        }
    }
    let input = targets.first().map_or(Tokens(1), |target| target.candidate.input);
    let largest = targets.iter().filter_map(|target| target.candidate.window).max().unwrap_or(Tokens(0));
    targets.retain(|target| {
        let Candidate { input, window, .. } = &target.candidate;
        window.is_none_or(|window| input.0 <= window.0.saturating_mul(DOUBT) / 100)
    });
    if !targets.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the prompt has about {} tokens, and the largest context window of `{}` has {}: shorten it",
        input.0,
        shown(&accepted.head.model),
        largest.0
    );
    Err(Refusal::weir(Cause::ContextLength, message).param("messages"))
}

fn target(live: &Live, deployment: &DeploymentId, asked: Endpoint) -> Option<Target> {
    let upstream = live.upstreams.get(&deployment.provider)?;
    let endpoint = endpoint_at(upstream.kind, asked)?;
    let catalogued = weir_wire::model(upstream.kind, &deployment.model);
    if endpoint == Endpoint::Responses && catalogued.and_then(|m| m.capabilities.responses) == Some(false) {
        return None;
    }
    let declared = live.config.providers.get(&deployment.provider)?.models.get(&*deployment.model);
    let window = declared.and_then(|m| m.context_window).or_else(|| catalogued.and_then(|m| m.window));
    let price = listed_price(&live.config, deployment);
    Some(Target {
        deployment: deployment.clone(),
        name: deployment.name(),
        upstream: Arc::clone(upstream),
        endpoint,
        candidate: Candidate {
            deployment: deployment.clone(),
            host: Arc::clone(&upstream.host),
            window,
            charge: charge(upstream.kind, &upstream.host, endpoint),
            input: Tokens(0),
        },
        catalogued,
        price,
    })
}

/// What a deployment costs: as the configuration says, else as the catalogue does.
pub(crate) fn listed_price(config: &Config, deployment: &DeploymentId) -> Option<Arc<Price>> {
    let provider = config.providers.get(&deployment.provider)?;
    let listed = || weir_wire::model(provider.kind, &deployment.model).and_then(|m| m.price_of(&deployment.model));
    provider.models.get(&*deployment.model).map_or_else(listed, |m| m.price.as_ref()).cloned()
}

/// How a kind of provider counts what an endpoint uses.
pub(crate) fn charge(kind: ProviderKind, host: &str, endpoint: Endpoint) -> ChargeModel {
    match (kind, endpoint) {
        (ProviderKind::OpenAi, Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses)
        | (ProviderKind::Mock, Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses) => {
            ChargeModel::OPENAI
        }
        (ProviderKind::Anthropic, _) | (ProviderKind::Mock, Endpoint::Messages) => ChargeModel::ANTHROPIC,
        (ProviderKind::OpenAiCompatible, _) => ChargeModel::of_host(host).unwrap_or(ChargeModel::METERED),
        _ => ChargeModel::METERED,
    }
}

/// What a client's endpoint becomes at a provider of this kind; none if it has no such thing.
fn endpoint_at(kind: ProviderKind, asked: Endpoint) -> Option<Endpoint> {
    if kind == ProviderKind::Mock {
        return Some(asked);
    }
    match (kind.dialect(), asked) {
        (Dialect::OpenAi, Endpoint::Messages) => Some(Endpoint::ChatCompletions),
        (Dialect::OpenAi, Endpoint::CountTokens) => None,
        (Dialect::OpenAi, same) => Some(same),
        (Dialect::Anthropic, Endpoint::ChatCompletions | Endpoint::Messages) => Some(Endpoint::Messages),
        (Dialect::Anthropic, Endpoint::CountTokens) => Some(Endpoint::CountTokens),
        (Dialect::Anthropic, _) => None,
    }
}

/// Says the request in the target's dialect.
///
/// # Errors
/// What the dialect or the model cannot express, as the refusal that it becomes if no other deployment can either.
pub(crate) fn prepare(accepted: &Accepted, target: &Target, default_max: Option<u64>) -> Result<Prepared, Refusal> {
    let head = &accepted.head;
    if target.endpoint.dialect() == accepted.endpoint.dialect() {
        let takes_usage = matches!(target.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
        let ask_usage = head.stream && takes_usage && target.upstream.kind.asks_usage();
        let max_output = if head.max_output.is_none() { default_max } else { None };
        let change = Rewrite { model: &target.deployment.model, ask_usage, max_output };
        return Ok(Prepared {
            body: weir_wire::rewrite(head, &accepted.body, &change),
            degraded: Vec::new(),
            usage_was_added: ask_usage && !head.include_usage,
        });
    }
    let wanted = Wanted {
        model: &target.deployment.model,
        dialect: target.endpoint.dialect(),
        anthropic_version: AnthropicVersion::V2023_06_01,
        max_output: target.catalogued.and_then(|m| m.max_output),
        default_output: default_max,
        older_limit: target.upstream.kind == ProviderKind::OpenAiCompatible,
        capabilities: capabilities(target),
    };
    match weir_wire::translate_request(accepted.endpoint, &accepted.body, &wanted) {
        Ok(translated) => Ok(Prepared {
            body: vec![translated.body.into()],
            degraded: translated.degraded,
            usage_was_added: head.stream && !head.include_usage,
        }),
        Err(RequestError::Cannot(cannot)) => {
            let message = format!("`{}` cannot be asked this: {}", target.name, cannot.what);
            Err(Refusal::weir(Cause::Malformed, message).param(cannot.param))
        }
        Err(RequestError::Bad(bad)) => {
            let mut refusal = Refusal::weir(Cause::Malformed, bad.message);
            refusal.param = bad.param;
            Err(refusal)
        }
    }
}

fn capabilities(target: &Target) -> TargetCapabilities {
    let Some(model) = target.catalogued else { return TargetCapabilities::default() };
    let known = &model.capabilities;
    TargetCapabilities {
        tools: known.tools,
        images: known.images,
        documents: known.documents,
        json_schema: known.json_schema,
        reasoning: known.reasoning,
        forced_tool_choice: known.forced_tool_choice,
        sampling: known.sampling,
        prefill: known.prefill,
        thinking_always_on: known.thinking_always_on,
        adaptive_thinking: None,
    }
}
