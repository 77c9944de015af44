//! `/admin/v1/keys`: the list, and the ways to make, rotate and revoke a key. A secret is in one answer and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode, request};
use http_body::Body;
use serde_json::{Value, json as value};
use weir_config::{Key, KeySettings};
use weir_engine::Priority;
use weir_ledger::KeyRecord;
use weir_units::WallTime;

use super::members::{Members, members, wrong};
use super::{Person, is_within};
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::keys::{self, Shown, State};
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::{Live, Shared};

const PATH: &str = "/admin/v1/keys";
/// How long a former secret works on, unless somebody says otherwise.
const GRACE: Duration = Duration::from_secs(86_400);

/// Whether a path is about keys.
pub(super) fn is_own(path: &str) -> bool {
    is_within(path, PATH)
}

/// Answers the paths about keys.
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
    let (name, action) = rest.split_once('/').map_or((rest, None), |(name, action)| (name, Some(action)));
    let name = percent_decoded(name);
    let taken = |methods: &str| Err(Refusal::weir(Cause::MethodNotAllowed, format!("this path takes {methods}")));
    match (name.is_empty(), action, &parts.method) {
        (true, None, &Method::GET) => Ok(list(&shared.live.load())),
        (true, None, &Method::POST) => make(shared, person, members(shared, parts, body).await?).await,
        (true, None, _) => taken("GET and POST"),
        (false, Some("rotate"), &Method::POST) => {
            rotate(shared, person, name, members(shared, parts, body).await?).await
        }
        (false, Some("rotate"), _) => taken("POST"),
        (false, None, &Method::DELETE) => revoke(shared, person, name).await,
        (false, None, _) => taken("DELETE"),
        _ => Err(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(parts.uri.path())))),
    }
}

fn list(live: &Live) -> Response<ReplyBody> {
    let now = wall();
    let mut all: Vec<(Arc<str>, Value)> =
        live.config.keys.values().map(|key| (Arc::clone(&key.name), written(key))).collect();
    all.extend(live.made.list().iter().map(|record| (Arc::clone(&record.name), made(live, record, now))));
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let keys: Vec<Value> = all.into_iter().map(|(_, key)| key).collect();
    let body = value!({ "at": now.to_string(), "keys_are_asked_for": live.asks_for_keys(), "keys": keys });
    json(StatusCode::OK, format!("{body}\n"))
}

/// A key of the configuration.
fn written(key: &Key) -> Value {
    value!({
        "name": key.name, "source": "config", "state": "valid", "tenant": key.tenant, "routes": key.routes,
        "budgets": key.budgets, "priority": key.priority.name(),
        "created_at": null, "expires_at": null, "revoked_at": null, "former_until": null,
    })
}

/// A key made at run time.
fn made(live: &Live, record: &KeyRecord, now: WallTime) -> Value {
    let settings = keys::settings(record);
    let shut_out = settings.as_ref().and_then(|s| live.config.shuts_out(&s.key(Arc::clone(&record.name), record.hash)));
    let state = match keys::state(record, now) {
        State::Revoked => "revoked",
        State::Expired => "expired",
        State::Valid if shut_out.is_some() || settings.is_none() => "shut-out",
        State::Valid => "valid",
    };
    let time = |at: Option<WallTime>| at.map(|at| at.to_string());
    let former = record.former.iter().map(|former| former.until).filter(|until| *until > now).max();
    value!({
        "name": record.name, "source": "made", "state": state, "tenant": record.tenant,
        "why": shut_out,
        "routes": settings.as_ref().and_then(|s| s.routes.as_ref()),
        "budgets": settings.as_ref().map(|s| &s.budgets),
        "priority": settings.as_ref().map(|s| s.priority.name()),
        "created_at": record.created_at.to_string(), "expires_at": time(record.expires_at),
        "revoked_at": time(record.revoked_at), "former_until": time(former),
    })
}

async fn make(shared: &Arc<Shared>, person: &Person, mut asked: Members) -> Result<Response<ReplyBody>, Refusal> {
    let name =
        asked.text("name")?.ok_or_else(|| wrong("name", "`name` is missing: say what the key is to be called"))?;
    let mut settings = KeySettings {
        routes: asked.names("routes")?.map(|names| names.into_iter().collect()),
        ..KeySettings::default()
    };
    settings.budgets = asked.names("budgets")?.unwrap_or_default();
    if let Some(tenant) = asked.text("tenant")? {
        settings.tenant = tenant.into();
    }
    if let Some(priority) = asked.text("priority")? {
        settings.priority = Priority::from_name(&priority).ok_or_else(|| {
            wrong("priority", format!("`{}` is no class: write interactive, standard or batch", shown(&priority)))
        })?;
    }
    let lasts = asked.span("expires")?;
    if lasts.is_some_and(|lasts| lasts.is_zero()) {
        return Err(wrong("expires", "a key that expires at once lets nobody in: write `30d`, or leave it out"));
    }
    asked.done()?;
    let shown =
        whole(
            shared,
            person,
            move |shared, who| async move { keys::make(&shared, &name, &settings, lasts, &who).await },
        )
        .await?;
    let mut answer = told(shared, &shown);
    answer["keyless_ended"] = shown.first.into();
    Ok(json(StatusCode::CREATED, format!("{answer}\n")))
}

async fn rotate(
    shared: &Arc<Shared>,
    person: &Person,
    name: String,
    mut asked: Members,
) -> Result<Response<ReplyBody>, Refusal> {
    let grace = asked.span("grace")?.unwrap_or(GRACE);
    asked.done()?;
    let shown =
        whole(shared, person, move |shared, who| async move { keys::rotate(&shared, &name, grace, &who).await })
            .await?;
    Ok(json(StatusCode::OK, format!("{}\n", told(shared, &shown))))
}

async fn revoke(shared: &Arc<Shared>, person: &Person, name: String) -> Result<Response<ReplyBody>, Refusal> {
    let record =
        whole(shared, person, move |shared, who| async move { keys::revoke(&shared, &name, &who).await }).await?;
    Ok(json(StatusCode::OK, format!("{}\n", made(&shared.live.load(), &record, wall()))))
}

/// The key with its secret.
fn told(shared: &Shared, shown: &Shown) -> Value {
    let mut answer = made(&shared.live.load(), &shown.record, wall());
    answer["key"] = shown.secret.as_str().into();
    answer
}

/// Makes a change in a task of its own: a client that leaves must not leave half of it.
async fn whole<T: Send + 'static, F>(
    shared: &Arc<Shared>,
    person: &Person,
    change: impl FnOnce(Arc<Shared>, Person) -> F,
) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, Refusal>> + Send + 'static,
{
    let failed = |_| Refusal::weir(Cause::UpstreamError, "the change did not come to its end: see the log");
    tokio::spawn(change(Arc::clone(shared), person.clone())).await.map_err(failed)?
}
