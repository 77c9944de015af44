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
        b'[' => blocks(cursor, conversation, false),
        _ => cursor.skip(),
    }
}

fn blocks(cursor: &mut Cursor<'_>, conversation: &mut Conversation, in_result: bool) -> Option<()> {
    let mut first = true;
    cursor.expect(b'[')?;
    while cursor.item(&mut first)? {
        if cursor.peek()? == b'{' {
            block(cursor, conversation, in_result)?;
        } else {
            cursor.skip()?;
        }
    }
    Some(())
}

/// What a block is, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Call,
    Result,
    /// Thoughts, and what hosted tools did: they come and go with the client's manners.
    Left,
    /// Pictures, documents and whatever else there may be.
    Medium,
}

fn kind(word: &[u8], in_result: bool) -> Kind {
    match word {
        b"text" => Kind::Text,
        _ if in_result => Kind::Medium,
        b"tool_use" => Kind::Call,
        b"tool_result" => Kind::Result,
        b"thinking" | b"redacted_thinking" | b"server_tool_use" | b"mcp_tool_use" => Kind::Left,
        _ if word.ends_with(b"_tool_result") => Kind::Left,
        _ => Kind::Medium,
    }
}

/// Reads a block in one pass, wherever in it its type stands: SDKs write it first or last.
fn block(cursor: &mut Cursor<'_>, conversation: &mut Conversation, in_result: bool) -> Option<()> {
    let start = *cursor;
    let before = (conversation.parts.len(), conversation.media.len());
    let (mut found, mut text, mut made) = (None, 0..0, Call::default());
    let (mut call_id, mut error) = (0..0, None);
    // A result is a turn of its own, so its content can be read if no other turn has begun.
    let alone = conversation.is_empty() && !in_result;
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"type", b'"') => {
                let kind = kind(&cursor.string()?.decoded()?, in_result);
                found = Some(kind);
                match kind {
                    Kind::Left | Kind::Medium => break,
                    Kind::Result if !alone => {
                        conversation.end(Role::User, 0..0, None);
                        *cursor = start;
                        return block(cursor, conversation, in_result);
                    }
                    _ => {}
                }
            }
            (b"text", b'"') => text = conversation.string(cursor)?,
            (b"id", b'"') => made.id = cursor.place()?,
            (b"name", b'"') => made.name = conversation.string(cursor)?,
            (b"input", _) => made.arguments = conversation.arguments(cursor)?,
            (b"tool_use_id", b'"') => call_id = cursor.place()?,
            (b"is_error", b't' | b'f') => error = Some(cursor.scalar()? == b"true"),
            (b"content", b'"') if alone => conversation.part(cursor)?,
            (b"content", b'[') if alone => blocks(cursor, conversation, true)?,
            _ => cursor.skip()?,
        }
    }
    if found == Some(Kind::Result) {
        conversation.end(Role::Tool, call_id, error);
        return Some(());
    }
    conversation.parts.truncate(before.0);
    conversation.media.truncate(before.1);
    match found.unwrap_or(Kind::Text) {
        Kind::Text => conversation.add_part(text),
        Kind::Call => conversation.calls.push(made),
        Kind::Medium => {
            *cursor = start;
            conversation.medium(cursor)?;
        }
        Kind::Left | Kind::Result => {
            *cursor = start;
            cursor.skip()?;
        }
    }
    Some(())
}
