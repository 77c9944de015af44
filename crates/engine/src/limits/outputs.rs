//! How long a deployment's answers are, by how long they may be.

use super::Histogram;

/// The bounds on output that answers are told apart by; what sets none comes last.
const BOUNDS: [u64; 5] = [256, 1_024, 4_096, 16_384, u64::MAX];
/// How many answers make a quantile worth something, and how many do for a first, more careful guess.
const ENOUGH: u32 = 50;
const FEW: u32 = 8;
const NINE_OF_TEN: u32 = 900_000;

#[derive(Debug, Default)]
pub(crate) struct Outputs([Option<Box<Histogram>>; 6]);

impl Outputs {
    pub(crate) fn add(&mut self, max_output: Option<u64>, tokens: u64) {
        self.0[place(max_output)].get_or_insert_with(|| Box::new(Histogram::new())).add(tokens);
    }

    /// What nine of ten answers do not exceed.
    pub(crate) fn likely(&self, max_output: Option<u64>) -> Option<u64> {
        let histogram = self.0[place(max_output)].as_ref()?;
        let few = || histogram.quantile(NINE_OF_TEN, FEW).map(|tokens| tokens + tokens / 4);
        histogram.quantile(NINE_OF_TEN, ENOUGH).or_else(few)
    }
}

fn place(max_output: Option<u64>) -> usize {
    max_output.map_or(BOUNDS.len(), |max| BOUNDS.iter().position(|bound| max <= *bound).unwrap_or(BOUNDS.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_may_be_long_are_told_from_those_that_may_not() {
        let mut outputs = Outputs::default();
        assert_eq!(outputs.likely(None), None);
        for _ in 0..8 {
            outputs.add(Some(128_000), 400);
        }
        let guess = outputs.likely(Some(100_000)).unwrap();
        assert!((500..600).contains(&guess), "{guess}");
        assert_eq!(outputs.likely(Some(100)), None);
        for _ in 0..50 {
            outputs.add(Some(128_000), 400);
        }
        let known = outputs.likely(Some(100_000)).unwrap();
        assert!((400..460).contains(&known), "{known}");
    }
}
