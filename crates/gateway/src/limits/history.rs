//! `/admin/v1/limits/history`: what changed of limits, when and how that was learned, and what is declared and stated now.

use http::{Response, StatusCode, request};
use serde_json::{Value, json as value};
use weir_ledger::{FactQuery, StoreError, asked_time};
use weir_units::WallTime;

use super::{Changed, DECLARED, STATED, UNDECLARED, compared};
use crate::admit::shown;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::models::percent_decoded;
use crate::reply::{Cause, Refusal, json};
use crate::state::Shared;

/// Changes, unless asked for fewer or more.
const ROWS: usize = 100;
const MOST_ROWS: usize = 1_000;
/// Facts that are read at once, and how often for one answer.
const PAGE: u32 = 2_000;
const PAGES: usize = 10;

/// How a change of a limit was learned, in one word: it was `declared`, `stated` by the provider, or `inferred` from refusals.
pub(crate) fn how(words: &str) -> &'static str {
    match words {
        DECLARED | UNDECLARED => "declared",
        STATED => "stated",
        _ => "inferred",
    }
}

/// Which changes are asked for.
#[derive(Debug, Default)]
struct Asked {
    pool: Option<String>,
    dimension: Option<String>,
    how: Option<String>,
    since: Option<WallTime>,
    until: Option<WallTime>,
    before: Option<i64>,
    limit: usize,
}

/// Answers the path.
pub(crate) async fn serve(shared: &Shared, parts: &request::Parts) -> Result<Response<ReplyBody>, Refusal> {
    let asked = asked(parts.uri.query().unwrap_or_default(), wall())?;
    let changes = changes(shared, &asked).await.map_err(unreadable)?;
    let answer = value!({ "changes": changes, "now": now(shared) });
    Ok(json(StatusCode::OK, format!("{answer}\n")))
}

fn unreadable(error: StoreError) -> Refusal {
    tracing::error!(%error, "the history of limits cannot be read");
    Refusal::weir(Cause::UpstreamTimeout, "the ledger cannot be read now: see the log of the gateway")
}

async fn changes(shared: &Shared, asked: &Asked) -> Result<Vec<Value>, StoreError> {
    let (kinds, limit) = (vec!["LimitChanged".to_owned()], PAGE);
    let mut query = FactQuery { kinds, since: asked.since, until: asked.until, before: asked.before, limit };
    let mut changes = Vec::new();
    for _ in 0..PAGES {
        let facts = shared.ledger.facts_of(&query).await?;
        let whole = facts.len() as u64 == u64::from(PAGE);
        query.before = facts.last().map(|fact| fact.id);
        for fact in facts {
            let Ok(change) = serde_json::from_str::<Changed>(&fact.json) else { continue };
            if asked.means(&change) {
                changes.push(told(fact.id, &change));
            }
            if changes.len() == asked.limit {
                return Ok(changes);
            }
        }
        if !whole {
            break;
        }
    }
    Ok(changes)
}

impl Asked {
    fn means(&self, change: &Changed) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.pool, &change.pool) && is(&self.dimension, &change.limit) && is(&self.how, how(&change.how))
    }
}

fn told(id: i64, change: &Changed) -> Value {
    value!({
        "id": id.to_string(),
        "at": change.at,
        "pool": change.pool,
        "dimension": change.limit,
        "how": how(&change.how),
        "why": change.how,
        "old": change.old,
        "new": (change.how != UNDECLARED).then_some(change.new),
    })
}

/// What is declared and stated now, of limits of which both are known.
fn now(shared: &Shared) -> Vec<Value> {
    let one = |both: weir_engine::alerts::LimitDeclared| {
        value!({
            "pool": &*both.pool,
            "dimension": both.dimension.name(),
            "declared": both.declared,
            "stated": both.stated,
            "stated_by": &*both.by,
            "drifts": both.declared != both.stated,
        })
    };
    compared(shared, &shared.live.load()).into_iter().map(one).collect()
}

/// Reads what is asked for; times are what [`asked_time`] reads.
fn asked(text: &str, now: WallTime) -> Result<Asked, Refusal> {
    let mut asked = Asked { limit: ROWS, ..Asked::default() };
    for (name, text) in text.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        let text = percent_decoded(text);
        let wrong = |expected: &str| {
            let message = format!("`{}` is not what `{}` takes: {expected}", shown(&text), shown(name));
            Refusal::weir(Cause::Malformed, message).param(name)
        };
        match name {
            "pool" => asked.pool = Some(text),
            "dimension" => asked.dimension = Some(text),
            "how" if !["declared", "stated", "inferred"].contains(&text.as_str()) => {
                return Err(wrong("declared, stated or inferred"));
            }
            "how" => asked.how = Some(text),
            "since" => asked.since = Some(asked_time(&text, now).map_err(wrong)?),
            "until" => asked.until = Some(asked_time(&text, now).map_err(wrong)?),
            "before" => asked.before = Some(text.parse().map_err(|_| wrong("the id of a change"))?),
            "limit" => {
                let limit: usize = text.parse().map_err(|_| wrong("a number of changes"))?;
                asked.limit = limit.clamp(1, MOST_ROWS);
            }
            other => {
                let known = "pool, dimension, how, since, until, before and limit";
                let message = format!("`{}` is no filter here: {known} are", shown(other));
                return Err(Refusal::weir(Cause::Malformed, message));
            }
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_what_it_asks_for_and_a_wrong_one_says_what_would_be_right() {
        let now = WallTime(1_795_012_260_000_000);
        let right = asked("pool=gpt-5&how=stated&since=7d&limit=5000", now).unwrap();
        assert_eq!((right.pool.as_deref(), right.how.as_deref(), right.limit), (Some("gpt-5"), Some("stated"), 1_000));
        assert_eq!(right.since, Some(WallTime(now.0 - 7 * 86_400_000_000)));
        for (text, why) in
            [("how=guessed", "declared, stated or inferred"), ("colour=red", "pool, dimension"), ("before=x", "the id")]
        {
            let refusal = asked(text, now).unwrap_err();
            assert!(refusal.message.contains(why), "{}", refusal.message);
        }
    }
}
