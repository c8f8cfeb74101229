//! Parses the path of a route as in the config: literal segments and captures. Matches nothing.

/// One segment of a route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Literal text, already canonical.
    Literal(String),
    /// `{name}`: any one non-empty segment.
    Capture(String),
}

/// A route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The segments between slashes; none for `/`.
    pub segments: Vec<Segment>,
    /// Whether paths below it match as well.
    pub extent: Extent,
}

/// The paths that a pattern covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The path and all paths below it.
    Prefix,
    /// Only the path.
    Exact,
}

/// Errors of a path pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// Patterns are absolute.
    #[error("a route's path begins with a slash")]
    NoSlash,
    /// `/a/` as a prefix would leave `/a` undefined.
    #[error(
        "a prefix does not end with a slash: it covers the path itself and everything below it"
    )]
    TrailingSlash,
    /// Requests with such a path are rejected, or normalised to another path, before routing.
    #[error(
        "no request can have this path: it has an empty, `.` or `..` segment, or a character that is never forwarded"
    )]
    NeverCanonical,
    /// `/api/*`, which other programs use for a prefix.
    #[error("a star is no wildcard in a route's path")]
    Star,
    /// `{}` or braces inside a segment.
    #[error("a capture is a whole segment `{{name}}` of letters, digits and underscores")]
    BadCapture,
    /// A capture name occurs twice.
    #[error("the capture `{{{0}}}` stands twice in the path")]
    RepeatedCapture(String),
    /// The positions of captures are stored in a fixed number of bits.
    #[error("a capture stands among the first {CAPTURE_DEPTH} segments of a path")]
    CaptureTooDeep,
}

/// Maximum number of leading segments that may be captures.
pub(super) const CAPTURE_DEPTH: usize = u64::BITS as usize;

impl PathPattern {
    /// Parses the path of a route.
    ///
    /// # Errors
    /// [`PathPatternError`] for a path that is not a pattern, or that no request can have.
    pub fn parse(text: &str, extent: Extent) -> Result<Self, PathPatternError> {
        let inner = text.strip_prefix('/').ok_or(PathPatternError::NoSlash)?;
        if inner.is_empty() && extent == Extent::Prefix {
            return Ok(Self {
                segments: Vec::new(),
                extent,
            });
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

    /// The pattern for folded paths.
    #[must_use]
    pub fn folded(&self) -> Self {
        let fold = |segment: &Segment| match segment {
            Segment::Capture(name) => vec![Segment::Capture(name.clone())],
            Segment::Literal(text) => super::path::with_folded(&format!("/{text}"), |folded| {
                let segments = folded.split('/').filter(|segment| !segment.is_empty());
                segments
                    .map(|segment| Segment::Literal(segment.to_owned()))
                    .collect()
            }),
        };
        Self {
            segments: self.segments.iter().flat_map(fold).collect(),
            extent: self.extent,
        }
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
    if let Some(name) = part
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return if is_name {
            Ok(Segment::Capture(name.to_owned()))
        } else {
            Err(PathPatternError::BadCapture)
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_no_request_can_have_are_rejected() {
        for text in ["/a//b", "/a/../b", "/a?b", "/.", "/%2e%2e", "/a#b"] {
            let result = PathPattern::parse(text, Extent::Prefix);
            assert_eq!(result, Err(PathPatternError::NeverCanonical), "{text}");
        }
        assert_eq!(
            PathPattern::parse("/a/", Extent::Prefix),
            Err(PathPatternError::TrailingSlash)
        );
        assert_eq!(
            PathPattern::parse("/a{b}", Extent::Prefix),
            Err(PathPatternError::BadCapture)
        );
        for text in ["/api/*", "/*", "/a*b/c"] {
            assert_eq!(
                PathPattern::parse(text, Extent::Prefix),
                Err(PathPatternError::Star),
                "{text}"
            );
        }
        let star = PathPattern::parse("/api/%2A", Extent::Exact).unwrap();
        assert_eq!(
            star.segments.last(),
            Some(&Segment::Literal("*".to_owned())),
            "a star that is meant"
        );
        assert!(PathPattern::parse("/a/", Extent::Exact).is_ok());
    }
}
