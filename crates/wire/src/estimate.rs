//! How many tokens a body probably is, before anyone has counted.
//!
//! A body is measured once, in a pass that costs a nanosecond a byte and no more than thirty microseconds: what it looks like to a
//! tokenizer, in some forty counts (`shape`). What a model makes of those is learned from the usage that its provider reports
//! (`learn`); before that, a prior knows what common vocabularies make of them. Media in base64 are not text: they are found
//! by probing, since a run of a kilobyte without a break must cover a probe every half of one, so a body of plain text costs a few hundred
//! looks. Why no exact tokenizer: docs/decisions/0014-token-estimates.md.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::json;
use weir_units::Tokens;

use self::learn::{Learned, by_prior};
use self::shape::{Features, Walk};

mod learn;
mod shape;

/// A token has at least one byte, and seldom more than this many.
const MOST_BYTES_PER_TOKEN: f64 = 16.0;
/// As much text as is looked at of a long body, in chunks of this size that are spread over it.
const LOOKED_AT: usize = 24 * 1_024;
const CHUNK: usize = 512;
/// The shortest run of base64 that is taken for media, and how far apart the probes for one are.
const MEDIA_BYTES: usize = 1_024;
const PROBE_STEP: usize = MEDIA_BYTES / 2;
const PROBE_BYTES: usize = 32;
/// What an image is taken for: the most that Anthropic makes of one at its usual size (vision guide, 2026).
const TOKENS_PER_IMAGE: u64 = 1_600;
/// A PDF's page is some 2,000 tokens and, as base64, some 66 kB.
const BASE64_BYTES_PER_PDF_TOKEN: usize = 33;
/// The most models that something is remembered of, some 9 kB each.
const MODELS_REMEMBERED: usize = 256;

/// What a body looks like to a tokenizer.
#[derive(Clone, Debug)]
pub struct Measure {
    features: Features,
    text_bytes: usize,
    media: bool,
    media_tokens: u64,
}

impl Measure {
    /// Whether images or documents are in it, whose tokens are not those of its text.
    #[must_use]
    pub fn has_media(&self) -> bool {
        self.media
    }
}

/// Measures a request's body; any bytes have a measure.
#[must_use]
pub fn measure(body: &[u8]) -> Measure {
    let mut media_tokens = 0;
    let media = media(body);
    let text_bytes = body.len() - media.iter().map(ExactSizeIterator::len).sum::<usize>();
    let mut walk = Walk::new();
    let mut done = 0;
    for run in &media {
        look(&mut walk, &body[done..run.start], text_bytes);
        media_tokens += tokens_of_media(&body[run.clone()]);
        done = run.end;
    }
    look(&mut walk, &body[done..], text_bytes);
    Measure { features: walk.features(text_bytes), text_bytes, media: !media.is_empty(), media_tokens }
}

/// Looks at the whole of a text, or at samples where it is part of a long one.
fn look(walk: &mut Walk, text: &[u8], all: usize) {
    if all <= LOOKED_AT {
        walk.over(text);
    } else {
        walk.over_samples(text, CHUNK, all * CHUNK / LOOKED_AT);
    }
}

/// The answer to a request to count tokens.
#[must_use]
pub fn count_tokens_answer(tokens: Tokens) -> Vec<u8> {
    json!({ "input_tokens": tokens.0 }).to_string().into_bytes()
}

/// What was learned of each model from the usage that was reported for it.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    models: BTreeMap<String, Remembered>,
    /// Counts observations, to know which model was seen least lately.
    clock: u64,
}

#[derive(Clone, Debug)]
struct Remembered {
    learned: Learned,
    seen_at: u64,
}

impl Calibration {
    /// Whether the next report of `model` is one to learn from: of a model that is known well by now not each is, and a body need
    /// not be measured for the others.
    pub fn is_due(&mut self, model: &str) -> bool {
        self.models.get_mut(model).is_none_or(|known| known.learned.is_due())
    }

    /// Takes in that a body of this measure was `tokens` of input to `model`. A body with media teaches nothing, and neither
    /// does a report that no text of its size can have.
    pub fn observe(&mut self, model: &str, measure: &Measure, tokens: Tokens) {
        let count = tokens.0 as f64;
        if measure.media || count == 0.0 || !possible(measure).contains(&count) {
            return;
        }
        self.clock += 1;
        if !self.models.contains_key(model) {
            if self.models.len() >= MODELS_REMEMBERED {
                self.forget_oldest();
            }
            self.models.insert(model.to_owned(), Remembered { learned: Learned::new(), seen_at: 0 });
        }
        let Some(remembered) = self.models.get_mut(model) else { return };
        remembered.learned.observe(&measure.features, count);
        remembered.seen_at = self.clock;
    }

    /// How many tokens a body of this measure is to `model`, its images and documents included; at least 1, and by the prior
    /// where nothing was learned. A text has from a byte to sixteen a token.
    #[must_use]
    pub fn estimate(&self, model: &str, measure: &Measure) -> Tokens {
        let prior = || by_prior(&measure.features);
        let text = self.models.get(model).map_or_else(prior, |known| known.learned.tokens(&measure.features));
        let text = if text.is_finite() { text } else { prior() };
        let range = possible(measure);
        let text = text.clamp(*range.start(), *range.end()).round() as u64;
        Tokens((text + measure.media_tokens).max(1))
    }

    fn forget_oldest(&mut self) {
        let oldest = self.models.iter().min_by_key(|(_, known)| known.seen_at).map(|(name, _)| name.clone());
        if let Some(name) = oldest {
            self.models.remove(&name);
        }
    }
}

/// The tokens that the text of a body can be.
fn possible(measure: &Measure) -> std::ops::RangeInclusive<f64> {
    let bytes = measure.text_bytes as f64;
    bytes / MOST_BYTES_PER_TOKEN..=bytes
}

/// The runs of base64 that are media.
fn media(body: &[u8]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut done = 0;
    let mut probe = PROBE_STEP;
    while probe + PROBE_BYTES <= body.len() {
        if !body[probe..probe + PROBE_BYTES].iter().all(|b| is_base64(*b)) {
            probe += PROBE_STEP;
            continue;
        }
        let start = body[done..probe].iter().rposition(|b| !is_base64(*b)).map_or(done, |at| done + at + 1);
        let end = body[probe..].iter().position(|b| !is_base64(*b)).map_or(body.len(), |at| probe + at);
        if end - start >= MEDIA_BYTES && is_media(&body[..start]) {
            runs.push(start..end);
        }
        done = end;
        probe = end + PROBE_STEP;
    }
    runs
}

fn tokens_of_media(base64: &[u8]) -> u64 {
    // "%PDF-" in base64.
    if base64.starts_with(b"JVBERi") {
        return TOKENS_PER_IMAGE.max((base64.len() / BASE64_BYTES_PER_PDF_TOKEN) as u64);
    }
    TOKENS_PER_IMAGE
}

/// Whether what stands before a run of base64 announces media: a data URL, or a member called `data`.
fn is_media(before: &[u8]) -> bool {
    let near = &before[before.len().saturating_sub(24)..];
    let opened = near.strip_suffix(b"\"").map(<[u8]>::trim_ascii_end).and_then(|near| near.strip_suffix(b":"));
    near.ends_with(b";base64,") || opened.is_some_and(|near| near.trim_ascii_end().ends_with(b"\"data\""))
}

/// Some write a slash as `\/`.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(body: &str) -> u64 {
        Calibration::default().estimate("m", &measure(body.as_bytes())).0
    }

    #[test]
    fn before_anything_is_learned_a_word_is_about_a_token() {
        assert_eq!(tokens(""), 1);
        assert!((80_000..110_000).contains(&tokens(&"some more word ".repeat(33_333))));
        assert!((40..60).contains(&tokens(r#"{"model":"m","messages":[{"role":"user","content":"What is the difference between a lake and a pond? Please answer in one short sentence, and do not use the word water. Then name three lakes in Finland that are worth a visit in June."}]}"#)));
    }

    #[test]
    fn media_are_no_text() {
        let image = "iVBORw0KGgo".to_owned() + &"A1b+".repeat(100_000);
        for body in [
            format!(r#"{{"url":"data:image/png;base64,{image}"}}"#),
            format!(r#"{{"type":"base64","data": "{image}"}}"#),
        ] {
            assert!((1_600..1_620).contains(&tokens(&body)), "{}", tokens(&body));
            let measure = measure(body.as_bytes());
            assert!(measure.text_bytes < 60 && measure.has_media());
        }
        let two = format!(r#"["data:image/png;base64,{image}", "x", "data:image/png;base64,{image}"]"#);
        assert!((3_200..3_240).contains(&tokens(&two)));
        let pdf = format!(r#"{{"data":"JVBERi{}"}}"#, "A1b+".repeat(825_000));
        assert!((100_000..100_020).contains(&tokens(&pdf)));
        let unannounced = "A1b+".repeat(1_000);
        assert!(!measure(unannounced.as_bytes()).has_media(), "a long word is text");
    }

    #[test]
    fn what_a_model_makes_of_a_text_is_learned() {
        let mut calibration = Calibration::default();
        let body = measure(&b"Some words of a text, as they come. ".repeat(20));
        let before = calibration.estimate("m", &body);
        for _ in 0..100 {
            calibration.observe("m", &body, Tokens(400));
        }
        assert_eq!(calibration.estimate("m", &body), Tokens(400));
        assert_eq!(calibration.estimate("another", &body), before, "each model has its own tokenizer");
        assert_eq!(count_tokens_answer(Tokens(7)), br#"{"input_tokens":7}"#);
    }

    #[test]
    fn of_a_model_that_is_known_well_one_report_in_32_is_learned_from_and_one_in_eight_while_it_surprises() {
        let mut calibration = Calibration::default();
        let body = measure(&b"some words ".repeat(10));
        assert!(calibration.is_due("m") && calibration.is_due("m"), "nothing is known of it yet");
        calibration.observe("m", &body, Tokens(30));
        assert!((0..512).all(|_| calibration.is_due("m")));
        assert_eq!((0..800).filter(|_| calibration.is_due("m")).count(), 100);
        (0..300).for_each(|_| calibration.observe("m", &body, Tokens(30)));
        assert_eq!((0..800).filter(|_| calibration.is_due("m")).count(), 25);
        (0..100).for_each(|round| calibration.observe("m", &body, Tokens(if round % 2 == 0 { 26 } else { 34 })));
        assert_eq!((0..800).filter(|_| calibration.is_due("m")).count(), 100);
        assert!(calibration.is_due("another"));
    }

    #[test]
    fn a_report_that_cannot_be_teaches_nothing() {
        let mut calibration = Calibration::default();
        let text = measure(&[b'x'; 400]);
        let image = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "A".repeat(100_000));
        for (body, count) in
            [(&text, 0), (&text, 401), (&text, 24), (&measure(b""), 1), (&measure(image.as_bytes()), 20)]
        {
            calibration.observe("m", body, Tokens(count));
        }
        assert!(calibration.models.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let mut calibration = Calibration::default();
        let body = measure(&b"some words ".repeat(10));
        for n in 0..MODELS_REMEMBERED + 100 {
            calibration.observe(&n.to_string(), &body, Tokens(100));
        }
        assert_eq!(calibration.models.len(), MODELS_REMEMBERED);
        assert!(!calibration.models.contains_key("0") && calibration.models.contains_key("300"));
    }

    proptest! {
        /// Whatever is measured and reported, an estimate is one that a text of that size can have.
        #[test]
        fn garbage_never_leaves_the_possible(seen in prop::collection::vec((any::<Vec<u8>>(), 1_usize..400, any::<u16>()), 1..4)) {
            let mut calibration = Calibration::default();
            for (bytes, times, count) in seen {
                let body = bytes.repeat(times);
                let measure = measure(&body);
                calibration.observe("m", &measure, Tokens(u64::from(count)));
                let estimate = calibration.estimate("m", &measure).0;
                prop_assert!(estimate >= 1 && estimate <= (body.len() as u64).max(1));
                prop_assert!(estimate >= body.len() as u64 / 16);
            }
        }
    }
}
