//! How many tokens a body probably is, before anyone has counted.
//!
//! Four bytes a token is the providers' own rule of thumb for English. Media in base64 are not text: they are found by
//! probing, since a run of a kilobyte without a break must cover a probe every half of one, so a body of plain text costs a
//! few hundred looks. What a model really makes of a byte is learned from the usage that its provider reports.

use std::collections::BTreeMap;

use serde_json::json;
use weir_units::Tokens;

use crate::dialect::Endpoint;

const BYTES_PER_TOKEN: f64 = 4.0;
/// The shortest run of base64 that is taken for media, and how far apart the probes for one are.
const MEDIA_BYTES: usize = 1_024;
const PROBE_STEP: usize = MEDIA_BYTES / 2;
const PROBE_BYTES: usize = 32;
/// What an image is taken for: the most that Anthropic makes of one at its usual size (vision guide, 2026).
const TOKENS_PER_IMAGE: u64 = 1_600;
/// A PDF's page is some 2,000 tokens and, as base64, some 66 kB.
const BASE64_BYTES_PER_PDF_TOKEN: usize = 33;
/// The most models whose bytes per token are remembered.
const MODELS_REMEMBERED: usize = 1_024;

/// The estimated input tokens of a request; at least 1.
#[must_use]
pub fn estimate_tokens(_endpoint: Endpoint, body: &[u8]) -> Tokens {
    let measure = measure(body);
    let text = (measure.text_bytes as f64 / BYTES_PER_TOKEN).ceil() as u64;
    Tokens((text + measure.media_tokens).max(1))
}

/// The bytes of `body` that are not media: what [`Calibration`] counts in.
#[must_use]
pub fn text_bytes(body: &[u8]) -> u64 {
    measure(body).text_bytes as u64
}

/// The answer to a request to count tokens.
#[must_use]
pub fn count_tokens_answer(tokens: Tokens) -> Vec<u8> {
    json!({ "input_tokens": tokens.0 }).to_string().into_bytes()
}

/// Bytes per token of each model, learned from the usage that was reported for it.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    models: BTreeMap<String, Learned>,
    /// Counts observations, to know which model was seen least lately.
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    bytes: f64,
    tokens: f64,
    seen_at: u64,
}

impl Calibration {
    /// Takes in that `bytes` of text (see [`text_bytes`]) were `tokens` of input to `model`.
    pub fn observe(&mut self, model: &str, bytes: u64, tokens: Tokens) {
        if bytes == 0 || tokens.0 == 0 {
            return;
        }
        self.clock += 1;
        if !self.models.contains_key(model) {
            if self.models.len() >= MODELS_REMEMBERED {
                self.forget_oldest();
            }
            self.models.insert(model.to_owned(), Learned { bytes: 0.0, tokens: 0.0, seen_at: 0 });
        }
        let Some(learned) = self.models.get_mut(model) else { return };
        learned.bytes += bytes as f64;
        learned.tokens += tokens.0 as f64;
        learned.seen_at = self.clock;
        // Halving both keeps the ratio and lets what came lately weigh more.
        if learned.tokens > 1e6 {
            learned.bytes /= 2.0;
            learned.tokens /= 2.0;
        }
    }

    /// How many tokens `bytes` of text are to `model`, at least 1; by the rule of thumb where nothing was learned.
    #[must_use]
    pub fn estimate(&self, model: &str, bytes: u64) -> Tokens {
        let ratio = self.models.get(model).map_or(BYTES_PER_TOKEN, |learned| learned.bytes / learned.tokens);
        Tokens(((bytes as f64 / ratio).ceil() as u64).max(1))
    }

    /// How many tokens a whole request's `body` is to `model`, its images and documents included.
    #[must_use]
    pub fn estimate_body(&self, model: &str, body: &[u8]) -> Tokens {
        let measure = measure(body);
        Tokens(self.estimate(model, measure.text_bytes as u64).0 + measure.media_tokens)
    }

    fn forget_oldest(&mut self) {
        let oldest = self.models.iter().min_by_key(|(_, learned)| learned.seen_at).map(|(name, _)| name.clone());
        if let Some(name) = oldest {
            self.models.remove(&name);
        }
    }
}

struct Measure {
    text_bytes: usize,
    media_tokens: u64,
}

fn measure(body: &[u8]) -> Measure {
    let mut measure = Measure { text_bytes: body.len(), media_tokens: 0 };
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
            measure.text_bytes -= end - start;
            measure.media_tokens += media_tokens(&body[start..end]);
        }
        done = end;
        probe = end + PROBE_STEP;
    }
    measure
}

fn media_tokens(base64: &[u8]) -> u64 {
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
    use super::*;

    fn tokens(body: &str) -> u64 {
        estimate_tokens(Endpoint::ChatCompletions, body.as_bytes()).0
    }

    #[test]
    fn text_is_a_token_for_four_bytes() {
        assert_eq!(tokens(""), 1);
        assert_eq!(tokens("abcdefgh"), 2);
        assert_eq!(tokens(&"word ".repeat(20_000)), 25_000);
    }

    #[test]
    fn media_are_no_text() {
        let image = "iVBORw0KGgo".to_owned() + &"A1b+".repeat(100_000);
        for body in [
            format!(r#"{{"url":"data:image/png;base64,{image}"}}"#),
            format!(r#"{{"type":"base64","data": "{image}"}}"#),
        ] {
            assert!((1_600..1_620).contains(&tokens(&body)), "{}", tokens(&body));
            assert!(text_bytes(body.as_bytes()) < 60);
        }
        let two = format!(r#"["data:image/png;base64,{image}", "x", "data:image/png;base64,{image}"]"#);
        assert!((3_200..3_240).contains(&tokens(&two)));
        let pdf = format!(r#"{{"data":"JVBERi{}"}}"#, "A1b+".repeat(825_000));
        assert!((100_000..100_020).contains(&tokens(&pdf)));
        let unannounced = "A1b+".repeat(1_000);
        assert_eq!(tokens(&unannounced), 1_000, "a long word is text");
    }

    #[test]
    fn a_models_own_ratio_is_learned() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.estimate("m", 400), Tokens(100));
        for _ in 0..10_000 {
            calibration.observe("m", 200, Tokens(100));
        }
        assert_eq!(calibration.estimate("m", 400), Tokens(200));
        calibration.observe("m", 0, Tokens(5));
        calibration.observe("m", 5, Tokens(0));
        assert_eq!(calibration.estimate("m", 400), Tokens(200));
        assert_eq!(calibration.estimate("m", 0), Tokens(1));
        assert_eq!(count_tokens_answer(Tokens(7)), br#"{"input_tokens":7}"#);
    }

    #[test]
    fn a_body_is_its_text_by_what_was_learned_and_its_images() {
        let mut calibration = Calibration::default();
        let image = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "A".repeat(100_000));
        assert_eq!(calibration.estimate_body("m", &[b' '; 400]), Tokens(100));
        let before = calibration.estimate_body("m", image.as_bytes());
        assert!((Tokens(TOKENS_PER_IMAGE)..Tokens(TOKENS_PER_IMAGE + 20)).contains(&before), "{before:?}");
        calibration.observe("m", 200, Tokens(100));
        assert_eq!(calibration.estimate_body("m", &[b' '; 400]), Tokens(200));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let mut calibration = Calibration::default();
        for n in 0..2_000 {
            calibration.observe(&n.to_string(), 100, Tokens(100));
        }
        assert_eq!(calibration.models.len(), MODELS_REMEMBERED);
        assert_eq!(calibration.estimate("0", 100), Tokens(25));
        assert_eq!(calibration.estimate("1999", 100), Tokens(100));
    }
}
