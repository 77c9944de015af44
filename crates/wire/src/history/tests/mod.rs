//! Stories of histories: the same conversation in each dialect, answers that come back, and what must not matter.

mod answers;
mod hostile;
mod properties;
mod stories;
mod volatile;

use weir_units::{Addition, History};

use super::*;

fn scope() -> Scope {
    HistoryKey::new(&[7; 32]).scope("acme")
}

fn read(endpoint: Endpoint, body: &str) -> History {
    read_history(&scope(), endpoint, body.as_bytes(), &mut Room::default()).unwrap()
}

fn added(endpoint: Endpoint, body: &str) -> Addition {
    read_addition(&scope(), endpoint, body.as_bytes(), &mut Room::default()).unwrap()
}

/// A chat request of these messages.
fn chat(messages: &str) -> History {
    read(Endpoint::ChatCompletions, &format!(r#"{{"model":"m","messages":[{messages}]}}"#))
}

fn anthropic(messages: &str) -> History {
    read(Endpoint::Messages, &format!(r#"{{"model":"m","max_tokens":9,"messages":[{messages}]}}"#))
}

fn responses(items: &str) -> History {
    read(Endpoint::Responses, &format!(r#"{{"model":"m","input":[{items}]}}"#))
}
