//! Stories of plans: literal loads on literal sites.

use std::sync::Arc;
use std::time::Duration;

use weir_engine::{ChargeModel, PoolLimits, ProviderLimits, RESERVE_FOR_INTERACTIVE_PPM, Strategy};
use weir_units::{DeploymentId, Dimension, Limits, NanoUsd, Price, Rates};

use super::*;
use crate::plan::{Deployment, Recorded, Service, SiteRoute, Sizes, Tells};

const REQUESTS: Dimension = Dimension::RequestsPerMinute;
const INPUT: Dimension = Dimension::InputTokensPerMinute;
const AT_ONCE: Dimension = Dimension::ConcurrentRequests;

/// `smart`: gpt-5.2 in the pool gpt-5, then sonnet at anthropic, both with these limits.
fn site(gpt: Limits, sonnet: Limits) -> Site {
    let mut site = Site { max_wait: Duration::from_secs(30), ..Site::default() };
    let ids = [DeploymentId::new("openai", "gpt-5.2"), DeploymentId::new("anthropic", "sonnet")];
    let price = |input: &str, output: &str| {
        let rates = Rates { input: input.parse().ok(), output: output.parse().ok(), ..Rates::default() };
        Some(Arc::new(Price { rates, ..Price::default() }))
    };
    let of = |charge, price| Deployment { charge, tells: Tells::Nothing, price };
    site.deployments.insert(ids[0].clone(), of(ChargeModel::OPENAI, price("1.75", "14.0")));
    site.deployments.insert(ids[1].clone(), of(ChargeModel::ANTHROPIC, price("3", "15")));
    let limits = &mut site.settings.limits;
    limits.models.entry(ids[0].clone()).or_default().pool = Some("gpt-5".into());
    let reserve_for_interactive_ppm = RESERVE_FOR_INTERACTIVE_PPM;
    limits.pools.insert("gpt-5".into(), PoolLimits { limits: gpt, reserve_for_interactive_ppm });
    limits.providers.insert("anthropic".into(), ProviderLimits { limits: sonnet, ..ProviderLimits::default() });
    site.routes.insert("smart".into(), SiteRoute { deployments: ids.to_vec(), strategy: Strategy::Failover });
    site
}

fn users(users: u32) -> Load {
    Load {
        route: "smart".into(),
        arrivals: Arrivals::Users { users, think: Duration::from_secs(30) },
        sizes: Sizes { input: 3_000.0, cached: 0.0, output: 500.0, max_output: None, sigma: 0.0 },
        service: Service::of(8.0, 500.0),
        deadline: Duration::from_secs(20),
    }
}

fn plan(site: &Site, loads: &[Load], existing: &[Existing]) -> Plan {
    let calendar = Calendar::default();
    conclude(&Question { site, loads, existing, calendar, hosting: None }, None)
}

fn need(plan: &Plan, dimension: Dimension) -> &crate::plan::LimitNeed {
    plan.formula.limits.iter().find(|limit| limit.dimension == dimension).unwrap()
}

#[test]
fn five_hundred_users_do_not_fit_and_input_tokens_bind() {
    let small = Limits::NONE.with(INPUT, 300_000).with(REQUESTS, 500).with(AT_ONCE, 40);
    let plan = plan(&site(small, small), &[users(500)], &[]);
    assert_eq!(plan.verdict, Verdict::DoesNotFit);
    let binds = plan.formula.binding().unwrap();
    assert_eq!((&*binds.pool, binds.dimension), ("gpt-5", INPUT));
    assert!((binds.mean_use - 7.895).abs() < 0.01, "{binds:?}");
    assert!(
        (need(&plan, REQUESTS).mean_use - 1.579).abs() < 0.01 && (need(&plan, AT_ONCE).mean_use - 2.63).abs() < 0.01
    );
    // 63 users ask for all of it on average; some fewer leave room for the peak minute.
    let fits = plan.fits_users.unwrap();
    assert!((48..=61).contains(&fits), "{fits}");
    assert_eq!(plan.cost.usd.map(|usd| usd.0 / 1_000_000_000_000), Some(51), "$51.1k");
    assert_eq!(plan.failover.iter().map(|of| of.fits).collect::<Vec<_>>(), [Some(false), Some(false)]);
}

#[test]
fn what_is_said_to_do_does_and_less_does_not() {
    let small = Limits::NONE.with(INPUT, 300_000).with(REQUESTS, 500).with(AT_ONCE, 40);
    let before = plan(&site(small, small), &[users(500)], &[]);
    let would_do = |factor: f64| {
        let mut limits = Limits::NONE;
        for need in &before.formula.limits {
            limits.set(need.dimension, Some((need.would_do as f64 * factor) as u64));
        }
        plan(&site(limits, limits), &[users(500)], &[])
    };
    let (enough, less) = (would_do(1.0), would_do(0.95));
    assert_eq!((enough.verdict, less.verdict), (Verdict::Fits, Verdict::DoesNotFit));
    assert!((500..530).contains(&enough.fits_users.unwrap()), "{:?}", enough.fits_users);
    assert_eq!(enough.failover[0].fits, Some(true), "anthropic has as much");
}

#[test]
fn as_many_users_as_are_said_to_fit_do_and_one_more_does_not() {
    let limits = Limits::NONE.with(INPUT, 300_000);
    let of = site(limits, limits);
    let fits = u32::try_from(plan(&of, &[users(500)], &[]).fits_users.unwrap()).unwrap();
    assert_eq!(plan(&of, &[users(fits)], &[]).verdict, Verdict::Fits);
    assert_eq!(plan(&of, &[users(fits + 1)], &[]).verdict, Verdict::DoesNotFit);
}

#[test]
fn what_is_asked_already_takes_its_part() {
    let limits = Limits::NONE.with(REQUESTS, 1_000);
    let of = site(limits, limits);
    let mut demand = [super::super::Demand::default(); 7];
    demand[REQUESTS.index()] = super::super::Demand { mean: 500.0, variance: 500.0 };
    let request = Request { input: 1_000.0, cached: 0.0, output: 100.0, max_output: None };
    let deployment = DeploymentId::new("openai", "gpt-5.2");
    let existing = Existing { deployment, demand, per_minute: 500.0, request, service: 2.0 };
    let (alone, together) = (plan(&of, &[users(500)], &[]), plan(&of, &[users(500)], &[existing]));
    assert_eq!((alone.verdict, together.verdict), (Verdict::Fits, Verdict::DoesNotFit));
    assert!((need(&together, REQUESTS).needs - 1_289.5).abs() < 0.1 && need(&together, REQUESTS).existing == 500.0);
    // Without openai, what was asked of it comes to anthropic as well.
    let binds = together.failover[0].binds.as_ref().unwrap();
    assert!((binds.needs - 1_289.5).abs() < 0.1, "{binds:?}");
}

#[test]
fn an_unknown_limit_or_price_is_said_and_no_verdict_is_made_up() {
    let limits = Limits::NONE.with(REQUESTS, 10_000);
    let none = plan(&site(Limits::NONE, limits), &[users(10)], &[]);
    assert_eq!(none.verdict, Verdict::Unknown);
    assert_eq!((&*none.formula.missing[0].of, none.formula.missing[0].what), ("openai/gpt-5.2", "limit"));
    let mut unpriced = site(limits, limits);
    unpriced.deployments.get_mut(&DeploymentId::new("openai", "gpt-5.2")).unwrap().price = None;
    let plan_of = plan(&unpriced, &[users(10)], &[]);
    assert_eq!((plan_of.verdict, plan_of.cost.usd), (Verdict::Unknown, None));
    assert_eq!(plan_of.cost.unpriced[0].what, "price");
    // What does not fit does not fit at any price.
    let too_many = plan(&unpriced, &[users(100_000)], &[]);
    assert_eq!(too_many.verdict, Verdict::DoesNotFit);
    let nowhere = plan(&site(limits, limits), &[Load { route: "nowhere".into(), ..users(1) }], &[]);
    assert_eq!((nowhere.verdict, nowhere.formula.missing[0].what), (Verdict::Unknown, "route"));
}

#[test]
fn a_days_limit_is_for_the_hours_of_a_day() {
    let limits = Limits::NONE.with(Dimension::RequestsPerDay, 200_000);
    let of = site(limits, limits);
    let day = |hours| {
        let calendar = Calendar { hours, days: 22.0 };
        conclude(&Question { site: &of, loads: &[users(500)], existing: &[], calendar, hosting: None }, None)
    };
    assert_eq!((day(4.0).verdict, day(5.0).verdict), (Verdict::Fits, Verdict::DoesNotFit));
}

#[test]
fn a_balanced_route_uses_what_each_has_room_for() {
    let mut of = site(Limits::NONE.with(REQUESTS, 200), Limits::NONE.with(REQUESTS, 1_000));
    of.routes.get_mut("smart").unwrap().strategy = Strategy::Balance;
    let plan = plan(&of, &[users(500)], &[]);
    assert_eq!(plan.verdict, Verdict::Fits, "{:?}", plan.formula);
    let of_gpt = plan.formula.split["smart"]["openai/gpt-5.2"];
    assert!((0.15..0.25).contains(&of_gpt), "{of_gpt}");
    assert_eq!(plan.failover.iter().map(|of| of.fits).collect::<Vec<_>>(), [Some(true), Some(false)]);
    assert!(plan.cost.usd > Some(NanoUsd(0)));
}

#[test]
fn bursts_that_wait_within_a_minute_are_told_as_those_who_wait() {
    let limits = Limits::NONE.with(REQUESTS, 60);
    let burst = |minute: u64| (0..40).map(move |n| Duration::from_millis(minute * 120_000 + n * 10));
    let requests: Vec<Recorded> = (0..10).flat_map(burst).map(|at| Recorded { at, input: 300, output: 20 }).collect();
    let load = Load { arrivals: Arrivals::Recorded { requests: requests.into(), times: 1.0 }, ..users(1) };
    let plan = plan(&site(limits, limits), &[Load { deadline: Duration::from_secs(5), ..load }], &[]);
    let binds = plan.formula.binding().unwrap();
    assert!(plan.verdict == Verdict::DoesNotFit && binds.peak_use < 1.0, "{binds:?}");
    let headline = plan.headline().replace('\u{202f}', " ");
    assert!(headline.ends_with("of requests wait longer than 5 s or are refused"), "{headline}");
}
