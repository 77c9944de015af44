//! What forms ask: to log in, to release a run, to make, rotate and revoke keys. Changes are the admin API's own.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use serde_json::{Map, Value};
use weir_dashboard::figures::Key;
use weir_dashboard::pages;
use weir_dashboard::params::{Params, segment};

use super::ask::{self, Fault};
use super::{Visit, gather, respond};
use crate::accept;
use crate::admin::people::{self, Person};
use crate::body::ReplyBody;
use crate::reply::Refusal;

/// The largest form.
const LARGEST: usize = 16 * 1_024;

/// Reads a form's fields.
pub(super) async fn read<B>(visit: &Visit<'_>, body: B) -> Result<Params, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut held = visit.shared.buffers.load().hold();
    let body = accept::body(visit.parts, body, LARGEST, &mut held).await?;
    Ok(Params::read("", &String::from_utf8_lossy(&body)))
}

/// The person whose key this is; wrong ones count against the address that they come from.
pub(super) fn person_with(visit: &Visit<'_>, key: &str) -> Result<Person, Refusal> {
    let mut parts = visit.parts.clone();
    parts.headers.remove("x-api-key");
    let bearer = HeaderValue::from_str(&format!("Bearer {key}")).unwrap_or(HeaderValue::from_static("Bearer ?"));
    parts.headers.insert(AUTHORIZATION, bearer);
    people::authorize(visit.shared, &parts, visit.peer)
}

/// Does what a form asks, and shows what came of it.
pub(super) async fn change(visit: &Visit<'_>, person: &Person, form: &Params) -> Response<ReplyBody> {
    let path = visit.params.path().strip_prefix("/dashboard/").unwrap_or_default();
    let parts: Vec<String> = path.split('/').map(weir_dashboard::params::decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let done = match parts.as_slice() {
        ["runs", run, "release"] => release(visit, person, run, form).await,
        ["keys", "new"] => return made(visit, person, make(visit, person, form).await).await,
        ["keys", name, "rotate"] => return made(visit, person, rotate(visit, person, name, form).await).await,
        ["keys", name, "revoke"] => revoke(visit, person, name, form).await,
        ["alerts", id, "acknowledge"] => {
            on_alert(visit, person, (Method::POST, id, "acknowledge"), form, "acknowledged").await
        }
        ["alerts", id, "silence"] => on_alert(visit, person, (Method::POST, id, "silence"), form, "silenced").await,
        ["alerts", id, "unsilence"] => {
            on_alert(visit, person, (Method::DELETE, id, "silence"), form, "unsilenced").await
        }
        ["notifiers", name, "test"] => send_test(visit, person, name).await,
        _ => Err(Fault { status: StatusCode::NOT_FOUND, message: "No form is sent to this address.".to_owned() }),
    };
    match done {
        Ok(next) => respond::see(&next.href()),
        Err(fault) => respond::page(fault.status, visit.say(&fault.message)),
    }
}

/// The members of a body: the fields that are filled in.
fn members(form: &Params, names: &[&str]) -> Map<String, Value> {
    let filled = names.iter().filter_map(|name| Some(((*name).to_owned(), form.get(name)?.trim())));
    filled.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.into())).collect()
}

async fn release(visit: &Visit<'_>, person: &Person, run: &str, form: &Params) -> Result<Params, Fault> {
    let mut asked = members(form, &["tenant", "max_cost", "max_age"]);
    if let Some(count) = form.get("max_requests") {
        let count: u64 = count.trim().parse().map_err(|_| Fault {
            status: StatusCode::BAD_REQUEST,
            message: "Requests takes a whole number, like 200.".to_owned(),
        })?;
        asked.insert("max_requests".to_owned(), count.into());
    }
    let uri = format!("/admin/v1/runs/{}/release", segment(run));
    let _: Value = ask::change(visit.shared, person, Method::POST, &uri, asked.into()).await?;
    let page = Params::at(&format!("/dashboard/runs/{}", segment(run))).with("done", "released");
    Ok(form.get("tenant").map_or(page.clone(), |tenant| page.with("tenant", tenant)))
}

async fn make(visit: &Visit<'_>, person: &Person, form: &Params) -> Result<Key, Fault> {
    let mut asked = members(form, &["name", "tenant", "priority", "expires"]);
    for list in ["routes", "budgets"] {
        if let Some(names) = form.get(list) {
            let names: Vec<Value> =
                names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(Value::from).collect();
            asked.insert(list.to_owned(), names.into());
        }
    }
    ask::change(visit.shared, person, Method::POST, "/admin/v1/keys", asked.into()).await
}

async fn rotate(visit: &Visit<'_>, person: &Person, name: &str, form: &Params) -> Result<Key, Fault> {
    let uri = format!("/admin/v1/keys/{}/rotate", segment(name));
    ask::change(visit.shared, person, Method::POST, &uri, members(form, &["grace"]).into()).await
}

/// Shows a key's secret, this once: it is in no address and no other page.
async fn made(visit: &Visit<'_>, person: &Person, made: Result<Key, Fault>) -> Response<ReplyBody> {
    match made {
        Ok(key) => {
            let context = gather::context(visit, person, None).await;
            let content = pages::new_key(&context, &key);
            respond::page(StatusCode::OK, weir_dashboard::frame::page(&context, &content))
        }
        Err(fault) => respond::page(fault.status, visit.say(&fault.message)),
    }
}

async fn revoke(visit: &Visit<'_>, person: &Person, name: &str, form: &Params) -> Result<Params, Fault> {
    if form.get("name").map(str::trim) != Some(name) {
        let message = "Nothing was revoked: the name that was written is not the key's.".to_owned();
        return Err(Fault { status: StatusCode::BAD_REQUEST, message });
    }
    let uri = format!("/admin/v1/keys/{}", segment(name));
    let _: Value = ask::change(visit.shared, person, Method::DELETE, &uri, Value::Object(Map::new())).await?;
    Ok(Params::at("/dashboard/keys").with("done", "revoked"))
}

/// Takes an alert on, silences it, or ends its silence.
async fn on_alert(
    visit: &Visit<'_>,
    person: &Person,
    (method, id, action): (Method, &str, &str),
    form: &Params,
    done: &str,
) -> Result<Params, Fault> {
    let asked = if done == "silenced" { members(form, &["for", "why"]) } else { Map::new() };
    let uri = format!("/admin/v1/alerts/{}/{action}", segment(id));
    let _: Value = ask::change(visit.shared, person, method, &uri, asked.into()).await?;
    Ok(Params::at("/dashboard/alerts").with("done", done))
}

async fn send_test(visit: &Visit<'_>, person: &Person, name: &str) -> Result<Params, Fault> {
    let uri = format!("/admin/v1/notifiers/{}/test", segment(name));
    let told: Value = ask::change(visit.shared, person, Method::POST, &uri, Value::Object(Map::new())).await?;
    if told["delivered"] == true {
        return Ok(Params::at("/dashboard/alerts").with("done", "sent"));
    }
    let why = told["why"].as_str().unwrap_or("it did not say why");
    Err(Fault { status: StatusCode::BAD_GATEWAY, message: format!("The test was not taken: {why}") })
}
