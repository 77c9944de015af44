//! What a body's bytes look like to a tokenizer, counted in one pass.
//!
//! Tokenizers first cut text into words, numbers, runs of signs and of white space, and then mostly keep what is common. So a
//! small machine walks over the bytes as such a cutter would, and counts how often it was in each state: at a word's first
//! letter, at its eighth, at a number's fourth digit, at a letter of a script. It knows JSON's escapes; it does not know
//! where a string begins, nor need to. It steps by table, without a branch, and walks four parts of the body abreast: a step
//! must wait for the one before it, and a processor has room for four.

/// How many states the machine has room for.
const STATES: usize = 128;
const CLASSES: usize = 64;

// Classes of bytes. Digits are told apart since after `\u` they name the script.
const VOWEL: u8 = 0;
const CONSONANT: u8 = 1;
/// `n`, `r`, `t`: a control character after a backslash.
const NRT: u8 = 2;
const U: u8 = 3;
const F: u8 = 4;
const UPPER: u8 = 5;
const ZERO: u8 = 6;
const NINE: u8 = ZERO + 9;
const BLANK: u8 = 16;
const LINE: u8 = 17;
const BACKSLASH: u8 = 18;
const QUOTE: u8 = 19;
const BRACE: u8 = 20;
const COMMA: u8 = 21;
const SIGN: u8 = 22;
const CONTINUED: u8 = 23;
/// As in the second byte of Thai.
const CONTINUED_HIGH: u8 = 24;
/// The first byte of a character of a script.
const LEAD: u8 = 25;

// Scripts; what is rare is put with what is alike.
const WEST: u8 = 0;
const EAST: u8 = 1;
const VIETNAMESE: u8 = 2;
const GREEK: u8 = 3;
const CYRILLIC: u8 = 4;
const HEBREW: u8 = 5;
const ARABIC: u8 = 6;
const INDIC: u8 = 7;
const THAI: u8 = 8;
const WIDE_SIGN: u8 = 9;
const KANA: u8 = 10;
const HAN: u8 = 11;
const HANGUL: u8 = 12;
const EMOJI: u8 = 13;
const SCRIPTS: u8 = 14;

// States.
const OTHER: u8 = 0;
const SPACE: u8 = 1;
const SPACES: u8 = 2;
const NEWLINE: u8 = 3;
const NEWLINES: u8 = 4;
const ESCAPE: u8 = 5;
const ESCAPE_IN_RUN: u8 = 6;
/// Quotes, braces, commas and colons, other signs, escaped signs: each the first of a run, or a further one.
const RUNS: u8 = 7;
/// The first, second and third digit of a group.
const DIGITS: u8 = RUNS + 10;
/// A letter's place in its word, twice: consonants and vowels.
const WORD: u8 = DIGITS + 3;
const PLACES: u8 = 10;
const CAPITAL: u8 = WORD + 2 * PLACES;
/// A capital after a capital.
const CAPITALS: u8 = CAPITAL + 1;
/// A capital after a small letter.
const HUMP: u8 = CAPITAL + 2;
/// A letter after a digit, as in names made by machines.
const MIXED: u8 = CAPITAL + 3;
/// Within a character of several bytes, in Latin words and elsewhere.
const REST_LATIN: u8 = CAPITAL + 4;
const REST: u8 = CAPITAL + 5;
const SCRIPT: u8 = CAPITAL + 6;
/// `\u`, its first digit where that is 0, and its later ones.
const UNICODE: u8 = SCRIPT + SCRIPTS;
const UNICODE_0: u8 = UNICODE + 1;
const HEX_2: u8 = UNICODE + 2;
const HEX_3: u8 = UNICODE + 3;
/// Where an escaped character's digits have told its script.
const ESCAPED: u8 = UNICODE + 4;
/// A backslash after the end of a line.
const ESCAPE_IN_LINES: u8 = ESCAPED + SCRIPTS;
const END: u8 = ESCAPE_IN_LINES + 1;
const _: () = assert!((END as usize) <= STATES);

const CLASS: [u8; 256] = classes();
const NEXT: [u8; STATES * CLASSES] = steps();

/// What is counted in: 1 for the body itself, and visits of states that are taken together.
pub(super) const FEATURES: usize = 44;
pub(super) type Features = [f32; FEATURES];
const FEATURE: [u8; STATES] = features();
const NO_FEATURE: u8 = FEATURES as u8;

/// What each feature is worth in tokens before anything was learned: fitted to 2,700 requests of the kinds of
/// `tests/token_estimates.rs`, by the vocabularies `o200k_base` and `cl100k_base` (2026). White space weighs as much as the word
/// that it begins; quotes weigh less than nothing since they stand at names of members, which are counted
/// here and not by a provider.
pub(super) const PRIOR: Features = [
    -0.24, // the body
    0.98, 0.09, 1.09, 0.56, // blanks and lines
    -0.58, 0.10, 0.20, -0.12, 1.05, 0.83, 0.48, 1.25, 0.82, 0.17, // runs of signs
    1.01, 0.42, -0.12, // digits
    0.06, -0.03, -0.05, -0.07, 0.11, 0.31, 0.10, 0.42, // small letters by their place in a word
    0.15, -0.16, 0.66, 0.48, // capitals, and letters after digits
    0.76, 1.54, 0.30, 0.36, 0.20, 0.25, 0.24, 0.19, 0.33, 0.56, 0.81, 0.83, 0.53, 2.00, // scripts
];

/// The counts of one or several texts.
pub(super) struct Walk {
    /// How often each state was entered, in each of the four parts.
    visits: [[u32; STATES]; 4],
    bytes: usize,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self { visits: [[0; STATES]; 4], bytes: 0 }
    }

    /// Walks over the whole of `text`.
    pub(super) fn over(&mut self, text: &[u8]) {
        let part = text.len() / 4;
        let (first, rest) = text.split_at(part);
        let (second, rest) = rest.split_at(part);
        let (third, rest) = rest.split_at(part);
        let (fourth, tail) = rest.split_at(part);
        let state = self.abreast([first, second, third, fourth]);
        tail.iter().fold(state, |state, byte| enter(state, *byte, &mut self.visits[3]));
        self.bytes += text.len();
    }

    /// Walks over a chunk of this size out of every `stride` bytes of `text`.
    pub(super) fn over_samples(&mut self, text: &[u8], chunk: usize, stride: usize) {
        for group in text.chunks_exact(4 * stride) {
            self.abreast([0, 1, 2, 3].map(|at| &group[at * stride..at * stride + chunk]));
            self.bytes += 4 * chunk;
        }
    }

    /// Four texts of one length at a time; the state in which the last one ended.
    fn abreast(&mut self, texts: [&[u8]; 4]) -> u8 {
        let [first, second, third, fourth] = texts;
        let [a, b, c, d] = &mut self.visits;
        let (mut w, mut x, mut y, mut z) = (OTHER, OTHER, OTHER, OTHER);
        for (((one, two), three), four) in first.iter().zip(second).zip(third).zip(fourth) {
            w = enter(w, *one, a);
            x = enter(x, *two, b);
            y = enter(y, *three, c);
            z = enter(z, *four, d);
        }
        z
    }

    /// The counts, scaled to a text of `bytes`.
    pub(super) fn features(&self, bytes: usize) -> Features {
        let mut counts = [0_u32; FEATURES + 1];
        for (state, feature) in FEATURE.iter().enumerate() {
            let [a, b, c, d] = &self.visits;
            counts[usize::from(*feature)] += a[state] + b[state] + c[state] + d[state];
        }
        let scale = if self.bytes == 0 { 0.0 } else { bytes as f32 / self.bytes as f32 };
        let mut features = [1.0; FEATURES];
        for (feature, count) in features.iter_mut().zip(counts).skip(1) {
            *feature = count as f32 * scale;
        }
        features
    }
}

fn enter(state: u8, byte: u8, visits: &mut [u32; STATES]) -> u8 {
    let class = usize::from(CLASS[usize::from(byte)]);
    // The remainders change nothing, and spare the checks of bounds.
    let next = NEXT[usize::from(state) % STATES * CLASSES + class % CLASSES];
    visits[usize::from(next) % STATES] += 1;
    next
}

const fn features() -> [u8; STATES] {
    let mut table = [NO_FEATURE; STATES];
    let mut state = 0;
    while state < STATES {
        let at = state as u8;
        table[state] = match at {
            SPACE..=NEWLINES => at,
            RUNS..WORD => at - RUNS + 5,
            WORD..CAPITAL => {
                let (place, vowel) = ((at - WORD) / 2, (at - WORD) % 2);
                let group = match place {
                    0 => 0,
                    1..=3 => 1,
                    4..=6 => 2,
                    _ => 3,
                };
                18 + 2 * group + vowel
            }
            CAPITAL..=MIXED => at - CAPITAL + 26,
            SCRIPT..UNICODE => at - SCRIPT + 30,
            ESCAPED..ESCAPE_IN_LINES => at - ESCAPED + 30,
            _ => NO_FEATURE,
        };
        state += 1;
    }
    table
}

const fn classes() -> [u8; 256] {
    let mut table = [SIGN; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a' | b'e' | b'i' | b'o' | b'y' => VOWEL,
            b'u' => U,
            b'f' => F,
            b'n' | b'r' | b't' => NRT,
            b'a'..=b'z' => CONSONANT,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => ZERO + (byte as u8 - b'0'),
            b' ' => BLANK,
            0..=31 => LINE,
            b'\\' => BACKSLASH,
            b'"' => QUOTE,
            b'{' | b'}' | b'[' | b']' => BRACE,
            b',' | b':' => COMMA,
            0x80..=0xAF => CONTINUED,
            0xB0..=0xBF => CONTINUED_HIGH,
            0xC0..=0xC3 => LEAD + WEST,
            0xC4..=0xCC => LEAD + EAST,
            0xCD..=0xCF => LEAD + GREEK,
            0xD0..=0xD4 => LEAD + CYRILLIC,
            0xD5..=0xD7 => LEAD + HEBREW,
            0xD8..=0xDF => LEAD + ARABIC,
            0xE0 => LEAD + INDIC,
            0xE1 => LEAD + VIETNAMESE,
            0xE2 | 0xEE | 0xEF => LEAD + WIDE_SIGN,
            0xE3 => LEAD + KANA,
            0xE4..=0xE9 => LEAD + HAN,
            0xEA..=0xED => LEAD + HANGUL,
            0xF0..=0xFF => LEAD + EMOJI,
            _ => SIGN,
        };
        byte += 1;
    }
    table
}

const fn steps() -> [u8; STATES * CLASSES] {
    let mut table = [OTHER; STATES * CLASSES];
    let mut state = 0;
    while state < STATES {
        let mut class = 0;
        while class < CLASSES {
            table[state * CLASSES + class] = step(state as u8, class as u8);
            class += 1;
        }
        state += 1;
    }
    table
}

const fn step(state: u8, class: u8) -> u8 {
    let in_run = state >= RUNS && state < DIGITS;
    match state {
        // In escapes a letter is none.
        ESCAPE | ESCAPE_IN_RUN | ESCAPE_IN_LINES => match class {
            NRT if state == ESCAPE_IN_LINES => NEWLINES,
            NRT => NEWLINE,
            U => UNICODE,
            _ => RUNS + 8 + (state == ESCAPE_IN_RUN) as u8,
        },
        UNICODE | UNICODE_0 => unicode(state, class),
        HEX_2 => HEX_3,
        HEX_3 => REST_LATIN,
        // Told by the second digit, or by the first.
        ESCAPED..ESCAPE_IN_LINES if state - ESCAPED < WIDE_SIGN && state - ESCAPED != VIETNAMESE => HEX_3,
        ESCAPED..ESCAPE_IN_LINES => HEX_2,
        _ => match class {
            VOWEL | U => letter(state, 1),
            CONSONANT | NRT | F => letter(state, 0),
            UPPER => match state {
                CAPITAL | CAPITALS | HUMP => CAPITALS,
                DIGITS..WORD | MIXED => MIXED,
                WORD..CAPITAL => HUMP,
                _ => CAPITAL,
            },
            ZERO..=NINE => match state {
                DIGITS => DIGITS + 1,
                _ if state == DIGITS + 1 => DIGITS + 2,
                _ => DIGITS,
            },
            BLANK if matches!(state, SPACE | SPACES | NEWLINE | NEWLINES) => SPACES,
            BLANK => SPACE,
            LINE if matches!(state, NEWLINE | NEWLINES) => NEWLINES,
            LINE => NEWLINE,
            BACKSLASH if in_run => ESCAPE_IN_RUN,
            BACKSLASH if matches!(state, NEWLINE | NEWLINES) => ESCAPE_IN_LINES,
            BACKSLASH => ESCAPE,
            QUOTE..=SIGN => RUNS + 2 * (class - QUOTE) + in_run as u8,
            CONTINUED_HIGH if state == SCRIPT + INDIC => SCRIPT + THAI,
            CONTINUED | CONTINUED_HIGH => match state {
                REST_LATIN => REST_LATIN,
                _ if state >= SCRIPT && state <= SCRIPT + VIETNAMESE => REST_LATIN,
                _ => REST,
            },
            _ if class >= LEAD && class < LEAD + SCRIPTS => SCRIPT + (class - LEAD),
            _ => OTHER,
        },
    }
}

/// The script of an escaped character, by its first digit or, after a 0, by its second.
const fn unicode(state: u8, class: u8) -> u8 {
    let digit = if class >= ZERO && class <= NINE { class - ZERO } else { 10 };
    let script = match (state, digit) {
        (UNICODE, 0) => return UNICODE_0,
        (UNICODE, 1) => VIETNAMESE,
        (UNICODE, 2) => WIDE_SIGN,
        (UNICODE, 3) => KANA,
        (UNICODE, 4..=9) => HAN,
        (UNICODE, _) if class == F => WIDE_SIGN,
        (UNICODE, _) => HANGUL,
        (_, 0) => WEST,
        (_, 1 | 2) => EAST,
        (_, 3) => GREEK,
        (_, 4) => CYRILLIC,
        (_, 5) => HEBREW,
        (_, 6..=8) => ARABIC,
        (_, _) if class == VOWEL => THAI,
        _ => INDIC,
    };
    ESCAPED + script
}

const fn letter(state: u8, vowel: u8) -> u8 {
    let place = match state {
        WORD..CAPITAL => {
            let next = (state - WORD) / 2 + 1;
            if next < PLACES { next } else { PLACES - 1 }
        }
        CAPITAL | HUMP => 1,
        CAPITALS => 2,
        REST_LATIN => 3,
        DIGITS..WORD | MIXED => return MIXED,
        _ => 0,
    };
    WORD + 2 * place + vowel
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks in one part, and says which states were entered.
    fn states(text: &str) -> Vec<u8> {
        let mut state = OTHER;
        let mut visits = [0; STATES];
        text.bytes()
            .map(|byte| {
                state = enter(state, byte, &mut visits);
                state
            })
            .collect()
    }

    #[test]
    fn words_numbers_and_signs_are_cut_as_tokenizers_cut_them() {
        assert_eq!(states("xaB"), [WORD, WORD + 3, HUMP]);
        assert_eq!(states("ABC"), [CAPITAL, CAPITALS, CAPITALS]);
        assert_eq!(states("1234"), [DIGITS, DIGITS + 1, DIGITS + 2, DIGITS]);
        assert_eq!(states("1e"), [DIGITS, MIXED]);
        assert_eq!(states("  \n"), [SPACE, SPACES, NEWLINE]);
        assert_eq!(states(r"\n\n"), [ESCAPE, NEWLINE, ESCAPE_IN_LINES, NEWLINES]);
        assert_eq!(states("\":\""), [RUNS, RUNS + 5, RUNS + 1]);
        assert_eq!(states(r#"x\n\""#), [WORD, ESCAPE, NEWLINE, ESCAPE_IN_LINES, RUNS + 8]);
        assert_eq!(states(&"b".repeat(12))[11], WORD + 2 * (PLACES - 1), "a long word stays at its last place");
    }

    #[test]
    fn a_character_counts_once_for_its_script_raw_or_escaped() {
        for (raw, escaped, script) in [
            ("é", r"\u00e9", WEST),
            ("ł", r"\u0142", EAST),
            ("ạ", r"\u1ea1", VIETNAMESE),
            ("λ", r"\u03bb", GREEK),
            ("ж", r"\u0436", CYRILLIC),
            ("ש", r"\u05e9", HEBREW),
            ("ع", r"\u0639", ARABIC),
            ("त", r"\u0924", INDIC),
            ("—", r"\u2014", WIDE_SIGN),
            ("の", r"\u306e", KANA),
            ("你", r"\u4f60", HAN),
            ("안", r"\uc548", HANGUL),
        ] {
            for text in [raw, escaped] {
                let mut walk = Walk::new();
                walk.over_samples(&[text.as_bytes(); 4].concat(), text.len(), text.len());
                let features = walk.features(4 * text.len());
                assert_eq!(features[30 + usize::from(script)], 4.0, "{text}");
                assert_eq!(features[30..].iter().sum::<f32>(), 4.0, "{text}");
                assert_eq!(features[18..30].iter().sum::<f32>(), 0.0, "{text} holds no letter and no digit of ASCII");
            }
        }
    }

    #[test]
    fn samples_stand_for_the_whole() {
        let text = "Some words, 12 of them. ".repeat(4_000);
        let (mut whole, mut sampled) = (Walk::new(), Walk::new());
        whole.over(text.as_bytes());
        sampled.over_samples(text.as_bytes(), 512, 1_500);
        for (one, other) in whole.features(text.len()).iter().zip(sampled.features(text.len())) {
            assert!((one - other).abs() <= 0.03 * one + 200.0, "{one} {other}");
        }
    }
}
