//! `weir diagnose --logs`: the questions of readiness and the report on waste from what other tools logged, before Weir is in place.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use weir_capacity::desk::{Ceiling, Members};
use weir_capacity::readiness::{Evidence, Gap, Readiness, Setup, grade, peaks};
use weir_capacity::waste::{By, WasteReport};
use weir_config::Config;
use weir_engine::{ChargeModel, DayStart, PoolId, Zone};
use weir_gateway::capacity::fleet;
use weir_gateway::readiness::setup;
use weir_logs::Tally;
use weir_units::{DeploymentId, WallTime};

use super::Arguments;
use crate::import::input::{as_json, read_all, tell};
use crate::terminal::{USAGE, fail, numbers, print, say, shown};
use crate::{Common, reading, when};

/// Names that the report on waste tells one by one.
const TOP: usize = 10;

/// Answers the questions from the files.
pub(super) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let config = match reading::named_config(common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let zone = config.as_ref().map_or(Zone::UTC, |config| config.zone.clone());
    let (window, until) = match span(arguments, &zone) {
        Ok(span) => span,
        Err(why) => return fail(USAGE, why),
    };
    let mut tally = Tally::new(window, until);
    let told = match read_all(&arguments.logs, &arguments.reading, |call| tally.add(&call)) {
        Ok(told) => told,
        Err(why) => return fail(USAGE, why),
    };
    let readiness = grade(&evidence(&tally, config.as_ref()), &zone);
    let waste = WasteReport::of(&tally.waste(), By::Route, TOP);
    if common.json {
        return as_program(&readiness, &waste, &tally, as_json(&told));
    }
    let zone_name = config.as_ref().map_or("UTC", |config| &config.server.timezone);
    let code = super::show(common, &readiness, (&zone, zone_name), arguments.detail);
    if waste.any() {
        print(shown(&format!("waste  {}", waste.headline)));
        for kind in &waste.kinds {
            let calls = if kind.lost.times == 1 {
                "1 call".to_owned()
            } else {
                format!("{} calls", numbers::count(kind.lost.times))
            };
            let tokens = numbers::count(kind.lost.tokens);
            print(shown(&format!("  {}: {tokens} tokens in {calls}; do: {}", kind.title, kind.remedy)));
        }
    }
    for gap in tally.missing() {
        say(shown(&format!("missing  {}: {}", gap.why, gap.get)));
    }
    let (aside, _) = tally.aside();
    if aside > 0 {
        say(format_args!("{} calls lie outside the time that is looked at (--since, --at)", numbers::count(aside)));
    }
    tell(&told);
    code
}

fn as_program(readiness: &Readiness, waste: &WasteReport, tally: &Tally, files: Value) -> ExitCode {
    let mut value = readiness.to_json();
    value["waste"] = serde_json::to_value(waste).unwrap_or_default();
    value["missing"] = tally.missing().iter().map(|gap| json!({"why": gap.why, "get": gap.get})).collect();
    value["outside"] = json!(tally.aside().0);
    value["files"] = files;
    print(value);
    ExitCode::from(readiness.exit_code())
}

/// How far back is looked, and from when on not.
fn span(arguments: &Arguments, zone: &Zone) -> Result<(Duration, Option<WallTime>), String> {
    let window = when::span(&arguments.since).map_err(|why| format!("--since: {why}"))?;
    let until = arguments.at.as_deref().map(|at| when::moment(at, zone, when::now()));
    let until = until.transpose().map_err(|why| format!("--at: {why}"))?;
    Ok((window, until))
}

/// What the logs say, and what the configuration says where there is one.
fn evidence(tally: &Tally, config: Option<&Config>) -> Evidence {
    let (since, until) = match tally.span() {
        // No call has a time.
        (_, WallTime(0)) => (when::now(), when::now()),
        span => span,
    };
    let no_config = Gap::new("needs weir.toml", "add --config weir.toml");
    let not_in_logs = Gap::new("logs of other tools do not tell it", "serve traffic with Weir, or see `weir plan`");
    let (minutes, hours) = tally.demand();
    let ceilings = ceilings(tally, config);
    let setup: Result<Setup, Gap> = config.map(setup).ok_or_else(|| no_config.clone());
    let unlimited: BTreeSet<Arc<str>> = tally
        .deployments()
        .iter()
        .filter(|deployment| !ceilings.iter().any(|ceiling| ceiling.members.hold(deployment)))
        .map(|deployment| Arc::clone(&deployment.provider))
        .collect();
    let peaks = if ceilings.is_empty() {
        Err(Gap::new(
            "no limit is known",
            "add --config weir.toml with limits, or debug logs of an SDK that show headers",
        ))
    } else {
        Ok(peaks(&ceilings, &minutes, &hours))
    };
    let gap = if config.is_some() { &not_in_logs } else { &no_config };
    Evidence {
        setup,
        errors: tally.errors(),
        spend: tally.spend(),
        agents: Ok(tally.agents()),
        peaks,
        unlimited: unlimited.into_iter().collect(),
        ..Evidence::none(since, until, gap)
    }
}

/// Limits that the configuration declares, and those that answers stated, where it declares none.
fn ceilings(tally: &Tally, config: Option<&Config>) -> Vec<Ceiling> {
    let seen: BTreeSet<DeploymentId> = tally.deployments().iter().cloned().collect();
    let mut ceilings = config.map(|config| fleet(config, &[], &seen).ceilings).unwrap_or_default();
    for (deployment, limit) in tally.stated() {
        let known = |ceiling: &Ceiling| ceiling.dimension == limit.dimension && ceiling.members.hold(deployment);
        if ceilings.iter().any(known) {
            continue;
        }
        let charge = if &*deployment.provider == "anthropic" { ChargeModel::ANTHROPIC } else { ChargeModel::METERED };
        ceilings.push(Ceiling {
            pool: PoolId::Model(deployment.clone()),
            dimension: limit.dimension,
            limit: limit.limit,
            declared: None,
            stated: Some(limit.limit),
            members: Members::These(vec![deployment.clone()]),
            charges: BTreeMap::from([(Arc::clone(&deployment.provider), charge)]),
            day: DayStart::Utc,
        });
    }
    ceilings
}
