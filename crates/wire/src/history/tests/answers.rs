//! What an answer adds is what its client sends back.

use bytes::Bytes;

use super::*;
use crate::{Relay, RelayOptions};

/// What a streamed answer adds that the provider sends in these events, at one piece and cut at every byte.
fn streamed(client: Endpoint, provider: Endpoint, events: &[&str]) -> Option<Addition> {
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let relay = || {
        let options = RelayOptions {
            client,
            provider,
            include_usage: false,
            usage_was_added: false,
            served_model: "m".to_owned(),
            keep_text: Some(1 << 10),
            created: 0,
            id_seed: 1,
        };
        Relay::new(options).with_addition(scope())
    };
    let (mut whole, mut cut) = (relay(), relay());
    let mut out = Vec::new();
    whole.push(Bytes::from(stream.clone()), &mut out);
    for byte in stream.bytes() {
        cut.push(Bytes::from(vec![byte]), &mut out);
    }
    let (first, second) = (whole.addition(&mut Room::default()), cut.addition(&mut Room::default()));
    assert_eq!(first, second);
    first
}

fn chat_answer(message: &str) -> Addition {
    added(Endpoint::ChatCompletions, &format!(r#"{{"id":"c","choices":[{{"index":0,"message":{message}}}]}}"#))
}

/// The mark of an assistant's message that a client sends back.
fn sent_back(message: &str) -> weir_units::Mark {
    chat(message).messages[0]
}

#[test]
fn a_chat_answer_is_known_again_however_clients_send_it_back() {
    let answer = chat_answer(
        r#"{"role":"assistant","content":"Let me look. \n","refusal":null,"annotations":[],"audio":null,"tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"find","arguments":"{\"q\": \"a\\u00e9\", \"n\": 1.0}"}}]}"#,
    );
    for message in [
        r#"{"content":"Let me look. \n","refusal":null,"role":"assistant","annotations":[],"audio":null,"function_call":null,
        "tool_calls":[{"id":"call_1","function":{"arguments":"{\"q\": \"a\\u00e9\", \"n\": 1.0}","name":"find"},"type":"function"}]}"#,
        r#"{"role":"assistant","name":"helper","content":[{"type":"text","text":"Let me"},{"type":"text","text":" look."}],
        "tool_calls":[{"id":"other","type":"function","function":{"name":"find","arguments":"{\"n\":1,\"q\":\"aé\"}"}}]}"#,
        r#"{"role":"assistant","reasoning_content":"hm","tool_calls":[{"function":{"name":"find","arguments":{"n":1,"q":"aé"}}}],
        "content":"Let me look."}"#,
    ] {
        assert_eq!(answer.message, sent_back(message), "{message}");
    }
    assert_ne!(answer.message, sent_back(r#"{"role":"assistant","content":"Let me look."}"#));
    let call = r#"[{"id":"1","function":{"name":"find","arguments":"{}"}}]"#;
    let silent = chat_answer(&format!(r#"{{"role":"assistant","content":null,"tool_calls":{call}}}"#));
    for content in ["", r#","content":"""#, r#","content":null"#, r#","content":[]"#] {
        assert_eq!(silent.message, sent_back(&format!(r#"{{"role":"assistant"{content},"tool_calls":{call}}}"#)));
    }
    let refused = chat_answer(r#"{"role":"assistant","content":null,"refusal":"I cannot."}"#);
    assert_eq!(
        refused.message,
        sent_back(r#"{"role":"assistant","content":[{"type":"refusal","refusal":"I cannot."}]}"#)
    );
    assert_eq!(refused.message, sent_back(r#"{"role":"assistant","refusal":"I cannot.","content":""}"#));
}

#[test]
fn a_streamed_chat_answer_adds_what_the_whole_one_does() {
    let parallel = [
        r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"Zwei \ud83d"}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"\ude00 F\u00e4lle"}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":""}}]}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"y","arguments":"{\"k"}}]}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"z\":1,"}}]}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"\":[]}"}}]}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"a\":\"\\u00e4\"}"}}]}}]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ];
    let whole = chat_answer(
        r#"{"role":"assistant","content":"Zwei 😀 Fälle","tool_calls":[
        {"id":"a","function":{"name":"x","arguments":"{\"a\":\"ä\",\"z\":1}"}},{"id":"b","function":{"name":"y","arguments":"{\"k\":[]}"}}]}"#,
    );
    assert_eq!(streamed(Endpoint::ChatCompletions, Endpoint::ChatCompletions, &parallel), Some(whole.clone()));
    assert_eq!(streamed(Endpoint::Messages, Endpoint::ChatCompletions, &parallel), Some(whole.clone()), "translated");
    assert_eq!((whole.actions.len(), whole.tools.len(), whole.useful), (2, 2, true));
    assert_eq!(streamed(Endpoint::ChatCompletions, Endpoint::ChatCompletions, &parallel[..8]), None, "not finished");
}

#[test]
fn a_message_is_known_again_and_streams_as_it_is() {
    let content = r#"[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Let me "},
        {"type":"server_tool_use","id":"s1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s1","content":[]},
        {"type":"text","text":"look."},{"type":"tool_use","id":"toolu_1","name":"find","input":{"q":"aé","n":1}}]"#;
    let whole = added(
        Endpoint::Messages,
        &format!(r#"{{"id":"msg","type":"message","role":"assistant","content":{content}}}"#),
    );
    for back in [
        content,
        r#"[{"text":"Let me look.  ","citations":null,"type":"text","cache_control":{"type":"ephemeral"}},
        {"id":"x","input":{"n":1,"q":"a\u00e9"},"name":"find","type":"tool_use"}]"#,
    ] {
        assert_eq!(
            whole.message,
            anthropic(&format!(r#"{{"role":"assistant","content":{back}}}"#)).messages[0],
            "{back}"
        );
    }
    let events = [
        r#"{"type":"message_start","message":{"id":"msg","model":"m","usage":{"input_tokens":1,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me "}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"look."}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"find","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"n\":1,"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"q\":\"a\\u00e9\"}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    assert_eq!(streamed(Endpoint::Messages, Endpoint::Messages, &events), Some(whole.clone()));
    assert_eq!(streamed(Endpoint::ChatCompletions, Endpoint::Messages, &events), Some(whole), "translated");
}

#[test]
fn a_response_is_known_again_and_streams_as_it_is() {
    let output = r#"[{"type":"reasoning","id":"rs_1","summary":[]},
        {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[
        {"type":"output_text","text":"Let me look.","annotations":[],"logprobs":[]}]},
        {"type":"function_call","id":"fc_1","call_id":"c1","name":"find","arguments":"{\"q\":\"a\"}","status":"completed"},
        {"type":"function_call","id":"fc_2","call_id":"c2","name":"find","arguments":"{\"q\":\"b\"}","status":"completed"}]"#;
    let whole = added(Endpoint::Responses, &format!(r#"{{"id":"resp_1","object":"response","output":{output}}}"#));
    let items = &output[1..output.len() - 1];
    assert_eq!(whole.message, responses(items).messages[0]);
    let simple = r#"{"role":"assistant","content":"Let me look."},
        {"type":"function_call","call_id":"c1","name":"find","arguments":"{\"q\": \"a\"}"},
        {"type":"function_call","call_id":"c2","name":"find","arguments":"{\"q\": \"b\"}"}"#;
    assert_eq!(whole.message, responses(simple).messages[0]);
    let completed = format!(
        r#"{{"type":"response.completed","response":{{"id":"resp_1","model":"m","instructions":"long","output":{}}}}}"#,
        output.replace('\n', " ")
    );
    let events = [
        r#"{"type":"response.created","response":{"id":"resp_1","model":"m","output":[]}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"message"}}"#,
        r#"{"type":"response.output_text.delta","delta":"Let me look."}"#,
        r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"find"}}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"{\"q\":\"a\"}"}"#,
        &completed,
    ];
    assert_eq!(streamed(Endpoint::Responses, Endpoint::Responses, &events), Some(whole));
    assert_eq!(streamed(Endpoint::Responses, Endpoint::Responses, &events[..5]), None);
    assert!(!added(Endpoint::Responses, r#"{"id":"r","output":[]}"#).useful);
}

#[test]
fn a_spliced_answer_adds_both_parts_of_it() {
    let options = RelayOptions {
        client: Endpoint::ChatCompletions,
        provider: Endpoint::ChatCompletions,
        include_usage: false,
        usage_was_added: false,
        served_model: "m".to_owned(),
        keep_text: Some(1 << 10),
        created: 0,
        id_seed: 1,
    };
    let mut out = Vec::new();
    let mut first = Relay::new(options).with_addition(scope());
    first.push(
        Bytes::from_static(
            b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"One, two\"}}]}\n\n",
        ),
        &mut out,
    );
    assert!(first.can_splice());
    let mut second = first.splice(Endpoint::ChatCompletions, "n".to_owned());
    for text in ["One, ", "two, three"] {
        let event =
            format!("data: {{\"id\":\"d\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
        second.push(Bytes::from(event), &mut out);
    }
    assert_eq!(second.addition(&mut Room::default()), None);
    let end = "data: {\"id\":\"d\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    second.push(Bytes::from(end), &mut out);
    let whole = chat_answer(r#"{"role":"assistant","content":"One, two, three"}"#);
    assert_eq!(second.addition(&mut Room::default()), Some(whole));
}

#[test]
fn of_an_answer_that_is_too_long_nothing_is_known() {
    let long =
        format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"{}"}}}}]}}"#, "word ".repeat(20 << 10));
    let end = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let mut relay = Relay::new(RelayOptions {
        client: Endpoint::ChatCompletions,
        provider: Endpoint::ChatCompletions,
        include_usage: false,
        usage_was_added: false,
        served_model: String::new(),
        keep_text: None,
        created: 0,
        id_seed: 0,
    })
    .with_addition(scope());
    let mut out = Vec::new();
    for event in [&*long, &*long, &*long] {
        relay.push(Bytes::from(format!("data: {event}\n\n")), &mut out);
    }
    relay.push(Bytes::from(format!("data: {end}\n\n")), &mut out);
    assert!(relay.progress().finished);
    assert_eq!(relay.addition(&mut Room::default()), None);
}

#[test]
fn what_one_agent_produces_another_receives() {
    let question = "What exactly do you mean by the second paragraph?";
    let answer = chat_answer(&format!(
        r#"{{"role":"assistant","content":"I ask.","tool_calls":[
        {{"id":"a","function":{{"name":"ask","arguments":"{{\"to\":\"b\",\"text\":\"{question}\"}}"}}}}]}}"#
    ));
    assert_eq!(answer.produced.len(), 1, "its words are few");
    let received = anthropic(&format!(r#"{{"role":"user","content":"[1700000042] {question}"}}"#)).received;
    assert!(!answer.produced.contains(&received[0]), "a bracket was put before it");
    for body in [question.to_owned(), format!(r#"{{\"message\":\"{question}\"}}"#), format!(r#"\"{question}\""#)] {
        let received = anthropic(&format!(r#"{{"role":"user","content":"{body}"}}"#)).received;
        assert!(received.iter().any(|mark| answer.produced.contains(mark)), "{body}");
    }
    let words = chat_answer(&format!(r#"{{"role":"assistant","content":"{question}"}}"#));
    assert_eq!(words.produced, chat(&format!(r#"{{"role":"user","content":"{question}"}}"#)).received);
}

#[test]
fn an_answer_that_says_nothing_is_of_no_use() {
    for (message, useful) in [
        (r#"{"role":"assistant","content":""}"#, false),
        (r#"{"role":"assistant","content":" \n"}"#, false),
        (r#"{"role":"assistant","reasoning_content":"hm","content":null}"#, false),
        (r#"{"role":"assistant","content":"Yes."}"#, true),
        (r#"{"role":"assistant","function_call":{"name":"x","arguments":"{}"}}"#, true),
    ] {
        assert_eq!(chat_answer(message).useful, useful, "{message}");
    }
}

#[test]
fn words_that_everybody_says_are_not_looked_for_in_what_others_are_sent() {
    let produced = |text: &str| chat_answer(&format!(r#"{{"role":"assistant","content":"{text}"}}"#)).produced.len();
    assert_eq!((produced("hi"), produced("ok, done"), produced("what do you mean?")), (0, 0, 1));
}
