//! Streams that no provider means to send: cut at random, mixed up, or not streams at all.

use proptest::prelude::*;

use super::*;
use crate::sse::MAX_EVENT;

const CLIENTS: [Endpoint; 4] =
    [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Responses, Endpoint::Messages];

/// Pieces that garbage is made of: the more of it looks like a stream, the deeper it gets.
const SHARDS: [&str; 22] = [
    "data: ",
    "event: error\n",
    "\n\n",
    "\r\r\n",
    "{",
    "}",
    "[",
    "\"choices\":[{\"delta\":{\"content\":\"x\"}}]",
    "{\"choices\":[{\"index\":300,\"delta\":{\"tool_calls\":[{\"index\":9,\"function\":{\"arguments\":\"\\u12\"}}]}}]}",
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud800\"},\"finish_reason\":\"stop\"}]}",
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1e99}}",
    "{\"type\":\"content_block_delta\",\"index\":18446744073709551615,\"delta\":{\"partial_json\":\"}\"}}",
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"input\":{\"a\":1}}}",
    "{\"type\":\"content_block_start\",\"index\":18446744073709551615,\"content_block\":{\"type\":\"text\"}}",
    "{\"type\":\"content_block_stop\",\"index\":0}",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"\"},\"usage\":[]}",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"}}",
    "{\"type\":\"response.completed\",\"response\":{}}",
    "[DONE]",
    "\u{feff}",
    ": \n",
    "\u{0}é\u{7f}",
];

fn pieces(stream: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| Bytes::copy_from_slice(&stream[pair[0]..pair[1]])).collect()
}

/// Whether `data` is JSON by its grammar, which allows half a surrogate pair (RFC 8259, 8.2): a provider that cuts an emoji in
/// two sends one half per event, and clients that join the texts have it whole again.
fn is_json(data: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

proptest! {
    /// However a recorded stream is cut, the client gets the same.
    #[test]
    fn cuts_change_nothing(which in 0..STREAMS.len(), other in 0..2_usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let (name, provider) = STREAMS[which];
        let client = clients(provider)[other % clients(provider).len()];
        let stream = recorded(name).into_bytes();
        let cut = pieces(&stream, &cuts);
        let cut: Vec<&[u8]> = cut.iter().map(|piece| &piece[..]).collect();
        prop_assert_eq!(relay(options(client, provider), &cut).text, relay(options(client, provider), &[&stream]).text);
    }

    /// Garbage is survived, whole events of JSON come out of it, and no end without a finish.
    #[test]
    fn garbage_is_survived(
        shards in prop::collection::vec((0..SHARDS.len(), any::<Option<u8>>()), 0..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        client in 0..4_usize,
        provider in 0..4_usize,
        second in 0..4_usize,
    ) {
        let mut stream = Vec::new();
        for (shard, byte) in shards {
            stream.extend_from_slice(SHARDS[shard].as_bytes());
            stream.extend(byte.filter(|byte| byte % 8 == 0));
        }
        let mut relay = Relay::new(options(CLIENTS[client], CLIENTS[provider]));
        let mut out = Vec::new();
        for (at, piece) in pieces(&stream, &cuts).into_iter().enumerate() {
            relay.push(piece, &mut out);
            if at == 2 && relay.can_splice() {
                relay = relay.splice(CLIENTS[second], "m".to_owned());
            }
        }
        let ending = relay.end(&mut out);
        prop_assert_eq!(ending == Ending::Complete, relay.progress().finished);
        let out = String::from_utf8_lossy(&out.concat()).into_owned();
        if CLIENTS[client] != CLIENTS[provider] && CLIENTS[client] != Endpoint::Responses && CLIENTS[provider] != Endpoint::Responses {
            prop_assert!(out.is_empty() || out.ends_with("\n\n"), "whole events only: {out:?}");
            prop_assert!(data_of(&out).all(is_json), "JSON only: {out:?}");
            let ended = out.contains("[DONE]") || out.contains("event: message_stop");
            prop_assert_eq!(ended, ending == Ending::Complete);
        }
    }
}

#[test]
fn an_emoji_in_two_halves_stays_whole() {
    let halves = [r#""\ud83d""#, r#""\ude00""#];
    let chunk = |half: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{half}}}}}]}}\n\n");
    let got = relay(
        options(Endpoint::Messages, Endpoint::ChatCompletions),
        &halves.map(|half| chunk(half).into_bytes()).each_ref().map(|chunk| &chunk[..]),
    );
    for half in halves {
        assert!(got.text.contains(&format!("\"text\":{half}")), "{}", got.text);
    }
    assert!(data_of(&got.text).all(is_json));
}

#[test]
fn a_stream_without_ends_does_not_fill_the_memory() {
    let mut relay = Relay::new(options(Endpoint::Messages, Endpoint::ChatCompletions));
    let mut out = Vec::new();
    for _ in 0..MAX_EVENT / 1_024 {
        relay.push(Bytes::from(vec![b'a'; 4_096]), &mut out);
        assert!(relay.framer.held() <= MAX_EVENT);
    }
    relay.push(Bytes::from_static(b"\n\n"), &mut out);
    assert_eq!((relay.progress().malformed, relay.framer.held(), out.len()), (1, 0, 0));
}

#[test]
fn calls_that_never_end_do_not_fill_the_memory() {
    let mut relay = Relay::new(options(Endpoint::Messages, Endpoint::ChatCompletions));
    let mut out = Vec::new();
    let fragment = "{".repeat(1 << 20);
    for call in [0, 1].into_iter().chain([1; 40]) {
        let chunk = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":{call},\"id\":\"c{call}\",\"function\":{{\"arguments\":\"{fragment}\"}}}}]}}}}]}}\n\n"
        );
        relay.push(Bytes::from(chunk), &mut out);
    }
    relay.push(
        Bytes::from_static(b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
        &mut out,
    );
    relay.end(&mut out);
    assert!(out.iter().map(Bytes::len).sum::<usize>() < 10 << 20);
}

#[test]
fn json_of_any_depth_is_taken() {
    let deep = format!("data: {{\"choices\":[],\"x\":{}{}}}\n\n", "[".repeat(100_000), "]".repeat(100_000));
    for client in [Endpoint::ChatCompletions, Endpoint::Messages] {
        let got = relay(options(client, Endpoint::ChatCompletions), &[deep.as_bytes()]);
        assert_eq!(got.progress.malformed, 0);
    }
}
