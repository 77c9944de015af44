//! What alerts of budgets and runs say.

use std::time::Duration;

use weir_units::{NanoUsd, WallTime};

use super::text::{fit, name};
use super::times::{day_or_time, span};
use super::{LINE, When, dollars, percent, spent_of};
use crate::alerts::alert::Message;

/// A budget's figures.
pub(super) struct Purse<'a> {
    pub(super) name: &'a str,
    pub(super) spent: NanoUsd,
    pub(super) limit: NanoUsd,
    pub(super) used_up_at: Option<WallTime>,
    pub(super) resets_at: Option<WallTime>,
}

pub(super) fn warned(when: &When<'_>, purse: &Purse<'_>, passed_ppm: u32) -> Message {
    let of = dollars(purse.limit);
    let subject = if passed_ppm >= 1_000_000 {
        fit(|most| format!("Budget {}: all of {of} is spent; its requests are refused", name(purse.name, most)))
    } else {
        let gone =
            purse.used_up_at.map(|at| format!("; used up {} at this rate", day_or_time(at, when.now, when.zone)));
        let (gone, share) = (gone.unwrap_or_default(), percent(u64::from(passed_ppm), 1_000_000));
        fit(|most| format!("Budget {}: {share} of {of} spent{gone}", name(purse.name, most)))
    };
    let evidence = std::iter::once(spent_of(purse.spent, purse.limit)).chain(when.anew(purse.resets_at)).collect();
    let action =
        "see what spends it with `weir spend --by key,model`; raise the budget, or slow what spends".to_owned();
    Message { subject, evidence, action, decide_by: None }
}

pub(super) fn burn(when: &When<'_>, purse: &Purse<'_>, times: u64, in_window: NanoUsd, window: Duration) -> Message {
    let times = format!("{}.{}", times / 100, times % 100 / 10);
    let gone = purse
        .used_up_at
        .map(|at| format!("; {} is gone {}", dollars(purse.limit), day_or_time(at, when.now, when.zone)));
    let gone = gone.unwrap_or_default();
    let recent = format!("{} spent in the last {}", dollars(in_window), span(window));
    Message {
        subject: fit(|most| format!("Burn: {} spends {times} times its plan{gone}", name(purse.name, most))),
        evidence: [recent, spent_of(purse.spent, purse.limit)].into_iter().chain(when.anew(purse.resets_at)).collect(),
        action: "see what spends it with `weir spend --since 1h --by key,run`; halt the run, or raise the budget"
            .to_owned(),
        decide_by: None,
    }
}

pub(super) fn run_halted(when: &When<'_>, tenant: &str, run: &str, why: &str, cost: Option<NanoUsd>) -> Message {
    let cost = cost.map(|cost| format!(" ({})", dollars(cost))).unwrap_or_default();
    let subject =
        fit(|most| format!("Run halted: {} of {}{cost}: {}", name(run, most), name(tenant, most), name(why, most)));
    // A command that somebody may paste holds nothing that a shell would obey.
    let tame = run.len() <= LINE && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-~:".contains(&byte));
    let action = match tame {
        true => format!("read `weir runs show {run}`; if it may go on: `weir runs release {run}`"),
        false => "find it in `weir runs --state halted`; quote its name with care".to_owned(),
    };
    let since = format!("its requests are refused since {}; nothing else is", when.since);
    Message { subject, evidence: vec![name(why, 200), since], action, decide_by: None }
}
