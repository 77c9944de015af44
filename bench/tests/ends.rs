//! The two ends against each other, without a proxy in between: what one sends the other reads, and everything is counted.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not there")]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use weir_bench::load::{Asking, closed};
use weir_bench::open::open;
use weir_bench::upstream::{Shape, serve};

const CHUNKS: usize = 5;
const LASTING: Duration = Duration::from_millis(100);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Starts an upstream on a thread that ends with the test.
fn upstream() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        LocalSet::new().block_on(&runtime(), async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            serve(listener, Shape { chunks: CHUNKS, pace: Duration::from_millis(1) }).await.unwrap();
        });
    });
    told.recv().unwrap()
}

fn asking(to: SocketAddr, prompt_bytes: usize, stream: bool) -> Asking {
    Asking { to, key: "a-key".to_owned(), prompt_bytes, stream }
}

#[test]
fn a_closed_loop_is_answered_whatever_the_length_of_its_prompt() {
    let to = upstream();
    for prompt_bytes in [0, 1_000, 100_000] {
        let asking = asking(to, prompt_bytes, false);
        let outcome = LocalSet::new().block_on(&runtime(), closed(&asking, 4, LASTING));
        assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
        assert!(outcome.answered >= 4, "{}", outcome.answered);
        assert_eq!(outcome.events, 0);
    }
}

#[test]
fn every_event_of_a_stream_is_counted() {
    let asking = asking(upstream(), 1_000, true);
    let outcome = LocalSet::new().block_on(&runtime(), closed(&asking, 4, LASTING));
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    // Beside the chunks with content: the role, the stop and `[DONE]`.
    assert_eq!(outcome.events, outcome.answered * (CHUNKS as u64 + 3));
    assert!(outcome.answered >= 4, "{}", outcome.answered);
}

#[test]
fn an_open_loop_asks_as_often_as_it_was_told() {
    let outcome = open(&asking(upstream(), 1_000, false), 500.0, LASTING);
    assert_eq!((outcome.answered, outcome.failed.len()), (50, 0));
}

#[test]
fn what_is_not_answered_is_counted_with_its_reason() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = open(&asking(nobody, 1_000, false), 50.0, LASTING);
    assert_eq!(outcome.answered, 0);
    assert!(outcome.failed.keys().all(|why| why.contains("refused")), "{:?}", outcome.failed);
}
