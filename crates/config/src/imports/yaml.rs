//! YAML as a tree with the line of each value, of a bounded size however its anchors multiply.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Values that a file may have, those counted again that an alias repeats.
const MOST_NODES: usize = 100_000;
/// How deep values may lie in each other.
const DEEPEST: usize = 64;

/// Why a text is no YAML that is read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// Where, counted from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for YamlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for YamlError {}

/// A value and its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// Plain or in quotes.
    Text { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in its order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value behind a name.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    pub(super) fn entries(&self) -> &[(String, Node)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    pub(super) fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text { text, .. } = &self.value { Some(text) } else { None }
    }

    pub(super) fn number(&self) -> Option<f64> {
        self.text()?.replace('_', "").parse().ok().filter(|number: &f64| number.is_finite())
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
            "false" | "False" | "FALSE" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The same with what else another mapping says.
    pub(super) fn with(&self, other: &Node) -> Node {
        let mut entries = self.entries().to_vec();
        for (name, node) in other.entries() {
            if self.get(name).is_none_or(Node::is_null) {
                entries.push((name.clone(), node.clone()));
            }
        }
        Node { line: self.line, value: Value::Map(entries) }
    }

    /// Takes in another mapping: lists are joined, all else takes the place of what was there.
    pub(super) fn take_in(&mut self, other: Node) {
        let (Value::Map(own), Value::Map(others)) = (&mut self.value, other.value) else { return };
        for (name, node) in others {
            match own.iter_mut().find(|(known, _)| *known == name) {
                Some((_, Node { value: Value::List(items), .. })) if !node.items().is_empty() => {
                    items.extend_from_slice(node.items());
                }
                Some((_, known)) => *known = node,
                None => own.push((name, node)),
            }
        }
    }

    /// The same, with all lines further on by so many.
    pub(super) fn moved(mut self, by: usize) -> Node {
        self.line += by;
        self.value = match self.value {
            Value::List(items) => Value::List(items.into_iter().map(|item| item.moved(by)).collect()),
            Value::Map(entries) => Value::Map(entries.into_iter().map(|(name, node)| (name, node.moved(by))).collect()),
            value => value,
        };
        self
    }

    fn size(&self) -> usize {
        1 + self.items().iter().map(Node::size).sum::<usize>()
            + self.entries().iter().map(|(_, node)| node.size()).sum::<usize>()
    }
}

/// A collection that is being read.
enum Open {
    List { anchor: usize, line: usize, items: Vec<Node> },
    Map { anchor: usize, line: usize, entries: Vec<(String, Node)>, name: Option<String> },
}

/// A text's first document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Node,
    /// Names that a mapping has twice, of which the last counts, and where they are first.
    pub(super) repeated: Vec<(usize, String)>,
}

/// The first document of a text.
///
/// # Errors
/// If it is no YAML, or larger than any configuration.
pub(super) fn read(text: &str) -> Result<Document, YamlError> {
    let mut repeated = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: Vec<(usize, Node)> = Vec::new();
    let mut count = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| YamlError { line: error.marker().line(), why: error.info().to_owned() })?;
        let line = span.start.line();
        let fail = |why: &str| YamlError { line, why: why.to_owned() };
        let (anchor, node) = match event {
            Event::SequenceStart(anchor, _) => {
                open.push(Open::List { anchor, line, items: Vec::new() });
                (0, None)
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open::Map { anchor, line, entries: Vec::new(), name: None });
                (0, None)
            }
            Event::Scalar(text, style, anchor, _) => (anchor, Some(scalar(&text, style, line))),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List { anchor, line, items }) => (anchor, Some(Node { line, value: Value::List(items) })),
                Some(Open::Map { anchor, line, entries, .. }) => {
                    let entries = merged(last_ones(entries, &mut repeated));
                    (anchor, Some(Node { line, value: Value::Map(entries) }))
                }
                None => (0, None),
            },
            Event::Alias(anchor) => {
                let known = anchors.iter().find(|(known, _)| *known == anchor).map(|(_, node)| node.clone());
                let known = known.ok_or_else(|| fail("an alias without an anchor before it"))?;
                count += known.size();
                (0, Some(known))
            }
            _ => (0, None),
        };
        count += 1;
        if count > MOST_NODES || open.len() > DEEPEST {
            return Err(fail("more than any configuration has"));
        }
        let Some(node) = node else { continue };
        if anchor > 0 {
            anchors.push((anchor, node.clone()));
            count += node.size();
        }
        match open.last_mut() {
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, name, .. }) => match name.take() {
                Some(name) => entries.push((name, node)),
                None => *name = Some(node.text().unwrap_or_default().to_owned()),
            },
            None => return Ok(Document { root: node, repeated }),
        }
    }
    Ok(Document { root: Node { line: 1, value: Value::Null }, repeated })
}

/// A mapping in which each name is once: the last counts, as it does where LiteLLM reads it.
fn last_ones(entries: Vec<(String, Node)>, repeated: &mut Vec<(usize, String)>) -> Vec<(String, Node)> {
    let mut kept: Vec<(String, Node)> = Vec::with_capacity(entries.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (name, node) in entries {
        match places.get(&name).filter(|_| name != "<<") {
            Some(place) => {
                let earlier = std::mem::replace(&mut kept[*place].1, node);
                repeated.push((earlier.line, name));
            }
            None => {
                places.insert(name.clone(), kept.len());
                kept.push((name, node));
            }
        }
    }
    kept
}

fn scalar(text: &str, style: ScalarStyle, line: usize) -> Node {
    let plain = style == ScalarStyle::Plain;
    let nothing = plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    let value = if nothing { Value::Null } else { Value::Text { text: text.to_owned(), plain } };
    Node { line, value }
}

/// A mapping with those that are merged into it by `<<`: what it says itself counts.
fn merged(entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(name, _)| name == "<<");
    for (_, node) in merges {
        let sources = if node.items().is_empty() { vec![node] } else { node.items().to_vec() };
        for (name, value) in sources.iter().flat_map(Node::entries) {
            if !own.iter().any(|(known, _)| known == name) {
                own.push((name.clone(), value.clone()));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_lines() {
        let node = read("a: 1\nb:\n  - x: \"2\"\n    y: ~\n  - os.environ/KEY\n").unwrap().root;
        assert_eq!(node.get("a").and_then(Node::number), Some(1.0));
        let list = node.get("b").unwrap();
        assert_eq!((list.items().len(), list.items()[0].get("x").unwrap().line), (2, 3));
        assert!(list.items()[0].get("y").unwrap().is_null());
        assert_eq!(list.items()[1].text(), Some("os.environ/KEY"));
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let node = read("base: &b {rpm: 5, tpm: 6}\nother:\n  <<: *b\n  rpm: 7\n").unwrap().root;
        let other = node.get("other").unwrap();
        assert_eq!(
            (other.get("rpm").and_then(Node::number), other.get("tpm").and_then(Node::number)),
            (Some(7.0), Some(6.0))
        );
    }

    #[test]
    fn of_a_name_that_is_there_twice_the_last_counts() {
        let document = read("a: 1\nb: 2\na: 3\n").unwrap();
        assert_eq!(document.root.get("a").and_then(Node::number), Some(3.0));
        assert_eq!((document.root.entries().len(), document.repeated), (2, vec![(1, "a".to_owned())]));
    }

    #[test]
    fn a_bomb_and_what_is_no_yaml_are_refused() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, before) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
            bomb.push_str(&format!("{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n"));
        }
        assert_eq!(read(&bomb).unwrap_err().why, "more than any configuration has");
        assert!(read(&"[".repeat(1_000)).is_err());
        assert!(read("a: [1, 2\nb: }").is_err());
        assert!(read("a: *nobody").is_err());
    }
}
