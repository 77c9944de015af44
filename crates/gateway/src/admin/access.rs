//! Every path of the admin interface, and what it asks of a role. A path that is not here is not served.

use http::Method;
use weir_config::Right;

use crate::admit::shown;
use crate::reply::{Cause, Refusal};

/// A path, with `{…}` for a segment that is a name, and what asking it takes.
pub(super) struct Path {
    method: Method,
    path: &'static str,
    right: Right,
}

const fn view(path: &'static str) -> Path {
    Path { method: Method::GET, path, right: Right::View }
}

const fn change(method: Method, path: &'static str) -> Path {
    Path { method, path, right: Right::Change }
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
    view("/admin/v1/runs"),
    view("/admin/v1/runs/{run}"),
    change(Method::POST, "/admin/v1/runs/{run}/release"),
    view("/admin/v1/budgets"),
    view("/admin/v1/live"),
    view("/admin/v1/spend"),
    view("/admin/v1/keys"),
    change(Method::POST, "/admin/v1/keys"),
    change(Method::POST, "/admin/v1/keys/{name}/rotate"),
    change(Method::DELETE, "/admin/v1/keys/{name}"),
];

/// What `path` asks of a role with this method; a refusal where nothing is served there.
pub(crate) fn right(method: &Method, path: &str) -> Result<Right, Refusal> {
    let here: Vec<&Path> = PATHS.iter().filter(|known| fits(known.path, path)).collect();
    if let Some(found) = here.iter().find(|known| known.method == *method) {
        return Ok(found.right);
    }
    if here.is_empty() {
        return Err(Refusal::weir(Cause::NotFound, format!("nothing is served at {}", shown(path))));
    }
    let methods: Vec<&str> = here.iter().map(|known| known.method.as_str()).collect();
    Err(Refusal::weir(Cause::MethodNotAllowed, format!("this path takes {}", methods.join(" and "))))
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
            match (right(&method, path), role) {
                (Ok(right), Ok(role)) => assert_eq!(right.role().name(), role, "{method} {path}"),
                (Err(refusal), Err(words)) => assert!(refusal.message.contains(words), "{}", refusal.message),
                (got, _) => panic!("{method} {path}: {got:?}"),
            }
        }
    }
}
