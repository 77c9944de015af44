//! Large values in boxes, made where they stay.

/// Makes a value in its box. `Box::new` makes it elsewhere and copies it, since allocating may fail in between.
pub(crate) fn in_place<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::write(Box::new_uninit(), make())
}
