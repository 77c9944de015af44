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
