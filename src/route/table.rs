//! Finds the most specific route for a canonical path, segment by segment. Pure; knows no host and
//! no permission.

use super::path_pattern::{Extent, PathPattern, Segment};
use std::collections::HashMap;

/// The captured segments of a path, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Captured<'p> {
    path: &'p str,
    /// The captured segments of the path, as bits.
    segments: u64,
}

impl<'p> Captured<'p> {
    /// The captured segments of a canonical path.
    pub fn iter(&self) -> impl Iterator<Item = &'p str> {
        let mut bits = self.segments;
        let segments = self.path.split('/').skip(1).take_while(move |_| {
            let any_left = bits != 0;
            bits >>= 1;
            any_left
        });
        let captured = self.segments;
        segments
            .enumerate()
            .filter(move |(at, _)| captured >> at & 1 == 1)
            .map(|(_, segment)| segment)
    }
}

/// Routes by path. `T` is the caller's route type.
#[derive(Clone, Debug)]
pub struct PathTable<T> {
    root: Node<T>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    /// Keys come only from the config, so no client can cause collisions.
    literals: HashMap<String, Node<T>, foldhash::fast::RandomState>,
    capture: Option<Box<Node<T>>>,
    exact: Option<T>,
    prefix: Option<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: HashMap::default(),
            capture: None,
            exact: None,
            prefix: None,
        }
    }
}

impl<T> Default for PathTable<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
        }
    }
}

impl<T> PathTable<T> {
    /// The entry for a route with this pattern. Names of captures make no difference.
    pub fn entry(&mut self, pattern: &PathPattern) -> &mut Option<T> {
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Capture(_) => node.capture.get_or_insert_with(Box::default),
            };
        }
        match pattern.extent {
            Extent::Exact => &mut node.exact,
            Extent::Prefix => &mut node.prefix,
        }
    }

    /// All values.
    pub fn values(&self) -> Vec<&T> {
        let mut values = Vec::new();
        let mut nodes = vec![&self.root];
        while let Some(node) = nodes.pop() {
            values.extend(node.exact.iter().chain(&node.prefix));
            nodes.extend(node.literals.values().chain(node.capture.as_deref()));
        }
        values
    }

    /// The most specific route for a canonical path, with the captured segments in order. At each
    /// segment, a literal precedes a capture, and a longer path precedes a shorter one.
    ///
    /// Visits each node of the tree at most once, for any path.
    pub fn find<'t, 'p>(&'t self, path: &'p str) -> Option<(&'t T, Captured<'p>)> {
        let inner = path.strip_prefix('/')?;
        let (found, segments) = find_in(&self.root, Some(inner), 1)?;
        Some((found, Captured { path, segments }))
    }
}

/// Searches below a node. `rest` is the path after the slash of this node; `None` if the path ends
/// here. `bit` is the bit of the first segment of `rest`. Also returns the bits of the captured
/// segments.
fn find_in<'t, T>(node: &'t Node<T>, rest: Option<&str>, bit: u64) -> Option<(&'t T, u64)> {
    let Some(rest) = rest else {
        return node
            .exact
            .as_ref()
            .or(node.prefix.as_ref())
            .map(|found| (found, 0));
    };
    let (segment, after) = rest
        .split_once('/')
        .map_or((rest, None), |(segment, after)| (segment, Some(after)));
    // Captures are limited in depth, so no bit is lost here.
    let next = bit << 1;
    if let Some(child) = node.literals.get(segment)
        && let Some(found) = find_in(child, after, next)
    {
        return Some(found);
    }
    if let Some(child) = node.capture.as_deref()
        && !segment.is_empty()
        && let Some((found, deeper)) = find_in(child, after, next)
    {
        return Some((found, bit | deeper));
    }
    node.prefix.as_ref().map(|found| (found, 0))
}

#[cfg(test)]
mod tests {
    use super::super::path_pattern::{CAPTURE_DEPTH, PathPatternError};
    use super::*;
    use proptest::prelude::*;

    fn table(patterns: &[(&str, Extent)]) -> PathTable<String> {
        let mut table = PathTable::default();
        for (text, extent) in patterns {
            *table.entry(&PathPattern::parse(text, *extent).unwrap()) = Some((*text).to_owned());
        }
        table
    }

    #[test]
    fn the_most_specific_route_wins() {
        use Extent::{Exact, Prefix};
        let table = table(&[
            ("/", Prefix),
            ("/v1", Exact),
            ("/v1/objects", Prefix),
            ("/v1/objects/{type}", Prefix),
            ("/v1/objects/{type}/{name}", Exact),
            ("/v1/objects/hosts", Exact),
        ]);
        for (path, expected, captured) in [
            ("/", "/", vec![]),
            ("/v1", "/v1", vec![]),
            ("/v1/", "/", vec![]),
            ("/v1/objects", "/v1/objects", vec![]),
            ("/v1/objectsx", "/", vec![]),
            ("/v1/objects/hosts", "/v1/objects/hosts", vec![]),
            (
                "/v1/objects/services",
                "/v1/objects/{type}",
                vec!["services"],
            ),
            (
                "/v1/objects/services/a",
                "/v1/objects/{type}/{name}",
                vec!["services", "a"],
            ),
            (
                "/v1/objects/services/a/b",
                "/v1/objects/{type}",
                vec!["services"],
            ),
            ("/v1/objects/", "/v1/objects", vec![]),
        ] {
            let (found, found_captured) = table.find(path).unwrap();
            assert_eq!(
                (found.as_str(), found_captured.iter().collect()),
                (expected, captured),
                "{path}"
            );
        }
    }

    #[test]
    fn captures_are_found_at_the_maximum_depth() {
        let pattern = |deep: usize| "/a".repeat(deep - 2) + "/{first}/{last}";
        let table = table(&[(&pattern(CAPTURE_DEPTH), Extent::Prefix)]);
        let path = "/a".repeat(CAPTURE_DEPTH - 2) + "/x/y/z/z";
        assert!(table.find(&path).unwrap().1.iter().eq(["x", "y"]));
        let too_deep = PathPattern::parse(&pattern(CAPTURE_DEPTH + 1), Extent::Prefix);
        assert_eq!(too_deep, Err(PathPatternError::CaptureTooDeep));
    }

    /// Independent of the tree: tries every pattern and compares segment by segment.
    fn naive<'a>(patterns: &'a [(PathPattern, usize)], path: &str) -> Option<&'a usize> {
        let segments: Vec<&str> = path[1..].split('/').collect();
        let fits = |pattern: &PathPattern| {
            let enough = match pattern.extent {
                Extent::Exact => pattern.segments.len() == segments.len(),
                Extent::Prefix => pattern.segments.len() <= segments.len(),
            };
            enough
                && pattern
                    .segments
                    .iter()
                    .zip(&segments)
                    .all(|(wanted, is)| match wanted {
                        Segment::Literal(text) => text == is,
                        Segment::Capture(_) => !is.is_empty(),
                    })
        };
        let rank = |pattern: &PathPattern| {
            let mut rank: Vec<u8> = pattern
                .segments
                .iter()
                .map(|s| {
                    if matches!(s, Segment::Literal(_)) {
                        2
                    } else {
                        1
                    }
                })
                .collect();
            rank.push(0);
            (rank, pattern.extent == Extent::Exact)
        };
        patterns
            .iter()
            .filter(|(pattern, _)| fits(pattern))
            .max_by_key(|(pattern, _)| rank(pattern))
            .map(|(_, id)| id)
    }

    proptest! {
        #[test]
        fn the_tree_agrees_with_trying_every_pattern(
            texts in proptest::collection::vec(("(/(a|b|\\{x\\})){1,4}", any::<bool>()), 1..8),
            path in "(/(a|b|c|)){1,5}",
        ) {
            let mut table = PathTable::default();
            let mut patterns: Vec<(PathPattern, usize)> = Vec::new();
            for (text, exact) in &texts {
                let extent = if *exact { Extent::Exact } else { Extent::Prefix };
                // Captures need names of their own; the position serves.
                let mut named = String::new();
                for (at, part) in text.split("{x}").enumerate() {
                    if at > 0 { named.push_str(&format!("{{x{at}}}")); }
                    named.push_str(part);
                }
                let pattern = PathPattern::parse(&named, extent).unwrap();
                let slot = table.entry(&pattern);
                if slot.is_none() {
                    *slot = Some(patterns.len());
                    patterns.push((pattern, patterns.len()));
                }
            }
            prop_assert_eq!(table.find(&path).map(|(id, _)| *id), naive(&patterns, &path).copied());
        }
    }
}
