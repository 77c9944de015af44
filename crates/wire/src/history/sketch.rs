//! A sketch of a text: 64 bits of which similar texts share most.
//!
//! SimHash (Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002) over shingles of three words.
//! Each bit is the majority of that bit over the hashes of all shingles. The 64 counts are kept as planes of bits, so that a
//! shingle is added to all of them at once.

/// Only the beginning of a long text is sketched.
const MOST: usize = 64 << 10;

/// Enough planes for as many shingles as [`MOST`] bytes can hold.
const PLANES: usize = 17;

/// What words are made of, in lower case: letters and digits, and all that is not ASCII. 0 is what stands between words.
const LETTERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte >= 0x80 || (byte as u8).is_ascii_alphanumeric() {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// The sketch of `text`, which is taken in lower case; equal seeds make sketches comparable.
pub(super) fn sketch(text: &[u8], seed: u64) -> u64 {
    let mut planes = [0_u64; PLANES];
    let mut shingles = 0_u32;
    let mut last = [seed; 2];
    let mut add = |word: u64| {
        let shingle = mix(mix(last[0].rotate_left(7) ^ last[1]) ^ word);
        last = [last[1], word];
        shingles += 1;
        let mut carry = shingle;
        for plane in &mut planes {
            (*plane, carry) = (*plane ^ carry, *plane & carry);
            if carry == 0 {
                break;
            }
        }
    };
    let mut word = seed;
    for byte in &text[..text.len().min(MOST)] {
        let letter = LETTERS[usize::from(*byte)];
        // Scripts without blanks are taken character by character.
        if (letter == 0 || (0xE3..0xEE).contains(&letter)) && word != seed {
            add(word);
            word = seed;
        }
        if letter != 0 {
            word = (word ^ u64::from(letter)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
    }
    if word != seed {
        add(word);
    }
    majority(&planes, shingles / 2)
}

/// The bits whose count is more than `half`: compared from the highest plane down, in all 64 counts at once.
fn majority(planes: &[u64; PLANES], half: u32) -> u64 {
    let (mut more, mut equal) = (0, u64::MAX);
    for (place, plane) in planes.iter().enumerate().rev() {
        if half >> place & 1 == 1 {
            equal &= plane;
        } else {
            more |= equal & plane;
            equal &= !plane;
        }
    }
    more
}

/// The finaliser of MurmurHash3.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ (x >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    x ^ (x >> 33)
}
