//! Conversations as clients send them, and what is read of them.

use weir_units::{Action, Mark};

use super::*;

const CHAT: &str = r#"{"model":"m","messages":[
    {"role":"system","content":"You help."},
    {"role":"user","content":"Weather in Paris and Rome?"},
    {"role":"assistant","content":"Let me look.","tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Paris\", \"days\": 2}"}},
        {"id":"call_2","type":"function","function":{"name":"weather","arguments":"{\"days\":2,\"city\":\"Rome\"}"}}]},
    {"role":"tool","tool_call_id":"call_2","content":"{\"sky\": \"clear\", \"degrees\": 21.0}"},
    {"role":"tool","tool_call_id":"call_1","content":"Error: station 17 is down"},
    {"role":"assistant","content":"Rome is clear; Paris I cannot tell."},
    {"role":"user","content":"Try again"}],
    "tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}"#;

const MESSAGES: &str = r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"You help.","cache_control":{"type":"ephemeral"}}],
    "tools":[{"name":"weather","input_schema":{"type":"object"}}],"messages":[
    {"role":"user","content":"Weather in Paris and Rome?"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Let me look."},
        {"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris","days":2}},
        {"type":"tool_use","id":"toolu_2","name":"weather","input":{"days":2,"city":"Rome"}}]},
    {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"{\"degrees\":21,\"sky\":\"clear\"}"}]},
        {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":"Error: station 17 is down"}]},
    {"role":"assistant","content":"Rome is clear; Paris I cannot tell."},
    {"role":"user","content":[{"type":"text","text":"Try again"}]}]}"#;

const RESPONSES: &str = r#"{"model":"m","instructions":"You help.","tools":[{"type":"function","name":"weather"}],"input":[
    {"role":"user","content":[{"type":"input_text","text":"Weather in Paris and Rome?"}]},
    {"type":"reasoning","id":"rs_1","summary":[]},
    {"id":"msg_1","content":[{"annotations":[],"text":"Let me look.","type":"output_text"}],"role":"assistant","type":"message"},
    {"type":"function_call","id":"fc_1","call_id":"c1","name":"weather","arguments":"{\"city\":\"Paris\",\"days\":2}"},
    {"type":"function_call","id":"fc_2","call_id":"c2","name":"weather","arguments":"{\"city\":\"Rome\",\"days\":2}"},
    {"type":"function_call_output","call_id":"c2","output":"{\"sky\":\"clear\",\"degrees\":21}"},
    {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"Error: station 17 is down"}]},
    {"role":"assistant","content":"Rome is clear; Paris I cannot tell."},
    {"role":"user","content":"Try again"}]}"#;

#[test]
fn the_same_conversation_has_the_same_marks_in_each_dialect() {
    let chat = read(Endpoint::ChatCompletions, CHAT);
    assert_eq!(chat, read(Endpoint::Messages, MESSAGES));
    assert_eq!(chat, read(Endpoint::Responses, RESPONSES));
}

#[test]
fn turns_calls_and_results_are_found_and_belong_together() {
    let history = read(Endpoint::ChatCompletions, CHAT);
    assert_eq!((history.messages.len(), history.turns, history.tool_calls), (6, 2, 2));
    assert_eq!((history.earlier_actions, history.actions.len()), (0, 3));
    assert_eq!(history.tools, ["weather".into()]);
    let [paris, rome, words] = history.actions[..] else { panic!("three actions") };
    assert_eq!((paris.message, rome.message, words.message), (1, 1, 4));
    assert_eq!((paris.tool, rome.tool, words.tool), (Some(0), Some(0), None));
    assert_eq!((paris.error.is_some(), rome.error, words.error), (true, None, None));
    assert_ne!(paris.what, rome.what);
    assert_eq!(
        paris.result,
        chat(r#"{"role":"user","content":"Error: station 17 is down"}"#).received.first().copied()
    );
    assert_eq!(words.result, history.received.first().copied());
    assert_eq!(history.received.len(), 1);
}

#[test]
fn nothing_is_known_of_endpoints_without_a_conversation() {
    for endpoint in [Endpoint::Completions, Endpoint::Embeddings, Endpoint::CountTokens] {
        assert_eq!(read_history(&scope(), endpoint, CHAT.as_bytes(), &mut Room::default()), None);
        assert_eq!(read_addition(&scope(), endpoint, b"{}", &mut Room::default()), None);
    }
}

#[test]
fn tenants_and_installations_share_no_mark() {
    let (key, other) = (HistoryKey::new(&[7; 32]), HistoryKey::new(&[8; 32]));
    let read =
        |scope: &Scope| read_history(scope, Endpoint::ChatCompletions, CHAT.as_bytes(), &mut Room::default()).unwrap();
    let (acme, beta, elsewhere) = (read(&key.scope("acme")), read(&key.scope("beta")), read(&other.scope("acme")));
    for other in [&beta, &elsewhere] {
        assert_ne!(acme.root, other.root);
        assert!(acme.messages.iter().all(|mark| !other.messages.contains(mark)));
    }
    assert_eq!(acme, read(&key.scope("acme")));
    let scope = key.scope("acme");
    assert_eq!(scope.name("run", "a"), scope.name("run", "a"));
    assert_ne!(scope.name("run", "a"), scope.name("session", "a"));
    assert_ne!(scope.name("run", "a"), scope.name("run", "b"));
    assert_ne!(scope.name("run", "a"), key.scope("beta").name("run", "a"));
}

#[test]
fn a_message_keeps_what_its_actions_leave_out() {
    let step = |time: &str, id: &str, page: &str| {
        chat(&format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"{id}","function":{{"name":"poll",
            "arguments":"{{\"page\":{page},\"at\":\"{time}\"}}"}}}}]}},
            {{"role":"tool","tool_call_id":"{id}","content":"[{time}] job {id}: progress {page} of 200"}}"#
        ))
    };
    let first = step("2026-11-27T14:22:25Z", "call_9f3A7b2Q", "42");
    let later = step("2026-11-27T14:23:01Z", "call_Zk81mN0p", "42");
    assert_ne!(first.messages, later.messages);
    assert_eq!(first.actions, later.actions);
    let further = step("2026-11-27T14:24:07Z", "call_pQ7r5T2u", "43");
    assert_ne!(first.actions[0].what, further.actions[0].what);
    assert_ne!(first.actions[0].result, further.actions[0].result);
}

#[test]
fn the_root_is_the_system_text_and_the_tools_and_no_model() {
    let root = |model: &str, system: &str, tools: &str| {
        read(
            Endpoint::ChatCompletions,
            &format!(
                r#"{{"model":"{model}","tools":[{tools}],"messages":[{{"role":"system","content":"{system}"}},
                {{"role":"user","content":"hi"}}]}}"#
            ),
        )
        .root
    };
    let (a, b) = (r#"{"function":{"name":"a"}}"#, r#"{"type":"function","function":{"description":"x","name":"b"}}"#);
    let usual = root("m", "It is 2026-11-27 14:22:25, help.", &format!("{a},{b}"));
    assert_eq!(usual, root("n", "It is 2026-11-27 19:01:07, help.", &format!("{b},{a}")));
    assert_ne!(usual, root("m", "It is 2026-11-27 14:22:25, help.", a));
    assert_ne!(usual, root("m", "It is 2026-11-27 14:22:25, go.", &format!("{a},{b}")));
    let late = chat(r#"{"role":"user","content":"hi"},{"role":"system","content":"You help."}"#);
    assert_eq!(
        late.root,
        chat(r#"{"role":"user","content":"hi"}"#).root,
        "a system text among messages is one of them"
    );
    assert_eq!(late.messages.len(), 2);
}

#[test]
fn a_result_finds_its_call_by_id_else_by_order() {
    let results = |ids: [&str; 2]| {
        let [first, second] = ids;
        let history = chat(&format!(
            r#"{{"role":"assistant","content":null,"tool_calls":[
            {{"id":"a","function":{{"name":"x","arguments":"{{}}"}}}},{{"id":"b","function":{{"name":"y","arguments":""}}}}]}},
            {{"role":"tool"{first},"content":"one"}},{{"role":"tool"{second},"content":"two"}}"#
        ));
        history.actions.iter().map(|action| action.result.unwrap()).collect::<Vec<_>>()
    };
    let word = |text: &str| chat(&format!(r#"{{"role":"user","content":"{text}"}}"#)).received[0];
    let (one, two) = (word("one"), word("two"));
    assert_eq!(results([r#","tool_call_id":"a""#, r#","tool_call_id":"b""#]), [one, two]);
    assert_eq!(results([r#","tool_call_id":"b""#, r#","tool_call_id":"a""#]), [two, one]);
    assert_eq!(results(["", ""]), [one, two]);
    assert_eq!(results([r#","tool_call_id":"b""#, ""]), [two, one]);
    let same = chat(
        r#"{"role":"assistant","tool_calls":[{"id":"","function":{"name":"x"}},{"id":"0","function":{"name":"y"}},
        {"id":"0","function":{"name":"z"}}]},{"role":"tool","tool_call_id":"0","content":"one"},
        {"role":"tool","tool_call_id":"0","content":"two"},{"role":"tool","tool_call_id":"7","content":"one"}"#,
    );
    let results: Vec<_> = same.actions.iter().map(|action| action.result.unwrap()).collect();
    assert_eq!(results, [one, one, two], "one id for several calls of a turn means them in order");
}

#[test]
fn one_id_for_all_calls_means_the_latest_that_has_no_result() {
    let step = |result: &str| {
        format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"call_0","function":{{"name":"x","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"call_0","content":"{result}"}}"#
        )
    };
    let history = chat(&[step("one"), step("two"), step("one")].join(","));
    let results: Vec<_> = history.actions.iter().map(|action| action.result).collect();
    assert!(results.iter().all(Option::is_some));
    assert_eq!(results[0], results[2]);
    assert_ne!(results[0], results[1]);
}

#[test]
fn only_the_last_actions_are_kept_and_the_others_counted() {
    let call = |at: usize| format!(r#"{{"id":"c{at}","function":{{"name":"t{at}","arguments":"{{\"n\":{at}}}"}}}}"#);
    let turn = |from: usize, to: usize| {
        let calls: Vec<_> = (from..to).map(call).collect();
        let results: Vec<_> =
            (from..to).map(|at| format!(r#"{{"role":"tool","tool_call_id":"c{at}","content":"r{at}"}}"#)).collect();
        format!(r#"{{"role":"assistant","tool_calls":[{}]}},{}"#, calls.join(","), results.join(","))
    };
    let whole = chat(&format!("{},{},{}", turn(0, 10), turn(10, 40), turn(40, 100)));
    assert_eq!((whole.earlier_actions, whole.actions.len(), whole.tool_calls), (36, 64, 100));
    assert_eq!((whole.actions[0].message, whole.actions[4].message), (11, 42));
    let tail = chat(&turn(40, 100));
    let marks = |actions: &[Action]| actions.iter().map(|a| (a.what, a.result)).collect::<Vec<_>>();
    assert_eq!(marks(&whole.actions[4..]), marks(&tail.actions), "each result stands at its own call");
    assert_eq!(
        marks(&whole.actions[..4]),
        marks(&chat(&turn(10, 40)).actions[26..]),
        "those of calls left out at none"
    );
    assert_eq!((&*whole.tools[0], &*whole.tools[63]), ("t36", "t99"));
}

#[test]
fn an_error_is_told_by_what_it_says() {
    let error = |content: &str| {
        chat(&format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"a","function":{{"name":"x","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"a","content":{content}}}"#
        ))
        .actions[0]
            .error
    };
    for text in [
        r#""Error: no such file""#,
        r#""  [ERROR] disk full""#,
        r#""\"exception in thread main""#,
        r#""Traceback (most recent call last):\n  x""#,
        r#""Failed to connect""#,
        r#""FAILURE""#,
        r#""ValueError('x')""#,
        r#""java.lang.NullPointerException: x""#,
        r#""[\"error\", 7]""#,
        r#""{\"error\": \"no\"}""#,
        r#""{\"data\": 1, \"errors\": [{\"m\": 1}]}""#,
        r#""{\"is_error\": true}""#,
        r#""{\"success\": false, \"x\": 1}""#,
        r#""{\"status\":\"error\"}""#,
    ] {
        assert!(error(text).is_some(), "{text}");
    }
    for text in [
        r#""No error was found""#,
        r#""errors: 0""#,
        r#""{\"error\": null}""#,
        r#""{\"errors\": [], \"data\": 1}""#,
        r#""{\"success\": true}""#,
        r#""{\"status\": \"ok\", \"inner\": {\"error\": 1}}""#,
        r#""Terror is a film""#,
        r#""""#,
        "null",
    ] {
        assert_eq!(error(text), None, "{text}");
    }
    assert_eq!(error(r#""Error 17 at 14:22:25""#), error(r#""Error 23 at 14:22:31""#));
    assert_ne!(error(r#""Error: no such file""#), error(r#""Error: no such user""#));
}

#[test]
fn anthropics_flag_says_what_is_an_error() {
    let error = |flag: &str, text: &str| {
        anthropic(&format!(
            r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"x","input":{{}}}}]}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a"{flag},"content":"{text}"}}]}}"#
        ))
        .actions[0]
            .error
            .is_some()
    };
    assert!(error(r#","is_error":true"#, "permission denied"));
    assert!(!error(r#","is_error":false"#, "Error: as a test expects"));
    assert!(error("", "Error: no such file"));
    assert!(!error("", "done"));
}

#[test]
fn long_texts_are_sketched_and_similar_ones_are_near() {
    let text = "The build fails since the linker finds no symbol of that name, so I will look at the build script and then \
                at the crate that it links, and run the tests again when I have changed the search path for it. ";
    let other = "A poem about autumn leaves and the river that carries them past old mills, where nobody works any more, and \
                 children throw stones from the bridge to see the rings grow wider until the far bank stops them all at once.";
    let say = |text: &str| {
        let turn = format!(r#"{{"role":"assistant","content":"{text}"}}"#);
        chat(&format!("{turn},{turn},{turn},{turn},{turn},{turn},{turn}"))
    };
    let first = say(&format!("{text}{text}Attempt 3 at 14:22:25."));
    assert_eq!(first.sketches.iter().map(|sketch| sketch.message).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let distance = |other: &History| (first.sketches[0].bits ^ other.sketches[0].bits).count_ones();
    assert!(distance(&say(&format!("{text}{text}Attempt 4 at 14:29:07."))) <= 3);
    assert!(distance(&say(&format!("{text}{text}ATTEMPT 3 at 14:29:07."))) == 0);
    assert!(distance(&say(other)) > 15);
    assert!(say("Too short to be compared.").sketches.is_empty());
    assert!(say(&"é ".repeat(199)).sketches.len() == 6, "characters count, not bytes");
    assert!(say(&"é".repeat(199)).sketches.is_empty());
}

#[test]
fn what_was_received_is_what_came_after_the_last_turn() {
    let say = |text: &str| chat(&format!(r#"{{"role":"user","content":"{text}"}}"#)).received[0];
    let history = chat(
        r#"{"role":"user","content":"long ago"},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"x"}}]},
        {"role":"tool","tool_call_id":"a","content":"{\"b\": \"a string of 24 characters\", \"a\": [\"too short\"]}"},
        {"role":"user","content":[{"type":"text","text":"part one "},{"type":"text","text":"part two"}]}"#,
    );
    for text in ["part one", "part two", "part one part two", "a string of 24 characters"] {
        assert!(history.received.contains(&say(text)), "{text}");
    }
    for text in ["long ago", "too short", "b"] {
        assert!(!history.received.contains(&say(text)), "{text}");
    }
    let quoted = chat(r#"{"role":"user","content":"\"What do you mean by that, exactly?\""}"#);
    assert!(quoted.received.contains(&say("What do you mean by that, exactly?")));
    let split = chat(
        r#"{"role":"user","content":[{"type":"text","text":"[1,                "},{"type":"text","text":"              2]"}]}"#,
    );
    assert!(["[1,2]", "[1,", "2]"].iter().all(|text| split.received.contains(&say(text))), "JSON in two parts");
    let many = vec![r#"{"role":"user","content":"[\"aaaaaaaaaaaaaaaaaaaaaaaa\",\"bbbbbbbbbbbbbbbbbbbbbbbbb\"]"}"#; 40];
    assert_eq!(chat(&many.join(",")).received.len(), 16);
}

#[test]
fn words_are_answered_by_the_users_next_message() {
    let turn = |time: &str| {
        format!(
            r#"{{"role":"assistant","content":"What do you mean? ({time})"}},
            {{"role":"user","content":"[{time}]  What do\nyou mean?"}}"#
        )
    };
    let history = chat(&[turn("1700000042"), turn("1700000108"), turn("1700000231")].join(","));
    assert_eq!(history.actions.len(), 3);
    let marks: Vec<(Mark, Option<Mark>)> = history.actions.iter().map(|a| (a.what, a.result)).collect();
    assert!(marks[0].1.is_some());
    assert_eq!((marks[0], marks[1]), (marks[1], marks[2]));
}

#[test]
fn pictures_in_results_tell_them_apart() {
    let step = |data: &str| {
        anthropic(&format!(
            r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"click","input":{{"x":1}}}}]}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a","content":[
            {{"type":"image","source":{{"type":"base64","data":"{data}"}},"cache_control":null}}]}}]}}"#
        ))
    };
    assert_eq!(step("iVBORw0KGgo7").actions, step("iVBORw0KGgo7").actions);
    assert_ne!(step("iVBORw0KGgo7").actions[0].result, step("iVBORw0KGgo8").actions[0].result);
}

#[test]
fn a_stored_response_leaves_only_the_tail() {
    let history = read(
        Endpoint::Responses,
        r#"{"model":"m","previous_response_id":"resp_1","input":[{"type":"function_call_output","call_id":"c","output":"ok"}]}"#,
    );
    assert_eq!((history.messages.len(), history.turns, history.actions.len(), history.received.len()), (1, 0, 0, 1));
    let prompt = read(Endpoint::Responses, r#"{"model":"m","input":"hi"}"#);
    assert_eq!(prompt.messages, chat(r#"{"role":"user","content":"hi"}"#).messages);
    let stored = read(Endpoint::Responses, r#"{"model":"m","prompt":{"id":"p"}}"#);
    assert!(stored.messages.is_empty());
}

#[test]
fn a_turn_that_is_only_referred_to_is_a_turn_without_a_known_action() {
    let history = responses(
        r#"{"role":"user","content":"a"},{"type":"item_reference","id":"msg_1"},{"role":"user","content":"b"}"#,
    );
    assert_eq!((history.messages.len(), history.turns, history.actions.len()), (3, 1, 0));
}

#[test]
fn a_message_is_quoted_on_one_short_line() {
    let quoted = |message| quote(Endpoint::ChatCompletions, CHAT.as_bytes(), message);
    assert_eq!(quoted(0).as_deref(), Some("Weather in Paris and Rome?"));
    assert_eq!(
        quoted(1).as_deref(),
        Some(r#"Let me look. weather({"city":"Paris","days":2}) weather({"city":"Rome","days":2})"#)
    );
    assert_eq!(quoted(6), None);
    let hostile = r#"{"messages":[{"role":"user","content":"a\u001b[31m\u202e\nb\ud800 XXX"}]}"#
        .replace("XXX", &"ä ".repeat(300));
    let line = quote(Endpoint::ChatCompletions, hostile.as_bytes(), 0).unwrap();
    assert_eq!(line.chars().count(), 200);
    assert!(line.starts_with("a [31m? b"), "{line}");
    assert!(!line.contains(|c: char| c.is_control()));
}
