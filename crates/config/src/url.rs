//! The few questions the config asks of an http address.
//!
//! It need not be resolved or normalised here, only be one that can be called, so no URL library is worth its tree.

use std::net::IpAddr;

/// An address that can be called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    /// The whole, without slashes at its end.
    pub(crate) text: &'a str,
    /// Whether what is sent there is encrypted.
    pub(crate) encrypted: bool,
    /// The host, without its port and brackets.
    pub(crate) host: &'a str,
}

impl<'a> Url<'a> {
    /// Reads `http(s)://host[:port][/path]`; the fault is a fragment that follows the value.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let text = text.trim_end_matches('/');
        let (encrypted, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => return Err("does not begin with `https://` or `http://`"),
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err("holds a character that no URL may");
        }
        if rest.contains(['?', '#']) {
            return Err("has a query or a fragment, and paths are appended to it");
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err("holds a credential, which belongs into `api-key`");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or("has no `]` after its address")?,
            None => match authority.find(':') {
                Some(colon) => authority.split_at(colon),
                None => (authority, ""),
            },
        };
        if host.is_empty() {
            return Err("names no host");
        }
        match port.strip_prefix(':') {
            None if port.is_empty() => {}
            Some(digits) if digits.parse::<u16>().is_ok_and(|port| port > 0) => {}
            _ => return Err("has a port that is not 1 to 65535"),
        }
        Ok(Self { text, encrypted, host })
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_called_is_a_url() {
        for (text, host, encrypted, loopback) in [
            ("https://api.openai.com/v1", "api.openai.com", true, false),
            ("http://127.0.0.1:9000", "127.0.0.1", false, true),
            ("HTTP://LocalHost/v1/", "LocalHost", false, true),
            ("http://[::1]:9000/v1", "::1", false, true),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.host, url.encrypted, url.is_loopback()), (host, encrypted, loopback), "{text}");
            assert!(!url.text.ends_with('/'));
        }
    }

    #[test]
    fn what_cannot_be_called_is_none() {
        for text in [
            "",
            "api.openai.com",
            "ftp://x",
            "https://",
            "https:///v1",
            "https://a b",
            "https://u:p@host",
            "https://host:0",
            "https://host:port",
            "https://host?x=1",
            "https://[::1",
            "https://[::1]x",
            "https://hö.st",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
