//! `weir simulate`: a scenario in invented time, with the engine that decides live; a day takes half a minute.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use weir_sim::{Gateway, Outcome, PassThrough, Report, Scenario, Weir, World};
use weir_units::Moment;

use crate::terminal::{USAGE, bold, draw, fail, numbers, print, say, shown};
use crate::{Common, reading, replay};

/// A run this short needs no progress.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a line says how far it is, where nobody watches a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const BAR: usize = 20;

/// Exit codes: 0 simulated, or replayed alike · 1 replayed, and decided otherwise · 2 wrong usage, or a scenario or tape that
/// cannot be read.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The scenario (docs/guide/simulate.md)
    #[arg(value_name = "SCENARIO", required_unless_present = "replay")]
    scenario: Option<PathBuf>,
    /// Instead of a scenario: decide again what a gateway decided that ran with `weir serve --record TAPE`, and compare
    #[arg(long, value_name = "TAPE", conflicts_with_all = ["scenario", "plot", "naive", "seed"])]
    replay: Option<PathBuf>,
    /// Draw the run into this file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Run it without Weir as well: every request is sent at once, and what comes back is passed on
    #[arg(long)]
    naive: bool,
    /// Draw all chance from this, in the place of the scenario's own seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Simulates a scenario.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    if let Some(tape) = &arguments.replay {
        return replay::run(common, tape);
    }
    let scenario = match read(arguments) {
        Ok(scenario) => scenario,
        Err(code) => return code,
    };
    let world = World::of(&scenario);
    let outcome = play(&scenario, &world, "with Weir", |number| Weir::new(&scenario, &world, number));
    let naive = arguments.naive.then(|| play(&scenario, &world, "without Weir", |_| PassThrough::new(&world)));
    let report = Report::of(&scenario, &outcome);
    let naive = naive.map(|outcome| Report::of(&scenario, &outcome));
    if let Some(file) = &arguments.plot
        && let Err(error) = std::fs::write(file, weir_sim::plot(&scenario, &outcome))
    {
        let file = shown(&file.display().to_string());
        return fail(USAGE, format_args!("`{file}` cannot be written: {error}"));
    }
    if common.json {
        print(json!({ "weir": report, "naive": naive }));
        return ExitCode::SUCCESS;
    }
    let text = report.to_string();
    let (headline, rest) = text.split_once('\n').unwrap_or((&text, ""));
    print(bold(&shown(headline)));
    if let Some(naive) = &naive {
        print(shown(&format!("without Weir: {}", naive.headline())));
    }
    print(shown(rest));
    if let Some(naive) = &naive {
        print(shown(&format!("\n{}", report.beside(naive))));
    }
    ExitCode::SUCCESS
}

/// Reads the scenario, and the config that it names; what is wrong with them is said.
fn read(arguments: &Arguments) -> Result<Scenario, ExitCode> {
    let file = arguments.scenario.as_deref().unwrap_or(Path::new(""));
    let text = std::fs::read_to_string(file).map_err(|error| {
        let file = weir_config::shown(&file.display().to_string());
        fail(USAGE, format_args!("scenario `{file}` cannot be read: {error}"))
    })?;
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let open = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
    let mut scenario = Scenario::read(&text, file, &open).map_err(|faults| {
        faults.iter().for_each(say);
        ExitCode::from(USAGE)
    })?;
    if let Some(seed) = arguments.seed {
        scenario.seed = seed;
    }
    if let Some(config) = scenario.gateway.config.clone() {
        let report = reading::report(Some(&folder.join(config)));
        let Some(config) = report.config.filter(|_| report.faults.is_empty()) else {
            report.faults.iter().for_each(say);
            return Err(ExitCode::from(USAGE));
        };
        scenario.adopt(&config).map_err(|missing| {
            let file = weir_config::shown(&file.display().to_string());
            missing.iter().for_each(|what| say(format_args!("error: {what}\n  in {file}")));
            ExitCode::from(USAGE)
        })?;
    }
    Ok(scenario)
}

/// Runs it, and says on stderr how far it is where that takes long.
fn play<G: Gateway>(scenario: &Scenario, world: &World, what: &str, gateway: impl FnMut(usize) -> G) -> Outcome {
    let mut progress = Progress { began: Instant::now(), said: None, of: scenario.duration, what };
    let outcome = weir_sim::run_watched(scenario, world, gateway, |now| progress.show(now));
    progress.clear();
    outcome
}

struct Progress<'a> {
    began: Instant,
    said: Option<Instant>,
    of: Duration,
    what: &'a str,
}

impl Progress<'_> {
    fn show(&mut self, now: Moment) {
        let (done, took) = (now.since(Moment::ZERO), self.began.elapsed());
        let every = if Self::is_drawn() { PATIENCE } else { LINE_EVERY };
        if self.said.map_or(took, |said| said.elapsed()) < every {
            return;
        }
        self.said = Some(Instant::now());
        let (part, whole) = (done.as_millis().max(1), self.of.as_millis().max(1));
        let left = took.mul_f64((whole.saturating_sub(part) as f64) / part as f64);
        let percent = numbers::share(u64::try_from(part).unwrap_or(0), u64::try_from(whole).unwrap_or(1));
        let (what, left) = (self.what, left.as_secs());
        if Self::is_drawn() {
            let filled = (BAR as u128 * part / whole).min(BAR as u128) as usize;
            let bar = shown(&format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled)));
            draw(format_args!("\r simulating {what} [{bar}] {}  {left} s left \x1b[K", shown(&percent)));
        } else {
            say(format_args!("simulating {what}: {}, {left} s left", shown(&percent)));
        }
    }

    fn clear(&self) {
        if self.said.is_some() && Self::is_drawn() {
            draw("\r\x1b[K");
        }
    }

    fn is_drawn() -> bool {
        std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }
}
