//! A bounded memory: what is kept stays, the rest shares one list from which the least recently used falls out.
//!
//! A client chooses model names freely, so state for names that only clients know must not grow without end. Callers
//! hold a [`Handle`] instead of looking a name up for each event; one that has fallen out is noticed, not confused.

use std::collections::BTreeMap;

/// The place of an entry, and which entry of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handle {
    index: usize,
    generation: u64,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    generation: u64,
    /// When it was last used, by count; `None` for what is kept.
    used: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    by_key: BTreeMap<K, usize>,
    slots: Vec<Option<Slot<K, V>>>,
    free: Vec<usize>,
    passing: BTreeMap<u64, usize>,
    capacity: usize,
    count: u64,
}

impl<K: Ord + Clone, V> Memory<K, V> {
    /// A memory of what is kept and of `capacity` others.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            by_key: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            passing: BTreeMap::new(),
            capacity,
            count: 0,
        }
    }

    /// The entry of `key`, made if there is none, as the most recently used.
    pub(crate) fn touch(&mut self, key: &K, make: impl FnOnce() -> V) -> Handle {
        self.count += 1;
        let count = self.count;
        if let Some(&index) = self.by_key.get(key)
            && let Some(slot) = self.slots[index].as_mut()
        {
            if let Some(used) = slot.used.as_mut() {
                self.passing.remove(used);
                *used = count;
                self.passing.insert(count, index);
            }
            return Handle { index, generation: slot.generation };
        }
        if self.passing.len() >= self.capacity
            && let Some((_, oldest)) = self.passing.pop_first()
        {
            self.clear(oldest);
        }
        let slot = Slot { key: key.clone(), value: make(), generation: count, used: Some(count) };
        let index = if let Some(index) = self.free.pop() {
            self.slots[index] = Some(slot);
            index
        } else {
            self.slots.push(Some(slot));
            self.slots.len() - 1
        };
        self.by_key.insert(key.clone(), index);
        self.passing.insert(count, index);
        Handle { index, generation: count }
    }

    fn clear(&mut self, index: usize) {
        if let Some(slot) = self.slots[index].take() {
            self.by_key.remove(&slot.key);
            self.free.push(index);
        }
    }

    fn slot(&self, handle: Handle) -> Option<&Slot<K, V>> {
        self.slots.get(handle.index)?.as_ref().filter(|slot| slot.generation == handle.generation)
    }

    /// The entry of `key`, if there is one; it counts as no use.
    pub(crate) fn find(&self, key: &K) -> Option<Handle> {
        let index = *self.by_key.get(key)?;
        Some(Handle { index, generation: self.slots.get(index)?.as_ref()?.generation })
    }

    /// Whose entry it is.
    pub(crate) fn key(&self, handle: Handle) -> Option<&K> {
        Some(&self.slot(handle)?.key)
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&V> {
        Some(&self.slot(handle)?.value)
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut V> {
        let slot = self.slots.get_mut(handle.index)?.as_mut()?;
        (slot.generation == handle.generation).then_some(&mut slot.value)
    }

    /// Keeps an entry for good.
    pub(crate) fn keep(&mut self, handle: Handle) {
        if let Some(Some(slot)) = self.slots.get_mut(handle.index)
            && slot.generation == handle.generation
            && let Some(used) = slot.used.take()
        {
            self.passing.remove(&used);
        }
    }

    /// Puts what is kept and not `wanted` back among the passing, of which the oldest may fall out.
    pub(crate) fn release(&mut self, wanted: impl Fn(&K, &V) -> bool) {
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots[index].as_mut() else { continue };
            if slot.used.is_none() && !wanted(&slot.key, &slot.value) {
                self.count += 1;
                slot.used = Some(self.count);
                self.passing.insert(self.count, index);
            }
        }
        while self.passing.len() > self.capacity
            && let Some((_, oldest)) = self.passing.pop_first()
        {
            self.clear(oldest);
        }
    }

    /// All entries, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.by_key.values().filter_map(|&index| self.slots[index].as_ref()).map(|slot| (&slot.key, &slot.value))
    }

    /// All entries, in no order that may decide anything.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.slots.iter_mut().flatten().map(|slot| (&slot.key, &mut slot.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_falls_out_and_its_handle_is_dead() {
        let mut memory = Memory::new(2);
        let a = memory.touch(&"a", || 1);
        let b = memory.touch(&"b", || 2);
        memory.touch(&"a", || 9);
        let c = memory.touch(&"c", || 3);
        assert_eq!((memory.get(a), memory.get(b), memory.get(c)), (Some(&1), None, Some(&3)));
        assert_ne!(memory.touch(&"b", || 4), b);
    }

    #[test]
    fn what_is_kept_does_not_count_and_can_be_released() {
        let mut memory = Memory::new(1);
        let a = memory.touch(&"a", || 1);
        memory.keep(a);
        let b = memory.touch(&"b", || 2);
        assert_eq!((memory.get(a), memory.get(b)), (Some(&1), Some(&2)));
        memory.release(|_, _| false);
        assert_eq!((memory.get(a), memory.get(b)), (Some(&1), None), "one place for both, and `a` was released last");
        assert_eq!(memory.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["a"]);
    }
}
