//! Says an answer as a chat completion or a text completion, whole or streamed.
//!
//! Chunks are written field by field in OpenAI's order, so that a stream reads like a recorded one.

use serde_json::{Value, json};

use crate::answer::{Answer, Content, Finish};
use crate::ask::Ask;
use crate::script::{Part, Script};

/// What all chunks of one answer share.
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) model: String,
}

/// The unary answer.
pub(crate) fn whole(ask: &Ask, answers: &[Answer], head: &Head) -> Value {
    let choices: Vec<Value> = answers
        .iter()
        .enumerate()
        .map(|(index, answer)| {
            let mut message = json!({ "role": "assistant", "content": null, "refusal": null, "annotations": [] });
            match &answer.content {
                Content::Text(_) => message["content"] = json!(answer.text()),
                Content::Calls(calls) => {
                    message["tool_calls"] = calls
                        .iter()
                        .map(|call| {
                            json!({
                                "id": call.id, "type": "function",
                                "function": { "name": call.name, "arguments": call.fragments.concat() },
                            })
                        })
                        .collect();
                }
            }
            if !answer.reasoning.is_empty() {
                message["reasoning_content"] = json!(answer.reasoning_text());
            }
            let logprobs = match &answer.content {
                Content::Text(tokens) if ask.logprobs => {
                    json!({ "content": tokens.iter().map(|t| logprob(t)).collect::<Vec<_>>(), "refusal": null })
                }
                _ => Value::Null,
            };
            json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": finish(&answer.finish) })
        })
        .collect();
    json!({
        "id": head.id, "object": "chat.completion", "created": head.created, "model": head.model, "choices": choices,
        "usage": usage(ask, answers), "service_tier": "default", "system_fingerprint": "fp_mock",
    })
}

/// The streamed answer.
pub(crate) fn stream(ask: &Ask, answers: &[Answer], head: &Head) -> Script {
    let mut script = Script::default();
    let opening = format!(
        "{{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\",\"choices\":[",
        quote(&head.id),
        head.created,
        quote(&head.model),
    );
    // With `include_usage`, every chunk but the last says `usage: null`; without it no chunk speaks of usage.
    let closing = if ask.include_usage { "],\"usage\":null}" } else { "]}" };
    let mut chunk = |part, index: usize, delta: &str, logprobs: &str, finish: &str| {
        let json = format!(
            "{opening}{{\"index\":{index},\"delta\":{delta},\"logprobs\":{logprobs},\"finish_reason\":{finish}}}{closing}"
        );
        script.data(part, &json);
    };
    for (index, answer) in answers.iter().enumerate() {
        let first = match &answer.content {
            Content::Text(_) => "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}",
            Content::Calls(_) => "{\"role\":\"assistant\",\"content\":null}",
        };
        chunk(Part::Frame, index, first, "null", "null");
        for token in &answer.reasoning {
            chunk(Part::Token, index, &format!("{{\"reasoning_content\":{}}}", quote(token)), "null", "null");
        }
        match &answer.content {
            Content::Text(tokens) => {
                for token in tokens {
                    let logprobs = if ask.logprobs {
                        json!({ "content": [logprob(token)], "refusal": null }).to_string()
                    } else {
                        "null".to_owned()
                    };
                    chunk(Part::Token, index, &format!("{{\"content\":{}}}", quote(token)), &logprobs, "null");
                }
            }
            Content::Calls(calls) => {
                for (n, call) in calls.iter().enumerate() {
                    let start = format!(
                        "{{\"tool_calls\":[{{\"index\":{n},\"id\":{},\"type\":\"function\",\"function\":{{\"name\":{},\"arguments\":\"\"}}}}]}}",
                        quote(&call.id),
                        quote(&call.name),
                    );
                    chunk(Part::Token, index, &start, "null", "null");
                    for fragment in &call.fragments {
                        let delta = format!(
                            "{{\"tool_calls\":[{{\"index\":{n},\"function\":{{\"arguments\":{}}}}}]}}",
                            quote(fragment)
                        );
                        chunk(Part::Token, index, &delta, "null", "null");
                    }
                }
            }
        }
        chunk(last_part(index, answers), index, "{}", "null", &quote(finish(&answer.finish)));
    }
    if ask.include_usage {
        script.data(Part::Close, &format!("{opening}],\"usage\":{}}}", usage(ask, answers)));
    }
    script.data(Part::Done, "[DONE]");
    script
}

/// The finish of a choice that another follows does not close the answer.
fn last_part(index: usize, answers: &[Answer]) -> Part {
    if index + 1 == answers.len() { Part::Close } else { Part::Frame }
}

/// The unary answer of the older completions endpoint.
pub(crate) fn whole_text(ask: &Ask, answers: &[Answer], head: &Head) -> Value {
    let choices: Vec<Value> = answers.iter().enumerate().map(|(index, answer)| {
        json!({ "text": answer.text(), "index": index, "logprobs": null, "finish_reason": finish(&answer.finish) })
    }).collect();
    json!({
        "id": head.id, "object": "text_completion", "created": head.created, "model": head.model, "choices": choices,
        "usage": usage(ask, answers),
    })
}

/// The streamed answer of the older completions endpoint.
pub(crate) fn stream_text(ask: &Ask, answers: &[Answer], head: &Head) -> Script {
    let mut script = Script::default();
    let opening = format!(
        "{{\"id\":{},\"object\":\"text_completion\",\"created\":{},\"model\":{},\"choices\":[",
        quote(&head.id),
        head.created,
        quote(&head.model),
    );
    let closing = if ask.include_usage { "],\"usage\":null}" } else { "]}" };
    for (index, answer) in answers.iter().enumerate() {
        let Content::Text(tokens) = &answer.content else { continue };
        for token in tokens {
            let choice =
                format!("{{\"text\":{},\"index\":{index},\"logprobs\":null,\"finish_reason\":null}}", quote(token));
            script.data(Part::Token, &format!("{opening}{choice}{closing}"));
        }
        let choice = format!(
            "{{\"text\":\"\",\"index\":{index},\"logprobs\":null,\"finish_reason\":{}}}",
            quote(finish(&answer.finish))
        );
        script.data(last_part(index, answers), &format!("{opening}{choice}{closing}"));
    }
    if ask.include_usage {
        script.data(Part::Close, &format!("{opening}],\"usage\":{}}}", usage(ask, answers)));
    }
    script.data(Part::Done, "[DONE]");
    script
}

fn finish(finish: &Finish) -> &'static str {
    match finish {
        Finish::End | Finish::StopSequence(_) => "stop",
        Finish::Length => "length",
        Finish::Tools => "tool_calls",
    }
}

fn usage(ask: &Ask, answers: &[Answer]) -> Value {
    let output: u64 = answers.iter().map(|answer| answer.output_tokens).sum();
    let reasoning: u64 = answers.iter().map(|answer| answer.reasoning.len() as u64).sum();
    json!({
        "prompt_tokens": ask.input_tokens, "completion_tokens": output, "total_tokens": ask.input_tokens + output,
        "prompt_tokens_details": { "cached_tokens": ask.cached_input, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

fn logprob(token: &str) -> Value {
    json!({ "token": token, "logprob": -0.25, "bytes": token.as_bytes(), "top_logprobs": [] })
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}
