//! Single values: durations, sizes, numbers, addresses, choices.

use std::net::SocketAddr;
use std::path::Path;

use toml::de::DeValue;
use weir_units::{NanoUsd, TokenPrice, parse_duration};

use super::Wrong;
use crate::log::shown;
use crate::nearest::nearest;
use crate::reference::Shape;
use crate::url::Url;
use crate::written::Value;

/// Reads one value; `None` is one of the wrong type.
pub(super) fn read(shape: &Shape, written: &DeValue<'_>, folder: &Path) -> Result<Option<Value>, Wrong> {
    let value = match (shape, written) {
        (Shape::Flag, DeValue::Boolean(flag)) => Value::Flag(*flag),
        (Shape::Size, DeValue::Integer(_)) => Value::Count(whole(written, 1, shape)?),
        (Shape::Count(least), DeValue::Integer(_)) => Value::Count(whole(written, *least, shape)?),
        (Shape::Share, DeValue::Integer(_) | DeValue::Float(_)) => Value::Share(share(written)?),
        (Shape::Amount, DeValue::Integer(_) | DeValue::Float(_)) => Value::Text(amount(&number(written))?),
        (Shape::Price, DeValue::Integer(_) | DeValue::Float(_)) => Value::Text(price(&number(written))?),
        (_, DeValue::String(text)) => return of_text(shape, text, folder),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn of_text(shape: &Shape, text: &str, folder: &Path) -> Result<Option<Value>, Wrong> {
    let empty = || Wrong { message: "is empty".to_owned(), hint: Some(format!("write {}", shape.expected())) };
    if text.trim().is_empty() {
        return Err(empty());
    }
    let value = match shape {
        Shape::Text | Shape::TextOrSecret => Value::Text(text.to_owned()),
        Shape::Amount => Value::Text(amount(text)?),
        Shape::Price => Value::Text(price(text)?),
        Shape::Path => Value::Path(folder.join(text)),
        Shape::Size => Value::Count(size(text)?),
        Shape::Url => {
            let wrong = |why| Wrong { message: format!("`{}` {why}", shown(text)), hint: None };
            Value::Text(Url::parse(text).map_err(wrong)?.text.to_owned())
        }
        Shape::Span(least_ms) => {
            let span = parse_duration(text).map_err(|error| Wrong {
                message: format!("is {}", error.to_string().split(':').next().unwrap_or_default()).replace("is `", "`"),
                hint: Some(format!("write {}", shape.expected())),
            })?;
            if span.as_millis() < u128::from(*least_ms) {
                let least = weir_units::format_duration(std::time::Duration::from_millis(*least_ms));
                return Err(Wrong { message: format!("`{}` is shorter than `{least}`", shown(text)), hint: None });
            }
            Value::Span(span)
        }
        Shape::Address => Value::Address(address(text)?),
        Shape::Choice(words) => {
            if !words.contains(&text) {
                let hint = nearest(text, words.iter().copied())
                    .map_or_else(|| format!("write {}", shape.expected()), |near| format!("did you mean `{near}`?"));
                return Err(Wrong { message: format!("has no choice `{}`", shown(text)), hint: Some(hint) });
            }
            Value::Text(text.to_owned())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// A number as it was written, without the underscores.
fn number(written: &DeValue<'_>) -> String {
    match written {
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| number.to_string(), |n| n.to_string())
        }
        DeValue::Float(number) => number.as_str().to_owned(),
        _ => String::new(),
    }
}

fn whole(written: &DeValue<'_>, least: u64, shape: &Shape) -> Result<u64, Wrong> {
    let text = number(written);
    // TOML's own integers end here, and so do SQLite's.
    match text.parse::<u64>() {
        Ok(count) if count >= least && i64::try_from(count).is_ok() => Ok(count),
        _ => {
            Err(Wrong { message: format!("is `{}`", shown(&text)), hint: Some(format!("write {}", shape.expected())) })
        }
    }
}

fn share(written: &DeValue<'_>) -> Result<f64, Wrong> {
    let text = number(written);
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(Wrong {
            message: format!("is `{}`", shown(&text)),
            hint: Some("a share is from 0 to 1: 10 % is 0.1".to_owned()),
        }),
    }
}

/// Money stays text until it becomes an integer: a float on the way would change it.
fn amount(text: &str) -> Result<String, Wrong> {
    match text.parse::<NanoUsd>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Wrong {
            message: format!("is `{}`, {error}", shown(text)),
            hint: Some(format!("write {}", Shape::Amount.expected())),
        }),
    }
}

fn price(text: &str) -> Result<String, Wrong> {
    let wrong = |why: String| Wrong {
        message: format!("is `{}`, {why}", shown(text)),
        hint: Some(format!("write {}", Shape::Price.expected())),
    };
    match text.parse::<TokenPrice>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Reads `"32MiB"`, `"1GB"`, `"512 KiB"`, `"100"`: a whole number and its unit, decimal or binary.
fn size(text: &str) -> Result<u64, Wrong> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let scale: Option<u64> = match unit.trim_start() {
        "" | "B" => Some(1),
        "kB" | "KB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(scale).and_then(|(count, scale)| count.checked_mul(scale));
    match bytes {
        Some(bytes) if bytes > 0 && usize::try_from(bytes).is_ok() && i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(Wrong {
            message: format!("`{}` is not a size", shown(text)),
            hint: Some(format!("write {}", Shape::Size.expected())),
        }),
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| {
        let hint = match text.strip_prefix(':') {
            Some(port) => format!("write `\"127.0.0.1:{port}\"` for this machine, `\"0.0.0.0:{port}\"` for all"),
            None => format!("write {}", Shape::Address.expected()),
        };
        Wrong { message: format!("`{}` is not an address and port", shown(text)), hint: Some(hint) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read() {
        for (text, bytes) in [("32MiB", 32 << 20), ("1GB", 1_000_000_000), ("512 KiB", 512 << 10), ("100", 100)] {
            assert_eq!(size(text).ok(), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "0", "1TiB!", "99999999999999GiB", "9223372036854775808"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_stay_decimal() {
        for text in ["20.00", "0", "1.75", "0.000000001"] {
            assert_eq!(amount(text).ok().as_deref(), Some(text));
        }
        for text in ["", "-1", "1e3", ".5", "5.", "1,000", "inf", "nan", "1000000000000000000"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_read() {
        assert_eq!(address("localhost:80").ok(), Some(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert!(address("[::1]:80").is_ok());
        let wrong = address(":4141").err().unwrap();
        assert!(wrong.hint.unwrap().contains("127.0.0.1:4141"));
        assert!(address("example.com:80").is_err() && address("127.0.0.1").is_err());
    }
}
