//! Stories of request bodies: what is read, what is refused, and what is sent on.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn chat(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{members}}}"#)
}

fn read(endpoint: Endpoint, body: &str) -> Head {
    read_head(endpoint, body.as_bytes()).unwrap()
}

fn refused(endpoint: Endpoint, body: &str) -> (Option<&'static str>, String) {
    let error = read_head(endpoint, body.as_bytes()).unwrap_err();
    (error.param, error.message)
}

fn sent(endpoint: Endpoint, body: &str, change: Rewrite<'_>) -> String {
    let head = read(endpoint, body);
    let pieces = rewrite(&head, &Bytes::copy_from_slice(body.as_bytes()), &change);
    String::from_utf8(pieces.concat()).unwrap()
}

#[test]
fn what_weir_acts_on_is_read() {
    let body = chat(
        r#","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":7,"max_tokens":9,"n":2,
        "logprobs":true,"tools":[{}],"reasoning_effort":"low","store":false,"user":"u","unheard_of":{"a":[1]}"#,
    );
    let head = read(Endpoint::ChatCompletions, &body);
    assert_eq!((head.model.as_str(), head.stream, head.include_usage), ("m", true, true));
    assert_eq!((head.max_output, head.n, head.logprobs, head.tools), (Some(7), 2, true, true));
    assert_eq!((head.reasoning, head.store, head.user.as_deref()), (true, Some(false), Some("u")));

    let head = read(
        Endpoint::Responses,
        r#"{"input":"x","model":"m","max_output_tokens":5,"background":true,"previous_response_id":"resp_1",
        "reasoning":{"effort":"high","summary":null},"include":["message.output_text.logprobs"]}"#,
    );
    assert_eq!((head.max_output, head.background, head.reasoning, head.logprobs), (Some(5), true, true, true));
    assert_eq!(head.previous_response_id.as_deref(), Some("resp_1"));

    let head = read(
        Endpoint::Messages,
        r#"{"model":"m","max_tokens":1,"messages":[{}],"metadata":{"user_id":"u"},"thinking":{"type":"adaptive"}}"#,
    );
    assert_eq!((head.max_output, head.reasoning, head.user.as_deref()), (Some(1), true, Some("u")));
}

#[test]
fn all_that_multiplies_an_answer_is_read() {
    let both = read(Endpoint::ChatCompletions, &chat(r#","max_completion_tokens":7,"max_tokens":9"#));
    assert_eq!((both.max_output, both.output_at_most), (Some(7), Some(9)));
    assert_eq!(read(Endpoint::ChatCompletions, &chat("")).output_at_most, None);
    for (prompt, more, prompts, best_of) in [
        (r#""one""#, "", 1, 1),
        (r#"["one","two"]"#, r#","best_of":3"#, 2, 3),
        ("[1,2,3]", r#","best_of":null"#, 1, 1),
        ("[[1],[2,3],[4]]", r#","best_of":0"#, 3, 1),
    ] {
        let head = read(Endpoint::Completions, &format!(r#"{{"model":"m","prompt":{prompt}{more}}}"#));
        assert_eq!((head.prompts, head.best_of), (prompts, best_of), "{prompt}{more}");
    }
    for (stored, more) in [(true, r#","conversation":"c""#), (true, r#","prompt":{"id":"p"}"#), (false, "")] {
        let head = read(Endpoint::Responses, &format!(r#"{{"model":"m","input":"x"{more}}}"#));
        assert_eq!((head.stored_input, head.prompts), (stored, 1), "{more}");
    }
}

#[test]
fn what_points_to_input_elsewhere_is_seen() {
    for (elsewhere, part) in [
        (true, r#"{"type":"image_url","image_url":{"url":"https://x/y.png"}}"#),
        (true, r#"{"type":"image","source":{"type":"url","url":"https://x/y.png"}}"#),
        (true, r#"{"type":"document","source":{"type":"file","file_id":"f"}}"#),
        (true, r#"{"type":"input_file","file_url":"https://x/y.pdf"}"#),
        (false, r#"{"type":"text","text":"an url of a file"}"#),
    ] {
        assert_eq!(points_elsewhere(part.as_bytes()), elsewhere, "{part}");
    }
}

#[test]
fn what_is_billed_apart_is_told_from_what_has_the_list_price() {
    for (endpoint, more, list_price) in [
        (Endpoint::ChatCompletions, "", true),
        (Endpoint::ChatCompletions, r#","service_tier":"auto""#, true),
        (Endpoint::ChatCompletions, r#","service_tier":null"#, true),
        (Endpoint::ChatCompletions, r#","service_tier":"flex""#, false),
        (Endpoint::ChatCompletions, r#","service_tier":"priority""#, false),
        (Endpoint::ChatCompletions, r#","service_tier":7"#, false),
        (Endpoint::Messages, r#","service_tier":"standard_only","speed":"standard""#, true),
        (Endpoint::Messages, r#","speed":"fast""#, false),
    ] {
        assert_eq!(read(endpoint, &chat(more)).list_price, list_price, "{more}");
    }
}

#[test]
fn null_is_absent() {
    let body = chat(
        r#","stream":null,"stream_options":null,"max_tokens":null,"n":null,"logprobs":null,"tools":null,"store":null,
        "reasoning_effort":null,"user":null"#,
    );
    let head = read(Endpoint::ChatCompletions, &body);
    let plain = read(Endpoint::ChatCompletions, &chat(""));
    assert_eq!(Head { spans: plain.spans.clone(), ..head }, plain);
}

#[test]
fn reasoning_is_what_is_not_switched_off() {
    for (endpoint, member, reasons) in [
        (Endpoint::ChatCompletions, r#""reasoning_effort":"none""#, false),
        (Endpoint::ChatCompletions, r#""reasoning":{"enabled":false}"#, false),
        (Endpoint::ChatCompletions, r#""reasoning":{"max_tokens":100}"#, true),
        (Endpoint::ChatCompletions, r#""thinking":true"#, true),
        (Endpoint::Messages, r#""thinking":{"type":"disabled"}"#, false),
        (Endpoint::Messages, r#""thinking":{"type":"enabled","budget_tokens":1024}"#, true),
    ] {
        assert_eq!(read(endpoint, &chat(&format!(",{member}"))).reasoning, reasons, "{member}");
    }
}

#[test]
fn a_wrong_type_is_refused_by_name() {
    for (endpoint, member, param) in [
        (Endpoint::ChatCompletions, r#""stream":"yes""#, "stream"),
        (Endpoint::ChatCompletions, r#""n":-1"#, "n"),
        (Endpoint::ChatCompletions, r#""n":0"#, "n"),
        (Endpoint::ChatCompletions, r#""max_tokens":1.5"#, "max_tokens"),
        (Endpoint::ChatCompletions, r#""max_completion_tokens":[]"#, "max_completion_tokens"),
        (Endpoint::ChatCompletions, r#""stream_options":[]"#, "stream_options"),
        (Endpoint::ChatCompletions, r#""stream_options":{"include_usage":1}"#, "stream_options"),
        (
            Endpoint::ChatCompletions,
            r#""stream_options":{"include_usage":false,"include\u005fusage":true}"#,
            "stream_options",
        ),
        (Endpoint::ChatCompletions, r#""tools":{}"#, "tools"),
        (Endpoint::ChatCompletions, r#""user":7"#, "user"),
        (Endpoint::ChatCompletions, r#""store":"no""#, "store"),
        (Endpoint::Messages, r#""thinking":"on""#, "thinking"),
        (Endpoint::Messages, r#""metadata":{"user_id":7}"#, "metadata"),
    ] {
        assert_eq!(refused(endpoint, &chat(&format!(",{member}"))).0, Some(param), "{member}");
    }
}

#[test]
fn what_must_be_there_is_asked_for() {
    for (endpoint, body, param, words) in [
        (Endpoint::ChatCompletions, r#"{"messages":[1]}"#, "model", "`model` is missing: name a route or a model"),
        (Endpoint::ChatCompletions, r#"{"model":" ","messages":[1]}"#, "model", "`model` is empty: "),
        (Endpoint::ChatCompletions, r#"{"model":7,"messages":[1]}"#, "model", "`model` is a number: send a string"),
        (Endpoint::ChatCompletions, r#"{"model":"m"}"#, "messages", "`messages` is missing: send an array"),
        (Endpoint::Messages, r#"{"model":"m","messages":[ ]}"#, "messages", "`messages` is empty: "),
        (Endpoint::Messages, r#"{"model":"m","messages":"hi"}"#, "messages", "`messages` is a string: send an array"),
        (Endpoint::Completions, r#"{"model":"m"}"#, "prompt", "`prompt` is missing: send a string, or an array"),
        (Endpoint::Embeddings, r#"{"model":"m","input":null}"#, "input", "`input` is missing"),
        (Endpoint::Responses, r#"{"model":"m","input":7}"#, "input", "`input` is a number"),
    ] {
        let (at, message) = refused(endpoint, body);
        assert_eq!(at, Some(param), "{body}");
        assert!(message.starts_with(words), "{message}");
    }
    read(Endpoint::Responses, r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#);
    let long = format!(r#"{{"model":"{}","messages":[1]}}"#, "m".repeat(300));
    assert_eq!(refused(Endpoint::Messages, &long).0, Some("model"));
}

#[test]
fn a_doubled_member_is_refused_also_through_escapes() {
    for (second, param) in [
        (r#""model":"other""#, "model"),
        (r#""mod\u0065l":"other""#, "model"),
        (r#""messages":[]"#, "messages"),
        (r#""max_tokens":1,"max_tokens":2"#, "max_tokens"),
        (r#""model":null"#, "model"),
    ] {
        let (at, message) = refused(Endpoint::ChatCompletions, &chat(&format!(",{second}")));
        assert_eq!(at, Some(param), "{second}");
        assert!(message.contains("more than once"), "{message}");
    }
    read(Endpoint::ChatCompletions, &chat(r#","unheard_of":1,"unheard_of":2"#));
}

#[test]
fn what_is_not_one_json_object_is_refused_without_quoting_it() {
    for body in [
        "",
        "  ",
        "nonsense",
        "\"secret\"",
        "[\"secret\"]",
        "null",
        "7",
        "{",
        "{}}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":\"secret\u{1}\"}",
        "{} {}",
        "{\"a\" \"secret\"}",
        "{\"\\u12\":1}",
    ] {
        let (param, message) = refused(Endpoint::ChatCompletions, body);
        let named = matches!(param, None | Some("messages"));
        assert!(named && !message.contains("secret"), "{body}: {message}");
    }
    let error = read_head(Endpoint::ChatCompletions, b"{\"model\":\"\xff\"}").unwrap_err();
    assert_eq!(error.message, "the body is not UTF-8 from byte 10 on: send JSON encoded as UTF-8");
    assert!(read_head(Endpoint::ChatCompletions, b"{\"model\":\"m\",\"messages\":[\"\xff\"]}").is_err());
}

#[test]
fn depth_costs_neither_stack_nor_time() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nest = |deep| format!("{}1{}", open.repeat(deep), close.repeat(deep));
        assert_eq!(read(Endpoint::ChatCompletions, &chat(&format!(",\"x\":{}", nest(1_000_000)))).model, "m");
        assert!(read_head(Endpoint::ChatCompletions, open.repeat(1_000_000).as_bytes()).is_err());
        for member in ["stream", "stream_options", "metadata", "thinking", "reasoning", "tools"] {
            let body = chat(&format!(",\"{member}\":{}", nest(10_000)));
            let _ = read_head(Endpoint::Messages, body.as_bytes());
            let _ = read_head(Endpoint::ChatCompletions, body.as_bytes());
        }
    }
}

const KEEP: Rewrite<'static> = Rewrite { model: "m", ask_usage: true, max_output: None };

#[test]
fn nothing_changes_where_nothing_must() {
    let body = Bytes::from(chat(""));
    let head = read_head(Endpoint::ChatCompletions, &body).unwrap();
    let pieces = rewrite(&head, &body, &KEEP);
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].as_ptr(), body.as_ptr(), "the very buffer");
}

#[test]
fn only_the_model_changes() {
    let body = " {\"x\" : 1e5, \"mod\\u0065l\" : \"m\" ,\"messages\":[ {} ] } ";
    let expected = " {\"x\" : 1e5, \"mod\\u0065l\" : \"org/a\\\"b\" ,\"messages\":[ {} ] } ";
    assert_eq!(sent(Endpoint::ChatCompletions, body, Rewrite { model: "org/a\"b", ..KEEP }), expected);
}

#[test]
fn usage_is_asked_for_once_and_only_on_streams_that_have_the_field() {
    let stream = |options: &str| chat(&format!(r#","stream":true{options}"#));
    for (options, expected) in [
        ("", None),
        (r#","stream_options":null"#, Some(r#","stream_options":{"include_usage":true}"#)),
        (r#","stream_options":{}"#, Some(r#","stream_options":{"include_usage":true}"#)),
        (r#","stream_options":{ "a":[1] }"#, Some(r#","stream_options":{"include_usage":true, "a":[1] }"#)),
        (r#","stream_options":{"include_usage": false}"#, Some(r#","stream_options":{"include_usage": true}"#)),
        (
            r#","stream_options":{"include_usage":null,"b":2}"#,
            Some(r#","stream_options":{"include_usage":true,"b":2}"#),
        ),
        (r#","stream_options":{"include_usage":true}"#, Some(r#","stream_options":{"include_usage":true}"#)),
    ] {
        let expected = match expected {
            Some(options) => stream(options),
            None => stream("").replacen('{', r#"{"stream_options":{"include_usage":true},"#, 1),
        };
        assert_eq!(sent(Endpoint::ChatCompletions, &stream(options), KEEP), expected);
    }
    let body = stream("");
    assert_eq!(sent(Endpoint::ChatCompletions, &body, Rewrite { ask_usage: false, ..KEEP }), body);
    assert_eq!(sent(Endpoint::Messages, &body, KEEP), body);
    let body = r#"{"model":"m","input":"x","stream":true}"#;
    assert_eq!(sent(Endpoint::Responses, body, KEEP), body);
}

#[test]
fn the_output_limit_is_set_where_the_client_set_none() {
    for (endpoint, model, members, expected) in [
        (Endpoint::ChatCompletions, "gpt-5.2", "", r#""max_completion_tokens":64"#),
        (Endpoint::ChatCompletions, "llama", "", r#""max_tokens":64"#),
        (Endpoint::ChatCompletions, "llama", r#","max_tokens":null"#, r#""max_tokens":64"#),
        (Endpoint::ChatCompletions, "gpt-5.2", r#","max_tokens":5"#, r#""max_tokens":5"#),
        (Endpoint::Messages, "claude-opus-5-5", "", r#""max_tokens":64"#),
    ] {
        let change = Rewrite { model, ask_usage: false, max_output: Some(64) };
        let text = sent(endpoint, &chat(members), change);
        let head = read(endpoint, &text);
        assert!(text.contains(expected), "{text}");
        assert_eq!(head.model, model);
    }
    let body = r#"{"model":"m","input":"x"}"#;
    let change = Rewrite { model: "m", ask_usage: false, max_output: Some(64) };
    assert_eq!(sent(Endpoint::Responses, body, change), r#"{"max_output_tokens":64,"model":"m","input":"x"}"#);
    assert_eq!(sent(Endpoint::Embeddings, body, change), body);
}

proptest! {
    /// Whatever the bytes, reading ends in an answer.
    #[test]
    fn arbitrary_bytes_never_panic(body: Vec<u8>) {
        for endpoint in Endpoint::ALL {
            let _ = read_head(endpoint, &body);
        }
    }

    /// Members that Weir does not know survive a rewrite to the byte, and the rewritten body reads as it was meant.
    #[test]
    fn a_rewrite_changes_what_it_says_and_nothing_else(
        model in "[a-z\"\\\\é]{1,8}",
        pad in "[ \n\t]{0,3}",
        unknown in "[a-zA-Z0-9 é]{0,20}",
        options in prop::sample::select(vec!["", r#","stream_options":{}"#, r#","stream_options":{"z":1}"#, r#","stream_options":null"#]),
        limit in prop::option::of(1u64..1_000),
    ) {
        let body = format!(
            r#"{pad}{{{pad}"unknown_1":"{unknown}","stream":true,"model":{pad}"m"{options},"messages":[1]{pad}}}"#
        );
        let head = read(Endpoint::ChatCompletions, &body);
        let change = Rewrite { model: &model, ask_usage: true, max_output: limit };
        let bytes = Bytes::from(body);
        let text = String::from_utf8(rewrite(&head, &bytes, &change).concat()).unwrap();
        let again = read(Endpoint::ChatCompletions, &text);
        let unknown_member = format!(r#""unknown_1":"{unknown}""#);
        prop_assert!(text.contains(&unknown_member));
        prop_assert_eq!(again.model, model);
        prop_assert!(again.include_usage && again.stream);
        prop_assert_eq!(again.max_output, limit);
    }
}

#[test]
fn the_ids_of_a_conversation_are_read_where_clients_write_them() {
    let session = |endpoint, members: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{}}],"input":"x"{members}}}"#);
        read(endpoint, &body).sessions
    };
    let chat = session(
        Endpoint::ChatCompletions,
        r#","prompt_cache_key":"k1","metadata":{"session_id":"s1","other":"x"},"conversation":"not here""#,
    );
    assert_eq!((chat.prompt_cache_key.as_deref(), chat.session.as_deref()), (Some("k1"), Some("s1")));
    assert_eq!(chat.conversation, None);
    for conversation in [r#""conv_1""#, r#"{"id":"conv_1"}"#] {
        let read = session(Endpoint::Responses, &format!(r#","conversation":{conversation}"#));
        assert_eq!(read.conversation.as_deref(), Some("conv_1"));
    }
    for user in [
        r#""user_9f_account__session_0c6d2c4e-1111-4222-8333-444455556666""#,
        r#""{\"device_id\":\"d\",\"session_id\":\"0c6d2c4e-1111-4222-8333-444455556666\"}""#,
    ] {
        let read = session(Endpoint::Messages, &format!(r#","metadata":{{"user_id":{user}}}"#));
        assert_eq!(read.session.as_deref(), Some("0c6d2c4e-1111-4222-8333-444455556666"), "{user}");
    }
    let odd = [
        r#","metadata":{"user_id":"u-1"}"#,
        r#","prompt_cache_key":7"#,
        r#","prompt_cache_key":"""#,
        r#","metadata":{}"#,
    ];
    for members in odd {
        assert_eq!(session(Endpoint::ChatCompletions, members), Sessions::default(), "{members}");
    }
    let long = format!(r#","prompt_cache_key":"{}""#, "k".repeat(513));
    assert_eq!(session(Endpoint::ChatCompletions, &long), Sessions::default());
}
