//! Says an answer as an Anthropic message, whole or streamed.

use serde_json::{Value, json};

use crate::answer::{Answer, Content, Finish, signature};
use crate::ask::Ask;
use crate::chat::quote;
use crate::script::{Part, Script};

/// The unary answer.
pub(crate) fn whole(ask: &Ask, answer: &Answer, id: &str) -> Value {
    let mut blocks = Vec::new();
    if !answer.reasoning.is_empty() {
        let thought = answer.reasoning_text();
        blocks.push(json!({ "type": "thinking", "signature": signature(&thought), "thinking": thought }));
    }
    match &answer.content {
        Content::Text(tokens) if tokens.is_empty() => {}
        Content::Text(_) => blocks.push(json!({ "type": "text", "text": answer.text() })),
        Content::Calls(calls) => blocks.extend(calls.iter().map(|call| {
            let input: Value = serde_json::from_str(&call.fragments.concat()).unwrap_or(Value::Null);
            json!({ "type": "tool_use", "id": use_id(&call.id), "name": call.name, "input": input })
        })),
    }
    let (reason, sequence) = stop(&answer.finish);
    json!({
        "id": id, "type": "message", "role": "assistant", "model": ask.model, "content": blocks,
        "stop_reason": reason, "stop_sequence": sequence, "usage": usage(ask, answer.output_tokens, answer),
    })
}

/// The streamed answer.
pub(crate) fn stream(ask: &Ask, answer: &Answer, id: &str) -> Script {
    let mut script = Script::default();
    let start = format!(
        "{{\"type\":\"message_start\",\"message\":{{\"id\":{},\"type\":\"message\",\"role\":\"assistant\",\"model\":{},\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{}}}}}",
        quote(id),
        quote(&ask.model),
        opening_usage(ask),
    );
    script.event(Part::Frame, "message_start", &start);
    let mut index = 0;
    if !answer.reasoning.is_empty() {
        open(&mut script, index, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
        for token in &answer.reasoning {
            delta(
                &mut script,
                Part::Token,
                index,
                &format!("{{\"type\":\"thinking_delta\",\"thinking\":{}}}", quote(token)),
            );
        }
        let signed = quote(&signature(&answer.reasoning_text()));
        delta(&mut script, Part::Frame, index, &format!("{{\"type\":\"signature_delta\",\"signature\":{signed}}}"));
        close(&mut script, index);
        index += 1;
    }
    match &answer.content {
        Content::Text(tokens) if tokens.is_empty() => {}
        Content::Text(tokens) => {
            open(&mut script, index, "{\"type\":\"text\",\"text\":\"\"}");
            script.event(Part::Frame, "ping", "{\"type\": \"ping\"}");
            for token in tokens {
                delta(
                    &mut script,
                    Part::Token,
                    index,
                    &format!("{{\"type\":\"text_delta\",\"text\":{}}}", quote(token)),
                );
            }
            close_last(&mut script, index);
        }
        Content::Calls(calls) => {
            for (n, call) in calls.iter().enumerate() {
                let block = format!(
                    "{{\"type\":\"tool_use\",\"id\":{},\"name\":{},\"input\":{{}}}}",
                    quote(&use_id(&call.id)),
                    quote(&call.name)
                );
                open(&mut script, index, &block);
                delta(&mut script, Part::Token, index, "{\"type\":\"input_json_delta\",\"partial_json\":\"\"}");
                for fragment in &call.fragments {
                    let json = format!("{{\"type\":\"input_json_delta\",\"partial_json\":{}}}", quote(fragment));
                    delta(&mut script, Part::Token, index, &json);
                }
                if n + 1 == calls.len() {
                    close_last(&mut script, index)
                } else {
                    close(&mut script, index)
                }
                index += 1;
            }
        }
    }
    let (reason, sequence) = stop(&answer.finish);
    let end = format!(
        "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":{},\"stop_sequence\":{sequence}}},\"usage\":{}}}",
        quote(reason),
        usage(ask, answer.output_tokens, answer),
    );
    script.event(Part::Close, "message_delta", &end);
    script.event(Part::Done, "message_stop", "{\"type\":\"message_stop\"}");
    script
}

fn open(script: &mut Script, index: u64, block: &str) {
    let json = format!("{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{block}}}");
    script.event(Part::Frame, "content_block_start", &json);
}

fn delta(script: &mut Script, part: Part, index: u64, delta: &str) {
    let json = format!("{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}");
    script.event(part, "content_block_delta", &json);
}

fn close(script: &mut Script, index: u64) {
    script.event(Part::Frame, "content_block_stop", &format!("{{\"type\":\"content_block_stop\",\"index\":{index}}}"));
}

/// The last block's stop comes after all content, so a cut after the last token comes before it.
fn close_last(script: &mut Script, index: u64) {
    script.event(Part::Close, "content_block_stop", &format!("{{\"type\":\"content_block_stop\",\"index\":{index}}}"));
}

fn use_id(call: &str) -> String {
    call.replacen("call_", "toolu_", 1)
}

fn stop(finish: &Finish) -> (&'static str, Value) {
    match finish {
        Finish::End => ("end_turn", Value::Null),
        Finish::StopSequence(text) => ("stop_sequence", Value::from(text.as_str())),
        Finish::Length => ("max_tokens", Value::Null),
        Finish::Tools => ("tool_use", Value::Null),
    }
}

/// What is known before the first token: the input side, and one token of output.
fn opening_usage(ask: &Ask) -> Value {
    let mut usage = input_usage(ask);
    usage["output_tokens"] = json!(1);
    usage["service_tier"] = json!("standard");
    usage
}

fn usage(ask: &Ask, output: u64, answer: &Answer) -> Value {
    let mut usage = input_usage(ask);
    usage["output_tokens"] = json!(output);
    if !answer.reasoning.is_empty() {
        usage["output_tokens_details"] = json!({ "thinking_tokens": answer.reasoning.len() });
    }
    usage
}

/// Here `input_tokens` leaves out what was read from or written to the cache.
fn input_usage(ask: &Ask) -> Value {
    json!({
        "input_tokens": ask.input_tokens - ask.cached_input - ask.cache_write,
        "cache_creation_input_tokens": ask.cache_write, "cache_read_input_tokens": ask.cached_input,
        "cache_creation": { "ephemeral_5m_input_tokens": ask.cache_write, "ephemeral_1h_input_tokens": 0 },
    })
}
