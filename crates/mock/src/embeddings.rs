//! Embeddings: vectors of unit length, always the same for the same text.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::ask::{Invalid, hash_of, mix};
use crate::check::{Checked, maybe, missing, object, text, text_field, whole, wrong};

pub(crate) struct Embedding {
    pub(crate) model: String,
    pub(crate) input_tokens: u64,
    inputs: Vec<u64>,
    dimensions: usize,
    base64: bool,
}

pub(crate) fn read(body: &Value) -> Checked<Embedding> {
    let body = object(body, "")?;
    let model = text_field(body, "model", "")?.to_owned();
    let mut input_tokens = 0;
    let mut inputs = Vec::new();
    let mut add = |text: &str| {
        input_tokens += (text.chars().count() as u64).div_ceil(4).max(1);
        inputs.push(hash_of(text));
    };
    match body.get("input").ok_or_else(|| missing("input"))? {
        Value::String(one) if !one.is_empty() => add(one),
        Value::Array(list) if list.first().is_some_and(Value::is_number) => {
            add(&Value::Array(list.clone()).to_string())
        }
        Value::Array(list) if !list.is_empty() && list.len() <= 2_048 => {
            for (n, item) in list.iter().enumerate() {
                match item {
                    Value::Array(tokens) => add(&Value::Array(tokens.clone()).to_string()),
                    other => add(text(other, &format!("input[{n}]"))?),
                }
            }
        }
        Value::String(_) | Value::Array(_) => {
            return Err(Invalid::new("input", "'$.input' is invalid: it must hold 1 to 2048 texts."));
        }
        other => return Err(wrong("input", "a string or an array", other)),
    }
    let base64 = match maybe(body, "encoding_format").map(|f| text(f, "encoding_format")).transpose()? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            return Err(Invalid::new(
                "encoding_format",
                format!("Invalid value: '{other}'. Supported values are: 'float' and 'base64'."),
            ));
        }
    };
    let dimensions = whole(body, "dimensions", 1)?.unwrap_or(256);
    if dimensions > 4_096 {
        return Err(Invalid::new(
            "dimensions",
            "Invalid 'dimensions': integer above maximum value. Expected a value <= 4096.",
        ));
    }
    Ok(Embedding { model, input_tokens, inputs, dimensions: usize::try_from(dimensions).unwrap_or(256), base64 })
}

pub(crate) fn whole_answer(ask: &Embedding) -> Value {
    let data: Vec<Value> = ask
        .inputs
        .iter()
        .enumerate()
        .map(|(index, seed)| {
            let vector = vector(*seed, ask.dimensions);
            let embedding = if ask.base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                json!(base64::engine::general_purpose::STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    json!({
        "object": "list", "data": data, "model": ask.model,
        "usage": { "prompt_tokens": ask.input_tokens, "total_tokens": ask.input_tokens },
    })
}

fn vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let raw: Vec<f64> = (0..dimensions as u64)
        .map(|n| f64::from(u32::try_from(mix(seed.wrapping_add(n)) >> 32).unwrap_or(0)) / f64::from(u32::MAX) - 0.5)
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_possible_truncation, reason = "an embedding is made of 32-bit floats")]
    raw.iter().map(|x| (x / length) as f32).collect()
}
