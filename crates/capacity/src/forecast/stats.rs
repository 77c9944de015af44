//! Small statistics on slices. Nothing here panics, and what cannot be told is `None`.

/// The value at the level `q` of values in ascending order, between neighbours by proportion.
pub(crate) fn quantile_sorted(ascending: &[f64], q: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let low = at.floor() as usize;
    let (a, b) = (ascending[low.min(last)], ascending[(low + 1).min(last)]);
    Some(a + (b - a) * (at - low as f64))
}

/// The value at the level `q`.
pub(crate) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_sorted(&sorted, q)
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}
