//! What alerts say: the subject, the evidence, what to do, and how it ended. All words of alerts are here.
//!
//! A subject has at most 80 characters, the evidence at most three lines, each figure with what it is of. Names are
//! strangers': they are cut, on one line, and no link.

mod ahead;
mod capacity;
mod spending;
mod text;
mod times;

use std::sync::Arc;
use std::time::Duration;

use weir_units::{NanoUsd, WallTime, numbers};

use super::alert::{Alert, Message};
use super::rule::AlertRule;
use super::samples::between;
use super::settings::AlertSettings;
use super::symptom::Evidence;
use crate::budgets::Zone;
use capacity::Fullness;
use spending::Purse;
use text::{CLOSING, fit_within, name};
use times::{day_or_time, moment, span};

pub(super) use text::plain;

/// A route, and the provider that serves it in place of another, if there is one.
type Instead = Option<(Arc<str>, Option<Arc<str>>)>;

/// How long a name in a line of evidence may be.
const LINE: usize = 80;

/// When a message is written, and for whom.
struct When<'a> {
    since: String,
    now: WallTime,
    zone: &'a Zone,
    lead_time: Duration,
}

impl When<'_> {
    fn anew(&self, resets_at: Option<WallTime>) -> Option<String> {
        resets_at.map(|at| format!("it begins anew {}", day_or_time(at, self.now, self.zone)))
    }
}

/// What is said of an alert that began at `since`.
pub(super) fn message(evidence: &Evidence, since: WallTime, now: WallTime, settings: &AlertSettings) -> Message {
    let zone = &settings.zone;
    let when = When { since: moment(since, now, zone), now, zone, lead_time: settings.owner.lead_time };
    match evidence {
        Evidence::Throttled { provider, counts, window, fullest } => {
            capacity::throttled(&when, provider, *counts, *window, fullest.as_ref())
        }
        &Evidence::Headroom { ref pool, dimension, limit, used, waiting, full_at, resets_at } => {
            capacity::headroom(&when, &Fullness { pool, dimension, limit, used, waiting, full_at, resets_at })
        }
        Evidence::BreakerOpen { deployment, counts, window, instead } => {
            capacity::breaker_open(&when, deployment, *counts, *window, instead)
        }
        Evidence::ProviderDown { provider, failed, for_long, instead } => {
            capacity::provider_down(&when, provider, *failed, *for_long, instead)
        }
        &Evidence::Budget { ref name, passed_ppm, spent, limit, used_up_at, resets_at } => {
            spending::warned(&when, &Purse { name, spent, limit, used_up_at, resets_at }, passed_ppm)
        }
        &Evidence::Burn { ref name, times, in_window, window, spent, limit, used_up_at, resets_at } => {
            spending::burn(&when, &Purse { name, spent, limit, used_up_at, resets_at }, times, in_window, window)
        }
        Evidence::CeilingAhead(seen) => ahead::ceiling(&when, seen),
        Evidence::BudgetAhead(seen) => ahead::budget(&when, seen),
        Evidence::RunHalted { tenant, run, why, cost } => spending::run_halted(&when, tenant, run, why, *cost),
        Evidence::CredentialRefused { provider, class, instead } => {
            capacity::credential_refused(&when, provider, *class, instead)
        }
        Evidence::LimitChanged { pool, dimension, old, new, how } => {
            capacity::limit_changed(pool, *dimension, *old, *new, how)
        }
        Evidence::LimitDrift(limit) => capacity::limit_drift(limit),
        Evidence::LedgerBehind { waiting, lost, failing_since, why } => {
            capacity::ledger_behind(&when, *waiting, *lost, failing_since.map(|at| between(at, now)), why.as_deref())
        }
        Evidence::DeliveryFailing { notifier, failing_since, waiting, why } => {
            capacity::delivery_failing(&when, notifier, *failing_since, *waiting, why)
        }
    }
}

/// The worst of it, as the end of a sentence that begins with "peak".
pub(super) fn peak(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Throttled { counts, .. } => format!("{} of attempts", percent(counts.throttled, counts.all)),
        Evidence::Headroom { limit, used, .. } => format!("{} of {}", percent(*used, *limit), numbers::short(*limit)),
        Evidence::BreakerOpen { counts, window, .. } => failed_of(counts.failed, counts.all, *window),
        Evidence::ProviderDown { failed, .. } => format!("0 of {} attempts answered", numbers::count(*failed)),
        Evidence::Budget { spent, limit, .. } => spent_of(*spent, *limit),
        Evidence::Burn { times, .. } => format!("{}.{} times its plan", times / 100, times % 100 / 10),
        Evidence::CeilingAhead(seen) => {
            format!("{} of {}", percent(seen.share_ppm, 1_000_000), numbers::short(seen.limit))
        }
        Evidence::BudgetAhead(seen) => format!("{} of {} expected", dollars(seen.expected), dollars(seen.limit)),
        Evidence::RunHalted { cost, .. } => cost.map_or_else(|| "cost unknown".to_owned(), dollars),
        Evidence::CredentialRefused { class, .. } => class.name().to_owned(),
        Evidence::LimitChanged { old, new, .. } => format!("{} to {}", numbers::short(*old), numbers::short(*new)),
        Evidence::LimitDrift(limit) => {
            format!("{} stated, {} declared", numbers::short(limit.stated), numbers::short(limit.declared))
        }
        Evidence::LedgerBehind { waiting, lost: 0, .. } => format!("{} waited", numbers::counted(*waiting, "row")),
        Evidence::LedgerBehind { lost, .. } => format!("{} lost", numbers::counted(*lost, "row")),
        Evidence::DeliveryFailing { waiting, .. } => format!("{} waited", numbers::counted(*waiting as u64, "message")),
    }
}

/// How an alert ended.
pub(super) fn closing(alert: &Alert, lasted: Duration) -> String {
    let lasted = span(lasted);
    fit_within(CLOSING, |most| {
        let about = name(&alert.about, most);
        let now = match alert.rule {
            AlertRule::ProviderDown => format!("{about} answers again"),
            AlertRule::CredentialRefused => format!("{about} takes its credential again"),
            AlertRule::BreakerOpen => format!("the breaker of {about} is closed"),
            AlertRule::LedgerBehind => "the ledger has caught up".to_owned(),
            AlertRule::Throttled => format!("{about} refuses few attempts again"),
            AlertRule::Headroom => format!("{about} has headroom again"),
            AlertRule::CeilingAhead => format!("{about} is not reached so soon any more"),
            AlertRule::BudgetAhead => format!("budget {about} lasts its period"),
            AlertRule::BurnRate => format!("{about} spends as planned again"),
            AlertRule::BudgetWarn => format!("budget {about} has room again"),
            AlertRule::RunHalted => format!("run {about} is refused no more"),
            AlertRule::LimitChanged => format!("{about} is back or settled"),
            AlertRule::DeliveryFailing => format!("{about} takes messages again"),
        };
        let peak = if most < 20 { plain(&alert.peak, 30) } else { alert.peak.clone() };
        format!("Resolved after {lasted}: {now}; peak {peak}")
    })
}

/// Who serves a route now.
fn serves(instead: &Instead, most: usize) -> Option<String> {
    instead.as_ref().map(|(route, provider)| match provider {
        Some(provider) => format!("{} serves route {}", name(provider, most), name(route, most)),
        None => format!("nothing else serves route {}", name(route, most)),
    })
}

fn failed_of(failed: u64, all: u64, window: Duration) -> String {
    format!("{} of {} attempts failed in {}", numbers::count(failed), numbers::count(all), span(window))
}

fn spent_of(spent: NanoUsd, limit: NanoUsd) -> String {
    format!("{} of {} spent", dollars(spent), dollars(limit))
}

fn waiting_for_it(messages: usize) -> Option<String> {
    (messages > 0).then(|| format!("{} waiting for it", numbers::counted(messages as u64, "message")))
}

fn percent(part: u64, of: u64) -> String {
    spaced(&numbers::share(part, of)).replace(".0 %", " %")
}

fn dollars(amount: NanoUsd) -> String {
    spaced(&numbers::dollars(amount))
}

/// Plain spaces, since a message goes where narrow ones may not be known.
fn spaced(text: &str) -> String {
    text.replace('\u{202f}', " ")
}
