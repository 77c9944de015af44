//! Virtual keys: how they are made, kept and told apart.
//!
//! A generated key has 256 random bits, so one round of SHA-256 is enough to keep it by: there is nothing to guess.
//! Keys are looked up by their hash, so no comparison of secrets leaks its time.

use std::collections::BTreeSet;
use std::sync::Arc;

use ring::digest;
use weir_engine::Priority;
use weir_units::Limits;

use crate::{CapturePart, GuardsPart, Secret};

/// The 64 characters of base64url (RFC 4648, section 5).
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The hash of a key that is not set where nobody needs it: no text is known to have it.
pub(crate) const UNSET: [u8; 32] = [0; 32];

/// What a client authenticates with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name in pages, facts and metrics.
    pub name: Arc<str>,
    /// SHA-256 of the key's text.
    pub hash: [u8; 32],
    /// Who it belongs to; `default` where the config does not say.
    pub tenant: Arc<str>,
    /// The names it may send as `model`; `None` is all.
    pub routes: Option<BTreeSet<Arc<str>>>,
    /// The budgets that its requests are paid from, beside its tenant's.
    pub budgets: Vec<Arc<str>>,
    /// The output limit given to a request that sets none.
    pub max_tokens_default: Option<u64>,
    /// The class of its requests, and the highest that they may ask for.
    pub priority: Priority,
    /// Its own ceilings.
    pub limits: Limits,
    /// Its own guards on agent runs.
    pub guards: GuardsPart,
    /// What is kept of its prompts and answers.
    pub capture: CapturePart,
}

/// Whether `key` may ask for `name`, which is compared as the client said it.
///
/// A key with `routes` may use nothing else, so `provider/model` is open only to a key without.
#[must_use]
pub fn may_use(key: &Key, name: &str) -> bool {
    key.routes.as_ref().is_none_or(|routes| routes.contains(name))
}

/// A new key's text, `weir_` and 43 characters of base64url, from 256 random bits.
#[must_use]
pub fn generate_key(random: [u8; 32]) -> String {
    let mut text = String::with_capacity(48);
    text.push_str("weir_");
    for group in random.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            let index = bits >> (18 - 6 * place) & 63;
            text.push(char::from(BASE64URL[index as usize]));
        }
    }
    text
}

/// Whether a text has the form of a [generated](generate_key) key.
#[must_use]
pub fn is_made(text: &str) -> bool {
    let random = text.strip_prefix("weir_");
    random.is_some_and(|random| random.len() == 43 && random.bytes().all(|byte| BASE64URL.contains(&byte)))
}

/// What a key is stored and looked up by: SHA-256 of its text.
#[must_use]
pub fn hash_key(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// The hash of a key that the configuration refers to.
pub(crate) fn hash_secret(key: &Secret) -> [u8; 32] {
    if key.is_set() { hash_key(key.expose()) } else { UNSET }
}

/// A hash as `key-hash` takes it: 64 lower-case hexadecimal digits.
#[must_use]
pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads what [`hex`] writes, in either case.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_carries_every_bit() {
        assert_eq!(generate_key([0; 32]), format!("weir_{}", "A".repeat(43)));
        assert_eq!(generate_key([0xFF; 32]), format!("weir_{}8", "_".repeat(42)));
        let counting: Vec<u8> = (0..32).collect();
        // Python: base64.urlsafe_b64encode(bytes(range(32)))
        let text = generate_key(counting.try_into().unwrap());
        assert_eq!(text, "weir_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        assert!(is_made(&text) && is_made(&generate_key([0xFF; 32])));
        for other in ["weir_bot", &text[5..], &format!("{text}A"), &text.replace('Q', "+"), ""] {
            assert!(!is_made(other), "{other}");
        }
    }

    #[test]
    fn a_hash_is_sha_256_and_survives_its_hex() {
        // FIPS 180-2, appendix B.1.
        let hash = hash_key("abc");
        assert_eq!(hex(&hash), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(from_hex(&hex(&hash).to_uppercase()), Some(hash));
        assert_eq!(from_hex("ba78"), None);
        assert_eq!(from_hex(&"g".repeat(64)), None);
        assert_eq!(from_hex(&"é".repeat(32)), None);
    }

    #[test]
    fn a_key_with_routes_may_use_nothing_else() {
        let mut key = Key {
            name: "bot".into(),
            hash: [0; 32],
            tenant: "default".into(),
            routes: Some(BTreeSet::from(["smart".into()])),
            budgets: Vec::new(),
            max_tokens_default: None,
            priority: Priority::Interactive,
            limits: Limits::NONE,
            guards: GuardsPart::default(),
            capture: CapturePart::default(),
        };
        assert!(may_use(&key, "smart"));
        assert!(!may_use(&key, "openai/gpt-5.2") && !may_use(&key, "Smart") && !may_use(&key, ""));
        key.routes = None;
        assert!(may_use(&key, "openai/gpt-5.2"));
    }
}
