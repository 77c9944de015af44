//! Stage *admit*: who is it, and may this key use what it asks for.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST, ORIGIN, VIA};
use http::{HeaderMap, Uri};
use weir_config::Key;
use weir_engine::{KeyFull, Priority};

use crate::headers::{self, X_API_KEY};
use crate::keys;
use crate::reply::{Cause, Refusal};
use crate::state::Live;

/// Who a request is from: a key, or whoever sits at this machine when no keys are configured.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) tenant: Arc<str>,
}

impl Caller {
    /// The highest class of traffic that it may ask for.
    pub(crate) fn priority(&self) -> Priority {
        self.key.as_ref().map_or(Priority::Interactive, |key| key.priority)
    }

    /// The key's name, if it has limits of its own.
    pub(crate) fn limited(&self) -> Option<Arc<str>> {
        self.key.as_ref().filter(|key| !key.limits.is_empty()).map(|key| Arc::clone(&key.name))
    }

    /// The key's name; none without keys.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.key.as_ref().map(|k| Arc::clone(&k.name))
    }
}

/// Finds out who calls.
pub(crate) fn caller(live: &Live, headers: &HeaderMap, uri: &Uri, peer: SocketAddr) -> Result<Caller, Refusal> {
    if !live.asks_for_keys() && !presented(headers).is_some_and(|key| may_be_unread(live, key)) {
        return match keyless_fault(headers, uri, peer) {
            None => Ok(Caller { key: None, tenant: Arc::from("default") }),
            Some(why) => Err(Refusal::weir(
                Cause::InvalidApiKey,
                format!("without keys this gateway serves its own machine only, and {why}: `weir keys make` makes one"),
            )),
        };
    }
    let Some(presented) = presented(headers) else {
        if live.keys.is_empty() && live.made.unknown() {
            return Err(keys::unread("it is not known here whether keys are asked for"));
        }
        let message = "no key: send one as `Authorization: Bearer KEY` or `x-api-key: KEY`";
        return Err(Refusal::weir(Cause::InvalidApiKey, message));
    };
    let hash = weir_config::hash_key(presented);
    let key = match live.keys.get(&hash) {
        Some(key) => Arc::clone(key),
        None => made(live, presented, &hash)?,
    };
    let tenant = Arc::clone(&key.tenant);
    Ok(Caller { key: Some(key), tenant })
}

/// The key made at run time that is presented and has this hash.
fn made(live: &Live, presented: &str, hash: &[u8; 32]) -> Result<Arc<Key>, Refusal> {
    let refused = |message: String| Refusal::weir(Cause::InvalidApiKey, message);
    match live.made.find(hash, &live.config) {
        Some(Ok(key)) => Ok(key),
        Some(Err(why)) => Err(refused(format!("{why}: ask the owner of this gateway"))),
        None if may_be_unread(live, presented) => {
            Err(keys::unread("keys made at run time are not read yet, and this may be one of them"))
        }
        None => Err(refused("this key is not known here: use one that the owner of this gateway gave you".to_owned())),
    }
}

/// Whether a key that is not known here may be one that the ledger has, which was not reached yet.
fn may_be_unread(live: &Live, presented: &str) -> bool {
    // Where keys may not be asked for at all, programs send any text in their place.
    let any = live.keys.is_empty() && live.made.unknown();
    live.made.unread() && (any || weir_config::is_made(presented))
}

/// Whether the caller may use the name it asks for.
pub(crate) fn may_use(caller: &Caller, model: &str) -> Result<(), Refusal> {
    match &caller.key {
        Some(key) if !weir_config::may_use(key, model) => {
            let message = format!(
                "key `{}` may not use `{}`: it is limited to {}",
                key.name,
                shown(model),
                key.routes.iter().flatten().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(", ")
            );
            Err(Refusal::weir(Cause::RouteNotAllowed, message).param("model"))
        }
        _ => Ok(()),
    }
}

/// A key's own limit is reached.
pub(crate) fn over_its_limit(caller: &Caller, full: &KeyFull) -> Refusal {
    let seconds = full.retry_after.as_secs();
    let key = caller.name().unwrap_or_else(|| Arc::from("default"));
    let message =
        format!("key `{key}` is at its limit of {} {}: try again in {seconds} s", full.limit, full.dimension.words());
    Refusal::weir(Cause::RateLimited, message).retry_after(full.retry_after)
}

/// The credential that the client sent, in either form.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers::text(headers, &AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    // SDKs that are given no key of one form may send that form empty.
    headers::text(headers, &X_API_KEY).filter(|key| !key.is_empty()).or(bearer).filter(|key| !key.is_empty())
}

/// Why a request is not plainly from a program on this machine, if it is not (docs/guide/security.md).
pub(crate) fn keyless_fault(headers: &HeaderMap, uri: &Uri, peer: SocketAddr) -> Option<&'static str> {
    if !peer.ip().to_canonical().is_loopback() {
        return Some("this call came over the network");
    }
    // HTTP/2 carries the host in the target.
    let host = headers::text(headers, &HOST).or_else(|| uri.authority().map(|a| a.as_str())).unwrap_or_default();
    if !matches!(host_name(host), "localhost" | "127.0.0.1" | "[::1]") {
        return Some("its Host is not localhost");
    }
    let forwarded = |name: &str| name == "forwarded" || name.starts_with("x-forwarded-");
    if headers.contains_key(VIA) || headers.keys().any(|n| forwarded(n.as_str())) {
        return Some("it was forwarded by a proxy");
    }
    match headers.get(ORIGIN) {
        None => None,
        Some(origin) => {
            let origin = origin.to_str().unwrap_or_default();
            let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            (own != Some(host)).then_some("it came from another site's page")
        }
    }
}

/// A `Host` without its port.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

/// A name as it may be repeated to whoever sent it: short, and without characters that a terminal or page would obey.
pub(crate) fn shown(name: &str) -> String {
    let short: String = name.chars().take(100).collect();
    weir_wire::shown(&short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(headers: &[(&'static str, &str)], peer: &str) -> Option<&'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        keyless_fault(&map, &Uri::from_static("/v1/models"), peer.parse().unwrap())
    }

    #[test]
    fn a_key_is_read_in_either_form() {
        for (headers, expected) in [
            (vec![("authorization", "Bearer a")], Some("a")),
            (vec![("authorization", "bearer  a ")], Some("a")),
            (vec![("x-api-key", "a")], Some("a")),
            (vec![("x-api-key", "a"), ("authorization", "Bearer b")], Some("a")),
            (vec![("x-api-key", ""), ("authorization", "Bearer b")], Some("b")),
            (vec![("authorization", "Basic YTpi")], None),
            (vec![("authorization", "Bearer ")], None),
            (vec![], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            assert_eq!(presented(&map), expected, "{headers:?}");
        }
    }

    #[test]
    fn keyless_serves_programs_of_this_machine_only() {
        let local = "127.0.0.1:5000";
        assert_eq!(fault(&[("host", "localhost:4141")], local), None);
        assert_eq!(fault(&[("host", "[::1]:4141")], "[::1]:5000"), None);
        assert_eq!(fault(&[("host", "127.0.0.1")], "[::ffff:127.0.0.1]:5000"), None);
        assert_eq!(fault(&[("host", "localhost:4141"), ("origin", "http://localhost:4141")], local), None);
        for (headers, peer) in [
            (vec![("host", "localhost")], "10.0.0.1:5000"),
            (vec![("host", "weir.example")], local),
            (vec![("host", "localhost.evil.example:4141")], local),
            (vec![], local),
            (vec![("host", "localhost"), ("x-forwarded-for", "1.2.3.4")], local),
            (vec![("host", "localhost"), ("forwarded", "for=1.2.3.4")], local),
            (vec![("host", "localhost"), ("via", "1.1 proxy")], local),
            (vec![("host", "localhost:4141"), ("origin", "https://evil.example")], local),
            (vec![("host", "localhost:4141"), ("origin", "null")], local),
        ] {
            assert!(fault(&headers, peer).is_some(), "{headers:?} from {peer}");
        }
    }
}
