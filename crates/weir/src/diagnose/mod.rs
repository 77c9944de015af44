//! `weir diagnose`: the seven questions of readiness, answered from the configuration and the ledger, with an exit code that CI can gate on.

mod logs;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use weir_capacity::desk::Desk;
use weir_capacity::plan::Prover;
use weir_capacity::readiness::{Gap, Readiness, grade};
use weir_config::Config;
use weir_engine::Zone;
use weir_gateway::readiness::{Gathered, gather, prove, without_ledger};
use weir_units::WallTime;

use crate::Common;
use crate::import::input::Reading;
use crate::ledger::Place;
use crate::proof::Simulator;
use crate::reading::sound_config;
use crate::serve::runtime;
use crate::terminal::{UNREACHABLE, USAGE, bold, draw, fail, is_rich, painted, print, shown};
use crate::when;

#[derive(Args)]
#[command(
    after_help = "The configuration and its ledger are read; no gateway needs to run, and one may. Without a ledger the questions about the\n\
configuration are answered all the same. What each question asks, and where it passes, is in docs/guide/readiness.md.\n\n\
Exit codes: 0 all seven pass · 1 a question fails · 2 wrong usage, or a configuration that cannot be read · 3 none fails, and some have\n\
not enough data · 4 the ledger cannot be read"
)]
pub(crate) struct Arguments {
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: String,
    /// As it was then, as in 2026-11-18T14:47; in the configuration's zone if it names none
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Read this ledger, its file or url, and not the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
    /// Answer from what other tools logged, and not from a ledger; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "ledger")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Do not simulate an outage; question 2 then has no answer where that would be it
    #[arg(long)]
    no_proof: bool,
    /// Show the figures behind each answer, also of those that pass
    #[arg(long)]
    detail: bool,
}

/// Answers the seven questions.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    if !arguments.logs.is_empty() {
        return logs::run(common, arguments);
    }
    let config = match sound_config(common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let (since, until) = match span(&arguments.since, arguments.at.as_deref(), &config.zone) {
        Ok(span) => span,
        Err(why) => return fail(USAGE, why),
    };
    let (mut gathered, desk) = match look(common, arguments.ledger.as_deref(), &config, since, until) {
        Ok(looked) => looked,
        Err(code) => return code,
    };
    let prover = (!arguments.no_proof).then_some(&Simulator as &dyn Prover);
    let mut told = Told::default();
    prove(&mut gathered, prover, desk.as_ref(), &mut |share| told.progress(share));
    told.end();
    show(common, &grade(&gathered.evidence, &config.zone), (&config.zone, &config.server.timezone), arguments.detail)
}

/// The time that `--since` and `--at` mean.
pub(crate) fn span(since: &str, at: Option<&str>, zone: &Zone) -> Result<(WallTime, WallTime), String> {
    let now = when::now();
    let until =
        at.map(|at| when::moment(at, zone, now)).transpose().map_err(|why| format!("--at: {why}"))?.unwrap_or(now);
    let since = when::since(since, zone, until).map_err(|why| format!("--since: {why}"))?;
    Ok((since, until))
}

/// What configuration and ledger say; where there is no ledger, what the configuration says.
pub(crate) fn look(
    common: &Common,
    named: Option<&str>,
    config: &Config,
    since: WallTime,
    until: WallTime,
) -> Result<(Gathered, Option<Desk>), ExitCode> {
    let place = Place::of(common, named)?;
    if let (Place::File(path), None) = (&place, named)
        && !path.exists()
    {
        let gap = Gap::new(format!("there is no ledger at {}", path.display()), "serve traffic, or `weir import logs`");
        return Ok((without_ledger(config, since, until, &gap), None));
    }
    let runtime = runtime().map_err(|error| fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")))?;
    let looked = runtime.block_on(async {
        let reader = place.open().await?;
        let looked = async {
            let gathered = gather(config, &reader, since, until).await?;
            let desk = weir_gateway::capacity::look(&reader, config, until).await?;
            Ok((gathered, Some(desk)))
        };
        let looked = looked.await.map_err(|error: weir_ledger::StoreError| error.to_string());
        reader.close().await;
        looked
    });
    looked.map_err(|why: String| fail(UNREACHABLE, why))
}

/// Prints the answers; the exit code is their grade.
pub(crate) fn show(common: &Common, readiness: &Readiness, (zone, zone_name): (&Zone, &str), detail: bool) -> ExitCode {
    let code = readiness.exit_code();
    if common.json {
        print(readiness.to_json());
        return ExitCode::from(code);
    }
    let text = shown(&readiness.to_text(zone, zone_name, detail));
    let mut lines = text.lines();
    print(bold(lines.next().unwrap_or_default()));
    for line in lines {
        print(coloured(line));
    }
    print(shown(&format!("exit {code}   (0 all pass · 1 a question fails · 3 not enough data · 2 usage)")));
    ExitCode::from(code)
}

/// The grade of a line in its colour.
fn coloured(line: &str) -> String {
    for (grade, colour) in [("PASS", 32), ("FAIL", 31)] {
        let mark = format!("  {grade}  ");
        if is_rich() && line.get(1..).is_some_and(|rest| rest.starts_with(&mark)) {
            return line.replacen(grade, &painted(colour, grade), 1);
        }
    }
    line.to_owned()
}

/// How far the simulation is, on a terminal.
#[derive(Default)]
struct Told {
    began: Option<std::time::Instant>,
    shown: bool,
}

impl Told {
    fn progress(&mut self, share: f64) {
        let began = *self.began.get_or_insert_with(std::time::Instant::now);
        if began.elapsed() < Duration::from_millis(300) || !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            return;
        }
        self.shown = true;
        draw(format_args!("\r\x1b[Ksimulating two hours without each first provider  {:.0} %", share * 100.0));
    }

    fn end(&self) {
        if self.shown {
            draw("\r\x1b[K");
        }
    }
}
