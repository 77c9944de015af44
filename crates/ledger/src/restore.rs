//! Records that a ledger wrote, back into one: the record stays as it is, byte for byte.

use std::sync::Arc;

use weir_units::WallTime;

use crate::entry::Outcome;
use crate::row::{MOST_TOKENS, RequestRow, Spent};
use crate::seen::Seen;

impl RequestRow {
    /// The row of a record of an ended request; none if it is damaged, or of a request that ran when it was written.
    pub(crate) fn of_record(record: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(record).ok()?;
        let started_at: WallTime = value["started_at"].as_str()?.parse().ok()?;
        let seen = Seen::read(started_at.0, record).filter(|seen| seen.outcome != Outcome::Open)?;
        Some(Self {
            id: seen.id,
            started_at: started_at.0,
            outcome: seen.outcome.name().into(),
            status: seen.status,
            tenant: seen.tenant.clone(),
            key: seen.key.clone(),
            route: seen.route.clone(),
            cost_nano: seen.cost.map(|cost| cost.0),
            run: seen.run.clone(),
            spent: Spent::of_seen(&seen),
            record: Arc::from(record),
            seen: Some(Box::new(seen)),
        })
    }
}

impl Spent {
    /// What is summed of a request that was read.
    fn of_seen(seen: &Seen) -> Self {
        let mut spent = Self::default();
        if let Some((first, rest)) = seen.calls.split_first()
            && rest.iter().all(|call| call.deployment == first.deployment)
        {
            spent.deployment = Some(Arc::clone(&first.deployment));
        }
        for call in &seen.calls {
            spent.attempts += 1;
            if call.estimated {
                spent.estimated_nano = spent.estimated_nano.saturating_add(call.cost.unwrap_or_default().0);
            }
            match call.tokens {
                Some(tokens) => {
                    let [input, cached, output, reasoning] = tokens.map(|tokens| tokens.min(MOST_TOKENS).cast_signed());
                    spent.input += input;
                    spent.cached_input += cached;
                    spent.output += output;
                    spent.reasoning += reasoning;
                }
                None => spent.unreported += u32::from(call.cost.is_none_or(|cost| cost.0 != 0)),
            }
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use weir_units::{NanoUsd, RequestId, Tokens, Usage};

    use super::*;
    use crate::stored;
    use crate::{Attempt, Entry, Intent};

    #[test]
    fn the_row_of_a_record_is_the_row_of_its_entry() {
        let at = WallTime(1_795_010_400_114_000);
        let intent = Intent {
            id: RequestId::new(at.millis(), 7),
            run: Some("r".into()),
            key: Some("bot".into()),
            tenant: Some("shop".into()),
            tags: vec![("team".into(), "ads".into())],
            route: "smart".into(),
            model: "smart".into(),
            dialect: "openai",
            endpoint: "chat",
            stream: true,
            trace: None,
            sdk_retry: Some(1),
            started_at: at,
        };
        let attempt = |deployment: &str, cost, usage| Attempt {
            deployment: deployment.into(),
            status: Some(200),
            class: None,
            message: None,
            upstream_id: Some("up".into()),
            started_at: at,
            ended_at: WallTime(at.0 + 1_500_000),
            usage,
            cost_usd: cost,
            cost_estimated: cost.is_some(),
        };
        let used = Usage { input: Tokens(100), cached_input: Tokens(40), output: Tokens(9), ..Usage::default() };
        let mut entry = Entry::of(intent, Outcome::Answered);
        entry.status = Some(200);
        entry.ended_at = Some(WallTime(at.0 + 1_600_000));
        entry.attempts = vec![attempt("a/m", Some(NanoUsd(1_500)), Some(used)), attempt("b/m", None, None)];
        entry.sum_costs();
        let row = RequestRow::settled(entry.clone());
        let whole = stored::whole(row.record.to_string());
        assert_eq!(whole, *entry.to_json());
        let back = |record: &str| RequestRow { record: row.record.clone(), ..RequestRow::of_record(record).unwrap() };
        assert_eq!(format!("{:?}", back(&whole)), format!("{row:?}"));
        assert_eq!(format!("{:?}", back(&row.record)), format!("{row:?}"));
        assert!(RequestRow::of_record("{}").is_none() && RequestRow::of_record("no").is_none());
    }
}
