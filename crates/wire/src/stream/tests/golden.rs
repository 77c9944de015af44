//! What goes through unchanged, what is translated to what, and that neither depends on where chunks end.

use super::*;

#[test]
fn streams_pass_unchanged_in_their_own_dialect() {
    for (name, endpoint) in STREAMS {
        let stream = recorded(name);
        let expected = match stream.find("data: {\"error\"").or_else(|| stream.find("event: error")) {
            Some(error) => &stream[..error],
            None => &stream,
        };
        let got = relay(asking_for_usage(endpoint, endpoint), &[stream.as_bytes()]);
        if name == "chat-reasoning" || !expected.contains("\"usage\"") || name == "chat-usage" {
            assert_eq!(got.text, expected, "{name}");
        } else {
            assert!(got.text.starts_with(expected), "{name}");
        }
        assert_eq!(got.progress.malformed, 0, "{name}");
    }
}

#[test]
fn untouched_events_of_one_chunk_leave_as_one_slice_of_it() {
    let chunk = Bytes::from(recorded("messages-tools"));
    let mut out = Vec::new();
    Relay::new(options(Endpoint::Messages, Endpoint::Messages)).push(chunk.clone(), &mut out);
    assert_eq!(out, std::slice::from_ref(&chunk));
    assert_eq!(out[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn the_usage_chunk_goes_only_to_a_client_that_asked() {
    let stream = recorded("chat-usage");
    let start = stream.find("data: {\"id\":\"chatcmpl-C1\",\"object\":\"chat.completion.chunk\",\"created\":1795013223,\"model\":\"gpt-5.2-2026-09-01\",\"system_fingerprint\":\"fp_1\",\"choices\":[],").unwrap();
    let without = format!("{}data: [DONE]\n\n", &stream[..start]);
    let got = relay(options(Endpoint::ChatCompletions, Endpoint::ChatCompletions), &[stream.as_bytes()]);
    assert_eq!(got.text, without);
    assert_eq!(got.progress.usage.unwrap().reasoning.0, 4);
}

#[test]
fn streams_are_translated_as_the_snapshots_say() {
    for (name, provider) in STREAMS {
        let (client, suffix) = match provider {
            Endpoint::ChatCompletions => (Endpoint::Messages, "to-messages"),
            Endpoint::Messages => (Endpoint::ChatCompletions, "to-chat"),
            _ => continue,
        };
        let got = relay(asking_for_usage(client, provider), &[recorded(name).as_bytes()]);
        let snapshot = format!("{name}.{suffix}");
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(path(&snapshot), &got.text).unwrap();
        }
        assert_eq!(got.text, recorded(&snapshot), "{name}");
        assert_eq!(got.ending == Ending::Complete, !name.ends_with("error"), "{name}");
        events(&got.text);
    }
}

#[test]
fn where_chunks_end_changes_nothing() {
    for (name, provider) in STREAMS {
        let stream = recorded(name);
        let crlf = stream.replace('\n', "\r\n");
        for client in clients(provider) {
            let whole = relay(options(*client, provider), &[stream.as_bytes()]).text;
            let whole_crlf = relay(options(*client, provider), &[crlf.as_bytes()]).text;
            for place in 0..=stream.len() {
                let (a, b) = stream.as_bytes().split_at(place);
                assert_eq!(relay(options(*client, provider), &[a, b]).text, whole, "{name} at {place}");
            }
            // Each byte of its own.
            let bytes: Vec<&[u8]> = crlf.as_bytes().chunks(1).collect();
            assert_eq!(relay(options(*client, provider), &bytes).text, whole_crlf, "{name} with CRLF");
        }
    }
}

#[test]
fn a_stream_that_breaks_anywhere_is_complete_only_if_the_answer_was_finished() {
    for (name, provider) in STREAMS {
        let stream = recorded(name);
        for client in clients(provider) {
            let whole = relay(options(*client, provider), &[stream.as_bytes()]);
            for place in 0..stream.len() {
                let got = relay(options(*client, provider), &[&stream.as_bytes()[..place]]);
                let ended = got.text.contains("[DONE]") || got.text.contains("event: message_stop");
                assert_eq!(got.ending == Ending::Complete, got.progress.finished, "{name} at {place}");
                assert!(!ended || got.ending == Ending::Complete, "{name} at {place}: a false end");
                assert!(got.progress.content || got.ending != Ending::Truncated, "{name} at {place}");
                events(&got.text);
                if got.ending == Ending::Complete {
                    assert_eq!(text_of(&got.text), text_of(&whole.text), "{name} at {place}");
                    let end = if *client == Endpoint::Messages { "event: message_stop" } else { "data: [DONE]" };
                    assert!(*client == Endpoint::Responses || got.text.contains(end), "{name} at {place}: no end");
                }
            }
        }
    }
}
