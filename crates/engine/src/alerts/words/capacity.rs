//! What alerts of providers and their limits say.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, Dimension, FaultClass, WallTime, numbers};

use super::text::{fit, name};
use super::times::{date, day_or_time, span};
use super::{Instead, LINE, When, failed_of, percent, serves, waiting_for_it};
use crate::alerts::alert::Message;
use crate::alerts::observed::{AttemptCounts, LimitDeclared};

pub(super) fn throttled(
    when: &When<'_>,
    provider: &str,
    counts: AttemptCounts,
    window: Duration,
    fullest: Option<&(Dimension, Arc<str>)>,
) -> Message {
    let (refused, since) = (percent(counts.throttled, counts.all), &when.since);
    let subject = fit(|most| {
        let limit = fullest.map(|(limit, pool)| format!(" ({} {})", name(pool, most), limit.words()));
        let limit = limit.unwrap_or_default();
        format!("429s: {} refuses {refused} of attempts{limit} since {since}", name(provider, most))
    });
    let (part, all) = (numbers::count(counts.throttled), numbers::count(counts.all));
    let count = format!("{part} of {all} attempts were answered with 429 in the last {}", span(window));
    let fullest = fullest
        .map(|(limit, pool)| format!("the fullest limit that is known is {} of {}", limit.words(), name(pool, LINE)));
    Message {
        subject,
        evidence: [Some(count), fullest].into_iter().flatten().collect(),
        action: "see `weir headroom`; declare the limit that refuses, add a deployment to the route, or ask for more"
            .to_owned(),
        decide_by: None,
    }
}

/// How full a limit is.
pub(super) struct Fullness<'a> {
    pub(super) pool: &'a str,
    pub(super) dimension: Dimension,
    pub(super) limit: u64,
    pub(super) used: u64,
    pub(super) waiting: usize,
    pub(super) full_at: Option<WallTime>,
    pub(super) resets_at: Option<WallTime>,
}

pub(super) fn headroom(when: &When<'_>, seen: &Fullness<'_>) -> Message {
    let Fullness { pool, limit, used, .. } = *seen;
    let (share, of, what) = (percent(used, limit), numbers::short(limit), seen.dimension.words());
    let full = seen.full_at.map(|at| format!("; full {}", day_or_time(at, when.now, when.zone))).unwrap_or_default();
    let use_of = format!("{} of {} {what} are used", numbers::count(used), numbers::count(limit));
    let waits =
        (seen.waiting > 0).then(|| format!("{} waiting for it", numbers::counted(seen.waiting as u64, "request")));
    let decide_by = seen.full_at.map(|at| {
        let lead_time = i64::try_from(when.lead_time.as_micros()).unwrap_or(i64::MAX);
        let by = WallTime(at.0.saturating_sub(lead_time));
        if by <= when.now { "now".to_owned() } else { date(by, when.zone) }
    });
    Message {
        subject: fit(|most| format!("Headroom: {} {what} at {share} of {of}{full}", name(pool, most))),
        evidence: [Some(use_of), waits, when.anew(seen.resets_at)].into_iter().flatten().collect(),
        action: "move batch work to other hours, add a deployment to the route, or ask for a higher limit".to_owned(),
        decide_by,
    }
}

pub(super) fn breaker_open(
    when: &When<'_>,
    deployment: &DeploymentId,
    counts: AttemptCounts,
    window: Duration,
    instead: &Instead,
) -> Message {
    let text = deployment.to_string();
    let since = &when.since;
    let subject = fit(|most| {
        let serves = serves(instead, most).map_or_else(String::new, |words| format!("; {words}"));
        format!("Breaker open: {} since {since}{serves}", name(&text, most))
    });
    let count = failed_of(counts.failed, counts.all, window);
    let provider = name(&deployment.provider, LINE);
    Message {
        subject,
        evidence: [Some(count), serves(instead, LINE)].into_iter().flatten().collect(),
        action: format!("look at the status page of {provider}; if this model alone fails, take it off the route"),
        decide_by: None,
    }
}

pub(super) fn provider_down(
    when: &When<'_>,
    provider: &str,
    failed: u64,
    for_long: Duration,
    instead: &Instead,
) -> Message {
    let (failed, for_long) = (numbers::count(failed), span(for_long));
    let subject =
        fit(|most| format!("Provider down: {} answered 0 of {failed} attempts in {for_long}", name(provider, most)));
    let count = format!("none of {failed} attempts in {for_long} was answered (alert since {})", when.since);
    let action = format!(
        "look at the status page of {}; see that what serves instead has headroom for all of it (`weir headroom`)",
        name(provider, LINE)
    );
    let evidence = [Some(count), serves(instead, LINE)].into_iter().flatten().collect();
    Message { subject, evidence, action, decide_by: None }
}

pub(super) fn credential_refused(when: &When<'_>, provider: &str, class: FaultClass, instead: &Instead) -> Message {
    let says = match class {
        FaultClass::Unauthorized => "answers 401",
        FaultClass::Billing => "says that no money or quota is left",
        _ => "refuses its credential",
    };
    let since = &when.since;
    let subject = fit(|most| format!("Credential refused: {} {says} since {since}", name(provider, most)));
    let provider = name(provider, LINE);
    let action = match class {
        FaultClass::Billing => format!("look at the billing page of {provider}; it is tried again by itself"),
        _ => format!("put a working key where `[providers.{provider}] api-key` points, and reload"),
    };
    let line = format!("its deployments are asked last, and one call in a while tries it again ({class})");
    let evidence = [Some(line), serves(instead, LINE)].into_iter().flatten().collect();
    Message { subject, evidence, action, decide_by: None }
}

pub(super) fn limit_changed(pool: &str, dimension: Dimension, old: u64, new: u64, how: &str) -> Message {
    let subject = fit(|most| {
        let (old, new) = (numbers::short(old), numbers::short(new));
        format!("Limit changed: {} {} {old} to {new}: {how}", name(pool, most), dimension.words())
    });
    let line = format!("{} before, {} now", numbers::count(old), numbers::count(new));
    let action = "ask the provider whether it is meant; declare the new limit in weir.toml if it stays".to_owned();
    Message { subject, evidence: vec![line, name(how, LINE)], action, decide_by: None }
}

pub(super) fn limit_drift(limit: &LimitDeclared) -> Message {
    let LimitDeclared { pool, by, dimension, declared, stated } = limit;
    let subject = fit(|most| {
        let (declared, stated) = (numbers::short(*declared), numbers::short(*stated));
        let (pool, by) = (name(pool, most), name(by, most));
        format!("Limit drift: {pool} {}: declared {declared}, {by}'s headers say {stated}", dimension.words())
    });
    let line = format!(
        "weir.toml declares {}, {} states {}; Weir keeps to the lower one",
        numbers::count(*declared),
        name(by, 30),
        numbers::count(*stated)
    );
    let stated = numbers::count(*stated);
    let action = match limit.stated < limit.declared {
        true => format!("ask {} whether {stated} is meant; if it is, declare {stated} in weir.toml", name(by, 30)),
        false => format!("declare {stated} in weir.toml to use all of it, or silence this if less is meant"),
    };
    Message { subject, evidence: vec![line], action, decide_by: None }
}

pub(super) fn ledger_behind(
    when: &When<'_>,
    waiting: u64,
    lost: u64,
    for_long: Option<Duration>,
    why: Option<&str>,
) -> Message {
    let for_long = for_long.map(|span| format!(" ({})", self::span(span))).unwrap_or_default();
    let subject = match lost {
        0 => format!("Ledger behind: {} facts{for_long} wait to be written; serving goes on", numbers::short(waiting)),
        lost => format!("Ledger loses records: {} are nowhere; serving goes on", numbers::count(lost)),
    };
    let count = format!("{} in memory and in the spill, since {}", numbers::counted(waiting, "row"), when.since);
    let action = "make room on the disk of the ledger; what waits is written by itself then".to_owned();
    let evidence = [Some(count), why.map(|why| name(why, 200))].into_iter().flatten().collect();
    Message { subject, evidence, action, decide_by: None }
}

pub(super) fn delivery_failing(when: &When<'_>, notifier: &str, since: WallTime, waiting: usize, why: &str) -> Message {
    let since = super::times::moment(since, when.now, when.zone);
    let subject = fit(|most| format!("Notifier down: {} takes no message since {since}", name(notifier, most)));
    let notifier = name(notifier, LINE);
    let action = format!("try it with `weir alerts test {notifier}`; see `[notifiers.{notifier}]` in weir.toml");
    let evidence = [Some(name(why, 200)), waiting_for_it(waiting)].into_iter().flatten().collect();
    Message { subject, evidence, action, decide_by: None }
}
