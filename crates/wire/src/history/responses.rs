//! Reads the conversation out of a body of the Responses API.
//!
//! A turn of the assistant is several items there: messages, calls, thoughts. They are one turn until something else comes.

use std::borrow::Cow;

use super::chat::{content, role_of, tools};
use super::conversation::{Call, Conversation, Role};
use super::cursor::Cursor;

/// A request. Where it goes on from a stored response, it holds only what is new.
pub(super) fn request(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"input", b'"') => {
                conversation.begin();
                conversation.part(cursor)?;
                conversation.end(Role::User, 0..0, None);
            }
            (b"input", b'[') => items(cursor, conversation)?,
            (b"instructions", b'"') => {
                conversation.begin();
                conversation.part(cursor)?;
                conversation.end_system();
            }
            (b"tools", _) => tools(cursor, conversation)?,
            _ => cursor.skip()?,
        }
    }
    Some(())
}

/// An answer.
pub(super) fn answer(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        if *name == *b"output" && cursor.peek()? == b'[' {
            return output(cursor, conversation);
        }
        cursor.skip()?;
    }
    None
}

/// The items of an answer. Where there are none, it has said nothing.
pub(super) fn output(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    items(cursor, conversation)?;
    if conversation.turns.is_empty() {
        conversation.end(Role::Assistant, 0..0, None);
    }
    Some(())
}

fn items(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'[')?;
    conversation.begin();
    // Whether a turn of the assistant has begun.
    let mut open = false;
    while cursor.item(&mut first)? {
        let kind = cursor.look_for(b"type").unwrap_or(Cow::Borrowed(b"message"));
        match &*kind {
            b"message" => {
                let role = cursor.look_for(b"role").map_or(Role::User, |role| role_of(&role));
                if role != Role::Assistant {
                    close(conversation, &mut open);
                }
                message(cursor, conversation)?;
                if role == Role::Assistant {
                    open = true;
                } else {
                    conversation.end(role, 0..0, None);
                }
            }
            b"function_call" | b"custom_tool_call" | b"computer_call" | b"local_shell_call" | b"shell_call"
            | b"apply_patch_call" => {
                open = true;
                call(cursor, conversation, &kind)?;
            }
            // What it refers to is not known here, but somebody said it.
            b"item_reference" => {
                open = true;
                conversation.medium(cursor)?;
            }
            _ if kind.ends_with(b"_output") => {
                close(conversation, &mut open);
                result(cursor, conversation)?;
            }
            // Thoughts, and what hosted tools did, come and go with the client's manners.
            _ => cursor.skip()?,
        }
    }
    close(conversation, &mut open);
    Some(())
}

fn close(conversation: &mut Conversation, open: &mut bool) {
    if std::mem::take(open) {
        conversation.end(Role::Assistant, 0..0, None);
    }
}

fn message(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match &*name {
            b"content" => content(cursor, conversation)?,
            _ => cursor.skip()?,
        }
    }
    Some(())
}

fn call(cursor: &mut Cursor<'_>, conversation: &mut Conversation, kind: &[u8]) -> Option<()> {
    let mut made = Call::default();
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"call_id", b'"') => made.id = cursor.place()?,
            (b"name", b'"') => made.name = conversation.string(cursor)?,
            (b"arguments" | b"input" | b"action" | b"actions" | b"operation", b'"' | b'{' | b'[') => {
                made.arguments = conversation.arguments(cursor)?;
            }
            _ => cursor.skip()?,
        }
    }
    // A built-in tool is known by the item's type.
    if made.name.is_empty() {
        made.name = conversation.keep(kind);
    }
    conversation.calls.push(made);
    Some(())
}

fn result(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut call_id = 0..0;
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"call_id", b'"') => call_id = cursor.place()?,
            (b"output", b'"' | b'[') => content(cursor, conversation)?,
            (b"output", b'{') => conversation.medium(cursor)?,
            _ => cursor.skip()?,
        }
    }
    conversation.end(Role::Tool, call_id, None);
    Some(())
}
