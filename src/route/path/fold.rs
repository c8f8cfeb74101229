//! Folds paths as some upstreams read them: without case, trailing slashes, dots and blanks at the
//! ends of segments, `;parameters`, and Unicode compatibility forms (NFKC). The results are
//! compared with `deny` and with other routes; none is forwarded.

use super::escape::{decoded, hex_pair, push_escape};
use super::ignorable::is_ignorable;
use super::segments::{without_empty_segments, without_ends};
use unicode_normalization::UnicodeNormalization;

/// Folds a text: NFKC, lower case, a blank for each white space, and without ignorable characters
/// (Default_Ignorable_Code_Point). Invalid UTF-8 bytes are unchanged.
pub fn folded_letters(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        if valid.is_ascii() {
            folded.extend(valid.bytes().map(|byte| {
                if byte == b'\t' {
                    b' '
                } else {
                    byte.to_ascii_lowercase()
                }
            }));
        } else {
            // Normalised again, since case folding may decompose characters.
            let letters = valid
                .nfkc()
                .filter(|letter| !is_ignorable(*letter))
                .flat_map(without_case);
            without_dots(letters)
                .nfkc()
                .for_each(|letter| push_letter(&mut folded, letter));
        }
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}

fn push_letter(folded: &mut Vec<u8>, letter: char) {
    let letter = match letter {
        _ if letter.is_whitespace() => ' ',
        // Dots and slashes of other scripts that some upstreams treat as ASCII ones.
        '\u{3002}' => '.',
        '\u{2044}' | '\u{2215}' => '/',
        _ => letter,
    };
    folded.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Folds the bytes of a pattern. A `*` or `?` that results from folding is not a wildcard. A
/// pattern without wildcards also loses trailing slashes and the like, since an upstream may read
/// `/admin` for `/admin/`.
pub fn folded_pattern(pattern: &[u8]) -> Vec<u8> {
    let is_wildcard = |byte: &u8| matches!(byte, b'*' | b'?');
    if !pattern.iter().any(is_wildcard) {
        return without_empty_segments(&without_ends(&folded_pattern_letters(pattern)));
    }
    folded_pattern_letters(pattern)
}

fn folded_pattern_letters(pattern: &[u8]) -> Vec<u8> {
    let is_wildcard = |byte: &u8| matches!(byte, b'*' | b'?');
    let mut folded = Vec::with_capacity(pattern.len());
    for piece in pattern.split_inclusive(is_wildcard) {
        let (text, wildcard) = match piece.split_last() {
            Some((last, text)) if is_wildcard(last) => (text, Some(*last)),
            _ => (piece, None),
        };
        for byte in folded_letters(text) {
            folded.extend(is_wildcard(&byte).then_some(b'\\'));
            folded.push(byte);
        }
        folded.extend(wildcard);
    }
    folded
}

/// Removes the combining dot in the lower case of `\u{130}`. Depending on the language, `\u{130}`,
/// `i` with a dot and `i` are one letter.
fn without_dots(letters: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut previous = '\0';
    letters.filter(move |letter| {
        let is_dot_of_i = *letter == '\u{307}' && previous == 'i';
        if !is_dot_of_i {
            previous = *letter;
        }
        !is_dot_of_i
    })
}

/// Converts to upper case and back, so that letters with the same upper case become equal. Before that to lower case, since
/// the capital `\u{1e9e}` has no other upper case, but its lower case has one: `SS`.
fn without_case(letter: char) -> impl Iterator<Item = char> {
    letter
        .to_lowercase()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// Whether a segment of a canonical path is a dot segment for a server that removes blanks and
/// parameters or accepts other dots: `..%20`, `..%3Bx`, `%EF%BC%8E%EF%BC%8E`. Includes parts after
/// a slash that only folding reveals.
pub(super) fn disguises_dot_segment(segment: &str) -> bool {
    if !segment.contains('%') {
        return false;
    }
    let text = folded_letters(&decoded(segment));
    text.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| {
        let name = part
            .split(|byte| matches!(byte, b';' | b'?' | b'#'))
            .next()
            .unwrap_or_default();
        let name = String::from_utf8_lossy(name).replace("%20", " ");
        let name = name.trim_matches(' ');
        matches!(name, "." | "..")
            || name.contains(['.']) && name.contains(' ') && name.chars().all(is_trailing_ignored)
    })
}

/// Whether some servers ignore a character at the end of a segment.
fn is_trailing_ignored(character: char) -> bool {
    matches!(character, '.' | ' ')
}

/// How folding changes a canonical path.
enum FoldEffect {
    /// Not at all.
    None,
    /// At most upper case and a trailing slash.
    Little,
    /// Escapes, parameters, empty segments, or dots at the ends of segments.
    Much,
}

fn fold_effect(path: &str) -> FoldEffect {
    let mut effect = FoldEffect::None;
    let mut previous = 0;
    for byte in path.bytes() {
        match byte {
            b'%' | b';' => return FoldEffect::Much,
            b'/' if matches!(previous, b'/' | b'.') => return FoldEffect::Much,
            // `name::$DATA`
            b'$' if previous == b':' => return FoldEffect::Much,
            b'A'..=b'Z' => effect = FoldEffect::Little,
            _ => {}
        }
        previous = byte;
    }
    match previous {
        b'.' => FoldEffect::Much,
        b'/' if path.len() > 1 => FoldEffect::Little,
        _ => effect,
    }
}

/// Calls `then` with the fully folded form of a canonical path. Encoded slashes are unchanged. Does
/// not allocate for ordinary paths.
pub(in crate::route) fn with_folded<R>(path: &str, then: impl FnOnce(&str) -> R) -> R {
    match fold_effect(path) {
        FoldEffect::None => then(path),
        FoldEffect::Little => {
            let trimmed = if path.len() > 1 {
                path.strip_suffix('/').unwrap_or(path)
            } else {
                path
            };
            let mut space = [0; 256];
            let lower = space.get_mut(..trimmed.len()).map(|lower| {
                lower.copy_from_slice(trimmed.as_bytes());
                lower.make_ascii_lowercase();
                &*lower
            });
            match lower.and_then(|lower| std::str::from_utf8(lower).ok()) {
                Some(lower) => then(lower),
                None => then(&trimmed.to_ascii_lowercase()),
            }
        }
        FoldEffect::Much => then(&folded(path)),
    }
}

/// The folded form, built segment by segment.
fn folded(path: &str) -> String {
    let mut folded = String::with_capacity(path.len());
    for segment in path.split('/') {
        let text = folded_letters(&decoded_but_slashes(segment));
        let before_query = before_query(&text);
        for part in before_query.split(|byte| matches!(byte, b'/' | b'\\')) {
            let name = before_stream(part.split(|byte| *byte == b';').next().unwrap_or_default());
            let name = String::from_utf8_lossy(name);
            let name = name
                .trim_start_matches(' ')
                .trim_end_matches(is_trailing_ignored);
            if !name.is_empty() {
                folded.push('/');
                folded.push_str(name);
            }
        }
        if before_query.len() < text.len() {
            break;
        }
    }
    if folded.is_empty() {
        "/".to_owned()
    } else {
        folded
    }
}

/// Removes what a server removes that decodes a path before it looks for the query or fragment.
pub(super) fn before_query(text: &[u8]) -> &[u8] {
    text.split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}

/// A segment without the name of an NTFS stream: `::$DATA`, `:$I30:$INDEX_ALLOCATION`.
pub(super) fn before_stream(segment: &[u8]) -> &[u8] {
    if !segment.windows(2).any(|pair| pair == b":$") {
        return segment;
    }
    segment
        .split(|byte| *byte == b':')
        .next()
        .unwrap_or_default()
}

fn decoded_but_slashes(segment: &str) -> Vec<u8> {
    let escape = |byte: u8| {
        let mut escape = String::new();
        push_escape(&mut escape, byte);
        escape.into_bytes()
    };
    let mut plain = Vec::with_capacity(segment.len());
    let mut bytes = segment.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match (byte, hex_pair(bytes)) {
            (b'%', Some(value)) => {
                bytes = bytes.get(2..).unwrap_or_default();
                if value == b'/' {
                    plain.extend(escape(value))
                } else {
                    plain.push(value)
                }
            }
            _ => plain.push(byte),
        }
    }
    plain
}

/// Whether folding changes at most the case of letters and a trailing slash, and nothing is to be
/// decoded.
pub fn has_one_reading(text: &str) -> bool {
    !matches!(fold_effect(text), FoldEffect::Much)
}

#[cfg(test)]
mod tests;
