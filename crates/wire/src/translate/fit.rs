//! Whether a target's model can take a conversation at all.
//!
//! A model that lacks a capability is a model that is not asked: the router then looks for one that has it. What is
//! unknown is assumed to be there, except prefill, which recent models refuse.

use super::conversation::{Choice, Content, Conversation, Format, Part, Role, Turn};
use super::{RequestError, TargetCapabilities, cannot, short};

/// Refuses what the target's model cannot do.
pub(super) fn check(conversation: &Conversation<'_>, can: &TargetCapabilities) -> Result<(), RequestError> {
    if can.tools == Some(false) && !conversation.tools.is_empty() {
        return Err(cannot("tools", "tools"));
    }
    if can.json_schema == Some(false) && matches!(conversation.format, Some(Format::JsonSchema { .. })) {
        return Err(cannot("an answer by a JSON schema", "response_format"));
    }
    check_choice(conversation, can)?;
    for turn in &conversation.turns {
        for part in &turn.parts {
            check_part(part, turn.role, can)?;
        }
    }
    let said = |turn: &&Turn<'_>| turn.role != Role::System && !turn.parts.is_empty();
    match conversation.turns.iter().rev().find(said) {
        Some(Turn { role: Role::Assistant, parts }) if can.prefill != Some(true) => {
            let at = parts.last().map_or(String::from("messages"), |part| part.at.to_string());
            Err(cannot("a conversation that ends with the assistant's turn (prefill)", at))
        }
        _ => Ok(()),
    }
}

fn check_choice(conversation: &Conversation<'_>, can: &TargetCapabilities) -> Result<(), RequestError> {
    if let Some(Choice::Tool(name)) = &conversation.choice
        && !conversation.tools.iter().any(|tool| tool.name == *name)
    {
        return Err(cannot(
            format!("a choice of `{}`, which is no function among the tools", short(name)),
            "tool_choice",
        ));
    }
    let forced = matches!(conversation.choice, Some(Choice::Any | Choice::Tool(_)));
    if forced && (can.forced_tool_choice == Some(false) || conversation.tools.is_empty()) {
        return Err(cannot("a forced tool choice", "tool_choice"));
    }
    Ok(())
}

fn check_part(part: &Part<'_>, role: Role, can: &TargetCapabilities) -> Result<(), RequestError> {
    let (what, able) = match &part.content {
        Content::Image(_) => ("an image", can.images),
        Content::Document(_) => ("a document", can.documents),
        Content::Result(result) => return result.parts.iter().try_for_each(|part| check_part(part, Role::User, can)),
        Content::Text(_) | Content::Call(_) => return Ok(()),
    };
    if role != Role::User {
        return Err(cannot(format!("{what} in a turn that is not the user's"), part.at));
    }
    if able == Some(false) { Err(cannot(what, part.at)) } else { Ok(()) }
}
