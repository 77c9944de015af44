//! Reads the conversation out of a body of Anthropic's Messages API.

use super::chat::{role_of, tools};
use super::conversation::{Call, Conversation, Role};
use super::cursor::Cursor;

/// A request.
pub(super) fn request(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let (mut first, mut found) = (true, false);
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match &*name {
            b"messages" => {
                found = true;
                let mut first = true;
                cursor.expect(b'[')?;
                while cursor.item(&mut first)? {
                    message(cursor, conversation)?;
                }
            }
            b"system" => {
                conversation.begin();
                content(cursor, conversation)?;
                conversation.end_system();
            }
            b"tools" => tools(cursor, conversation)?,
            _ => cursor.skip()?,
        }
    }
    found.then_some(())
}

/// An answer.
pub(super) fn answer(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let (mut first, mut found) = (true, false);
    conversation.begin();
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        if *name == *b"content" && cursor.peek()? == b'[' {
            found = true;
            content(cursor, conversation)?;
        } else {
            cursor.skip()?;
        }
    }
    conversation.end(Role::Assistant, 0..0, None);
    found.then_some(())
}

fn message(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let (mut role, turns) = (Role::User, conversation.turns.len());
    let mut first = true;
    conversation.begin();
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"role", b'"') => role = role_of(&cursor.string()?.decoded()?),
            (b"content", _) => content(cursor, conversation)?,
            _ => cursor.skip()?,
        }
    }
    // Results are turns of their own; what may be left is what the user said beside them.
    if !conversation.is_empty() || conversation.turns.len() == turns {
        conversation.end(role, 0..0, None);
    }
    Some(())
}

/// A string, or blocks in an array.
fn content(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    match cursor.peek()? {
        b'"' => conversation.part(cursor),
        b'[' => {
            let mut first = true;
            cursor.expect(b'[')?;
            while cursor.item(&mut first)? {
                block(cursor, conversation)?;
            }
            Some(())
        }
        _ => cursor.skip(),
    }
}

fn block(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    if cursor.peek()? != b'{' {
        return cursor.skip();
    }
    match cursor.look_for(b"type").as_deref() {
        None | Some(b"text") => text(cursor, conversation),
        Some(b"tool_use") => call(cursor, conversation),
        Some(b"tool_result") => result(cursor, conversation),
        // Thoughts, and what hosted tools did, come and go with the client's manners.
        Some(b"thinking" | b"redacted_thinking" | b"server_tool_use" | b"mcp_tool_use") => cursor.skip(),
        Some(kind) if kind.ends_with(b"_tool_result") => cursor.skip(),
        Some(_) => conversation.medium(cursor),
    }
}

fn text(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"text", b'"') => conversation.part(cursor)?,
            _ => cursor.skip()?,
        }
    }
    Some(())
}

fn call(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut made = Call::default();
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"id", b'"') => made.id = cursor.place()?,
            (b"name", b'"') => made.name = conversation.string(cursor)?,
            (b"input", _) => made.arguments = conversation.arguments(cursor)?,
            _ => cursor.skip()?,
        }
    }
    conversation.calls.push(made);
    Some(())
}

fn result(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    if !conversation.is_empty() {
        conversation.end(Role::User, 0..0, None);
    }
    let (mut call_id, mut error) = (0..0, None);
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"tool_use_id", b'"') => call_id = cursor.place()?,
            (b"content", b'"') => conversation.part(cursor)?,
            (b"content", b'[') => result_content(cursor, conversation)?,
            (b"is_error", b't' | b'f') => error = Some(cursor.scalar()? == b"true"),
            _ => cursor.skip()?,
        }
    }
    conversation.end(Role::Tool, call_id, error);
    Some(())
}

/// A result holds texts and media; a call or a result within it would be none.
fn result_content(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'[')?;
    while cursor.item(&mut first)? {
        match cursor.look_for(b"type").as_deref() {
            Some(b"text") => text(cursor, conversation)?,
            _ => conversation.medium(cursor)?,
        }
    }
    Some(())
}
