//! What a streamed answer said, gathered while it is relayed: for whoever keeps answers, and only then.
//!
//! Texts and arguments are kept as they came, inside a JSON string, and decoded when they are asked for: a provider may cut
//! anywhere, also between the halves of a surrogate pair.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Delta;

/// More calls than any answer has.
const CALLS: usize = 1_024;

/// What an answer has said so far. Clones share it, so that it is still there when the stream was dropped.
#[derive(Clone)]
pub struct Said(Arc<Mutex<SoFar>>);

struct SoFar {
    /// JSON strings without their quotes.
    text: String,
    reasoning: String,
    refusal: String,
    /// Of each call its number, name and arguments.
    calls: Vec<(usize, String, String)>,
    kept: usize,
    most: usize,
    cut: bool,
    finished: bool,
}

/// What an answer said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Its text.
    pub text: String,
    /// Its reasoning, as far as it was told.
    pub reasoning: String,
    /// Its refusal.
    pub refusal: String,
    /// Its tool calls: the name and the arguments of each.
    pub calls: Vec<(String, String)>,
    /// It said more than is kept.
    pub cut: bool,
    /// It was finished.
    pub finished: bool,
}

/// Shows no content.
impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said").field("kept", &self.kept()).finish_non_exhaustive()
    }
}

impl Said {
    /// Nothing so far; at most `most` bytes of it are kept.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let (text, reasoning, refusal, calls) = Default::default();
        Self(Arc::new(Mutex::new(SoFar {
            text,
            reasoning,
            refusal,
            calls,
            kept: 0,
            most,
            cut: false,
            finished: false,
        })))
    }

    /// The bytes that are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.lock().kept
    }

    /// Keeps no more than what is kept already.
    pub fn stop(&self) {
        let mut so_far = self.lock();
        so_far.most = so_far.kept;
    }

    /// What was said until now.
    #[must_use]
    pub fn spoken(&self) -> Spoken {
        let so_far = self.lock();
        Spoken {
            text: decoded(&so_far.text),
            reasoning: decoded(&so_far.reasoning),
            refusal: decoded(&so_far.refusal),
            calls: so_far.calls.iter().map(|(_, name, arguments)| (decoded(name), decoded(arguments))).collect(),
            cut: so_far.cut,
            finished: so_far.finished,
        }
    }

    /// Takes one thing that the stream said and the client is sent.
    pub(super) fn take(&self, delta: &Delta<'_>) {
        let mut so_far = self.lock();
        let so_far = &mut *so_far;
        match delta {
            Delta::Text(text) => keep(&mut so_far.text, text.inner(), &mut so_far.kept, so_far.most, &mut so_far.cut),
            Delta::Reasoning(text) => {
                keep(&mut so_far.reasoning, text.inner(), &mut so_far.kept, so_far.most, &mut so_far.cut);
            }
            Delta::Refusal(text) => {
                keep(&mut so_far.refusal, text.inner(), &mut so_far.kept, so_far.most, &mut so_far.cut);
            }
            Delta::ToolStart { call, name, .. } if so_far.calls.len() < CALLS => {
                let mut kept = String::new();
                let name = name.map(|name| name.inner()).unwrap_or_default();
                keep(&mut kept, name, &mut so_far.kept, so_far.most, &mut so_far.cut);
                so_far.calls.push((*call, kept, String::new()));
            }
            Delta::Arguments { call, fragment } => {
                if let Some((.., arguments)) = so_far.calls.iter_mut().rfind(|(number, ..)| number == call) {
                    keep(arguments, fragment.inner(), &mut so_far.kept, so_far.most, &mut so_far.cut);
                }
            }
            Delta::Stop(_) => so_far.finished = true,
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, SoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a piece whole, or not at all: half an escape would spoil what is before it.
fn keep(place: &mut String, piece: &str, kept: &mut usize, most: usize, cut: &mut bool) {
    if *cut || piece.len() > most.saturating_sub(*kept) {
        *cut |= !piece.is_empty();
        return;
    }
    place.push_str(piece);
    *kept += piece.len();
}

/// What the inside of a JSON string means; what is no text in it (half a surrogate pair) is shown as `\u{fffd}`.
fn decoded(inner: &str) -> String {
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    crate::unescape(inner)
}

#[cfg(test)]
mod tests {
    use super::super::delta::Literal;
    use super::*;

    fn text(literal: &'static str) -> Delta<'static> {
        Delta::Text(Literal::trusted(literal))
    }

    #[test]
    fn pieces_are_put_together_and_only_then_decoded() {
        let said = Said::new(1_000);
        // A pair of surrogates cut in two, and an escape that stands alone.
        for piece in [r#""Hi \ud83d""#, r#""\ude00, ""#, r#""she said \"no\"\n""#] {
            said.take(&text(piece));
        }
        said.take(&Delta::Reasoning(Literal::trusted(r#""hm""#)));
        said.take(&Delta::ToolStart { call: 1, id: None, name: Some(Literal::trusted(r#""look""#)) });
        said.take(&Delta::Arguments { call: 1, fragment: Literal::trusted(r#""{\"q\":""#) });
        said.take(&Delta::Arguments { call: 1, fragment: Literal::trusted(r#""\"x\"}""#) });
        said.take(&Delta::Arguments { call: 2, fragment: Literal::trusted(r#""of no call""#) });
        let spoken = said.spoken();
        assert_eq!((&*spoken.text, &*spoken.reasoning), ("Hi 😀, she said \"no\"\n", "hm"));
        assert_eq!(spoken.calls, [("look".to_owned(), r#"{"q":"x"}"#.to_owned())]);
        assert!(!spoken.cut && !spoken.finished);
        said.take(&Delta::Stop(crate::Stop::End));
        assert!(said.spoken().finished);
        assert!(!format!("{said:?}").contains("she"), "no content is shown");
    }

    #[test]
    fn no_more_is_kept_than_was_asked_for_and_nothing_after_a_gap() {
        let said = Said::new(5);
        for piece in [r#""abc""#, r#""defg""#, r#""h""#] {
            said.take(&text(piece));
        }
        assert_eq!((said.spoken().text, said.spoken().cut, said.kept()), ("abc".to_owned(), true, 3));
        let stopped = Said::new(100);
        stopped.take(&text(r#""abc""#));
        stopped.stop();
        stopped.clone().take(&text(r#""d""#));
        assert_eq!((stopped.spoken().text, stopped.spoken().cut), ("abc".to_owned(), true));
    }
}
