//! Figures for a page: what of the admin API it is made from, and the context that it is made in.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use weir_capacity::desk::Desk;
use weir_config::Right;
use weir_dashboard::figures::{
    Alert, Alerts, Budgets, Event, Headroom, Keys, Live, Readiness, Record, Run, Runs, Series,
};
use weir_dashboard::frame::{Content, Context, Page, Viewer};
use weir_dashboard::pages::{
    self, FIELDS, OverviewFigures, PlanFigures, ProvidersFigures, RequestsFigures, SpendFigures,
};
use weir_dashboard::params::{Params, decoded, encoded, segment};
use weir_dashboard::range::Range;
use weir_dashboard::words::headline::{Headline, Tone};
use weir_dashboard::words::{Clock, sheet_cell};
use weir_units::Moment;

use super::ask::{self, Fault};
use super::{Visit, page_at, respond};
use crate::admin::people::Person;
use crate::body::ReplyBody;
use crate::clock::wall;
use crate::planning::{self, PlanAnswer, ProofState, Unanswered};

/// Rows of a list.
const ROWS: usize = 50;
/// Rows of an export.
const EXPORTED: usize = 1_000;
/// Facts that say what changed at providers.
const CHANGES: &str = "BreakerChanged,CredentialBenched,CredentialRestored,ModelBenched,ModelRestored,LimitChanged";

/// Answers about the ledger that are used again for a while, by what they are of: between two ticks of a live page little
/// changes in six hours.
#[derive(Default)]
pub(super) struct Cache(Mutex<BTreeMap<String, (Moment, Bytes)>>);

/// How long they are: in the thousandth part of its range hardly anything changes, but nobody wants to wait for a minute.
fn kept(range: Option<&Range>) -> Duration {
    let part = range.map_or(Duration::ZERO, |range| range.span() / 1_000);
    part.clamp(Duration::from_secs(2), Duration::from_secs(30))
}

/// The page at the address that is visited; none if there is no such page. What cannot be read is said on the page.
pub(super) async fn page(
    visit: &Visit<'_>,
    person: &Person,
    cache: Option<&Cache>,
) -> Result<Option<(Context, Content)>, Fault> {
    let path = visit.params.path();
    if let Some(page) = page_at(path) {
        let context = context(visit, person, Some(page)).await;
        let content = match content(visit, person, &context, page, cache).await {
            Ok(content) => content,
            Err(fault) if fault.status.is_client_error() => return Err(fault),
            Err(fault) => {
                let headline = Headline::new(Tone::Warn, "The figures of this page cannot be read at the moment.");
                let again = context.params.href();
                Content::new(page, headline).region("fault", pages::fault(page.title(), &fault.message, &again))
            }
        };
        return Ok(Some((context, content)));
    }
    let (kind, name) = path.strip_prefix("/dashboard/").and_then(|rest| rest.split_once('/')).unwrap_or_default();
    let name = decoded(name);
    match kind {
        "requests" if !name.is_empty() => {
            let context = context(visit, person, None).await;
            let uri = format!("/admin/v1/requests/{}", segment(&name));
            let record: Record = ask::get(visit.shared, person, &uri).await?;
            let same = same_call(visit, person, &context, &record).await;
            let content = pages::request(&context, &record, same);
            Ok(Some((context, content)))
        }
        "runs" if !name.is_empty() => {
            let context = context(visit, person, None).await;
            let mut uri = format!("/admin/v1/runs/{}", segment(&name));
            if let Some(tenant) = visit.params.get("tenant") {
                uri.push_str(&format!("?tenant={}", encoded(tenant)));
            }
            let run: Run = ask::get(visit.shared, person, &uri).await?;
            let content = pages::run(&context, &run);
            Ok(Some((context, content)))
        }
        "alerts" if !name.is_empty() => {
            let context = context(visit, person, None).await;
            let alert: Alert = ask::get(visit.shared, person, &format!("/admin/v1/alerts/{}", segment(&name))).await?;
            let content = pages::alert(&context, &alert);
            Ok(Some((context, content)))
        }
        _ => Ok(None),
    }
}

/// How many requests asked for the same within the minutes around this one, itself among them.
async fn same_call(visit: &Visit<'_>, person: &Person, context: &Context, record: &Record) -> Option<u64> {
    let (content, range) = (record.content.as_deref()?, pages::around(context, record)?);
    let uri = format!("/admin/v1/requests/count?content={}&{}", encoded(content), ends(&range));
    ask::get::<Counted>(visit.shared, person, &uri).await.ok().map(|counted| counted.count)
}

/// What a page is made in.
pub(super) async fn context(visit: &Visit<'_>, person: &Person, page: Option<Page>) -> Context {
    let live = visit.shared.live.load_full();
    let config = &live.config;
    let clock = Clock { zone: config.zone.clone(), zone_name: config.server.timezone.clone(), now: wall() };
    let usual = match page {
        Some(Page::Overview | Page::Requests) => Some("6h"),
        Some(Page::Providers | Page::Waste) => Some("24h"),
        Some(Page::Spend) => Some("7d"),
        _ => None,
    };
    let scheme = if live.tls.is_some() { "https" } else { "http" };
    let address = config.server.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", visit.host()));
    let named = config.routes.keys().find(|route| &***route != "*").map(ToString::to_string);
    let declared = || {
        let mut models = config.providers.iter().flat_map(|(p, it)| it.models.keys().map(move |m| format!("{p}/{m}")));
        models.next()
    };
    let first = || config.providers.keys().next().map(|provider| format!("{provider}/fast"));
    Context {
        range: usual.map(|usual| Range::read(&visit.params, &clock, usual)),
        params: visit.params.without("done"),
        viewer: Viewer {
            name: config.asks_admins().then(|| person.name.to_string()),
            role: person.role.name(),
            may_write: person.role.has(Right::Change),
        },
        clock,
        theme: visit.theme,
        address,
        asks_for_keys: live.asks_for_keys(),
        model: named.or_else(declared).or_else(first).unwrap_or_else(|| "mock/fast".to_owned()),
        notice: match visit.params.get("done") {
            Some("released") => Some("Released: its requests are let through again.".to_owned()),
            Some("acknowledged") => Some("Acknowledged: it is yours, and is not escalated.".to_owned()),
            Some("silenced") => Some("Silenced: nobody is told of it until then.".to_owned()),
            Some("unsilenced") => Some("The silence is over.".to_owned()),
            Some("sent") => Some("A test was sent and taken.".to_owned()),
            Some("revoked") => Some("Revoked: nobody gets in with that key any more.".to_owned()),
            _ => None,
        },
        alerts: open_alerts(visit, person).await,
    }
}

/// How many alerts are open and nobody has taken on, and how many of them are grave.
async fn open_alerts(visit: &Visit<'_>, person: &Person) -> Option<(u64, u64)> {
    let open: Alerts = ask::get(visit.shared, person, "/admin/v1/alerts?state=open&limit=100").await.ok()?;
    let waiting: Vec<&Alert> = open.alerts.iter().filter(|alert| alert.state == "open").collect();
    Some((waiting.len() as u64, waiting.iter().filter(|alert| alert.is_grave()).count() as u64))
}

/// What the page is made of.
async fn content(
    visit: &Visit<'_>,
    person: &Person,
    context: &Context,
    page: Page,
    cache: Option<&Cache>,
) -> Result<Content, Fault> {
    let asking = Asking { visit, person, cache };
    Ok(match page {
        Page::Overview => pages::overview(context, &asking.overview(context).await?),
        Page::Requests if cache.is_some() && context.params.get("seen").is_some() => asking.newer(context).await?,
        Page::Requests => pages::requests(context, &asking.requests(context).await?),
        Page::Runs => pages::runs(context, &asking.runs(context).await?),
        Page::Limits => pages::limits(context, &asking.get::<Headroom>("/admin/v1/headroom").await?),
        Page::Readiness => pages::readiness(context, &asking.get::<Readiness>("/admin/v1/readiness").await?),
        Page::Capacity => pages::capacity(context, &asking.get::<Desk>("/admin/v1/capacity").await?),
        Page::Plan => pages::plan(context, &asking.plan(context).await?),
        Page::Providers => pages::providers(context, &asking.providers(context).await?),
        Page::Spend => pages::spend(context, &asking.spend(context).await?),
        Page::Waste => {
            let by = encoded(context.params.get("by").unwrap_or("key"));
            let range = context.range.as_ref().map(ends).unwrap_or_default();
            let uri = format!("/admin/v1/waste?by={by}&top=20&{range}");
            pages::waste(context, &asking.kept(&format!("waste {by}"), &uri, context).await?)
        }
        Page::Alerts => pages::alerts(context, &asking.get::<Alerts>("/admin/v1/alerts").await?),
        Page::Keys => {
            let keys: Keys = asking.get("/admin/v1/keys").await?;
            let budgets: Budgets = asking.get("/admin/v1/budgets").await?;
            pages::keys(context, &keys, &budgets)
        }
    })
}

struct Asking<'a> {
    visit: &'a Visit<'a>,
    person: &'a Person,
    cache: Option<&'a Cache>,
}

impl Asking<'_> {
    async fn get<T: DeserializeOwned>(&self, uri: &str) -> Result<T, Fault> {
        ask::get(self.visit.shared, self.person, uri).await
    }

    /// Reads what is in the ledger; `what` names it for the cache.
    async fn kept<T: DeserializeOwned>(&self, what: &str, uri: &str, context: &Context) -> Result<T, Fault> {
        let Some(Cache(answers)) = self.cache else { return self.get(uri).await };
        let (now, lasts) = (self.visit.shared.clock.now(), kept(context.range.as_ref()));
        let fresh = answers.lock().unwrap_or_else(PoisonError::into_inner).get(what).cloned();
        let answer = match fresh {
            Some((at, answer)) if now.since(at) < lasts => answer,
            _ => {
                let answer = ask::raw(self.visit.shared, self.person, uri).await?;
                answers.lock().unwrap_or_else(PoisonError::into_inner).insert(what.to_owned(), (now, answer.clone()));
                answer
            }
        };
        ask::read(&answer)
    }

    /// Counts over the range of the page, or the same a week before.
    async fn series(&self, context: &Context, more: &str, week_before: bool) -> Result<Series, Fault> {
        let range = context.range.clone().unwrap_or(Range { since: wall(), until: wall(), offered: None });
        let range = if week_before { range.week_before() } else { range };
        let uri = format!("/admin/v1/series?{}&{more}", ends(&range));
        self.kept(&format!("series {more} {week_before}"), &uri, context).await
    }

    async fn overview(&self, context: &Context) -> Result<OverviewFigures, Fault> {
        let live: Live = self.get("/admin/v1/live").await?;
        let halted: Runs = self.get("/admin/v1/runs?state=halted&limit=5").await?;
        let series = self.series(context, "by=provider&top=8", false).await.map_err(|fault| fault.message);
        // A page without last week's figures is still one.
        let before = self.series(context, "step=day", true).await.ok().map(|series| series.all.total);
        let open: Alerts = self.get("/admin/v1/alerts?state=open&limit=5").await?;
        Ok(OverviewFigures { live, series, before, halted: halted.runs, alerts: open.alerts })
    }

    async fn requests(&self, context: &Context) -> Result<RequestsFigures, Fault> {
        let range = context.range.as_ref().map(ends).unwrap_or_default();
        let filter = filter(&context.params);
        let before = context.params.get("before").map_or(String::new(), |id| format!("&before={}", encoded(id)));
        let rows: Records = self.get(&format!("/admin/v1/requests?limit={}&{range}{filter}{before}", ROWS + 1)).await?;
        let mut rows = rows.requests;
        let more = rows.len() > ROWS;
        rows.truncate(ROWS);
        let total: Option<Counted> = self.get(&format!("/admin/v1/requests/count?{range}{filter}")).await.ok();
        let series = self.get(&format!("/admin/v1/series?{range}{filter}")).await.ok();
        Ok(RequestsFigures { rows, more, total: total.map(|total| (total.count, total.more)), series })
    }

    /// How many requests came after those that the page shows.
    async fn newer(&self, context: &Context) -> Result<Content, Fault> {
        let seen: i64 = context.params.get("seen").and_then(|ms| ms.parse().ok()).unwrap_or(context.clock.now.millis());
        let uri = format!("/admin/v1/requests/count?since={}{}", seen.saturating_add(1), filter(&context.params));
        let counted: Counted = self.get(&uri).await?;
        Ok(pages::newer(context, counted.count, counted.more))
    }

    async fn runs(&self, context: &Context) -> Result<Runs, Fault> {
        let mut uri = "/admin/v1/runs?limit=100".to_owned();
        for name in ["state", "tenant", "after"] {
            if let Some(value) = context.params.get(name) {
                let value = if value == "slowed" { "slow" } else { value };
                uri.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        self.get(&uri).await
    }

    async fn providers(&self, context: &Context) -> Result<ProvidersFigures, Fault> {
        let live: Live = self.get("/admin/v1/live").await?;
        let headroom: Headroom = self.get("/admin/v1/headroom").await?;
        let range = self.series(context, "by=deployment&top=30", false).await.map_err(|fault| fault.message);
        let uptime = self.kept("uptime", "/admin/v1/uptime", context).await.map_err(|fault| fault.message);
        let shown = context.range.as_ref().map(ends).unwrap_or_default();
        let uri = format!("/admin/v1/facts?kind={CHANGES}&limit=200&{shown}");
        let facts: Facts = self.kept("facts", &uri, context).await?;
        Ok(ProvidersFigures { live, headroom, range, uptime, facts: facts.facts })
    }

    /// The plan that the address asks for; it is worked out in this process, by who may look at it.
    async fn plan(&self, context: &Context) -> Result<PlanFigures, Fault> {
        self.person.check(Right::View)?;
        let shared = self.visit.shared;
        let mut figures = PlanFigures::default();
        for (name, text) in context.params.pairs() {
            if let Err(expected) = figures.form.set(name, text) {
                figures.wrong = Some(format!("{name} is not what it takes: {expected}"));
            }
        }
        let live = shared.live.load_full();
        figures.routes = live.config.routes.keys().filter(|name| &***name != "*").map(ToString::to_string).collect();
        if figures.form.route.is_none() && planning::only_route(&live.config).is_none() {
            // Where none is said, the first stands for it: the page is there to be looked at.
            figures.form.route = figures.routes.first().cloned().or_else(|| Some(context.model.clone()));
        }
        match planning::answer(shared, &figures.form).await {
            Ok(PlanAnswer { plan, assumed, proof }) => {
                figures.proving = match proof {
                    ProofState::Running { share } => {
                        Some(format!("Being simulated: {} done.", weir_capacity::plan::percent(share)))
                    }
                    ProofState::Waiting => Some("Another load is simulated first.".to_owned()),
                    ProofState::Done | ProofState::Off | ProofState::None { .. } => None,
                };
                figures.given = assumed.sentences();
                figures.plan = Some(plan);
            }
            Err(Unanswered::Usage(why) | Unanswered::Unknown(why)) => figures.wrong = Some(why),
            Err(Unanswered::Ledger(error)) => {
                tracing::error!(%error, "the ledger cannot be read");
                figures.wrong = Some("the ledger cannot be read at the moment: see the log".to_owned());
            }
        }
        Ok(figures)
    }

    async fn spend(&self, context: &Context) -> Result<SpendFigures, Fault> {
        let by = pages::apart(&context.params);
        let long = context.range.as_ref().is_some_and(|range| range.span() >= Duration::from_secs(3 * 86_400));
        let more = format!("by={}&top=100{}", encoded(&by), if long { "&step=day" } else { "" });
        let range = self.series(context, &more, false).await?;
        let before = self.series(context, &more, true).await.unwrap_or_default();
        Ok(SpendFigures { range, before })
    }
}

/// A page of records.
#[derive(serde::Deserialize)]
struct Records {
    requests: Vec<Record>,
}

/// How many requests there are.
#[derive(serde::Deserialize)]
struct Counted {
    count: u64,
    more: bool,
}

/// Facts.
#[derive(serde::Deserialize)]
struct Facts {
    facts: Vec<Event>,
}

/// A range as the admin API takes it.
fn ends(range: &Range) -> String {
    format!("since={}&until={}", range.since.millis(), range.until.millis())
}

/// The filters that an address sets, as the admin API takes them.
fn filter(params: &Params) -> String {
    let set = FIELDS.iter().filter_map(|(name, ..)| params.get(name).map(|value| (name, value)));
    set.map(|(name, value)| format!("&{name}={}", encoded(value.trim()))).collect()
}

/// The record of one request, as a program is told it.
pub(super) async fn record(visit: &Visit<'_>, person: &Person, id: &str) -> Response<ReplyBody> {
    match ask::raw(visit.shared, person, &format!("/admin/v1/requests/{}", segment(&decoded(id)))).await {
        Ok(record) => crate::reply::json(StatusCode::OK, record),
        Err(fault) => respond::page(fault.status, visit.say(&fault.message)),
    }
}

/// The requests that a filter matches, as a file.
pub(super) async fn export(visit: &Visit<'_>, person: &Person, csv: bool) -> Response<ReplyBody> {
    let context = context(visit, person, Some(Page::Requests)).await;
    let range = context.range.as_ref().map(ends).unwrap_or_default();
    let uri = format!("/admin/v1/requests?limit={EXPORTED}&{range}{}", filter(&visit.params));
    let told: Value = match ask::get(visit.shared, person, &uri).await {
        Ok(told) => told,
        Err(fault) => return respond::page(fault.status, visit.say(&fault.message)),
    };
    if !csv {
        return respond::file("application/json", "attachment; filename=\"requests.json\"", format!("{told}\n"));
    }
    let records: Vec<Record> = serde_json::from_value(told["requests"].clone()).unwrap_or_default();
    let mut text =
        "id,started_at,outcome,status,code,refused_by,route,model,key,tenant,run,attempts,queued_ms,cost_usd\r\n"
            .to_owned();
    for record in &records {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            record.id.clone(),
            record.started_at.clone(),
            record.outcome.clone(),
            record.status.map_or(String::new(), |status| status.to_string()),
            or_none(&record.code),
            or_none(&record.refused_by),
            or_none(&record.route),
            or_none(&record.model),
            or_none(&record.key),
            or_none(&record.tenant),
            or_none(&record.run),
            record.attempts.len().to_string(),
            record.queued_ms.to_string(),
            or_none(&record.cost_usd),
        ];
        text.push_str(&cells.map(|cell| sheet_cell(&cell)).join(","));
        text.push_str("\r\n");
    }
    respond::file("text/csv; charset=utf-8", "attachment; filename=\"requests.csv\"", text)
}
