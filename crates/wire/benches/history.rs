//! What it costs to read the history that a request carries.
//!
//! `cargo bench -p weir-wire --bench history`. The bar is 50 µs for an agent's 100 messages (some 50 kB), and 2 µs for one
//! message of 1 kB.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use weir_wire::{Endpoint, HistoryKey, Room, read_addition, read_history};

/// One step of an agent at work on code: what it says, what it calls, and what comes of it.
struct Step {
    said: String,
    tool: &'static str,
    arguments: Value,
    result: String,
}

fn steps(number: usize) -> Vec<Step> {
    let step = |at: usize| {
        let said = format!(
            "Schritt {at}: I look at the next file, since the test in `crates/wire/tests/case_{at}.rs` still fails.\n\nThe \
             reason may be that the reader takes “naïve” quotes for ends – so I check the parser before I change anything."
        );
        let (tool, arguments) = match at % 3 {
            0 => {
                ("read_file", json!({"path": format!("crates/wire/src/case_{at}.rs"), "offset": at * 40, "limit": 200}))
            }
            1 => {
                ("run", json!({"command": format!("cargo test -p weir-wire case_{at} -- --nocapture"), "timeout": 120}))
            }
            _ => ("search", json!({"query": "fn decode(bytes: &[u8])", "path": "crates", "regex": false, "max": 20})),
        };
        let result = match at % 3 {
            0 => {
                let line = |line: usize| format!("    let part_{line} = bytes.get(at..at + {at})?;\t// é\n");
                (0..7).map(line).collect()
            }
            1 => format!(
                "running 3 tests\ntest case_{at}::reads ... ok\ntest case_{at}::cuts ... FAILED\n\nfailures:\n    thread 'main' \
                 panicked at src/case.rs:{at}:9:\n    assertion `left == right` failed\n      left: 41\n     right: 42\n\ntest \
                 result: FAILED. 2 passed; 1 failed; finished in 0.0{at}s at 2026-11-27T14:22:25.123Z"
            ),
            _ => json!({
                "request_id": format!("req-7f3a9c{at:02}"),
                "took_ms": at,
                "hits": (0..3).map(|hit| json!({"path": format!("src/{hit}.rs"), "line": 10 * at + hit, "text": "fn decode("}))
                    .collect::<Vec<_>>(),
            })
            .to_string(),
        };
        Step { said, tool, arguments, result }
    };
    (0..number).map(step).collect()
}

/// 100 messages: one of the user, and then 49 calls with their results, and a last word.
fn chat(long: bool) -> String {
    let mut messages = vec![json!({"role": "system", "content": "You are a careful engineer.\nToday is 2026-11-27."})];
    messages.push(json!({"role": "user", "content": "Please fix the failing tests in this repository."}));
    for (at, step) in steps(49).iter().enumerate() {
        let id = format!("call_9f3A7b2Q{at:04}xYz81");
        let call = json!({"id": id, "type": "function",
            "function": {"name": step.tool, "arguments": step.arguments.to_string()}});
        messages.push(json!({"role": "assistant", "content": step.said, "tool_calls": [call]}));
        let result = if long { step.result.repeat(3) } else { step.result.clone() };
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
    }
    messages.push(json!({"role": "user", "content": "And now?"}));
    let parameters =
        json!({"type": "object", "properties": {"path": {"type": "string", "description": "Where to look"}}});
    let tools: Vec<_> = ["read_file", "run", "search"]
        .iter()
        .map(|name| json!({"type": "function", "function": {"name": name, "description": "A tool", "parameters": parameters}}))
        .collect();
    json!({"model": "m", "messages": messages, "tools": tools}).to_string()
}

fn anthropic() -> String {
    let mut messages = vec![json!({"role": "user", "content": "Please fix the failing tests in this repository."})];
    for (at, step) in steps(49).iter().enumerate() {
        let id = format!("toolu_01A09q90qw90lq9178{at:04}");
        messages.push(json!({"role": "assistant", "content": [
            {"type": "text", "text": step.said},
            {"type": "tool_use", "id": id, "name": step.tool, "input": step.arguments},
        ]}));
        messages.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": step.result}]},
        ]}));
    }
    messages.push(json!({"role": "user", "content": [{"type": "text", "text": "And now?", "cache_control": {"type": "ephemeral"}}]}));
    json!({"model": "m", "max_tokens": 100, "system": "You are a careful engineer.", "messages": messages}).to_string()
}

fn one_message() -> String {
    let text = "Summarise this for me, please: the meeting began at nine, and nobody had read the paper.\n".repeat(11);
    json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string()
}

fn benches(criterion: &mut Criterion) {
    let scope = HistoryKey::new(&[7; 32]).scope("acme");
    let mut room = Room::default();
    let mut group = criterion.benchmark_group("history");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for (name, endpoint, body) in [
        ("chat, 100 messages", Endpoint::ChatCompletions, chat(false)),
        ("chat, 100 messages with long results", Endpoint::ChatCompletions, chat(true)),
        ("Messages, 100 messages", Endpoint::Messages, anthropic()),
        ("chat, one message of 1 kB", Endpoint::ChatCompletions, one_message()),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| read_history(&scope, endpoint, black_box(body.as_bytes()), &mut room));
        });
    }
    let answer = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Three files have it: a.rs, b.rs
        and c.rs; I will change the second one.","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}"#;
    group.throughput(Throughput::Bytes(answer.len() as u64));
    group.bench_function("addition of a short answer", |bencher| {
        bencher.iter(|| read_addition(&scope, Endpoint::ChatCompletions, black_box(answer.as_bytes()), &mut room));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
