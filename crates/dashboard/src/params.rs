//! A page's address: its path and parameters. The address is the whole state of a page, so links are made from it.

/// Most of a query that is read.
const LONGEST: usize = 8_192;
/// Most parameters that are read.
const MOST: usize = 64;

/// A path with its parameters, decoded, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a path's query; of what is too long the rest is left out.
    #[must_use]
    pub fn read(path: &str, query: &str) -> Self {
        let end = (0..=LONGEST.min(query.len())).rev().find(|at| query.is_char_boundary(*at)).unwrap_or(0);
        let parts = query[..end].split('&').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).take(MOST);
        let pairs = pairs.map(|(name, value)| (decoded(name), decoded(value)));
        Self { path: path.to_owned(), pairs: pairs.filter(|(_, value)| !value.is_empty()).collect() }
    }

    /// The path alone.
    #[must_use]
    pub fn at(path: &str) -> Self {
        Self { path: path.to_owned(), pairs: Vec::new() }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same with one parameter set.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut with = self.without(name);
        with.pairs.push((name.to_owned(), value.to_owned()));
        with
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut without = self.clone();
        without.pairs.retain(|(known, _)| known != name);
        without
    }

    /// Another page with these parameters of this one, where they are set.
    #[must_use]
    pub fn to(&self, path: &str, keep: &[&str]) -> Self {
        let kept = self.pairs.iter().filter(|(name, _)| keep.contains(&name.as_str()));
        Self { path: path.to_owned(), pairs: kept.cloned().collect() }
    }

    /// As a link.
    #[must_use]
    pub fn href(&self) -> String {
        let mut text = self.path.clone();
        for (place, (name, value)) in self.pairs.iter().enumerate() {
            text.push(if place == 0 { '?' } else { '&' });
            text.push_str(&encoded(name));
            text.push('=');
            text.push_str(&encoded(value));
        }
        text
    }

    /// The query alone.
    #[must_use]
    pub fn query(&self) -> String {
        self.href().split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default()
    }
}

/// Percent-encodes all but what never needs it.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b':' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A part of a path: slashes are encoded too.
#[must_use]
pub fn segment(text: &str) -> String {
    encoded(text).replace('/', "%2F").replace(':', "%3A")
}

/// Undoes percent-encoding, and plus signs for spaces as forms write them; what is no UTF-8 is replaced.
#[must_use]
pub fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        let hex = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, hex(place + 1), hex(place + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                place += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_link_changes_one_thing_and_keeps_the_rest() {
        let page = Params::read("/dashboard/requests", "range=6h&route=smart&status=");
        assert_eq!(page.href(), "/dashboard/requests?range=6h&route=smart");
        assert_eq!(page.with("route", "a b&c").href(), "/dashboard/requests?range=6h&route=a%20b%26c");
        assert_eq!(page.without("route").without("range").href(), "/dashboard/requests");
        assert_eq!(page.to("/dashboard", &["range"]).href(), "/dashboard?range=6h");
        assert_eq!(segment("a/b:c"), "a%2Fb%3Ac");
    }

    proptest! {
        #[test]
        fn what_a_link_says_is_read_again(name in "[a-z]{1,9}", value in ".{1,40}") {
            let page = Params::at("/p").with(&name, &value);
            let href = page.href();
            let (_, query) = href.split_once('?').unwrap();
            prop_assert!(href.is_ascii() && !href.contains(['"', '<', ' ']));
            prop_assert_eq!(Params::read("/p", query), page);
        }

        #[test]
        fn no_query_is_too_strange(query: String) {
            let _ = Params::read("/p", &query).href();
        }
    }
}
