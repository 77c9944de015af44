//! What is wrong with a config, said so that a person can fix it: what, where, and a hint.
//!
//! Faults are values, not an early return: `weir check` prints all of them at once, in the order of the file.

use std::fmt;
use std::sync::Arc;

use crate::Config;

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong, or that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, with the value at fault in backticks. Never a secret.
    pub message: String,
    /// Where, if it is about a place in a file.
    pub place: Option<Place>,
    /// What to do about it: a value to paste, a command, the nearest name.
    pub hint: Option<String>,
}

impl Fault {
    /// The fault as a warning: `warning: …`, then where and hint.
    #[must_use]
    pub fn as_warning(&self) -> String {
        self.render("warning")
    }

    fn render(&self, label: &str) -> String {
        let mut text = format!("{label}: {}", self.message);
        match (&self.place, &self.hint) {
            (Some(place), Some(hint)) => text.push_str(&format!("\n  where  {place}   hint  {hint}")),
            (Some(place), None) => text.push_str(&format!("\n  where  {place}")),
            (None, Some(hint)) => text.push_str(&format!("\n  hint  {hint}")),
            (None, None) => {}
        }
        text
    }
}

/// The fault as an error: `error: …`, then where and hint.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render("error"))
    }
}

/// What reading a config led to.
#[derive(Debug)]
pub struct Report {
    /// The config, if nothing was at fault.
    pub config: Option<Config>,
    /// Everything at fault, in the order of the file.
    pub faults: Vec<Fault>,
    /// What works, and a person should know all the same.
    pub warnings: Vec<Fault>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_prints_what_where_and_hint() {
        let place = Place { file: "weir.toml".into(), line: 41, column: 16 };
        let mut fault = Fault {
            message: "route `smart` sends to `opnai/gpt-5.2`, and no provider is named `opnai`".to_owned(),
            place: Some(place),
            hint: Some("did you mean `openai/gpt-5.2`?".to_owned()),
        };
        assert_eq!(
            fault.to_string(),
            "error: route `smart` sends to `opnai/gpt-5.2`, and no provider is named `opnai`\n  \
             where  weir.toml:41:16   hint  did you mean `openai/gpt-5.2`?"
        );
        (fault.place, fault.hint) = (None, None);
        assert!(fault.as_warning().starts_with("warning: route `smart`") && !fault.as_warning().contains('\n'));
    }
}
