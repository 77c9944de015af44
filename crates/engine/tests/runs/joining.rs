//! Stories of how requests join runs.

use std::time::Duration;

use weir_engine::{Joined, RunsSettings, SessionKind};

use crate::world::{Chat, Desk, With, calls, id, mark, named, says, with_id};

#[test]
fn a_conversation_is_one_run_without_any_id() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("helpful", "hello");
    let first = desk.turn(&mut chat, &With::default(), &says("hi"));
    assert_eq!((first.joined, first.run.len(), &first.run[..4]), (Joined::New, 20, "run_"));
    for n in 0..20 {
        chat.user(&format!("question {n}"));
        let went = desk.turn(&mut chat, &With::default(), &says(&format!("answer {n}")));
        assert_eq!((went.joined, &went.run), (Joined::Continued, &first.run));
    }
    let view = desk.runs.find(desk.now, "acme", &first.run).unwrap();
    assert_eq!((view.requests, view.conversations, view.input.0, view.cost), (21, 1, 21_000, crate::world::cents(21)));
}

#[test]
fn the_same_first_turn_is_another_run_each_time() {
    let mut desk = Desk::new();
    let mut chats: Vec<Chat> = (0..5).map(|_| Chat::with("a service", "hello")).collect();
    let first: Vec<_> = chats.iter_mut().map(|chat| desk.turn(chat, &With::default(), &says("hi")).run).collect();
    for (chat, run) in chats.iter_mut().zip(&first) {
        chat.user(&format!("my question, {run}"));
        let went = desk.turn(chat, &With::default(), &says("well"));
        assert!(first.contains(&went.run) && went.joined == Joined::Continued, "each goes on in one of them");
    }
    let page = desk.runs.list(desk.now, &weir_engine::RunsFilter::default(), 10);
    let requests: Vec<u32> = page.runs.iter().map(|run| run.requests).collect();
    assert_eq!((requests, page.next), (vec![2; 5], None), "and no two in the same one");
}

#[test]
fn what_goes_on_from_an_earlier_answer_is_a_branch_with_what_came_before() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("helpful", "hello");
    let run = desk.turn(&mut chat, &With::default(), &says("hi")).run;
    chat.user("one");
    desk.turn(&mut chat, &With::default(), &says("1"));
    let mut early = chat.clone();
    chat.user("two");
    desk.turn(&mut chat, &With::default(), &says("2"));
    early.user("another two");
    let branch = desk.turn(&mut early, &With::default(), &says("zwei"));
    assert_eq!((branch.joined, &*branch.run), (Joined::Forked, &*format!("{run}~2")));
    early.user("three");
    let went = desk.turn(&mut early, &With::default(), &says("drei"));
    assert_eq!((went.joined, &went.run), (Joined::Continued, &branch.run));
    let view = desk.runs.find(desk.now, "acme", &branch.run).unwrap();
    assert_eq!((view.requests, view.depth, view.parent.as_deref()), (4, 1, Some(&*run)), "two before it branched off");
    assert_eq!(desk.runs.find(desk.now, "acme", &run).unwrap().requests, 5);
    let tree = desk.runs.tree(desk.now, "acme", &run).unwrap();
    let names: Vec<_> = tree.conversations.iter().map(|view| &*view.run).collect();
    assert_eq!(names, [&*run, &*branch.run]);
}

#[test]
fn parallel_requests_with_the_same_beginning_are_branches() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("an agent", "do it");
    desk.turn(&mut chat, &With::default(), &says("three things"));
    let parts: Vec<Chat> = (0..3)
        .map(|n| {
            let mut part = chat.clone();
            part.user(&format!("part {n}"));
            part
        })
        .collect();
    let admitted: Vec<_> = parts.iter().map(|part| desk.admit(part, &With::default())).collect();
    let joined: Vec<_> = admitted.iter().map(|admission| admission.joined).collect();
    assert_eq!(joined, [Joined::Continued, Joined::Forked, Joined::Forked]);
    let names: Vec<_> = admitted.iter().map(|admission| admission.run.clone()).collect();
    for (admission, mut part) in admitted.into_iter().zip(parts) {
        let turn = says("done");
        desk.answer(admission.ticket, &part.addition(&turn));
        part.answered(&turn);
        part.user("more");
        let went = desk.admit(&part, &With::default());
        assert!(went.joined == Joined::Continued && names.contains(&went.run), "{went:?}");
    }
}

#[test]
fn a_retry_by_an_sdk_counts_as_a_retry_and_not_as_a_request() {
    let mut desk = Desk::new();
    let chat = Chat::with("helpful", "hello");
    let first = desk.admit(&chat, &With::default());
    desk.fail(first.ticket, 1);
    desk.pass(2);
    let again = desk.admit(&chat, &With { sdk_retry: 1, ..With::default() });
    assert_eq!((again.joined, &again.run), (Joined::Retried, &first.run));
    desk.answer(again.ticket, &chat.addition(&says("hi")));
    let view = desk.runs.find(desk.now, "acme", &first.run).unwrap();
    assert_eq!((view.requests, view.sdk_retries), (1, 1));
    let other = desk.admit(&chat, &With::default());
    assert_eq!(other.joined, Joined::New, "without an SDK's word a first turn is a new run");
    desk.pass(61);
    let late = desk.admit(&chat, &With { sdk_retry: 1, ..With::default() });
    assert_eq!(late.run, other.run, "what is still under way is what its SDK tries again");
}

#[test]
fn the_same_history_is_a_retry_for_a_minute_whoever_sends_it() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("helpful", "hello");
    let run = desk.turn(&mut chat, &With::default(), &says("hi")).run;
    chat.user("and?");
    let first = desk.admit(&chat, &With::default());
    desk.fail(first.ticket, 1);
    desk.pass(5);
    let second = desk.admit(&chat, &With::default());
    assert_eq!((second.joined, &second.run), (Joined::Retried, &run));
    desk.answer(second.ticket, &chat.addition(&says("so")));
    let third = desk.admit(&chat, &With::default());
    assert_eq!((third.joined, &third.run), (Joined::Retried, &run));
    desk.answer(third.ticket, &chat.addition(&says("thus")));
    let mut thus = chat.clone();
    thus.answered(&says("so"));
    thus.user("fine");
    let went = desk.admit(&thus, &With::default());
    assert_eq!((went.joined, &went.run), (Joined::Continued, &run), "either of two answers to one request is the last");
    desk.fail(went.ticket, 1);
    desk.pass(120);
    assert_eq!(
        desk.admit(&thus, &With::default()).joined,
        Joined::Continued,
        "what was never answered may be asked anew"
    );
    desk.pass(120);
    assert_eq!(desk.admit(&chat, &With::default()).joined, Joined::Forked, "and what was is another try");
}

#[test]
fn examples_before_a_question_are_no_conversation() {
    let mut desk = Desk::new();
    let mut examples = Chat::with("a classifier", "is a dog an animal?");
    examples.answered(&says("yes"));
    examples.user("is a stone an animal?");
    examples.answered(&says("no"));
    examples.user("is a cat an animal?");
    let asked: Vec<_> = (0..4).map(|_| desk.admit(&examples, &With::default())).collect();
    assert!(asked.iter().all(|asked| asked.joined == Joined::New), "the same question by four");
    for asked in asked {
        desk.answer(asked.ticket, &examples.addition(&says("yes")));
    }
    examples.history.messages.pop();
    examples.user("is a tree an animal?");
    assert_eq!(desk.admit(&examples, &With::default()).joined, Joined::New);
}

#[test]
fn compacted_histories_and_a_changed_system_text_are_inferred() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("an agent", "do it");
    let mut run = None;
    for n in 0..10 {
        let went = desk.turn(&mut chat, &With::default(), &calls("read", &format!("file {n}")));
        run.get_or_insert(went.run);
        chat.result(&format!("text {n}"));
    }
    let mut short = chat.compacted(4, "so far: ten files");
    let went = desk.turn(&mut short, &With::default(), &says("done"));
    assert_eq!((went.joined, Some(&went.run)), (Joined::Inferred, run.as_ref()));
    short.user("thanks");
    let went = desk.turn(&mut short, &With::default(), &says("welcome"));
    assert_eq!((went.joined, Some(&went.run)), (Joined::Continued, run.as_ref()));
    short.history.root = mark("another system text");
    short.user("bye");
    let went = desk.turn(&mut short, &With::default(), &says("bye"));
    assert_eq!((went.joined, Some(&went.run)), (Joined::Inferred, run.as_ref()));
}

#[test]
fn a_named_run_is_joined_whatever_the_history() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("helpful", "hello");
    let first = desk.turn(&mut chat, &named("job 7"), &says("hi"));
    assert_eq!((first.joined, &*first.run), (Joined::Named, "job 7"));
    let other = desk.turn(&mut Chat::with("a critic", "judge"), &named("job 7"), &says("good"));
    assert_eq!((other.joined, &*other.run), (Joined::Named, "job 7~2"));
    chat.user("go on");
    assert_eq!(&*desk.turn(&mut chat, &named("job 7"), &says("so")).run, "job 7");
    chat.user("go on");
    let went = desk.turn(&mut chat, &With::default(), &says("thus"));
    assert_eq!((went.joined, &*went.run), (Joined::Continued, "job 7"), "also where the name is left out later");
    chat.user("go on");
    assert_eq!(
        &*desk.turn(&mut chat, &named("job 8"), &says("there")).run,
        "job 8",
        "the name counts, not the history"
    );
    let echoed = desk.turn(&mut Chat::with("a critic", "once more"), &named("job 7~2"), &says("fine"));
    assert_eq!(&*echoed.run, "job 7~3", "a further conversation of the same run");
    assert_eq!(desk.runs.find(desk.now, "acme", "job 7").unwrap().requests, 5);
}

#[test]
fn a_child_says_who_started_it() {
    let mut desk = Desk::new();
    let child = With { parent: Some("main"), ..With::default() };
    let first = desk.turn(&mut Chat::with("a worker", "part 1"), &child, &says("1")).run;
    desk.turn(&mut Chat::with("main", "do it"), &named("main"), &says("parts"));
    let worker = With { run: Some("worker"), ..child.clone() };
    desk.turn(&mut Chat::with("a worker", "part 2"), &worker, &says("2"));
    let grandchild = With { parent: Some("worker"), ..With::default() };
    let third = desk.turn(&mut Chat::with("a worker", "part 3"), &grandchild, &says("3")).run;
    let tree = desk.runs.tree(desk.now, "acme", "main").unwrap();
    let mut children: Vec<_> = tree.children.iter().map(|child| &*child.run.run).collect();
    children.sort_unstable();
    assert_eq!(children, [&*first, "worker"], "also one that came before its parent made a request");
    let worker = tree.children.iter().find(|child| &*child.run.run == "worker").unwrap();
    assert_eq!((&*worker.children[0].run.run, worker.children[0].run.depth), (&*third, 2));
    assert_eq!(desk.runs.find(desk.now, "acme", "main").unwrap().requests, 1, "what its children do is theirs");
    let late = With { parent: Some("late"), ..With::default() };
    desk.turn(&mut Chat::with("a worker", "part 4"), &late, &says("4"));
    desk.turn(
        &mut Chat::with("a worker", "part 5"),
        &With { run: Some("late"), parent: Some("main"), ..late },
        &says("5"),
    );
    let late = desk.runs.find(desk.now, "acme", "late").unwrap();
    assert_eq!((late.parent.as_deref(), late.requests), (Some("main"), 1), "one that was known as a parent first");
}

#[test]
fn a_response_that_is_gone_on_from_is_a_link_of_the_chain() {
    let mut desk = Desk::new();
    let from = |response: &str| With { stateful: true, ..with_id(SessionKind::PreviousResponse, response) };
    let send = |desk: &mut Desk, chat: &Chat, with: &With<'_>, response: &str| {
        desk.pass(1);
        let admission = desk.admit(chat, with);
        desk.answer_as(admission.ticket, &chat.addition(&says(response)), Some(mark(response)));
        (admission.joined, admission.run)
    };
    let (_, run) = send(&mut desk, &Chat::with("helpful", "hello"), &With::default(), "resp_1");
    let by = Joined::Session(SessionKind::PreviousResponse);
    assert_eq!(send(&mut desk, &Chat::with("", "more"), &from("resp_1"), "resp_2"), (by, run.clone()));
    assert_eq!(send(&mut desk, &Chat::with("", "more"), &from("resp_2"), "resp_3"), (by, run.clone()));
    let (joined, branch) = send(&mut desk, &Chat::with("", "other"), &from("resp_1"), "resp_4");
    assert_eq!((joined, &*branch), (by, &*format!("{run}~2")));
    assert_eq!(desk.runs.find(desk.now, "acme", &branch).unwrap().requests, 2);
    let (joined, _) = send(&mut desk, &Chat::with("", "more"), &from("resp_of_others"), "resp_5");
    assert_eq!(joined, Joined::New);
}

#[test]
fn a_session_is_one_run_and_a_shared_key_ties_conversations_that_stay_apart() {
    let mut desk = Desk::new();
    let session = with_id(SessionKind::Session, "s1");
    let first = desk.turn(&mut Chat::with("main", "hello"), &session, &says("hi"));
    let second = desk.turn(&mut Chat::with("title", "a title"), &session, &says("Greeting"));
    assert_eq!((first.joined, second.joined), (Joined::New, Joined::Session(SessionKind::Session)));
    assert_eq!(&*second.run, &*format!("{}~2", first.run));
    for kind in [SessionKind::PromptCacheKey, SessionKind::Trace] {
        let shared = with_id(kind, "k1");
        let mut one = Chat::with("a service", "hello");
        let first = desk.turn(&mut one, &shared, &says("hi"));
        let second = desk.turn(&mut Chat::with("a service", "hello"), &shared, &says("hi"));
        assert_eq!((second.joined, &*second.run), (Joined::Session(kind), &*format!("{}~2", first.run)));
        one.user("more");
        let went = desk.turn(&mut one, &shared, &says("so"));
        assert_eq!((went.joined, &went.run), (Joined::Continued, &first.run));
        one.user("more still");
        let went = desk.turn(&mut one, &with_id(kind, "another"), &says("so"));
        assert_eq!(
            (went.joined, &went.run),
            (Joined::Continued, &first.run),
            "a trace per request parts no conversation"
        );
    }
}

#[test]
fn tenants_never_meet() {
    let mut desk = Desk::new();
    let all = With {
        run: Some("job"),
        ids: vec![id(SessionKind::Session, "s"), id(SessionKind::Trace, "t"), id(SessionKind::Conversation, "c")],
        ..With::default()
    };
    let mut chat = Chat::with("helpful", "hello");
    desk.turn(&mut chat, &all, &says("hi"));
    chat.user("more");
    desk.tenant = "globex".into();
    for with in [&With::default(), &With { run: None, ..all.clone() }, &named("other"), &all] {
        desk.pass(100);
        let admission = desk.admit(&chat, with);
        assert!(
            [Joined::New, Joined::Named].contains(&admission.joined)
                || desk.runs.find(desk.now, "globex", &admission.run).is_some()
        );
        let own = desk.runs.find(desk.now, "acme", "job").unwrap();
        assert_eq!((own.requests, own.conversations), (1, 1));
        desk.refuse(admission.ticket);
    }
    let parent = With { parent: Some("job"), ..With::default() };
    let child = desk.admit(&Chat::with("x", "y"), &parent);
    assert_eq!(child.parent.as_deref(), Some("job"));
    assert!(desk.runs.tree(desk.now, "acme", "job").unwrap().children.is_empty());
    assert!(desk.runs.find(desk.now, "acme", &child.run).is_none());
    assert!(
        desk.runs.list(desk.now, &weir_engine::RunsFilter { tenant: Some("acme"), ..Default::default() }, 9).runs.len()
            == 1
    );
}

#[test]
fn what_is_not_used_for_two_hours_is_forgotten() {
    let mut desk = Desk::of(RunsSettings { ttl: Duration::from_secs(7_200), ..RunsSettings::default() });
    let mut chat = Chat::with("helpful", "hello");
    let run = desk.turn(&mut chat, &With::default(), &says("hi")).run;
    let kept = desk.turn(&mut Chat::with("helpful", "hello"), &named("kept"), &says("hi")).run;
    assert_eq!(desk.runs.next_expiry(), Some(desk.now - Duration::from_secs(1) + Duration::from_secs(7_200)));
    desk.pass(7_000);
    desk.turn(&mut Chat::with("helpful", "again"), &named(&kept), &says("hi"));
    desk.pass(300);
    desk.runs.expire(desk.now);
    assert!(desk.runs.find(desk.now, "acme", &run).is_none() && desk.runs.find(desk.now, "acme", &kept).is_some());
    chat.user("more");
    let late = desk.admit(&chat, &With::default());
    assert_eq!(late.joined, Joined::New);
    desk.pass(20_000);
    desk.runs.expire(desk.now);
    assert_eq!(desk.runs.size().runs, 1, "what has a request under way is used");
    desk.refuse(late.ticket);
    desk.pass(7_200);
    desk.runs.expire(desk.now);
    let size = desk.runs.size();
    assert_eq!((size.runs, size.conversations, size.bytes, desk.runs.next_expiry()), (0, 0, 0, None));
}

#[test]
fn a_request_without_a_history_has_a_run_as_well() {
    let mut desk = Desk::new();
    let ask = |desk: &mut Desk, run: Option<&str>| {
        let (guards, tenant) = (desk.guards.clone(), desk.tenant.clone());
        let ask = weir_engine::RunAsk {
            tenant: &tenant,
            run,
            parent: None,
            ids: &[],
            history: None,
            stateful: false,
            guards: &guards,
            sdk_retry: 0,
            input: weir_units::Tokens(10),
            draw: 77,
        };
        desk.runs.admit(desk.now, &ask)
    };
    let first = ask(&mut desk, None);
    let second = ask(&mut desk, None);
    assert_ne!(first.run, second.run, "a name that is taken is not given twice");
    assert_eq!(ask(&mut desk, Some("job")).run, ask(&mut desk, Some("job")).run);
    desk.answer(first.ticket, &Chat::new("").addition(&says("x")));
}
