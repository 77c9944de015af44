//! Fits a second answer onto the text of a first one that was cut.
//!
//! The client has the first answer's text. The second provider was asked the same thing from the start, so it says that
//! text again if the two agree: it is compared byte for byte and dropped. The first difference ends the attempt, since
//! no reader could tell where one answer stops and the other begins.

use super::delta::{Delta, quoted};

/// How far a second answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpliceState {
    /// It repeats what was sent, as far as it has come.
    Matching,
    /// It has repeated all of it, and goes on.
    Continuing,
    /// It says something else, or less: nothing of it is sent.
    Mismatch,
}

#[derive(Debug)]
pub(super) struct Splice {
    sent: String,
    matched: usize,
    state: SpliceState,
}

/// What becomes of one thing that the second answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Drop,
    Send,
    /// The rest of a text, as a JSON string: its beginning was sent before.
    SendRest(String),
}

impl Splice {
    pub(super) fn new(sent: String) -> Self {
        Self { sent, matched: 0, state: SpliceState::Matching }
    }

    pub(super) fn state(&self) -> SpliceState {
        self.state
    }

    pub(super) fn fit(&mut self, delta: &Delta<'_>) -> Fit {
        match self.state {
            SpliceState::Continuing => return Fit::Send,
            SpliceState::Mismatch => return Fit::Drop,
            SpliceState::Matching => {}
        }
        match delta {
            Delta::Text(text) => match text.decode() {
                Some(text) => self.compare(&text),
                None => self.mismatch(),
            },
            Delta::ToolStart { .. } | Delta::Stop(_) if self.matched == self.sent.len() => {
                self.state = SpliceState::Continuing;
                Fit::Send
            }
            Delta::ToolStart { .. } | Delta::Stop(_) | Delta::Refusal(_) | Delta::Opaque => self.mismatch(),
            Delta::Start { .. } | Delta::Terminated => Fit::Send,
            // The client has had its reasoning; blocks and what they prove are the second answer's own.
            _ => Fit::Drop,
        }
    }

    fn compare(&mut self, text: &str) -> Fit {
        let rest = &self.sent.as_bytes()[self.matched..];
        if text.len() <= rest.len() {
            if !rest.starts_with(text.as_bytes()) {
                return self.mismatch();
            }
            self.matched += text.len();
            return Fit::Drop;
        }
        // What was sent ended between two characters, so a text that begins with it can be parted there.
        match text.as_bytes().starts_with(rest).then(|| text.get(rest.len()..)).flatten() {
            Some(new) => {
                self.matched = self.sent.len();
                self.state = SpliceState::Continuing;
                Fit::SendRest(quoted(new))
            }
            None => self.mismatch(),
        }
    }

    fn mismatch(&mut self) -> Fit {
        self.state = SpliceState::Mismatch;
        Fit::Drop
    }
}
