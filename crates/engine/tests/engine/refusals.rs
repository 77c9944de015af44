//! Stories of limits: what is kept for whom, days, a provider's refusals, and what its headers teach.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{Ask, Change, ChargeModel, GiveUp, PoolId, PoolView, Priority, Settings, Stated, Step};
use weir_units::Dimension::{
    ConcurrentRequests, InputTokensPerMinute, RequestsPerDay, RequestsPerMinute, TokensPerMinute,
};
use weir_units::{DeploymentId, Dimension, Limits, WallTime};

use crate::clients::{Clients, limited, of, only, sized};
use crate::world::{candidate, deployment, ms};

const INTERACTIVE: Priority = Priority::Interactive;
const BATCH: Priority = Priority::Batch;
const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// Nothing is known of the limits of deployment `a`.
fn unlimited() -> Clients {
    Clients::new(Settings::default())
}

fn pool(clients: &Clients, of: &PoolId) -> PoolView {
    clients.engine.headroom(clients.now).into_iter().find(|view| view.pool == *of).expect("a pool of that name")
}

fn account() -> PoolId {
    PoolId::Provider(Arc::from("a"))
}

fn model() -> PoolId {
    PoolId::Model(deployment("a"))
}

fn state(clients: &mut Clients, name: &str, stated: &[(Dimension, u64, u64)]) {
    let now = clients.now;
    let (engine, call) = clients.call(name);
    let one = |&(dimension, limit, left): &(Dimension, u64, u64)| Stated { dimension, limit, remaining: Some(left) };
    engine.stated(now, call, &stated.iter().map(one).collect::<Vec<_>>());
}

fn limits_changed(clients: &mut Clients) -> Vec<(PoolId, Dimension, Option<u64>, u64, &'static str)> {
    let limit = |change| match change {
        Change::Limit { pool, dimension, old, new, how } => Some((pool, dimension, old, new, how)),
        _ => None,
    };
    clients.engine.take_changes().into_iter().filter_map(limit).collect()
}

#[test]
fn what_is_reserved_for_interactive_work_is_not_there_for_batch() {
    let mut clients = Clients::new(limited(only(ConcurrentRequests, 10)));
    for number in 0..8 {
        clients.goes(&format!("batch {number}"), of("t", BATCH));
    }
    clients.waits("batch 8", of("t", BATCH));
    clients.goes("urgent 0", of("t", INTERACTIVE));
    clients.goes("urgent 1", of("t", INTERACTIVE));
    clients.waits("urgent 2", of("t", INTERACTIVE));
    clients.sent();
    clients.answer("urgent 0");
    assert_eq!(clients.sent(), ["urgent 2"], "the place is still not for batch");
    clients.answer("batch 0");
    assert_eq!(clients.sent(), ["batch 8"]);
}

#[test]
fn batch_leaves_a_fifth_of_the_pace_to_others() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 600)));
    for number in 0..100 {
        clients.ask(&format!("batch {number}"), of("t", BATCH));
    }
    clients.pass(ms(1_000));
    clients.sent();
    clients.pass(ms(5_000));
    // 10 a second, of which 97 % are used, and of those 80 % by batch.
    let batch = clients.sent().len();
    assert!((38..=40).contains(&batch), "{batch} in five seconds");
    clients.goes("urgent", of("t", INTERACTIVE));
}

#[test]
fn batch_spends_a_days_quota_at_the_pace_of_the_day() {
    let mut clients = Clients::new(limited(only(RequestsPerDay, 240)));
    // Four fifths of 240 are 192, eight an hour; an hour's worth is in hand at midnight.
    for number in 0..8 {
        clients.goes(&format!("batch {number}"), of("t", BATCH));
    }
    clients.waits("batch 8", of("t", BATCH));
    clients.goes("urgent", of("t", INTERACTIVE));
    clients.sent();
    clients.pass(HOUR / 8 - ms(1));
    assert_eq!(clients.sent(), [""; 0]);
    clients.pass(ms(1));
    assert_eq!(clients.sent(), ["batch 8"]);
}

#[test]
fn a_clock_that_is_set_back_does_not_open_a_day_again() {
    let mut clients = Clients::new(limited(only(RequestsPerDay, 2)));
    let noon = WallTime(WallTime::day_of(2026, 11, 25) * 86_400_000_000) + 12 * HOUR;
    clients.engine.calendar(clients.now, noon);
    clients.goes("first", of("t", INTERACTIVE));
    clients.goes("second", of("t", INTERACTIVE));
    clients.is_refused("third", of("t", INTERACTIVE));
    let yesterday = WallTime(noon.0 - 86_400_000_000);
    clients.engine.calendar(clients.now, yesterday);
    clients.is_refused("fourth", of("t", INTERACTIVE));
    clients.pass(DAY);
    clients.is_refused("fifth", of("t", INTERACTIVE));
    clients.pass(12 * HOUR);
    clients.goes("sixth", of("t", INTERACTIVE));
}

#[test]
fn a_refusal_closes_the_pool_for_as_long_as_the_provider_says() {
    let mut clients = unlimited();
    clients.goes("first", of("t", INTERACTIVE));
    state(&mut clients, "first", &[(RequestsPerMinute, 600, 599)]);
    assert!(matches!(clients.refuse("first", Some(ms(2_000)), None), Step::Wait { .. }));
    let queued = clients.waits("second", of("t", INTERACTIVE));
    assert!((ms(1_900)..=ms(2_200)).contains(&queued.predicted), "{:?}", queued.predicted);
    clients.sent();
    clients.pass(ms(1_999));
    assert_eq!(clients.sent(), [""; 0]);
    clients.pass(ms(211));
    assert_eq!(clients.sent(), ["first", "second"]);
}

#[test]
fn who_was_refused_goes_before_all_others_of_its_tenant_that_wait() {
    let mut clients = unlimited();
    clients.goes("refused", of("t", INTERACTIVE));
    clients.refuse("refused", Some(ms(2_000)), None);
    for number in 0..3 {
        clients.waits(&format!("waits {number}"), of("t", INTERACTIVE));
    }
    clients.sent();
    clients.pass(ms(2_200));
    assert_eq!(clients.sent(), ["refused"], "where no rate is known one goes first");
    clients.answer("refused");
    assert_eq!(clients.sent(), ["waits 0", "waits 1"], "and then two for each that is answered");
}

#[test]
fn a_refusal_without_a_reason_takes_three_tenths_of_the_limits_and_says_so() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 600)));
    clients.goes("first", of("t", INTERACTIVE));
    for number in 0..400 {
        clients.ask(&format!("busy {number}"), of("t", INTERACTIVE));
    }
    clients.pass(ms(35_000));
    limits_changed(&mut clients);
    clients.refuse("first", Some(ms(2_000)), None);
    let how = "it refused below the limit";
    assert_eq!(limits_changed(&mut clients), [(account(), RequestsPerMinute, Some(600), 420, how)]);
    assert_eq!(pool(&clients, &account()).factor_ppm, 700_000);
}

#[test]
fn while_a_limit_comes_back_after_a_refusal_who_waits_goes_as_soon_as_there_is_room() {
    let mut settings = Settings::default();
    let limits = only(InputTokensPerMinute, 60_000);
    settings.limits.models.insert(deployment("a"), weir_engine::ModelLimits { limits, pool: None });
    let mut clients = Clients::new(settings);
    clients.goes("refused", sized(1));
    clients.refuse("refused", Some(ms(1_000)), None);
    assert_eq!(pool(&clients, &model()).factor_ppm, 700_000);
    clients.waits("large", sized(20_000));
    clients.pass(ms(3_000));
    assert_eq!(clients.sent(), ["refused", "refused", "large"]);
    clients.waits("next", sized(400));
    let full_again = pool(&clients, &model()).limits[0].reset;
    assert!((ms(26_000)..=ms(27_000)).contains(&full_again), "at the pace of now: {full_again:?}");
    let began = clients.now;
    while clients.sent().is_empty() {
        let view = pool(&clients, &model());
        assert!(view.limits[0].remaining < 400, "there is room, and it waits: {view:?}");
        clients.pass(ms(10));
    }
    let waited = clients.now.since(began);
    assert!((ms(21_000)..=ms(23_000)).contains(&waited), "it has grown meanwhile: {waited:?}");
}

#[test]
fn a_refusal_that_the_headers_explain_closes_the_pool_and_takes_nothing_of_the_limit() {
    let told = [(RequestsPerMinute, 600, 0), (InputTokensPerMinute, 60_000, 30_000)];
    let cut = |stated: &[(Dimension, u64, u64)], retry_after: Option<Duration>| {
        let mut clients = unlimited();
        clients.goes("first", of("t", INTERACTIVE));
        state(&mut clients, "first", &told.map(|(dimension, limit, _)| (dimension, limit, limit / 2)));
        clients.answer("first");
        clients.pass(ms(1_000));
        clients.goes("second", of("t", INTERACTIVE));
        limits_changed(&mut clients);
        state(&mut clients, "second", stated);
        clients.refuse("second", retry_after, None);
        let view = pool(&clients, &model());
        assert!(view.gate_until.is_some_and(|until| until > clients.now));
        assert_eq!(limits_changed(&mut clients).is_empty(), view.factor_ppm == 1_000_000);
        view.factor_ppm < 1_000_000
    };
    assert!(!cut(&told, Some(ms(2_000))), "nothing was left of the requests");
    let too_few_tokens = [(RequestsPerMinute, 600, 300), (InputTokensPerMinute, 60_000, 899)];
    assert!(!cut(&too_few_tokens, Some(ms(2_000))), "less was left than it needs");
    let plenty = [(RequestsPerMinute, 600, 300), (InputTokensPerMinute, 60_000, 30_000)];
    assert!(cut(&plenty, Some(ms(2_000))), "there was enough of all that the headers tell of");
    assert!(cut(&told, None), "nothing says when it is back");
    assert!(cut(&[], Some(ms(2_000))), "nothing is said");
}

/// A request as Google counts it, which may also go to `b`.
fn to_google_or(others: &[&str]) -> Ask {
    let mut ask = of("t", INTERACTIVE);
    ask.candidates[0].charge = ChargeModel::GEMINI;
    ask.candidates.extend(others.iter().map(|name| candidate(name)));
    ask
}

#[test]
fn a_days_quota_that_is_used_up_closes_the_pool_until_the_providers_day_is_over() {
    let mut clients = unlimited();
    clients.goes("first", to_google_or(&[]));
    let step = clients.refuse("first", None, Some(RequestsPerDay));
    // Midnight UTC is four in the afternoon in California.
    let Step::GiveUp(GiveUp::Fault { retry_after: Some(told), .. }) = step else { panic!("{step:?}") };
    assert_eq!(told, 8 * HOUR);
    let view = pool(&clients, &model());
    assert!(view.gate_until.is_some_and(|until| until.since(clients.now) >= 8 * HOUR), "{view:?}");
    assert_eq!(view.factor_ppm, 1_000_000);
    clients.pass(8 * HOUR - ms(1));
    let refused = clients.is_refused("early", Ask { wait_until: Some(clients.now), ..to_google_or(&[]) });
    assert!(matches!(refused, GiveUp::NoCapacity { binding: RequestsPerDay, .. }), "{refused:?}");
    clients.pass(ms(1_001));
    clients.goes("tomorrow", to_google_or(&[]));
}

#[test]
fn while_a_days_quota_is_used_up_the_next_deployment_serves_at_once() {
    let mut clients = unlimited();
    clients.goes("first", to_google_or(&["b"]));
    let step = clients.refuse("first", None, Some(RequestsPerDay));
    assert!(matches!(step, Step::Send(send) if send.candidate == 1), "{step:?}");
    let step = clients.ask("second", to_google_or(&["b"]));
    assert!(matches!(step, Step::Send(send) if send.candidate == 1), "{step:?}");
}

#[test]
fn a_days_limit_that_refills_all_day_is_closed_for_as_long_as_the_provider_says() {
    let mut clients = unlimited();
    clients.goes("first", of("t", INTERACTIVE));
    clients.refuse("first", Some(ms(432_000)), Some(RequestsPerDay));
    let until = pool(&clients, &model()).gate_until.unwrap();
    assert!((ms(432_000)..=ms(476_000)).contains(&until.since(clients.now)), "{until:?}");
}

#[test]
fn a_models_day_does_not_close_a_busy_account() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 60)));
    for number in 0..40 {
        clients.ask(&format!("busy {number}"), of("t", INTERACTIVE));
    }
    clients.pass(ms(35_000));
    let under_way = clients.sent().pop().unwrap();
    clients.refuse(&under_way, None, Some(RequestsPerDay));
    assert_eq!(pool(&clients, &account()).gate_until, None, "its other models are as good as before");
    assert!(pool(&clients, &model()).gate_until.is_some());
}

#[test]
fn what_headers_state_is_kept_to_from_then_on_and_told() {
    let mut clients = unlimited();
    clients.goes("first", of("t", INTERACTIVE));
    state(&mut clients, "first", &[(RequestsPerMinute, 500, 499), (TokensPerMinute, 30_000, 29_000)]);
    let how = "the provider's headers say so";
    let first = [(RequestsPerMinute, None, 500), (TokensPerMinute, None, 30_000)];
    let told = |told: &[(Dimension, Option<u64>, u64)]| {
        told.iter().map(|(dimension, old, new)| (model(), *dimension, *old, *new, how)).collect::<Vec<_>>()
    };
    assert_eq!(limits_changed(&mut clients), told(&first));
    state(&mut clients, "first", &[(RequestsPerMinute, 500, 498), (TokensPerMinute, 30_000, 29_000)]);
    assert_eq!(limits_changed(&mut clients), [], "nothing new");
    state(&mut clients, "first", &[(RequestsPerMinute, 1_000, 998)]);
    assert_eq!(limits_changed(&mut clients), told(&[(RequestsPerMinute, Some(500), 1_000)]));
    let gauges = pool(&clients, &model()).limits;
    let limits: Vec<_> = gauges.iter().map(|gauge| (gauge.dimension, gauge.stated, gauge.limit)).collect();
    assert_eq!(limits, [(RequestsPerMinute, Some(1_000), 1_000), (TokensPerMinute, Some(30_000), 30_000)]);
}

#[test]
fn of_what_is_declared_and_what_is_stated_the_lower_holds() {
    let mut settings = Settings::default();
    let limits = only(RequestsPerMinute, 600);
    settings.limits.models.insert(deployment("a"), weir_engine::ModelLimits { limits, pool: None });
    let mut clients = Clients::new(settings);
    clients.goes("first", of("t", INTERACTIVE));
    state(&mut clients, "first", &[(RequestsPerMinute, 1_000, 999)]);
    assert_eq!(limits_changed(&mut clients), [], "more than is declared is not used");
    state(&mut clients, "first", &[(RequestsPerMinute, 400, 399)]);
    let how = "the provider's headers say so";
    assert_eq!(limits_changed(&mut clients), [(model(), RequestsPerMinute, Some(600), 400, how)]);
}

#[test]
fn what_headers_say_is_left_counts_at_once_where_it_is_less() {
    let mut clients = Clients::new(limited(Limits::NONE));
    clients.engine.configure(Settings::default(), vec![DeploymentId::new("a", "m")], BTreeMap::new());
    clients.goes("first", sized(100));
    state(&mut clients, "first", &[(InputTokensPerMinute, 60_000, 0)]);
    let queued = clients.waits("second", sized(490));
    // 980 a second.
    assert!((ms(450)..=ms(550)).contains(&queued.predicted), "{:?}", queued.predicted);
}

#[test]
fn what_is_declared_is_compared_with_what_three_answers_in_a_row_state() {
    let mut clients = Clients::new(limited(only(TokensPerMinute, 500_000)));
    clients.goes("first", of("t", INTERACTIVE));
    let compared = |clients: &Clients| {
        let all = clients.engine.compared_limits().into_iter();
        all.map(|both| (both.pool, both.dimension, both.declared, both.stated)).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        state(&mut clients, "first", &[(TokensPerMinute, 300_000, 299_000)]);
        assert_eq!(compared(&clients), []);
    }
    state(&mut clients, "first", &[(TokensPerMinute, 300_000, 299_000)]);
    assert_eq!(compared(&clients), [(account(), TokensPerMinute, 500_000, 300_000)]);
    state(&mut clients, "first", &[(TokensPerMinute, 500_000, 499_000)]);
    assert_eq!(compared(&clients), [], "what one answer states is not believed yet");
}
