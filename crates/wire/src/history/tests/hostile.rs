//! Bodies that no honest client sends: nothing panics, and nothing takes more than a time in proportion to their length.

use super::*;

const ENDPOINTS: [Endpoint; 3] = [Endpoint::ChatCompletions, Endpoint::Messages, Endpoint::Responses];

fn read_all(body: &[u8], room: &mut Room) -> usize {
    let mut known = 0;
    for endpoint in ENDPOINTS {
        known += usize::from(read_history(&scope(), endpoint, body, room).is_some());
        known += usize::from(read_addition(&scope(), endpoint, body, room).is_some());
        known += usize::from(quote(endpoint, body, 1).is_some());
    }
    known
}

const BODIES: [&str; 4] = [
    r#"{"model":"m","system":[{"type":"text","text":"\u00e9\ud83d\ude00"}],"messages":[{"role":"user","content":"a\\\"b 7f3a9c21-"},
    {"role":"assistant","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"a","name":"t","input":{"b":[1.5e3,{"a":null}],"a":""}}]},
    {"role":"user","content":[{"text":"[1,    ","type":"text"},{"type":"text","text":"   2]"},{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"data":"x"}}],"is_error":true}]}]}"#,
    r#"{"tools":[{"function":{"name":"t"}},{"type":"x"}],"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"t",
    "arguments":"{\"b\":\"\\u00e9\",\"a\":[{}]}"}}],"content":null},{"role":"tool","tool_call_id":"a","content":"[{\"error\":1}]"}]}"#,
    r#"{"input":[{"type":"reasoning"},{"role":"assistant","content":[{"type":"output_text","text":"2026-11-27T14:22:25Z"}]},
    {"type":"function_call","call_id":"a","name":"t","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":{"x":1}}]}"#,
    r#"{"choices":[{"message":{"content":"x","tool_calls":[{"function":{"name":"t","arguments":"{\"a\""}}]}}],"output":[],"content":[]}"#,
];

#[test]
fn cut_or_changed_anywhere_a_body_is_read_or_refused() {
    let mut room = Room::default();
    for body in BODIES {
        assert!(read_all(body.as_bytes(), &mut room) > 0, "{body}");
        for end in 0..body.len() {
            for endpoint in ENDPOINTS {
                assert_eq!(
                    read_history(&scope(), endpoint, &body.as_bytes()[..end], &mut room),
                    None,
                    "{}",
                    &body[..end]
                );
            }
            read_all(&body.as_bytes()[..end], &mut room);
        }
        for at in 0..body.len() {
            for byte in *b"\"\\{}[],:0u\xFF\0 " {
                let mut changed = body.as_bytes().to_vec();
                changed[at] = byte;
                read_all(&changed, &mut room);
            }
        }
    }
}

#[test]
fn shapes_that_are_not_known_are_refused() {
    for body in ["", "null", "[]", "7", "{}", r#"{"messages":7}"#, r#"{"messages":[7]}"#, r#"{"messages":[]} x"#] {
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Messages] {
            assert_eq!(read_history(&scope(), endpoint, body.as_bytes(), &mut Room::default()), None, "{body}");
        }
    }
    // Members of an odd type cost no more than themselves.
    let odd =
        chat(r#"{"role":7,"content":{"x":[]},"tool_calls":"none","name":null},{"role":"assistant","content":"yes"}"#);
    assert_eq!((odd.messages.len(), odd.turns), (2, 1));
}

#[test]
fn deep_and_large_bodies_take_a_time_in_proportion() {
    const MANY: usize = 50_000;
    let mut room = Room::default();
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(MANY), close.repeat(MANY));
    let user = |content: &str| format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#);
    let call = |input: &str| {
        format!(
            r#"{{"messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"x","input":{input}}}]}}]}}"#
        )
    };
    let quoted = |json: &str| serde_json::Value::from(json).to_string();
    let unsorted = nested(r#"{"b":"#, r#","a":1}"#);
    for body in [
        user(&nested("[", "]")),
        user(&nested(r#"{"a":"#, "}")),
        user(&quoted(&nested("[", "]"))),
        user(&quoted(&unsorted)),
        call(&unsorted),
        call(&nested("[", "]")),
        user(&quoted(&"1-".repeat(MANY))),
        user(&quoted(&"a1".repeat(MANY))),
        user(&quoted(&" 1".repeat(MANY))),
        user(&quoted(&"2026-11-27T".repeat(MANY))),
        user(&quoted(&"\\\"".repeat(MANY))),
        format!(r#"{{"messages":[{}{{}}]}}"#, "{},".repeat(MANY)),
        format!(r#"{{"messages":[{{{}"role":"user"}}]}}"#, r#""content":"x","#.repeat(MANY)),
        format!(
            r#"{{"messages":[{{"role":"assistant","tool_calls":[{}{{}}]}},{}{{}}]}}"#,
            "{},".repeat(MANY),
            r#"{"role":"tool","tool_call_id":"none","content":"x"},"#.repeat(MANY / 10)
        ),
        format!(
            r#"{{"messages":[{{"role":"user","content":[{}{{}}]}}]}}"#,
            r#"{"type":"text","text":"[1"},"#.repeat(MANY)
        ),
    ] {
        assert!(read_all(body.as_bytes(), &mut room) > 0);
    }
}

#[test]
fn half_a_surrogate_pair_is_a_text_as_well() {
    let say = |text: &str| chat(&format!(r#"{{"role":"user","content":"{text}"}}"#)).messages[0];
    assert_ne!(say(r"\ud83d"), say(r"\ud83e"));
    assert_ne!(say(r"\ud83d"), say(r"\ud83dx"));
    assert_eq!(say(r"\ud83d\ude00"), say("😀"));
    assert_ne!(say(r"\ude00\ud83d"), say("😀"));
}

#[test]
fn buffers_of_one_request_do_not_show_in_the_next() {
    let mut room = Room::default();
    for body in BODIES.iter().chain(&BODIES).map(|body| body.as_bytes()) {
        for endpoint in ENDPOINTS {
            let fresh = read_history(&scope(), endpoint, body, &mut Room::default());
            assert_eq!(read_history(&scope(), endpoint, body, &mut room), fresh);
        }
    }
}
