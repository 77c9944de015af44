//! `/admin/v1/runs`: the list, one run with all that belongs to it, and the way to let a halted one go on.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode, request};
use http_body::Body;
use serde_json::{Value, json as value};
use weir_engine::{Evidence, ReleaseCaps, ReleaseError, RunState, RunTree, RunView, RunsFilter};
use weir_ledger::{Event, Fact, Stage};

use super::members::{Members, members};
use super::{LARGEST_PAGE, Person, is_within};
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

const PATH: &str = "/admin/v1/runs";
/// Runs in a page, unless asked for fewer or more.
const PAGE: usize = 100;

/// Whether a path is about runs.
pub(super) fn is_own(path: &str) -> bool {
    is_within(path, PATH)
}

/// Answers the paths about runs.
pub(super) async fn serve<B>(
    shared: &Arc<Shared>,
    person: &Person,
    parts: &request::Parts,
    body: B,
) -> Result<Response<ReplyBody>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let rest = parts.uri.path().strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
    let (name, action) = rest.rsplit_once('/').map_or((rest, None), |(name, action)| (name, Some(action)));
    let name = percent_decoded(name);
    let taken = |methods: &str| Err(Refusal::weir(Cause::MethodNotAllowed, format!("this path takes {methods}")));
    match (name.is_empty(), action, &parts.method) {
        (true, None, &Method::GET) => list(shared, parts.uri.query().unwrap_or_default()),
        (false, None, &Method::GET) => tree(shared, &name, parts.uri.query().unwrap_or_default()),
        (_, None, _) => taken("GET"),
        (false, Some("release"), &Method::POST) => release(shared, person, &name, members(shared, parts, body).await?),
        (false, Some("release"), _) => taken("POST"),
        _ => Err(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(parts.uri.path())))),
    }
}

fn list(shared: &Shared, query: &str) -> Result<Response<ReplyBody>, Refusal> {
    let (mut tenant, mut state, mut after, mut limit) = (None, None, None, PAGE);
    for (name, text) in parameters(query) {
        let wrong = |expected: &str| {
            let message = format!("`{}` is not {expected}, which `{}` takes", shown(&text), shown(name));
            Refusal::weir(Cause::Malformed, message).param(name)
        };
        match name {
            "tenant" => tenant = Some(text),
            "state" => {
                let states = [RunState::Running, RunState::Slow, RunState::Halted, RunState::Released];
                let found = states.into_iter().find(|state| state.name() == text);
                state = Some(found.ok_or_else(|| wrong("running, slow, halted or released"))?);
            }
            "after" => {
                let (tenant, run) = text.split_once('/').ok_or_else(|| wrong("a `next` of the page before"))?;
                after = Some((tenant.to_owned(), run.to_owned()));
            }
            "limit" => {
                let number: usize = text.parse().map_err(|_| wrong("a number of rows"))?;
                limit = number.clamp(1, LARGEST_PAGE as usize);
            }
            other => {
                let message = format!("`{}` is no filter here: tenant, state, after, limit are", shown(other));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    let now = shared.clock.now();
    let filter = RunsFilter {
        tenant: tenant.as_deref(),
        state,
        after: after.as_ref().map(|(tenant, run)| (tenant.as_str(), run.as_str())),
    };
    let (page, size) = shared.runs.look(|runs| (runs.list(now, &filter, limit), runs.size()));
    let runs: Vec<Value> = page.runs.iter().map(view).collect();
    let body = value!({
        "at": wall().to_string(),
        "runs": runs,
        "next": page.next.map(|(tenant, run)| format!("{tenant}/{run}")),
        "remembered": { "runs": size.runs, "conversations": size.conversations, "bytes": size.bytes },
    });
    Ok(json(StatusCode::OK, format!("{body}\n")))
}

fn tree(shared: &Shared, name: &str, query: &str) -> Result<Response<ReplyBody>, Refusal> {
    let mut wanted = None;
    for (parameter, text) in parameters(query) {
        match parameter {
            "tenant" => wanted = Some(text),
            other => {
                let message = format!("`{}` is no filter here: tenant is", shown(other));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    let tenant = owner(shared, name, wanted.as_deref())?;
    let now = shared.clock.now();
    let found = shared.runs.look(|runs| runs.tree(now, &tenant, name)).ok_or_else(|| unknown(name))?;
    Ok(json(StatusCode::OK, format!("{}\n", branches(&found))))
}

fn release(shared: &Shared, person: &Person, name: &str, mut members: Members) -> Result<Response<ReplyBody>, Refusal> {
    let wanted = members.text("tenant")?;
    let caps = ReleaseCaps {
        max_requests: members.count("max_requests")?,
        max_age: members.span("max_age")?,
        max_cost: members.dollars("max_cost")?,
    };
    members.done()?;
    let tenant = owner(shared, name, wanted.as_deref())?;
    let now = shared.clock.now();
    let released = shared.runs.decide(shared, |runs| runs.release(now, &tenant, name, caps));
    let view = released.map_err(|error| match error {
        ReleaseError::Unknown => unknown(name),
        _ => Refusal::weir(Cause::Conflict, error.to_string()),
    })?;
    let by = person.name.to_string();
    let fact = Fact::RunReleased { run: view.run.to_string(), tenant: tenant.to_string(), by };
    tracing::info!("{}", fact.in_words());
    shared.tell(Event { at: wall(), stage: Stage::Admit, fact });
    Ok(json(StatusCode::OK, format!("{}\n", self::view(&view))))
}

/// Whose run it is: the tenant that is named, else the only one that has a run of this name.
fn owner(shared: &Shared, name: &str, wanted: Option<&str>) -> Result<Arc<str>, Refusal> {
    let now = shared.clock.now();
    if let Some(tenant) = wanted {
        return Ok(Arc::from(tenant));
    }
    let live = shared.live.load();
    let mut tenants: BTreeSet<Arc<str>> = live.config.tenants.keys().cloned().collect();
    tenants.insert(Arc::from("default"));
    let owners: Vec<Arc<str>> =
        shared.runs.look(|runs| tenants.into_iter().filter(|tenant| runs.find(now, tenant, name).is_some()).collect());
    match owners.as_slice() {
        [] => Err(unknown(name)),
        [only] => Ok(Arc::clone(only)),
        several => {
            let names = several.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
            let message = format!("the tenants {names} each have a run `{}`: say whose", shown(name));
            Err(Refusal::weir(Cause::Conflict, message).param("tenant"))
        }
    }
}

fn unknown(name: &str) -> Refusal {
    let message = format!(
        "no run `{}` is known: it never was, or nothing of it came for as long as `[runs] forget-after` says",
        shown(name)
    );
    Refusal::weir(Cause::NotFound, message)
}

/// A query's parameters, decoded.
fn parameters(query: &str) -> impl Iterator<Item = (&str, String)> {
    let pairs = query.split('&').filter(|part| !part.is_empty());
    pairs.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(name, text)| (name, percent_decoded(text)))
}

fn branches(tree: &RunTree) -> Value {
    let mut told = view(&tree.run);
    told["conversations_of_it"] = tree.conversations.iter().map(view).collect();
    told["children"] = tree.children.iter().map(branches).collect();
    told
}

fn view(view: &RunView) -> Value {
    value!({
        "run": view.run,
        "tenant": view.tenant,
        "parent": view.parent,
        "joined": view.joined.name(),
        "state": view.state.name(),
        "evidence": view.evidence.as_ref().map(evidence),
        "conversations": view.conversations,
        "requests": view.requests,
        "in_flight": view.in_flight,
        "depth": view.depth,
        "input_tokens": view.input.0,
        "output_tokens": view.output.0,
        "cost_usd": view.cost.to_string(),
        "cost_unknown": view.some_cost_unknown,
        "age_s": view.age.as_secs(),
        "idle_s": view.idle.as_secs(),
        "tool_calls": view.tool_calls,
        "sdk_retries": view.sdk_retries,
        "weir_retries": view.weir_retries,
    })
}

fn evidence(evidence: &Evidence) -> Value {
    value!({
        "detector": evidence.detector.name(),
        "tool": evidence.tool,
        "count": evidence.count,
        "of": evidence.of,
        "threshold": evidence.threshold,
        "period": evidence.period,
        "hashes": evidence.marks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "words": evidence.in_words(),
    })
}
