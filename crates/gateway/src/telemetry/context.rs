//! The trace of a request: continued where the client has one, begun where it has none and traces are on, and told to providers.
//!
//! Ids are made from the request's id, so the span that a provider was told of is the one that is exported later.

use http::{HeaderMap, HeaderName, HeaderValue};
use twox_hash::XxHash3_64;
use weir_config::Config;
use weir_ledger::Stage;
use weir_units::{RequestId, TraceContext};

use crate::headers::TRACEPARENT;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The flags of the standard: the trace is recorded; its id has random bits at its end. Others are not passed on.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;
/// The longest `tracestate` that is passed on; the standard asks for at least as much.
const LONGEST_STATE: usize = 512;
/// The part of a trace's id that is random (W3C Trace Context, Level 2), and what decides whether it is sampled.
const RANDOM_PART: u128 = (1 << 56) - 1;

/// Whether spans are exported.
pub(crate) fn is_on(config: &Config) -> bool {
    config.telemetry.as_ref().is_some_and(|telemetry| telemetry.traces.is_some())
}

/// The trace of a request, with the client's span; none where nobody traces.
pub(crate) fn trace(config: &Config, headers: &HeaderMap, id: RequestId) -> Option<TraceContext> {
    let given = incoming(headers);
    match &config.telemetry {
        Some(telemetry) if telemetry.traces.is_some() && given.is_none() => {
            // A request's id is 48 bits of time and 80 random ones: a trace's id by itself.
            let sampled = is_sampled(id.0, telemetry.sample_ppm);
            let flags = RANDOM | if sampled { SAMPLED } else { 0 };
            Some(TraceContext { trace_id: id.0, parent: 0, flags })
        }
        _ => given,
    }
}

fn incoming(headers: &HeaderMap) -> Option<TraceContext> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let (only, another) = (given.next()?, given.next());
    if another.is_some() {
        return None;
    }
    TraceContext::parse(only.to_str().ok()?)
}

/// Whether a trace is among the sampled ones. Whoever decides by the same bits and share decides alike.
fn is_sampled(trace_id: u128, ppm: u32) -> bool {
    let rejected = (RANDOM_PART + 1) * u128::from(1_000_000 - ppm.min(1_000_000)) / 1_000_000;
    trace_id & RANDOM_PART >= rejected
}

/// The client's `tracestate`, if it is one that may be passed on.
pub(crate) fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(TRACESTATE).iter();
    let (first, more) = (given.next()?, given.next());
    let fits = |value: &[u8]| value.len() <= LONGEST_STATE && value.iter().all(|byte| (b' '..=b'~').contains(byte));
    let whole = match more {
        None => first.clone(),
        Some(second) => {
            let all: Vec<&[u8]> = [first, second].into_iter().chain(given).map(HeaderValue::as_bytes).collect();
            HeaderValue::from_bytes(&all.join(&b","[..])).ok()?
        }
    };
    fits(whole.as_bytes()).then_some(whole)
}

/// Tells a provider of the trace; `own` is the span of this attempt where Weir has spans of its own.
pub(crate) fn tell(trace: TraceContext, own: Option<u64>, client: &HeaderMap, to: &mut HeaderMap) {
    let context =
        TraceContext { parent: own.unwrap_or(trace.parent), flags: trace.flags & (SAMPLED | RANDOM), ..trace };
    if let Ok(value) = HeaderValue::try_from(context.to_string()) {
        to.insert(TRACEPARENT, value);
    }
    // Without a parent it is nobody's state.
    if let Some(state) = state(client).filter(|_| trace.parent != 0) {
        to.insert(TRACESTATE, state);
    }
}

/// The span of the request itself.
pub(crate) fn request_span(id: RequestId) -> u64 {
    span(id, 0)
}

/// The span of an attempt, counted from 1.
pub(crate) fn attempt_span(id: RequestId, attempt: usize) -> u64 {
    span(id, attempt as u64)
}

/// The span of a stage; of several in line, the `nth`.
pub(crate) fn stage_span(id: RequestId, stage: Stage, nth: usize) -> u64 {
    span(id, (stage as u64 + 1) << 32 | nth as u64)
}

fn span(id: RequestId, which: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(which, &id.0.to_be_bytes()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn one_traceparent_is_continued_and_two_are_none() {
        assert_eq!(incoming(&headers(&[("traceparent", GIVEN)])), TraceContext::parse(GIVEN));
        assert_eq!(incoming(&headers(&[("traceparent", GIVEN), ("traceparent", GIVEN)])), None);
        assert_eq!(incoming(&headers(&[("traceparent", "00-nonsense")])), None);
    }

    #[test]
    fn a_provider_is_told_of_the_attempts_span_or_of_the_clients() {
        let client = headers(&[("traceparent", GIVEN), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        let trace = incoming(&client).unwrap();
        let mut to = HeaderMap::new();
        tell(trace, Some(0xabc), &client, &mut to);
        assert_eq!(to["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-0000000000000abc-01");
        assert_eq!(to["tracestate"], "a=1,b=2");
        tell(trace, None, &client, &mut to);
        assert_eq!(to["traceparent"], GIVEN);
        let own = TraceContext { parent: 0, ..trace };
        let mut to = HeaderMap::new();
        tell(own, Some(1), &client, &mut to);
        assert!(!to.contains_key("tracestate"), "a state without its traceparent is nobody's");
        let endless = "x".repeat(LONGEST_STATE + 1);
        assert_eq!(state(&headers(&[("tracestate", &endless)])), None);
    }

    #[test]
    fn a_share_of_traces_is_sampled_and_the_same_ones_everywhere() {
        let ids = || (0..20_000_u64).map(|n| u128::from(XxHash3_64::oneshot(&n.to_be_bytes())));
        let sampled = ids().filter(|id| is_sampled(*id, 100_000)).count();
        assert!((1_800..2_200).contains(&sampled), "{sampled} of 20,000");
        assert!(ids().all(|id| is_sampled(id, 1_000_000)) && !ids().any(|id| is_sampled(id, 0)));
        assert!(ids().all(|id| !is_sampled(id, 100_000) || is_sampled(id, 200_000)), "more holds what fewer held");
    }

    #[test]
    fn no_two_spans_of_a_request_are_one() {
        let id = RequestId(7);
        let mut spans = vec![request_span(id), request_span(RequestId(8))];
        spans.extend((1..=5).map(|attempt| attempt_span(id, attempt)));
        for stage in
            [Stage::Accept, Stage::Admit, Stage::Route, Stage::Queue, Stage::Call, Stage::Stream, Stage::Settle]
        {
            spans.extend((0..3).map(|nth| stage_span(id, stage, nth)));
        }
        let count = spans.len();
        spans.sort_unstable();
        spans.dedup();
        assert_eq!(spans.len(), count);
    }
}
