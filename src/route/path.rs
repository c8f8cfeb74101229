//! Normalises request paths; no other module does. The result is routed, authorized, logged and
//! forwarded. Knows no routes; the caller decides which oddities a route accepts.

mod escape;
mod fold;
mod ignorable;
mod oddity;
mod quick;
mod readings;
mod segments;

pub use escape::{decoded, hex_pair};
pub(super) use fold::with_folded;
pub use fold::{folded_letters, folded_pattern, has_one_reading};
pub use oddity::{Oddities, Oddity};
pub use readings::{OtherReadings, other_readings};

use escape::{is_decoded, is_path_byte, push_escape};
use std::borrow::Cow;
use std::fmt;

/// Errors of a target without a canonical path. No route can accept these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Only paths are forwarded: no `*`, no authority form.
    #[error("the target does not begin with a slash")]
    NotAPath,
    /// `%` without two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    InvalidPercent,
    /// Control bytes, spaces or non-UTF-8 in the raw target.
    #[error("the target has a byte that no URI may have")]
    InvalidByte,
    /// Fragments are never sent to servers.
    #[error("the target has a fragment")]
    Fragment,
    /// `..` beyond the root.
    #[error("the path climbs above its root")]
    AboveRoot,
    /// `..;x`, which some servers read as `..`.
    #[error("a dot segment has parameters")]
    DotParameters,
    /// `a%2F..%2Fb`, which leaves the directory if a server decodes the slash.
    #[error("a dot segment hides behind an encoded slash")]
    HiddenDotSegment,
    /// `..%20`, `..%3Bx` or `%EF%BC%8E%EF%BC%8E`, which some servers read as `..`.
    #[error("a dot segment is written with blanks, parameters or other dots")]
    DisguisedDotSegment,
}

/// A path in its canonical form, and its query with reserved bytes encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalTarget<'a> {
    /// Starts with `/`; ASCII; each character in its one form (plain, or percent-encoded in upper
    /// case). Borrowed if the path was already canonical.
    pub path: Cow<'a, str>,
    /// The text after `?`, unchanged except for encoded non-ASCII bytes. Borrowed if it was ASCII.
    pub query: Option<Cow<'a, str>>,
    /// The oddities that a route must accept explicitly.
    pub oddities: Oddities,
}

impl fmt::Display for CanonicalTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces()
            .into_iter()
            .try_for_each(|piece| f.write_str(piece))
    }
}

impl<'a> CanonicalTarget<'a> {
    /// The parts of the written form.
    pub fn pieces(&self) -> [&str; 3] {
        let query = self.query.as_deref();
        let separator = if query.is_some() { "?" } else { "" };
        [&self.path, separator, query.unwrap_or_default()]
    }

    /// Parses a request target in origin form (RFC 9112 section 3.2.1).
    ///
    /// # Errors
    /// [`PathError`] if the target has no canonical form.
    pub fn parse(target: &'a str) -> Result<Self, PathError> {
        quick::parse_canonical(target).map_or_else(|| Self::normalise(target), Ok)
    }

    /// Full normalisation, for every target.
    fn normalise(target: &'a str) -> Result<Self, PathError> {
        if !target.starts_with('/') {
            return Err(PathError::NotAPath);
        }
        if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(PathError::InvalidByte);
        }
        if target.contains('#') {
            return Err(PathError::Fragment);
        }
        let (raw_path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut oddities = Oddities::default();
        let escaped = normalise_escapes(raw_path, &mut oddities)?;
        let path = resolve_segments(&escaped, &mut oddities)?;
        if is_encoded_twice(&path) {
            oddities.insert(Oddity::DoubleEncoding);
        }
        if path.contains(';') {
            oddities.insert(Oddity::PathParameters);
        }
        Ok(Self {
            path: Cow::Owned(path),
            query: query.map(ascii_query),
            oddities,
        })
    }
}

/// Percent-encodes the non-ASCII bytes of a query, as in paths. A URI has none (RFC 3986 section
/// 2), and many servers reject them. Other bytes are unchanged, since only the upstream knows their
/// meaning.
fn ascii_query(raw: &str) -> Cow<'_, str> {
    if raw.is_ascii() {
        return Cow::Borrowed(raw);
    }
    let mut query = String::with_capacity(raw.len() * 3);
    for byte in raw.bytes() {
        if byte.is_ascii() {
            query.push(char::from(byte))
        } else {
            push_escape(&mut query, byte)
        }
    }
    Cow::Owned(query)
}

/// RFC 3986 section 6.2.2 and more: characters that mean the same plain and encoded become plain,
/// other escapes become upper case, and reserved bytes are encoded.
fn normalise_escapes(raw: &str, oddities: &mut Oddities) -> Result<String, PathError> {
    let mut path = String::with_capacity(raw.len());
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        if byte == b'%' {
            let value = hex_pair(bytes).ok_or(PathError::InvalidPercent)?;
            bytes = bytes.get(2..).unwrap_or_default();
            note_escape(value, oddities);
            decoded.push(value);
            if is_decoded(value) {
                path.push(char::from(value))
            } else {
                push_escape(&mut path, value)
            }
            continue;
        }
        decoded.push(byte);
        if byte == b'\\' {
            oddities.insert(Oddity::RawBackslash);
        }
        if is_path_byte(byte) {
            path.push(char::from(byte))
        } else {
            push_escape(&mut path, byte)
        }
    }
    if std::str::from_utf8(&decoded).is_err() {
        oddities.insert(Oddity::InvalidUtf8);
    }
    Ok(path)
}

fn note_escape(value: u8, oddities: &mut Oddities) {
    match value {
        b'/' => oddities.insert(Oddity::EncodedSlash),
        b'\\' => oddities.insert(Oddity::EncodedBackslash),
        0..=0x1f | 0x7f => oddities.insert(Oddity::EncodedControl),
        _ => {}
    }
}

/// Whether decoding twice gives a byte that the path does not show. Any byte counts, since a letter
/// may belong to a denied path. Checks the canonical path: `%25%32%65` is `%252e` by now.
fn is_encoded_twice(path: &str) -> bool {
    path.split("%25")
        .skip(1)
        .any(|after| hex_pair(after.as_bytes()).is_some())
}

/// RFC 3986 section 5.2.4, by segments. A final empty segment is an ordinary trailing slash.
fn resolve_segments(path: &str, oddities: &mut Oddities) -> Result<String, PathError> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = inner.split('/').peekable();
    while let Some(segment) = rest.next() {
        let is_last = rest.peek().is_none();
        let (name, parameters) = segment
            .split_once(';')
            .map_or((segment, None), |(name, tail)| (name, Some(tail)));
        if matches!(name, "." | "..") && parameters.is_some() {
            return Err(PathError::DotParameters);
        }
        if hides_dot_segment(segment) {
            return Err(PathError::HiddenDotSegment);
        }
        if fold::disguises_dot_segment(segment) {
            return Err(PathError::DisguisedDotSegment);
        }
        match segment {
            "." | ".." => {
                oddities.insert(Oddity::DotSegments);
                if segment == ".." && segments.pop().is_none() {
                    return Err(PathError::AboveRoot);
                }
                // `/a/..` names a directory, so it keeps its slash.
                if is_last {
                    segments.push("");
                }
            }
            "" if !is_last => {
                oddities.insert(Oddity::EmptySegments);
                segments.push(segment);
            }
            _ => segments.push(segment),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

/// Whether a segment contains dot segments if encoded slashes are decoded.
fn hides_dot_segment(segment: &str) -> bool {
    let plain = segment.replace("%5C", "%2F");
    let mut inner = plain.split("%2F");
    plain.contains("%2F") && inner.any(|part| matches!(part.split(';').next(), Some("." | "..")))
}

/// Canonicalizes literal text of a pattern, for comparison with canonical paths. Bytes in `keep`
/// are unchanged.
pub fn canonical_literal(text: &str, keep: &[u8]) -> String {
    let mut canonical = String::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match (byte, hex_pair(bytes)) {
            (b'%', Some(value)) => {
                bytes = bytes.get(2..).unwrap_or_default();
                match value {
                    // An encoded star is literal, where a plain one is a wildcard.
                    b'*' if keep.contains(&b'*') => canonical.push_str("\\*"),
                    _ if is_decoded(value) => canonical.push(char::from(value)),
                    _ => push_escape(&mut canonical, value),
                }
            }
            _ if is_path_byte(byte) || byte == b'/' || keep.contains(&byte) => {
                canonical.push(char::from(byte))
            }
            _ => push_escape(&mut canonical, byte),
        }
    }
    canonical
}

/// A canonical path as read by an upstream that removes `;parameters` and merges slashes.
pub fn plain_reading(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for segment in path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
    {
        if !(segment.is_empty() && plain.ends_with('/')) {
            plain.push_str(segment);
            plain.push('/');
        }
    }
    if !path.ends_with('/') || plain.len() > 1 && path == "/" {
        plain.pop();
    }
    // Only the slash of `/;x` remains.
    if plain.is_empty() && path.starts_with('/') {
        "/".to_owned()
    } else {
        plain
    }
}

#[cfg(test)]
mod tests;
