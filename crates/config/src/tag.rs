//! Tags of requests, `team=ml`: what they may be made of, in the config and in `x-weir-tags` alike.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name, and the longest value, in bytes.
const NAME: usize = 64;
const VALUE: usize = 128;

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// Letters, digits, `_`, `.` and `-`.
    pub name: Arc<str>,
    /// Those, and `/`, `:`, `@`, `+` and spaces within.
    pub value: Arc<str>,
}

/// Why a text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagError {
    /// There is no `=` in it.
    NoEquals,
    /// What is before the `=`.
    Name,
    /// What is after it.
    Value,
}

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEquals => f.write_str("it has no `=`: write `name=value`"),
            Self::Name => write!(f, "its name must be 1 to {NAME} letters, digits, `_`, `.` and `-`"),
            Self::Value => {
                write!(
                    f,
                    "its value must be 1 to {VALUE} letters, digits, spaces and `_`, `.`, `-`, `/`, `:`, `@`, `+`"
                )
            }
        }
    }
}

impl std::error::Error for TagError {}

/// Reads `name=value`; spaces around either do not count.
impl FromStr for Tag {
    type Err = TagError;
    fn from_str(text: &str) -> Result<Self, TagError> {
        let (name, value) = text.split_once('=').ok_or(TagError::NoEquals)?;
        let (name, value) = (name.trim_matches(' '), value.trim_matches(' '));
        let fits = |text: &str, most: usize, also: &[u8]| {
            (1..=most).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        };
        if !fits(name, NAME, b"_.-") {
            return Err(TagError::Name);
        }
        if !fits(value, VALUE, b"_.-/:@+ ") {
            return Err(TagError::Value);
        }
        Ok(Self { name: name.into(), value: value.into() })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_name_and_a_value_of_harmless_characters() {
        for (text, shown) in [("team=ml", "team=ml"), (" a.b = x/y:z@1 2 ", "a.b=x/y:z@1 2")] {
            assert_eq!(text.parse::<Tag>().unwrap().to_string(), shown);
        }
        let (long_name, long_value) = (format!("{}=x", "n".repeat(65)), format!("a={}", "v".repeat(129)));
        for (text, error) in [
            ("team", TagError::NoEquals),
            ("", TagError::NoEquals),
            ("=ml", TagError::Name),
            ("te am=ml", TagError::Name),
            ("team\"=ml", TagError::Name),
            (&long_name, TagError::Name),
            ("team=", TagError::Value),
            ("team=a=b", TagError::Value),
            ("team=<b>", TagError::Value),
            ("team=\u{fc}", TagError::Value),
            (&long_value, TagError::Value),
        ] {
            assert_eq!(text.parse::<Tag>(), Err(error), "{text}");
        }
    }
}
