//! Paths as an upstream reads them that does not tell all spellings apart: without regard to case, final slashes, dots and
//! blanks at the ends of segments, `;parameters`, and compatibility forms of characters (Unicode's NFKC). Such readings are
//! compared with `deny` and with other routes; none of them is forwarded.

use super::escape::{decoded, hex_pair, push_escape};
use super::ignorable::is_ignorable;
use super::segments::{without_empty_segments, without_ends};
use unicode_normalization::UnicodeNormalization;

/// The letters of a text without their differences: NFKC, lower case, a blank for every white space, nothing for characters
/// that may be ignored (Default_Ignorable_Code_Point). Octets that are no UTF-8 stay.
pub fn folded_letters(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        if valid.is_ascii() {
            folded.extend(valid.bytes().map(|octet| {
                if octet == b'\t' {
                    b' '
                } else {
                    octet.to_ascii_lowercase()
                }
            }));
        } else {
            // Normalised again, since folding case may take compositions apart.
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
        // Dots and slashes of other scripts, by which some readers mean their own.
        '\u{3002}' => '.',
        '\u{2044}' | '\u{2215}' => '/',
        _ => letter,
    };
    folded.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The same for the octets of a pattern. What becomes `*` or `?` only by folding is not a wildcard. Without wildcards it is
/// also without final slashes and the like, since an upstream may read `/admin` where `/admin/` is meant.
pub fn folded_pattern(pattern: &[u8]) -> Vec<u8> {
    let is_wildcard = |octet: &u8| matches!(octet, b'*' | b'?');
    if !pattern.iter().any(is_wildcard) {
        return without_empty_segments(&without_ends(&folded_pattern_letters(pattern)));
    }
    folded_pattern_letters(pattern)
}

fn folded_pattern_letters(pattern: &[u8]) -> Vec<u8> {
    let is_wildcard = |octet: &u8| matches!(octet, b'*' | b'?');
    let mut folded = Vec::with_capacity(pattern.len());
    for piece in pattern.split_inclusive(is_wildcard) {
        let (text, wildcard) = match piece.split_last() {
            Some((last, text)) if is_wildcard(last) => (text, Some(*last)),
            _ => (piece, None),
        };
        for octet in folded_letters(text) {
            folded.extend(is_wildcard(&octet).then_some(b'\\'));
            folded.push(octet);
        }
        folded.extend(wildcard);
    }
    folded
}

/// Without the dot that the lower case of `\u{130}` has and that of `I` shows without one: `\u{130}`, `i` with a dot and `i` are one
/// letter to readers of one language or another.
fn without_dots(letters: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut before = '\0';
    letters.filter(move |letter| {
        let is_dot_of_i = *letter == '\u{307}' && before == 'i';
        if !is_dot_of_i {
            before = *letter;
        }
        !is_dot_of_i
    })
}

/// By the upper case first, so that letters with one upper case in common are one.
fn without_case(letter: char) -> impl Iterator<Item = char> {
    letter.to_uppercase().flat_map(char::to_lowercase)
}

/// Whether a segment of a canonical path is a dot segment to a reader that cuts off blanks and parameters or takes other
/// dots for its own: `..%20`, `..%3Bx`, `%EF%BC%8E%EF%BC%8E`. Also behind a slash that only folding shows.
pub(super) fn disguises_dot_segment(segment: &str) -> bool {
    if !segment.contains('%') {
        return false;
    }
    let text = folded_letters(&decoded(segment));
    text.split(|octet| matches!(octet, b'/' | b'\\'))
        .any(|part| {
            let name = part
                .split(|octet| matches!(octet, b';' | b'?' | b'#'))
                .next()
                .unwrap_or_default();
            let name = String::from_utf8_lossy(name).replace("%20", " ");
            let name = name.trim_matches(' ');
            matches!(name, "." | "..")
                || name.contains(['.']) && name.contains(' ') && name.chars().all(is_cut_off)
        })
}

/// Whether a character at the end of a segment says nothing to some readers.
fn is_cut_off(character: char) -> bool {
    matches!(character, '.' | ' ')
}

/// How much of a canonical path folding changes.
enum FoldEffect {
    /// Nothing.
    None,
    /// Upper case and a final slash at most.
    Little,
    /// There are escapes, parameters, empty segments or dots at the ends of segments.
    Much,
}

fn change(path: &str) -> FoldEffect {
    let mut change = FoldEffect::None;
    let mut before = 0;
    for octet in path.bytes() {
        match octet {
            b'%' | b';' => return FoldEffect::Much,
            b'/' if matches!(before, b'/' | b'.') => return FoldEffect::Much,
            // `name::$DATA`
            b'$' if before == b':' => return FoldEffect::Much,
            b'A'..=b'Z' => change = FoldEffect::Little,
            _ => {}
        }
        before = octet;
    }
    match before {
        b'.' => FoldEffect::Much,
        b'/' if path.len() > 1 => FoldEffect::Little,
        _ => change,
    }
}

/// Calls `then` with the folded form of a canonical path: all that folding does, at once. Encoded slashes stay. Needs no
/// heap for ordinary paths.
pub(in crate::route) fn with_folded<R>(path: &str, then: impl FnOnce(&str) -> R) -> R {
    match change(path) {
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

/// The folded form by going through all segments.
fn folded(path: &str) -> String {
    let mut folded = String::with_capacity(path.len());
    for segment in path.split('/') {
        let text = folded_letters(&decoded_but_slashes(segment));
        let before_query = before_query(&text);
        for part in before_query.split(|octet| matches!(octet, b'/' | b'\\')) {
            let name = before_stream(
                part.split(|octet| *octet == b';')
                    .next()
                    .unwrap_or_default(),
            );
            let name = String::from_utf8_lossy(name);
            let name = name.trim_start_matches(' ').trim_end_matches(is_cut_off);
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

/// Without what a reader cuts off who decodes a path before looking for its query or fragment.
pub(super) fn before_query(text: &[u8]) -> &[u8] {
    text.split(|octet| matches!(octet, b'?' | b'#'))
        .next()
        .unwrap_or_default()
}

/// A segment without the name of an NTFS stream of a type: `::$DATA`, `:$I30:$INDEX_ALLOCATION`.
pub(super) fn before_stream(segment: &[u8]) -> &[u8] {
    if !segment.windows(2).any(|pair| pair == b":$") {
        return segment;
    }
    segment
        .split(|octet| *octet == b':')
        .next()
        .unwrap_or_default()
}

fn decoded_but_slashes(segment: &str) -> Vec<u8> {
    let escape = |octet: u8| {
        let mut escape = String::new();
        push_escape(&mut escape, octet);
        escape.into_bytes()
    };
    let mut plain = Vec::with_capacity(segment.len());
    let mut octets = segment.as_bytes();
    while let Some((&octet, rest)) = octets.split_first() {
        octets = rest;
        match (octet, hex_pair(octets)) {
            (b'%', Some(value)) => {
                octets = octets.get(2..).unwrap_or_default();
                if value == b'/' {
                    plain.extend(escape(value))
                } else {
                    plain.push(value)
                }
            }
            _ => plain.push(octet),
        }
    }
    plain
}

/// Whether there is nothing to decode, to cut off or to leave out, but a final slash and the case of letters.
pub fn has_one_reading(text: &str) -> bool {
    !matches!(change(text), FoldEffect::Much)
}

#[cfg(test)]
mod tests;
