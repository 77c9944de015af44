//! Plays a provider over HTTP: both dialects, real headers, enforced limits, and every fault on order.
//!
//! It is written from the public API references alone and shares no code with `wire`: a gateway and a mock that read a format
//! by the same function would agree on the same misreading. For the same reason it validates what it is sent as a strict
//! provider does, so that a wrong translation is caught where it happens.
//!
//! Faults are ordered by the model's name (`fast!cut:3`), by a request header (`x-mock-fault: 503`), by [`Mock::order`], or
//! by `POST /mock/order`. `GET /mock/stats` and `GET /mock/log` tell what was seen.

mod admin;
mod answer;
mod answering;
mod ask;
mod chat;
mod chat_request;
mod check;
mod embeddings;
mod headers;
mod house;
mod line;
mod messages;
mod messages_request;
mod playing;
mod refusal;
mod responses;
mod responses_request;
mod schema;
mod script;
mod serve;
mod stats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
pub use weir_sim::{
    Charge, Event, EventKind, Extent, FaultError, FaultOrder, Latency, LimitRules, Profile, Standing, Window,
};
pub use weir_units::{Dimension, Limits};

use crate::house::House;
use crate::line::{Line, ResetWish};
pub use crate::stats::{Billed, Seen, Stats};

/// How a mock is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its name, sent as `x-mock` with every answer.
    pub name: String,
    /// How it behaves.
    pub profile: Profile,
    /// What chance is drawn from. Answers do not depend on it: equal conversations get equal words from every mock.
    pub seed: u64,
    /// How requests are charged; if unset, as OpenAI or Anthropic do it, by the dialect that they come in.
    pub charge: Option<Charge>,
    /// If set, any other credential gets a 401 in the dialect.
    pub api_key: Option<String>,
}

impl Default for Options {
    /// A mock on a free loopback port, as fast as can be, without limits.
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, name: "mock".to_owned(), profile: Profile::default(), seed: 1, charge: None, api_key: None }
    }
}

/// A running mock; it ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Mock {
    address: SocketAddr,
    house: Arc<House>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Mock {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let house = Arc::new(House::new(&options));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(&house), stopped));
        Ok(Self { address, house, stop: Some(stop), task: Some(task) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for OpenAI's clients, `http://ADDRESS/v1`; Anthropic's take it without the `/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it saw so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.house.inner().stats.clone()
    }

    /// The last requests, oldest first, credentials included.
    #[must_use]
    pub fn log(&self) -> Vec<Seen> {
        self.house.inner().log.entries().cloned().collect()
    }

    /// Adds a standing fault behind those that stand already.
    pub fn order(&self, order: Standing) {
        self.house.inner().provider.order(order);
    }

    /// Lifts every standing fault.
    pub fn clear(&self) {
        self.house.inner().provider.clear();
    }

    /// Behaves otherwise from now on.
    pub fn set_profile(&self, profile: Profile) {
        let now = self.house.now();
        self.house.inner().provider.handle_profile(now, profile);
    }

    /// Stops at once: the port is closed and every connection is cut.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            // The task neither panics nor is it aborted; what it returns is nothing.
            let _ = task.await;
        }
    }
}

/// Accepts until it is told to stop, which it also is when the [`Mock`] is dropped.
async fn accept(listener: TcpListener, house: Arc<House>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    house.inner().stats.connections += 1;
                    connections.spawn(serve_connection(stream, Arc::clone(&house)));
                }
                // Out of file handles, mostly: it passes when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve_connection(stream: TcpStream, house: Arc<House>) {
    // Without it a stream's small chunks wait for the peer's delayed acknowledgements, 40 ms each.
    let _ = stream.set_nodelay(true);
    let wish = ResetWish::default();
    let line = Line::new(stream, wish.clone());
    let service = service_fn(move |request| serve::handle(Arc::clone(&house), wish.clone(), request));
    // An error here is an ordered reset or cut, or a client that left: both are counted where they happen.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(line), service).await;
}
