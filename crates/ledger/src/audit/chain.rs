//! The chain itself: what is hashed, how a row is added, and how rows are checked. Pure.
//!
//! A row's hash is the SHA-256 of these bytes, one after the other: the text `weir-audit-1`; the 32 bytes of the hash of the
//! row before, zeros for the first; the sequence and the time in milliseconds, 8 bytes each, the highest first; and `who`,
//! `role`, `from`, `action`, `what` and `outcome`, each as its length in 4 bytes, the highest first, and its UTF-8.

use ring::digest::{Context, SHA256};

use super::{AuditEntry, AuditRecord};

/// Begins what is hashed, so that no other hash of Weir's can be taken for one of these.
const DOMAIN: &[u8] = b"weir-audit-1";

/// The end of the chain: the newest row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Its place; 0 if there is no row yet.
    pub sequence: u64,
    /// Its hash in hexadecimal; zeros if there is none.
    pub hash: String,
}

impl Default for AuditHead {
    /// The head of a log in which nothing is.
    fn default() -> Self {
        Self { sequence: 0, hash: "0".repeat(64) }
    }
}

impl AuditHead {
    /// The row that follows.
    #[must_use]
    pub(crate) fn link(&self, entry: AuditEntry) -> AuditRecord {
        let entry = entry.storable();
        let sequence = self.sequence + 1;
        let hash = hash(&self.hash, sequence, &entry);
        AuditRecord { sequence, entry, previous: self.hash.clone(), hash }
    }
}

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditBreak {
    /// Rows are missing, or stand in another order.
    #[error("row {found} follows where row {expected} should: rows are missing, or stand in another order")]
    Missing {
        /// The row that should come.
        expected: u64,
        /// The row that came.
        found: u64,
    },
    /// The row is not what it was when it was written.
    #[error("row {sequence} does not have the hash of what it says: it was changed")]
    Changed {
        /// The row.
        sequence: u64,
    },
    /// The row was written after another one than the one that stands before it.
    #[error("row {sequence} does not follow the row before it: that one was replaced")]
    Unlinked {
        /// The row.
        sequence: u64,
    },
}

/// Checks rows one by one, from the first.
#[derive(Clone, Debug, Default)]
pub struct AuditChain {
    head: AuditHead,
    sought: Option<String>,
    found: Option<u64>,
}

impl AuditChain {
    /// Also looks for a head that was told at some time, by its hash in hexadecimal.
    #[must_use]
    pub fn seeking(head: &str) -> Self {
        let mut chain = Self { sought: Some(head.to_ascii_lowercase()), ..Self::default() };
        chain.look();
        chain
    }

    /// The row that has the hash which is sought, among those that were found right.
    #[must_use]
    pub fn found(&self) -> Option<u64> {
        self.found
    }

    fn look(&mut self) {
        if self.sought.as_deref() == Some(&self.head.hash) {
            self.found = Some(self.head.sequence);
        }
    }

    /// The newest row that was found right.
    #[must_use]
    pub fn head(&self) -> &AuditHead {
        &self.head
    }

    /// Checks the next row.
    ///
    /// # Errors
    /// When the chain is broken there; no later row can be said to be right then.
    pub fn check(&mut self, record: &AuditRecord) -> Result<(), AuditBreak> {
        let (expected, found) = (self.head.sequence + 1, record.sequence);
        if found != expected {
            return Err(AuditBreak::Missing { expected, found });
        }
        if record.hash != hash(&record.previous, found, &record.entry) {
            return Err(AuditBreak::Changed { sequence: found });
        }
        if record.previous != self.head.hash {
            return Err(AuditBreak::Unlinked { sequence: found });
        }
        self.head = AuditHead { sequence: found, hash: record.hash.clone() };
        self.look();
        Ok(())
    }
}

fn hash(previous: &str, sequence: u64, entry: &AuditEntry) -> String {
    let mut hashed = Context::new(&SHA256);
    hashed.update(DOMAIN);
    hashed.update(&bytes(previous));
    hashed.update(&sequence.to_be_bytes());
    hashed.update(&entry.at.millis().to_be_bytes());
    for text in [&entry.who, &entry.role, &entry.from, &entry.action, &entry.what, &entry.outcome] {
        hashed.update(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        hashed.update(text.as_bytes());
    }
    hashed.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a hash; of what is none, its text, which no hash is made from.
fn bytes(hash: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = hash.as_bytes().chunks(2);
    let read: Option<Vec<u8>> = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect();
    read.filter(|read| read.len() == 32).unwrap_or_else(|| hash.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_units::WallTime;

    use super::*;

    fn entry(n: i64) -> AuditEntry {
        AuditEntry {
            at: WallTime(1_795_013_223_114_000 + n * 1_000),
            who: "alice".into(),
            role: "auditor".into(),
            from: "192.0.2.7".into(),
            action: "content.read".into(),
            what: "req_01M830YGT34VZD4RVJD4G7EE9D".into(),
            outcome: "done".into(),
        }
    }

    fn chain(entries: impl IntoIterator<Item = AuditEntry>) -> Vec<AuditRecord> {
        let mut head = AuditHead::default();
        entries
            .into_iter()
            .map(|entry| {
                let record = head.link(entry);
                head = AuditHead { sequence: record.sequence, hash: record.hash.clone() };
                record
            })
            .collect()
    }

    fn check(records: &[AuditRecord]) -> Result<AuditHead, AuditBreak> {
        let mut chain = AuditChain::default();
        records.iter().try_for_each(|record| chain.check(record))?;
        Ok(chain.head().clone())
    }

    #[test]
    fn a_hash_is_what_another_program_computes() {
        // Python's hashlib over the bytes that the head of this file describes.
        let records = chain([entry(0), AuditEntry { who: "é".into(), what: "".into(), ..entry(1) }]);
        assert_eq!(records[0].hash, "c9ba655ffc079fb8f1277f05c67fe501231f88f4be24da06e38a4bb7058ff350");
        assert_eq!(records[1].hash, "c86747df849b9ff59a16914345aa8fc5d4b789564c1b63a7fa0ee86d951dccdd");
        assert_eq!(
            (records[1].previous.as_str(), records[1].sequence),
            ("c9ba655ffc079fb8f1277f05c67fe501231f88f4be24da06e38a4bb7058ff350", 2)
        );
        assert_eq!(
            check(&records).unwrap(),
            AuditHead {
                sequence: 2,
                hash: "c86747df849b9ff59a16914345aa8fc5d4b789564c1b63a7fa0ee86d951dccdd".to_owned()
            }
        );
        assert_eq!(check(&[]).unwrap(), AuditHead::default());
    }

    #[test]
    fn a_time_finer_than_a_millisecond_is_not_hashed_as_no_reader_gets_it() {
        let fine = AuditEntry { at: WallTime(entry(0).at.0 + 999), ..entry(0) };
        assert_eq!(chain([fine])[0].hash, chain([entry(0)])[0].hash);
    }

    #[test]
    fn what_is_read_from_json_has_the_same_hash() {
        let records = chain((0..3).map(entry));
        let read: Vec<AuditRecord> = records.iter().map(|record| AuditRecord::from_json(&record.to_json())).collect();
        assert_eq!(read, records);
        let nothing = AuditRecord::from_json(&serde_json::json!({}));
        assert_eq!(check(&[nothing]).unwrap_err(), AuditBreak::Missing { expected: 1, found: 0 });
    }

    #[test]
    fn a_row_that_is_taken_out_put_elsewhere_or_replaced_breaks_the_chain_there() {
        let whole = chain((0..5).map(entry));
        let without = |n: usize| whole.iter().enumerate().filter(|(i, _)| *i != n).map(|(_, r)| r.clone()).collect();
        let cases: [(Vec<AuditRecord>, AuditBreak); 3] = [
            (without(0), AuditBreak::Missing { expected: 1, found: 2 }),
            (without(2), AuditBreak::Missing { expected: 3, found: 4 }),
            (
                {
                    let mut swapped = whole.clone();
                    swapped.swap(1, 2);
                    swapped
                },
                AuditBreak::Missing { expected: 2, found: 3 },
            ),
        ];
        for (rows, broken) in cases {
            assert_eq!(check(&rows).unwrap_err(), broken);
        }
        // A row with a hash of its own that is right, in the place of another.
        let mut replaced = whole.clone();
        let before = AuditHead { sequence: 2, hash: whole[1].hash.clone() };
        replaced[2] = before.link(AuditEntry { who: "mallory".into(), ..entry(2) });
        assert_eq!(check(&replaced).unwrap_err(), AuditBreak::Unlinked { sequence: 4 });
        // Renumbered, so that nothing seems to be missing.
        let mut renumbered: Vec<AuditRecord> = without(2);
        renumbered.iter_mut().zip(1..).for_each(|(record, sequence)| record.sequence = sequence);
        assert_eq!(check(&renumbered).unwrap_err(), AuditBreak::Changed { sequence: 3 });
    }

    #[test]
    fn a_tail_that_is_cut_leaves_a_chain_that_is_right_but_the_head_that_was_told_is_not_in_it() {
        let whole = chain((0..5).map(entry));
        for (told, kept, found) in [(4, 5, Some(5)), (2, 5, Some(3)), (4, 4, None), (0, 0, None)] {
            let mut chain = AuditChain::seeking(&whole[told].hash.to_uppercase());
            assert!(whole[..kept].iter().all(|record| chain.check(record).is_ok()));
            assert_eq!(chain.found(), found, "row {told} of {kept}");
        }
        assert_eq!(AuditChain::seeking(&AuditHead::default().hash).found(), Some(0), "of a log that was empty then");
    }

    proptest! {
        #[test]
        fn whatever_is_changed_in_a_row_is_found_at_that_row(
            n in 0_usize..6, field in 0_usize..8, place in any::<prop::sample::Index>(), bit in 0_u8..7, texts in prop::array::uniform6(".{0,20}"),
        ) {
            let made = |i: i64| {
                let [who, role, from, action, what, outcome] = texts.clone().map(|t| t.into());
                AuditEntry { at: WallTime(i * 1_000), who, role, from, action, what, outcome }
            };
            let mut records = chain((0..6).map(made));
            prop_assert!(check(&records).is_ok());
            let record = &mut records[n];
            let flip = |text: &str| {
                // A letter more where there is none to change.
                let mut bytes = if text.is_empty() { b"a".to_vec() } else { text.as_bytes().to_vec() };
                let at = place.index(bytes.len());
                if !text.is_empty() { bytes[at] ^= 1 << bit }
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let entry = &mut record.entry;
            match field {
                0 => entry.who = flip(&entry.who).into(),
                1 => entry.role = flip(&entry.role).into(),
                2 => entry.from = flip(&entry.from).into(),
                3 => entry.action = flip(&entry.action).into(),
                4 => entry.what = flip(&entry.what).into(),
                5 => entry.outcome = flip(&entry.outcome).into(),
                6 => entry.at = WallTime(entry.at.0 ^ 1_024_000 << bit),
                _ => record.hash = flip(&record.hash),
            }
            let sequence = n as u64 + 1;
            prop_assert_eq!(check(&records).unwrap_err(), AuditBreak::Changed { sequence });
        }

        #[test]
        fn no_letter_can_move_from_one_field_to_the_next(text in "[a-z]{2,12}", cut in 1_usize..11) {
            let cut = cut.min(text.len() - 1);
            let (one, other) = text.split_at(cut);
            let told = |who: &str, role: &str| chain([AuditEntry { who: who.into(), role: role.into(), ..entry(0) }])[0].hash.clone();
            prop_assert_ne!(told(one, other), told(&text, ""));
        }
    }
}
