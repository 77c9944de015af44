//! Which crate may depend on which. ARCHITECTURE.md draws the picture; this is the table that holds it.
//!
//! Only normal dependencies count: a test may use what it likes. Crates that decide also name every outside crate they may
//! use, since a clock or a socket could come in that way as well.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tree::{Fault, File};

/// A crate, and the crates of ours that it may use.
const ARROWS: [(&str, &[&str]); 14] = [
    ("weir-units", &[]),
    ("weir-engine", &["weir-units"]),
    ("weir-wire", &["weir-units"]),
    ("weir-ledger", &["weir-units"]),
    ("weir-capacity", &["weir-ledger", "weir-engine", "weir-units"]),
    ("weir-logs", &["weir-capacity", "weir-ledger", "weir-wire", "weir-units"]),
    ("weir-dashboard", &["weir-capacity", "weir-ledger", "weir-engine", "weir-units"]),
    ("weir-config", &["weir-engine", "weir-wire", "weir-units"]),
    ("weir-sim", &["weir-engine", "weir-config", "weir-units"]),
    // Not wire: a mock that reads with the eyes of what it tests agrees with it on every misreading.
    ("weir-mock", &["weir-sim", "weir-units"]),
    (
        "weir-gateway",
        &["weir-capacity", "weir-config", "weir-dashboard", "weir-ledger", "weir-wire", "weir-engine", "weir-units"],
    ),
    (
        "weir",
        &[
            "weir-gateway",
            "weir-capacity",
            "weir-config",
            "weir-dashboard",
            "weir-ledger",
            "weir-logs",
            "weir-wire",
            "weir-engine",
            "weir-units",
            "weir-mock",
            "weir-sim",
        ],
    ),
    // What measures shares no code with what is measured.
    ("weir-bench", &[]),
    ("xtask", &[]),
];

/// Crates that decide and do nothing else, and all outside crates that they may use.
const DECIDING: [(&str, &[&str]); 3] = [
    ("weir-units", &["serde"]),
    ("weir-engine", &["rand_chacha", "serde"]),
    ("weir-sim", &["libm", "rand_chacha", "serde", "toml", "twox-hash"]),
];

/// What speaks HTTP, and who may.
const HTTP: [&str; 4] = ["hyper", "hyper-util", "hyper-rustls", "axum"];
const SPEAK_HTTP: [&str; 3] = ["weir-gateway", "weir-mock", "weir"];

/// What cargo says of the workspace.
///
/// # Errors
/// A sentence, when cargo cannot be asked.
pub(crate) fn metadata(root: &Path) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo cannot be run: {e}"))?;
    if !output.status.success() {
        return Err(format!("`cargo metadata` fails: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("`cargo metadata` cannot be read: {e}"))
}

/// Every arrow that points where none may.
pub(crate) fn check(metadata: &Value, root: &str, files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let path = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
        let Some((_, allowed)) = ARROWS.iter().find(|(own, _)| *own == name) else {
            let hint = "add it, with what it may use, to xtask/src/arrows.rs and to ARCHITECTURE.md";
            faults.push(Fault::new(path, 1, format!("crate `{name}` has no place in the picture"), hint));
            continue;
        };
        let text = files.iter().find(|f| f.path == path).map_or("", |f| f.text.as_str());
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // Normal dependencies have no kind.
            if !dependency["kind"].is_null() {
                continue;
            }
            let used = dependency["name"].as_str().unwrap_or_default();
            if let Some((what, hint)) = objection(name, used, allowed) {
                faults.push(Fault::new(path, line_of(text, used), what, hint));
            }
        }
    }
    faults
}

fn objection(name: &str, used: &str, allowed: &[&str]) -> Option<(String, String)> {
    let ours = used == "weir" || used == "xtask" || used.starts_with("weir-");
    if ours {
        if allowed.contains(&used) {
            return None;
        }
        let may = if allowed.is_empty() { "none of our crates".to_owned() } else { allowed.join(", ") };
        let hint = format!("`{name}` may use {may}: move what is needed to where both may reach it");
        return Some((format!("`{name}` depends on `{used}`"), hint));
    }
    if let Some((_, outside)) = DECIDING.iter().find(|(own, _)| *own == name)
        && !outside.contains(&used)
    {
        let hint = "a crate that decides has no clock, socket or task: hand it what it needs to know";
        return Some((format!("`{name}` depends on `{used}`"), hint.to_owned()));
    }
    if HTTP.contains(&used) && !SPEAK_HTTP.contains(&name) {
        let hint = "HTTP is spoken by the gateway and the mock alone";
        return Some((format!("`{name}` depends on `{used}`"), hint.to_owned()));
    }
    None
}

/// The line of a manifest that names a dependency; the first if none does.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(dependency)?;
        rest.starts_with(['.', ' ', '=']).then_some(())
    };
    manifest.lines().position(|line| names(line).is_some()).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<Fault> {
        let dependencies: Vec<Value> =
            dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        let package = json!({ "name": name, "manifest_path": "/r/crates/x/Cargo.toml", "dependencies": dependencies });
        let manifest = "[package]\nname = \"x\"\n\n[dependencies]\ntokio = \"1\"\nweir-wire.workspace = true\n";
        check(&json!({ "packages": [package] }), "/r", &[File::new("crates/x/Cargo.toml", manifest)])
    }

    #[test]
    fn arrows_point_one_way() {
        for (name, used, may) in [
            ("weir-engine", "weir-units", true),
            ("weir-engine", "weir-wire", false),
            ("weir-units", "weir-engine", false),
            ("weir-wire", "weir-config", false),
            ("weir-mock", "weir-wire", false),
            ("weir-gateway", "weir-sim", false),
            ("weir-gateway", "weir-mock", false),
            ("weir-gateway", "weir-ledger", true),
            ("weir", "weir-mock", true),
            ("weir-ledger", "weir", false),
            ("weir-engine", "tokio", false),
            ("weir-engine", "rand_chacha", true),
            ("weir-wire", "hyper", false),
            ("weir-gateway", "hyper", true),
            ("weir-wire", "serde_json", true),
        ] {
            assert_eq!(faults(name, &[(used, None)]).is_empty(), may, "{name} -> {used}");
        }
    }

    #[test]
    fn a_fault_names_the_line_of_the_manifest() {
        let faults = faults("weir-engine", &[("weir-wire", None)]);
        assert_eq!((faults[0].path.as_str(), faults[0].line), ("crates/x/Cargo.toml", 6));
    }

    #[test]
    fn tests_may_use_what_they_like() {
        assert_eq!(faults("weir-units", &[("weir-gateway", Some("dev")), ("tokio", Some("dev"))]), []);
    }

    #[test]
    fn a_crate_that_is_not_in_the_picture_is_a_fault() {
        assert_eq!(faults("weir-core", &[]).len(), 1);
    }
}
