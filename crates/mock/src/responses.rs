//! Says an answer as an OpenAI response, whole or streamed with sequence numbers.

use serde_json::{Value, json};

use crate::answer::{Answer, Content, Finish};
use crate::ask::Ask;
use crate::chat::Head;
use crate::script::{Part, Script};

/// The unary answer, which is also what the last event of a stream carries.
pub(crate) fn whole(ask: &Ask, answer: &Answer, head: &Head, previous: Option<&str>, store: bool) -> Value {
    let incomplete = answer.finish == Finish::Length;
    let status = if incomplete { "incomplete" } else { "completed" };
    let mut whole = skeleton(ask, head, previous, store, status);
    whole["output"] = output(answer, head).into();
    if incomplete {
        whole["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    }
    whole["usage"] = json!({
        "input_tokens": ask.input_tokens, "input_tokens_details": { "cached_tokens": ask.cached_input },
        "output_tokens": answer.output_tokens, "output_tokens_details": { "reasoning_tokens": answer.reasoning.len() },
        "total_tokens": ask.input_tokens + answer.output_tokens,
    });
    whole
}

fn skeleton(ask: &Ask, head: &Head, previous: Option<&str>, store: bool, status: &str) -> Value {
    json!({
        "id": head.id, "object": "response", "created_at": head.created, "status": status, "background": false, "error": null,
        "incomplete_details": null, "instructions": null, "max_output_tokens": ask.max_output, "model": head.model, "output": [],
        "parallel_tool_calls": ask.parallel, "previous_response_id": previous, "store": store, "temperature": 1.0, "top_p": 1.0,
        "tool_choice": "auto", "tools": [], "truncation": "disabled", "usage": null, "metadata": {}, "user": null,
        "text": { "format": { "type": "text" } }, "reasoning": { "effort": null, "summary": null },
    })
}

fn output(answer: &Answer, head: &Head) -> Vec<Value> {
    let mut items = Vec::new();
    if !answer.reasoning.is_empty() {
        items.push(reasoning_item(answer, head));
    }
    match &answer.content {
        Content::Text(_) => items.push(message_item(head, "completed", json!([text_part(&answer.text())]))),
        Content::Calls(calls) => items
            .extend(calls.iter().map(|call| call_item(&call.id, &call.name, &call.fragments.concat(), "completed"))),
    }
    items
}

fn reasoning_item(answer: &Answer, head: &Head) -> Value {
    json!({ "id": head.id.replacen("resp_", "rs_", 1), "type": "reasoning", "summary": [{ "type": "summary_text", "text": answer.reasoning_text() }] })
}

fn message_item(head: &Head, status: &str, content: Value) -> Value {
    json!({ "id": message_id(head), "type": "message", "status": status, "role": "assistant", "content": content })
}

fn message_id(head: &Head) -> String {
    head.id.replacen("resp_", "msg_", 1)
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn call_item(id: &str, name: &str, arguments: &str, status: &str) -> Value {
    json!({ "id": id.replacen("call_", "fc_", 1), "type": "function_call", "status": status, "call_id": id, "name": name, "arguments": arguments })
}

/// The streamed answer.
pub(crate) fn stream(ask: &Ask, answer: &Answer, head: &Head, previous: Option<&str>, store: bool) -> Script {
    let mut events = Events { script: Script::default(), sequence: 0 };
    let begun = skeleton(ask, head, previous, store, "in_progress");
    events.say(Part::Frame, "response.created", json!({ "response": begun }));
    events.say(Part::Frame, "response.in_progress", json!({ "response": begun }));
    let mut index = 0_u64;
    if !answer.reasoning.is_empty() {
        let item = reasoning_item(answer, head);
        let mut empty = item.clone();
        empty["summary"] = json!([]);
        events.say(Part::Frame, "response.output_item.added", json!({ "output_index": index, "item": empty }));
        for token in &answer.reasoning {
            let delta = json!({ "item_id": item["id"], "output_index": index, "summary_index": 0, "delta": token });
            events.say(Part::Token, "response.reasoning_summary_text.delta", delta);
        }
        events.say(Part::Frame, "response.output_item.done", json!({ "output_index": index, "item": item }));
        index += 1;
    }
    match &answer.content {
        Content::Text(tokens) => events.message(tokens, index, head),
        Content::Calls(calls) => {
            for call in calls {
                let arguments = call.fragments.concat();
                let item = call_item(&call.id, &call.name, "", "in_progress");
                events.say(Part::Frame, "response.output_item.added", json!({ "output_index": index, "item": item }));
                for fragment in &call.fragments {
                    let delta = json!({ "item_id": item["id"], "output_index": index, "delta": fragment });
                    events.say(Part::Token, "response.function_call_arguments.delta", delta);
                }
                let done = json!({ "item_id": item["id"], "output_index": index, "arguments": arguments });
                events.say(Part::Frame, "response.function_call_arguments.done", done);
                let item = call_item(&call.id, &call.name, &arguments, "completed");
                events.say(Part::Frame, "response.output_item.done", json!({ "output_index": index, "item": item }));
                index += 1;
            }
        }
    }
    let name = if answer.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    events.say(Part::Done, name, json!({ "response": whole(ask, answer, head, previous, store) }));
    events.script
}

struct Events {
    script: Script,
    sequence: u64,
}

impl Events {
    fn message(&mut self, tokens: &[String], index: u64, head: &Head) {
        let id = message_id(head);
        let text = tokens.concat();
        let place = |more: Value| {
            let mut event = json!({ "item_id": id, "output_index": index, "content_index": 0 });
            if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
                event.extend(more);
            }
            event
        };
        self.say(
            Part::Frame,
            "response.output_item.added",
            json!({ "output_index": index, "item": message_item(head, "in_progress", json!([])) }),
        );
        self.say(Part::Frame, "response.content_part.added", place(json!({ "part": text_part("") })));
        for token in tokens {
            self.say(Part::Token, "response.output_text.delta", place(json!({ "delta": token, "logprobs": [] })));
        }
        self.say(Part::Close, "response.output_text.done", place(json!({ "text": text, "logprobs": [] })));
        self.say(Part::Close, "response.content_part.done", place(json!({ "part": text_part(&text) })));
        let item = message_item(head, "completed", json!([text_part(&text)]));
        self.say(Part::Close, "response.output_item.done", json!({ "output_index": index, "item": item }));
    }

    fn say(&mut self, part: Part, name: &str, mut event: Value) {
        event["type"] = json!(name);
        event["sequence_number"] = json!(self.sequence);
        self.sequence += 1;
        self.script.event(part, name, &event.to_string());
    }
}
