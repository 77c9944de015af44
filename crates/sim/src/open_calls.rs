//! Something for each call that is open, found by its number at once.
//!
//! Calls are numbered in the order in which they begin, and most are over soon after: so their places are a window that slides
//! along, and looking one up is an index, where a tree would take most of the loop's time.

use std::collections::VecDeque;

use crate::gateway::CallId;

#[derive(Debug)]
pub(crate) struct OpenCalls<T> {
    /// The number that the first place stands for.
    first: u64,
    /// In boxes, since a long-lived call keeps the places of all that came after it.
    places: VecDeque<Option<Box<T>>>,
}

impl<T> OpenCalls<T> {
    pub(crate) fn new() -> Self {
        Self { first: 0, places: VecDeque::new() }
    }

    /// Opens a call. Numbers only go up; one below all that are open is not taken.
    pub(crate) fn insert(&mut self, call: CallId, value: T) {
        if self.places.is_empty() {
            self.first = call.0;
        }
        let Some(place) = self.place(call) else { return };
        if place >= self.places.len() {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some(Box::new(value));
    }

    pub(crate) fn get(&self, call: CallId) -> Option<&T> {
        self.places.get(self.place(call)?)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, call: CallId) -> Option<&mut T> {
        let place = self.place(call)?;
        self.places.get_mut(place)?.as_deref_mut()
    }

    /// Closes a call.
    pub(crate) fn remove(&mut self, call: CallId) -> Option<Box<T>> {
        let place = self.place(call)?;
        let value = self.places.get_mut(place)?.take();
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
        }
        value
    }

    /// Those that are open, in the order of their numbers.
    pub(crate) fn calls(&self) -> impl Iterator<Item = CallId> {
        let open = |(number, place): (u64, &Option<Box<T>>)| place.as_ref().map(|_| CallId(number));
        (self.first..).zip(&self.places).filter_map(open)
    }

    fn place(&self, call: CallId) -> Option<usize> {
        usize::try_from(call.0.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_u64..3, 0_u64..40), 1..200)) {
            let (mut open, mut model, mut next) = (OpenCalls::new(), BTreeMap::new(), 0);
            for (step, figure) in steps {
                if step == 0 {
                    // Another gateway's calls are numbered between.
                    next += 1 + figure % 3;
                    open.insert(CallId(next), figure);
                    model.insert(CallId(next), figure);
                } else {
                    let call = CallId(next.saturating_sub(figure));
                    prop_assert_eq!(open.remove(call).map(|value| *value), model.remove(&call));
                }
                prop_assert_eq!(open.calls().collect::<Vec<_>>(), model.keys().copied().collect::<Vec<_>>());
                for (call, value) in &model {
                    prop_assert_eq!(open.get(*call), Some(value));
                    prop_assert_eq!(open.get_mut(*call).copied(), Some(*value));
                }
            }
        }
    }
}
