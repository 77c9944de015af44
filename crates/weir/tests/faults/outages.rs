//! Outages over HTTP: breakers that open, rest, probe and close, and credentials that are benched.

use std::time::Duration;

use serde_json::Value;
use weir_mock::{Mock, Standing};

use crate::cell::same;
use crate::client::Got;
use crate::dialect::Dialect;
use crate::world::{World, credential, mock, mock_at, provider};

const CLIENT: Dialect = Dialect::OpenAi;
const SECOND: Dialect = Dialect::Anthropic;
/// More requests than any rule needs to see an outage.
const MANY: usize = 60;

/// Two providers, of either dialect, and a route over both.
struct Town {
    first: Mock,
    second: Mock,
    world: World,
}

impl Town {
    async fn start(cooldown: &str) -> Self {
        let (first, second) = (mock("first").await, mock("second").await);
        let world = World::start(&Self::settings(&first, &second, "first", cooldown)).await;
        Self { first, second, world }
    }

    /// The settings, with the first provider's credential in the variable `variable`.
    fn settings(first: &Mock, second: &Mock, variable: &str, cooldown: &str) -> String {
        let env = |name: &str| format!("env = \"{name}\"");
        let first = provider("first", CLIENT, first.address()).replace(&env("first"), &env(variable));
        let second = provider("second", SECOND, second.address());
        let route = "[routes.smart]\ndeployments = [\"first/fast\", \"second/fast\"]\n";
        format!("{first}{second}{route}[breaker]\nconsecutive-failures = 3\ncooldown = \"{cooldown}\"\n")
    }

    async fn ask(&self) -> Result<Got, String> {
        self.world.ask(CLIENT, &CLIENT.request("smart", "echo still here", false)).await
    }

    /// Asks, and must be answered: by whom, and after how many calls.
    async fn answered(&self) -> Result<(String, u32), String> {
        let got = self.ask().await?;
        if got.status != 200 {
            return Err(format!("{} in an outage of one provider: {}", got.status, got.body));
        }
        same("the text", &CLIENT.read(&got, false)?.text.as_str(), &"still here")?;
        let header = |name| got.header(name).unwrap_or_default();
        Ok((header("x-weir-deployment").to_owned(), header("x-weir-attempts").parse().unwrap_or_default()))
    }

    /// Orders an outage and asks until the breaker of `name` is open; what its clients saw is handed to `seen`.
    async fn outage(&self, mock: &Mock, name: &str, seen: impl Fn(&Got) -> Result<(), String>) -> Result<(), String> {
        mock.order(Standing::all("500".parse().map_err(|e| format!("{e}"))?));
        for _ in 0..MANY {
            seen(&self.ask().await?)?;
            if self.breaker(name).await? == "open" {
                return Ok(());
            }
        }
        Err(format!("the breaker of {name} stays closed"))
    }

    async fn view(&self, name: &str) -> Result<Value, String> {
        let page = self.world.admin("/admin/v1/deployments").await?;
        let list = page["deployments"].as_array().cloned().unwrap_or_default();
        list.into_iter().find(|view| view["deployment"] == name).ok_or_else(|| format!("no {name} in {page}"))
    }

    async fn breaker(&self, name: &str) -> Result<String, String> {
        Ok(self.view(name).await?["breaker"].as_str().unwrap_or_default().to_owned())
    }

    /// How many facts say this.
    async fn facts(&self, fact: &str, part: &str) -> Result<usize, String> {
        self.world.gateway.ledger().flush().await;
        let facts = self.world.gateway.ledger().facts(1_000).await.map_err(|e| e.to_string())?;
        Ok(facts.iter().filter(|text| text.contains(&format!("\"{fact}\"")) && text.contains(part)).count())
    }
}

fn whole(got: &Got) -> Result<(), String> {
    same("the status", &got.status, &200)
}

/// The primary is down: its breaker opens, and from then on it is not even asked.
pub(crate) async fn opens() -> Result<(), String> {
    let town = Town::start("60s").await;
    same("calm", &town.answered().await?, &("first/fast".to_owned(), 1))?;
    town.outage(&town.first, "first/fast", whole).await?;
    let before = town.first.stats().requests;
    for _ in 0..10 {
        same("in the outage", &town.answered().await?, &("second/fast".to_owned(), 1))?;
    }
    same("calls to the one that rests", &town.first.stats().requests, &before)?;
    same("facts", &town.facts("BreakerChanged", "\"to\":\"open\"").await?, &1)?;
    town.world.end().await
}

/// Everybody is down: clients are told so, and when to come back; who comes back then is answered.
pub(crate) async fn all_open() -> Result<(), String> {
    let town = Town::start("4s").await;
    town.outage(&town.first, "first/fast", whole).await?;
    let refused = |got: &Got| if got.status == 200 { Err("answered by nobody".to_owned()) } else { Ok(()) };
    town.outage(&town.second, "second/fast", refused).await?;
    let before = (town.first.stats().requests, town.second.stats().requests);
    let got = town.ask().await?;
    // Had the first one's rest been over by now, this would be its probe, which fails.
    if (town.first.stats().requests, town.second.stats().requests) == before {
        let wait = no_deployment(&town, &got).await?;
        town.first.clear();
        town.second.clear();
        tokio::time::sleep(Duration::from_secs(wait)).await;
        town.answered().await?;
    } else {
        return Err(format!("the rest was over before both were open: {}", got.body));
    }
    town.world.end().await
}

/// Looks at the refusal where nobody may be asked; its retry-after.
async fn no_deployment(town: &Town, got: &Got) -> Result<u64, String> {
    same("the status", &got.status, &503)?;
    let (code, ..) = CLIENT.error(&got.json()?)?;
    same("the code", &code.as_deref(), &Some("no_deployment_available"))?;
    same("x-weir-refused-by", &got.header("x-weir-refused-by"), &Some("weir"))?;
    same("x-should-retry", &got.header("x-should-retry"), &Some("true"))?;
    let record = town.world.record(got).await?;
    same("the outcome", &record["outcome"], &"refused".into())?;
    same("the attempts", &record["attempts"], &serde_json::json!([]))?;
    let wait = got.header("retry-after").and_then(|wait| wait.parse().ok()).ok_or("no retry-after")?;
    // A cooldown of 4 s, give or take a fifth, in whole seconds rounded up.
    if (1..=5).contains(&wait) { Ok(wait) } else { Err(format!("retry-after is {wait}")) }
}

/// After its rest a deployment is tried by single requests; they are answered whatever comes of it.
pub(crate) async fn recovers() -> Result<(), String> {
    let town = Town::start("2s").await;
    town.outage(&town.first, "first/fast", whole).await?;
    let rested = Duration::from_millis(2_500);
    tokio::time::sleep(rested).await;
    let before = town.first.stats().requests;
    same("the request that probes in vain", &town.answered().await?, &("second/fast".to_owned(), 2))?;
    same("probes", &(town.first.stats().requests - before), &1)?;
    same("the breaker after it", &town.breaker("first/fast").await?.as_str(), &"open")?;

    town.first.clear();
    tokio::time::sleep(rested).await;
    for probe in 1..=3 {
        same("a good probe", &town.answered().await?, &("first/fast".to_owned(), 1))?;
        let expected = "half-open";
        same(&format!("the breaker after probe {probe}"), &town.breaker("first/fast").await?.as_str(), &expected)?;
    }
    // Its share of traffic grows in steps as long as the cooldown.
    for _ in 0..MANY {
        town.answered().await?;
        if town.breaker("first/fast").await? == "closed" {
            same("recovered", &town.answered().await?, &("first/fast".to_owned(), 1))?;
            return town.world.end().await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err("the breaker does not close".to_owned())
}

/// A refused credential is benched, which a person can see; a new one is used at once.
pub(crate) async fn credential_benched() -> Result<(), String> {
    let (first, second) = (mock("first").await, mock("second").await);
    // The first provider takes `first`, and is offered another.
    let world = World::start(&Town::settings(&first, &second, "wrong", "60s")).await;
    let town = Town { first, second, world };
    same("the first request", &town.answered().await?, &("second/fast".to_owned(), 2))?;
    for _ in 0..5 {
        same("while it is benched", &town.answered().await?, &("second/fast".to_owned(), 1))?;
    }
    same("calls with the wrong credential", &town.first.stats().requests, &1)?;
    same("the breaker", &town.breaker("first/fast").await?.as_str(), &"closed")?;
    let benched = town.view("first/fast").await?["benched"].clone();
    same(
        "what is benched",
        &(benched["what"].as_str(), benched["class"].as_str()),
        &(Some("credential"), Some("unauthorized")),
    )?;
    same("facts", &town.facts("CredentialBenched", "\"first\"").await?, &1)?;
    let facts = town.world.gateway.ledger().facts(1_000).await.map_err(|e| e.to_string())?.join("\n");
    same("the credential in the facts", &facts.contains(&credential("wrong")), &false)?;

    town.world.reload(&Town::settings(&town.first, &town.second, "first", "60s"));
    same("with the right one", &town.answered().await?, &("first/fast".to_owned(), 1))?;
    town.world.end().await
}

/// A reload changes settings, and forgets nothing that was learnt.
pub(crate) async fn reload_remembers() -> Result<(), String> {
    let town = Town::start("60s").await;
    town.outage(&town.first, "first/fast", whole).await?;
    let before = town.first.stats().requests;
    let settings = Town::settings(&town.first, &town.second, "first", "60s");
    town.world.reload(&format!("{settings}[server2]\n"));
    same("facts of a reload that does not check", &town.facts("ConfigRefused", "server2").await?, &1)?;
    town.world.reload(&settings.replace("after-cut = \"splice\"", "after-cut = \"end\""));
    same("facts of the reload", &town.facts("ConfigReloaded", "").await?, &1)?;
    same("the breaker", &town.breaker("first/fast").await?.as_str(), &"open")?;
    for _ in 0..5 {
        same("after the reload", &town.answered().await?, &("second/fast".to_owned(), 1))?;
    }
    same("calls to the one that rests", &town.first.stats().requests, &before)?;
    town.world.end().await
}

/// A provider that cannot be connected to: asked once more, then the next; and when it is back, it is asked first.
pub(crate) async fn nobody_listens() -> Result<(), String> {
    let Town { first, second, world } = Town::start("60s").await;
    let address = first.address();
    first.stop().await;
    let got = world.ask(CLIENT, &CLIENT.request("smart", "echo still here", false)).await?;
    whole(&got)?;
    let record = world.record(&got).await?;
    let classes = ["0", "1", "2"].map(|at| record.pointer(&format!("/attempts/{at}/class")).cloned());
    same("the classes", &classes, &[Some("connect".into()), Some("connect".into()), Some(Value::Null)])?;
    let town = Town { first: mock_at("first", address).await, second, world };
    same("when it is back", &town.answered().await?, &("first/fast".to_owned(), 1))?;
    town.world.end().await
}

/// A provider that closes connections which nobody uses: a warm one that is gone is no fault and costs no attempt.
pub(crate) async fn warm_connection_gone() -> Result<(), String> {
    let mut town = Town::start("60s").await;
    for _ in 0..20 {
        same("an answer", &town.answered().await?, &("first/fast".to_owned(), 1))?;
        let address = town.first.address();
        town.first.stop().await;
        town.first = mock_at("first", address).await;
    }
    town.world.end().await
}
