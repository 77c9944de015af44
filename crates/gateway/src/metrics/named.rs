//! Small maps for counting: by names that are bounded, and by a few values that are known beforehand.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The label of all names that have none of their own.
pub(crate) const OTHER: &str = "other";
/// The label where there is no name.
pub(crate) const NONE: &str = "none";

/// Something for each name that has a label of its own, for all others together, and for where there is no name.
#[derive(Clone, Debug)]
pub(crate) struct Named<V> {
    places: BTreeMap<Arc<str>, Place>,
    values: Vec<(Arc<str>, V)>,
}

/// Where a name's value is.
pub(crate) type Place = usize;
/// Where the value of all names without a label is.
pub(crate) const OF_OTHERS: Place = 0;
const OF_NONE: Place = 1;

impl<V: Default> Default for Named<V> {
    fn default() -> Self {
        let rest = [OTHER, NONE].map(|label| (Arc::from(label), V::default()));
        Self { places: BTreeMap::new(), values: rest.into() }
    }
}

impl<V: Default + PartialEq> Named<V> {
    /// Gives a name a label of its own, for good. One that is called as those of no name in particular shares theirs.
    pub(crate) fn know(&mut self, name: &Arc<str>) -> Place {
        if let Some(place) = [OF_OTHERS, OF_NONE].into_iter().find(|place| self.values[*place].0 == *name) {
            return place;
        }
        *self.places.entry(Arc::clone(name)).or_insert_with(|| {
            self.values.push((Arc::clone(name), V::default()));
            self.values.len() - 1
        })
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        self.places.get(name).copied().unwrap_or(OF_OTHERS)
    }

    pub(crate) fn label(&self, place: Place) -> &Arc<str> {
        &self.values[place].0
    }

    pub(crate) fn at(&mut self, place: Place) -> &mut V {
        &mut self.values[place].1
    }

    /// The value of a name, whether it has a label or not.
    pub(crate) fn of(&mut self, name: Option<&str>) -> &mut V {
        let place = name.map_or(OF_NONE, |name| self.place(name));
        self.at(place)
    }

    /// All labels; those of no name in particular only if something was counted there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let known = self.places.values().map(|place| &self.values[*place]);
        let rest = [OF_OTHERS, OF_NONE].map(|place| &self.values[place]);
        known
            .chain(rest.into_iter().filter(|(_, value)| *value != V::default()))
            .map(|(label, value)| (&**label, value))
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
            *counts.of(name) += 1;
        }
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("smart", &1), ("other", &2), ("none", &1)]);
        assert!(counts.knows("smart") && !counts.knows("a"));
    }

    #[test]
    fn no_label_comes_twice() {
        let mut counts: Named<u64> = Named::default();
        for name in ["other", "none", "smart", "smart"] {
            counts.know(&Arc::from(name));
            *counts.of(Some(name)) += 1;
        }
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("smart", &2), ("other", &2)]);
    }

    #[test]
    fn a_name_without_requests_is_there_and_others_are_not() {
        let mut counts: Named<u64> = Named::default();
        counts.know(&Arc::from("smart"));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("smart", &0)]);
    }
}
