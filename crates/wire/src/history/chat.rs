//! Reads the conversation out of a body of Chat Completions.

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
                messages(cursor, conversation)?;
            }
            b"tools" | b"functions" => tools(cursor, conversation)?,
            _ => cursor.skip()?,
        }
    }
    found.then_some(())
}

/// An answer: the message of its first choice.
pub(super) fn answer(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        if *name == *b"choices" {
            let mut first = true;
            cursor.expect(b'[')?;
            cursor.item(&mut first)?.then_some(())?;
            cursor.expect(b'{')?;
            first = true;
            while let Some(name) = cursor.member(&mut first)? {
                if *name == *b"message" {
                    return message(cursor, conversation, Some(Role::Assistant));
                }
                cursor.skip()?;
            }
            return None;
        }
        cursor.skip()?;
    }
    None
}

fn messages(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut first = true;
    cursor.expect(b'[')?;
    while cursor.item(&mut first)? {
        message(cursor, conversation, None)?;
    }
    Some(())
}

fn message(cursor: &mut Cursor<'_>, conversation: &mut Conversation, role: Option<Role>) -> Option<()> {
    let (mut role, mut call_id, mut speaker) = (role, 0..0, None);
    let mut first = true;
    conversation.begin();
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        let next = cursor.peek()?;
        match &*name {
            b"role" if next == b'"' => {
                let word = cursor.string()?;
                role = role.or(Some(role_of(&word.decoded()?)));
            }
            b"content" => content(cursor, conversation)?,
            b"refusal" if next == b'"' => conversation.part(cursor)?,
            b"tool_calls" if next == b'[' => {
                let mut first = true;
                cursor.expect(b'[')?;
                while cursor.item(&mut first)? {
                    call(cursor, conversation)?;
                }
            }
            b"function_call" if next == b'{' => {
                let mut made = Call::default();
                function(cursor, conversation, &mut made)?;
                conversation.calls.push(made);
            }
            b"tool_call_id" if next == b'"' => call_id = cursor.place()?,
            b"name" if next == b'"' => speaker = Some(cursor.string()?),
            _ => cursor.skip()?,
        }
    }
    let role = role.unwrap_or(Role::User);
    // Several may speak as users. An assistant's name is the client's addition.
    if let Some(speaker) = speaker.filter(|_| matches!(role, Role::User | Role::System)) {
        let speaker = conversation.keep(&speaker.decoded()?);
        conversation.media.push(speaker);
    }
    conversation.end(role, call_id, None);
    Some(())
}

/// The role by its name.
pub(super) fn role_of(word: &[u8]) -> Role {
    match word {
        b"assistant" => Role::Assistant,
        b"system" | b"developer" => Role::System,
        b"tool" | b"function" => Role::Tool,
        _ => Role::User,
    }
}

/// A string, or parts in an array, as both of OpenAI's dialects have them.
pub(super) fn content(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    match cursor.peek()? {
        b'"' => conversation.part(cursor),
        b'[' => {
            let mut first = true;
            cursor.expect(b'[')?;
            while cursor.item(&mut first)? {
                part(cursor, conversation)?;
            }
            Some(())
        }
        _ => cursor.skip(),
    }
}

fn part(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    match cursor.peek()? {
        b'"' => return conversation.part(cursor),
        b'{' => {}
        _ => return cursor.skip(),
    }
    // In one pass if it is a text, wherever in it its type stands.
    let start = *cursor;
    let mut text = 0..0;
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"type", b'"') => match &*cursor.string()?.decoded()? {
                b"text" | b"input_text" | b"output_text" | b"refusal" => {}
                b"thinking" | b"reasoning" | b"reasoning_text" => {
                    *cursor = start;
                    return cursor.skip();
                }
                _ => {
                    *cursor = start;
                    return conversation.medium(cursor);
                }
            },
            (b"text" | b"refusal", b'"') => text = conversation.string(cursor)?,
            _ => cursor.skip()?,
        }
    }
    conversation.add_part(text);
    Some(())
}

fn call(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    let mut made = Call::default();
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"id", b'"') => made.id = cursor.place()?,
            (b"function" | b"custom", b'{') => function(cursor, conversation, &mut made)?,
            _ => cursor.skip()?,
        }
    }
    conversation.calls.push(made);
    Some(())
}

fn function(cursor: &mut Cursor<'_>, conversation: &mut Conversation, made: &mut Call) -> Option<()> {
    let mut first = true;
    cursor.expect(b'{')?;
    while let Some(name) = cursor.member(&mut first)? {
        match (&*name, cursor.peek()?) {
            (b"name", b'"') => made.name = conversation.string(cursor)?,
            (b"arguments" | b"input", b'"' | b'{') => made.arguments = conversation.arguments(cursor)?,
            _ => cursor.skip()?,
        }
    }
    Some(())
}

/// The names of the tools that are offered, in any dialect; a hosted tool that has none is known by its type.
pub(super) fn tools(cursor: &mut Cursor<'_>, conversation: &mut Conversation) -> Option<()> {
    if cursor.peek()? != b'[' {
        return cursor.skip();
    }
    let mut first = true;
    cursor.expect(b'[')?;
    while cursor.item(&mut first)? {
        if cursor.peek()? != b'{' {
            cursor.skip()?;
            continue;
        }
        let (mut first, mut found, mut kind) = (true, None, None);
        cursor.expect(b'{')?;
        while let Some(name) = cursor.member(&mut first)? {
            match (&*name, cursor.peek()?) {
                (b"name", b'"') => found = Some(cursor.string()?.decoded()?),
                (b"function" | b"custom", b'{') => {
                    found = found.or(cursor.look_for(b"name"));
                    cursor.skip()?;
                }
                (b"type", b'"') => kind = Some(cursor.string()?.decoded()?),
                _ => cursor.skip()?,
            }
        }
        if let Some(name) = found.or(kind) {
            let name = conversation.keep(&name);
            conversation.tools.push(name);
        }
    }
    Some(())
}
