//! Sockets: accepts connections, speaks TLS where it is configured, HTTP/1.1 and HTTP/2, and lets go of them in good order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::in_place::in_place;
use crate::serve::{Door, serve};
use crate::state::Shared;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// How long a client may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may be idle, or take for a request's headers: longer than common clients keep theirs.
const IDLE: Duration = Duration::from_secs(75);

/// The most that a connection reads ahead, and so what each may keep in memory. hyper's own bound is 400 KiB.
pub(crate) const READ_BUFFER: usize = 64 * 1024;

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything as usual.
    Serving,
    /// No new connections.
    Closing,
    /// Open connections are closed, and whatever still runs on them is dropped.
    Gone,
}

/// Opens a listening socket; a restart may take the address over at once.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the process closes.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    door: Door,
    places: Arc<Semaphore>,
    mut phase: watch::Receiver<Phase>,
) {
    let builder = Arc::new(builder());
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // A place first: connections beyond the bound wait in the backlog, they are not accepted and dropped.
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            _ = phase.wait_for(|p| *p >= Phase::Closing) => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|p| *p >= Phase::Closing) => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                // Out of descriptors, most likely: accepting again at once would spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = Connection { shared: Arc::clone(&shared), builder: Arc::clone(&builder), peer, door };
        connections.spawn(async move {
            connection.run(socket).await;
            drop(place);
        });
    }
    drop(listener);
    // Nothing runs any more, or its grace is over: what is left are connections between two requests.
    let _ = phase.wait_for(|p| *p >= Phase::Gone).await;
    connections.shutdown().await;
}

struct Connection {
    shared: Arc<Shared>,
    builder: Arc<Builder<TokioExecutor>>,
    peer: SocketAddr,
    door: Door,
}

impl Connection {
    async fn run(self, socket: TcpStream) {
        // Without this a peer's delayed acknowledgement adds some 40 ms to small writes.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        let tls = self.shared.live.load().tls.clone();
        let Some(tls) = tls else { return self.serve(socket).await };
        match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(socket)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, peer = %self.peer, "the TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "the TLS handshake took too long"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (shared, peer, door) = (self.shared, self.peer, self.door);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            // In a box: hyper moves the future into its connection, and all the stages make it a large one.
            Box::into_pin(in_place(|| serve(shared, request, peer, door)))
        });
        if let Err(error) = self.builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, %peer, "a connection broke");
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE).keep_alive(true).max_buf_size(READ_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(512)
        .adaptive_window(true);
    builder
}
