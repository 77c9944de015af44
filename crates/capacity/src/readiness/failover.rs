//! Questions 2 and 6: what an outage of the first provider leads to, and whether whoever serves then has done so before.

use weir_engine::Zone;
use weir_units::numbers::{availability as measured, count};

use super::grade::{Answer, FEWEST_REQUESTS, Grade};
use super::traffic::too_few;
use super::words::{availability, list, minute, percent};
use super::{Evidence, Gap, Outage, RouteSetup, Setup, provider};

/// More of a route's requests than this may not fail while its first provider is down for two hours: that is 72 seconds of a whole outage, 2.8 %
/// of what a month at 99.9 % may lose.
pub const MOST_LOST: f64 = 0.01;
/// So many answers in the time that was looked at have exercised a secondary.
pub const EXERCISED: u64 = 20;

/// The routes that are judged: the critical ones; where none is marked so, all.
fn judged(setup: &Setup) -> Vec<&RouteSetup> {
    let critical: Vec<&RouteSetup> = setup.routes.iter().filter(|route| route.critical).collect();
    if critical.is_empty() { setup.routes.iter().collect() } else { critical }
}

pub(super) fn outage(evidence: &Evidence) -> Answer {
    let setup = match &evidence.setup {
        Ok(setup) => setup,
        Err(gap) => return Answer::unknown(2, gap),
    };
    let judged = judged(setup);
    if judged.is_empty() {
        let gap = Gap::new(
            "no route is configured, so nothing fails over",
            "add [routes.NAME] with deployments of two providers",
        );
        return Answer::unknown(2, &gap);
    }
    let is_judged = |route: &str| judged.iter().any(|judged| *judged.name == *route);
    let alone: Vec<&&RouteSetup> = judged.iter().filter(|route| route.secondaries().next().is_none()).collect();
    let outages = evidence.outages.as_deref().unwrap_or_default();
    let worst = outages
        .iter()
        .filter(|outage| is_judged(&outage.route))
        .filter_map(|outage| outage.lost.as_ref().ok().map(|lost| (outage, *lost)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let gap = outages.iter().filter(|outage| is_judged(&outage.route)).find_map(|outage| outage.lost.as_ref().err());
    let answer = match (alone.first(), worst, gap) {
        (Some(route), ..) => {
            let primary = route.primary().unwrap_or_default();
            let all = list(&alone.iter().map(|route| route.name.to_string()).collect::<Vec<_>>());
            let text = format!("{primary} down 2 h: 100\u{202f}% of {all} would fail; there is no second provider");
            Answer::new(2, Grade::Fail, text)
                .action(format!("add a deployment of a second provider to [routes.{}] deployments", route.name))
        }
        (None, Some((outage, lost)), _) if lost > MOST_LOST => {
            let text =
                format!("{} down 2 h: {} of {} would fail, {}", outage.down, percent(lost), outage.route, outage.how);
            let action = match &outage.ceiling {
                Some((ceiling, share)) if *share > 1.0 => {
                    format!("raise {ceiling}, which would run at {}, or add a third deployment", percent(*share))
                }
                _ => "see what refuses with `weir plan`; add a third deployment".to_owned(),
            };
            Answer::new(2, Grade::Fail, text).action(action)
        }
        (None, _, Some(gap)) => Answer::unknown(2, gap),
        (None, Some((outage, lost)), None) => {
            let part = if lost == 0.0 { "no request".to_owned() } else { percent(lost) };
            let mut text = format!("{} down 2 h: {part} of {} would fail, {}", outage.down, outage.route, outage.how);
            let unlimited: Vec<String> = outage.unlimited.iter().map(ToString::to_string).collect();
            if unlimited.is_empty() {
                Answer::new(2, Grade::Pass, text)
            } else {
                text.push_str(&format!(", if {} has room (no limit known)", list(&unlimited)));
                Answer::new(2, Grade::Pass, text).action(format!("declare what the account at {} has", unlimited[0]))
            }
        }
        (None, None, None) => match &evidence.outages {
            Err(gap) => Answer::unknown(2, gap),
            Ok(_) => {
                Answer::unknown(2, &Gap::new("no traffic of these routes to try it on", "ask again when there is some"))
            }
        },
    };
    let lines = lines(evidence, outages, &judged);
    let answer = answer.evidence(lines).figure("threshold", MOST_LOST);
    answer.figure("outages", tried(outages)).figure("availability", years(evidence))
}

/// What was tried of each route, and what is to be expected of it over a year.
fn lines(evidence: &Evidence, outages: &[Outage], judged: &[&RouteSetup]) -> Vec<String> {
    let mut lines = Vec::new();
    for outage in outages {
        let spare = match (&outage.survivor, &outage.ceiling) {
            (None, _) => "; nobody else serves it".to_owned(),
            (Some(survivor), None) => format!("; {survivor} serves"),
            (Some(survivor), Some((ceiling, share))) => {
                let span = if ceiling.ends_with("/day") { ", were it a whole day" } else { "" };
                format!("; {survivor} serves, {ceiling} at {}{span}", percent(*share))
            }
        };
        let said = match &outage.lost {
            Ok(lost) => format!("{} of {} fail", percent(*lost), outage.route),
            Err(gap) => format!("{}: {}", outage.route, gap.why),
        };
        let on = if outage.requests == 0 { String::new() } else { format!(", {} requests", count(outage.requests)) };
        lines.push(format!("{} down 2 h: {said}{spare} ({}{on})", outage.down, outage.how));
    }
    for route in judged.iter().filter(|route| !outages.iter().any(|outage| outage.route == route.name)) {
        let primary = route.primary().unwrap_or("—");
        lines.push(match route.secondaries().next() {
            Some(second) => format!("{primary} down 2 h: {second} serves {}", route.name),
            None => format!("{primary} down 2 h: nobody else serves {}", route.name),
        });
    }
    for route in &evidence.availability {
        let was = route.measured.filter(|(_, asked)| *asked > 0);
        let was =
            was.map_or(String::new(), |(ok, asked)| format!("; measured {} of {}", measured(ok, asked), count(asked)));
        lines.push(format!(
            "route {}: {} expected over a year ({} to {} in nine years of ten){was}",
            route.route,
            availability(route.expected),
            availability(route.p5),
            availability(route.p95)
        ));
    }
    lines
}

fn tried(outages: &[Outage]) -> Vec<serde_json::Value> {
    outages
        .iter()
        .map(|outage| {
            serde_json::json!({
                "route": outage.route, "down": outage.down, "survivor": outage.survivor, "how": outage.how,
                "lost": outage.lost.as_ref().ok(), "requests": outage.requests, "no_limit_known": outage.unlimited,
                "ceiling": outage.ceiling.as_ref().map(|(name, share)| serde_json::json!({ "name": name, "share": share })),
            })
        })
        .collect()
}

fn years(evidence: &Evidence) -> Vec<serde_json::Value> {
    evidence
        .availability
        .iter()
        .map(|route| {
            serde_json::json!({
                "route": route.route, "expected": route.expected, "p5": route.p5, "p95": route.p95,
                "answered": route.measured.map(|(ok, _)| ok), "asked": route.measured.map(|(_, asked)| asked),
            })
        })
        .collect()
}

pub(super) fn secondary(evidence: &Evidence, zone: &Zone) -> Answer {
    let setup = match &evidence.setup {
        Ok(setup) => setup,
        Err(gap) => return Answer::unknown(6, gap),
    };
    let critical: Vec<&RouteSetup> = setup.routes.iter().filter(|route| route.critical).collect();
    if critical.is_empty() {
        return Answer::new(6, Grade::Pass, "no route is marked critical, so none needs a proved secondary")
            .evidence(["mark those that must not fall with one provider: critical = true".to_owned()]);
    }
    let days = evidence.days();
    let (mut lines, mut failed, mut figures) = (Vec::new(), Vec::new(), Vec::new());
    for route in &critical {
        if route.secondaries().next().is_none() {
            lines.push(format!("route {}: {} is its only provider", route.name, route.primary().unwrap_or("—")));
            failed.push((route, None));
            continue;
        }
        let Ok(seen) = &evidence.secondaries else { continue };
        let is_other = |deployment: &str| Some(provider(deployment)) != route.primary();
        let of = seen.iter().filter(|seen| seen.route == route.name && is_other(&seen.deployment));
        let (mut answers, mut last) = (0_u64, None);
        for seen in of {
            answers = answers.saturating_add(seen.answers);
            last = last.max(seen.last);
            let when = seen.last.map_or("never called".to_owned(), |at| format!("last {}", minute(at, zone)));
            lines.push(format!(
                "route {}: {} gave {} answers and failed {} times in {days} days, {when}",
                route.name,
                seen.deployment,
                count(seen.answers),
                count(seen.failed)
            ));
        }
        figures.push(serde_json::json!({
            "route": route.name, "answers": answers, "needed": EXERCISED, "last": last.map(|at| at.to_string()),
        }));
        if answers < EXERCISED {
            failed.push((route, Some(answers)));
        }
    }
    let requests = evidence.errors.as_ref().map_or(FEWEST_REQUESTS, |errors| errors.requests);
    // A route without a second provider needs no traffic to fail.
    failed.sort_by_key(|(_, answers)| answers.is_some());
    let answer = match failed.first() {
        Some((_, Some(_))) if requests < FEWEST_REQUESTS => Answer::unknown(6, &too_few(requests, days)),
        Some((route, None)) => {
            let text = format!("route {} is critical and has no second provider", route.name);
            Answer::new(6, Grade::Fail, text)
                .action(format!("add a deployment of a second provider to [routes.{}] deployments", route.name))
        }
        Some((route, Some(answers))) => {
            let text = format!("route {}: secondary gave {answers} of {EXERCISED} answers in {days} days", route.name);
            let second = route.secondaries().next().map_or("", |second| second);
            let action = format!(
                "send {} more requests of {} to {second}: put it first for an hour, or let strategy = \"balance\" use it",
                EXERCISED - answers,
                route.name
            );
            Answer::new(6, Grade::Fail, text).action(action)
        }
        None => match &evidence.secondaries {
            Err(gap) => Answer::unknown(6, gap),
            Ok(_) => {
                let names = list(&critical.iter().map(|route| route.name.to_string()).collect::<Vec<_>>());
                Answer::new(6, Grade::Pass, format!("the secondary of {names} was exercised in {days} days"))
            }
        },
    };
    answer.evidence(lines).figure("needed", EXERCISED).figure("routes", figures)
}
