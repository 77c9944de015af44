//! `/v1/models`: the names that a caller may use, its routes first, then the declared models, in both dialects at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Response, StatusCode, request};
use weir_config::Source;
use weir_wire::{ModelItem, ProviderKind};

use crate::admit::{self, Caller, shown};
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::headers;
use crate::reply::{Cause, Refusal, json};
use crate::serve::other_dialect;
use crate::state::{Live, Shared};

/// Answers `/v1/models` and `/v1/models/{id}`.
pub(crate) fn serve(shared: &Arc<Shared>, parts: &request::Parts, peer: SocketAddr) -> Response<ReplyBody> {
    let id = shared.clock.request_id(wall());
    let dialect = other_dialect(parts);
    match answer(&shared.live.load(), parts, peer) {
        Ok(mut response) => {
            headers::name_request(response.headers_mut(), dialect, id);
            response
        }
        Err(refusal) => refusal.render(dialect, id),
    }
}

fn answer(live: &Live, parts: &request::Parts, peer: SocketAddr) -> Result<Response<ReplyBody>, Refusal> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let message = format!("/v1/models takes GET, not {}", parts.method);
        return Err(Refusal::weir(Cause::MethodNotAllowed, message));
    }
    let caller = admit::caller(live, &parts.headers, &parts.uri, peer)?;
    let items = usable(live, &caller);
    let Some(name) = parts.uri.path().strip_prefix("/v1/models/").filter(|n| !n.is_empty()) else {
        return Ok(json(StatusCode::OK, weir_wire::models_page(&items)));
    };
    let name = percent_decoded(name);
    match items.iter().find(|item| item.id == name) {
        Some(item) => Ok(json(StatusCode::OK, weir_wire::model_object(item))),
        None => {
            let message = format!("no model `{}` is listed here: GET /v1/models lists them", shown(&name));
            Err(Refusal::weir(Cause::ModelNotFound, message).param("model"))
        }
    }
}

/// The names this caller may use, in order, each once.
fn usable(live: &Live, caller: &Caller) -> Vec<ModelItem> {
    let config = &live.config;
    let routes = config.routes.keys().filter(|name| &***name != "*").map(|name| (name.to_string(), "weir".to_owned()));
    let declared = config.providers.values().flat_map(|provider| {
        let of = |id: String| (id, provider.name.to_string());
        let mut named: Vec<_> = provider.models.keys().map(|m| of(format!("{}/{m}", provider.name))).collect();
        if config.source == Source::Environment {
            // Without a file nothing is declared, and every model of the catalogue can be asked for.
            let bare = provider.kind != ProviderKind::Mock;
            named.extend(
                weir_wire::models_of(provider.kind)
                    .map(|m| of(if bare { m.to_owned() } else { format!("{}/{m}", provider.name) })),
            );
        }
        named
    });
    let mut seen = BTreeSet::new();
    routes
        .chain(declared)
        .filter(|(id, _)| admit::may_use(caller, id).is_ok() && seen.insert(id.clone()))
        .map(|(id, owned_by)| ModelItem { display_name: id.clone(), id, owned_by, created: live.since })
        .collect()
}

/// Undoes `%2F` and its kind, which SDKs put into a path for a slash.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
