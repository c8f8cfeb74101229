//! A fast path for targets that are already canonical, as most are. Neither normalises nor rejects;
//! other targets need full normalisation.

use super::CanonicalTarget;
use super::escape::is_path_byte;
use super::oddity::Oddities;
use std::borrow::Cow;

/// The target if its path is canonical and has no oddity, in one pass. `None` for all other
/// targets, including invalid ones.
pub(super) fn parse_canonical(target: &str) -> Option<CanonicalTarget<'_>> {
    let mut rest = target.as_bytes();
    if rest.first() != Some(&b'/') {
        return None;
    }
    let mut length = 0;
    while let Some((&byte, after)) = rest.split_first() {
        match class(byte) {
            ByteClass::Path => {}
            ByteClass::Slash if begins_as_ordinary_segment(after) => {}
            ByteClass::Question => break,
            _ => return None,
        }
        rest = after;
        length += 1;
    }
    let (path, query) = target.split_at_checked(length)?;
    let query = query.strip_prefix('?');
    let plain = |query: &str| {
        query
            .bytes()
            .all(|byte| byte.is_ascii() && class(byte) != ByteClass::Never)
    };
    let query = query.map(Cow::Borrowed);
    query
        .as_deref()
        .is_none_or(plain)
        .then_some(CanonicalTarget {
            path: Cow::Borrowed(path),
            query,
            oddities: Oddities::default(),
        })
}

/// Whether the text after a slash starts neither an empty segment (unless it is the last) nor a dot
/// segment.
fn begins_as_ordinary_segment(after: &[u8]) -> bool {
    match after {
        [b'/', ..] => false,
        [b'.', tail @ ..] => {
            let following = tail.strip_prefix(b".").unwrap_or(tail);
            !matches!(following, [] | [b'/' | b'?', ..])
        }
        _ => true,
    }
}

/// The class of a byte in a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteClass {
    /// Literal at any position of a path.
    Path,
    Slash,
    Question,
    /// May have a special meaning in a path.
    Special,
    /// Invalid anywhere in a target.
    Never,
}

fn class(byte: u8) -> ByteClass {
    static CLASSES: [ByteClass; 256] = classes();
    CLASSES
        .get(usize::from(byte))
        .copied()
        .unwrap_or(ByteClass::Never)
}

const fn classes() -> [ByteClass; 256] {
    let mut classes = [ByteClass::Special; 256];
    let mut byte = 0;
    let mut rest: &mut [ByteClass] = &mut classes;
    while let Some((class, after)) = rest.split_first_mut() {
        *class = match byte {
            b'/' => ByteClass::Slash,
            b'?' => ByteClass::Question,
            b'#' | 0x7f | 0..=b' ' => ByteClass::Never,
            // Some upstreams remove parameters.
            b';' => ByteClass::Special,
            _ if is_path_byte(byte) => ByteClass::Path,
            _ => ByteClass::Special,
        };
        byte = byte.wrapping_add(1);
        rest = after;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_targets_are_borrowed_and_others_go_the_whole_way() {
        for target in [
            "/",
            "/a",
            "/a/",
            "/.well-known/x",
            "/..a/...",
            "/a?b=c%zz;?/../",
            "/v1/@:!$&'()*+,=",
        ] {
            let quick = parse_canonical(target).expect(target);
            assert_eq!(Ok(quick), CanonicalTarget::normalise(target));
        }
        for target in [
            "",
            "a",
            "/a%20b",
            "//",
            "/a//b",
            "/.",
            "/a/..",
            "/./a",
            "/a/..?x",
            "/a;b",
            "/a\\b",
            "/a?b#c",
            "/\u{e4}",
            "/a?\u{e4}",
        ] {
            assert_eq!(parse_canonical(target), None, "{target}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn the_quick_look_never_differs_from_the_whole_way(target in "/?([/.]|[a-c%;?\\\\#2ef +~\u{e4}\x01\x7f]|[ -~]){0,12}") {
            if let Some(quick) = parse_canonical(&target) {
                prop_assert!(matches!(quick.path, Cow::Borrowed(_)));
                prop_assert_eq!(Ok(quick), CanonicalTarget::normalise(&target));
            }
        }

        #[test]
        fn the_quick_look_takes_every_canonical_target(target in "/([/.]|[a-c]|[!-~]){0,8}") {
            let whole = CanonicalTarget::normalise(&target);
            let changes_nothing = whole.is_ok_and(|whole| {
                whole.oddities == Oddities::default() && whole.to_string() == target && !whole.path.contains('%')
            });
            prop_assert_eq!(parse_canonical(&target).is_some(), changes_nothing);
        }
    }
}
