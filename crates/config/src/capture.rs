//! What is kept of prompts and answers, as a route or a key sets it: nothing, unless one of them says so.

use std::sync::Arc;
use std::time::Duration;

/// The longest of what is kept of one prompt or answer, unless the configuration says otherwise.
const MAX: usize = 64 << 10;
/// How long it is kept, unless the configuration says otherwise.
const RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// What a route or a key sets for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what the setting of its name is set to")]
pub struct CapturePart {
    pub requests: Option<bool>,
    pub answers: Option<bool>,
    pub max: Option<usize>,
    pub retention: Option<Duration>,
    pub redact: Vec<Arc<str>>,
}

/// What is kept of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Its prompt.
    pub requests: bool,
    /// Its answer.
    pub answers: bool,
    /// At most so many bytes of each.
    pub max: usize,
    /// For so long.
    pub retention: Duration,
    /// What is taken out before anything is written, besides what always is: regular expressions.
    pub redact: Vec<Arc<str>>,
}

impl CapturePart {
    /// Whether it sets nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a key's own settings and its route's come to; none if nothing is kept. The key's count where both say something,
    /// except that what either takes out is taken out.
    #[must_use]
    pub fn over(&self, route: &Self) -> Option<Capture> {
        let on = |own: Option<bool>, wider: Option<bool>| own.or(wider).unwrap_or(false);
        let capture = Capture {
            requests: on(self.requests, route.requests),
            answers: on(self.answers, route.answers),
            max: self.max.or(route.max).unwrap_or(MAX),
            retention: self.retention.or(route.retention).unwrap_or(RETENTION),
            redact: route.redact.iter().chain(&self.redact).cloned().collect(),
        };
        (capture.requests || capture.answers).then_some(capture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_more_or_less_than_its_route_and_no_rule_of_either_is_lost() {
        let route =
            CapturePart { requests: Some(true), max: Some(100), redact: vec!["a".into()], ..CapturePart::default() };
        let nothing = CapturePart::default();
        let alone = nothing.over(&route).unwrap();
        assert_eq!((alone.requests, alone.answers, alone.max, alone.retention), (true, false, 100, RETENTION));
        let key = CapturePart { answers: Some(true), max: Some(7), redact: vec!["b".into()], ..CapturePart::default() };
        let both = key.over(&route).unwrap();
        assert_eq!((both.requests, both.answers, both.max), (true, true, 7));
        assert_eq!(both.redact, ["a".into(), "b".into()]);
        let exempt = CapturePart { requests: Some(false), ..CapturePart::default() };
        assert_eq!(exempt.over(&route), None);
        assert_eq!(nothing.over(&nothing), None, "off by default");
        assert!(nothing.is_empty() && !exempt.is_empty());
    }
}
