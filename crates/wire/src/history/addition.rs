//! What a streamed answer adds to its request's history, gathered from what the stream says.
//!
//! Texts and arguments are kept as they came, inside a JSON string, and are decoded when all of them are there: a provider may
//! cut anywhere, also between the halves of a surrogate pair. The Responses API repeats all of it at the end.

use weir_units::Addition;

use super::conversation::{Call, Conversation, Role};
use super::cursor::Cursor;
use super::{Room, Scope, responses};
use crate::stream::Delta;

/// What is kept of an answer, in bytes. Of a longer one it is not known what it adds.
const KEPT: usize = 256 << 10;

/// More calls than any answer has.
const CALLS: usize = 4_096;

/// One streamed answer.
#[derive(Debug)]
pub(crate) struct AdditionSoFar {
    scope: Scope,
    /// A JSON string without its last quote.
    text: Vec<u8>,
    calls: Vec<CallSoFar>,
    kept: usize,
    /// All items of the answer, where the stream repeats them at its end.
    output: Option<Vec<u8>>,
    finished: bool,
}

#[derive(Debug)]
struct CallSoFar {
    number: usize,
    /// JSON strings without their last quotes.
    name: Vec<u8>,
    arguments: Vec<u8>,
}

impl AdditionSoFar {
    pub(crate) fn new(scope: Scope) -> Self {
        Self { scope, text: vec![b'"'], calls: Vec::new(), kept: 0, output: None, finished: false }
    }

    /// Takes one thing that the stream said and the client is sent.
    pub(crate) fn take(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => self.say(text.inner()),
            Delta::ToolStart { call, name, .. } => self.call(*call, name.map(|name| name.inner()).unwrap_or_default()),
            Delta::Arguments { call, fragment } => self.argue(*call, fragment.inner()),
            Delta::Output(items) => {
                // What came of it in pieces is not needed any more.
                self.kept = 0;
                (self.text, self.calls) = (Vec::new(), Vec::new());
                self.output = self.has_room_for(items).then(|| items.as_bytes().to_vec());
            }
            Delta::Stop(_) => self.finished = true,
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        if self.has_room_for(text) {
            self.text.extend_from_slice(text.as_bytes());
        }
    }

    fn call(&mut self, number: usize, name: &str) {
        if self.calls.len() >= CALLS {
            self.kept = KEPT + 1;
        }
        if self.has_room_for(name) {
            self.calls.push(CallSoFar { number, name: [b"\"", name.as_bytes()].concat(), arguments: vec![b'"'] });
        }
    }

    fn argue(&mut self, number: usize, fragment: &str) {
        if self.has_room_for(fragment)
            && let Some(made) = self.calls.iter_mut().rfind(|made| made.number == number)
        {
            made.arguments.extend_from_slice(fragment.as_bytes());
        }
    }

    /// What the answer adds; `None` while it is not finished, or if it is too long.
    pub(crate) fn addition(&self, room: &mut Room) -> Option<Addition> {
        if !self.finished || self.kept > KEPT {
            return None;
        }
        room.conversation.clear();
        match &self.output {
            Some(items) => responses::output(&mut Cursor::new(items), &mut room.conversation)?,
            None => self.fill(&mut room.conversation)?,
        }
        room.marks(&self.scope, b"").addition()
    }

    fn fill(&self, conversation: &mut Conversation) -> Option<()> {
        conversation.begin();
        conversation.part(&mut Cursor::new(&ended(&self.text)))?;
        for made in &self.calls {
            let name = conversation.string(&mut Cursor::new(&ended(&made.name)))?;
            let arguments = conversation.arguments(&mut Cursor::new(&ended(&made.arguments)))?;
            conversation.calls.push(Call { name, arguments, id: 0..0 });
        }
        conversation.end(Role::Assistant, 0..0, None);
        Some(())
    }

    fn has_room_for(&mut self, text: &str) -> bool {
        self.kept = self.kept.saturating_add(text.len());
        if self.kept > KEPT {
            (self.text, self.calls, self.output) = (Vec::new(), Vec::new(), None);
        }
        self.kept <= KEPT
    }
}

fn ended(literal: &[u8]) -> Vec<u8> {
    [literal, b"\""].concat()
}
