//! What a client does when its answer, or its refusal, is there.

use std::time::Duration;

use weir_units::Moment;

use super::{ClientRetry, Request};

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStep {
    /// It sends the same request once more.
    Retry(Request),
    /// It is done with this request.
    Done,
}

/// How a client takes what it gets.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub ClientRetry);

impl Client {
    /// What follows when `request` was refused at `now`, with the status and the retry-after that the client was given.
    ///
    /// Statuses that SDKs repeat are 408, 409, 429 and all from 500 up (openai-python and anthropic-sdk-python, 2026).
    #[must_use]
    pub fn refused(self, now: Moment, request: &Request, status: u16, retry_after: Option<Duration>) -> ClientStep {
        let repeats = matches!(status, 408 | 409 | 429) || status >= 500;
        if !repeats || request.retry >= self.0.retries {
            return ClientStep::Done;
        }
        // SDKs take a retry-after of up to a minute as it is, and their own backoff else.
        let told = retry_after.filter(|wait| self.0.obeys_retry_after && *wait <= Duration::from_secs(60));
        let own = Duration::from_millis(500).saturating_mul(1 << request.retry.min(4)).min(Duration::from_secs(8));
        let at = now + told.unwrap_or(own);
        // It is the same request to whoever waits for it, so its deadline stays.
        ClientStep::Retry(Request { at, retry: request.retry + 1, ..*request })
    }
}

#[cfg(test)]
mod tests {
    use weir_units::Tokens;

    use super::*;

    const REQUEST: Request = Request {
        workload: 0,
        client: 0,
        at: Moment(0),
        first_at: Moment(0),
        input: Tokens(1),
        estimate: Tokens(1),
        cached: Tokens(0),
        output: Tokens(1),
        max_output: None,
        deadline: None,
        retry: 0,
    };

    #[test]
    fn a_client_repeats_what_sdks_repeat_as_long_after_as_it_is_told() {
        let second = Duration::from_secs(1);
        let client = Client(ClientRetry::default());
        let at = |step: ClientStep| match step {
            ClientStep::Retry(request) => Some((request.at.since(Moment::ZERO), request.retry)),
            ClientStep::Done => None,
        };
        assert_eq!(at(client.refused(Moment::ZERO, &REQUEST, 503, Some(7 * second))), Some((7 * second, 1)));
        assert_eq!(at(client.refused(Moment::ZERO, &REQUEST, 429, None)), Some((second / 2, 1)));
        assert_eq!(at(client.refused(Moment::ZERO, &REQUEST, 429, Some(90 * second))), Some((second / 2, 1)));
        assert_eq!(at(client.refused(Moment::ZERO, &REQUEST, 400, Some(second))), None);
        assert_eq!(at(client.refused(Moment::ZERO, &Request { retry: 2, ..REQUEST }, 429, None)), None);
        let naive = Client(ClientRetry { obeys_retry_after: false, ..ClientRetry::default() });
        assert_eq!(at(naive.refused(Moment::ZERO, &REQUEST, 503, Some(7 * second))), Some((second / 2, 1)));
    }
}
