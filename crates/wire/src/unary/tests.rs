//! Whole answers of each endpoint, and what is none.

use proptest::prelude::*;

use super::*;

/// Id, model, input and output tokens, reason.
type Facts = (Option<String>, Option<String>, Option<(u64, u64)>, Option<Stop>);

fn facts(endpoint: Endpoint, body: &str) -> Facts {
    let facts = read_answer(endpoint, body.as_bytes()).unwrap();
    (facts.id, facts.model, facts.usage.map(|u| (u.input.0, u.output.0)), facts.stop)
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn answers_of_each_endpoint_are_read() {
    for (endpoint, body, expected) in [
        (
            Endpoint::ChatCompletions,
            "\n\n {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-2024-11-20\",\"error\":null,
              \"choices\":[{\"index\":0,\"message\":{\"content\":\"hi\"},\"finish_reason\":\"length\"}],
              \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}",
            (owned("chatcmpl-1"), owned("gpt-4o-2024-11-20"), Some((9, 2)), Some(Stop::Length)),
        ),
        (
            Endpoint::Completions,
            r#"{"id":7,"model":null,"choices":[{"text":"x","finish_reason":null}],"usage":{}}"#,
            (None, None, None, None),
        ),
        (
            Endpoint::Embeddings,
            r#"{"object":"list","data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}}"#,
            (None, owned("e"), Some((3, 0)), None),
        ),
        (
            Endpoint::Messages,
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"a"}],
              "stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":4,"output_tokens":5,
              "cache_read_input_tokens":10}}"#,
            (owned("msg_1"), owned("claude-x"), Some((14, 5)), Some(Stop::Sequence(owned("END")))),
        ),
        (Endpoint::CountTokens, r#"{"input_tokens":12}"#, (None, None, Some((12, 0)), None)),
        (
            Endpoint::Responses,
            r#"{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"g",
              "output":[{"type":"reasoning"},{"type":"function_call","name":"f"}],
              "usage":{"input_tokens":1,"output_tokens":2}}"#,
            (owned("resp_1"), owned("g"), Some((1, 2)), Some(Stop::ToolCalls)),
        ),
        (
            Endpoint::Responses,
            r#"{"status":"completed","output":[{"type":"web_search_call"},{"type":"message"}]}"#,
            (None, None, None, Some(Stop::End)),
        ),
        (
            Endpoint::Responses,
            r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}"#,
            (None, None, None, Some(Stop::Refusal)),
        ),
        (Endpoint::Responses, r#"{"status":"queued","output":[]}"#, (None, None, None, None)),
    ] {
        assert_eq!(facts(endpoint, body), expected, "{body}");
    }
}

#[test]
fn what_is_no_answer_says_why() {
    for (endpoint, body, words) in [
        (Endpoint::ChatCompletions, "", "the provider's answer is empty"),
        (Endpoint::ChatCompletions, "\n \n", "the provider's answer is empty"),
        (Endpoint::ChatCompletions, "<html>", "the provider answered with a page of HTML or XML"),
        (Endpoint::ChatCompletions, "data: {}\n\n", "the provider answered with a stream, which was not asked for"),
        (Endpoint::ChatCompletions, r#"{"choices":[{"#, "the provider's answer ends too early"),
        (Endpoint::ChatCompletions, r#"{"choices":[]}}"#, "the provider's answer is not valid JSON"),
        (Endpoint::ChatCompletions, r#"[{"choices":[]}]"#, "the provider's answer is not a JSON object"),
        (Endpoint::ChatCompletions, r#"{"choices":null}"#, "the provider's answer has no `choices`"),
        (Endpoint::Messages, r#"{"type":"message"}"#, "the provider's answer has no `content`"),
        (Endpoint::Responses, r#"{"id":"resp_1"}"#, "the provider's answer has no `output`"),
        (Endpoint::CountTokens, r#"{"input_tokens":"x"}"#, "the provider's answer has no `input_tokens`"),
        (
            Endpoint::Responses,
            r#"{"status":"failed","output":[],"error":{"code":"server_error","message":"boom sk-abcdefgh"}}"#,
            "the provider answered 200 with an error: boom [removed]",
        ),
        (
            Endpoint::ChatCompletions,
            r#"{"error":{"code":502,"message":"Upstream is down","metadata":{}},"choices":[]}"#,
            "the provider answered 200 with an error: Upstream is down",
        ),
    ] {
        assert_eq!(read_answer(endpoint, body.as_bytes()), Err(words.to_owned()), "{body}");
    }
}

proptest! {
    /// Whatever the bytes, reading ends in facts or a reason.
    #[test]
    fn arbitrary_bytes_never_panic(body: Vec<u8>, endpoint in prop::sample::select(Endpoint::ALL.to_vec())) {
        let _ = read_answer(endpoint, &body);
    }
}

mod strictly {
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    use proptest::{prop_assert_eq, proptest};

    use super::super::usual::usual;
    use super::*;
    use crate::strict::Strict;

    const CHAT: &str = r#"{"id":"chatcmpl-7","object":"chat.completion","created":1795013223,"model":"gpt-5.2","choices":[{"index":0,"message":{"role":"assistant","content":"said \"so\"\n\u00e9 é","tool_calls":[{"a":[1,-2.5e+3,{}],"b":[]}]},"logprobs":null,"finish_reason":"stop"},{"finish_reason":"length"}],"usage":{"prompt_tokens":12,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}},"error":null,"t":[true,false]} "#;
    const MESSAGE: &str = r#" {"id":"msg_7","type":"message","model":"claude","content":[{"type":"text","text":"hi"}],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}"#;

    /// An answer with a few bytes of it changed, left out or repeated.
    fn damaged() -> impl Strategy<Value = (Endpoint, Vec<u8>)> {
        let answer = prop_oneof![Just((Endpoint::ChatCompletions, CHAT)), Just((Endpoint::Messages, MESSAGE))];
        let bytes = prop_oneof![Just(b'"'), Just(b'\\'), Just(b','), Just(b'0'), Just(b'}'), Just(b'\n'), any::<u8>()];
        let changes = vec((any::<proptest::sample::Index>(), 0..3_u8, bytes), 0..3);
        (answer, changes).prop_map(|((endpoint, text), changes)| {
            let mut bytes = text.as_bytes().to_vec();
            for (place, what, byte) in changes {
                let place = place.index(bytes.len());
                match what {
                    0 => bytes[place] = byte,
                    1 => bytes.insert(place, byte),
                    _ => _ = bytes.remove(place),
                }
            }
            (endpoint, bytes)
        })
    }

    proptest! {
        #[test]
        fn what_is_read_in_one_go_is_what_is_read_member_by_member((endpoint, body) in damaged()) {
            if let Some(facts) = usual(endpoint, &body) {
                prop_assert_eq!(read_any(endpoint, &body), Ok(facts));
            }
        }

        #[test]
        fn what_is_walked_over_to_its_end_is_json((_, body) in damaged()) {
            let Ok(text) = std::str::from_utf8(&body) else { return Ok(()) };
            let mut json = Strict::new(text);
            let walked = json.skip().is_some() && json.is_at_end();
            prop_assert_eq!(walked, serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn usual_answers_are_read_in_one_go() {
        let facts = usual(Endpoint::ChatCompletions, CHAT.as_bytes()).unwrap();
        assert_eq!((facts.id.as_deref(), facts.stop), (Some("chatcmpl-7"), Some(Stop::End)));
        assert_eq!(facts.usage.unwrap().cached_input, Tokens(4));
        let facts = usual(Endpoint::Messages, MESSAGE.as_bytes()).unwrap();
        assert_eq!(facts.usage.unwrap().input, Tokens(7));
        assert_eq!(facts.model.as_deref(), Some("claude"));
        for cut in 0..CHAT.trim_end().len() {
            assert_eq!(usual(Endpoint::ChatCompletions, &CHAT.as_bytes()[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn nesting_is_walked_into_as_deep_as_serde_does() {
        for (depth, known) in [(127, true), (128, false)] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(Strict::new(&text).skip().is_some(), known);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), known);
        }
    }
}
