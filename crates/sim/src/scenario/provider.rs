//! `[providers.NAME]`: a provider as it really is, whatever Weir believes.

use std::time::Duration;

use weir_units::{Limits, Moment};

use super::day::{Start, Zone};
use super::section::Section;
use super::{SimulatedProvider, limits};
use crate::charge::Charge;
use crate::fault::FaultOrder;
use crate::profile::{Event, EventKind, Latency, LimitRules, Profile};
use crate::window::{MINUTE, Window};

/// The providers whose rules are known by name.
const KINDS: [&str; 7] = ["openai", "azure", "cerebras", "bedrock", "anthropic", "gemini", "mock"];

pub(super) fn read(section: &Section<'_>, start: &Start) -> SimulatedProvider {
    let kind = section.choice("kind", &KINDS).unwrap_or("openai");
    let (mut charge, mut rules, mut zone) = habits(kind);
    let read_charge = section.choice("charge", &["reserve", "reserve-sum", "settle", "metered", "input"]);
    let burndown = section.whole("burndown", 1);
    charge = match read_charge {
        Some("reserve") => Charge::Reserve,
        Some("reserve-sum") => Charge::ReserveSum,
        Some("settle") => Charge::Settle { burndown: 1 },
        Some("metered") => Charge::Metered,
        Some("input") => Charge::Input,
        _ => charge,
    };
    match (&mut charge, burndown) {
        (Charge::Settle { burndown }, Some(times)) => *burndown = times,
        (_, Some(_)) => {
            let hint = "it belongs to `charge = \"settle\"`".to_owned();
            section.fault("burndown", "means nothing here", Some(hint));
        }
        (_, None) => {}
    }
    rules.window = window(section, rules.window);
    rules.slice = section.span_from("slice", Duration::from_millis(1)).or(rules.slice);
    rules.assumed_output = section.whole("assumed-output", 0).unwrap_or(rules.assumed_output);
    rules.headers = section.flag("headers").unwrap_or(rules.headers);
    if let Some(stated) = section.table("stated-limits") {
        rules.stated = Some(limits(&stated));
    }
    match section.choice("day-ends", &["utc", "pacific"]) {
        Some("pacific") => zone = Zone::Pacific,
        Some(_) => zone = Zone::Utc,
        None => {}
    }
    rules.day_ends = start.day_ends(zone);
    let span = |key| section.span(key).unwrap_or_default();
    let profile = Profile {
        latency: Latency {
            base: span("latency"),
            per_input_token: span("latency-per-input-token"),
            jitter: span("latency-jitter"),
        },
        tokens_per_second: section.whole("tokens-per-second", 0).unwrap_or(0),
        limits: section.table("limits").map_or(Limits::NONE, |table| limits(&table)),
        rules,
        context_window: section.whole("context-window", 1),
        faults: Vec::new(),
        events: section.list("events").iter().filter_map(event).collect(),
    };
    let network = Latency { base: span("network"), per_input_token: Duration::ZERO, jitter: span("network-jitter") };
    section.finish();
    SimulatedProvider { profile, charge, network }
}

/// What is known of a kind of provider, by its own pages on rate limits (read 2026-11).
fn habits(kind: &str) -> (Charge, LimitRules, Zone) {
    let rules = LimitRules::default();
    let fixed = Window::Fixed { span: MINUTE };
    match kind {
        "azure" => (Charge::ReserveSum, LimitRules { window: fixed, ..rules }, Zone::Utc),
        "cerebras" => (Charge::ReserveSum, LimitRules { assumed_output: 32_768, ..rules }, Zone::Utc),
        "bedrock" => {
            (Charge::Settle { burndown: 1 }, LimitRules { headers: false, assumed_output: 65_536, ..rules }, Zone::Utc)
        }
        "anthropic" => (Charge::Metered, rules, Zone::Utc),
        "gemini" => (Charge::Input, LimitRules { window: fixed, headers: false, ..rules }, Zone::Pacific),
        _ => (Charge::Reserve, rules, Zone::Utc),
    }
}

fn window(section: &Section<'_>, usual: Window) -> Window {
    let least = Duration::from_millis(1);
    let burst = section.span_from("burst", least);
    let length = section.span_from("window-length", least);
    let window = match section.choice("window", &["bucket", "fixed", "sliding"]) {
        Some("bucket") => Window::Bucket { burst: burst.unwrap_or(MINUTE) },
        Some("fixed") => Window::Fixed { span: length.unwrap_or(MINUTE) },
        Some(_) => Window::Sliding { span: length.unwrap_or(MINUTE) },
        None => match usual {
            Window::Bucket { burst: usual } => Window::Bucket { burst: burst.unwrap_or(usual) },
            Window::Fixed { span } => Window::Fixed { span: length.unwrap_or(span) },
            Window::Sliding { span } => Window::Sliding { span: length.unwrap_or(span) },
        },
    };
    match window {
        Window::Bucket { .. } if length.is_some() => {
            section.fault("window-length", "means nothing for a bucket", Some("write `burst`".to_owned()));
        }
        Window::Fixed { .. } | Window::Sliding { .. } if burst.is_some() => {
            section.fault("burst", "means nothing for a window", Some("write `window-length`".to_owned()));
        }
        _ => {}
    }
    window
}

fn event(section: &Section<'_>) -> Option<Event> {
    let from = Moment::ZERO + section.span("from").unwrap_or_default();
    let until = section.span("until").map_or(Moment(u64::MAX), |span| Moment::ZERO + span);
    let share = section.ppm("share", 1.0);
    let told = section.flag("told");
    let mut kinds = Vec::new();
    if let Some(word) = section.text("fault") {
        match word.parse::<FaultOrder>() {
            Ok(fault) => kinds.push(EventKind::Fault { fault, share_ppm: share.unwrap_or(1_000_000) }),
            Err(error) => section.fault("fault", "is not known", Some(error.to_string())),
        }
    }
    if let Some(share_ppm) = section.ppm("limits-times", 1_000.0) {
        kinds.push(EventKind::Limits { share_ppm, told: told.unwrap_or(false) });
    }
    if let Some(times) = section.number("latency-times", 0.01, 10_000.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        kinds.push(EventKind::Latency { percent: (times * 100.0).round() as u32 });
    }
    if until <= from {
        section.fault("until", "is not after `from`", None);
    }
    if kinds.len() != 1 {
        let hint = "write one of `fault`, `limits-times`, `latency-times`; for two things, two events";
        section.fault_at(section.at(), "an event is one thing", Some(hint.to_owned()));
    }
    section.finish();
    Some(Event { from, until, kind: *kinds.first()? })
}
