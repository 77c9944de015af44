//! What is counted and looked for of a request, out of its entry or of its record.

use std::sync::Arc;

use serde::Deserialize;
use weir_units::{NanoUsd, RequestId, Usage, WallTime};

use crate::entry::{Attempt, Entry, Outcome};
use crate::fact::Fact;
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
        };
        let mut attempt = 0;
        for event in &entry.events {
            match &event.fact {
                Fact::AttemptStarted { .. } => attempt += 1,
                Fact::Wasted { why, input, output, cost_usd, .. } => {
                    seen.wasted(attempt, why, input.saturating_add(*output), *cost_usd);
                }
                _ => {}
            }
        }
        seen
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
        };
        let mut attempt = 0;
        for event in &read.events {
            match &*event.fact {
                "AttemptStarted" => attempt += 1,
                "Wasted" => {
                    let tokens = event.input.unwrap_or(0).saturating_add(event.output.unwrap_or(0));
                    let why = event.why.as_deref().unwrap_or_default();
                    seen.wasted(attempt, why, tokens, dollars(event.cost_usd.as_deref()));
                }
                _ => {}
            }
        }
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
        }
    }

    fn read(call: RecordCall) -> Self {
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
