//! The same frame for programs and for no terminal: one record a line, nothing cut, unknown as `-`.

use super::snapshot::{Deployment, Pool, Snapshot};
use crate::terminal::numbers;

/// All records of a snapshot.
pub(crate) fn lines(snapshot: &Snapshot, server: &str) -> Vec<String> {
    let share = |part: u64, of: u64| if of == 0 { "-".to_owned() } else { format!("{:.4}", part as f64 / of as f64) };
    let mut lines = vec![format!(
        "weir {} server={} at={} up={}s requests/s={:.1} answered={} throttled={} first-token-p95={} usd-last-minute={} cost-unknown={}",
        word(&snapshot.version),
        word(server),
        word(&snapshot.at),
        snapshot.uptime_s,
        snapshot.requests_per_second,
        share(snapshot.answered, snapshot.requests),
        share(snapshot.throttled, snapshot.attempts),
        time(snapshot.first_token_ms.p95),
        snapshot.last_minute.known().map_or_else(|| "-".to_owned(), |cost| cost.to_string()),
        snapshot.last_minute.cost_unknown,
    )];
    lines.extend(pools(&snapshot.pools, &snapshot.at));
    let breaker = |one: &Deployment| {
        format!(
            "breaker {} {} requests/s={:.1} errors={} throttled={} first-token-p95={} benched={}",
            word(&one.deployment),
            word(&one.breaker),
            one.attempts_per_second,
            share(one.failed, one.attempts),
            share(one.throttled, one.attempts),
            time(one.first_token_p95_ms),
            one.benched.as_deref().map_or_else(|| "no".to_owned(), word),
        )
    };
    lines.extend(snapshot.deployments.iter().map(breaker));
    lines.extend(
        snapshot.facts.iter().map(|fact| format!("fact {} {} {}", word(&fact.at), word(&fact.fact), fact.words)),
    );
    lines
}

/// A line for each limit, and one for each pool that has none or was refused lately.
pub(crate) fn pools(pools: &[Pool], at: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for pool in pools {
        let name = word(&pool.pool);
        let queue = format!("waiting={} oldest={:.1}s", pool.waiting(), pool.queue.oldest_wait_s);
        for limit in &pool.limits {
            lines.push(format!(
                "limit {name} {} use={:.2} peak={:.2} {queue} reset={} kind={} limit={}",
                limit.words().replace(' ', "-"),
                limit.use_share(),
                limit.peak_share(),
                limit.reset_s.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.0}s")),
                word(&pool.kind),
                limit.limit,
            ));
        }
        let gate = pool.gated_for_s(at);
        if pool.limits.is_empty() || pool.factor < 1.0 || gate.is_some() {
            let gate = gate.map_or_else(|| "open".to_owned(), |left| format!("{left:.1}s"));
            lines.push(format!("pool {name} kind={} factor={:.2} gate={gate} {queue}", word(&pool.kind), pool.factor));
        }
    }
    lines
}

fn time(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| numbers::millis(ms).replace(['\u{202f}', ' '], ""))
}

/// A name as one word, so that fields stay fields.
pub(crate) fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect()
}
