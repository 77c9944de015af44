//! What a relay says of an answer, event by event, and how it ends one.

use super::*;
use crate::{Stop, keep_alive};

const CHAT: Endpoint = Endpoint::ChatCompletions;
const MESSAGES: Endpoint = Endpoint::Messages;

fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

/// Relays in the provider's own dialect to a client that asked for usage.
fn same(endpoint: Endpoint, stream: &str) -> Relayed {
    relay(asking_for_usage(endpoint, endpoint), &[stream.as_bytes()])
}

#[test]
fn content_begins_with_the_first_delta_that_says_something() {
    for (endpoint, json, content) in [
        (CHAT, r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}"#, false),
        (CHAT, r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#, false),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#, true),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"reasoning":"a"}}]}"#, true),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"refusal":"a"}}]}"#, true),
        (
            CHAT,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}}]}"#,
            true,
        ),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"tool_calls":[]}}]}"#, false),
        (
            CHAT,
            r#"{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"text":"a"}]}]}}]}"#,
            true,
        ),
        (CHAT, r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#, true),
        (Endpoint::Completions, r#"{"choices":[{"index":0,"text":"a"}]}"#, true),
        (MESSAGES, r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#, false),
        (MESSAGES, r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a"}}"#, true),
        (
            MESSAGES,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}"#,
            true,
        ),
        (MESSAGES, r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#, false),
        (MESSAGES, r#"{"type": "ping"}"#, false),
        (Endpoint::Responses, r#"{"type":"response.output_item.added","item":{"type":"message"}}"#, false),
        (Endpoint::Responses, r#"{"type":"response.output_item.added","item":{"type":"web_search_call"}}"#, true),
        (Endpoint::Responses, r#"{"type":"response.reasoning_summary_text.delta","delta":"a"}"#, true),
    ] {
        let got = same(endpoint, &data(json));
        assert_eq!(got.progress.content, content, "{json}");
        assert_eq!(got.text, data(json));
    }
}

#[test]
fn a_finished_answer_gets_the_end_that_it_lacks() {
    let usage =
        r#""usage":{"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":0},"prompt_tokens":1,"#;
    for (name, endpoint, cut, end) in [
        ("chat-text", CHAT, "data: [DONE]", "data: [DONE]\n\n"),
        ("completions-text", Endpoint::Completions, "data: [DONE]", "data: [DONE]\n\n"),
        (
            "messages-text",
            MESSAGES,
            "event: message_stop",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
    ] {
        let stream = recorded(name);
        let head = &stream[..stream.find(cut).unwrap()];
        let got = same(endpoint, head);
        assert_eq!((got.ending, got.text), (Ending::Complete, format!("{head}{end}")), "{name}");
        assert!(got.progress.finished && !got.progress.terminated);
    }
    // Groq says the usage where no client of OpenAI's looks for it.
    let finish = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}"#;
    for tail in ["", "data: [DONE]\n\n"] {
        let got = same(CHAT, &(data(finish) + tail));
        assert!(got.text.contains(usage) && got.text.ends_with("\n\ndata: [DONE]\n\n"), "{}", got.text);
        assert_eq!(got.text.matches("[DONE]").count(), 1);
    }
    let unasked = relay(options(CHAT, CHAT), &[data(finish).as_bytes()]);
    assert_eq!(unasked.text, data(finish) + "data: [DONE]\n\n");
}

#[test]
fn an_end_without_a_finish_is_not_sent() {
    let chat = data(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#);
    let got = same(CHAT, &format!("{chat}data: [DONE]\n\n"));
    assert!(!got.progress.terminated);
    assert_eq!((got.ending, got.text), (Ending::Truncated, chat));
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let got = same(MESSAGES, stop);
    assert_eq!((got.ending, got.text.as_str()), (Ending::Empty, ""));
    assert_eq!(relay(options(CHAT, MESSAGES), &[stop.as_bytes()]).text, "");
    assert_eq!(same(CHAT, "").ending, Ending::Empty);
}

#[test]
fn every_choice_must_finish() {
    let one = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{}}]}"#;
    let two = r#"{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]}"#;
    assert!(!same(CHAT, &data(one)).progress.finished);
    assert!(same(CHAT, &(data(one) + &data(two))).progress.finished);
}

#[test]
fn errors_inside_a_stream_are_reported_and_not_sent() {
    for (endpoint, json) in [
        (CHAT, r#"{"error":{"message":"m","type":"server_error"}}"#),
        (CHAT, r#"{"object":"error","message":"m","code":500}"#),
        (CHAT, r#"{"choices":[],"x_groq":{"error":"over capacity"}}"#),
        (CHAT, r#"{"error":{"code":502},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"error"}]}"#),
        (MESSAGES, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
        (Endpoint::Responses, r#"{"type":"error","code":"server_error","message":"m","sequence_number":1}"#),
        (Endpoint::Responses, r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#),
    ] {
        let got = same(endpoint, &format!("{}data: [DONE]\n\n: x\n\n", data(json)));
        assert_eq!(got.progress.error.as_deref(), Some(json.as_bytes()));
        assert_eq!((got.text.as_str(), got.ending, got.progress.finished), ("", Ending::Empty, false), "{json}");
    }
    let finished = data(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#);
    let late = same(CHAT, &(finished + &data(r#"{"error":{}}"#)));
    assert_eq!((late.ending, late.progress.error), (Ending::Complete, None), "nothing was missing of the answer");
}

#[test]
fn malformed_events_are_dropped_and_the_rest_is_kept() {
    let good = data(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#);
    let last = data(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
    for bad in ["{\"choices\":[{\"ind", "[1,2]", "null", "7", "\"text\"", "", "{}{}", "<html>", "{\"a\":\"\u{1}\"}"] {
        for client in [CHAT, MESSAGES] {
            let stream = format!("{good}{}{last}data: [DONE]\n\n", data(bad));
            let got = relay(options(client, CHAT), &[stream.as_bytes()]);
            assert_eq!((got.progress.malformed, got.ending), (1, Ending::Complete), "{bad}");
            assert_eq!(text_of(&got.text), "a", "{bad}");
        }
    }
    let garbage = [good.as_bytes(), b"data: {\"a\":\"\xff\"}\n\n", last.as_bytes()].concat();
    assert_eq!(relay(options(CHAT, CHAT), &[&garbage]).progress.malformed, 1);
}

#[test]
fn what_is_not_known_goes_on_untouched() {
    for (endpoint, event) in [
        (CHAT, "data: {\"choices\":{\"not\":\"a list\"},\"new\":[1]}\n\n"),
        (CHAT, "id: 5\nretry: 10\ndata: {\"choices\":[],\"model\":7}\n\n"),
        (CHAT, ": OPENROUTER PROCESSING\n\n"),
        (CHAT, "data: {\"choices\":\ndata: []}\n\n"),
        (MESSAGES, "event: future\ndata: {\"type\":\"future\",\"index\":-1}\n\n"),
        (MESSAGES, "event: ping\r\ndata: {\"type\":\"ping\"}\r\n\r\n"),
        (Endpoint::Responses, "event: response.new\ndata: {\"type\":\"response.new\",\"response\":7}\n\n"),
    ] {
        let got = same(endpoint, event);
        assert_eq!((got.text.as_str(), got.progress.malformed), (event, 0));
    }
}

#[test]
fn progress_tells_who_answered_and_what_it_took() {
    let got = same(CHAT, &recorded("chat-reasoning")).progress;
    assert_eq!((got.id.as_deref(), got.model.as_deref()), (Some("chatcmpl-C1"), Some("deepseek-v4")));
    assert_eq!((got.pieces, got.output_estimate()), (4, 4), "small pieces are tokens");
    assert_eq!((got.usage.unwrap().cached_input.0, got.stop), (2, Some(Stop::End)));
    assert!(got.reasoning && !got.tool_calls && got.terminated);
    assert_eq!((got.text_bytes, got.events), (17, 7));
    let got = same(MESSAGES, &recorded("messages-stop-sequence")).progress;
    assert_eq!(got.stop, Some(Stop::Sequence(Some("three".to_owned()))));
    let usage = same(MESSAGES, &recorded("messages-tools")).progress.usage.unwrap();
    assert_eq!((usage.input.0, usage.cache_write.0, usage.output.0), (40, 3, 89), "cumulative, the last of each");
    let got = same(Endpoint::Responses, &recorded("responses-text")).progress;
    assert_eq!((got.usage.unwrap().input.0, got.finished, got.terminated), (11, true, true));
}

#[test]
fn calls_without_indices_or_all_with_index_0_are_told_apart_by_their_ids() {
    for index in ["", "\"index\":0,"] {
        let call = |id: &str| {
            data(&format!(
                r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{{index}"id":"{id}","function":{{"name":"f","arguments":"{{}}"}}}}]}}}}]}}"#
            ))
        };
        let stream = call("a") + &call("b") + &data(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
        let got = relay(options(MESSAGES, CHAT), &[stream.as_bytes()]);
        for id in ["\"id\":\"a\"", "\"id\":\"b\"", "\"stop_reason\":\"tool_use\""] {
            assert_eq!(got.text.matches(id).count(), 1, "{id} in {}", got.text);
        }
    }
}

#[test]
fn signs_of_life_cross_dialects_once_content_has_begun() {
    let stream = recorded("messages-text");
    let got = relay(options(CHAT, MESSAGES), &[stream.as_bytes()]);
    assert_eq!(got.text.matches(": keep-alive\n\n").count(), 1, "the ping before content says nothing");
    assert!(keep_alive(MESSAGES).starts_with(b"event: ping\n"));
    assert_eq!(&keep_alive(CHAT)[..], b": keep-alive\n\n");
}

#[test]
fn ids_take_the_form_that_a_whole_answer_would_give_them() {
    let call = r#"{"id":"gen-7","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"functions.f:0","function":{"name":"f"}}]}}]}"#;
    let got = relay(options(MESSAGES, CHAT), &[data(call).as_bytes()]);
    assert!(got.text.contains(r#""id":"msg_7""#), "{}", got.text);
    assert!(got.text.contains(r#""id":"functions_f_0_"#), "{}", got.text);
}

#[test]
fn a_stream_written_anew_names_the_model_that_serves() {
    let chat = data(r#"{"id":"c","model":"gpt-2026-01-01","choices":[{"index":0,"delta":{"content":"a"}}]}"#);
    let nameless = data(r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#);
    let messages = data(r#"{"type":"message_start","message":{"id":"m","model":"claude-20260101","usage":{}}}"#)
        + &data(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#);
    for (client, provider, stream, model) in [
        (MESSAGES, CHAT, &chat, r#""model":"gpt-2026-01-01""#),
        (MESSAGES, CHAT, &nameless, r#""model":"served""#),
        (CHAT, MESSAGES, &messages, r#""model":"claude-20260101""#),
    ] {
        let got = relay(options(client, provider), &[stream.as_bytes()]);
        assert!(got.text.contains(model), "{}", got.text);
    }
}
