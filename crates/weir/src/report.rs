//! `weir report`: the weekly capacity report, and with `--runbook` what users see when a provider is down.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use weir_capacity::desk::Desk;
use weir_capacity::plan::Prover;
use weir_capacity::readiness::{Readiness, grade};
use weir_capacity::report::{Document, Weekly, runbook};
use weir_config::Config;
use weir_gateway::readiness::{Gathered, ladder, prove, weekly};
use weir_units::WallTime;

use crate::Common;
use crate::diagnose::{look, span};
use crate::ledger::Place;
use crate::proof::Simulator;
use crate::reading::sound_config;
use crate::serve::runtime;
use crate::terminal::{UNREACHABLE, USAGE, fail, print, say};

/// How far back the questions of readiness look, whatever the report's span.
const READINESS: &str = "30d";

#[derive(Args)]
#[command(
    after_help = "The configuration and its ledger are read; no gateway needs to run. While one does, it sends the same report through the owner's\n\
notifiers, when `[owner] report` says. The runbook is made from the configuration; with a ledger it says as well whether capacity holds.\n\n\
Exit codes: 0 done · 2 wrong usage, or a configuration that cannot be read · 4 the ledger cannot be read, or the file not written"
)]
pub(crate) struct Arguments {
    /// What users of each route see when each of its providers is down
    #[arg(long)]
    runbook: bool,
    /// How it is written; html where --out ends in .html, else md
    #[arg(long, value_name = "FORMAT", value_parser = ["md", "html"])]
    format: Option<String>,
    /// Write it to this file, and not to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    since: String,
    /// As it was then, as in 2026-11-18T14:47; in the configuration's zone if it names none
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Read this ledger, its file or url, and not the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
    /// Do not simulate outages
    #[arg(long)]
    no_proof: bool,
}

/// Writes the report.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let config = match sound_config(common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let spans = span(&arguments.since, arguments.at.as_deref(), &config.zone)
        .and_then(|week| Ok((week, span(READINESS, arguments.at.as_deref(), &config.zone)?.0)));
    let ((since, until), month) = match spans {
        Ok(spans) => spans,
        Err(why) => return fail(USAGE, why),
    };
    let (mut gathered, desk) = match look(common, arguments.ledger.as_deref(), &config, month, until) {
        Ok(looked) => looked,
        Err(code) => return code,
    };
    if arguments.runbook {
        return written(arguments, &runbook(&ladder(&config), desk.as_ref()));
    }
    let now = answers(&mut gathered, desk.as_ref(), arguments, &config);
    let report = match desk {
        Some(desk) => match Place::of(common, arguments.ledger.as_deref()) {
            Ok(place) => read(&place, arguments, &config, (since, until), desk, now),
            Err(code) => return code,
        },
        None => {
            say("there is no ledger yet, so that the report has only what the configuration says");
            let zone = Some(config.zone.clone());
            let owner = config.alerts.owner.name.as_deref().map(str::to_owned);
            let zone_name = config.server.timezone.clone();
            Ok(Weekly { since, until, zone, zone_name, owner, readiness: Some((now, None)), ..Weekly::default() })
        }
    };
    match report {
        Ok(report) if common.json => {
            print(as_json(&report));
            ExitCode::SUCCESS
        }
        Ok(report) => written(arguments, &report.document()),
        Err(why) => fail(UNREACHABLE, why),
    }
}

fn answers(gathered: &mut Gathered, desk: Option<&Desk>, arguments: &Arguments, config: &Config) -> Readiness {
    let prover = (!arguments.no_proof).then_some(&Simulator as &dyn Prover);
    prove(gathered, prover, desk, &mut |_| {});
    grade(&gathered.evidence, &config.zone)
}

/// Reads the rest of the report: the week's figures, and the seven answers of a week ago.
fn read(
    place: &Place,
    arguments: &Arguments,
    config: &Config,
    (since, until): (WallTime, WallTime),
    desk: Desk,
    now: Readiness,
) -> Result<Weekly, String> {
    let span = until.0.saturating_sub(since.0);
    let then = WallTime(now.until.0.saturating_sub(span));
    let month = WallTime(now.since.0.saturating_sub(span));
    let runtime = runtime().map_err(|error| format!("the runtime cannot start: {error}"))?;
    let text = |error: weir_ledger::StoreError| error.to_string();
    runtime.block_on(async {
        let reader = place.open().await?;
        let mut before = weir_gateway::readiness::gather(config, &reader, month, then).await.map_err(text)?;
        let before = answers(&mut before, None, arguments, config);
        let report = weekly(config, &reader, (since, until), Some(desk), Some((now, Some(before)))).await;
        reader.close().await;
        report.map_err(text)
    })
}

fn as_json(report: &Weekly) -> serde_json::Value {
    let decisions: Vec<_> = report
        .decisions()
        .into_iter()
        .map(|one| json!({ "what": one.what, "owner": one.owner, "by": one.by.map(|by| by.to_string()), "effect": one.effect }))
        .collect();
    json!({
        "since": report.since.to_string(),
        "until": report.until.to_string(),
        "headline": report.headline(),
        "owner": report.owner,
        "decisions": decisions,
        "capacity": report.desk,
        "waste": report.waste,
        "readiness": report.readiness.as_ref().map(|(now, _)| now.to_json()),
        "readiness_before": report.readiness.as_ref().and_then(|(_, before)| before.as_ref().map(Readiness::to_json)),
        "chain_head": report.chain.as_ref().map(|(sequence, hash)| json!({ "sequence": sequence, "hash": hash })),
        "markdown": report.document().to_markdown(),
    })
}

/// Writes a document to where it is wanted, in the form that is wanted.
fn written(arguments: &Arguments, document: &Document) -> ExitCode {
    let by_name = || arguments.out.as_deref().and_then(|path| path.extension()).is_some_and(|end| end == "html");
    let html = arguments.format.as_deref().map_or_else(by_name, |format| format == "html");
    let text = if html { document.to_html(weir_dashboard::assets::STYLE) } else { document.to_markdown() };
    let Some(path) = &arguments.out else {
        print(text.trim_end());
        return ExitCode::SUCCESS;
    };
    match std::fs::write(path, text) {
        Ok(()) => {
            say(format_args!("written to {}", path.display()));
            ExitCode::SUCCESS
        }
        Err(error) => fail(UNREACHABLE, format_args!("{} cannot be written: {error}", path.display())),
    }
}
