//! Stories of the queue in front of the limits: who goes, in which order, who is sent away, and what they are told.
//!
//! Most play before an account that lets one request be under way at a time, so that each answer lets exactly one go.

use std::sync::Arc;
use std::time::Duration;

use weir_engine::{Ask, GiveUp, PoolId, Priority, QueueSettings, Settings, Step};
use weir_units::Dimension::{ConcurrentRequests, InputTokensPerMinute, RequestsPerMinute};
use weir_units::Moment;

use crate::clients::{Clients, limited, of, only, sized};
use crate::world::{at, candidate, ms};

const INTERACTIVE: Priority = Priority::Interactive;
const STANDARD: Priority = Priority::Standard;
const BATCH: Priority = Priority::Batch;

/// One at a time, and `first` is under way.
fn one_at_a_time() -> Clients {
    let mut clients = Clients::new(one_at_once());
    clients.goes("first", of("t", INTERACTIVE));
    clients
}

fn one_at_once() -> Settings {
    limited(only(ConcurrentRequests, 1))
}

fn until(until: Moment, ask: Ask) -> Ask {
    Ask { wait_until: Some(until), ..ask }
}

fn count(sent: &[String], of: &str) -> usize {
    sent.iter().filter(|name| name.starts_with(of)).count()
}

#[test]
fn while_all_classes_wait_they_are_served_sixteen_to_four_to_one() {
    let mut clients = one_at_a_time();
    for number in 0..50 {
        for class in [BATCH, STANDARD, INTERACTIVE] {
            clients.waits(&format!("{} {number}", class.name()), of("t", class));
        }
    }
    clients.one_by_one(8);
    let sent = clients.one_by_one(42);
    assert_eq!(["interactive", "standard", "batch"].map(|class| count(&sent, class)), [32, 8, 2], "{sent:?}");
}

#[test]
fn with_age_a_batch_request_comes_before_younger_urgent_ones() {
    let place_after = |waited: Duration| {
        let mut clients = one_at_a_time();
        for number in 0..60 {
            clients.waits(&format!("urgent {number}"), of("crowd", INTERACTIVE));
        }
        clients.waits("batch", until(at(1_000), of("night", BATCH)));
        clients.waits("old", until(at(40_000), of("night", BATCH)));
        // The first of its class has had the class's turn.
        while clients.one_by_one(1) != ["batch"] {}
        clients.pass(waited);
        clients.one_by_one(30).iter().position(|name| name == "old")
    };
    assert!(place_after(ms(19_000)).is_none_or(|place| place >= 12), "{:?}", place_after(ms(19_000)));
    assert!(
        place_after(ms(20_000)).is_some_and(|place| place < 5),
        "half of its time is over: {:?}",
        place_after(ms(20_000))
    );
    assert!(
        place_after(ms(30_000)).is_some_and(|place| place < 2),
        "three quarters are over: {:?}",
        place_after(ms(30_000))
    );
}

#[test]
fn within_a_tenants_class_the_earliest_deadline_goes_first() {
    let mut clients = one_at_a_time();
    for (name, seconds) in [("late", 30), ("soon", 10), ("later", 40), ("sooner", 5)] {
        clients.waits(name, until(at(seconds * 1_000), of("t", INTERACTIVE)));
    }
    assert_eq!(clients.one_by_one(4), ["sooner", "soon", "late", "later"]);
}

#[test]
fn tenants_share_by_their_weights() {
    let mut settings = one_at_once();
    settings.limits.weights.insert(Arc::from("gold"), 3);
    let mut clients = Clients::new(settings);
    clients.goes("first", of("t", INTERACTIVE));
    for number in 0..30 {
        clients.waits(&format!("tin {number}"), of("tin", INTERACTIVE));
        clients.waits(&format!("gold {number}"), of("gold", INTERACTIVE));
    }
    let sent = clients.one_by_one(24);
    assert_eq!([count(&sent, "gold"), count(&sent, "tin")], [18, 6], "{sent:?}");
}

#[test]
fn tenants_share_tokens_and_not_requests() {
    let mut clients = one_at_a_time();
    for number in 0..40 {
        clients.waits(&format!("long {number}"), Ask { tenant: Arc::from("long"), ..sized(3_900) });
        clients.waits(&format!("short {number}"), Ask { tenant: Arc::from("short"), ..sized(900) });
    }
    let sent = clients.one_by_one(30);
    assert_eq!([count(&sent, "short"), count(&sent, "long")], [24, 6], "{sent:?}");
}

#[test]
fn who_writes_more_than_was_held_for_it_is_charged_for_it() {
    let mut clients = one_at_a_time();
    for number in 0..40 {
        clients.waits(&format!("wordy {number}"), of("wordy", INTERACTIVE));
        clients.waits(&format!("terse {number}"), of("terse", INTERACTIVE));
    }
    clients.answer("first");
    let mut sent = Vec::new();
    while sent.len() < 30 {
        let name = clients.sent().pop().unwrap();
        // 900 of input and 100 of output weigh 1,300; 775 of output weigh 4,000.
        clients.answer_with(&name, if name.starts_with("wordy") { 775 } else { 100 });
        sent.push(name);
    }
    let (wordy, terse) = (count(&sent, "wordy"), count(&sent, "terse"));
    assert!(terse >= 2 * wordy, "{terse} of who writes little, {wordy} of who writes much");
}

#[test]
fn who_comes_back_after_a_pause_has_saved_up_nothing() {
    let mut clients = one_at_a_time();
    for number in 0..40 {
        clients.waits(&format!("busy {number}"), of("busy", INTERACTIVE));
    }
    clients.one_by_one(20);
    for number in 0..40 {
        clients.waits(&format!("back {number}"), of("back", INTERACTIVE));
    }
    let sent = clients.one_by_one(10);
    assert_eq!(count(&sent, "back"), 5, "{sent:?}");
}

/// Of 1,000 tokens of input a second 970 are used, a second's worth at once, and all of it is just taken. One large request waits,
/// of one tenant, and many small ones of another, which has `weight` times its share.
fn a_large_one_among(small: u64, weight: u32) -> Clients {
    let mut settings = limited(only(InputTokensPerMinute, 60_000));
    settings.limits.weights.insert(Arc::from("small"), weight);
    let mut clients = Clients::new(settings);
    clients.goes("first", sized(970));
    clients.waits("large", Ask { tenant: Arc::from("large"), ..sized(900) });
    for number in 0..200 {
        clients.waits(&format!("small {number}"), Ask { tenant: Arc::from("small"), ..sized(small) });
    }
    clients.sent();
    clients
}

/// How many of them go before it.
fn before_the_large_one(small: u64, weight: u32) -> Option<usize> {
    let mut clients = a_large_one_among(small, weight);
    clients.pass(ms(5_000));
    clients.sent().iter().position(|name| name == "large")
}

#[test]
fn a_small_request_passes_a_large_one_that_does_not_fit_yet() {
    let mut clients = a_large_one_among(50, 1);
    clients.pass(ms(60));
    assert_eq!(clients.sent(), ["small 0"]);
}

#[test]
fn small_requests_pass_a_large_one_until_their_tenant_has_had_as_much() {
    // The large one weighs 1,000, a small one 150.
    assert_eq!(before_the_large_one(50, 1), Some(7));
}

#[test]
fn small_requests_pass_a_large_one_eight_times_at_most_then_its_room_is_saved_up() {
    assert_eq!(before_the_large_one(50, 100), Some(8), "their tenant's share alone would allow six hundred");
}

#[test]
fn a_large_request_is_passed_for_two_seconds_at_most_then_its_room_is_saved_up() {
    // Each takes 412 ms of the limit.
    assert_eq!(before_the_large_one(400, 100), Some(4));
}

#[test]
fn when_too_many_wait_batch_is_sent_away_first() {
    let queue = QueueSettings { max_requests: 3, ..QueueSettings::default() };
    let mut clients = Clients::new(Settings { queue, ..one_at_once() });
    clients.goes("first", of("t", INTERACTIVE));
    clients.waits("standard", of("t", STANDARD));
    clients.waits("batch", of("t", BATCH));
    clients.waits("newer batch", of("t", BATCH));
    clients.waits("urgent", of("t", INTERACTIVE));
    assert!(
        matches!(clients.given_up("newer batch"), Some(GiveUp::NoCapacity { .. })),
        "the newest of the least urgent"
    );
    clients.waits("more urgent", of("t", INTERACTIVE));
    assert!(clients.given_up("batch").is_some());
    assert!(matches!(clients.is_refused("late batch", of("t", BATCH)), GiveUp::NoCapacity { .. }));
    clients.waits("most urgent", of("t", INTERACTIVE));
    assert!(clients.given_up("standard").is_some());
    let full = clients.is_refused("too much", of("t", INTERACTIVE));
    assert!(matches!(full, GiveUp::NoCapacity { .. }), "nobody is less urgent: {full:?}");
}

#[test]
fn when_too_many_bytes_wait_batch_is_sent_away_first() {
    let queue = QueueSettings { max_bytes: 10_000, ..QueueSettings::default() };
    let mut clients = Clients::new(Settings { queue, ..one_at_once() });
    clients.goes("first", of("t", INTERACTIVE));
    for name in ["batch 0", "batch 1"] {
        clients.waits(name, of("t", BATCH));
    }
    clients.waits("urgent", Ask { bytes: 6_000, ..of("t", INTERACTIVE) });
    assert!(clients.given_up("batch 1").is_some() && clients.given_up("batch 0").is_none());
    assert!(matches!(clients.is_refused("huge", Ask { bytes: 10_001, ..of("t", BATCH) }), GiveUp::NoCapacity { .. }));
}

#[test]
fn who_cannot_get_in_line_for_its_size_sends_nobody_away() {
    let queue = QueueSettings { max_bytes: 10_000, ..QueueSettings::default() };
    let mut clients = Clients::new(Settings { queue, ..one_at_once() });
    clients.goes("first", of("t", INTERACTIVE));
    clients.waits("batch", of("t", BATCH));
    clients.is_refused("huge", Ask { bytes: 10_001, ..of("t", INTERACTIVE) });
    assert!(clients.given_up("batch").is_none(), "it would have been in vain");
}

#[test]
fn a_tenant_that_fills_the_queue_makes_room_for_another_of_its_class() {
    let queue = QueueSettings { max_requests: 3, ..QueueSettings::default() };
    let mut clients = Clients::new(Settings { queue, ..one_at_once() });
    clients.goes("first", of("t", INTERACTIVE));
    for number in 0..3 {
        clients.waits(&format!("many {number}"), of("many", INTERACTIVE));
    }
    clients.waits("one", of("other", INTERACTIVE));
    assert!(clients.given_up("many 2").is_some());
    assert!(matches!(clients.is_refused("many 3", of("many", INTERACTIVE)), GiveUp::NoCapacity { .. }));
}

#[test]
fn a_client_that_leaves_frees_its_place_in_line() {
    let queue = QueueSettings { max_requests: 1, ..QueueSettings::default() };
    let mut clients = Clients::new(Settings { queue, ..one_at_once() });
    clients.goes("first", of("t", INTERACTIVE));
    clients.waits("second", of("t", INTERACTIVE));
    clients.is_refused("third", of("t", INTERACTIVE));
    clients.leave("second");
    clients.waits("fourth", of("t", INTERACTIVE));
    clients.answer("first");
    assert_eq!(clients.sent(), ["first", "fourth"]);
}

#[test]
fn a_client_that_leaves_after_its_turn_came_hands_it_on() {
    let mut clients = one_at_a_time();
    clients.waits("second", of("t", INTERACTIVE));
    clients.waits("third", of("t", INTERACTIVE));
    clients.vanish("second");
    clients.answer("first");
    assert_eq!(clients.sent(), ["first"], "it is kept for the second");
    clients.leave("second");
    assert_eq!(clients.sent(), ["third"]);
}

#[test]
fn when_a_client_leaves_that_was_in_the_way_those_behind_it_go_at_once() {
    let mut clients = Clients::new(limited(only(InputTokensPerMinute, 60_000)));
    clients.goes("first", sized(970));
    clients.waits("in the way", until(at(20_000), sized(900)));
    clients.waits("small", until(at(30_000), sized(50)));
    clients.sent();
    clients.pass(ms(100));
    assert_eq!(clients.sent(), [""; 0], "there is room for it, and it is not its turn");
    clients.leave("in the way");
    assert_eq!(clients.sent(), ["small"]);
}

#[test]
fn what_nobody_comes_for_goes_to_the_next_after_ten_seconds() {
    let mut clients = one_at_a_time();
    clients.waits("second", of("t", INTERACTIVE));
    clients.waits("third", of("t", INTERACTIVE));
    clients.vanish("second");
    clients.answer("first");
    clients.sent();
    clients.pass(ms(9_999));
    assert_eq!(clients.sent(), [""; 0]);
    clients.pass(ms(1));
    assert_eq!(clients.sent(), ["third"]);
}

#[test]
fn who_would_wait_past_its_deadline_is_refused_at_once_and_served_when_it_is_told_to_come_back() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 60)));
    clients.goes("first", of("t", INTERACTIVE));
    for number in 0..10 {
        clients.waits(&format!("before {number}"), of("t", INTERACTIVE));
    }
    let hasty = |now: Moment| until(now + ms(2_000), of("t", INTERACTIVE));
    let refused = clients.is_refused("hasty", hasty(clients.now));
    let GiveUp::NoCapacity { retry_after, pool, binding } = refused else { panic!("{refused:?}") };
    assert_eq!((pool, binding), (PoolId::Provider(Arc::from("a")), RequestsPerMinute));
    assert!((ms(9_000)..=ms(11_000)).contains(&retry_after), "ten go first, one a second: {retry_after:?}");
    clients.pass(retry_after);
    clients.sent();
    clients.ask("hasty again", hasty(clients.now));
    clients.pass(ms(2_000));
    assert!(clients.sent().contains(&"hasty again".to_owned()));
}

#[test]
fn each_who_is_sent_away_is_told_a_later_time_to_come_back() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 60)));
    clients.goes("first", of("t", INTERACTIVE));
    for number in 0..10 {
        clients.waits(&format!("before {number}"), of("t", INTERACTIVE));
    }
    let told = [0, 1, 2].map(|number| {
        let ask = until(at(2_000), of("t", INTERACTIVE));
        match clients.is_refused(&format!("hasty {number}"), ask) {
            GiveUp::NoCapacity { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        }
    });
    assert!(told[0] < told[1] && told[1] < told[2], "{told:?}");
}

#[test]
fn who_waits_is_told_how_many_are_before_it_and_about_how_long_it_takes() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 60)));
    clients.goes("first", of("t", INTERACTIVE));
    for number in 0..5 {
        clients.waits(&format!("before {number}"), of("t", INTERACTIVE));
    }
    let queued = clients.waits("last", of("t", INTERACTIVE));
    assert_eq!((queued.ahead, queued.binding), (5, RequestsPerMinute));
    assert!((ms(5_500)..=ms(6_500)).contains(&queued.predicted), "{:?}", queued.predicted);
    clients.pass(queued.predicted - ms(1));
    assert_eq!(clients.sent().last().unwrap(), "before 4");
    clients.pass(ms(2));
    assert_eq!(clients.sent().last().unwrap(), "last");
}

#[test]
fn who_will_not_wait_is_refused_where_nobody_knows_how_long_it_takes() {
    let mut clients = one_at_a_time();
    let refused = clients.is_refused("second", until(clients.now, of("t", INTERACTIVE)));
    assert!(matches!(refused, GiveUp::NoCapacity { binding: ConcurrentRequests, .. }), "{refused:?}");
}

#[test]
fn who_waits_in_vain_hears_it_when_its_time_is_over() {
    let mut clients = one_at_a_time();
    clients.waits("second", until(at(5_000), of("t", INTERACTIVE)));
    clients.pass(ms(4_999));
    assert_eq!(clients.given_up("second"), None);
    clients.pass(ms(1));
    assert!(matches!(clients.given_up("second"), Some(GiveUp::NoCapacity { .. })), "{:?}", clients.given_up("second"));
}

#[test]
fn the_next_deployment_serves_when_the_first_has_no_room_in_time() {
    let mut clients = Clients::new(limited(only(RequestsPerMinute, 6)));
    clients.goes("first", of("t", INTERACTIVE));
    let mut spills = until(at(3_000), of("t", INTERACTIVE));
    spills.candidates.push(candidate("b"));
    let step = clients.ask("spills", spills.clone());
    assert!(matches!(step, Step::Send(send) if send.candidate == 1), "{step:?}");
    let passed_over = clients.call("spills").1.take_passed_over();
    let [passed] = &passed_over[..] else { panic!("{passed_over:?}") };
    assert_eq!((passed.candidate, passed.binding), (0, RequestsPerMinute));
    assert_eq!(passed.pool, PoolId::Provider(Arc::from("a")));
    assert!(passed.wait > ms(9_000), "the first had room in {:?}", passed.wait);
    assert!(clients.call("spills").1.take_passed_over().is_empty(), "it is told once");
    clients.pass(ms(11_000));
    let step = clients.ask("later", Ask { wait_until: None, ..spills });
    assert!(matches!(step, Step::Send(send) if send.candidate == 0), "there is room again: {step:?}");
}

#[test]
fn no_more_are_under_way_than_the_limit_allows() {
    let mut clients = Clients::new(limited(only(ConcurrentRequests, 2)));
    clients.goes("first", of("t", INTERACTIVE));
    clients.goes("second", of("t", INTERACTIVE));
    let queued = clients.waits("third", of("t", INTERACTIVE));
    assert_eq!(queued.binding, ConcurrentRequests);
    clients.pass(ms(60_000));
    assert_eq!(clients.sent(), ["first", "second"], "time alone makes no room");
    clients.answer("second");
    assert_eq!(clients.sent(), ["third"]);
}
