//! The quick look at a target: most paths come in their canonical form, and are taken as they are. Normalises nothing, and
//! refuses nothing: what it does not know goes the whole way.

use super::CanonicalTarget;
use super::escape::is_path_byte;
use super::oddity::Oddities;
use std::borrow::Cow;

/// The target if its path is canonical already and has nothing odd, which nearly all have: found in one pass. `None`
/// says nothing about the others, errors among them.
pub(super) fn as_it_came(target: &str) -> Option<CanonicalTarget<'_>> {
    let mut rest = target.as_bytes();
    if rest.first() != Some(&b'/') {
        return None;
    }
    let mut length = 0;
    while let Some((&byte, after)) = rest.split_first() {
        match class(byte) {
            Class::Path => {}
            Class::Slash if begins_as_ordinary_segment(after) => {}
            Class::Question => break,
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
            .all(|byte| byte.is_ascii() && class(byte) != Class::Never)
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

/// Whether what follows a slash begins neither an empty segment (unless it is the last) nor a dot segment.
fn begins_as_ordinary_segment(after: &[u8]) -> bool {
    match after {
        [b'/', ..] => false,
        [b'.', tail @ ..] => {
            let behind = tail.strip_prefix(b".").unwrap_or(tail);
            !matches!(behind, [] | [b'/' | b'?', ..])
        }
        _ => true,
    }
}

/// What a byte of a target is to [`as_it_came`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Stands for itself in a path, wherever it stands.
    Path,
    Slash,
    Question,
    /// Could mean more in a path.
    Special,
    /// Refused anywhere in a target.
    Never,
}

fn class(byte: u8) -> Class {
    static CLASSES: [Class; 256] = classes();
    CLASSES
        .get(usize::from(byte))
        .copied()
        .unwrap_or(Class::Never)
}

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Special; 256];
    let mut byte = 0;
    let mut rest: &mut [Class] = &mut classes;
    while let Some((class, after)) = rest.split_first_mut() {
        *class = match byte {
            b'/' => Class::Slash,
            b'?' => Class::Question,
            b'#' | 0x7f | 0..=b' ' => Class::Never,
            // Cut off by some upstreams.
            b';' => Class::Special,
            _ if is_path_byte(byte) => Class::Path,
            _ => Class::Special,
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
            let quick = as_it_came(target).expect(target);
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
            assert_eq!(as_it_came(target), None, "{target}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn the_quick_look_never_differs_from_the_whole_way(target in "/?([/.]|[a-c%;?\\\\#2ef +~\u{e4}\x01\x7f]|[ -~]){0,12}") {
            if let Some(quick) = as_it_came(&target) {
                prop_assert!(matches!(quick.path, Cow::Borrowed(_)));
                prop_assert_eq!(Ok(quick), CanonicalTarget::normalise(&target));
            }
        }

        #[test]
        fn the_quick_look_takes_whatever_is_canonical(target in "/([/.]|[a-c]|[!-~]){0,8}") {
            let whole = CanonicalTarget::normalise(&target);
            let changes_nothing = whole.is_ok_and(|whole| {
                whole.oddities == Oddities::default() && whole.to_string() == target && !whole.path.contains('%')
            });
            prop_assert_eq!(as_it_came(&target).is_some(), changes_nothing);
        }
    }
}
