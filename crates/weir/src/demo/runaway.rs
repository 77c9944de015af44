//! The loop scene: the same two agents talk twice through Weir before a provider that throttles, with guards on runs off and on.
//!
//! The bills are what the gateway says each answer cost, in a header that it takes from its ledger. A week is not played: it is
//! what the last turn cost, at a stated pace, with a conversation that grows no further.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weir_config::ProcessEnvironment;
use weir_gateway::Gateway;
use weir_mock::{Dimension, Latency, Limits, Mock, Options, Profile, Stats, Window};
use weir_units::NanoUsd;

use super::agents::{Talk, talk};
use crate::terminal::bold;
use crate::terminal::numbers::{count, counted, dollars, micros};

/// Turns that the two are given; a loop does not end by itself.
const TURNS: u64 = 40;
/// What the provider takes in a minute before it says 429.
const PER_MINUTE: u64 = 300;
/// A turn of a real model with a long prompt, for the week.
const PACE: Duration = Duration::from_secs(8);
/// The seconds of a week.
const WEEK: u64 = 7 * 86_400;
/// A model with a list price.
const MODEL: &str = "openai/gpt-5.5";

/// The scene, played twice.
pub(super) struct Runaway {
    off: Play,
    on: Play,
}

/// One telling.
struct Play {
    guards: &'static str,
    talk: Talk,
    stats: Stats,
}

/// Plays it with guards off, then with guards on.
///
/// # Errors
/// What does not start, in words.
pub(super) async fn play(folder: &Path) -> Result<Runaway, String> {
    Ok(Runaway { off: play_once(folder, "off").await?, on: play_once(folder, "halt").await? })
}

async fn play_once(folder: &Path, guards: &'static str) -> Result<Play, String> {
    let provider = provider().await?;
    let file = folder.join(format!("loop-{guards}.toml"));
    std::fs::write(&file, config_text(&provider, guards))
        .map_err(|error| format!("`{}` cannot be written: {error}", file.display()))?;
    let report = weir_config::load(&file, &ProcessEnvironment);
    let faults = || report.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let gateway = Gateway::start(report.config.clone().ok_or_else(faults)?).await.map_err(|error| error.to_string())?;
    let talk = talk(gateway.address(), MODEL, TURNS).await;
    let stats = provider.stats();
    gateway.drain().await;
    provider.stop().await;
    if let Some(ended) = talk.ended.as_ref().filter(|ended| ended.code != "run_halted") {
        return Err(format!(
            "the {} of the loop scene got {} {}: {}",
            ended.agent, ended.status, ended.code, ended.message
        ));
    }
    Ok(Play { guards, talk, stats })
}

async fn provider() -> Result<Mock, String> {
    let latency = Latency { base: Duration::from_millis(60), ..Latency::default() };
    let limits = Limits::NONE.with(Dimension::RequestsPerMinute, PER_MINUTE);
    let mut profile = Profile { latency, limits, ..Profile::default() };
    profile.rules.window = Window::Bucket { burst: Duration::from_secs(1) };
    let options = Options { name: "openai".to_owned(), profile, ..Options::default() };
    Mock::start(options).await.map_err(|error| format!("the provider cannot start: {error}"))
}

fn config_text(provider: &Mock, guards: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ngrace = \"2s\"\n\n[ledger]\nurl = \"sqlite:loop-{guards}.db\"\n\n\
         [providers.openai]\nbase-url = \"{}\"\n\n[runs]\nloops = \"{guards}\"\n",
        provider.base_url()
    )
}

impl Play {
    /// What a week of this would cost. Whoever is halted spends no more until somebody releases the run.
    fn week(&self) -> NanoUsd {
        let turns = i64::try_from(WEEK / PACE.as_secs()).unwrap_or(i64::MAX);
        match &self.talk.ended {
            Some(_) => self.talk.cost,
            None => NanoUsd(self.talk.last_cost.0.saturating_mul(turns)),
        }
    }

    fn as_json(&self) -> Value {
        let Talk { turns, requests, retries, cost, unknown, took, ended, .. } = &self.talk;
        let refused = self.stats.by_status.get(&429).copied().unwrap_or(0);
        json!({
            "guards": self.guards,
            "turns": turns,
            "requests": requests,
            "sdk_retries": retries,
            "provider_answers": self.stats.by_status.get(&200).copied().unwrap_or(0),
            "provider_refused_429": refused,
            "cost_usd": cost.to_string(),
            "cost_unknown": unknown,
            "projected_week_usd": self.week().to_string(),
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "halted": ended.as_ref().map(|ended| json!({
                "agent": ended.agent, "status": ended.status, "code": ended.code, "message": ended.message,
                "run": ended.run, "request": ended.request,
            })),
        })
    }

    fn in_words(&self) -> String {
        let talk = &self.talk;
        let name = if self.guards == "off" { "guards off" } else { "guards on" };
        let bill = format!("bill {}, a week of it {}", dollars(talk.cost), dollars(self.week()));
        let retries = match talk.retries {
            0 => String::new(),
            retries => format!(", {} of them retries of the SDK", count(retries)),
        };
        let head = format!(
            "{name:<10} {} in {}{retries}   {}",
            counted(talk.requests, "request"),
            micros(u64::try_from(talk.took.as_micros()).unwrap_or(u64::MAX)),
            bold(&bill)
        );
        match &talk.ended {
            None => format!("{head}\n{:<10} nobody stopped them; the scene ended after {} turns", "", talk.turns),
            Some(ended) => format!(
                "{head}\n{:<10} stopped at turn {}, the {}'s, with {} {}\n{:<10} {}",
                "",
                talk.turns + 1,
                ended.agent,
                ended.status,
                ended.code,
                "",
                ended.message
            ),
        }
    }
}

impl Runaway {
    /// Says what is about to be seen.
    pub(super) fn introduction() -> &'static str {
        "Two agents ask each other to clarify, with an SDK that retries, before a provider that throttles. First with guards on runs off, \
         then on."
    }

    /// The scene for a person.
    pub(super) fn in_words(&self) -> String {
        format!(
            "{}\n{}\n{:<10} a week: the last turn's cost at one turn in {} s, the conversation growing no further",
            self.off.in_words(),
            self.on.in_words(),
            "",
            PACE.as_secs()
        )
    }

    /// The scene as one record a line.
    pub(super) fn as_records(&self) -> String {
        [&self.off, &self.on]
            .map(|play| {
                let mut line = format!("loop {}", play.guards);
                for (key, value) in play.as_json().as_object().into_iter().flatten().filter(|(key, _)| *key != "guards")
                {
                    match value.as_object() {
                        Some(inner) => {
                            inner.iter().for_each(|(part, value)| line.push_str(&format!(" {key}.{part}={value}")))
                        }
                        None => line.push_str(&format!(" {key}={value}")),
                    }
                }
                line
            })
            .join("\n")
    }

    /// The scene for programs.
    pub(super) fn as_json(&self) -> Value {
        json!({ "off": self.off.as_json(), "on": self.on.as_json(), "pace_seconds_per_turn": PACE.as_secs() })
    }
}
