//! Questions 1, 4 and 5: what traffic says of 429s, of retries, and of the fullest hour.

use weir_engine::Zone;
use weir_units::NanoUsd;
use weir_units::numbers::{about_dollars, count, dollars};

use super::grade::{Answer, FEWEST_REQUESTS, Grade};
use super::words::{list, minute, percent};
use super::{Evidence, Gap};

/// More of the errors than this were 429s: capacity is what fails, and not something else. Industry telemetry of February and March 2026 had
/// 60 % and 30 % (Datadog, State of AI Engineering).
pub const MOST_429: f64 = 0.10;
/// Fewer of the requests than this is nobody's problem, whatever share of the few errors it is: 99.99 % are answered.
pub const FEW_429: f64 = 0.0001;
/// More of the token spend than this goes into retries. A client's retry budget is a tenth of its requests (Google, Site Reliability
/// Engineering, chapter 21), and Weir's own is, too.
pub const MOST_RETRIES: f64 = 0.10;
/// From this share of a ceiling on its peak hour leaves no room for growth, nor for what another provider's outage sends over.
pub const FULL: f64 = 0.80;

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

pub(super) fn too_few(requests: u64, days: u64) -> Gap {
    let why = match requests {
        0 => format!("no requests in {days} d"),
        1 => format!("1 request in {days} d is too few for a share"),
        more => format!("{} requests in {days} d are too few for a share", count(more)),
    };
    Gap::new(why, format!("ask again after {FEWEST_REQUESTS} requests, or look further back with --since"))
}

pub(super) fn errors(evidence: &Evidence) -> Answer {
    let days = evidence.days();
    let seen = match &evidence.errors {
        Ok(seen) if seen.requests < FEWEST_REQUESTS => return Answer::unknown(1, &too_few(seen.requests, days)),
        Ok(seen) => seen,
        Err(gap) => return Answer::unknown(1, gap),
    };
    let (of_errors, of_requests) = (share(seen.throttled, seen.errors), share(seen.throttled, seen.requests));
    let fails = of_errors > MOST_429 && of_requests >= FEW_429;
    let said = match (seen.errors, seen.throttled) {
        (0, _) => format!("no errors in {} requests in {days} days", count(seen.requests)),
        (_, 0) => format!("none of {} errors in {days} days was a 429", count(seen.errors)),
        _ => format!("429s are {} of errors in {days} days ({} of requests)", percent(of_errors), percent(of_requests)),
    };
    let mut answer = Answer::new(1, if fails { Grade::Fail } else { Grade::Pass }, said);
    answer = answer.evidence([format!(
        "{} of {} errors were 429s; {} requests ended",
        count(seen.throttled),
        count(seen.errors),
        count(seen.requests)
    )]);
    if let Some(own) = seen.throttled_by_weir.filter(|own| *own > 0) {
        answer = answer.evidence([format!("{} of the 429s were Weir's own: a key's limit", count(own))]);
    }
    if !fails && of_errors > MOST_429 {
        answer = answer.evidence(["under 1 in 10,000 requests, so it passes".to_owned()]);
    }
    if fails {
        let own = seen.throttled_by_weir.is_some_and(|own| own.saturating_mul(2) > seen.throttled);
        answer = answer.action(if own {
            "raise the limits of the keys that are refused, or spread their load"
        } else {
            "see what is full with `weir headroom`; ask for a higher tier, or add a deployment to the route"
        });
    }
    answer
        .figure("requests", seen.requests)
        .figure("errors", seen.errors)
        .figure("status_429", seen.throttled)
        .figure("share_of_errors", of_errors)
        .figure("share_of_requests", of_requests)
        .figure("threshold", MOST_429)
}

pub(super) fn retries(evidence: &Evidence) -> Answer {
    let days = evidence.days();
    let seen = match &evidence.spend {
        Ok(seen) if seen.requests < FEWEST_REQUESTS => return Answer::unknown(4, &too_few(seen.requests, days)),
        Ok(seen) => seen,
        Err(gap) => return Answer::unknown(4, gap),
    };
    let money = seen.cost.filter(|cost| *cost > NanoUsd::ZERO);
    let of_tokens = share(seen.retry_tokens, seen.tokens);
    let of_cost = money.map(|cost| {
        share(u64::try_from(seen.retry_cost.0).unwrap_or_default(), u64::try_from(cost.0).unwrap_or_default())
    });
    if seen.tokens == 0 && of_cost.is_none() {
        let gap =
            Gap::new("no tokens and no costs are on record", "providers must report usage; see `weir check --live`");
        return Answer::unknown(4, &gap);
    }
    // Where a price is missing the dollars are only a part of the spend; tokens then say more.
    let partial = seen.unpriced > 0;
    let part = if partial { of_tokens } else { of_cost.unwrap_or(of_tokens) };
    let fails = part > MOST_RETRIES;
    let monthly =
        (evidence.until.0 - evidence.since.0 >= 86_400_000_000 && seen.retry_cost > NanoUsd::ZERO).then(|| {
            let days = i128::from(days.max(1));
            NanoUsd(i64::try_from(i128::from(seen.retry_cost.0) * 30 / days).unwrap_or(i64::MAX))
        });
    let cost = monthly.map_or(String::new(), |cost| format!(" ({} a month)", about_dollars(cost)));
    let said = if part == 0.0 {
        format!("no token spend in {days} days went into retries")
    } else {
        format!("retries are {} of token spend{cost}", percent(part))
    };
    let mut answer = Answer::new(4, if fails { Grade::Fail } else { Grade::Pass }, said).evidence([format!(
        "{} of {} tokens ({})",
        count(seen.retry_tokens),
        count(seen.tokens),
        percent(of_tokens)
    )]);
    if let (Some(cost), Some(of_cost)) = (money, of_cost) {
        let unpriced = if partial { format!(" + {} unpriced requests", count(seen.unpriced)) } else { String::new() };
        answer = answer.evidence([format!(
            "{} of {}{unpriced} ({})",
            dollars(seen.retry_cost),
            dollars(cost),
            percent(of_cost)
        )]);
    }
    if fails {
        answer = answer.action("set the SDKs' own retries to 0 behind Weir, which retries once and elsewhere");
    }
    answer
        .figure("requests", seen.requests)
        .figure("tokens", seen.tokens)
        .figure("retry_tokens", seen.retry_tokens)
        .figure("cost_usd", seen.cost.map(|cost| cost.to_string()))
        .figure("retry_cost_usd", seen.retry_cost.to_string())
        .figure("unpriced", seen.unpriced)
        .figure("share", part)
        .figure("threshold", MOST_RETRIES)
}

pub(super) fn peak(evidence: &Evidence, zone: &Zone) -> Answer {
    let peaks = match &evidence.peaks {
        Ok(peaks) => peaks,
        Err(gap) => return Answer::unknown(5, gap),
    };
    let mut peaks: Vec<_> = peaks.iter().collect();
    peaks.sort_by(|a, b| b.share().total_cmp(&a.share()).then_with(|| a.pool.cmp(&b.pool)));
    let unlimited: Vec<String> = evidence.unlimited.iter().map(ToString::to_string).collect();
    let Some(fullest) = peaks.first() else {
        let gap = match unlimited.is_empty() {
            true => Gap::new("no traffic that a limit would count", "ask again when there is some"),
            false => Gap::new(
                format!("no limit of {} is known", list(&unlimited)),
                "declare what the account has: limits = { requests-per-minute = … } on the provider",
            ),
        };
        return Answer::unknown(5, &gap);
    };
    let full = peaks.iter().filter(|peak| peak.share() >= FULL).count();
    let name = |peak: &super::Peak| format!("{} {}", peak.pool, peak.dimension.words());
    let span = |peak: &super::Peak| if peak.dimension.is_daily() { "peak day" } else { "peak hour" };
    let mut said = format!("{} uses {} of {}", span(fullest), percent(fullest.share()), name(fullest));
    if full > 1 {
        said.push_str(&format!(
            ", and {} more {} over {}",
            full - 1,
            if full == 2 { "is" } else { "are" },
            percent(FULL)
        ));
    }
    let requests = evidence.errors.as_ref().map_or(0, |errors| errors.requests);
    let grade = match full {
        0 if requests < FEWEST_REQUESTS && evidence.errors.is_ok() => {
            return Answer::unknown(5, &too_few(requests, evidence.days()));
        }
        0 => Grade::Pass,
        _ => Grade::Fail,
    };
    if !unlimited.is_empty() {
        said.push_str(&format!("; no limit of {} is known", list(&unlimited)));
    }
    let line = |peak: &&super::Peak| {
        format!(
            "{}: {} of {} at {} ({}, {})",
            name(peak),
            count(whole(peak.used)),
            count(peak.limit),
            minute(peak.at, zone),
            percent(peak.share()),
            peak.source
        )
    };
    let mut answer = Answer::new(5, grade, said).evidence(peaks.iter().take(8).map(line));
    if grade == Grade::Fail {
        answer = answer.action("ask for a higher tier or move load; `weir headroom` shows dates and options");
    } else if !unlimited.is_empty() {
        answer = answer.action("declare what the account has: limits = { requests-per-minute = … } on the provider");
    }
    let figures: Vec<serde_json::Value> = peaks
        .iter()
        .map(|peak| {
            serde_json::json!({
                "pool": peak.pool, "limit": peak.dimension.name(), "of": peak.limit, "used": peak.used,
                "share": peak.share(), "at": peak.at.to_string(), "source": peak.source,
            })
        })
        .collect();
    answer.figure("share", fullest.share()).figure("threshold", FULL).figure("ceilings", figures)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a figure for people, and never negative")]
fn whole(figure: f64) -> u64 {
    figure.max(0.0).round() as u64
}
