//! Formula beside simulation: the same load, the same limits.

use std::time::Duration;

use weir_capacity::plan::{
    Arrivals, Calendar, Deployment, Drill, DrillRequest, Load, Proof, Prover, Question, Service, Site, SiteRoute,
    Sizes, Tells, Trial, conclude,
};
use weir_engine::{ChargeModel, ProviderLimits, Strategy};
use weir_units::{DeploymentId, Dimension, Limits};

use super::Simulator;

fn site(limits: &[(&str, Limits)]) -> Site {
    telling(limits, Tells::Nothing)
}

fn telling(limits: &[(&str, Limits)], tells: Tells) -> Site {
    let mut site = Site { max_wait: Duration::from_secs(30), ..Site::default() };
    let mut deployments = Vec::new();
    for (provider, limits) in limits {
        let id = DeploymentId::new(*provider, "m");
        site.deployments.insert(id.clone(), Deployment { charge: ChargeModel::METERED, tells, price: None });
        let own = ProviderLimits { limits: *limits, ..ProviderLimits::default() };
        site.settings.limits.providers.insert((*provider).into(), own);
        deployments.push(id);
    }
    site.routes.insert("smart".into(), SiteRoute { deployments, strategy: Strategy::Failover });
    site
}

fn load(arrivals: Arrivals, sigma: f64) -> Load {
    Load {
        route: "smart".into(),
        arrivals,
        sizes: Sizes { input: 3_000.0, cached: 0.0, output: 500.0, max_output: None, sigma },
        service: Service::of(8.0, 500.0),
        deadline: Duration::from_secs(20),
    }
}

fn users(users: u32) -> Arrivals {
    Arrivals::Users { users, think: Duration::from_secs(30) }
}

fn both(site: &Site, load: &Load, minutes: u64) -> (weir_capacity::plan::Assessment, Proof) {
    let trial = Trial {
        site: site.clone(),
        loads: vec![load.clone()],
        existing: Vec::new(),
        seed: 7,
        span: Duration::from_secs(60 * minutes),
    };
    let proof = Simulator.plan(&trial, &mut |_| {}).unwrap();
    let loads = [load.clone()];
    let question = Question { site, loads: &loads, existing: &[], calendar: Calendar::default(), hosting: None };
    (conclude(&question, None).formula, proof)
}

fn close(what: &str, formula: &weir_capacity::plan::Assessment, proof: &Proof) {
    for limit in &proof.limits {
        let need = formula.limits.iter().find(|need| need.dimension == limit.dimension).unwrap();
        let off = need.peak / limit.peak - 1.0;
        let bound = limit.peak < limit.limit as f64 * 0.95;
        assert!(off.abs() <= 0.05 || !bound, "{what}, {}: {} and {}", need.dimension, need.peak, limit.peak);
    }
    let (some, late) = (formula.p_wait - proof.p_wait, formula.p_late - proof.p_late);
    assert!(some.abs() <= 0.1 && late.abs() <= 0.1, "{what}: {} and {}", formula.p_wait, proof.p_wait);
}

#[test]
fn peak_use_by_formula_is_within_five_percent_of_what_is_simulated() {
    let limits = Limits::NONE
        .with(Dimension::RequestsPerMinute, 1_200)
        .with(Dimension::InputTokensPerMinute, 4_000_000)
        .with(Dimension::OutputTokensPerMinute, 700_000)
        .with(Dimension::ConcurrentRequests, 200);
    let site = site(&[("a", limits)]);
    for (arrivals, sigma) in [(users(500), 0.0), (users(500), 0.7), (Arrivals::Rate { per_minute: 800.0 }, 0.0)] {
        let load = load(arrivals, sigma);
        let (formula, proof) = both(&site, &load, 20);
        close(&format!("{:?}, sigma {sigma}", load.arrivals), &formula, &proof);
    }
}

#[test]
fn who_waits_by_formula_is_within_ten_points_of_what_is_simulated() {
    let independent = || Arrivals::Rate { per_minute: 500.0 / 38.0 * 60.0 };
    for (dimension, limit, arrivals, sigma) in [
        (Dimension::ConcurrentRequests, 110, users(500), 0.0),
        (Dimension::ConcurrentRequests, 120, users(500), 0.0),
        (Dimension::ConcurrentRequests, 115, independent(), 0.0),
        (Dimension::RequestsPerMinute, 800, users(500), 0.0),
        (Dimension::RequestsPerMinute, 830, users(500), 0.0),
        (Dimension::RequestsPerMinute, 870, independent(), 0.0),
        (Dimension::InputTokensPerMinute, 2_500_000, users(500), 0.8),
        (Dimension::InputTokensPerMinute, 300_000, users(500), 0.0),
    ] {
        let load = load(arrivals, sigma);
        // Five seconds' worth of very uneven requests is beyond the formula: it is right within a dozen points.
        let told = if sigma > 0.0 { None } else { Some(Tells::Minutes) };
        for tells in std::iter::once(Tells::Nothing).chain(told) {
            let site = telling(&[("a", Limits::NONE.with(dimension, limit))], tells);
            let (formula, proof) = both(&site, &load, 15);
            close(&format!("{limit} {dimension}, {:?}, {tells:?}", load.arrivals), &formula, &proof);
        }
    }
}

#[test]
fn an_outage_fails_what_has_no_second_and_what_the_second_cannot_take() {
    let plenty = Limits::NONE.with(Dimension::RequestsPerMinute, 1_000);
    let little = Limits::NONE.with(Dimension::RequestsPerMinute, 30);
    let requests: Vec<DrillRequest> = (0..3 * 3_600)
        .map(|second| DrillRequest { at: Duration::from_secs(second), route: 0, input: 500, output: 50 })
        .collect();
    let failed = |limits: &[(&str, Limits)]| {
        let drill = Drill {
            site: site(limits),
            requests: requests.clone(),
            routes: vec!["smart".into()],
            services: Default::default(),
            down: "a".into(),
            lasts: Duration::from_secs(7_200),
            from: None,
            seed: 1,
        };
        let proof = Simulator.outage(&drill, &mut |_| {}).unwrap();
        assert!((proof.seconds - 7_200.0).abs() < 1.0, "{proof:?}");
        proof.routes[0].failed_share().unwrap()
    };
    assert!(failed(&[("a", plenty)]) > 0.99, "nobody else serves");
    assert!(failed(&[("a", plenty), ("b", plenty)]) < 0.01, "the second has room");
    let half = failed(&[("a", plenty), ("b", little)]);
    assert!((0.45..0.6).contains(&half), "the second takes 30 of 60 a minute: {half}");
}

#[test]
fn what_would_be_played_for_hours_is_not_played() {
    let plenty = Limits::NONE.with(Dimension::RequestsPerMinute, 1_000);
    for arrivals in [users(100_000_000), Arrivals::Rate { per_minute: 1e9 }] {
        let trial = Trial {
            site: site(&[("a", plenty)]),
            loads: vec![load(arrivals, 0.0)],
            existing: Vec::new(),
            seed: 7,
            span: Duration::from_secs(3_600),
        };
        let why = Simulator.plan(&trial, &mut |_| panic!("it plays")).unwrap_err();
        assert!(why.contains("the formulas stand alone"), "{why}");
    }
}
