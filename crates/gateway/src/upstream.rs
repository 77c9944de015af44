//! Connections to providers: pooled, warm, TLS with the platform's roots, through a proxy where the environment names one.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;
use weir_config::Provider;
use weir_wire::{Dialect, Endpoint, HeaderDialect, ProviderKind};

use crate::body::Segments;
use crate::listen::READ_BUFFER;

/// How long an unused connection is kept; below the 60 s after which common front ends close theirs.
const IDLE: Duration = Duration::from_secs(50);
/// Unused connections kept to one host.
const IDLE_CONNECTIONS: usize = 512;

pub(crate) type HttpClient = Client<Connector, Segments>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Short stand-ins, `0`, `1` and so on, for the hosts that are called over plain HTTP.
///
/// The client's pool hashes the host of an address byte by byte, three times a request: a fiftieth of what Weir itself does for
/// a small one. Over TLS an address keeps its host, since HTTP/2 says it to the server. Hosts are never forgotten: the pool outlives
/// a configuration, and what its connections are called by must mean the same as long.
#[derive(Clone, Debug, Default)]
pub(crate) struct StandIns(Arc<Mutex<Vec<Authority>>>);

impl StandIns {
    fn of(&self, host: &Authority) -> Option<Authority> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = hosts.iter().position(|known| known == host).unwrap_or_else(|| {
            hosts.push(host.clone());
            hosts.len() - 1
        });
        Authority::try_from(place.to_string()).ok()
    }

    /// The address with its host again.
    fn resolve(&self, address: Uri) -> Uri {
        let place = address.authority().filter(|_| address.scheme() == Some(&Scheme::HTTP));
        let Some(place) = place.and_then(|host| host.as_str().parse::<usize>().ok()) else { return address };
        let Some(host) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned() else {
            return address;
        };
        let mut parts = address.clone().into_parts();
        parts.authority = Some(host);
        Uri::from_parts(parts).unwrap_or(address)
    }
}

/// One provider, ready to be called.
pub(crate) struct Upstream {
    pub(crate) name: Arc<str>,
    pub(crate) kind: ProviderKind,
    /// How its answers name its limits.
    pub(crate) limit_headers: HeaderDialect,
    /// `host:port`, the scope of faults of the connection itself.
    pub(crate) host: Arc<str>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    scheme: Scheme,
    /// The host, or its stand-in.
    authority: Authority,
    prefix: String,
    /// The addresses of the endpoints without a query, by path.
    usual: Vec<(&'static str, Uri)>,
}

impl Upstream {
    /// Prepares `provider`; what its credential and headers become is decided here, once, not on each call.
    ///
    /// # Errors
    /// A sentence that says which value cannot be sent.
    pub(crate) fn new(provider: &Provider, stand_ins: &StandIns) -> Result<Self, String> {
        let (name, base_url) = (&provider.name, provider.base_url.as_str());
        let uri: Uri = base_url.parse().map_err(|_| format!("provider `{name}`: `{base_url}` is not a URL"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("provider `{name}`: `{base_url}` has no scheme or host"));
        };
        let mut headers = Vec::new();
        // It would be put together for each call otherwise. Over TLS it may be HTTP/2, which has no such header.
        if scheme == Scheme::HTTP {
            let host = match authority.port_u16() {
                Some(80) => authority.host(),
                _ => authority.as_str().rsplit('@').next().unwrap_or_default(),
            };
            headers.push((
                http::header::HOST,
                HeaderValue::try_from(host).map_err(|_| format!("provider `{name}`: `{base_url}` has no host"))?,
            ));
        }
        if let Some(secret) = &provider.api_key {
            let (header, text) = match provider.kind.dialect() {
                Dialect::OpenAi => (http::header::AUTHORIZATION, format!("Bearer {}", secret.expose())),
                Dialect::Anthropic => (HeaderName::from_static("x-api-key"), secret.expose().to_owned()),
            };
            let mut value = HeaderValue::try_from(text)
                .map_err(|_| format!("provider `{name}`: its api-key holds a character that no header may"))?;
            value.set_sensitive(true);
            headers.push((header, value));
        }
        for (header, value) in &provider.headers {
            let fault = || format!("provider `{name}`: header `{header}` cannot be sent");
            let header = HeaderName::try_from(header.as_str()).map_err(|_| fault())?;
            headers.push((header, HeaderValue::try_from(value.as_str()).map_err(|_| fault())?));
        }
        let prefix = parts.path_and_query.as_ref().map_or("", PathAndQuery::path).trim_end_matches('/').to_owned();
        let (host, limit_headers) = (authority.as_str().into(), HeaderDialect::of(provider.kind, authority.host()));
        let stand_in = if scheme == Scheme::HTTP { stand_ins.of(&authority) } else { None };
        let mut upstream = Self {
            name: Arc::clone(name),
            kind: provider.kind,
            limit_headers,
            host,
            headers,
            scheme,
            authority: stand_in.unwrap_or(authority),
            prefix,
            usual: Vec::new(),
        };
        let paths = Endpoint::ALL.iter().map(|endpoint| endpoint.path());
        upstream.usual = paths.filter_map(|path| Some((path, upstream.uri(path, None)?))).collect();
        Ok(upstream)
    }

    /// The address of an endpoint, whose `path` begins with `/v1`. A base URL of the OpenAI dialect holds the version,
    /// whatever it calls it, unless it is a host alone; an Anthropic one need not: each by its own SDK's convention.
    pub(crate) fn uri(&self, path: &str, query: Option<&str>) -> Option<Uri> {
        if query.is_none()
            && let Some((_, uri)) = self.usual.iter().find(|(usual, _)| *usual == path)
        {
            return Some(uri.clone());
        }
        let of_openai = matches!(self.kind, ProviderKind::OpenAi | ProviderKind::OpenAiCompatible);
        let versioned = self.prefix.ends_with("/v1") || of_openai && !self.prefix.is_empty();
        let path = if versioned { path.strip_prefix("/v1").unwrap_or(path) } else { path };
        let target = match query {
            Some(query) => format!("{}{path}?{query}", self.prefix),
            None => format!("{}{path}", self.prefix),
        };
        Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(target).build().ok()
    }
}

/// A client with a pool of its own; `connect` bounds DNS, TCP, proxy and TLS together.
pub(crate) fn client(tls: rustls::ClientConfig, connect: Duration, stand_ins: StandIns) -> HttpClient {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    let proxied = MaybeProxied { tcp, proxies: Arc::new(Matcher::from_env()) };
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(proxied);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_max_buf_size(READ_BUFFER)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .http2_adaptive_window(true)
        .build(Connector { https, connect, stand_ins })
}

/// Connects within a time, TLS included.
#[derive(Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<MaybeProxied>,
    connect: Duration,
    stand_ins: StandIns,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let (connecting, within) = (self.https.call(self.stand_ins.resolve(target)), self.connect);
        Box::pin(async move {
            tokio::time::timeout(within, connecting)
                .await
                .unwrap_or_else(|_| Err(format!("no connection within {} ms", within.as_millis()).into()))
        })
    }
}

/// Opens a socket to the target, or through the proxy that `HTTPS_PROXY` and `NO_PROXY` choose for it.
#[derive(Clone)]
struct MaybeProxied {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Service<Uri> for MaybeProxied {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        // Plain http goes straight: such providers are on this machine or network.
        let proxy = (target.scheme() == Some(&Scheme::HTTPS)).then(|| self.proxies.intercept(&target)).flatten();
        match proxy {
            None => {
                let connecting = self.tcp.call(target);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                let connecting = tunnel.call(target);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn base_urls_follow_the_convention_of_each_dialects_sdk() {
        for (kind, base, expected) in [
            (ProviderKind::OpenAi, "https://api.openai.com/v1", "https://api.openai.com/v1/x"),
            (ProviderKind::OpenAi, "http://127.0.0.1:9", "http://127.0.0.1:9/v1/x"),
            (ProviderKind::OpenAiCompatible, "https://host/v1beta/openai", "https://host/v1beta/openai/x"),
            (ProviderKind::Anthropic, "https://api.anthropic.com", "https://api.anthropic.com/v1/x"),
            (ProviderKind::Anthropic, "https://host/anthropic", "https://host/anthropic/v1/x"),
            (ProviderKind::Anthropic, "https://host/v1", "https://host/v1/x"),
            (ProviderKind::Mock, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/x"),
        ] {
            let provider = Provider {
                name: Arc::from("p"),
                kind,
                base_url: base.to_owned(),
                api_key: None,
                headers: Vec::new(),
                models: BTreeMap::new(),
            };
            let stand_ins = StandIns::default();
            let upstream = Upstream::new(&provider, &stand_ins).unwrap();
            let asked = |query| stand_ins.resolve(upstream.uri("/v1/x", query).unwrap()).to_string();
            assert_eq!(asked(None), expected);
            assert_eq!(asked(Some("beta=true")), format!("{expected}?beta=true"));
        }
    }

    #[test]
    fn a_stand_in_means_the_same_host_for_good_and_everything_else_means_itself() {
        let stand_ins = StandIns::default();
        let [a, b]: [Authority; 2] = ["a:1", "B:2"].map(|host| host.parse().unwrap());
        let given = [&a, &b, &a].map(|host| stand_ins.of(host).unwrap());
        assert_eq!(given.each_ref().map(|given| given.as_str()), ["0", "1", "0"]);
        for (address, meant) in [
            ("http://0/v1/x?y=z", "http://a:1/v1/x?y=z"),
            ("http://1/", "http://B:2/"),
            ("http://2/", "http://2/"),
            ("http://0:80/", "http://0:80/"),
            ("https://0/", "https://0/"),
        ] {
            assert_eq!(stand_ins.resolve(address.parse().unwrap()).to_string(), meant);
        }
    }
}
