//! From what a body says to its marks.
//!
//! A message's own mark keeps all that was said; an action's marks leave out what changes at each call. Most texts hold
//! nothing of that kind, and then both are one hash. Only what the history keeps of actions and sketches is stripped.

use std::ops::Range;

use weir_units::{ACTIONS, Action, Addition, History, Mark, SKETCHES, Sketch};

use super::canonical::{characters, long_strings};
use super::conversation::{Call, Conversation, Role, Turn};
use super::cursor::Cursor;
use super::key::Scope;
use super::sketch::sketch;
use super::volatile::{strip, without_digits};

/// A shorter text says too little to be sketched.
const SKETCHED: usize = 200;

/// A string inside JSON that somebody else may be sent has at least as many characters.
const LONG: usize = 24;

/// What is longer is no word from one agent to another, and is not looked for among what others said.
const LISTENED: usize = 16 << 10;

/// An answer of fewer bytes is not looked for in what others are sent: everybody says `ok`.
const SAID: usize = 12;

/// How many texts that were received or produced have marks.
const TEXTS: usize = 16;

/// A tool's name is kept up to this many bytes.
const NAME_BYTES: usize = 256;

/// Buffers for the work.
#[derive(Default)]
pub(super) struct Buffers {
    stripped: Vec<u8>,
    digitless: Vec<u8>,
    json: Vec<u8>,
    /// The marks of the turns' texts, and of the calls' names and arguments, as they stand.
    texts: Vec<Mark>,
    names: Vec<Mark>,
    arguments: Vec<Mark>,
}

/// The marks of one conversation in the making.
pub(super) struct Marks<'a> {
    pub(super) scope: &'a Scope,
    pub(super) conversation: &'a mut Conversation,
    pub(super) buffers: &'a mut Buffers,
    /// The body, for ids of calls.
    pub(super) body: &'a [u8],
}

impl Marks<'_> {
    /// The history that a request carries.
    pub(super) fn history(mut self) -> History {
        let leading = self.conversation.turns.iter().take_while(|turn| turn.role == Role::System).count();
        let root = self.root(leading);
        let turns = leading..self.conversation.turns.len();
        let mut history = History { root, messages: self.messages(turns.clone()), ..History::default() };
        let spoken = |turn: &&Turn| turn.role == Role::Assistant;
        history.turns = count(self.conversation.turns.iter().filter(spoken).count());
        history.tool_calls =
            count(self.conversation.turns.iter().filter(spoken).map(|turn| turn.calls.len()).sum::<usize>());
        self.actions(leading, &mut history);
        history.sketches = self.sketches(leading);
        history.received = self.received(turns);
        history
    }

    /// What an answer adds: its only turn.
    pub(super) fn addition(mut self) -> Option<Addition> {
        let turn = self.conversation.turns.first().filter(|turn| turn.role == Role::Assistant)?.clone();
        let message = *self.messages(0..1).first()?;
        let (mut actions, mut tools) = (Vec::new(), Vec::new());
        self.actions_of(0, 0, 0, &mut actions, &mut tools);
        actions.truncate(ACTIONS);
        let mut produced = Vec::new();
        if turn.text.len() >= SAID {
            produced.push(self.stripped(turn.text.clone(), None));
        }
        for call in turn.calls.clone() {
            self.strings_in(&self.conversation.calls[call].arguments.clone(), &mut produced);
        }
        let useful = !turn.text.is_empty() || !turn.calls.is_empty();
        Some(Addition { message, actions, tools, produced, useful })
    }

    /// The system text without its volatile parts, and the names of the tools.
    fn root(&mut self, leading: usize) -> Mark {
        let Conversation { system, turns, .. } = &*self.conversation;
        let texts: Vec<_> = system.iter().chain(&turns[..leading]).map(|turn| turn.text.clone()).collect();
        let mut root = Mark::default();
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            root = root.then(self.stripped(text, None));
        }
        let Conversation { tools, text, .. } = &mut *self.conversation;
        tools.sort_unstable_by(|a, b| text[a.clone()].cmp(&text[b.clone()]));
        tools.iter().fold(root.then(Mark(1)), |root, name| root.then(self.scope.text(&text[name.clone()])))
    }

    /// The mark of each message by itself.
    fn messages(&mut self, turns: Range<usize>) -> Vec<Mark> {
        let Conversation { text, turns: all, calls, media, .. } = &*self.conversation;
        let exact = |range: &Range<usize>| self.scope.text(&text[range.clone()]);
        let Buffers { texts, names, arguments, .. } = &mut *self.buffers;
        texts.clear();
        names.clear();
        arguments.clear();
        texts.resize(turns.start, Mark::default());
        texts.extend(all[turns.clone()].iter().map(|turn| exact(&turn.text)));
        names.extend(calls.iter().map(|call| exact(&call.name)));
        arguments.extend(calls.iter().map(|call| self.scope.text(given(&text[call.arguments.clone()]))));
        let message = |(turn, spoken): (&Turn, &Mark)| {
            let mut mark = Mark(turn.role as u64 + 1).then(*spoken);
            for place in turn.calls.clone() {
                mark = mark.then(names[place].then(arguments[place]));
            }
            media[turn.media.clone()].iter().fold(mark, |mark, medium| mark.then(Mark(1).then(exact(medium))))
        };
        all[turns.clone()].iter().zip(&texts[turns]).map(message).collect()
    }

    /// Fills in the last actions, and what came of them.
    fn actions(&mut self, leading: usize, history: &mut History) {
        let actions_in = |turn: &Turn| match turn.role {
            Role::Assistant if turn.calls.is_empty() => usize::from(has_words(turn)),
            Role::Assistant => turn.calls.len(),
            _ => 0,
        };
        let turns = &self.conversation.turns[leading..];
        let all: usize = turns.iter().map(actions_in).sum();
        let mut left_out = all.saturating_sub(ACTIONS);
        history.earlier_actions = count(left_out);
        history.actions.reserve(all - left_out);
        // Where the actions of the last turn begin, and whether they are words whose answer may yet come.
        let (mut latest, mut words) = (0, false);
        for place in leading..self.conversation.turns.len() {
            let turn = &self.conversation.turns[place];
            let here = actions_in(turn);
            match turn.role {
                Role::Assistant if here <= left_out && here > 0 => left_out -= here,
                Role::Assistant => {
                    latest = history.actions.len();
                    words = turn.calls.is_empty() && here > 0;
                    let message = place - leading;
                    self.actions_of(
                        place,
                        std::mem::take(&mut left_out),
                        message,
                        &mut history.actions,
                        &mut history.tools,
                    );
                }
                Role::Tool => {
                    if let Some(of) = self.called(place, latest, history) {
                        let (result, error) = self.result(place);
                        history.actions[of].result = Some(result);
                        history.actions[of].error = error;
                    }
                }
                Role::User if words => {
                    let said = self.said(place);
                    if let Some(action) = history.actions.last_mut() {
                        action.result = Some(action.result.map_or(said, |before| before.then(said)));
                    }
                }
                Role::User | Role::System => {}
            }
        }
    }

    /// Appends what the assistant did in one turn, from its call `from` on.
    fn actions_of(
        &mut self,
        place: usize,
        from: usize,
        message: usize,
        actions: &mut Vec<Action>,
        tools: &mut Vec<Box<str>>,
    ) {
        let turn = self.conversation.turns[place].clone();
        let message = count(message);
        if turn.calls.is_empty() && has_words(&turn) {
            let what = self.stripped(turn.text, Some(self.buffers.texts[place]));
            actions.push(Action { message, tool: None, what, result: None, error: None });
        }
        for place in turn.calls.skip(from).take(ACTIONS) {
            let Call { name, arguments, .. } = self.conversation.calls[place].clone();
            let (mark, tool) = (self.buffers.names[place], tool(&self.conversation.text[name], tools));
            let exact = self.buffers.arguments[place];
            let arguments = if arguments.is_empty() { exact } else { self.stripped(arguments, Some(exact)) };
            actions.push(Action { message, tool, what: mark.then(arguments), result: None, error: None });
        }
    }

    /// The action whose result a turn is: by the call's id, first in the latest turn; where one of the two has no id, by order.
    fn called(&self, place: usize, latest: usize, history: &History) -> Option<usize> {
        let turn = &self.conversation.turns[place];
        let id = self.body.get(turn.call_id.clone()).unwrap_or_default();
        let (all, calls) = (history.actions.len(), &self.conversation.calls[..turn.calls.start]);
        let of_call = |call: &Call| self.body.get(call.id.clone()).unwrap_or_default();
        let is_open = |of: usize| history.actions[of].tool.is_some() && history.actions[of].result.is_none();
        // The first calls may have been left out of the actions, so both are counted from the end.
        let of_latest = |of: usize| calls.len().checked_sub(all - of).and_then(|call| calls.get(call)).map(of_call);
        let by_id = || {
            let in_latest = (latest..all).find(|of| is_open(*of) && of_latest(*of) == Some(id));
            in_latest.or_else(|| {
                let called = (0..all).rev().filter(|of| history.actions[*of].tool.is_some());
                calls.iter().rev().zip(called).find(|(call, of)| is_open(*of) && of_call(call) == id).map(|(_, of)| of)
            })
        };
        let by_order = || (latest..all).find(|of| is_open(*of) && (id.is_empty() || of_latest(*of) == Some(b"")));
        if id.is_empty() { by_order() } else { by_id().or_else(by_order) }
    }

    /// A tool's result without its volatile parts; and if it is an error, its text without digits.
    fn result(&mut self, place: usize) -> (Mark, Option<Mark>) {
        let turn = self.conversation.turns[place].clone();
        let failed = turn.error.unwrap_or_else(|| {
            let text = &self.conversation.text[turn.text.clone()];
            turn.json == Some(true) || (!text.starts_with(b"{") && begins_like_an_error(text))
        });
        let result = self.said(place);
        let error = failed.then(|| {
            let Buffers { stripped, digitless, .. } = &mut *self.buffers;
            without_digits(strip(&self.conversation.text[turn.text], stripped), digitless);
            self.scope.text(digitless)
        });
        (result, error)
    }

    /// A turn's text without its volatile parts, and what else it holds as it stands: a picture's bytes look like ids.
    fn said(&mut self, place: usize) -> Mark {
        let Turn { text, media, .. } = self.conversation.turns[place].clone();
        let said = self.stripped(text, Some(self.buffers.texts[place]));
        self.conversation.media[media]
            .iter()
            .fold(said, |said, medium| said.then(self.scope.text(&self.conversation.text[medium.clone()])))
    }

    /// The mark of a text without its volatile parts. `exact` is the mark of all of it, if that is known.
    fn stripped(&mut self, text: Range<usize>, exact: Option<Mark>) -> Mark {
        let text = &self.conversation.text[text];
        let kept = strip(text, &mut self.buffers.stripped);
        match exact {
            Some(exact) if kept.len() == text.len() => exact,
            _ => self.scope.text(kept),
        }
    }

    fn sketches(&mut self, leading: usize) -> Vec<Sketch> {
        let mut sketches = Vec::new();
        for (place, turn) in self.conversation.turns.iter().enumerate().skip(leading).rev() {
            if sketches.len() == SKETCHES {
                break;
            }
            let text = &self.conversation.text[turn.text.clone()];
            if turn.role == Role::Assistant && text.len() >= SKETCHED && characters(text) >= SKETCHED {
                let bits = sketch(strip(text, &mut self.buffers.stripped), self.scope.seed());
                sketches.push(Sketch { message: count(place - leading), bits });
            }
        }
        sketches.reverse();
        sketches
    }

    /// The marks of what came after the assistant's last turn; of much, the latest.
    fn received(&mut self, turns: Range<usize>) -> Vec<Mark> {
        let mut received = Vec::new();
        for place in turns.rev() {
            let Turn { role, text, parts, .. } = self.conversation.turns[place].clone();
            if role == Role::Assistant || received.len() >= TEXTS {
                break;
            }
            if role == Role::System || text.is_empty() || text.len() > LISTENED {
                continue;
            }
            received.push(self.stripped(text.clone(), Some(self.buffers.texts[place])));
            self.strings_in(&text, &mut received);
            if parts.len() > 1 {
                for part in parts.take(TEXTS) {
                    self.part(part, &mut received);
                }
            }
        }
        received.truncate(TEXTS);
        received
    }

    /// The marks of one of several parts, which is taken like a whole text.
    fn part(&mut self, part: usize, marks: &mut Vec<Mark>) {
        let Conversation { text, parts, canonical, rewritten, .. } = &mut *self.conversation;
        let range = parts[part].clone();
        if canonical.of_text(&text[range.clone()], rewritten).is_none() {
            marks.push(self.stripped(range, None));
            return;
        }
        let range = self.conversation.text.len()..self.conversation.text.len() + self.conversation.rewritten.len();
        self.conversation.text.extend_from_slice(&self.conversation.rewritten);
        marks.push(self.stripped(range.clone(), None));
        self.strings_in(&range, marks);
    }

    /// The marks of the long strings in a text that is JSON, or of a whole text that is no JSON in place of arguments.
    fn strings_in(&mut self, range: &Range<usize>, marks: &mut Vec<Mark>) {
        let Buffers { stripped, json, .. } = &mut *self.buffers;
        let text = &self.conversation.text[range.clone()];
        let mut add = |string: &[u8]| {
            if marks.len() < TEXTS {
                marks.push(self.scope.text(strip(string, stripped)));
            }
        };
        match text.first() {
            Some(b'{' | b'[') => long_strings(text, LONG, add),
            Some(b'"') => {
                json.clear();
                let mut cursor = Cursor::new(text);
                if cursor.string_into(json).is_some() && cursor.is_at_end() && characters(json) >= LONG {
                    add(json);
                }
            }
            _ => {}
        }
    }
}

/// Arguments that are missing are none.
fn given(arguments: &[u8]) -> &[u8] {
    if arguments.is_empty() { b"{}" } else { arguments }
}

/// A turn without calls is words, also where these are empty; but not if all there is of it is something else.
fn has_words(turn: &Turn) -> bool {
    !turn.text.is_empty() || turn.media.is_empty()
}

/// The place of the tool `name` in `tools`, where it is put if it is new.
fn tool(name: &[u8], tools: &mut Vec<Box<str>>) -> Option<u16> {
    let name = String::from_utf8_lossy(&name[..name.len().min(NAME_BYTES)]);
    let place = tools.iter().position(|known| **known == *name).unwrap_or_else(|| {
        tools.push(name.into());
        tools.len() - 1
    });
    u16::try_from(place).ok()
}

/// Whether the first word says that something failed: `Error: …`, `ValueError(…)`, `["failed to …`.
fn begins_like_an_error(text: &[u8]) -> bool {
    let begin = text.iter().take_while(|b| b.is_ascii_whitespace() || b"\"'`[{(<*#".contains(b)).count();
    let rest = &text[begin..];
    let word = &rest[..rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')).count()];
    let word = word.strip_suffix(b".").unwrap_or(word);
    let is = |other: &&[u8]| word.eq_ignore_ascii_case(other);
    let ends = |end: &[u8]| word.len() > end.len() && word.ends_with(end);
    let words: [&[u8]; 5] = [b"error", b"exception", b"traceback", b"failed", b"failure"];
    words.iter().any(is) || ends(b"Error") || ends(b"Exception")
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
