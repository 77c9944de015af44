//! Clients that go away: the call upstream is cancelled at once, nobody else is asked, and the record says so.

use std::time::Duration;

use serde_json::Value;
use weir_mock::{Mock, Profile, Standing};

use crate::cell::same;
use crate::client::{Open, open};
use crate::dialect::Dialect;
use crate::world::{World, mock, provider};

/// How long things may take to happen on a machine that does other things as well.
const SOON: Duration = Duration::from_secs(10);
/// An answer that takes more than ten minutes at the pace below.
const LONG: &str = "words=15000";
const SLOWLY: u64 = 20;

/// Where the client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In the middle of a stream.
    Streaming,
    /// While a provider that will never answer is waited for.
    Waiting,
    /// While the wait before a repeat passes.
    BetweenAttempts,
    /// While the second deployment is asked to take over a stream that broke.
    TakingOver,
}

pub(crate) const ALL: [When; 4] = [When::Streaming, When::Waiting, When::BetweenAttempts, When::TakingOver];

/// Asks, leaves, and looks at what is left of the request.
pub(crate) async fn leave(when: When, client: Dialect, at: Dialect) -> Result<(), String> {
    let (first, second) = (mock("first").await, mock("second").await);
    let profile = Profile { tokens_per_second: SLOWLY, ..Profile::default() };
    let routes = "[routes.smart]\ndeployments = [\"first/fast\", \"second/fast\"]\n";
    let providers = format!("{}{}", provider("first", at, first.address()), provider("second", at, second.address()));
    let world = World::start(&format!("{providers}{routes}")).await;
    let streamed = matches!(when, When::Streaming | When::TakingOver);
    match when {
        When::Streaming => first.set_profile(profile),
        When::Waiting => first.order(Standing::all(fault("silence")?)),
        When::BetweenAttempts => first.order(Standing::all(fault("429:1")?)),
        When::TakingOver => {
            first.order(Standing::all(fault("cut:3")?));
            second.order(Standing::all(fault("silence")?));
        }
    }
    let body = client.request("smart", LONG, streamed).replace("\"max_tokens\":40", "\"max_tokens\":15000");
    let mut asked = open(world.gateway.address(), client.path(), client.headers(), &body).await;
    underway(when, client, &mut asked, &first, &second).await?;
    drop(asked);

    let record = ended(&world).await?;
    same("the outcome", &record["outcome"], &"cancelled".into())?;
    same("the status", &record["status"], &499.into())?;
    let calls = if when == When::TakingOver { 2 } else { 1 };
    same("the attempts", &record["attempts"].as_array().map(Vec::len), &Some(calls))?;
    let cancelled = if when == When::BetweenAttempts { (0, 0) } else { (1 - (calls - 1) as u64, (calls - 1) as u64) };
    eventually("the calls that were cancelled", || {
        (first.stats().cancelled, second.stats().cancelled) == cancelled
            && first.stats().in_flight + second.stats().in_flight == 0
    })
    .await?;
    if when == When::BetweenAttempts {
        // A repeat that was only forgotten, not cancelled, would come within this.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let counted = (first.stats().requests, second.stats().requests);
    same("calls to the first and the second", &counted, &(1, calls as u64 - 1))?;

    first.clear();
    first.set_profile(Profile::default());
    let next = world.ask(client, &client.request("smart", "echo again", false)).await?;
    same("the next answer", &client.read(&next, false)?.text.as_str(), &"again")?;
    same("records", &world.records().await?.len(), &2)?;
    world.end().await
}

/// Waits until the request is where the client is to leave it.
async fn underway(when: When, client: Dialect, asked: &mut Open, first: &Mock, second: &Mock) -> Result<(), String> {
    let content = match client {
        Dialect::OpenAi => "\"content\":\"",
        Dialect::Anthropic => "text_delta",
    };
    match when {
        When::Streaming if asked.read_until(content).await => Ok(()),
        When::Streaming => Err("no content comes".to_owned()),
        When::Waiting => eventually("a call that waits", || first.stats().in_flight == 1).await,
        When::BetweenAttempts => eventually("the end of the first call", || first.stats().completed == 1).await,
        When::TakingOver => eventually("the call to the second", || second.stats().in_flight == 1).await,
    }
}

/// The record of the one request, once it has ended.
async fn ended(world: &World) -> Result<Value, String> {
    let until = tokio::time::Instant::now() + SOON;
    loop {
        let records = world.records().await?;
        same("records", &records.len(), &1)?;
        if records[0]["outcome"] != "open" || tokio::time::Instant::now() > until {
            return Ok(records[0].clone());
        }
    }
}

async fn eventually(what: &str, is: impl Fn() -> bool) -> Result<(), String> {
    let looking = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, looking).await.map_err(|_| format!("{what}: never seen"))
}

fn fault(word: &str) -> Result<weir_mock::FaultOrder, String> {
    word.parse().map_err(|e| format!("{e}"))
}
