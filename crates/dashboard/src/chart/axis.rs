//! Where values go: scales with round ticks.

/// A scale from zero, or by powers, up to a round value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// The value at the top.
    pub(super) top: f64,
    /// The value at the bottom of a scale by powers; zero for others.
    bottom: f64,
    /// The values that are marked.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// From zero to a round value that is at least `most`, in steps of at least `least`.
    pub(super) fn linear(most: f64, least: f64) -> Self {
        let most = if most.is_finite() && most > 0.0 { most.max(least) } else { least.max(1.0) };
        let power = 10_f64.powf((most / 4.0).log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| most / step <= 4.0 + 1e-9).unwrap_or(10.0 * power);
        // Nobody counts half a request.
        let step = if step < least {
            least
        } else if least >= 1.0 {
            step.ceil()
        } else {
            step
        };
        let count = (most / step - 1e-9).ceil().max(1.0) as usize;
        Self { top: step * count as f64, bottom: 0.0, ticks: (0..=count).map(|n| step * n as f64).collect() }
    }

    /// By powers of ten, from the one below `least` to the one above `most`.
    pub(super) fn powers(least: f64, most: f64) -> Self {
        let (least, most) = (least.max(1e-6), most.max(1e-6));
        let from = least.log10().floor() as i32;
        let to = (most.log10().ceil() as i32).max(from + 1);
        let ticks = (from..=to).map(|power| 10_f64.powi(power)).collect();
        Self { top: 10_f64.powi(to), bottom: 10_f64.powi(from), ticks }
    }

    /// Whether it goes by powers.
    pub(super) fn is_by_powers(&self) -> bool {
        self.bottom > 0.0
    }

    /// Where a value is, from 0 at the bottom to 1 at the top.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.bottom > 0.0 {
            true => (value.max(self.bottom) / self.bottom).log10() / (self.top / self.bottom).log10(),
            false => value / self.top,
        };
        place.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::linear(93.0, 1.0).ticks, [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(Scale::linear(4.0, 1.0).ticks, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(Scale::linear(2.0, 1.0).ticks, [0.0, 1.0, 2.0]);
        assert_eq!(Scale::linear(0.0, 1.0).ticks, [0.0, 1.0]);
        assert_eq!(Scale::linear(0.2, 0.0).ticks.len(), 5);
        assert_eq!(Scale::powers(40.0, 9_000.0).ticks, [10.0, 100.0, 1_000.0, 10_000.0]);
    }

    proptest! {
        #[test]
        fn every_value_is_on_its_scale(most in 1e-3_f64..1e12) {
            let scale = Scale::linear(most, 0.0);
            prop_assert!(scale.top >= most * (1.0 - 1e-6) && scale.top <= most * 2.6, "{scale:?}");
            prop_assert!((2..=6).contains(&scale.ticks.len()));
            prop_assert!(scale.place(most) <= 1.0 && scale.place(0.0) == 0.0);
        }
    }
}
