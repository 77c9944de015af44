//! Small maps for counting: by names that are bounded, and by a few values that are known beforehand.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The label of all names that have none of their own.
pub(crate) const OTHER: &str = "other";
/// The label where there is no name.
pub(crate) const NONE: &str = "none";

/// Something for each name that has a label of its own, for all others together, and for where there is no name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named<V> {
    known: BTreeMap<Arc<str>, V>,
    other: V,
    none: V,
}

impl<V: Default + PartialEq> Named<V> {
    /// Gives a name a label of its own, for good.
    pub(crate) fn know(&mut self, name: &Arc<str>) -> &mut V {
        self.known.entry(Arc::clone(name)).or_default()
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(crate) fn at(&mut self, name: Option<&str>) -> &mut V {
        match name {
            None => &mut self.none,
            Some(name) => match self.known.get_mut(name) {
                Some(value) => value,
                None => &mut self.other,
            },
        }
    }

    /// All labels; those of no name in particular only if something was counted there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let known = self.known.iter().map(|(name, value)| (&**name, value));
        let rest = [(OTHER, &self.other), (NONE, &self.none)];
        known.chain(rest.into_iter().filter(|(_, value)| **value != V::default()))
    }
}

/// A map with few keys, looked through from its beginning: for those, it is quicker than a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V: Default> Few<K, V> {
    pub(crate) fn at(&mut self, key: K) -> &mut V {
        let place = self.0.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            self.0.push((key, V::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_knows_share_a_label_and_no_name_has_another() {
        let mut counts: Named<u64> = Named::default();
        counts.know(&Arc::from("smart"));
        for name in [Some("smart"), Some("a"), Some("b"), None] {
            *counts.at(name) += 1;
        }
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("smart", &1), ("other", &2), ("none", &1)]);
        assert!(counts.knows("smart") && !counts.knows("a"));
    }

    #[test]
    fn a_name_without_requests_is_there_and_others_are_not() {
        let mut counts: Named<u64> = Named::default();
        counts.know(&Arc::from("smart"));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("smart", &0)]);
    }
}
