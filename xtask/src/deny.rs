//! `cargo xtask deny`: what `deny.toml` says of licences, bans and sources, for every dependency, without the network.
//!
//! `cargo deny` says more, of advisories above all. But it is four hundred crates to build, and what it needs for these
//! three questions is in `cargo metadata` already. One file answers for both, so they cannot disagree on what is allowed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;
use toml::Table;

use crate::say;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks the dependencies of the workspace at `root`.
pub(crate) fn run(root: &Path) -> ExitCode {
    let asked = rules(root).and_then(|rules| Ok((rules, metadata(root)?)));
    let (rules, metadata) = match asked {
        Ok(both) => both,
        Err(why) => {
            say(std::io::stderr(), format_args!("error: {why}"));
            return ExitCode::from(2);
        }
    };
    let packages = packages(&metadata);
    let faults: Vec<String> = packages.iter().filter_map(|package| objection(package, &rules)).collect();
    for fault in &faults {
        say(std::io::stderr(), format_args!("deny.toml: {fault}"));
    }
    let twice = duplicates(&packages);
    say(std::io::stdout(), format_args!("deny: {} packages; in two versions: {}", packages.len(), twice.join(", ")));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is allowed.
struct Rules {
    licences: Vec<String>,
    banned: Vec<String>,
}

/// A crate from outside.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    licence: Option<&'a str>,
    source: &'a str,
}

fn rules(root: &Path) -> Result<Rules, String> {
    let text = std::fs::read_to_string(root.join("deny.toml")).map_err(|e| format!("deny.toml cannot be read: {e}"))?;
    let table: Table = text.parse().map_err(|e| format!("deny.toml cannot be read: {e}"))?;
    let list = |section: &str, key: &str| table.get(section)?.get(key)?.as_array();
    let licences = list("licenses", "allow").ok_or("deny.toml has no `allow` under `[licenses]`")?;
    let banned = list("bans", "deny").into_iter().flatten().filter_map(|ban| ban.get("name")?.as_str());
    Ok(Rules {
        licences: licences.iter().filter_map(|l| l.as_str()).map(str::to_owned).collect(),
        banned: banned.map(str::to_owned).collect(),
    })
}

fn metadata(root: &Path) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo cannot be run: {e}"))?;
    if !output.status.success() {
        return Err(format!("`cargo metadata` fails: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("`cargo metadata` cannot be read: {e}"))
}

/// The packages that are not ours: those with a source.
fn packages(metadata: &Value) -> Vec<Package<'_>> {
    let all = metadata["packages"].as_array().into_iter().flatten();
    all.filter_map(|package| {
        Some(Package {
            name: package["name"].as_str()?,
            version: package["version"].as_str()?,
            licence: package["license"].as_str(),
            source: package["source"].as_str()?,
        })
    })
    .collect()
}

fn objection(package: &Package<'_>, rules: &Rules) -> Option<String> {
    let Package { name, version, licence, source } = package;
    if *source != CRATES_IO {
        return Some(format!("`{name}` {version} comes from {source}: take crates from crates.io"));
    }
    if rules.banned.iter().any(|banned| banned == name) {
        return Some(format!("`{name}` is banned: deny.toml says what stands in its place"));
    }
    let Some(licence) = licence else {
        return Some(format!("`{name}` {version} names no licence: leave it out"));
    };
    let allowed = |id: &str| rules.licences.iter().any(|l| l == id);
    match Expression::new(licence).allows(&allowed) {
        Some(true) => None,
        Some(false) => {
            Some(format!("`{name}` {version} is under {licence}: leave it out, or allow it with the reason"))
        }
        None => Some(format!("`{name}` {version} has a licence that is no SPDX expression: {licence}")),
    }
}

/// Crates that the tree holds in more than one version.
fn duplicates(packages: &[Package<'_>]) -> Vec<String> {
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for package in packages {
        *versions.entry(package.name).or_default() += 1;
    }
    versions.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name.to_owned()).collect()
}

/// An SPDX licence expression: identifiers, AND, OR, WITH, parentheses; also the `/` that old crates wrote for OR.
struct Expression {
    words: Vec<String>,
    at: usize,
}

impl Expression {
    fn new(text: &str) -> Self {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        Self { words: spaced.split_whitespace().map(str::to_owned).collect(), at: 0 }
    }

    /// Whether the allowed licences are enough; none if this is no expression.
    fn allows(mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        let result = self.any(allowed)?;
        (self.at == self.words.len()).then_some(result)
    }

    fn any(&mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        let mut result = self.all(allowed)?;
        while self.takes("OR") {
            result |= self.all(allowed)?;
        }
        Some(result)
    }

    fn all(&mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        let mut result = self.one(allowed)?;
        while self.takes("AND") {
            result &= self.one(allowed)?;
        }
        Some(result)
    }

    fn one(&mut self, allowed: &impl Fn(&str) -> bool) -> Option<bool> {
        if self.takes("(") {
            let result = self.any(allowed)?;
            return self.takes(")").then_some(result);
        }
        let mut id = self.word().filter(|w| !["AND", "OR", "WITH", ")"].contains(&w.as_str()))?;
        if self.takes("WITH") {
            id = format!("{id} WITH {}", self.word()?);
        }
        Some(allowed(&id))
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at).is_some_and(|w| w == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self) -> Option<String> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_allowed_if_what_we_take_of_it_is() {
        let allowed = |id: &str| ["MIT", "Apache-2.0", "ISC"].contains(&id);
        for (licence, expected) in [
            ("MIT", Some(true)),
            ("MIT/Apache-2.0", Some(true)),
            ("GPL-3.0 OR MIT", Some(true)),
            ("GPL-3.0 AND MIT", Some(false)),
            ("(MIT OR GPL-3.0) AND ISC", Some(true)),
            ("MIT OR GPL-3.0 AND Zlib", Some(true)),
            ("(MIT OR GPL-3.0) AND Zlib", Some(false)),
            ("Apache-2.0 WITH LLVM-exception", Some(false)),
            ("Apache-2.0 WITH LLVM-exception OR MIT", Some(true)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT Apache-2.0", None),
        ] {
            assert_eq!(Expression::new(licence).allows(&allowed), expected, "{licence}");
        }
    }

    #[test]
    fn what_is_banned_foreign_or_unlicensed_is_refused() {
        let rules = Rules { licences: vec!["MIT".to_owned()], banned: vec!["openssl".to_owned()] };
        let package = |name, licence, source| Package { name, version: "1.0.0", licence, source };
        for (package, refused) in [
            (package("bytes", Some("MIT"), CRATES_IO), false),
            (package("openssl", Some("MIT"), CRATES_IO), true),
            (package("bytes", Some("MIT"), "git+https://example.com/bytes"), true),
            (package("bytes", None, CRATES_IO), true),
            (package("bytes", Some("GPL-3.0"), CRATES_IO), true),
        ] {
            assert_eq!(objection(&package, &rules).is_some(), refused, "{}", package.name);
        }
    }
}
