//! A run: one agent run or conversation with all that branched off it.

use std::sync::Arc;

use weir_units::Mark;

use super::account::Account;

#[derive(Debug)]
pub(super) struct Run {
    pub(super) tenant: u32,
    pub(super) name: Arc<str>,
    /// Who started it.
    pub(super) parent: Option<Arc<str>>,
    pub(super) depth: u32,
    /// The client names it, its session or its conversation: it is capped, slowed and halted as a whole. Of any other, each
    /// conversation is on its own.
    pub(super) whole: bool,
    /// All its conversations together.
    pub(super) account: Account,
    pub(super) next_number: u32,
    /// What it was last reckoned to take beside its own size.
    pub(super) weight: u32,
    /// How many messages its longest history had when it was released last: a further conversation that begins with as many is
    /// taken to repeat them. 0 if it never was.
    pub(super) forgiven: u32,
}

impl Run {
    pub(super) fn heap_bytes(&self) -> usize {
        let name = |name: &Arc<str>| (name.len() + 24).next_multiple_of(16);
        name(&self.name) + self.parent.as_ref().map_or(0, name) + self.account.heap_bytes()
    }
}

/// A new name: `run_` and sixteen letters of eighty random bits.
pub(super) fn made_name(draw: u128) -> Arc<str> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut name = *b"run_                ";
    for (letter, place) in name[4..].iter_mut().zip(0_u32..) {
        *letter = LETTERS[(draw >> (5 * place)) as usize % 32];
    }
    String::from_utf8_lossy(&name).into()
}

/// What a made name was made of; none if it is no such name.
pub(super) fn draw_of(name: &str) -> Option<u128> {
    let letters = name.strip_prefix("run_").filter(|letters| letters.len() == 16)?;
    letters.bytes().zip(0..).try_fold(0, |draw, (letter, place)| {
        let value = match letter {
            b'a'..=b'z' => letter - b'a',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        Some(draw | u128::from(value) << (5 * place))
    })
}

/// Marks in order, as one.
pub(super) fn fold(marks: &[Mark]) -> Mark {
    marks.iter().copied().fold(Mark(0), Mark::then)
}
