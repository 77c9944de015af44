//! Recorded streams, each cut and broken wherever it can be.

mod answers;
mod golden;
mod hostile;
mod splices;

use std::path::PathBuf;

use bytes::Bytes;

use super::{Ending, Progress, Relay, RelayOptions};
use crate::Endpoint;

/// Every recorded stream, and the endpoint whose answer it is.
const STREAMS: [(&str, Endpoint); 16] = [
    ("chat-text", Endpoint::ChatCompletions),
    ("chat-usage", Endpoint::ChatCompletions),
    ("chat-tools", Endpoint::ChatCompletions),
    ("chat-tools-interleaved", Endpoint::ChatCompletions),
    ("chat-reasoning", Endpoint::ChatCompletions),
    ("chat-refusal", Endpoint::ChatCompletions),
    ("chat-error", Endpoint::ChatCompletions),
    ("completions-text", Endpoint::Completions),
    ("messages-text", Endpoint::Messages),
    ("messages-stop-sequence", Endpoint::Messages),
    ("messages-thinking", Endpoint::Messages),
    ("messages-tools", Endpoint::Messages),
    ("messages-refusal", Endpoint::Messages),
    ("messages-error", Endpoint::Messages),
    ("responses-text", Endpoint::Responses),
    ("responses-error", Endpoint::Responses),
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/streams").join(format!("{name}.sse"))
}

fn recorded(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// The clients that a provider's endpoint can answer.
fn clients(provider: Endpoint) -> &'static [Endpoint] {
    match provider {
        Endpoint::ChatCompletions => &[Endpoint::ChatCompletions, Endpoint::Messages],
        Endpoint::Messages => &[Endpoint::Messages, Endpoint::ChatCompletions],
        Endpoint::Completions => &[Endpoint::Completions],
        _ => &[Endpoint::Responses],
    }
}

fn options(client: Endpoint, provider: Endpoint) -> RelayOptions {
    RelayOptions {
        client,
        provider,
        include_usage: false,
        usage_was_added: true,
        served_model: "served".to_owned(),
        keep_text: Some(1 << 20),
        created: 1_795_013_000,
        id_seed: 7,
    }
}

fn asking_for_usage(client: Endpoint, provider: Endpoint) -> RelayOptions {
    RelayOptions { include_usage: true, usage_was_added: false, ..options(client, provider) }
}

/// What a client got, and what the relay says of it.
struct Relayed {
    text: String,
    ending: Ending,
    progress: Progress,
}

fn relay(options: RelayOptions, pieces: &[&[u8]]) -> Relayed {
    let mut relay = Relay::new(options);
    let mut out = Vec::new();
    for piece in pieces {
        relay.push(Bytes::copy_from_slice(piece), &mut out);
    }
    let ending = relay.end(&mut out);
    Relayed { text: joined(&out), ending, progress: relay.progress().clone() }
}

fn joined(out: &[Bytes]) -> String {
    String::from_utf8(out.concat()).unwrap()
}

/// The JSON of every event of a stream that a client got; anything that is not an event of JSON fails the test.
fn events(stream: &str) -> Vec<serde_json::Value> {
    assert!(stream.is_empty() || stream.ends_with("\n\n"), "whole events only: {stream:?}");
    data_of(stream).map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The data of every event of a stream, but for `[DONE]`.
fn data_of(stream: &str) -> impl Iterator<Item = &str> {
    stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]")
}

/// The text that a client of either dialect has in the end.
fn text_of(stream: &str) -> String {
    let mut text = String::new();
    for event in events(stream) {
        let delta = if event["choices"].is_array() { &event["choices"][0] } else { &event["delta"] };
        let piece = [&delta["delta"]["content"], &delta["text"]].into_iter().find_map(|piece| piece.as_str());
        text.push_str(piece.unwrap_or_default());
    }
    text
}
