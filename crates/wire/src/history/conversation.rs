//! What a body says, in no dialect: turns of texts, tool calls and tool results, all texts decoded and side by side.
//!
//! The readers of the dialects fill it in one pass. All of it lies in buffers that are used again for the next request.

use std::ops::Range;

use super::canonical::Canonical;
use super::cursor::Cursor;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
    /// One tool's result.
    Tool,
}

/// One message, in the sense of [`weir_units::History`]. Ranges of texts are places in [`Conversation::text`].
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) role: Role,
    /// All its text; in canonical form where it is a JSON object or array.
    pub(super) text: Range<usize>,
    /// The parts that the text came in, as places in [`Conversation::parts`].
    pub(super) parts: Range<usize>,
    /// Its calls, as places in [`Conversation::calls`].
    pub(super) calls: Range<usize>,
    /// What is neither text nor call, as places in [`Conversation::media`].
    pub(super) media: Range<usize>,
    /// The id of the call that it is the result of, as a place in the body.
    pub(super) call_id: Range<usize>,
    /// Whether the client says that the result is an error.
    pub(super) error: Option<bool>,
    /// Whether its text is JSON, and then whether that speaks of an error.
    pub(super) json: Option<bool>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) name: Range<usize>,
    /// In canonical form where they are JSON.
    pub(super) arguments: Range<usize>,
    /// A place in the body.
    pub(super) id: Range<usize>,
}

/// What a body says.
#[derive(Default)]
pub(super) struct Conversation {
    pub(super) text: Vec<u8>,
    pub(super) turns: Vec<Turn>,
    /// The system text where it stands outside the messages.
    pub(super) system: Vec<Turn>,
    pub(super) parts: Vec<Range<usize>>,
    pub(super) calls: Vec<Call>,
    pub(super) media: Vec<Range<usize>>,
    /// The names of the tools that are offered.
    pub(super) tools: Vec<Range<usize>>,
    pub(super) canonical: Canonical,
    pub(super) rewritten: Vec<u8>,
    /// Where the turn at hand begins among parts, calls and media.
    begun: (usize, usize, usize),
}

impl Conversation {
    /// Forgets what it holds.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.turns.clear();
        self.system.clear();
        self.parts.clear();
        self.calls.clear();
        self.media.clear();
        self.tools.clear();
        self.begun = (0, 0, 0);
    }

    /// Begins a turn.
    pub(super) fn begin(&mut self) {
        self.begun = (self.parts.len(), self.calls.len(), self.media.len());
    }

    /// Whether the turn at hand holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.begun == (self.parts.len(), self.calls.len(), self.media.len())
    }

    /// Adds the string that comes next to the turn's text.
    pub(super) fn part(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let part = self.string(cursor)?;
        self.add_part(part);
        Some(())
    }

    /// Adds what was decoded to the turn's text.
    pub(super) fn add_part(&mut self, part: Range<usize>) {
        if !part.is_empty() {
            self.parts.push(part);
        }
    }

    /// Decodes the string that comes next.
    pub(super) fn string(&mut self, cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
        let start = self.text.len();
        cursor.string_into(&mut self.text)?;
        Some(start..self.text.len())
    }

    /// Keeps `bytes` beside the texts.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        start..self.text.len()
    }

    /// Reads the arguments of a call: an object, or a string that mostly holds one.
    pub(super) fn arguments(&mut self, cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
        if cursor.peek()? != b'"' {
            return self.value(cursor);
        }
        let range = self.string(cursor)?;
        if self.canonical.of_text(&self.text[range.clone()], &mut self.rewritten).is_none() {
            return Some(range);
        }
        self.text.truncate(range.start);
        self.text.extend_from_slice(&self.rewritten);
        Some(range.start..self.text.len())
    }

    /// Adds the value that comes next as what is neither text nor call.
    pub(super) fn medium(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let medium = self.value(cursor)?;
        self.media.push(medium);
        Some(())
    }

    /// The canonical form of the value that comes next, without what tells caches where to cut; as it stands if it is nested
    /// too deeply.
    fn value(&mut self, cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
        let start = self.text.len();
        let mut ahead = *cursor;
        if self.canonical.write(&mut ahead, &[b"cache_control"], &mut self.text).is_some() {
            *cursor = ahead;
        } else {
            let source = cursor.value()?;
            self.text.extend_from_slice(source);
        }
        Some(start..self.text.len())
    }

    /// Ends the turn at hand.
    pub(super) fn end(&mut self, role: Role, call_id: Range<usize>, error: Option<bool>) {
        let turn = self.take(role, call_id, error);
        self.turns.push(turn);
    }

    /// Ends the turn at hand, as a system text that stands outside the messages.
    pub(super) fn end_system(&mut self) {
        let turn = self.take(Role::System, 0..0, None);
        self.system.push(turn);
    }

    fn take(&mut self, role: Role, call_id: Range<usize>, error: Option<bool>) -> Turn {
        let (first_part, first_call, first_medium) = self.begun;
        let mut text = self.joined(first_part);
        let blanks = self.text[text.clone()].iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        text.end -= blanks;
        let json = self.canonical.of_text(&self.text[text.clone()], &mut self.rewritten);
        if json.is_some() {
            // In its place, unless there are parts to be looked at by themselves.
            if text.end == self.text.len() && self.parts.len() == first_part + 1 {
                self.text.truncate(text.start);
            }
            let start = self.text.len();
            self.text.extend_from_slice(&self.rewritten);
            text = start..self.text.len();
        }
        if let [only] = &mut self.parts[first_part..] {
            *only = text.clone();
        }
        let turn = Turn {
            role,
            text,
            parts: first_part..self.parts.len(),
            calls: first_call..self.calls.len(),
            media: first_medium..self.media.len(),
            call_id,
            error,
            json,
        };
        self.begin();
        turn
    }

    /// All parts from `first` on as one text; they mostly lie side by side.
    fn joined(&mut self, first: usize) -> Range<usize> {
        let parts = &self.parts[first..];
        let (Some(begin), Some(end)) = (parts.first(), parts.last()) else {
            return self.text.len()..self.text.len();
        };
        if parts.windows(2).all(|pair| pair[0].end == pair[1].start) {
            return begin.start..end.end;
        }
        let start = self.text.len();
        for part in first..self.parts.len() {
            self.text.extend_from_within(self.parts[part].clone());
        }
        start..self.text.len()
    }
}
