//! `weir plan`: will this load fit, which limit binds, who would wait, what it costs, and what if a provider were gone.

mod progress;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use weir_capacity::plan::{Form, Plan, Prover, Recorded, Verdict, conclude, traced};
use weir_config::Config;
use weir_gateway::{Prepared, Unprepared, prepare};

use crate::ledger::Place;
use crate::proof::Simulator;
use crate::serve::runtime;
use crate::terminal::{NO, UNKNOWN, UNREACHABLE, USAGE, fail, print, say, shown};
use crate::{Common, reading, when};

#[derive(Args)]
#[command(
    after_help = "Unsaid, it is 500 users on a Tuesday afternoon: 30 s between an answer and the next request, 3,000 tokens in, 500 out.\n\
The formulas are worked out first and the engine is then played against the load in invented time, whose answer is believed. What is\n\
asked already counts, from the ledger (--alone leaves it out). An answer takes as long as the ledger says, or --latency.\n\n\
Exit codes: 0 it fits · 1 it does not · 2 wrong usage, or the configuration cannot be read · 3 a limit, a price or a recording is\n\
not known · 4 the ledger cannot be read"
)]
pub(crate) struct Arguments {
    /// The route, or a deployment; may be left out where there is one route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// How many people use it at once
    #[arg(long, value_name = "N")]
    users: Option<String>,
    /// How long they take from an answer to the next request, on average
    #[arg(long, value_name = "SPAN")]
    think: Option<String>,
    /// Requests a minute, in the place of users
    #[arg(long, value_name = "N", conflicts_with_all = ["users", "think"])]
    requests_per_minute: Option<String>,
    /// Input tokens of a request, on average
    #[arg(long, alias = "tokens-in", value_name = "N")]
    input_tokens: Option<String>,
    /// Output tokens of an answer, on average
    #[arg(long, alias = "tokens-out", value_name = "N")]
    output_tokens: Option<String>,
    /// The bound on output that requests set; some providers count it in full
    #[arg(long, value_name = "N")]
    max_tokens: Option<String>,
    /// The share of the input that the provider has in its prompt cache
    #[arg(long, value_name = "SHARE")]
    cached: Option<String>,
    /// How much sizes differ: the deviation of their logarithm; public traces have about 1
    #[arg(long, value_name = "N")]
    sigma: Option<String>,
    /// How long an answer takes, from first byte sent to last received
    #[arg(long, value_name = "SPAN")]
    latency: Option<String>,
    /// How long a request may wait for capacity
    #[arg(long, value_name = "SPAN")]
    deadline: Option<String>,
    /// A recording instead: CSV with the columns at, input, output, or JSON Lines of `weir export`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "think", "requests_per_minute", "like"])]
    trace: Option<PathBuf>,
    /// As this route is asked now, by the ledger
    #[arg(long, value_name = "ROUTE", conflicts_with_all = ["users", "think", "requests_per_minute"])]
    like: Option<String>,
    /// So many times the recording, or that route
    #[arg(long, value_name = "N")]
    times: Option<String>,
    /// A further load beside it: its settings, with blanks between, as in "route=chat users=200 output-tokens=800"
    #[arg(long = "and", value_name = "SETTINGS")]
    and: Vec<String>,
    /// Hours a day that it goes on
    #[arg(long, value_name = "N")]
    hours: Option<String>,
    /// Days a month
    #[arg(long, value_name = "N")]
    days: Option<String>,
    /// Leave out what is asked already
    #[arg(long)]
    alone: bool,
    /// What an hour of a GPU of your own costs, in dollars, to compare with
    #[arg(long, value_name = "USD", requires = "gpu_tokens_per_second")]
    gpu_hour: Option<String>,
    /// Tokens a second, input and output together, that you measured one to serve
    #[arg(long, value_name = "N", requires = "gpu_hour")]
    gpu_tokens_per_second: Option<String>,
    /// How many there are; as many as the peak takes, if it is not said
    #[arg(long, value_name = "N")]
    gpus: Option<String>,
    /// Work out the formulas alone
    #[arg(long)]
    no_proof: bool,
    /// Draw the simulation's chance from this
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// How many minutes are simulated
    #[arg(long, value_name = "N")]
    minutes: Option<String>,
    /// Read this ledger, its file or url
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
    /// As if it were this time, for what is asked already
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// Works a plan out and shows it.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let config = match reading::sound_config(common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let forms = match forms(arguments) {
        Ok(forms) => forms,
        Err(why) => return fail(USAGE, why),
    };
    let trace = match arguments.trace.as_deref().map(read_trace).transpose() {
        Ok(trace) => trace,
        Err(why) => return fail(USAGE, why),
    };
    let now = match arguments.at.as_deref() {
        None => when::now(),
        Some(text) => match when::moment(text, &config.zone, when::now()) {
            Ok(at) => at,
            Err(why) => return fail(USAGE, format_args!("--at: {why}")),
        },
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let prepared = runtime.block_on(async {
        let reader = reader(arguments, &config).await?;
        prepare(&config, reader.as_ref(), &forms, &[trace], now).await
    });
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(Unprepared::Usage(why)) => return fail(USAGE, shown(&why)),
        Err(Unprepared::Unknown(why)) => return fail(UNKNOWN, shown(&why)),
        Err(Unprepared::Ledger(why)) => return fail(UNREACHABLE, shown(&why)),
    };
    let plan = work_out(&prepared, forms[0].proof);
    if common.json {
        print(json!({ "headline": plan.headline(), "plan": plan, "assumed": prepared.assumed, "exit": exit(&plan) }));
    } else {
        show::show(&plan, &prepared);
    }
    ExitCode::from(exit(&plan))
}

/// The formulas, and the simulation where they leave anything to be simulated.
fn work_out(prepared: &Prepared, prove: bool) -> Plan {
    let question = prepared.question();
    let formula = conclude(&question, None);
    if !prove || formula.verdict == Verdict::Unknown && !formula.formula.missing.is_empty() {
        return formula;
    }
    let mut progress = progress::Progress::begin("simulating");
    let proof = Simulator.plan(&prepared.trial(), &mut |share| progress.show(share));
    progress.clear();
    match proof {
        Ok(proof) => conclude(&question, Some(proof)),
        Err(why) => {
            say(format_args!("not simulated: {}", shown(&why)));
            formula
        }
    }
}

fn exit(plan: &Plan) -> u8 {
    match plan.verdict {
        Verdict::Fits => 0,
        Verdict::DoesNotFit => NO,
        Verdict::Unknown => UNKNOWN,
    }
}

/// What is asked: the first load, and those beside it.
fn forms(arguments: &Arguments) -> Result<Vec<Form>, String> {
    let mut first = Form { alone: arguments.alone, proof: !arguments.no_proof, ..Form::default() };
    let said = [
        ("route", &arguments.route),
        ("users", &arguments.users),
        ("think", &arguments.think),
        ("requests-per-minute", &arguments.requests_per_minute),
        ("like", &arguments.like),
        ("times", &arguments.times),
        ("input-tokens", &arguments.input_tokens),
        ("output-tokens", &arguments.output_tokens),
        ("max-tokens", &arguments.max_tokens),
        ("cached", &arguments.cached),
        ("sigma", &arguments.sigma),
        ("latency", &arguments.latency),
        ("deadline", &arguments.deadline),
        ("hours", &arguments.hours),
        ("days", &arguments.days),
        ("gpu-hour", &arguments.gpu_hour),
        ("gpu-tokens-per-second", &arguments.gpu_tokens_per_second),
        ("gpus", &arguments.gpus),
        ("seed", &arguments.seed),
        ("minutes", &arguments.minutes),
    ];
    for (name, text) in said {
        let Some(text) = text else { continue };
        first.set(name, text).map_err(|expected| wrong(&format!("--{name}"), text, &expected))?;
    }
    if arguments.times.is_some() && arguments.like.is_none() && arguments.trace.is_none() {
        return Err("--times says how many times --like or --trace is meant, and neither is there".to_owned());
    }
    let mut forms = vec![first];
    for settings in &arguments.and {
        let mut form = Form { calendar: forms[0].calendar, ..Form::default() };
        for setting in settings.split_whitespace() {
            let (name, text) = setting.split_once('=').ok_or_else(|| wrong("--and", setting, "`name=value`"))?;
            if !form.set(name, text).map_err(|expected| wrong(&format!("--and {name}"), text, &expected))? {
                return Err(format!(
                    "--and: there is no `{}`: {} are",
                    weir_config::shown(name),
                    Form::NAMES.join(", ")
                ));
            }
        }
        forms.push(form);
    }
    Ok(forms)
}

fn wrong(what: &str, text: &str, expected: &str) -> String {
    format!("{what}: `{}` is not what it takes: {expected}", weir_config::shown(text))
}

fn read_trace(path: &Path) -> Result<Vec<Recorded>, String> {
    let name = weir_config::shown(&path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| format!("trace `{name}` cannot be read: {error}"))?;
    traced(&text).map_err(|why| format!("trace `{name}`: {why}"))
}

/// The ledger that is named, or the configuration's where there is one.
async fn reader(arguments: &Arguments, config: &Config) -> Result<Option<weir_ledger::Reader>, Unprepared> {
    match &arguments.ledger {
        Some(named) => {
            let place = Place::named(named).map_err(Unprepared::Usage)?;
            place.open().await.map(Some).map_err(Unprepared::Ledger)
        }
        None if reading::is_there(config) => match reading::ledger(config).await {
            Ok((reader, _)) => Ok(Some(reader)),
            Err(why) => Err(Unprepared::Ledger(why)),
        },
        None => Ok(None),
    }
}
