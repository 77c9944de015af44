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

/// The mean.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The variance around the mean.
pub(crate) fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    self::mean(&values.iter().map(|v| (v - mean) * (v - mean)).collect::<Vec<_>>())
}

/// How much a value follows the one before: the first autocorrelation, 0 where it cannot be told, never beyond ±0.9.
pub(crate) fn autocorrelation(values: &[f64]) -> f64 {
    let Some(mean) = mean(values) else { return 0.0 };
    let all: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let next: f64 = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    if all > 0.0 { (next / all).clamp(-0.9, 0.9) } else { 0.0 }
}

/// The usual distance from the middle, as a standard deviation that outliers do not move.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    median(&values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>()).map(|m| 1.4826 * m)
}
