//! Plays one act: orders its faults, sends what the trace says when it says so, and waits for every answer.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use weir_units::WallTime;

use super::act::Act;
use super::bar::Bar;
use super::client::{Client, Got};
use super::house::House;
use super::slice::Slice;
use super::tally::{LookAt, Provider, Tally, is_calm};

/// Requests in flight at once; more wait for one to end, as behind any client's connection pool.
const MOST_IN_FLIGHT: usize = 300;
/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);
/// The recovery goes on in such pieces until the breaker is closed, for at most so many of them.
const PIECE: Duration = Duration::from_secs(1);
const PIECES: u32 = 12;

/// What sends the demo's traffic, from act to act.
pub(super) struct Traffic {
    client: Client,
    slice: Slice,
    /// Requests sent so far.
    sent: u64,
    /// When this telling of the story began.
    since: WallTime,
    /// Whether a bar is wanted.
    bars: bool,
}

impl Traffic {
    pub(super) fn new(client: Client, slice: Slice, bars: bool) -> Self {
        Self { client, slice, sent: 0, since: wall(), bars }
    }

    /// The story is told anew from here.
    pub(super) fn begin(&mut self) {
        self.since = wall();
    }

    /// Plays `act` for `length`, and until the last of its requests has ended.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) async fn play(&mut self, house: &House, act: Act, length: Duration) -> Result<Tally, String> {
        act.stage(&house.openai);
        let before = (house.openai.stats(), house.anthropic.stats());
        let since = wall();
        let (mut tally, mut ids) = (Tally::default(), BTreeSet::new());
        let mut best: Option<LookAt> = None;
        self.send(house, act, length, |got| {
            tally.got(&got);
            if let Some(id) = got.id {
                ids.insert(id.clone());
                let found = LookAt { id, act, attempts: got.attempts, answered: got.answered };
                // A failure is worth more than any answer, and an answer that took more attempts than one that took fewer.
                let worth = |look: &LookAt| (!look.answered, look.attempts);
                if worth(&found) > best.as_ref().map_or((false, 1), worth) {
                    best = Some(found);
                }
            }
        })
        .await?;
        tally.openai = Provider::between(&before.0, &house.openai.stats());
        tally.anthropic = Provider::between(&before.1, &house.anthropic.stats());
        tally.look_at.extend(best);
        tally.read(house.gateway.ledger(), since, ids).await?;
        Ok(tally)
    }

    /// Sends what the trace says for `length`, and hands over what came of it as it comes.
    async fn send(
        &mut self,
        house: &House,
        act: Act,
        length: Duration,
        mut take: impl FnMut(Got),
    ) -> Result<(), String> {
        let began = Instant::now();
        let mut pending = VecDeque::from(self.slice.take(Duration::ZERO, length));
        let (mut until, mut pieces, mut over) = (length, 0, false);
        let (mut requests, mut answered) = (0, 0);
        let mut running: JoinSet<Got> = JoinSet::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let bar = Bar::new(act, self.bars);
        while !over || !running.is_empty() {
            let at = began + pending.front().map_or(until, |due| due.after);
            tokio::select! {
                Some(got) = running.join_next() => {
                    let got = got.map_err(|error| format!("a client of the demo ended early: {error}"))?;
                    requests += 1;
                    answered += u64::from(got.answered);
                    take(got);
                }
                () = tokio::time::sleep_until(at), if !over && running.len() < MOST_IN_FLIGHT => {
                    if let Some(due) = pending.pop_front() {
                        let (client, number) = (self.client.clone(), self.sent);
                        self.sent += 1;
                        running.spawn(async move { client.ask(number, due).await });
                    } else if act == Act::Recovery && pieces < PIECES && !self.is_calm(house).await? {
                        pending = VecDeque::from(self.slice.take(until, PIECE));
                        until += PIECE;
                        pieces += 1;
                    } else {
                        over = true;
                    }
                }
                _ = ticks.tick() => bar.draw(began.elapsed(), length, requests, answered),
            }
        }
        Ok(())
    }

    /// Whether every breaker that moved in this telling is closed again.
    async fn is_calm(&self, house: &House) -> Result<bool, String> {
        is_calm(house.gateway.ledger(), self.since).await
    }
}

/// The time by the calendar, as the ledger writes it.
fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
