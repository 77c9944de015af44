//! A text without what changes at each call: times, epoch numbers, UUIDs and ids.
//!
//! An agent that loops often says the same thing with a new time or id in it, and an agent that makes progress says so in
//! other numbers. So only what cannot be progress is taken out. All of it holds a digit, and texts are passed over quickly
//! up to the next one. Runs of blanks become one space, and those at both ends go.

use crate::lanes::{Block, letters_and_digits};

/// The shortest id, and the longest: what is longer is data, which must tell one result from another.
const ID: std::ops::RangeInclusive<usize> = 8..=128;

/// `text` without its volatile parts; put together in `out` if there are any, else `text` itself.
pub(super) fn strip<'a>(text: &'a [u8], out: &'a mut Vec<u8>) -> &'a [u8] {
    out.clear();
    let text = text.trim_ascii();
    // What lies before `kept` has been dealt with.
    let mut kept = 0;
    let mut specials = Specials::of(text);
    while let Some(special) = specials.next() {
        let end = match special {
            Special::Words(start) => words(text, start, &mut kept, out),
            Special::Gap(start) => {
                keep(text, kept, start, out);
                kept = start + text[start..].iter().take_while(|b| is_blank(**b)).count();
                if out.last().is_some_and(|last| *last != b' ') {
                    out.push(b' ');
                }
                kept
            }
        };
        specials.go_on(end);
    }
    if kept == 0 {
        return text;
    }
    keep(text, kept, text.len(), out);
    out.trim_ascii()
}

/// Appends `text` without digits and runs of blanks: what two reports of the same error have in common.
pub(super) fn without_digits(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend(text.iter().filter(|byte| !byte.is_ascii_digit()));
}

/// Looks at the words joined by hyphens that begin at `start`, and leaves out what is volatile; where they end.
fn words(text: &[u8], start: usize, kept: &mut usize, out: &mut Vec<u8>) -> usize {
    let mut at = start;
    loop {
        let length = letters_and_digits(&text[at..]);
        if let Some(end) = volatile(text, at, at + length) {
            keep(text, *kept, at, out);
            // Where it stood between blanks, one of them is enough.
            let blank = out.last().is_none_or(|last| *last == b' ') && text.get(end) == Some(&b' ');
            *kept = end + usize::from(blank);
            at = *kept;
        } else {
            at += length;
        }
        match text.get(at) {
            Some(b'-') => at += 1,
            Some(byte) if byte.is_ascii_alphanumeric() && *kept == at => {}
            _ => return at,
        }
    }
}

/// Where the volatile part ends that begins with the word from `start` to `end`, if there is one.
fn volatile(text: &[u8], start: usize, end: usize) -> Option<usize> {
    match end - start {
        2 => clock(text, start),
        4 => date_and_time(text, start),
        length if ID.contains(&length) => uuid(text, start)
            .or_else(|| date_and_time(text, start))
            .or_else(|| epoch(text, start, end))
            .or_else(|| is_id(text, start, &text[start..end]).then_some(end)),
        _ => None,
    }
}

/// `8-4-4-4-12` hex digits.
fn uuid(text: &[u8], start: usize) -> Option<usize> {
    let candidate = text.get(start..start + 36)?;
    let fits = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let ends = !text.get(start + 36).is_some_and(u8::is_ascii_alphanumeric);
    (ends && candidate.iter().enumerate().all(fits)).then_some(start + 36)
}

/// A date with a time, as in `2026-11-27T14:22:25.123Z`, `2026-11-27 14:22`, `2026-11-27_14-22-25` or `20261127_142225`.
/// A date alone stays: agents work day by day.
fn date_and_time(text: &[u8], start: usize) -> Option<usize> {
    two(text, start).filter(|century| matches!(century, 19 | 20))?;
    two(text, start + 2)?;
    let dashed = text.get(start + 4) == Some(&b'-');
    let (month, day, end) = if dashed { (start + 5, start + 8, start + 10) } else { (start + 4, start + 6, start + 8) };
    if dashed && text.get(start + 7) != Some(&b'-') {
        return None;
    }
    two(text, month).filter(|month| (1..=12).contains(month))?;
    two(text, day).filter(|day| (1..=31).contains(day))?;
    if !matches!(text.get(end)?, b'T' | b't' | b' ' | b'_' | b'-') {
        return None;
    }
    let time = end + 1;
    let (hour, minute) = (two(text, time)?, time + 3);
    let separator = *text.get(time + 2)?;
    if dashed && matches!(separator, b':' | b'-' | b'.') {
        (hour < 24 && two(text, minute)? < 60).then_some(())?;
        let seconds = text.get(minute + 2) == Some(&separator) && two(text, minute + 3).is_some_and(|s| s <= 60);
        return Some(zone(text, if seconds { minute + 5 } else { minute + 2 }));
    }
    // 142225
    (hour < 24 && two(text, time + 2)? < 60 && two(text, time + 4)? <= 60).then_some(())?;
    let ends = !text.get(time + 6).is_some_and(u8::is_ascii_digit);
    ends.then(|| zone(text, time + 6))
}

/// A time of day with seconds, as in `14:22:25`. Behind a colon it is none: places in files are written so.
fn clock(text: &[u8], start: usize) -> Option<usize> {
    let colon = |at: usize| text.get(at) == Some(&b':');
    let behind_colon = start.checked_sub(1).is_some_and(colon);
    (!behind_colon && colon(start + 2) && colon(start + 5)).then_some(())?;
    (two(text, start)? < 24 && two(text, start + 3)? < 60 && two(text, start + 6)? <= 60).then_some(())?;
    let ends = !text.get(start + 8).is_some_and(u8::is_ascii_digit);
    ends.then(|| zone(text, start + 8))
}

/// Where a time ends whose seconds end at `at`: behind their fraction and the zone.
fn zone(text: &[u8], at: usize) -> usize {
    let at = fraction(text, at);
    match text.get(at) {
        Some(b'Z' | b'z') => at + 1,
        Some(b'+' | b'-') if two(text, at + 1).is_some() => match text.get(at + 3) {
            Some(b':') if two(text, at + 4).is_some() => at + 6,
            _ if two(text, at + 3).is_some() => at + 5,
            _ => at,
        },
        _ => at,
    }
}

/// Seconds, milliseconds or microseconds since 1970, between 2001 and 2033. A number's digits behind the point are none.
fn epoch(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let word = &text[start..end];
    let fits = matches!(word.len(), 10 | 13 | 16) && word[0] == b'1' && word.iter().all(u8::is_ascii_digit);
    (fits && !is_fraction(text, start)).then(|| fraction(text, end))
}

fn fraction(text: &[u8], at: usize) -> usize {
    let digits = match text.get(at) {
        Some(b'.' | b',') => text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count(),
        _ => 0,
    };
    if digits == 0 { at } else { at + 1 + digits }
}

fn is_fraction(text: &[u8], start: usize) -> bool {
    start >= 2 && text[start - 1] == b'.' && text[start - 2].is_ascii_digit()
}

/// Whether `word` was made by chance: hex with a digit, or letters and digits mixed, unless it reads like a name with a
/// number in it (`chapter12`, `page3of20`) or like a number with its unit.
fn is_id(text: &[u8], start: usize, word: &[u8]) -> bool {
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits == word.len() {
        return false;
    }
    let bare = word.strip_prefix(b"0x").unwrap_or(word);
    let hex = bare.iter().all(u8::is_ascii_hexdigit);
    let leading = word.iter().take_while(|b| b.is_ascii_digit()).count();
    let unit = &word[leading..];
    let number = leading > 0 && unit.iter().all(u8::is_ascii_alphabetic) && (unit == b"B" || (unit.len() <= 3 && !hex));
    // 1.2345678e-05
    let exponent = is_fraction(text, start)
        && matches!(unit.split_first(), Some((b'e' | b'E', rest)) if rest.iter().all(u8::is_ascii_digit));
    !number && !exponent && (hex || !is_name(word))
}

/// Up to four groups of letters and digits in turn. Each group of letters can be spoken and is written like a word, and each
/// group of digits is too short for an epoch.
fn is_name(word: &[u8]) -> bool {
    let alike = |a: &u8, b: &u8| a.is_ascii_digit() == b.is_ascii_digit();
    let mut groups = word.chunk_by(alike);
    let all = groups.by_ref().take(4).all(|group| {
        if group[0].is_ascii_digit() {
            return group.len() <= 8;
        }
        let vowel = |b: &u8| matches!(b.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
        let odd_case = group.windows(2).enumerate().any(|(at, pair)| {
            let hump = pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
            hump && !group[at + 2..].first().is_some_and(u8::is_ascii_lowercase)
        });
        (group.len() >= 3 || group.eq_ignore_ascii_case(b"of")) && group.iter().any(vowel) && !odd_case
    });
    all && groups.next().is_none()
}

/// The number that two digits at `at` make.
fn two(text: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| text.get(at).filter(|b| b.is_ascii_digit()).map(|b| b - b'0');
    Some(digit(at)? * 10 + digit(at + 1)?)
}

fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

fn keep(text: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(text.get(from..to).unwrap_or_default());
}

/// What has to be looked at closely.
enum Special {
    /// Words joined by hyphens, with a digit in them, which begin here.
    Words(usize),
    /// Several blanks, which begin here.
    Gap(usize),
}

/// Finds what is special in a text. Most words with a digit are too short to be volatile, and are passed over here.
struct Specials<'a> {
    text: &'a [u8],
    /// What lies before has been looked at.
    at: usize,
    block: Block,
    block_at: usize,
    /// Where the next block begins.
    next_at: usize,
    /// Digits and gaps of the block that have not been looked at.
    left: u64,
}

impl<'a> Specials<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, block: Block::default(), block_at: 0, next_at: 0, left: 0 }
    }

    /// Goes on at `at`, behind what was found last.
    fn go_on(&mut self, at: usize) {
        self.at = at;
        match at - self.block_at {
            place @ ..64 => self.left &= u64::MAX << place,
            _ => (self.left, self.next_at) = (0, at),
        }
    }

    fn next(&mut self) -> Option<Special> {
        loop {
            while self.left != 0 {
                let place = self.left.trailing_zeros();
                let found = self.block_at + place as usize;
                if self.block.gaps >> place & 1 == 1 {
                    return Some(Special::Gap(found));
                }
                // Where the words begin and end, if they do so within this block.
                let (before, behind) = (!self.block.words & ((1 << place) - 1), !self.block.words >> place);
                if before == 0 || behind == 0 {
                    let before = self.text[self.at..found].iter().rev();
                    return Some(Special::Words(
                        found - before.take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count(),
                    ));
                }
                let (first, end) = (64 - before.leading_zeros(), place + behind.trailing_zeros());
                // What is short and volatile is a time of day alone: two digits, a colon, two digits, a colon.
                let colon = |place: u32| self.text.get(self.block_at + place as usize) == Some(&b':');
                if (end - first) as usize >= *ID.start() || (colon(end) && colon(end + 3)) {
                    return Some(Special::Words((self.block_at + first as usize).max(self.at)));
                }
                self.left &= u64::MAX << end;
            }
            if self.next_at >= self.text.len() {
                return None;
            }
            self.block_at = self.next_at;
            self.next_at += 64;
            self.block = Block::at(self.text, self.block_at);
            self.left = self.block.digits | self.block.gaps;
        }
    }
}
