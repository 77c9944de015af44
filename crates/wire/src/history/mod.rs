//! Reads the conversation that a request carries, and what an answer adds to it, into marks.
//!
//! APIs without state are sent the whole conversation with each request. One pass decodes it into buffers that are used
//! again, whichever the dialect; then texts, calls and results are hashed, once as they stand and once without what changes
//! at each call. The same conversation has the same marks in each dialect, however a client writes its JSON. Why marks are
//! made as they are is in docs/decisions/0015-marks.md.

mod addition;
mod canonical;
mod chat;
mod conversation;
mod cursor;
mod key;
mod marks;
mod messages;
mod quote;
mod responses;
mod sketch;
#[cfg(test)]
mod tests;
mod volatile;

use std::fmt;

use weir_units::{Addition, History};

use self::conversation::Conversation;
use self::cursor::Cursor;
use self::marks::{Buffers, Marks};
use crate::Endpoint;

pub(crate) use self::addition::AdditionSoFar;
pub use self::key::{HistoryKey, Scope};
pub use self::quote::quote;

/// The buffers that a larger body has filled are not kept. They grow to a few times its size.
const KEPT: usize = 1 << 20;

/// Buffers that are used again from one request to the next.
#[derive(Default)]
pub struct Room {
    conversation: Conversation,
    buffers: Buffers,
}

/// Reads the history that a request carries; `None` where its endpoint has none, or the body's shape is not known.
#[must_use]
pub fn read_history(scope: &Scope, endpoint: Endpoint, body: &[u8], room: &mut Room) -> Option<History> {
    let known = read_request(endpoint, body, &mut room.conversation);
    let history = known.map(|()| room.marks(scope, body).history());
    room.shrink(body.len());
    history
}

/// Reads what a whole answer adds, in the dialect of the client's `endpoint`; `None` where it cannot be told.
#[must_use]
pub fn read_addition(scope: &Scope, endpoint: Endpoint, body: &[u8], room: &mut Room) -> Option<Addition> {
    let (conversation, mut cursor) = (&mut room.conversation, Cursor::new(body));
    conversation.clear();
    let known = match endpoint {
        Endpoint::ChatCompletions => chat::answer(&mut cursor, conversation),
        Endpoint::Messages => messages::answer(&mut cursor, conversation),
        Endpoint::Responses => responses::answer(&mut cursor, conversation),
        Endpoint::Completions | Endpoint::Embeddings | Endpoint::CountTokens => None,
    };
    let addition = known.and_then(|()| room.marks(scope, body).addition());
    room.shrink(body.len());
    addition
}

fn read_request(endpoint: Endpoint, body: &[u8], conversation: &mut Conversation) -> Option<()> {
    let mut cursor = Cursor::new(body);
    conversation.clear();
    match endpoint {
        Endpoint::ChatCompletions => chat::request(&mut cursor, conversation)?,
        Endpoint::Messages => messages::request(&mut cursor, conversation)?,
        Endpoint::Responses => responses::request(&mut cursor, conversation)?,
        Endpoint::Completions | Endpoint::Embeddings | Endpoint::CountTokens => return None,
    }
    cursor.is_at_end().then_some(())
}

impl Room {
    /// Gives back what a body of `bytes` may have taken, if that is much.
    fn shrink(&mut self, bytes: usize) {
        if bytes > KEPT {
            *self = Self::default();
        }
    }

    fn marks<'a>(&'a mut self, scope: &'a Scope, body: &'a [u8]) -> Marks<'a> {
        Marks { scope, conversation: &mut self.conversation, buffers: &mut self.buffers, body }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}
