//! The tool calls of an answer that is being written as Messages: what is said of each, and what is yet to be written.
//!
//! Chat Completions may interleave the pieces of parallel calls; content blocks come one after the other. So the pieces
//! of a call wait while the one before it is not whole. A call is whole when its brackets are balanced: that is counted
//! on the way, and nothing is parsed.

use super::delta::{Literal, quoted};
use crate::Dialect;
use crate::translate::ids::call_id;

/// The most that may wait; a stream that interleaves more is no answer of any model.
const MAX_WAITING: usize = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Call {
    number: usize,
    /// Its id and name, until they are written.
    begun: Option<(Option<String>, String)>,
    /// Pieces of arguments that are yet to be written, as the inside of a JSON string.
    pending: String,
    brackets: Brackets,
}

impl Calls {
    pub(super) fn begin(&mut self, number: usize, id: Option<Literal<'_>>, name: Option<Literal<'_>>) {
        let id = id.and_then(Literal::decode).map(|id| quoted(&call_id(Dialect::Anthropic, id)));
        let begun = (id, name.map_or("\"\"", Literal::as_str).to_owned());
        self.calls.push(Call { number, begun: Some(begun), pending: String::new(), brackets: Brackets::default() });
    }

    pub(super) fn add(&mut self, number: usize, fragment: Literal<'_>) {
        if self.waiting_bytes + fragment.inner().len() > MAX_WAITING {
            return;
        }
        if let Some(call) = self.calls.iter_mut().rfind(|call| call.number == number) {
            self.waiting_bytes += fragment.inner().len();
            call.pending.push_str(fragment.inner());
            call.brackets.read(fragment.inner());
        }
    }

    pub(super) fn any(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether a call's arguments are a whole JSON value. A call without any may yet get some.
    pub(super) fn is_whole(&self, number: usize) -> bool {
        self.calls.iter().rfind(|call| call.number == number).is_none_or(|call| call.brackets.are_balanced())
    }

    /// The calls of which something is yet to be written, in order.
    pub(super) fn waiting(&self) -> Vec<usize> {
        let waits = |call: &&Call| call.begun.is_some() || !call.pending.is_empty();
        self.calls.iter().filter(waits).map(|call| call.number).collect()
    }

    /// What is yet to be written of a call: its id and name where it has not begun, and pieces of arguments.
    #[expect(clippy::type_complexity, reason = "read at one place, where both parts get their names")]
    pub(super) fn take(&mut self, number: usize) -> Option<(Option<(Option<String>, String)>, String)> {
        let call = self.calls.iter_mut().rfind(|call| call.number == number)?;
        self.waiting_bytes -= call.pending.len();
        Some((call.begun.take(), std::mem::take(&mut call.pending)))
    }
}

/// Counts brackets in a JSON text that comes in pieces, each the inside of a JSON string.
#[derive(Debug, Default)]
struct Brackets {
    depth: usize,
    begun: bool,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    fn are_balanced(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }

    /// Undoes the escapes of the string that carries the piece, as far as they stand for signs that count here.
    fn read(&mut self, piece: &str) {
        let mut bytes = piece.bytes();
        while let Some(byte) = bytes.next() {
            let sign = match byte {
                b'\\' => match bytes.next() {
                    Some(b'u') => {
                        let digits: Vec<u8> = bytes.by_ref().take(4).collect();
                        std::str::from_utf8(&digits)
                            .ok()
                            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                            .unwrap_or(b'x')
                    }
                    Some(sign @ (b'"' | b'\\')) => sign,
                    _ => b' ',
                },
                other => other,
            };
            self.sign(sign);
        }
    }

    fn sign(&mut self, sign: u8) {
        if self.escaped {
            self.escaped = false;
            return;
        }
        match sign {
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => {
                self.begun = true;
                self.depth += 1;
            }
            b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_whole_when_their_brackets_are_balanced() {
        for (pieces, whole) in [
            (vec![""], false),
            (vec!["{}"], true),
            (vec!["{\\\"a\\\": \\\"}", "\\\"}"], true),
            (vec!["{\\\"a\\\": \\\"}\\\""], false),
            (vec![r#"{\"a\": \"\\\"}"#], false),
            (vec![r#"{\"a\": \"\\\"", r#"}\"}"#], true),
            (vec![r"{\u0022}\u0022: 1", "}"], true),
            (vec!["[[1], ", "{"], false),
        ] {
            let mut brackets = Brackets::default();
            pieces.iter().for_each(|piece| brackets.read(piece));
            assert_eq!(brackets.are_balanced(), whole, "{pieces:?}");
        }
    }
}
