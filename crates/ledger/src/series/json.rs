//! A series as JSON, for the admin API.

use serde_json::{Map, Value, json};
use weir_units::WallTime;

use super::{Calls, Histogram, Requests, Series, SeriesRow, Tally, WASTE};

impl Series {
    /// The series as JSON: `edges`, and each row with the counts of its buckets and of all of them together.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut rest = row(&self.rest.1);
        rest["names"] = self.rest.0.into();
        json!({
            "edges": self.edges.iter().map(WallTime::to_string).collect::<Vec<_>>(),
            "all": row(&self.all),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "rest": if self.rest.0 > 0 { rest } else { Value::Null },
        })
    }
}

fn row(row: &SeriesRow) -> Value {
    let buckets: Vec<Value> = row.buckets.iter().map(Tally::to_json).collect();
    json!({ "name": row.name, "total": row.total.to_json(), "buckets": buckets })
}

impl Tally {
    /// The counts as JSON. What was never wasted is left out; times that nobody measured are null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members: Map<String, Value> = counts(Requests::NAMES, &self.requests.values());
        members.insert("calls".to_owned(), Value::Object(counts(Calls::NAMES, &self.calls.values())));
        members.insert("cost_usd".to_owned(), self.cost.to_string().into());
        members.insert("estimated_usd".to_owned(), self.estimated.to_string().into());
        let wasted = WASTE.iter().zip(&self.wasted).filter(|(_, wasted)| wasted.times > 0).map(|(why, wasted)| {
            let value = json!({
                "times": wasted.times, "tokens": wasted.tokens,
                "cost_usd": wasted.cost.to_string(), "cost_unknown": wasted.unpriced,
            });
            ((*why).to_owned(), value)
        });
        members.insert("wasted".to_owned(), Value::Object(wasted.collect()));
        for (name, times) in [
            ("duration_ms", &self.duration),
            ("first_content_ms", &self.first_content),
            ("queue_wait_ms", &self.queue_wait),
        ] {
            members.insert(name.to_owned(), percentiles(times));
        }
        Value::Object(members)
    }
}

fn counts(names: &[&str], values: &[u64]) -> Map<String, Value> {
    names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

fn percentiles(times: &Histogram) -> Value {
    let at = |share| times.quantile(share);
    match times.count() {
        0 => Value::Null,
        count => json!({ "count": count, "p50": at(0.5), "p95": at(0.95), "p99": at(0.99) }),
    }
}
