//! Rules for the text of files: a purpose line, a size, no notes to self, no silent exceptions, nothing of one machine.

use std::collections::BTreeSet;

use crate::tree::{Fault, File};

/// No file is longer.
const LONGEST: usize = 1_000;
/// Nine files of ten are no longer.
const USUAL: usize = 350;

/// Kinds of files that people write. Fixtures are not among them: they are as they were recorded.
const WRITTEN: [&str; 13] = ["rs", "md", "toml", "py", "sh", "js", "mjs", "ts", "yml", "yaml", "sql", "service", "lua"];

/// Every rule, over every file.
pub(crate) fn check(files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|f| f.is("rs")) {
        faults.extend(purpose(file));
        faults.extend(length(file));
        faults.extend(exceptions(file));
    }
    faults.extend(usual_length(files));
    let paths = || files.iter().filter(|f| f.is("md")).map(|f| f.path.as_str());
    let pages: BTreeSet<&str> = paths().flat_map(|path| [path, path.rsplit('/').next().unwrap_or(path)]).collect();
    for file in files.iter().filter(|f| is_written(f)) {
        faults.extend(words(file));
        faults.extend(absent_pages(file, &pages));
    }
    faults.extend(same_lints(files));
    faults
}

fn is_written(file: &File) -> bool {
    WRITTEN.iter().any(|kind| file.is(kind))
        || file.path.starts_with("scripts/")
        || file.path.starts_with(".ci/")
        || file.path.ends_with("Dockerfile")
}

fn purpose(file: &File) -> Option<Fault> {
    let first = file.text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//! ").is_some_and(|words| words.len() >= 10);
    (!says).then(|| {
        let hint = "begin the file with `//!` and one sentence that says what it is for, then why this way";
        Fault::new(&file.path, 1, "the file does not open with its purpose", hint)
    })
}

fn length(file: &File) -> Option<Fault> {
    let lines = file.text.lines().count();
    (lines > LONGEST).then(|| {
        let what = format!("{lines} lines are more than {LONGEST}");
        Fault::new(&file.path, LONGEST + 1, what, "split it where one idea ends and the next begins")
    })
}

fn usual_length(files: &[File]) -> Option<Fault> {
    let mut lengths: Vec<(usize, &str)> =
        files.iter().filter(|f| f.is("rs")).map(|f| (f.text.lines().count(), f.path.as_str())).collect();
    lengths.sort_unstable();
    let (lines, path) = *lengths.get((lengths.len() * 9).div_ceil(10).checked_sub(1)?)?;
    (lines > USUAL).then(|| {
        let what = format!("more than one file in ten has over {USUAL} lines (the ninetieth percentile is {lines})");
        Fault::new(path, 1, what, "split the longest files")
    })
}

/// `#[allow]` stays when its cause has gone; `#[expect]` says so.
fn exceptions(file: &File) -> Vec<Fault> {
    let forbidden = [concat!("#[al", "low("), concat!("#![al", "low(")];
    let hint = "use `#[expect(LINT, reason = \"…\")]`, which warns when it is not needed any more";
    lines(file)
        .filter(|(_, line)| forbidden.iter().any(|f| line.trim_start().starts_with(f)))
        .map(|(at, _)| Fault::new(&file.path, at, "a lint is switched off silently", hint))
        .collect()
}

fn words(file: &File) -> Vec<Fault> {
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimple", "mented!"), concat!("to", "do!")];
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sha", "red/")];
    let mut faults = Vec::new();
    for (at, line) in lines(file) {
        if let Some(note) = notes.iter().find(|n| holds_word(line, n)) {
            let hint = "do it, or leave it out and say in the docs what is not done";
            faults.push(Fault::new(&file.path, at, format!("a note to self: `{note}`"), hint));
        }
        if let Some(place) = places.iter().find(|p| names_path(line, p)) {
            let hint = "write a path of the repository, or one that every machine has";
            faults.push(Fault::new(&file.path, at, format!("a path of one machine: `{place}`"), hint));
        }
    }
    faults
}

/// A page that the text sends its reader to, in capitals or under `docs/`, and that nobody has.
fn absent_pages(file: &File, pages: &BTreeSet<&str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, line) in lines(file) {
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || "./_-".contains(c))) {
            let word = word.trim_end_matches('.');
            let Some(stem) = word.strip_suffix(".md") else { continue };
            let shouts = stem.len() > 3 && stem.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if (shouts || word.starts_with("docs/")) && !pages.contains(word) {
                let hint = "say here what matters of it, or name a page of this repository";
                faults.push(Fault::new(&file.path, at, format!("`{word}` is not a page of this repository"), hint));
            }
        }
    }
    faults
}

/// Crates that decide carry the same lints, each in its own file, because cargo does not merge them.
fn same_lints(files: &[File]) -> Vec<Fault> {
    let find = |name: &str| {
        let path = format!("crates/{name}/clippy.toml");
        (files.iter().find(|f| f.path == path).map(|f| f.text.as_str()), path)
    };
    let (model, path) = find("engine");
    let mut faults = Vec::new();
    if model.is_none() {
        faults.push(Fault::new(&path, 1, "the crate that decides has no lints of its own", "restore the file"));
    }
    for name in ["units", "sim"] {
        let (text, path) = find(name);
        if text != model {
            let hint = "copy crates/engine/clippy.toml: what decides is held to one set of lints";
            faults.push(Fault::new(&path, 1, "differs from crates/engine/clippy.toml", hint));
        }
    }
    faults
}

fn lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// Whether `word` stands in `line` on its own, not inside a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !part(before) && (!part(after) || word.ends_with('!'))
    })
}

/// Whether a path that begins with `place` stands in `line`, not merely an address that holds it.
fn names_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        place.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || "._-}~*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Vec<File> {
        let lints = ["engine", "units", "sim"].map(|n| File::new(format!("crates/{n}/clippy.toml"), "a = 1\n"));
        lints.into_iter().chain([File::new(path, text)]).collect()
    }

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        check(&tree(path, text)).into_iter().map(|f| (f.line, f.what)).collect()
    }

    fn lines_found(path: &str, text: &str) -> Vec<usize> {
        found(path, text).into_iter().map(|(line, _)| line).collect()
    }

    const PURPOSE: &str = "//! Counts what passes through.\n";

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert!(lines_found("a.rs", PURPOSE).is_empty());
        assert_eq!(lines_found("a.rs", "use std::fmt;\n"), [1]);
        assert_eq!(lines_found("a.rs", "//!\n//! Counts what passes.\n"), [1]);
        assert_eq!(lines_found("a.rs", ""), [1]);
    }

    #[test]
    fn a_file_ends_before_line_1001() {
        let of = |lines: usize| format!("{PURPOSE}{}", "// x\n".repeat(lines - 1));
        let long = |lines: usize| length(&File::new("a.rs", of(lines))).map(|f| f.line);
        assert_eq!((long(1_000), long(1_001)), (None, Some(1_001)));
    }

    #[test]
    fn one_file_in_ten_may_be_long() {
        let of = |long: usize| -> Vec<File> {
            (0..20).map(|n| File::new(format!("{n}.rs"), "// x\n".repeat(if n < long { 351 } else { 350 }))).collect()
        };
        assert_eq!(usual_length(&of(2)), None);
        assert!(usual_length(&of(3)).is_some());
    }

    #[test]
    fn notes_to_self_are_refused_in_all_that_is_written() {
        let note = concat!("TO", "DO");
        assert_eq!(lines_found("a.rs", &format!("{PURPOSE}// {note}: later\n")), [2]);
        assert_eq!(lines_found("guide/a.md", &format!("{note}\n")), [1]);
        assert_eq!(lines_found("scripts/test", &format!("# x\n# {note}(me)\n")), [2]);
        assert!(lines_found("guide/a.md", concat!("MASTO", "DON\n")).is_empty());
        assert!(lines_found("fixtures/a.json", &format!("\"{note}\"\n")).is_empty());
        assert_eq!(lines_found("a.rs", &format!("{PURPOSE}fn f() {{ {}() }}\n", concat!("unimple", "mented!"))), [2]);
    }

    #[test]
    fn lints_are_not_switched_off_silently() {
        let silent = concat!("#[al", "low(dead_code)]");
        assert_eq!(lines_found("a.rs", &format!("{PURPOSE}{silent}\nfn f() {{}}\n")), [2]);
        assert!(
            lines_found("a.rs", &format!("{PURPOSE}#[expect(dead_code, reason = \"x\")]\nfn f() {{}}\n")).is_empty()
        );
    }

    #[test]
    fn paths_of_one_machine_are_refused() {
        assert_eq!(lines_found("scripts/x", concat!("cd /wo", "rk/main\n")), [1]);
        assert_eq!(lines_found("guide/a.md", concat!("see `/ro", "ot/x`\n")), [1]);
        assert!(lines_found("guide/a.md", concat!("https://example.com/wo", "rk/x\n")).is_empty());
    }

    #[test]
    fn a_page_that_is_named_exists() {
        let absent = concat!("NOWHERE", ".md");
        assert_eq!(lines_found("a.rs", &format!("{PURPOSE}// See {absent}.\n")), [2]);
        assert!(lines_found("docs/README.md", "See README.md.\n").is_empty());
        assert!(lines_found("docs/README.md", "See docs/README.md.\n").is_empty());
        assert_eq!(lines_found("docs/README.md", concat!("See `docs/no", "where.md`.\n")), [1]);
    }

    #[test]
    fn what_decides_is_held_to_one_set_of_lints() {
        let mut files = tree("a.rs", PURPOSE);
        files[2].text.push_str("b = 2\n");
        let faults = check(&files);
        assert_eq!(faults.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["crates/sim/clippy.toml"]);
    }
}
