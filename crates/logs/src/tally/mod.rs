//! What logs say of readiness and waste, added up as calls are read, in memory that does not grow with them: what counts is the
//! window before the newest call, and what is older is let go of.

mod days;
mod hours;
mod retries;

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_capacity::readiness::{AgentRoute, Errors, Gap, TokenSpend};
use weir_capacity::waste::{Kind, Lost, WasteFigures};
use weir_ledger::DemandRow;
use weir_units::{DeploymentId, Dimension, NanoUsd, WallTime};

use self::days::{Day, Days};
use self::hours::Hours;
pub(crate) use self::retries::{Again, Asked, Recent, Retries, hash};
use crate::call::{Call, Format, Limit};
use crate::price::cost;

/// Deployments that are told apart; what more there are is one.
const MOST_DEPLOYMENTS: usize = 2_000;
/// Routes whose runs are looked at.
const MOST_ROUTES: usize = 1_000;
/// A year, in micros.
const YEAR: i64 = 366 * 86_400_000_000;
/// So many calls in a row that are far ahead of all others are believed.
const FEW: u32 = 5;
/// Turns of a run from which on an agent is at work.
const TURNS: u32 = 3;

/// The sums.
#[derive(Debug)]
pub struct Tally {
    window: i64,
    /// Calls from then on are not looked at.
    before: Option<WallTime>,
    newest: Option<WallTime>,
    ahead: u32,
    days: Days,
    hours: Hours,
    retries: Retries,
    names: BTreeMap<Box<str>, BTreeMap<Box<str>, usize>>,
    deployments: Vec<DeploymentId>,
    limits: BTreeMap<(usize, Dimension), u64>,
    turns: BTreeMap<Box<str>, u32>,
    runs: Recent<u32>,
    undated: u64,
    left_out: u64,
    with_tokens: u64,
    without_who: u64,
    formats: BTreeMap<Format, u64>,
}

impl Tally {
    /// Nothing yet, of a window of so long before the newest call, or before `until`.
    #[must_use]
    pub fn new(window: std::time::Duration, until: Option<WallTime>) -> Self {
        Self {
            window: i64::try_from(window.as_micros()).unwrap_or(i64::MAX),
            before: until,
            newest: None,
            ahead: 0,
            days: Days::default(),
            hours: Hours::default(),
            retries: Retries::default(),
            names: BTreeMap::new(),
            deployments: Vec::new(),
            limits: BTreeMap::new(),
            turns: BTreeMap::new(),
            runs: Recent::default(),
            undated: 0,
            left_out: 0,
            with_tokens: 0,
            without_who: 0,
            formats: BTreeMap::new(),
        }
    }

    /// Adds a call.
    pub fn add(&mut self, call: &Call<'_>) {
        *self.formats.entry(call.format).or_default() += 1;
        if let (Some(at), Some(before)) = (call.at, self.before)
            && at >= before
        {
            self.left_out += 1;
            return;
        }
        if self.before.is_none() && call.at > self.newest && self.believes(call.at) {
            self.newest = call.at;
            if let Some(newest) = self.newest {
                let begin = newest.0.saturating_sub(self.window);
                self.days.forget(begin);
                self.hours.forget(begin);
            }
        }
        let begin = self.begin();
        if call.at.is_some_and(|at| at < begin || (self.before.is_none() && Some(at) > self.newest)) {
            self.left_out += 1;
            return;
        }
        if call.at.is_none() {
            self.undated += 1;
        }
        let deployment = self.deployment(call);
        let cost = cost(call);
        let again = self.retries.see(&Asked::of(call, cost));
        self.with_tokens += u64::from(call.usage.is_some());
        self.without_who += u64::from(again == Again::Untold);
        let day = self.days.day(call.at);
        count(day, call, cost, again);
        for limit in &call.limits {
            let known = self.limits.entry((deployment, limit.dimension)).or_default();
            *known = limit.limit;
        }
        if let Some(at) = call.at
            && !call.from_cache
        {
            self.hours.add(deployment, at, call);
        }
        self.turn(call);
    }

    /// Whether a time may be the newest: one that is more than a year ahead of all others is taken for damage until a few more say
    /// so.
    fn believes(&mut self, at: Option<WallTime>) -> bool {
        let far = at.zip(self.newest).is_some_and(|(at, newest)| at.0 - newest.0 > YEAR);
        self.ahead = if far { self.ahead + 1 } else { 0 };
        !far || self.ahead >= FEW
    }

    /// The deployment's number.
    fn deployment(&mut self, call: &Call<'_>) -> usize {
        let provider = call.provider.as_deref().unwrap_or("unknown");
        let model = call.model.as_deref().or(call.route.as_deref()).unwrap_or("unknown");
        if let Some(known) = self.names.get(provider).and_then(|models| models.get(model)) {
            return *known;
        }
        let (provider, model) =
            if self.deployments.len() < MOST_DEPLOYMENTS { (provider, model) } else { ("other", "other") };
        let next = self.deployments.len();
        let number = *self.names.entry(provider.into()).or_default().entry(model.into()).or_insert(next);
        if number == next {
            self.deployments.push(DeploymentId::new(provider, model));
        }
        number
    }

    /// Takes down how many turns the longest runs of a route have.
    fn turn(&mut self, call: &Call<'_>) {
        let (Some(run), Some(name)) = (&call.run, call.route.as_deref().or(call.model.as_deref())) else { return };
        let turns = self.runs.entry(hash(&[run, name]));
        *turns += 1;
        let turns = *turns;
        if turns <= TURNS {
            return;
        }
        if let Some(most) = self.turns.get_mut(name) {
            *most = turns.max(*most);
        } else if self.turns.len() < MOST_ROUTES {
            self.turns.insert(name.into(), turns);
        }
    }

    /// When the window begins.
    fn begin(&self) -> WallTime {
        let end = self.before.or(self.newest).map_or(i64::MIN, |end| end.0);
        WallTime(end.saturating_sub(self.window))
    }

    /// What was looked at: from the first call in the window to the last, or to the time that was asked for.
    #[must_use]
    pub fn span(&self) -> (WallTime, WallTime) {
        let until = self.before.or(self.newest.map(|at| WallTime(at.0 + 1))).unwrap_or(WallTime(0));
        let first = self.hours.first().unwrap_or(until);
        (first.max(self.begin()).min(until), until)
    }

    /// Calls in the window.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.days.total().requests
    }

    /// Calls outside the window, and calls of which nobody knows when they were.
    #[must_use]
    pub fn aside(&self) -> (u64, u64) {
        (self.left_out, self.undated)
    }

    /// Question 1.
    ///
    /// # Errors
    /// If there were no calls.
    pub fn errors(&self) -> Result<Errors, Gap> {
        let total = self.days.total();
        if total.requests == 0 {
            return Err(no_calls());
        }
        let Day { requests, errors, throttled, .. } = total;
        Ok(Errors { requests, errors, throttled, throttled_by_weir: None })
    }

    /// Question 4.
    ///
    /// # Errors
    /// If the logs tell no tokens.
    pub fn spend(&self) -> Result<TokenSpend, Gap> {
        let total = self.days.total();
        if total.requests == 0 {
            return Err(no_calls());
        }
        if self.with_tokens == 0 {
            return Err(Gap::new(
                "these logs tell no tokens",
                "add logs that do: LiteLLM's spend logs, Langfuse, Helicone or OpenTelemetry",
            ));
        }
        Ok(TokenSpend {
            requests: total.requests,
            tokens: total.tokens,
            retry_tokens: total.retry_tokens.min(total.tokens),
            cost: (total.priced > 0).then_some(total.cost),
            retry_cost: total.retry_cost,
            unpriced: total.unpriced,
        })
    }

    /// What was asked of each deployment: minutes of the hours whose minutes are still held, and all hours.
    #[must_use]
    pub fn demand(&self) -> (Vec<DemandRow>, Vec<DemandRow>) {
        let names: Vec<Arc<str>> = self.deployments.iter().map(|deployment| deployment.to_string().into()).collect();
        self.hours.rows(&names)
    }

    /// The deployments that were called.
    #[must_use]
    pub fn deployments(&self) -> &[DeploymentId] {
        &self.deployments
    }

    /// Limits that answers stated in their headers, each with the deployment that they are of.
    #[must_use]
    pub fn stated(&self) -> Vec<(&DeploymentId, Limit)> {
        let of = |((deployment, dimension), limit): (&(usize, Dimension), &u64)| {
            let deployment = self.deployments.get(*deployment)?;
            Some((deployment, Limit { dimension: *dimension, limit: *limit }))
        };
        self.limits.iter().filter_map(of).collect()
    }

    /// Routes that agents seem to use: some of their runs have more than three turns.
    #[must_use]
    pub fn agents(&self) -> Vec<AgentRoute> {
        let of = |(route, turns): (&str, &u32)| AgentRoute {
            route: route.into(),
            why: format!("runs of up to {turns} turns"),
        };
        self.turns.iter().map(|(route, turns)| of((route, turns))).collect()
    }

    /// What was wasted, as far as logs can tell.
    #[must_use]
    pub fn waste(&self) -> WasteFigures {
        let (since, until) = self.span();
        let total = self.days.total();
        let mut figures = WasteFigures::of(since, until);
        figures.first = self.hours.first();
        (figures.requests, figures.attempts) = (total.requests, total.requests);
        (figures.tokens, figures.cost, figures.unpriced) = (total.tokens, total.cost, total.unpriced);
        self.days.fill(&mut figures);
        for (kind, why) in [
            (Kind::Loop, "logs do not tell what was done in a turn"),
            (Kind::CacheMiss, "logs do not tell which beginnings stayed the same"),
            (Kind::StaleContext, "logs do not tell what was sent once more"),
            (Kind::OversizedModel, "logs do not tell what else a route could have used"),
            (Kind::OversizedMaxTokens, "logs do not tell what a provider held back"),
        ] {
            figures.not_known(kind, why);
        }
        if self.with_tokens == 0 {
            for kind in [Kind::FailedAttempt, Kind::Abandoned, Kind::Truncated, Kind::Duplicate, Kind::ClientRetry] {
                figures.not_known(kind, "these logs tell no tokens");
            }
        }
        figures
    }

    /// What these logs do not tell, each with what would.
    #[must_use]
    pub fn missing(&self) -> Vec<Gap> {
        let calls = self.calls();
        let mut missing = Vec::new();
        if calls > 0 && self.with_tokens == 0 {
            missing.push(Gap::new(
                "no tokens: nothing is known of spend, retries' share and waste",
                "add spend logs or spans",
            ));
        } else if self.with_tokens * 2 < calls {
            missing.push(Gap::new("more than half of the calls have no tokens", "add spend logs or spans"));
        }
        if self.undated > 0 {
            missing.push(Gap::new(
                format!("{} calls have no time", self.undated),
                "log with times (question 5 needs them)",
            ));
        }
        if calls > 0 && self.without_who * 2 > calls {
            missing.push(Gap::new(
                "nothing tells whose calls these are, so that only retries which logs mark are seen",
                "log a user, a session or a key",
            ));
        }
        missing
    }
}

fn no_calls() -> Gap {
    Gap::new(
        "no model's call was found",
        "see which formats are read in docs/guide/import.md, or map columns with --map",
    )
}

/// Adds a call to its day.
fn count(day: &mut Day, call: &Call<'_>, cost: Option<NanoUsd>, again: Again) {
    day.requests += 1;
    day.errors += u64::from(call.failed);
    day.throttled += u64::from(call.is_throttled());
    let tokens = call.usage.as_ref().map_or(0, |usage| usage.input.0.saturating_add(usage.output.0));
    let spent = call.usage.is_some() && !call.from_cache;
    if spent {
        day.tokens = day.tokens.saturating_add(tokens);
        match cost {
            Some(cost) => {
                day.cost += cost;
                day.priced += 1;
            }
            None => day.unpriced += 1,
        }
    }
    if let Again::Retry(earlier) = again {
        // An earlier call that turned out to be the retry of this one, which comes later in the log, is counted now.
        let (tokens, cost) = earlier.unwrap_or((if spent { tokens } else { 0 }, cost.unwrap_or_default()));
        day.retry_tokens = day.retry_tokens.saturating_add(tokens);
        day.retry_cost += cost;
        day.retries += 1;
    } else if call.failed && tokens > 0 {
        day.retry_tokens = day.retry_tokens.saturating_add(tokens);
        day.retry_cost += cost.unwrap_or_default();
    }
    if let Some(kind) = wasted(call, tokens, again) {
        let name = |text: &Option<crate::Text<'_>>| text.as_deref().map(str::to_owned);
        let route = name(&call.route).or_else(|| name(&call.model));
        day.lose(
            kind,
            [route, name(&call.key).or_else(|| name(&call.user)), name(&call.run)],
            &Lost::once(tokens, cost),
        );
    }
}

/// For what a call was wasted, the first reason that holds.
fn wasted(call: &Call<'_>, tokens: u64, again: Again) -> Option<Kind> {
    if tokens == 0 || call.from_cache {
        return None;
    }
    match again {
        _ if call.abandoned => Some(Kind::Abandoned),
        _ if call.failed => Some(Kind::FailedAttempt),
        Again::AnsweredBefore { by_sdk: true } => Some(Kind::ClientRetry),
        Again::AnsweredBefore { by_sdk: false } => Some(Kind::Duplicate),
        _ if call.truncated => Some(Kind::Truncated),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
