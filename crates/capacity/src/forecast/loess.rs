//! Local regression on evenly spaced figures (Cleveland 1979), and the decomposition that is made of it (STL, Cleveland et al. 1990).

/// A line fitted to the `window` figures nearest to `at`, near ones counting most, taken at `at`; it may lie beside the figures.
fn local(values: &[f64], window: usize, at: f64) -> f64 {
    let count = values.len();
    let window = window.max(2);
    let nearest = window.min(count);
    let from = (at - (nearest as f64 - 1.0) / 2.0).round().clamp(0.0, (count - nearest) as f64) as usize;
    let to = from + nearest;
    let mut far = (at - from as f64).abs().max((to as f64 - 1.0 - at).abs());
    if window > count {
        far += ((window - count) / 2) as f64;
    }
    let far = far.max(0.5) * 1.001;
    let (mut weight, mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (index, value) in values[from..to].iter().enumerate() {
        let off = (from + index) as f64 - at;
        let u = off.abs() / far;
        let cube = 1.0 - u * u * u;
        let w = cube * cube * cube;
        weight += w;
        x += w * off;
        y += w * value;
        xx += w * off * off;
        xy += w * off * value;
    }
    let free = weight * xx - x * x;
    if free > 1e-9 * weight * xx && weight > 0.0 {
        (y * xx - x * xy) / free
    } else if weight > 0.0 {
        y / weight
    } else {
        0.0
    }
}

/// Figures smoothed; every `jump`th is computed and those between lie on a line.
fn smooth(values: &[f64], window: usize, jump: usize) -> Vec<f64> {
    let last = values.len() - 1;
    let mut out = vec![0.0; values.len()];
    let (mut before, mut had) = (0, local(values, window, 0.0));
    out[0] = had;
    while before < last {
        let next = (before + jump.max(1)).min(last);
        let has = local(values, window, next as f64);
        for (between, value) in out[before + 1..=next].iter_mut().enumerate() {
            *value = had + (has - had) * (between + 1) as f64 / (next - before) as f64;
        }
        (before, had) = (next, has);
    }
    out
}

/// Means of `span` figures; there are `span − 1` fewer.
fn moving(values: &[f64], span: usize) -> Vec<f64> {
    let mut sum: f64 = values[..span].iter().sum();
    let mut out = vec![sum / span as f64];
    for index in span..values.len() {
        sum += values[index] - values[index - span];
        out.push(sum / span as f64);
    }
    out
}

/// The part of figures that comes again every `period`, and may change slowly. There must be two periods at least.
pub(crate) fn seasonal(values: &[f64], period: usize, window: usize) -> Vec<f64> {
    let count = values.len();
    let wide = (1.5 * period as f64 / (1.0 - 1.5 / window as f64)).ceil() as usize | 1;
    let mut trend = vec![0.0; count];
    let mut season = vec![0.0; count];
    for _ in 0..2 {
        // Every slot's figures in their order, smoothed, and one more on either side.
        let mut cycle = vec![0.0; count + 2 * period];
        for slot in 0..period {
            let own: Vec<f64> = (slot..count).step_by(period).map(|i| values[i] - trend[i]).collect();
            for place in 0..own.len() + 2 {
                let at = slot + place * period;
                if at < cycle.len() {
                    cycle[at] = local(&own, window, place as f64 - 1.0);
                }
            }
        }
        let low = moving(&moving(&moving(&cycle, period), period), 3);
        let low = smooth(&low, period | 1, period / 8);
        for index in 0..count {
            season[index] = cycle[index + period] - low[index.min(low.len() - 1)];
        }
        let rest: Vec<f64> = values.iter().zip(&season).map(|(v, s)| v - s).collect();
        trend = smooth(&rest, wide, wide / 10);
    }
    season
}
