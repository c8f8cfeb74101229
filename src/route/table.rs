//! Canonical path to route: the most specific one, segment by segment. Pure; knows no host and no permission.

use std::collections::HashMap;

/// One segment of a route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text, already canonical.
    Literal(String),
    /// `{name}`: any one non-empty segment.
    Capture(String),
}

/// A route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The segments between slashes; none for `/`.
    pub segments: Vec<Segment>,
    /// Whether paths below match, too.
    pub extent: Extent,
}

/// How far a pattern reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The path and all below it.
    Prefix,
    /// The path alone.
    Exact,
}

/// Why a path pattern cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// Patterns are absolute.
    #[error("a route's path begins with a slash")]
    NoSlash,
    /// `/a/` with a prefix match would leave open what happens to `/a`.
    #[error("a prefix does not end with a slash: it covers the path itself and everything below it")]
    TrailingSlash,
    /// A request with such a path is refused, or resolved to another, before routing.
    #[error(
        "no request can have this path: it has an empty, `.` or `..` segment, or a character that is never forwarded"
    )]
    NeverCanonical,
    /// `/api/*`, which elsewhere means what a prefix means here.
    #[error("a star is no wildcard in a route's path")]
    Star,
    /// `{}` or braces inside a segment.
    #[error("a capture is a whole segment `{{name}}` of letters, digits and underscores")]
    BadCapture,
    /// Each capture has its own name.
    #[error("the capture `{{{0}}}` stands twice in the path")]
    RepeatedCapture(String),
    /// Where the captures of a path are is kept in a fixed number of bits.
    #[error("a capture stands among the first {CAPTURE_DEPTH} segments of a path")]
    CaptureTooDeep,
}

/// How many segments of a path may be captures.
const CAPTURE_DEPTH: usize = u64::BITS as usize;

/// The captured segments of a path, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Captured<'p> {
    path: &'p str,
    /// Which segments of the path, as bits.
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
        segments.enumerate().filter(move |(at, _)| captured >> at & 1 == 1).map(|(_, segment)| segment)
    }
}

impl PathPattern {
    /// Reads a route's path.
    ///
    /// # Errors
    /// [`PathPatternError`] for a path that is not a pattern, or that no request can have.
    pub fn parse(text: &str, extent: Extent) -> Result<Self, PathPatternError> {
        let inner = text.strip_prefix('/').ok_or(PathPatternError::NoSlash)?;
        if inner.is_empty() && extent == Extent::Prefix {
            return Ok(Self { segments: Vec::new(), extent });
        }
        if extent == Extent::Prefix && inner.ends_with('/') {
            return Err(PathPatternError::TrailingSlash);
        }
        let mut segments = Vec::new();
        let mut parts = inner.split('/').peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            let segment = parse_segment(part, is_last)?;
            if let Segment::Capture(name) = &segment
                && segments.contains(&segment)
            {
                return Err(PathPatternError::RepeatedCapture(name.clone()));
            }
            segments.push(segment);
        }
        let pattern = Self { segments, extent };
        let mut too_deep = pattern.segments.iter().skip(CAPTURE_DEPTH);
        if too_deep.any(|segment| matches!(segment, Segment::Capture(_))) {
            return Err(PathPatternError::CaptureTooDeep);
        }
        Ok(pattern)
    }

    /// The same for folded paths.
    #[must_use]
    pub fn folded(&self) -> Self {
        let fold = |segment: &Segment| match segment {
            Segment::Capture(name) => vec![Segment::Capture(name.clone())],
            Segment::Literal(text) => super::path::with_folded(&format!("/{text}"), |folded| {
                let segments = folded.split('/').filter(|segment| !segment.is_empty());
                segments.map(|segment| Segment::Literal(segment.to_owned())).collect()
            }),
        };
        Self { segments: self.segments.iter().flat_map(fold).collect(), extent: self.extent }
    }

    /// The names of the captures, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Capture(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }
}

fn parse_segment(part: &str, is_last: bool) -> Result<Segment, PathPatternError> {
    if let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return if is_name { Ok(Segment::Capture(name.to_owned())) } else { Err(PathPatternError::BadCapture) };
    }
    if part.contains(['{', '}']) {
        return Err(PathPatternError::BadCapture);
    }
    if part.contains('*') {
        return Err(PathPatternError::Star);
    }
    if part.contains(['?', '#', '\\']) {
        return Err(PathPatternError::NeverCanonical);
    }
    let canonical = super::path::canonical_literal(part, b"");
    let path = format!("/{canonical}");
    let same = super::path::CanonicalTarget::parse(&path);
    let reachable = same.is_ok_and(|target| target.path == path && target.query.is_none());
    if (part.is_empty() && !is_last) || !reachable {
        return Err(PathPatternError::NeverCanonical);
    }
    Ok(Segment::Literal(canonical))
}

/// Routes by path. `T` is what a route is to the caller.
#[derive(Clone, Debug)]
pub struct PathTable<T> {
    root: Node<T>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    /// From the config alone, so that no client can choose what collides.
    literals: HashMap<String, Node<T>, foldhash::fast::RandomState>,
    capture: Option<Box<Node<T>>>,
    exact: Option<T>,
    prefix: Option<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::default(), capture: None, exact: None, prefix: None }
    }
}

impl<T> Default for PathTable<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> PathTable<T> {
    /// The place for a route with this pattern, to look at or to fill. Names of captures make no difference.
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

    /// All that is in it.
    pub fn values(&self) -> Vec<&T> {
        let (mut values, mut nodes) = (Vec::new(), vec![&self.root]);
        while let Some(node) = nodes.pop() {
            values.extend(node.exact.iter().chain(&node.prefix));
            nodes.extend(node.literals.values().chain(node.capture.as_deref()));
        }
        values
    }

    /// The most specific route for a canonical path, with the captured segments in order. At each segment a
    /// literal goes before a capture, and a longer path before a shorter one.
    ///
    /// Visits each node of the tree at most once, whatever the path.
    pub fn find<'t, 'p>(&'t self, path: &'p str) -> Option<(&'t T, Captured<'p>)> {
        let inner = path.strip_prefix('/')?;
        let (found, segments) = find_in(&self.root, Some(inner), 1)?;
        Some((found, Captured { path, segments }))
    }
}

/// `rest` is what follows the slash behind this node; `None` if the path ends here. `bit` stands for the first segment
/// of the rest. Gives the bits of the captured segments, too.
fn find_in<'t, T>(node: &'t Node<T>, rest: Option<&str>, bit: u64) -> Option<(&'t T, u64)> {
    let Some(rest) = rest else {
        return node.exact.as_ref().or(node.prefix.as_ref()).map(|found| (found, 0));
    };
    let (segment, after) = rest.split_once('/').map_or((rest, None), |(segment, after)| (segment, Some(after)));
    // No pattern has a capture so deep that its bit is lost here.
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
            ("/v1/objects/services", "/v1/objects/{type}", vec!["services"]),
            ("/v1/objects/services/a", "/v1/objects/{type}/{name}", vec!["services", "a"]),
            ("/v1/objects/services/a/b", "/v1/objects/{type}", vec!["services"]),
            ("/v1/objects/", "/v1/objects", vec![]),
        ] {
            let (found, found_captured) = table.find(path).unwrap();
            assert_eq!((found.as_str(), found_captured.iter().collect()), (expected, captured), "{path}");
        }
    }

    #[test]
    fn captures_are_found_as_deep_as_they_may_stand() {
        let pattern = |deep: usize| "/a".repeat(deep - 2) + "/{first}/{last}";
        let table = table(&[(&pattern(CAPTURE_DEPTH), Extent::Prefix)]);
        let path = "/a".repeat(CAPTURE_DEPTH - 2) + "/x/y/z/z";
        assert!(table.find(&path).unwrap().1.iter().eq(["x", "y"]));
        let too_deep = PathPattern::parse(&pattern(CAPTURE_DEPTH + 1), Extent::Prefix);
        assert_eq!(too_deep, Err(PathPatternError::CaptureTooDeep));
    }

    #[test]
    fn patterns_that_no_request_can_have_are_refused() {
        for text in ["/a//b", "/a/../b", "/a?b", "/.", "/%2e%2e", "/a#b"] {
            let result = PathPattern::parse(text, Extent::Prefix);
            assert_eq!(result, Err(PathPatternError::NeverCanonical), "{text}");
        }
        assert_eq!(PathPattern::parse("/a/", Extent::Prefix), Err(PathPatternError::TrailingSlash));
        assert_eq!(PathPattern::parse("/a{b}", Extent::Prefix), Err(PathPatternError::BadCapture));
        for text in ["/api/*", "/*", "/a*b/c"] {
            assert_eq!(PathPattern::parse(text, Extent::Prefix), Err(PathPatternError::Star), "{text}");
        }
        let star = PathPattern::parse("/api/%2A", Extent::Exact).unwrap();
        assert_eq!(star.segments.last(), Some(&Segment::Literal("*".to_owned())), "a star that is meant");
        assert!(PathPattern::parse("/a/", Extent::Exact).is_ok());
    }

    /// Independent of the tree: every pattern is tried, and the best is chosen by comparing segment by segment.
    fn naive<'a>(patterns: &'a [(PathPattern, usize)], path: &str) -> Option<&'a usize> {
        let segments: Vec<&str> = path[1..].split('/').collect();
        let fits = |pattern: &PathPattern| {
            let enough = match pattern.extent {
                Extent::Exact => pattern.segments.len() == segments.len(),
                Extent::Prefix => pattern.segments.len() <= segments.len(),
            };
            enough
                && pattern.segments.iter().zip(&segments).all(|(wanted, is)| match wanted {
                    Segment::Literal(text) => text == is,
                    Segment::Capture(_) => !is.is_empty(),
                })
        };
        let rank = |pattern: &PathPattern| {
            let mut rank: Vec<u8> =
                pattern.segments.iter().map(|s| if matches!(s, Segment::Literal(_)) { 2 } else { 1 }).collect();
            rank.push(0);
            (rank, pattern.extent == Extent::Exact)
        };
        patterns.iter().filter(|(pattern, _)| fits(pattern)).max_by_key(|(pattern, _)| rank(pattern)).map(|(_, id)| id)
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
