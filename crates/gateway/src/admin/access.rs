//! Every path of the admin interface, what it asks of a role, and what it is in the audit log. A path that is not here is not
//! served.

use http::Method;
use weir_config::Right;

use crate::admit::shown;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal};

/// A path, with `{…}` for a segment that is a name, and what asking it takes.
pub(super) struct Path {
    method: Method,
    path: &'static str,
    pub(super) right: Right,
    /// What it is in the audit log; figures and records are nothing there.
    pub(super) action: &'static str,
    /// Whether its handler puts it on record itself, before it is done or with it. Others are put on record once they are done.
    pub(super) own_entry: bool,
}

const fn view(path: &'static str) -> Path {
    Path { method: Method::GET, path, right: Right::View, action: "", own_entry: true }
}

const fn change(method: Method, path: &'static str, action: &'static str) -> Path {
    Path { method, path, right: Right::Change, action, own_entry: false }
}

/// A change whose handler writes the entry.
const fn change_with(method: Method, path: &'static str, action: &'static str) -> Path {
    Path { method, path, right: Right::Change, action, own_entry: true }
}

const fn audit(path: &'static str, action: &'static str) -> Path {
    Path { method: Method::GET, path, right: Right::Audit, action, own_entry: true }
}

/// All of them.
pub(super) const PATHS: &[Path] = &[
    view("/metrics"),
    view("/admin/v1/openapi.json"),
    view("/admin/v1/requests"),
    view("/admin/v1/requests/count"),
    view("/admin/v1/requests/{id}"),
    view("/admin/v1/series"),
    view("/admin/v1/facts"),
    view("/admin/v1/deployments"),
    view("/admin/v1/headroom"),
    view("/admin/v1/capacity"),
    view("/admin/v1/plan"),
    view("/admin/v1/readiness"),
    view("/admin/v1/limits/history"),
    view("/admin/v1/uptime"),
    view("/admin/v1/runs"),
    view("/admin/v1/runs/{run}"),
    change(Method::POST, "/admin/v1/runs/{run}/release", "run.release"),
    view("/admin/v1/budgets"),
    view("/admin/v1/alerts"),
    view("/admin/v1/alerts/{id}"),
    change(Method::POST, "/admin/v1/alerts/{id}/acknowledge", "alert.acknowledge"),
    change(Method::POST, "/admin/v1/alerts/{id}/silence", "alert.silence"),
    change(Method::DELETE, "/admin/v1/alerts/{id}/silence", "alert.end-silence"),
    change(Method::POST, "/admin/v1/notifiers/{name}/test", "notifier.test"),
    view("/admin/v1/live"),
    view("/admin/v1/spend"),
    view("/admin/v1/waste"),
    view("/admin/v1/keys"),
    change_with(Method::POST, "/admin/v1/keys", "key.make"),
    change_with(Method::POST, "/admin/v1/keys/{name}/rotate", "key.rotate"),
    change_with(Method::DELETE, "/admin/v1/keys/{name}", "key.revoke"),
    audit("/admin/v1/requests/{id}/content", "content.read"),
    audit("/admin/v1/audit", "audit.read"),
    view("/admin/v1/audit/head"),
    change_with(Method::POST, "/admin/v1/audit/exports", "requests.export"),
    view("/admin/v1/logs"),
];

/// The path that is meant; a refusal where nothing is served there, or not with this method.
pub(super) fn find(method: &Method, path: &str) -> Result<&'static Path, Refusal> {
    let here: Vec<&'static Path> = PATHS.iter().filter(|known| fits(known.path, path)).collect();
    if let Some(found) = here.iter().find(|known| known.method == *method) {
        return Ok(found);
    }
    if here.is_empty() {
        return Err(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(path))));
    }
    let methods: Vec<&str> = here.iter().map(|known| known.method.as_str()).collect();
    Err(Refusal::weir(Cause::MethodNotAllowed, format!("this path takes {}", methods.join(" and "))))
}

impl Path {
    /// The name in `path`, as far as the path holds one.
    pub(super) fn name(&self, path: &str) -> String {
        let places = self.path.split('/').zip(path.split('/'));
        let names: Vec<String> =
            places.filter(|(known, _)| known.starts_with('{')).map(|(_, name)| percent_decoded(name)).collect();
        names.join("/")
    }
}

/// Whether `path` has the form of `known`, segment by segment; a name is not empty.
fn fits(known: &str, path: &str) -> bool {
    let (mut known, mut path) = (known.split('/'), path.split('/'));
    loop {
        match (known.next(), path.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if pattern.starts_with('{') && !segment.is_empty() => {}
            (Some(pattern), Some(segment)) if pattern == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_describes_exactly_these_paths_and_the_role_of_each() {
        let document: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
        let described: BTreeSet<(String, String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters").map(
                    move |(m, told)| {
                        let role = told["x-weir-role"].as_str().unwrap_or("none").to_owned();
                        (path.clone(), m.to_uppercase(), role)
                    },
                )
            })
            .collect();
        let known = PATHS
            .iter()
            .map(|p| (p.path.to_owned(), p.method.to_string(), p.right.role().name().to_owned()))
            .collect::<BTreeSet<_>>();
        assert_eq!(described, known);
        assert_eq!(known.len(), PATHS.len(), "no path stands there twice");
        for path in PATHS {
            assert_eq!(
                path.right == Right::View,
                path.action.is_empty(),
                "{}: what is more than a look is on record",
                path.path
            );
        }
    }

    #[test]
    fn a_path_fits_segment_by_segment() {
        for (method, path, role) in [
            (Method::GET, "/admin/v1/keys", Ok("viewer")),
            (Method::POST, "/admin/v1/keys", Ok("operator")),
            (Method::POST, "/admin/v1/keys/a%2Fb/rotate", Ok("operator")),
            (Method::GET, "/metrics", Ok("viewer")),
            (Method::PUT, "/admin/v1/keys", Err("this path takes GET and POST")),
            (Method::GET, "/admin/v1/keys/a", Err("this path takes DELETE")),
            (Method::GET, "/admin/v1/keys/", Err("nothing is served")),
            (Method::POST, "/admin/v1/keys//rotate", Err("nothing is served")),
            (Method::GET, "/admin/v1/keys/a/b/c", Err("nothing is served")),
            (Method::GET, "/admin/v2/keys", Err("nothing is served")),
            (Method::GET, "/admin/\u{1b}[2J", Err("nothing is served at /admin/?[2J")),
        ] {
            match (find(&method, path), role) {
                (Ok(found), Ok(role)) => assert_eq!(found.right.role().name(), role, "{method} {path}"),
                (Err(refusal), Err(words)) => assert!(refusal.message.contains(words), "{}", refusal.message),
                (got, _) => panic!("{method} {path}: {:?}", got.map(|found| found.path)),
            }
        }
    }
}
