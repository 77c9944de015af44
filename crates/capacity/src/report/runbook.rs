//! What a user of each route sees when each of its providers is down, from the configuration and the figures there are.

use std::sync::Arc;
use std::time::Duration;

use weir_units::numbers::counted;

use super::Document;
use crate::desk::Desk;
use crate::readiness::provider;
use crate::readiness::words::percent;

/// What the configuration says of what happens when calls fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// The routes, by name.
    pub routes: Vec<LadderRoute>,
    /// Faults in a row that open a breaker.
    pub consecutive_failures: u32,
    /// The share of faults within the window that opens it.
    pub failure_rate: f64,
    /// That window.
    pub window: Duration,
    /// How long it stays open.
    pub cooldown: Duration,
    /// Why the breakers are as good as none, if they are.
    pub breaker_off: Option<String>,
    /// Who owns the capacity.
    pub owner: Option<Arc<str>>,
    /// Attempts at the last deployment left.
    pub attempts: u32,
    /// Whom to ask for more, by provider.
    pub contacts: Vec<(Arc<str>, String)>,
}

/// A route.
#[derive(Clone, Debug, PartialEq)]
pub struct LadderRoute {
    /// Its name.
    pub name: Arc<str>,
    /// What a call may be sent to, `provider/model`, in order.
    pub deployments: Vec<Arc<str>>,
    /// Whether they are balanced and not asked in order.
    pub balanced: bool,
    /// Whether a second provider is expected.
    pub critical: bool,
    /// Whether a cut answer is carried on by another deployment.
    pub splices: bool,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long response headers may take.
    pub first_byte: Duration,
}

/// The runbook; `desk` says whether capacity holds.
#[must_use]
pub fn runbook(ladder: &Ladder, desk: Option<&Desk>) -> Document {
    let mut book = Document::new("Runbook: what users see when a provider is down");
    let alone = ladder.routes.iter().filter(|route| providers(route).len() < 2).count();
    book.lead(match (ladder.routes.len(), alone) {
        (0, _) => "No route is configured, so every model stands and falls with its provider.".to_owned(),
        (1, 0) => "The only route has a second provider.".to_owned(),
        (1, _) => "The only route has one provider, and goes down with it.".to_owned(),
        (all, 0) => format!("Each of {all} routes has a second provider."),
        (all, 1) => format!("1 of {all} routes has one provider only, and goes down with it."),
        (all, alone) => format!("{alone} of {all} routes have one provider only, and go down with it."),
    });
    book.text(match &ladder.owner {
        Some(owner) => format!("Owner: {owner}."),
        None => "Owner: nobody; name one in `[owner]`.".to_owned(),
    });
    book.text(match &ladder.breaker_off {
        Some(why) => format!(
            "There is no breaker to speak of: {why}. As long as a provider is down, each call is tried there first and moves on when it fails."
        ),
        None => format!(
            "A breaker opens after {} faults in a row, or once {} of the calls within {} failed; it stays open for {} and then lets probes through. \
             Until it opens, each call is tried and moves on when it fails; from then on nobody waits for that provider.",
            ladder.consecutive_failures,
            percent(ladder.failure_rate),
            said(ladder.window),
            said(ladder.cooldown)
        ),
    });
    for route in &ladder.routes {
        let critical = if route.critical { " (critical)" } else { "" };
        book.heading(format!("Route {}{critical}", route.name));
        let rows = providers(route).into_iter().map(|down| row(ladder, route, down, desk)).collect();
        let head = ["down", "who serves", "what users see", "until the breaker opens", "does capacity hold"];
        book.table(&head, 5, rows, "It has no deployment.");
        book.list(contacts(ladder, route));
    }
    book.heading("First steps");
    book.list(vec![
        "`weir top`, or the page Providers: which breaker is open, since when, and why.".to_owned(),
        "`weir headroom`: whether whoever serves instead has room.".to_owned(),
        "The provider's status page; its contact is named above where the config has one.".to_owned(),
        "Nothing has to be switched: traffic moves by itself and comes back in steps once probes pass.".to_owned(),
        "`weir diagnose`: whether the next outage would be met as well.".to_owned(),
    ]);
    book
}

fn providers(route: &LadderRoute) -> Vec<&str> {
    let mut names = Vec::new();
    for deployment in &route.deployments {
        let name = provider(deployment);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn row(ladder: &Ladder, route: &LadderRoute, down: &str, desk: Option<&Desk>) -> Vec<String> {
    let others: Vec<&Arc<str>> = route.deployments.iter().filter(|one| provider(one) != down).collect();
    let is_first = route.deployments.first().is_some_and(|first| provider(first) == down);
    let moves = is_first || route.balanced;
    let (serves, sees) = match (others.first(), moves) {
        (None, _) => ("nobody".to_owned(), alone(ladder)),
        (Some(next), true) => {
            let serves = if route.balanced && others.len() > 1 {
                others.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
            } else {
                next.to_string()
            };
            let cut = if route.splices {
                "streams that are cut are carried on where that is exact, else they end in an error"
            } else {
                "streams that are cut end in an error"
            };
            (serves, format!("200 from {next}; {cut}"))
        }
        (Some(first), false) => {
            (first.to_string(), format!("nothing: {first} serves as before; there is one fewer to fall back to"))
        }
    };
    let (connect, headers) = (said(route.connect), said(route.first_byte));
    let opens = match &ladder.breaker_off {
        None => counted(u64::from(ladder.consecutive_failures), "fault") + " in a row",
        Some(_) => "it never opens".to_owned(),
    };
    let opens = match others.is_empty() {
        false if !moves => "nobody waits: it is called only when those before it fail or are full".to_owned(),
        true => {
            let times = if ladder.attempts == 1 { "once" } else { &format!("{} times, each", ladder.attempts) };
            format!("{opens}; a request is tried {times} for up to {connect} to connect or {headers} without headers")
        }
        false => {
            let which = if ladder.breaker_off.is_some() { "all" } else { "those" };
            format!(
                "{opens}: {which} requests wait up to {connect} to connect, or {headers} without headers, before they move on"
            )
        }
    };
    let failover = desk.and_then(|desk| desk.failover.iter().find(|failover| failover.without == down));
    let holds = match (others.is_empty(), failover) {
        (true, _) => "no: there is nobody else".to_owned(),
        (false, _) if !moves => "yes: nothing moves".to_owned(),
        (false, None) => "not known: no traffic, or no limit of whoever serves".to_owned(),
        (false, Some(failover)) => match (&failover.holds, &failover.binds) {
            (Some(true), Some(binds)) => format!("yes: {}", binds.words(percent)),
            (Some(false), Some(binds)) => {
                format!("no: {}; the rest gets 503 `capacity_exhausted`", binds.words(percent))
            }
            _ => "not known: no limit of whoever serves is declared or stated".to_owned(),
        },
    };
    vec![down.to_owned(), serves, sees, opens, holds]
}

/// What is left when nobody else can be asked.
fn alone(ladder: &Ladder) -> String {
    let mut text = "502 or 503 `upstream_error`, 504 `upstream_timeout` where it is silent".to_owned();
    if ladder.breaker_off.is_none() {
        text.push_str("; once its breaker is open, 503 `no_deployment_available` with retry-after");
    }
    text
}

/// A span as people say it: `30 s`, `1 min`.
fn said(span: Duration) -> String {
    crate::plan::duration(span.as_secs_f64())
}

fn contacts(ladder: &Ladder, route: &LadderRoute) -> Vec<String> {
    let here = |name: &str| providers(route).contains(&name);
    let of = |(name, contact): &(Arc<str>, String)| here(name).then(|| format!("{name}: {contact}"));
    ladder.contacts.iter().filter_map(of).collect()
}
