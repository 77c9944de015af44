//! Links in Markdown that lead nowhere: to a file that is not there, or to a heading that its page does not have.
//!
//! Links to other sites are not followed: a check that needs the network fails for reasons that are not ours.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tree::{Fault, File};

/// Every link of every page; `exists` says whether a path from the root is there.
pub(crate) fn check(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<Fault> {
    let pages: BTreeMap<&str, Vec<String>> =
        files.iter().filter(|f| f.is("md")).map(|f| (f.path.as_str(), anchors(&f.text))).collect();
    let mut faults = Vec::new();
    for file in files.iter().filter(|f| f.is("md")) {
        for (line, target) in targets(&file.text) {
            if let Some((what, hint)) = dead(&file.path, &target, &pages, &exists) {
                faults.push(Fault::new(&file.path, line, what, hint));
            }
        }
    }
    faults
}

fn dead(
    page: &str,
    target: &str,
    pages: &BTreeMap<&str, Vec<String>>,
    exists: &impl Fn(&str) -> bool,
) -> Option<(String, String)> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { page.to_owned() } else { resolve(page, path) };
    if !exists(&path) {
        return Some((format!("the link `{target}` leads nowhere"), format!("there is no `{path}`")));
    }
    let known = pages.get(path.as_str())?;
    (!anchor.is_empty() && !known.iter().any(|a| a == anchor)).then(|| {
        let hint = format!("the headings of `{path}` are {}", known.join(", "));
        (format!("the link `{target}` names a heading that is not there"), hint)
    })
}

/// `path` as seen from the folder of `page`, as a path from the root.
fn resolve(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Path::new(page).parent().and_then(Path::to_str).unwrap_or("").split('/').collect();
    parts.retain(|p| !p.is_empty());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// What links point at, with the line of each.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push((at, target.to_owned()));
        }
    }
    found
}

/// Lines outside of code blocks, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            code = !code;
            return None;
        }
        (!code).then_some((at + 1, line))
    })
}

/// A line with the insides of its code spans blanked.
fn without_code(line: &str) -> String {
    let mut code = false;
    line.chars()
        .map(|c| {
            code ^= c == '`';
            if code { '`' } else { c }
        })
        .collect()
}

/// The anchors of a page's headings, by GitHub's rule: lower case, spaces become hyphens, punctuation goes.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter_map(|(_, line)| {
        let words = line.trim_start_matches('#');
        (words.len() < line.len() && words.starts_with(' ')).then_some(words.trim())
    });
    headings
        .map(|words| {
            let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_links(page: &str, text: &str) -> Vec<usize> {
        let files = [File::new(page, text), File::new("guide/b.md", "# A heading: `with` code\n")];
        let there = ["guide", "guide/b.md", "README.md", "guide/a.md"];
        check(&files, |path| there.contains(&path)).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn links_lead_somewhere() {
        for (text, is_dead) in [
            ("[b](b.md)", false),
            ("[b](./b.md) and [c](c.md)", true),
            ("[up](../README.md)", false),
            ("[up](../guide/)", false),
            ("[away](../../x.md)", true),
            ("[b](b.md#a-heading-with-code)", false),
            ("[b](b.md#another)", true),
            ("[here](#title)", false),
            ("[here](#nowhere)", true),
            ("[site](https://example.com/x.md)", false),
            ("`[no](link.md)`", false),
            ("[`code`](gone.md)", true),
        ] {
            let dead = dead_links("guide/a.md", &format!("# Title\n\n{text}\n"));
            assert_eq!(dead, if is_dead { vec![3] } else { vec![] }, "{text}");
        }
    }

    #[test]
    fn code_blocks_hold_no_links() {
        assert_eq!(dead_links("guide/a.md", "```sh\n[x](gone.md)\n```\n[x](gone.md)\n"), [4]);
    }
}
