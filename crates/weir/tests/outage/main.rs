//! A ledger whose Postgres is away for a while, and then back: every request is answered meanwhile, all of them are on record
//! afterwards, and in their order.
//!
//! It is away for six seconds. `WEIR_SOAK=100` makes that ten minutes, and any other number as many percent of these.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "the long run tells its figures")]

#[path = "../faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
mod keys;
#[path = "../live/mod.rs"]
#[expect(dead_code, reason = "this gateway is neither killed nor reloaded")]
mod live;
mod postgres;
mod tls;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};
use weir_mock::{Mock, Options};

use crate::client::send;
use crate::live::Weir;
use crate::postgres::Postgres;

/// One request after the other, at most so often: their order is that of their ids.
const EACH: Duration = Duration::from_millis(5);
/// Requests before it is away, and after it is back.
const AROUND: usize = 50;

fn percent() -> u64 {
    std::env::var("WEIR_SOAK").ok().and_then(|percent| percent.parse().ok()).unwrap_or(1)
}

/// A gateway and who asks it.
struct World {
    weir: Weir,
    _mock: Mock,
    /// The requests that were answered, in their order.
    asked: Vec<String>,
    slowest: Duration,
}

impl World {
    async fn start(postgres: &Postgres) -> Self {
        let mock = Mock::start(Options::default()).await.unwrap();
        let weir = Weir::start(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"{}\"\n\
             [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/a\"]\n",
            postgres.url(),
            mock.base_url()
        ));
        Self { weir, _mock: mock, asked: Vec::new(), slowest: Duration::ZERO }
    }

    async fn ask(&mut self) {
        let body = json!({ "model": "smart", "messages": [{ "role": "user", "content": "words=1" }] });
        let began = Instant::now();
        let got = self.weir.ask_for("", "", &body).await;
        self.slowest = self.slowest.max(began.elapsed());
        assert!(got.status == 200 && got.whole, "{got:?}");
        self.asked.push(got.header("x-weir-request").unwrap().to_owned());
    }

    /// What is said of the ledger to whoever looks after it.
    async fn health(&self) -> Value {
        send(self.weir.address, "/health/ready", "", "").await.unwrap().json().unwrap()["ledger"].take()
    }

    /// Waits until the ledger says `what` of itself.
    async fn says(&self, what: fn(&Value) -> bool) {
        let saying = async {
            while !what(&self.health().await) {
                tokio::task::yield_now().await;
            }
        };
        let told = timeout(Duration::from_secs(60 + 6 * percent()), saying).await;
        assert!(told.is_ok(), "{} {}", self.health().await, self.weir.log());
    }

    /// The ids of all requests on record that were answered, the oldest first.
    async fn on_record(&self) -> Vec<String> {
        let (mut ids, mut before) = (Vec::new(), String::new());
        loop {
            let told = self.weir.told(&format!("/admin/v1/requests?outcome=answered&limit=1000{before}")).await;
            let page = told["requests"].as_array().unwrap();
            ids.extend(page.iter().map(|record| record["id"].as_str().unwrap().to_owned()));
            match ids.last() {
                Some(last) if page.len() == 1_000 => before = format!("&before={last}"),
                _ => break,
            }
        }
        ids.reverse();
        ids
    }
}

/// What is done to the server, what brings it back, and how the ledger is told to say meanwhile that it is behind.
async fn story(away: &'static str, back: &'static str, behind: fn(&Value) -> bool) {
    let postgres = Postgres::start();
    let mut world = World::start(&postgres).await;
    let mut times = interval(EACH);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..AROUND {
        times.tick().await;
        world.ask().await;
    }
    world.says(|ledger| ledger["queued"] == 0).await;
    world.slowest = Duration::ZERO;
    postgres.is(away).await;
    let (began, span) = (Instant::now(), Duration::from_secs(6 * percent()));
    while began.elapsed() < span {
        times.tick().await;
        world.ask().await;
    }
    world.says(behind).await;
    let (meanwhile, slowest) = (world.asked.len() - AROUND, world.slowest);
    let waiting = world.health().await;
    postgres.is(back).await;
    let returned = Instant::now();
    for _ in 0..AROUND {
        times.tick().await;
        world.ask().await;
    }
    world.says(|ledger| ledger["queued"] == 0 && ledger["spilled"] == 0 && ledger["error"].is_null()).await;
    let all = async {
        loop {
            let on_record = world.on_record().await;
            if on_record.len() >= world.asked.len() {
                return on_record;
            }
        }
    };
    let on_record = timeout(Duration::from_secs(60 + 6 * percent()), all).await.expect("all are on record");
    println!(
        "{away} for {span:?}: {meanwhile} requests answered, the slowest in {slowest:.1?}; {} spilled and {} queued, all on \
         record {:.1?} after it was back",
        waiting["spilled"],
        waiting["queued"],
        returned.elapsed()
    );
    assert!(on_record == world.asked, "{} on record, {} answered", on_record.len(), world.asked.len());
    let metrics = send(world.weir.address, "/metrics", &format!("authorization: Bearer {}\r\n", live::ADMIN), "").await;
    assert!(metrics.unwrap().body.lines().any(|line| line == "weir_ledger_lost 0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_down_requests_are_answered_and_nothing_is_lost() {
    story("down", "up", |ledger| ledger["spilled"].as_u64() > Some(0) && ledger["error"].is_string()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_answers_nobody_requests_are_answered_and_nothing_is_lost() {
    story("freeze", "thaw", |ledger| ledger["queued"].as_u64() > Some(0)).await;
}
