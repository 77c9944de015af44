//! Composes the answer to a request: always the same words for the same conversation.
//!
//! What a client wants to test can be asked for in the last user turn: `tool` calls a tool, `tools twice` calls two,
//! `echo …` says the rest back, `words=N` sets the length, and who is asked to `clarify` asks back. Else the words are drawn by the conversation's hash.

use serde_json::Value;

use crate::ask::{Ask, Choice, Format, hash_of, mix};
use crate::schema;

/// The longest answer that can be asked for, in tokens: an answer is held in memory while it is played.
const MOST_TOKENS: u64 = 20_000;

/// Words of an answer; some are long in bytes, so that a relay that cuts characters is found out.
const WORDS: [&str; 32] = [
    "water", "keeps", "its", "level", "while", "rivers", "carry", "what", "they", "can", "and", "a", "low", "dam",
    "measures", "each", "drop", "that", "passes", "naïve", "floods", "wait", "upstream", "→", "calm", "水", "returns",
    "by", "evening", "🌊", "again", "slowly",
];

/// An answer, ready to be said in any dialect.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) reasoning: Vec<String>,
    pub(crate) content: Content,
    pub(crate) finish: Finish,
    pub(crate) output_tokens: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// The text, a token each.
    Text(Vec<String>),
    Calls(Vec<Call>),
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The arguments' JSON, in the fragments that a stream sends.
    pub(crate) fragments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    End,
    StopSequence(String),
    Length,
    Tools,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        match &self.content {
            Content::Text(tokens) => tokens.concat(),
            Content::Calls(_) => String::new(),
        }
    }

    pub(crate) fn reasoning_text(&self) -> String {
        self.reasoning.concat()
    }
}

/// The `index`-th choice of the answer to `ask`.
pub(crate) fn compose(ask: &Ask, index: u64) -> Answer {
    let seed = mix(ask.seed ^ index.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut left = ask.max_output.unwrap_or(MOST_TOKENS).min(MOST_TOKENS / ask.n.max(1));
    let mut reasoning = if ask.reasons { reasoning(seed) } else { Vec::new() };
    let mut finish = if shorten(&mut reasoning, &mut left) { Finish::Length } else { Finish::End };
    let content = if let Some(calls) = calls(ask, seed) {
        // A call is whole or not at all: half of its arguments helps nobody, and providers bound it likewise.
        if finish == Finish::End {
            finish = Finish::Tools;
        }
        Content::Calls(calls)
    } else {
        let mut tokens = said(ask, seed);
        if finish == Finish::End
            && let Some(stop) = stop_at(&mut tokens, &ask.stops)
        {
            finish = Finish::StopSequence(stop);
        }
        if shorten(&mut tokens, &mut left) {
            finish = Finish::Length;
        }
        Content::Text(tokens)
    };
    let spoken = match &content {
        Content::Text(tokens) => tokens.len(),
        Content::Calls(calls) => calls.iter().map(|call| call.fragments.len() + 2).sum(),
    };
    Answer { output_tokens: (reasoning.len() + spoken) as u64, reasoning, content, finish }
}

/// The signature of a thinking block: only what this mock thought verifies, as at the real provider.
pub(crate) fn signature(thinking: &str) -> String {
    format!("bW9jaw{:016x}", mix(hash_of(thinking)))
}

fn shorten(tokens: &mut Vec<String>, left: &mut u64) -> bool {
    let cut = tokens.len() as u64 > *left;
    tokens.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= tokens.len() as u64;
    cut
}

fn reasoning(seed: u64) -> Vec<String> {
    ["The", " answer", " follows", " from", " the", " hash", &format!(" {:04x}", seed & 0xffff), "."]
        .map(str::to_owned)
        .to_vec()
}

fn said(ask: &Ask, seed: u64) -> Vec<String> {
    match &ask.format {
        Format::Schema(schema) => return pieces(&schema::fit(schema, seed).to_string()),
        Format::Json => return pieces(&serde_json::json!({ "answer": format!("{seed:016x}") }).to_string()),
        Format::Text => {}
    }
    let last = ask.last_user.as_deref().unwrap_or_default();
    if let Some(rest) = last.strip_prefix("echo ") {
        return pieces(rest);
    }
    if last.contains("clarify") {
        // As an agent that stamps what it says: no two are equal to the letter, and none says anything new.
        let stamp = 1_700_000_000 + seed % 100_000_000;
        return pieces(&format!("[{stamp}] Before I go on, could you clarify what exactly you mean by that?"));
    }
    if let Some(result) = &ask.last_result {
        return pieces(&format!("The tool said: {}", result.chars().take(200).collect::<String>()));
    }
    let mut tokens = match ask.images {
        0 => Vec::new(),
        1 => pieces("I see 1 image. "),
        n => pieces(&format!("I see {n} images. ")),
    };
    let wanted = words_wanted(last).unwrap_or(16 + mix(seed) % 17);
    for n in 0..wanted.min(MOST_TOKENS) {
        let word = WORDS[usize::try_from(mix(seed.wrapping_add(n)) % WORDS.len() as u64).unwrap_or(0)];
        tokens.push(if n == 0 { word.to_owned() } else { format!(" {word}") });
    }
    tokens
}

fn words_wanted(text: &str) -> Option<u64> {
    let digits = text.split("words=").nth(1)?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Splits a text into tokens of a word or at most six characters, which join to the same text.
fn pieces(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut token = String::new();
    for c in text.chars() {
        if !token.is_empty() && (c == ' ' || token.chars().count() == 6) {
            tokens.push(std::mem::take(&mut token));
        }
        token.push(c);
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

/// Ends the text before the first stop sequence, and says which it was.
fn stop_at(tokens: &mut Vec<String>, stops: &[String]) -> Option<String> {
    let text = tokens.concat();
    let (at, stop) = stops.iter().filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop))).min()?;
    *tokens = pieces(&text[..at]);
    Some(stop.clone())
}

fn calls(ask: &Ask, seed: u64) -> Option<Vec<Call>> {
    let last = ask.last_user.as_deref().unwrap_or_default().to_lowercase();
    let tool = match &ask.choice {
        Choice::None => return None,
        Choice::Auto if !last.contains("tool") => return None,
        Choice::Auto | Choice::Required => ask.tools.first()?,
        Choice::Named(name) => ask.tools.iter().find(|tool| tool.name == *name)?,
    };
    let second = ask.tools.iter().find(|other| other.name != tool.name).unwrap_or(tool);
    let twice = ask.parallel && last.contains("tools twice");
    let chosen = std::iter::once(tool).chain(twice.then_some(second));
    Some(
        chosen
            .enumerate()
            .map(|(n, tool)| {
                let seed = mix(seed.wrapping_add(n as u64));
                let arguments = match schema::fit(&tool.schema, seed) {
                    Value::Object(map) => Value::Object(map),
                    _ => Value::Object(serde_json::Map::new()),
                };
                Call {
                    id: format!("call_{seed:016x}"),
                    name: tool.name.clone(),
                    fragments: pieces(&arguments.to_string()),
                }
            })
            .collect(),
    )
}
