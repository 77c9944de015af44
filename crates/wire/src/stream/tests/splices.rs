//! A second answer spliced onto a first one that was cut, wherever it was cut.

use super::*;
use crate::SpliceState;

/// Cuts `first` after `place` bytes, splices `second` on; `None` where the relay says that it cannot.
fn spliced(client: Endpoint, first: (Endpoint, &str), place: usize, second: (Endpoint, &str)) -> Option<Relayed> {
    let mut out = Vec::new();
    let mut relay = Relay::new(options(client, first.0));
    relay.push(Bytes::copy_from_slice(&first.1.as_bytes()[..place]), &mut out);
    if !relay.can_splice() {
        return None;
    }
    let mut relay = relay.splice(second.0, "other".to_owned());
    assert!(!relay.can_splice(), "at most once");
    for piece in second.1.as_bytes().chunks(11) {
        relay.push(Bytes::copy_from_slice(piece), &mut out);
    }
    let ending = relay.end(&mut out);
    Some(Relayed { text: joined(&out), ending, progress: relay.progress().clone() })
}

/// The same text in pieces of `size` characters, as a stream of `endpoint`, after some reasoning.
fn saying(endpoint: Endpoint, text: &str, size: usize) -> String {
    let quote = |text: &str| serde_json::to_string(text).unwrap();
    let letters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = letters.chunks(size).map(|piece| quote(&piece.iter().collect::<String>())).collect();
    let mut stream = String::new();
    if endpoint == Endpoint::Messages {
        stream.push_str("data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_2\",\"model\":\"m\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n");
        stream.push_str("data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"Hm\"}}\n\n");
        stream.push_str("data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}}\n\n");
        stream.push_str("data: {\"type\":\"content_block_stop\",\"index\":0}\n\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
        for piece in pieces {
            stream.push_str(&format!("data: {{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{{\"type\":\"text_delta\",\"text\":{piece}}}}}\n\n"));
        }
        stream.push_str("data: {\"type\":\"content_block_stop\",\"index\":1}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n");
        return stream + "data: {\"type\":\"message_stop\"}\n\n";
    }
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c2\",\"model\":\"m\",\"created\":5,\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    stream.push_str(&chunk("{\"role\":\"assistant\",\"reasoning_content\":\"Hm\"}", "null"));
    for piece in pieces {
        stream.push_str(&chunk(&format!("{{\"content\":{piece}}}"), "null"));
    }
    stream.push_str(&chunk("{}", "\"stop\""));
    stream.push_str("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\n");
    stream + "data: [DONE]\n\n"
}

#[test]
fn a_splice_at_any_byte_gives_the_text_once_in_one_message() {
    let both = [Endpoint::ChatCompletions, Endpoint::Messages];
    for (name, first) in [("chat-text", both[0]), ("messages-text", both[1])] {
        let stream = recorded(name);
        let full = text_of(&stream);
        for (client, second) in [(both[0], both[0]), (both[0], both[1]), (both[1], both[0]), (both[1], both[1])] {
            for size in [1, 3, 100] {
                let other = saying(second, &full, size);
                let mut splices = 0;
                for place in 0..stream.len() {
                    let Some(got) = spliced(client, (first, &stream), place, (second, &other)) else { continue };
                    splices += 1;
                    assert_eq!(text_of(&got.text), full, "{name} at {place}");
                    assert_eq!(got.ending, Ending::Complete, "{name} at {place}");
                    assert_eq!(got.progress.spliced, Some(SpliceState::Continuing));
                    assert_eq!(got.progress.usage.unwrap().output.0, 3, "the second answer's");
                    one_message(client, &got.text);
                }
                assert!(splices > 100, "{name}: {splices}");
            }
        }
    }
}

/// One id and creation time, one role or start, one finish, one end; blocks in order.
fn one_message(client: Endpoint, stream: &str) {
    let events = events(stream);
    if client == Endpoint::ChatCompletions {
        assert!(events.iter().all(|event| event["id"] == events[0]["id"] && event["created"] == events[0]["created"]));
        let choices = || events.iter().map(|event| &event["choices"][0]);
        assert_eq!(choices().filter(|choice| choice["delta"]["role"].is_string()).count(), 1);
        assert_eq!(choices().filter(|choice| choice["finish_reason"].is_string()).count(), 1);
        assert_eq!(stream.matches("[DONE]").count(), 1);
        return;
    }
    let mut open = None;
    for event in &events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert!(open.is_none());
                open = event["index"].as_u64();
            }
            "content_block_delta" => assert_eq!(open, event["index"].as_u64()),
            "content_block_stop" => {
                assert_eq!(open, event["index"].as_u64());
                open = None;
            }
            _ => {}
        }
    }
    for kind in ["message_start", "message_delta", "message_stop"] {
        assert_eq!(events.iter().filter(|event| event["type"] == kind).count(), 1, "{kind}");
    }
}

#[test]
fn an_answer_that_differs_or_is_shorter_adds_nothing() {
    let endpoint = Endpoint::ChatCompletions;
    let first = recorded("chat-text");
    let place = first.find(r"\\ and").unwrap();
    let mut sent = Vec::new();
    Relay::new(options(endpoint, endpoint)).push(Bytes::copy_from_slice(&first.as_bytes()[..place]), &mut sent);
    for other in ["The Weir says more than that", "The we", "", "An aside"] {
        let got = spliced(endpoint, (endpoint, &first), place, (endpoint, &saying(endpoint, other, 4))).unwrap();
        assert_eq!(got.text, joined(&sent), "{other}");
        assert_eq!((got.ending, got.progress.spliced), (Ending::Truncated, Some(SpliceState::Mismatch)), "{other}");
        assert!(!got.progress.finished, "{other}");
    }
}

#[test]
fn a_tool_call_right_after_the_matched_text_goes_on() {
    let (chat, messages) = (Endpoint::ChatCompletions, Endpoint::Messages);
    let first = recorded("chat-tools");
    let place = first.find("data: {\"id\":\"chatcmpl-C1\",\"object\":\"chat.completion.chunk\",\"created\":1795013223,\"model\":\"gpt-5.2-2026-09-01\",\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\"").unwrap();
    let second = recorded("messages-tools").replace("Okay.", "Looking.");
    for client in [chat, messages] {
        let got = spliced(client, (chat, &first), place, (messages, &second)).unwrap();
        assert_eq!(text_of(&got.text), "Looking.");
        assert_eq!(got.ending, Ending::Complete);
        assert_eq!(got.text.matches("\"name\":\"weather\"").count(), 2);
        one_message(client, &got.text);
    }
}

#[test]
fn what_cannot_be_repeated_cannot_be_spliced() {
    for (name, endpoint) in STREAMS {
        let stream = recorded(name);
        let mut relay = Relay::new(options(endpoint, endpoint));
        let mut bound = name.starts_with("responses");
        for event in stream.split_inclusive("\n\n") {
            relay.push(Bytes::copy_from_slice(event.as_bytes()), &mut Vec::new());
            bound |= ["tool_calls\":[", "tool_use", "signature_delta", "redacted", "\"refusal\":\"", "_reason\":\""]
                .iter()
                .any(|mark| event.contains(mark));
            assert!(!bound || !relay.can_splice(), "{name} after {event}");
        }
    }
    let mut short = Relay::new(RelayOptions { keep_text: Some(4), ..options(Endpoint::Messages, Endpoint::Messages) });
    short.push(Bytes::from(recorded("messages-text")), &mut Vec::new());
    assert!(!short.can_splice(), "more text than is kept");
    for bound in [
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a","reasoning_details":[{"signature":"x"}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"\ud83d"}}]}"#,
    ] {
        let mut relay = Relay::new(options(Endpoint::ChatCompletions, Endpoint::ChatCompletions));
        relay.push(Bytes::from(format!("data: {bound}\n\n")), &mut Vec::new());
        assert!(relay.progress().content && !relay.can_splice(), "{bound}");
    }
}
