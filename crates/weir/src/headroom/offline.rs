//! Headroom from configuration and ledger alone, as of any time: no gateway need run.

use std::process::ExitCode;

use weir_capacity::desk::Desk;
use weir_gateway::capacity::{headroom_of, look};

use super::{ahead, no_such_pool, of_pool};
use crate::ledger::Place;
use crate::terminal::{UNKNOWN, UNREACHABLE, USAGE, fail, moves, print, say, shown};
use crate::{Common, reading, when};

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) at: Option<&'a str>,
    pub(super) ledger: Option<&'a str>,
    pub(super) pool: Option<&'a str>,
}

pub(super) async fn run(common: &Common, asked: &Asked<'_>) -> ExitCode {
    let config = match reading::sound_config(common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let now = when::now();
    let at = match asked.at.map(|text| when::moment(text, &config.zone, now)).transpose() {
        Ok(at) => at.unwrap_or(now),
        Err(why) => return fail(USAGE, format_args!("--at: {why}")),
    };
    let place = match Place::of(common, asked.ledger) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let reader = match place.open().await {
        Ok(reader) => reader,
        Err(why) => return fail(UNREACHABLE, why),
    };
    let desk = match look(&reader, &config, at).await {
        Ok(desk) => desk,
        Err(error) => return fail(UNREACHABLE, format_args!("the ledger cannot be read: {error}")),
    };
    let known: Vec<String> = desk.ceilings.iter().map(|view| view.pool.clone()).collect();
    if let Some(name) = asked.pool.filter(|name| !known.iter().any(|pool| pool == name)) {
        let mut known = known;
        known.dedup();
        return no_such_pool(name, &known);
    }
    show(common, &of_pool(desk, asked.pool), &config)
}

fn show(common: &Common, desk: &Desk, config: &weir_config::Config) -> ExitCode {
    if common.json {
        print(headroom_of(desk));
    } else if moves() {
        print(shown(&ahead::page(desk, &config.zone).join("\n")));
    } else {
        print(ahead::records(desk).join("\n"));
    }
    if desk.ceilings.is_empty() {
        say("no limit is known: nothing is declared, and no provider has stated one in its headers");
        say("  hint  declare what your account has: limits = { requests-per-minute = 500 } (docs/guide/limits.md)");
        return ExitCode::from(UNKNOWN);
    }
    if desk.since.is_none() {
        say("nothing was asked for until then: there is nothing to tell headroom from");
        return ExitCode::from(UNKNOWN);
    }
    ExitCode::SUCCESS
}
