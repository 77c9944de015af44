//! Prints what a streamed chunk costs in the relay: `cargo run --release -p weir-wire --example relay_speed`.
//!
//! One chunk per push, as it comes from a socket; the recorded streams' deltas, repeated. For reading, not for asserting:
//! the figures depend on the machine.

use std::io::Write as _;
use std::time::Instant;

use bytes::Bytes;
use weir_wire::{Endpoint, Relay, RelayOptions};

const CHUNKS: u32 = 2_000_000;

fn main() -> std::io::Result<()> {
    let small = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hello"}}]}"#;
    let chat = concat!(
        r#"{"id":"chatcmpl-C1","object":"chat.completion.chunk","created":1795013223,"model":"gpt-5.2-2026-09-01","#,
        r#""service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" weir"},"#,
        r#""logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3dE5"}"#
    );
    let message = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" weir"}}"#;
    let (chats, messages) = (Endpoint::ChatCompletions, Endpoint::Messages);
    for (name, client, provider, json) in [
        ("chat, 100 bytes, passed", chats, chats, small),
        ("chat, 270 bytes, passed", chats, chats, chat),
        ("chat, 270 bytes, to Messages", messages, chats, chat),
        ("Messages, passed", messages, messages, message),
        ("Messages, to chat", chats, messages, message),
    ] {
        for keep_text in [None, Some(32 << 10)] {
            let each = nanoseconds_each(client, provider, json, keep_text);
            let kept = if keep_text.is_some() { ", text kept" } else { "" };
            writeln!(std::io::stdout(), "{each:>6.0} ns per chunk: {name}{kept}")?;
        }
    }
    Ok(())
}

fn nanoseconds_each(client: Endpoint, provider: Endpoint, json: &str, keep_text: Option<usize>) -> f64 {
    let chunk = Bytes::from(format!("data: {json}\n\n"));
    let options = RelayOptions {
        client,
        provider,
        include_usage: false,
        usage_was_added: true,
        served_model: "served".to_owned(),
        keep_text,
        created: 0,
        id_seed: 0,
    };
    let mut out = Vec::new();
    let begin = Instant::now();
    for _ in 0..CHUNKS / 2_000 {
        // An answer of 2,000 chunks each, so that the kept text stays within its bound.
        let mut relay = Relay::new(options.clone());
        for _ in 0..2_000 {
            relay.push(chunk.clone(), &mut out);
            std::hint::black_box(&out);
            out.clear();
        }
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(CHUNKS)
}
