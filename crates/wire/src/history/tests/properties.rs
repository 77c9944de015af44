//! How a client writes its JSON does not matter, and every word does.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// How one client writes JSON.
#[derive(Clone, Debug)]
struct Manner {
    reversed: bool,
    blanks: bool,
    escapes: bool,
    cached: bool,
    ids: u32,
}

fn manners() -> impl Strategy<Value = Manner> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<u32>())
        .prop_map(|(reversed, blanks, escapes, cached, ids)| Manner { reversed, blanks, escapes, cached, ids })
}

fn string(text: &str, manner: &Manner) -> String {
    if !manner.escapes {
        return Value::from(text).to_string();
    }
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{units}\"")
}

fn written(value: &Value, manner: &Manner) -> String {
    let blank = if manner.blanks { " \n\t" } else { "" };
    match value {
        Value::String(text) => string(text, manner),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| format!("{blank}{}", written(item, manner))).collect();
            format!("[{}{blank}]", items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    format!("{blank}{}{blank}:{blank}{}", string(name, manner), written(value, manner))
                })
                .collect();
            if manner.reversed {
                members.reverse();
            }
            format!("{{{}{blank}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

/// A turn of each kind, from which conversations are made.
#[derive(Clone, Debug)]
enum Said {
    User(String),
    Words(String),
    Calls(String, Vec<(Value, String)>),
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zé \n\"\\\\/]{0,40}", "[0-9a-fT:Z{}\\[\\], -]{0,40}", any::<String>()]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![texts().prop_map(Value::from), any::<i32>().prop_map(Value::from), Just(Value::Null)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(texts(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn arguments() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(texts(), values(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn conversations() -> impl Strategy<Value = Vec<Said>> {
    let turn = prop_oneof![
        texts().prop_map(Said::User),
        texts().prop_map(Said::Words),
        (texts(), prop::collection::vec((arguments(), texts()), 1..4))
            .prop_map(|(text, calls)| Said::Calls(text, calls)),
    ];
    prop::collection::vec(turn, 1..6)
}

fn cached(mut block: Value, manner: &Manner) -> Value {
    if let (true, Value::Object(members)) = (manner.cached, &mut block) {
        members.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
    }
    block
}

fn as_chat(conversation: &[Said], manner: &Manner) -> String {
    let mut messages = Vec::new();
    for (at, said) in conversation.iter().enumerate() {
        let id = |call: usize| format!("call_{}_{at}_{call}", manner.ids);
        match said {
            Said::User(text) if manner.cached => {
                messages
                    .push(json!({"role": "user", "content": [cached(json!({"type": "text", "text": text}), manner)]}));
            }
            Said::User(text) => messages.push(json!({"role": "user", "content": text})),
            Said::Words(text) => messages.push(json!({"role": "assistant", "content": text})),
            Said::Calls(text, calls) => {
                let made: Vec<_> = calls
                    .iter()
                    .enumerate()
                    .map(|(call, (arguments, _))| {
                        let function = json!({"name": "tool", "arguments": written(arguments, manner)});
                        json!({"id": id(call), "type": "function", "function": function})
                    })
                    .collect();
                messages.push(json!({"role": "assistant", "content": text, "tool_calls": made}));
                for (call, (_, result)) in calls.iter().enumerate() {
                    messages.push(json!({"role": "tool", "tool_call_id": id(call), "content": result}));
                }
            }
        }
    }
    written(&json!({"model": "m", "messages": messages}), manner)
}

fn as_anthropic(conversation: &[Said], manner: &Manner) -> String {
    let mut messages = Vec::new();
    let text_block = |text: &str| cached(json!({"type": "text", "text": text}), manner);
    for (at, said) in conversation.iter().enumerate() {
        let id = |call: usize| format!("toolu_{}_{at}_{call}", manner.ids);
        match said {
            Said::User(text) => messages.push(json!({"role": "user", "content": [text_block(text)]})),
            Said::Words(text) => messages.push(json!({"role": "assistant", "content": text})),
            Said::Calls(text, calls) => {
                let mut blocks = vec![text_block(text)];
                let mut results = Vec::new();
                for (call, (arguments, result)) in calls.iter().enumerate() {
                    let block = json!({"type": "tool_use", "id": id(call), "name": "tool", "input": arguments});
                    blocks.push(cached(block, manner));
                    let block =
                        json!({"type": "tool_result", "tool_use_id": id(call), "content": [text_block(result)]});
                    results.push(cached(block, manner));
                }
                messages.push(json!({"role": "assistant", "content": blocks}));
                messages.push(json!({"role": "user", "content": results}));
            }
        }
    }
    written(&json!({"model": "m", "max_tokens": 1, "messages": messages}), manner)
}

/// Puts a word into one of the texts.
fn reworded(conversation: &[Said], place: usize) -> Vec<Said> {
    let mut changed = conversation.to_vec();
    let at = place % changed.len();
    match &mut changed[at] {
        Said::User(text) | Said::Words(text) => text.push_str("word"),
        Said::Calls(text, calls) => match place / 7 % 3 {
            0 => text.push_str("word"),
            1 => calls[0].1.insert_str(0, "word"),
            _ => {
                let members: &mut Map<String, Value> = calls[0].0.as_object_mut().unwrap();
                members.insert("word of its own".to_owned(), json!(true));
            }
        },
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_manner_of_writing_does_not_matter(conversation in conversations(), one in manners(), other in manners()) {
        let chat = read(Endpoint::ChatCompletions, &as_chat(&conversation, &one));
        prop_assert_eq!(&chat, &read(Endpoint::ChatCompletions, &as_chat(&conversation, &other)));
        prop_assert_eq!(&chat, &read(Endpoint::Messages, &as_anthropic(&conversation, &one)));
        prop_assert_eq!(&chat, &read(Endpoint::Messages, &as_anthropic(&conversation, &other)));
    }

    #[test]
    fn every_word_matters(conversation in conversations(), manner in manners(), place in any::<usize>()) {
        let before = read(Endpoint::ChatCompletions, &as_chat(&conversation, &manner));
        let after = read(Endpoint::ChatCompletions, &as_chat(&reworded(&conversation, place), &manner));
        let changed = before.messages.iter().zip(&after.messages).filter(|(one, other)| one != other).count();
        prop_assert_eq!((before.messages.len(), changed), (after.messages.len(), 1));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9\\\\]{0,200}") {
        for body in [&bytes[..], text.as_bytes(), format!("{{\"messages\":[{{\"content\":{text}}}]}}").as_bytes()] {
            for endpoint in Endpoint::ALL {
                let _ = read_history(&scope(), endpoint, body, &mut Room::default());
                let _ = read_addition(&scope(), endpoint, body, &mut Room::default());
                let _ = quote(endpoint, body, 0);
            }
        }
    }
}
