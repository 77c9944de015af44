//! Which call is a further try of which: as logs mark it, or as calls follow each other.
//!
//! A call that comes within a minute after one that failed, of the same user, session or key and for the same, is its retry; each
//! failure has one. Records may come in any order of time, as exports have the newest first.

use std::collections::HashMap;

use twox_hash::XxHash3_64;
use weir_units::NanoUsd;

use crate::call::{Call, Format, Text};

/// How long after a failure a call counts as its retry, in micros.
const RETRIED_WITHIN: i64 = 60_000_000;
/// How long after an answer the same question is a duplicate, in micros.
const ASKED_AGAIN_WITHIN: i64 = 600_000_000;
/// What is remembered of in each of two generations.
const MOST: usize = 65_536;

/// A map that forgets what was not touched for long.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    now: HashMap<u64, V>,
    before: HashMap<u64, V>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { now: HashMap::new(), before: HashMap::new() }
    }
}

impl<V: Default> Recent<V> {
    /// The value of a key, as it was or anew.
    pub(crate) fn entry(&mut self, key: u64) -> &mut V {
        if self.now.len() >= MOST && !self.now.contains_key(&key) {
            self.before = std::mem::take(&mut self.now);
        }
        let before = &mut self.before;
        self.now.entry(key).or_insert_with(|| before.remove(&key).unwrap_or_default())
    }
}

/// What a call is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nothing that is known of.
    First,
    /// Nobody knows whose it is, so that it cannot be told.
    Untold,
    /// The retry of a call that failed; or it failed, and what was read before, with these tokens and this cost, is its retry.
    Retry(Option<(u64, NanoUsd)>),
    /// The same had been answered, and is asked again, by an SDK or by whoever.
    AnsweredBefore { by_sdk: bool },
}

/// The last call of somebody for something.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    at: i64,
    known: bool,
    failed: bool,
    content: Option<u64>,
    input: Option<u64>,
    tokens: u64,
    cost: NanoUsd,
}

/// What counts of a call for telling whether it is a further try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Its log says that it is one.
    marked: bool,
    /// Its log marks all that there are.
    all_marked: bool,
    access_log: bool,
    timed: bool,
    this: Last,
    /// Who asked for what, by session, user and key.
    who: [Option<u64>; 3],
    /// Who asked what, where it was answered.
    question: Option<u64>,
}

impl Asked {
    /// What counts of a call.
    pub(crate) fn of(call: &Call<'_>, cost: Option<NanoUsd>) -> Self {
        let tokens = call.usage.as_ref().map(|usage| usage.input.0.saturating_add(usage.output.0));
        let this = Last {
            at: call.at.map_or(0, |at| at.0),
            known: true,
            failed: call.failed,
            content: call.content,
            input: call.usage.as_ref().map(|usage| usage.input.0).filter(|input| *input > 0),
            tokens: tokens.unwrap_or(0),
            cost: cost.unwrap_or_default(),
        };
        let what = call.route.as_deref().or(call.model.as_deref()).unwrap_or_default();
        let of = |who: &Option<Text<'_>>, kind: &str| who.as_deref().map(|who| hash(&[who, what, kind]));
        let asker = call.key.as_deref().or(call.user.as_deref()).or(call.run.as_deref());
        let question = asker.zip(call.content).filter(|_| call.at.is_some() && !call.failed && !call.from_cache);
        Self {
            marked: call.retry.is_some_and(|count| count > 0),
            all_marked: matches!(call.format, Format::SdkPython | Format::SdkNode),
            access_log: call.format.is_access_log(),
            timed: call.at.is_some(),
            this,
            who: [of(&call.run, "run"), of(&call.user, "user"), of(&call.key, "key")],
            question: question
                .map(|(who, content)| hash(&[who, call.model.as_deref().unwrap_or_default(), &content.to_string()])),
        }
    }
}

/// The calls of the last while.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    last: Recent<Last>,
    answered: Recent<Option<i64>>,
}

impl Retries {
    /// Says what a call is to those before it.
    pub(crate) fn see(&mut self, asked: &Asked) -> Again {
        if self.is_repeated(asked) {
            return Again::AnsweredBefore { by_sdk: asked.marked };
        }
        if asked.marked {
            return Again::Retry(None);
        }
        if asked.all_marked {
            return Again::First;
        }
        if !asked.timed || asked.access_log {
            return Again::Untold;
        }
        let mut again = Again::Untold;
        // A session may be one for each request, so that only the user, or the key, is the same.
        for (place, who) in asked.who.into_iter().enumerate() {
            let Some(who) = who else { continue };
            let last = self.last.entry(who);
            let before = std::mem::replace(last, asked.this);
            let found = follows(&before, &asked.this, place == 2);
            again = if matches!(again, Again::Retry(_)) { again } else { found };
        }
        again
    }

    /// Whether the same was asked, and answered, a short while before.
    fn is_repeated(&mut self, asked: &Asked) -> bool {
        let Some(question) = asked.question else { return false };
        let answered = self.answered.entry(question);
        let again = answered.is_some_and(|before| (asked.this.at - before).abs() <= ASKED_AGAIN_WITHIN);
        *answered = Some(asked.this.at);
        again
    }
}

/// What a call is to the one that was read before it.
fn follows(before: &Last, this: &Last, strictly: bool) -> Again {
    if !before.known || (before.at - this.at).abs() > RETRIED_WITHIN || !alike(before, this, strictly) {
        return Again::First;
    }
    match before.at <= this.at {
        true if before.failed => Again::Retry(None),
        false if this.failed => Again::Retry(Some((before.tokens, before.cost))),
        _ => Again::First,
    }
}

/// Whether two calls asked for the same, as far as can be told.
fn alike(a: &Last, b: &Last, strictly: bool) -> bool {
    let same = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a == b);
    match (same(a.content, b.content), same(a.input, b.input)) {
        (Some(content), _) => content,
        (None, Some(input)) => input,
        // A key may be that of a whole program.
        (None, None) => !strictly,
    }
}

/// A hash of texts.
pub(crate) fn hash(texts: &[&str]) -> u64 {
    let mut hasher = XxHash3_64::new();
    for text in texts {
        std::hash::Hasher::write(&mut hasher, text.as_bytes());
        std::hash::Hasher::write(&mut hasher, &[0]);
    }
    std::hash::Hasher::finish(&hasher)
}
