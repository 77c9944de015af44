//! From a question to what a plan is worked out from: which route is meant, what was recorded, what is asked already.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use weir_capacity::plan::{
    Arrivals, Calendar, Existing, Form, Hosting, Kind, Load, Question, Recorded, Service, Site, Trial, existing,
    recorded, service_of,
};
use weir_config::Config;
use weir_ledger::{CallFigures, DemandQuery, DemandStep, Figures, Filter, Query, Reader};
use weir_units::WallTime;

use super::site::{only_route, site_for};
use super::stated::stated;

/// How far back is looked for what is asked already, and for how fast answers are.
const BACK: Duration = Duration::from_secs(7 * 86_400);
/// Most requests of a recording from the ledger.
const MOST_RECORDED: u32 = 20_000;
/// Records of one page.
const PAGE: u32 = 2_000;

/// What is asked, ready to be worked out.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What there is.
    pub site: Site,
    /// What is to come.
    pub loads: Vec<Load>,
    /// What is asked already.
    pub existing: Vec<Existing>,
    /// For how long.
    pub calendar: Calendar,
    /// Machines to compare with.
    pub hosting: Option<Hosting>,
    /// What was taken for given.
    pub assumed: Assumed,
    /// What chance is drawn from.
    pub seed: u64,
    /// How long is simulated.
    pub span: Duration,
}

/// What was taken for given, so that a plan can say so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assumed {
    /// Each load, in words.
    pub loads: Vec<String>,
    /// How long an answer takes, in seconds, of each load.
    pub latency_s: Vec<f64>,
    /// Where that is from: said, measured or assumed.
    pub latency_from: Vec<&'static str>,
    /// What of other traffic was counted in.
    pub existing: String,
}

impl Assumed {
    /// All of it, a sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let of = |place: usize, load: &String| {
            let seconds = self.latency_s.get(place).copied().unwrap_or_default();
            let from = self.latency_from.get(place).copied().unwrap_or_default();
            format!("{load}, {} an answer ({from})", weir_capacity::plan::duration(seconds))
        };
        let mut all: Vec<String> = self.loads.iter().enumerate().map(|(place, load)| of(place, load)).collect();
        all.push(format!("Beside it: {}", self.existing));
        all
    }
}

/// Why a question cannot be worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unprepared {
    /// It is asked wrongly.
    Usage(String),
    /// Too little is known: nothing was recorded.
    Unknown(String),
    /// The ledger cannot be read.
    Ledger(String),
}

impl Prepared {
    /// As the formulas take it.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        let Self { site, loads, existing, calendar, hosting, .. } = self;
        Question { site, loads, existing, calendar: *calendar, hosting: *hosting }
    }

    /// As the simulation takes it.
    #[must_use]
    pub fn trial(&self) -> Trial {
        // What is asked of pools that the load does not touch says nothing.
        let touched: Vec<_> = self
            .loads
            .iter()
            .filter_map(|load| self.site.route(&load.route))
            .flat_map(|route| route.deployments)
            .flat_map(|id| self.site.pools_of(&id))
            .map(|(pool, _)| pool)
            .collect();
        let shares = |other: &&Existing| {
            self.site.pools_of(&other.deployment).iter().any(|(pool, _)| touched.contains(pool))
                && other.per_minute > 0.0
        };
        Trial {
            site: self.site.clone(),
            loads: self.loads.clone(),
            existing: self.existing.iter().filter(shares).map(Existing::as_load).collect(),
            seed: self.seed,
            span: self.span,
        }
    }
}

/// Works out what is meant. `traces` are recordings that were handed in, by the place of their question.
///
/// # Errors
/// If a route is not known or not said, nothing was recorded, or the ledger cannot be read.
pub async fn prepare(
    config: &Config,
    reader: Option<&Reader>,
    forms: &[Form],
    traces: &[Option<Vec<Recorded>>],
    now: WallTime,
) -> Result<Prepared, Unprepared> {
    let Some(first) = forms.first() else { return Err(Unprepared::Usage("nothing is asked".to_owned())) };
    let routes = forms.iter().map(|form| route_of(config, form)).collect::<Result<Vec<_>, _>>()?;
    let mut site = site_for(config, routes.iter().map(AsRef::as_ref));
    let since = WallTime(now.0.saturating_sub(i64::try_from(BACK.as_micros()).unwrap_or(i64::MAX)));
    let unread = |error: weir_ledger::StoreError| Unprepared::Ledger(error.to_string());
    if let Some(reader) = reader {
        site.stated = stated(reader, &site, now).await.map_err(unread)?;
    }
    let figures = match reader {
        Some(reader) => reader.figures(since, now).await.map_err(unread)?,
        None => Figures::default(),
    };
    let mut loads = Vec::new();
    let mut assumed =
        Assumed { loads: Vec::new(), latency_s: Vec::new(), latency_from: Vec::new(), existing: String::new() };
    for (place, (form, route)) in forms.iter().zip(&routes).enumerate() {
        let from = traces.get(place).and_then(Option::as_deref);
        let mut taken = Vec::new();
        let mut form = form.clone();
        if let Some(trace) = from {
            form.kind = Kind::Trace;
            taken = trace.to_vec();
        } else if let Kind::Like(like) = &form.kind {
            taken = recording(reader, like, now).await?;
        }
        let measured = measured(&site, &figures, route);
        let load = form.load(route, &taken, measured);
        assumed.loads.push(words(&form, &load));
        assumed.latency_s.push(load.mean_service());
        assumed.latency_from.push(match (form.latency, measured) {
            (Some(_), _) => "said",
            (None, Some(_)) => "measured",
            (None, None) => "assumed",
        });
        loads.push(load);
    }
    let rows = match reader.filter(|_| !first.alone) {
        Some(reader) => {
            reader.demand(&DemandQuery { from: since, until: now, step: DemandStep::Hour }).await.map_err(unread)?
        }
        None => Vec::new(),
    };
    let existing = existing(&site, &rows);
    assumed.existing = match (first.alone, reader, existing.is_empty()) {
        (true, ..) => "nothing else, as asked".to_owned(),
        (false, None, _) => "nothing else: there is no ledger".to_owned(),
        (false, Some(_), true) => "nothing else: nothing was asked in the last 7 days".to_owned(),
        (false, Some(_), false) => "what is asked already in its busiest hour of the last 7 days".to_owned(),
    };
    let hosting = first.hosting();
    let span = Duration::from_secs(first.minutes * 60);
    Ok(Prepared { site, loads, existing, calendar: first.calendar, hosting, assumed, seed: first.seed, span })
}

/// The route that a question means.
fn route_of(config: &Config, form: &Form) -> Result<Arc<str>, Unprepared> {
    let like = match &form.kind {
        Kind::Like(like) if form.route.is_none() && config.routes.contains_key(&**like) => Some(like.as_str()),
        _ => None,
    };
    let Some(named) = form.route.as_deref().or(like) else {
        return only_route(config).ok_or_else(|| {
            let names: Vec<&str> = config.routes.keys().map(AsRef::as_ref).filter(|name| *name != "*").collect();
            Unprepared::Usage(match names.is_empty() {
                true => "no route is declared: name a deployment as route, like `openai/gpt-5.2`".to_owned(),
                false => format!("which route is meant: one of {}", names.join(", ")),
            })
        });
    };
    if config.resolve(named, weir_wire::Dialect::OpenAi).is_some() {
        return Ok(named.into());
    }
    let near = weir_config::nearest(named, config.routes.keys().map(AsRef::as_ref));
    let hint = near.map_or(String::new(), |near| format!(": did you mean `{near}`?"));
    Err(Unprepared::Usage(format!("no route is named `{}`{hint}", weir_config::shown(named))))
}

/// How long answers of the deployment took that serves a route first: for that route, else for all.
fn measured(site: &Site, figures: &Figures, route: &str) -> Option<Service> {
    let first = site.route(route)?.deployments.into_iter().next()?.to_string();
    let own = |calls: &&weir_ledger::RouteCalls| *calls.deployment == *first;
    let for_route = figures.calls.iter().filter(own).find(|calls| calls.route.as_deref() == Some(route));
    for_route.and_then(|calls| service_of(&calls.figures)).or_else(|| {
        let mut all = CallFigures::default();
        figures.calls.iter().filter(own).for_each(|calls| all.merge(&calls.figures));
        service_of(&all)
    })
}

/// The last requests of a route.
async fn recording(reader: Option<&Reader>, route: &str, now: WallTime) -> Result<Vec<Recorded>, Unprepared> {
    let none =
        |why: &str| Unprepared::Unknown(format!("nothing was recorded of `{}`: {why}", weir_config::shown(route)));
    let Some(reader) = reader else { return Err(none("there is no ledger")) };
    let filter = Filter { route: Some(route.to_owned()), until: Some(now), ..Filter::default() };
    let mut query = Query { filter, limit: PAGE, before: None };
    let mut records: Vec<String> = Vec::new();
    while records.len() < MOST_RECORDED as usize {
        let page = reader.requests(&query).await.map_err(|error| Unprepared::Ledger(error.to_string()))?;
        let full = page.len() == PAGE as usize;
        records.extend(page);
        query.before = records.last().and_then(|record| id_of(record));
        if !full || query.before.is_none() {
            break;
        }
    }
    let taken = recorded(&records);
    if taken.is_empty() { Err(none("no request of it with tokens is in the ledger")) } else { Ok(taken) }
}

fn id_of(record: &str) -> Option<weir_units::RequestId> {
    let record: serde_json::Value = serde_json::from_str(record).ok()?;
    record.get("id")?.as_str()?.parse().ok()
}

fn words(form: &Form, load: &Load) -> String {
    let tokens = |count: f64| weir_capacity::plan::figure(count);
    let sizes = format!("{} tokens in, {} out", tokens(load.mean_input()), tokens(load.mean_output()));
    let of = format!("of `{}`", weir_config::shown(&load.route));
    let times = if form.times == 1.0 { String::new() } else { format!(", {} times over", form.times) };
    match &form.kind {
        Kind::Users(users, think) => {
            let think = weir_capacity::plan::duration(think.as_secs_f64());
            format!(
                "{} {of} who think {think} between requests, {sizes}",
                weir_units::numbers::counted(u64::from(*users), "user")
            )
        }
        Kind::Rate(per_minute) => format!("{} requests/min {of}, {sizes}", tokens(*per_minute)),
        Kind::Trace => {
            let requests = weir_units::numbers::counted(recorded_of(load), "recorded request");
            format!("{requests} {of}{times}, {sizes} on average")
        }
        Kind::Like(like) if *like == *load.route => format!("what is asked {of} now{times}, {sizes} on average"),
        Kind::Like(like) => {
            format!("as much {of} as is asked of `{}` now{times}, {sizes} on average", weir_config::shown(like))
        }
    }
}

fn recorded_of(load: &Load) -> u64 {
    match &load.arrivals {
        Arrivals::Recorded { requests, .. } => requests.len() as u64,
        _ => 0,
    }
}
