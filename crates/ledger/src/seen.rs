//! What is counted and looked for of a request, out of its entry or of its record.

use std::sync::Arc;

use serde::Deserialize;
use weir_units::{FaultClass, NanoUsd, RequestId, Usage, WallTime};

use crate::demand::{Offer, Sign};
use crate::entry::{Attempt, Entry, Outcome};
use crate::fact::Fact;
use crate::figures::Call;
use crate::row::MOST_TOKENS;
use crate::series::waste_of;

/// A request as it is counted and looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) id: RequestId,
    pub(crate) started_at: WallTime,
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
    pub(crate) refused_by: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) run: Option<Arc<str>>,
    pub(crate) tags: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) trace: Option<u128>,
    pub(crate) content: Option<u64>,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) duration_ms: Option<u64>,
    /// Of streams only: a whole answer is its own first content.
    pub(crate) first_content_ms: Option<u64>,
    pub(crate) queued_ms: u64,
    pub(crate) calls: Vec<SeenCall>,
    /// What its limits had to do with where it went.
    pub(crate) offer: Offer,
}

/// One of its calls upstream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeenCall {
    pub(crate) deployment: Arc<str>,
    pub(crate) status: Option<u16>,
    pub(crate) failed: bool,
    pub(crate) upstream: Option<Box<str>>,
    /// Input, cached input, output, reasoning.
    pub(crate) tokens: Option<[u64; 4]>,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) estimated: bool,
    pub(crate) wasted: Vec<SeenWaste>,
    /// When it was sent and when it ended, in milliseconds since 1970.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// From when it was sent to its first content, of streams.
    pub(crate) first_content_ms: Option<u64>,
    /// What it was as its provider's figures count it.
    pub(crate) came_to: Call,
}

/// What of a call served nobody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SeenWaste {
    /// The place of the reason in [`crate::WASTE`].
    pub(crate) why: usize,
    pub(crate) tokens: u64,
    pub(crate) cost: Option<NanoUsd>,
}

impl Seen {
    /// Out of an entry.
    pub(crate) fn of(entry: &Entry) -> Self {
        let ended = |ended: WallTime| ended.millis().saturating_sub(entry.started_at.millis());
        let mut seen = Self {
            id: entry.id,
            started_at: entry.started_at,
            outcome: entry.outcome,
            status: entry.status,
            refused_by: entry.refused_by.clone(),
            key: entry.key.clone(),
            tenant: entry.tenant.clone(),
            route: entry.route.clone(),
            run: entry.run.clone(),
            tags: entry.tags.clone(),
            trace: entry.trace.map(|trace| trace.trace_id),
            content: entry.content,
            cost: entry.cost_usd,
            duration_ms: entry.ended_at.map(|at| u64::try_from(ended(at)).unwrap_or(0)),
            first_content_ms: entry.first_content_ms.filter(|_| entry.stream),
            queued_ms: entry.queued_ms,
            calls: entry.attempts.iter().map(SeenCall::of).collect(),
            offer: Offer::of(entry.code.as_deref(), entry.refused_by.as_deref()),
        };
        let mut attempt = 0;
        for event in &entry.events {
            match &event.fact {
                Fact::AttemptStarted { deployment, .. } => {
                    attempt += 1;
                    seen.offer.take(Sign::Asked, deployment);
                }
                Fact::Wasted { why, input, output, cost_usd, .. } => {
                    seen.wasted(attempt, why, input.saturating_add(*output), *cost_usd);
                }
                Fact::Routed { candidates, .. } => seen.offer.listed(candidates.first().map(String::as_str)),
                Fact::Queued { deployment, .. } | Fact::PassedOver { deployment, .. } => {
                    seen.offer.take(Sign::Limited, deployment);
                }
                Fact::Estimated { deployment, input, output } => seen.offer.estimated(deployment, *input, *output),
                Fact::FirstContent { after_ms, .. } => seen.began(attempt, *after_ms),
                _ => {}
            }
        }
        seen.begins();
        seen
    }

    /// The call in hand brought its first content.
    fn began(&mut self, attempt: usize, after_ms: u64) {
        let place = attempt.min(self.calls.len()).saturating_sub(1);
        if let Some(call) = self.calls.get_mut(place) {
            call.first_content_ms.get_or_insert(after_ms);
        }
    }

    /// Where no fact says so, the one call of a stream began with the stream.
    fn begins(&mut self) {
        if let ([call], Some(ms)) = (self.calls.as_mut_slice(), self.first_content_ms) {
            let waited = u64::try_from(call.from_ms - self.started_at.millis()).unwrap_or(0);
            call.first_content_ms.get_or_insert(ms.saturating_sub(waited));
        }
    }

    /// Waste is told after the call that it is of, and before the next.
    fn wasted(&mut self, attempt: usize, why: &str, tokens: u64, cost: Option<NanoUsd>) {
        let why = waste_of(why);
        let place = attempt.min(self.calls.len()).saturating_sub(1);
        if let Some(call) = self.calls.get_mut(place) {
            call.wasted.push(SeenWaste { why, tokens: tokens.min(MOST_TOKENS), cost });
        }
    }

    /// Out of a record, whose time of arrival is `started_at`; none if it is damaged.
    pub(crate) fn read(started_at: i64, record: &str) -> Option<Self> {
        let read: Record = serde_json::from_str(record).ok()?;
        let hex = |text: &str| u128::from_str_radix(text, 16).ok();
        let started_at = WallTime(started_at);
        let ended = |text: &str| Some(millis(text)?.saturating_sub(started_at.millis()));
        let by = read.refused_by.clone();
        let mut seen = Self {
            id: read.id.parse().ok()?,
            started_at,
            outcome: Outcome::from_name(read.outcome)?,
            status: read.status,
            refused_by: read.refused_by,
            key: read.key,
            tenant: read.tenant,
            route: read.route,
            run: read.run,
            tags: read.tags.0,
            trace: read.trace.and_then(|trace| hex(&trace.id)),
            content: read.content.and_then(|text| u64::try_from(hex(&text)?).ok()),
            cost: dollars(read.cost_usd.as_deref()),
            duration_ms: read.ended_at.as_deref().and_then(ended).map(|ms| u64::try_from(ms).unwrap_or(0)),
            first_content_ms: read.first_content_ms.filter(|_| read.stream),
            queued_ms: read.queued_ms,
            calls: read.attempts.into_iter().map(SeenCall::read).collect(),
            offer: Offer::of(read.code.as_deref(), by.as_deref()),
        };
        let mut attempt = 0;
        for event in &read.events {
            let deployment = event.deployment.as_deref().unwrap_or_default();
            match &*event.fact {
                "AttemptStarted" => {
                    attempt += 1;
                    seen.offer.take(Sign::Asked, deployment);
                }
                "Routed" => {
                    let first = event.candidates.as_ref().and_then(|names| names.first());
                    seen.offer.listed(first.map(|name| &**name));
                }
                "Queued" | "PassedOver" => seen.offer.take(Sign::Limited, deployment),
                "Estimated" => {
                    seen.offer.estimated(deployment, event.input.unwrap_or(0), event.output.unwrap_or(0));
                }
                "FirstContent" => seen.began(attempt, event.after_ms.unwrap_or(0)),
                "Wasted" => {
                    let tokens = event.input.unwrap_or(0).saturating_add(event.output.unwrap_or(0));
                    let why = event.why.as_deref().unwrap_or_default();
                    seen.wasted(attempt, why, tokens, dollars(event.cost_usd.as_deref()));
                }
                _ => {}
            }
        }
        seen.begins();
        Some(seen)
    }
}

impl SeenCall {
    fn of(attempt: &Attempt) -> Self {
        let tokens = |usage: Usage| {
            [usage.input, usage.cached_input, usage.output, usage.reasoning].map(|tokens| tokens.0.min(MOST_TOKENS))
        };
        Self {
            deployment: Arc::clone(&attempt.deployment),
            status: attempt.status,
            failed: attempt.class.is_some(),
            upstream: attempt.upstream_id.clone(),
            tokens: attempt.usage.map(tokens),
            cost: attempt.cost_usd,
            estimated: attempt.cost_estimated,
            wasted: Vec::new(),
            from_ms: attempt.started_at.millis(),
            to_ms: attempt.ended_at.millis(),
            first_content_ms: None,
            came_to: Call::of(attempt.status, attempt.class.map(FaultClass::name)),
        }
    }

    fn read(call: RecordCall) -> Self {
        let time = |text: Option<&str>| text.and_then(millis).unwrap_or(0);
        let tokens = |usage: RecordUsage| {
            [usage.input, usage.cached_input, usage.output, usage.reasoning].map(|tokens| tokens.min(MOST_TOKENS))
        };
        Self {
            deployment: call.deployment,
            status: call.status,
            failed: call.class.is_some(),
            upstream: call.upstream_id,
            tokens: call.usage.map(tokens),
            cost: dollars(call.cost_usd.as_deref()),
            estimated: call.cost_estimated,
            wasted: Vec::new(),
            from_ms: time(call.started_at.as_deref()),
            to_ms: time(call.ended_at.as_deref()),
            first_content_ms: None,
            came_to: Call::of(call.status, call.class.as_deref()),
        }
    }
}

fn dollars(text: Option<&str>) -> Option<NanoUsd> {
    text.and_then(|text| text.parse().ok())
}

/// The milliseconds since 1970 of a time as records have it.
fn millis(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let day = WallTime::day_of(number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    Some((day * 86_400 + seconds) * 1_000 + number(20..23)?)
}

type Text<'a> = std::borrow::Cow<'a, str>;

/// The members of a record that are read. Records of older versions lack some of them.
#[derive(Deserialize)]
struct Record<'a> {
    id: &'a str,
    #[serde(default)]
    run: Option<Arc<str>>,
    #[serde(default)]
    key: Option<Arc<str>>,
    #[serde(default)]
    tenant: Option<Arc<str>>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    route: Option<Arc<str>>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    trace: Option<RecordTrace>,
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    outcome: &'a str,
    #[serde(default)]
    status: Option<u16>,
    #[serde(borrow, default)]
    code: Option<Text<'a>>,
    #[serde(default)]
    refused_by: Option<Arc<str>>,
    #[serde(borrow, default)]
    ended_at: Option<Text<'a>>,
    #[serde(default)]
    first_content_ms: Option<u64>,
    #[serde(default)]
    queued_ms: u64,
    #[serde(borrow, default)]
    cost_usd: Option<Text<'a>>,
    #[serde(borrow, default)]
    attempts: Vec<RecordCall<'a>>,
    #[serde(borrow, default)]
    events: Vec<RecordEvent<'a>>,
}

#[derive(Deserialize)]
struct RecordTrace {
    id: Box<str>,
}

#[derive(Deserialize)]
struct RecordCall<'a> {
    deployment: Arc<str>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(borrow, default)]
    class: Option<Text<'a>>,
    #[serde(default)]
    upstream_id: Option<Box<str>>,
    #[serde(borrow, default)]
    started_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    ended_at: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<RecordUsage>,
    #[serde(borrow, default)]
    cost_usd: Option<Text<'a>>,
    #[serde(default)]
    cost_estimated: bool,
}

#[derive(Deserialize)]
struct RecordUsage {
    #[serde(default)]
    input: u64,
    #[serde(default)]
    cached_input: u64,
    #[serde(default)]
    output: u64,
    #[serde(default)]
    reasoning: u64,
}

#[derive(Deserialize)]
struct RecordEvent<'a> {
    #[serde(borrow)]
    fact: Text<'a>,
    #[serde(borrow, default)]
    why: Option<Text<'a>>,
    #[serde(borrow, default)]
    deployment: Option<Text<'a>>,
    #[serde(borrow, default)]
    candidates: Option<Vec<Text<'a>>>,
    #[serde(default)]
    after_ms: Option<u64>,
    #[serde(default)]
    input: Option<u64>,
    #[serde(default)]
    output: Option<u64>,
    #[serde(borrow, default)]
    cost_usd: Option<Text<'a>>,
}

/// Tags in the order in which they stand.
#[derive(Default)]
struct Tags(Vec<(Arc<str>, Arc<str>)>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Tags;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = Vec::new();
                while let Some(tag) = map.next_entry()? {
                    tags.push(tag);
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
