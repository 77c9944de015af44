//! What one message of a request says, for whoever sent it.

use super::conversation::{Conversation, Role};
use super::read_request;
use crate::Endpoint;
use crate::clean::shown;

/// The most characters that are quoted.
const QUOTED: usize = 200;

/// What the message of this number says or calls, at most 200 characters of it, on one line and without control characters.
/// Messages are counted as in [`weir_units::History::messages`].
#[must_use]
pub fn quote(endpoint: Endpoint, body: &[u8], message: u32) -> Option<String> {
    let mut conversation = Conversation::default();
    read_request(endpoint, body, &mut conversation)?;
    let leading = conversation.turns.iter().take_while(|turn| turn.role == Role::System).count();
    let turn = conversation.turns.get(leading.checked_add(usize::try_from(message).ok()?)?)?;
    let text = |range: &std::ops::Range<usize>| {
        let bytes = &conversation.text[range.start..range.end.min(range.start + 4 * (QUOTED + 1))];
        String::from_utf8_lossy(bytes).into_owned()
    };
    let mut said = text(&turn.text);
    for call in conversation.calls.get(turn.calls.clone())?.iter().take(QUOTED) {
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(&format!("{}({})", text(&call.name), text(&call.arguments)));
    }
    let line = said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = shown(&line.collect::<Vec<_>>().join(" "));
    Some(match line.char_indices().nth(QUOTED) {
        None => line,
        Some(_) => {
            let end = line.char_indices().nth(QUOTED - 1).map_or(line.len(), |(at, _)| at);
            format!("{}…", &line[..end])
        }
    })
}
