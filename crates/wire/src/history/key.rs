//! The installation's key, and the marks that are made with it.

use std::fmt;

use siphasher::sip::{SipHasher13, SipHasher24};
use twox_hash::XxHash3_64;
use weir_units::Mark;

/// From so many bytes on, a text is hashed twice, quickly and then well.
const LONG: usize = 64;

/// The key of an installation: without it no text can be told from its mark.
#[derive(Clone)]
pub struct HistoryKey {
    low: SipHasher24,
    high: SipHasher24,
}

/// What marks are made with for one tenant: equal texts of two tenants have different marks.
#[derive(Clone, Copy)]
pub struct Scope {
    texts: SipHasher13,
    names: SipHasher13,
    seed: u64,
}

impl HistoryKey {
    /// A key of 32 bytes that were drawn by chance.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let half = |from: usize| {
            let mut half = [0; 16];
            half.copy_from_slice(&key[from..from + 16]);
            SipHasher24::new_with_key(&half)
        };
        Self { low: half(0), high: half(16) }
    }

    /// What marks are made with for `tenant`.
    #[must_use]
    pub fn scope(&self, tenant: &str) -> Scope {
        let (low, high) = (self.low.hash(tenant.as_bytes()), self.high.hash(tenant.as_bytes()));
        Scope {
            texts: SipHasher13::new_with_keys(low, high),
            names: SipHasher13::new_with_keys(high, low),
            seed: SipHasher13::new_with_keys(!low, high).hash(b"sketches") | 1,
        }
    }
}

impl Scope {
    /// The mark of an explicit id, or of anything else that has a name: `kind` says what it is an id of.
    #[must_use]
    pub fn name(&self, kind: &str, text: &str) -> Mark {
        Mark(self.names.hash(kind.as_bytes())).then(Mark(self.names.hash(text.as_bytes())))
    }

    /// The mark of a text as it stands. A long one is made short first, by a hash that is quick and seeded.
    pub(super) fn text(&self, text: &[u8]) -> Mark {
        if text.len() < LONG {
            return Mark(self.texts.hash(text));
        }
        let short = XxHash3_64::oneshot_with_seed(self.seed, text);
        Mark(self.texts.hash(&short.to_le_bytes())).then(Mark(text.len() as u64))
    }

    /// What sketches are seeded with.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }
}

impl fmt::Debug for HistoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HistoryKey")
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}
