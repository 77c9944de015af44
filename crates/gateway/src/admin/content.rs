//! `/admin/v1/requests/{id}/content`: what was captured of a request, for auditors.

use http::{Response, StatusCode};
use weir_units::RequestId;

use super::{Person, unreadable};
use crate::audit::did;
use crate::body::ReplyBody;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// The request of a path, if it is one about content.
fn request(path: &str) -> Option<&str> {
    path.strip_prefix("/admin/v1/requests/")?.strip_suffix("/content")
}

/// Whether a path is about content.
pub(super) fn is_own(path: &str) -> bool {
    request(path).is_some()
}

/// Answers with the content. That somebody reads it is on record before anything of it is sent.
pub(super) async fn serve(shared: &Shared, person: &Person, path: &str) -> Result<Response<ReplyBody>, Refusal> {
    let id: RequestId = request(path)
        .unwrap_or_default()
        .parse()
        .map_err(|e: weir_units::IdError| Refusal::weir(Cause::Malformed, e.to_string()))?;
    let Some(content) = shared.ledger.content(id).await.map_err(unreadable)? else {
        let message = format!(
            "nothing is kept of what request `{id}` said: its route and key have no `capture`, or its `retention` is over"
        );
        return Err(Refusal::weir(Cause::NotFound, message));
    };
    shared.audit.first(did(person, "content.read", &id.to_string(), "done")).await?;
    Ok(json(StatusCode::OK, format!("{content}\n")))
}
