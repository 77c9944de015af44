//! The requests of one workload, one after the other.

use std::time::Duration;

use weir_units::{Moment, Tokens};

use super::arrivals::{Arrivals, within};
use super::{MaxTokens, Pattern, Request, Workload};
use crate::draw::Draw;

/// One workload's requests. When they come and how large they are is drawn apart, so that a change of the one leaves the
/// other as it was.
#[derive(Clone, Debug)]
pub struct Stream {
    workload: Workload,
    number: usize,
    arrivals: Arrivals,
    times: Draw,
    sizes: Draw,
}

impl Stream {
    /// The requests of `workload`, the scenario's `number`th, by a seed.
    #[must_use]
    pub fn new(workload: Workload, number: usize, seed: u64) -> Self {
        let stream = u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(4);
        let arrivals = Arrivals::new(workload.pattern.clone());
        Self { workload, number, arrivals, times: Draw::new(seed, stream + 1), sizes: Draw::new(seed, stream + 2) }
    }

    /// What it is a stream of.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The next request of an open loop; there is none after the last, and none of clients.
    pub fn next_request(&mut self) -> Option<Request> {
        let (span, row) = self.arrivals.next(&mut self.times)?;
        let at = within(self.workload.from, span, self.workload.until)?;
        let mut request = self.request(at, 0);
        if let (Pattern::Trace { trace, .. }, Some(row)) = (&self.workload.pattern, row) {
            let row = trace.rows()[row];
            request = self.sized(at, 0, row.input, row.output);
        }
        Some(request)
    }

    /// A request that a client sends at `at`.
    pub fn request(&mut self, at: Moment, client: u32) -> Request {
        let input = self.workload.input.draw(&mut self.sizes);
        let output = self.workload.output.draw(&mut self.sizes);
        self.sized(at, client, input, output)
    }

    /// How long a client thinks before it sends again.
    pub fn think(&mut self) -> Duration {
        match self.workload.pattern {
            Pattern::Clients { think, .. } => think.mul_f64(self.times.gap()),
            _ => Duration::ZERO,
        }
    }

    fn sized(&mut self, at: Moment, client: u32, input: Tokens, output: Tokens) -> Request {
        let (input, output) = (Tokens(input.0.max(1)), Tokens(output.0.max(1)));
        let workload = &self.workload;
        let part = |of: Tokens, ppm: u64| u64::try_from(u128::from(of.0) * u128::from(ppm) / 1_000_000).unwrap_or(of.0);
        let error = u64::from(workload.estimate_error_ppm.min(1_000_000));
        let share = 1_000_000 - error + self.sizes.between(0, 2 * error);
        Request {
            workload: self.number,
            client,
            at,
            first_at: at,
            input,
            estimate: Tokens(part(input, share).max(1)),
            cached: Tokens(part(input, u64::from(workload.cached_ppm.min(1_000_000)))),
            output,
            max_output: match workload.max_tokens {
                MaxTokens::Unset => None,
                MaxTokens::Exact => Some(output),
                MaxTokens::Fixed(most) => Some(most),
            },
            deadline: workload.deadline.map(|span| at + span),
            retry: 0,
        }
    }
}

#[cfg(test)]
mod tests;
