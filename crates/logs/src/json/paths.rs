//! What may be read of a record, and the tree of the paths under which it is found.

use super::table::{MARKS, ROWS};

/// A field that may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Slot {
    Id,
    At,
    Ended,
    DurationMs,
    DurationS,
    /// A span whose unit depends on who wrote it.
    Latency,
    FirstAt,
    FirstMs,
    FirstS,
    /// A number, or a word such as `success`.
    Status,
    /// A code that says more than the status.
    ErrorCode,
    ErrorClass,
    Message,
    Provider,
    Model,
    Route,
    Url,
    Method,
    Key,
    Tenant,
    User,
    Run,
    CallType,
    Kind,
    Level,
    Input,
    Output,
    Total,
    Cached,
    CacheWrite,
    Reasoning,
    Cost,
    Stream,
    Retry,
    CacheHit,
    Content,
    MaxOutput,
    Finish,
    Flags,
    LimitRequests,
    LimitTokens,
    LimitInput,
    LimitOutput,
    Attempts,
    Outcome,
    RequestLine,
    /// A text that holds a line of a log, or an object.
    Log,
    /// An object that holds the record.
    Inner,
    /// What wrote a line.
    Logger,
    /// The host that was called.
    Host,
    Observations,
    Spans,
    SdkRetry,
    Deployment,
    CostEstimated,
}

/// How many slots there are.
pub(crate) const SLOTS: usize = Slot::CostEstimated as usize + 1;
const _: () = assert!(SLOTS <= 64, "a bit each");

/// What the presence of a name says of who wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Mark {
    LiteLlmSpend = 1,
    LiteLlmProxy = 2,
    LiteLlm = 4,
    Langfuse = 8,
    Helicone = 16,
    Weir = 32,
    OtelSpan = 64,
    Envoy = 128,
    Nginx = 256,
    Otlp = 512,
    LiteLlmLog = 1024,
    Usage = 2048,
    Sums = 4096,
}

/// A name on the way to a field.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// What comes after it, by name.
    children: Vec<(Box<str>, usize)>,
    /// The field that it is, and its rank.
    pub(crate) slot: Option<(Slot, u8)>,
    /// What its presence says.
    pub(crate) mark: u32,
}

/// All paths, as a tree of names.
#[derive(Debug)]
pub(crate) struct Paths(Vec<Node>);

impl Default for Paths {
    fn default() -> Self {
        let mut paths = Self(vec![Node::default()]);
        for (path, slot, rank) in ROWS {
            paths.add(path.split('/'), *slot, *rank + 1);
        }
        for (path, mark) in MARKS {
            let node = paths.node(path.split('/'));
            paths.0[node].mark |= *mark as u32;
        }
        // Where a part is, the whole is: nodes come after those that they are in.
        for node in 0..paths.0.len() {
            let mark = paths.0[node].mark;
            let inside: Vec<usize> = paths.0[node].children.iter().map(|(_, child)| *child).collect();
            inside.into_iter().for_each(|child| paths.0[child].mark |= mark);
        }
        paths
    }
}

impl Paths {
    fn node<'p>(&mut self, path: impl Iterator<Item = &'p str>) -> usize {
        path.fold(0, |node, name| match self.0[node].children.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(found) => self.0[node].children[found].1,
            Err(place) => {
                let next = self.0.len();
                self.0.push(Node::default());
                self.0[node].children.insert(place, (name.into(), next));
                next
            }
        })
    }

    fn add<'p>(&mut self, path: impl Iterator<Item = &'p str>, slot: Slot, rank: u8) {
        let node = self.node(path);
        let node = &mut self.0[node];
        if node.slot.is_none_or(|(_, known)| known >= rank) {
            node.slot = Some((slot, rank));
        }
    }

    /// Maps a path of the user's to a field, before all others.
    pub(crate) fn map(&mut self, path: &str, slot: Slot) {
        // What is mapped elsewhere is not looked for at its usual places.
        for node in &mut self.0 {
            if node.slot.is_some_and(|(known, rank)| known == slot && rank > 0) {
                node.slot = None;
            }
        }
        self.add(path.split('/'), slot, 0);
    }

    /// What is behind `name` after `node`.
    pub(crate) fn child(&self, node: usize, name: &str) -> Option<usize> {
        let children = &self.0[node].children;
        children.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|found| children[found].1)
    }

    /// What is behind a name that has its parts joined by points, as tables have it that were made of objects.
    pub(crate) fn flattened(&self, node: usize, name: &str) -> Option<usize> {
        let (first, rest) = name.split_once('.')?;
        let node = self.child(node, first)?;
        self.child(node, rest).or_else(|| self.flattened(node, rest))
    }

    pub(crate) fn at(&self, node: usize) -> &Node {
        &self.0[node]
    }

    /// Whether more comes after `node`.
    pub(crate) fn has_children(&self, node: usize) -> bool {
        !self.0[node].children.is_empty()
    }

    /// The node of a column's name: as it is, or with dots or slashes between its parts, in any case, with a unit in brackets.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let name = name.trim().trim_matches('"');
        self.child(0, name).or_else(|| self.flattened(0, &name.replace('/', "."))).or_else(|| {
            let mut plain = String::new();
            for c in name.chars() {
                match c {
                    _ if c.is_alphanumeric() || matches!(c, '.' | ':' | '@') => plain.push(c.to_ascii_lowercase()),
                    _ if !plain.ends_with('_') => plain.push('_'),
                    _ => {}
                }
            }
            let plain = plain.trim_matches('_');
            (plain != name).then(|| self.child(0, plain)).flatten()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_found() {
        let paths = Paths::default();
        for (path, slot, _) in ROWS {
            let node = path.split('/').try_fold(0, |node, name| paths.child(node, name));
            assert_eq!(node.and_then(|node| paths.at(node).slot).map(|(slot, _)| slot), Some(*slot), "{path}");
        }
    }

    #[test]
    fn a_mapped_path_takes_the_place_of_the_usual_ones() {
        let mut paths = Paths::default();
        paths.map("when", Slot::At);
        let slot = |name: &str| paths.child(0, name).and_then(|node| paths.at(node).slot).map(|(slot, _)| slot);
        assert_eq!((slot("when"), slot("timestamp"), slot("model")), (Some(Slot::At), None, Some(Slot::Model)));
        assert!(paths.column("Prompt Tokens").is_some() && paths.column("usage.prompt_tokens").is_some());
    }
}
