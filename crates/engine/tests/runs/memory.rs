//! What runs take: it is bounded, reckoned, and the bound holds 200,000 runs.

use weir_engine::{Loops, RunsSettings, SessionKind};

use crate::world::{Chat, Desk, Dice, Turn, With, calls, named, says, with_id};

#[test]
fn beyond_the_bound_the_least_recently_used_of_the_largest_tenant_falls_out() {
    let mut desk = Desk::of(RunsSettings { max_runs: 10, ..RunsSettings::default() });
    let mut quiet = Chat::with("helpful", "hello");
    desk.turn(&mut quiet, &named("quiet"), &says("hi"));
    desk.tenant = "globex".into();
    for n in 0..50 {
        desk.turn(&mut Chat::with("helpful", "hello"), &named(&format!("run {n}")), &says("hi"));
        desk.turn(&mut Chat::with("helpful", "hello"), &named("run 0"), &says("hi"));
    }
    let size = desk.runs.size();
    assert_eq!(size.conversations, 10);
    assert!(
        desk.runs.find(desk.now, "globex", "run 0").is_some() && desk.runs.find(desk.now, "globex", "run 20").is_none()
    );
    assert!(desk.runs.find(desk.now, "acme", "quiet").is_some(), "one tenant's flood costs no other its memory");
}

#[test]
fn first_requests_that_nothing_follows_are_soon_forgotten_and_what_went_on_or_has_a_name_is_not() {
    let mut desk = Desk::of(RunsSettings { max_firsts: 5, ..RunsSettings::default() });
    let mut goes_on = Chat::with("helpful", "goes on");
    desk.turn(&mut goes_on, &With::default(), &says("hi"));
    goes_on.user("and then?");
    let run = desk.turn(&mut goes_on, &With::default(), &says("that"));
    desk.turn(&mut Chat::with("helpful", "named"), &named("nightly"), &says("hi"));
    for n in 0..40 {
        desk.turn(&mut Chat::with("helpful", &format!("question {n}")), &With::default(), &says("an answer"));
    }
    let size = desk.runs.size();
    assert_eq!((size.runs, size.conversations), (7, 7), "five of forty, and two more");
    goes_on.user("and then again?");
    let again = desk.turn(&mut goes_on, &With::default(), &says("this"));
    assert_eq!((again.run, again.joined), (run.run, weir_engine::Joined::Continued));
    assert!(desk.runs.find(desk.now, "acme", "nightly").is_some());
}

#[test]
fn what_has_a_request_under_way_is_not_forgotten_before_that_is_settled() {
    let mut desk = Desk::of(RunsSettings { max_runs: 4, ..RunsSettings::default() });
    let chats: Vec<Chat> = (0..20).map(|n| Chat::with("helpful", &format!("hello {n}"))).collect();
    let admitted: Vec<_> = chats.iter().map(|chat| desk.admit(chat, &With::default())).collect();
    assert_eq!(desk.runs.size().conversations, 20);
    for (chat, admission) in chats.iter().zip(admitted) {
        desk.answer(admission.ticket, &chat.addition(&says("hi")));
    }
    let size = desk.runs.size();
    assert_eq!((size.runs, size.conversations), (4, 4));
}

#[test]
fn whatever_clients_send_the_bytes_stay_below_their_bound() {
    let bound = 300_000;
    let mut desk = Desk::of(RunsSettings { max_bytes: bound, ..RunsSettings::default() });
    desk.guards.loops = Loops::Off;
    let mut dice = Dice(5);
    for n in 0..2_000 {
        let long = "x".repeat(dice.below(129) as usize);
        let with = match dice.below(6) {
            0 => named(&long),
            1 => With { parent: Some(&long), ..With::default() },
            2 => with_id(SessionKind::Trace, &format!("{}", n / 40)),
            3 => With { stateful: true, ..with_id(SessionKind::Conversation, &format!("{}", n / 40)) },
            4 => named("one"),
            _ => With::default(),
        };
        let mut chat = Chat::with("an agent", &format!("task {}", n / 2));
        for turn in 0..dice.below(12) {
            desk.turn(&mut chat, &with, &calls(&long, &format!("{turn}")));
            chat.result("a text that is passed on to others");
        }
        assert!(desk.runs.size().bytes <= bound);
    }
    let size = desk.runs.size();
    assert!(size.conversations > 100, "{size:?}");
}

/// Runs as they are where the bound is reached: of a few requests each, some of them named or with a trace.
fn many(runs: u64) -> Desk {
    let mut desk = Desk::new();
    for n in 0..runs {
        let name = format!("a run with a name of usual length {n}");
        let with = match n % 5 {
            0 => named(&name),
            1 => with_id(SessionKind::Trace, &name),
            _ => With::default(),
        };
        let mut chat = Chat::with("an agent", &format!("task {n}"));
        for turn in 0..1 + n % 8 {
            let act =
                if n % 3 == 0 { Turn::Says(format!("{n} {turn}")) } else { calls("tool", &format!("{n} {turn}")) };
            desk.turn(&mut chat, &with, &act);
            if n % 3 == 0 { chat.user("go on") } else { chat.result("done") }
        }
        desk.now = weir_units::Moment(1_000_000_000 + n * 1_000);
    }
    desk
}

#[test]
fn by_reckoning_two_hundred_thousand_runs_fit() {
    let desk = many(2_000);
    let size = desk.runs.size();
    assert_eq!(size.runs, 2_000);
    let each = size.bytes / 2_000;
    assert!(each * 200_000 <= RunsSettings::default().max_bytes, "{each} bytes a run");
}

/// `cargo test --release -p weir-engine --test runs -- --ignored --nocapture two_hundred`
#[test]
#[ignore = "takes a while, and measures the whole process"]
#[expect(clippy::disallowed_methods, reason = "what the process takes stands in a file")]
fn two_hundred_thousand_runs_take_less_than_256_megabytes() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    };
    let before = resident();
    let desk = many(200_000);
    let (took, size) = (resident() - before, desk.runs.size());
    println!("{size:?}; the process grew by {took} bytes");
    assert_eq!(size.runs, 200_000);
    assert!(took <= 256 << 20);
}
