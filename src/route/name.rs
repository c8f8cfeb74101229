//! The name that a request requires, without heap allocation at ordinary lengths. Knows no captures
//! and no permission.
//!
//! Names are compared as bytes. A name that clients influence may contain invalid UTF-8.

use std::fmt;

/// A name: borrowed from the config, or filled with captured segments.
#[derive(Clone)]
pub struct Name<'a>(NameText<'a>);

/// Maximum bytes of an inline name. Longer names are on the heap.
const INLINE: usize = 62;

#[derive(Clone)]
enum NameText<'a> {
    Borrowed(&'a str),
    Inline {
        bytes: [u8; INLINE],
        length: u8,
    },
    Heap(Box<str>),
    /// Bytes that are not UTF-8 or contain control characters, and the escaped form for logs.
    Odd {
        bytes: Box<[u8]>,
        shown: Box<str>,
    },
}

impl Name<'_> {
    /// Joins the parts.
    pub(super) fn of_parts<'p>(parts: impl Iterator<Item = &'p str> + Clone) -> Self {
        let mut bytes = [0; INLINE];
        let mut rest = bytes.as_mut_slice();
        for part in parts.clone() {
            let Some((place, remaining)) = rest.split_at_mut_checked(part.len()) else {
                return Self(NameText::Heap(parts.collect::<String>().into()));
            };
            place.copy_from_slice(part.as_bytes());
            rest = remaining;
        }
        let length = u8::try_from(INLINE - rest.len()).unwrap_or(u8::MAX);
        Self(NameText::Inline { bytes, length })
    }

    /// A name of any bytes, up to the first NUL: Icinga compares C strings.
    pub(super) fn of_bytes(parts: &[&[u8]]) -> Self {
        let all = parts.concat();
        let bytes = all.split(|byte| *byte == 0).next().unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(char::is_control) => Self::of_parts(std::iter::once(text)),
            _ => Self(NameText::Odd {
                bytes: bytes.into(),
                shown: bytes.escape_ascii().to_string().into(),
            }),
        }
    }

    /// The name as it is compared with permissions.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            NameText::Odd { bytes, .. } => bytes,
            _ => self.as_str().as_bytes(),
        }
    }

    /// The name as it is logged.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            NameText::Borrowed(text) => text,
            // Joined from whole strings, so it is UTF-8. An empty name would match only `*`.
            NameText::Inline { bytes, length } => bytes
                .get(..usize::from(*length))
                .and_then(|text| std::str::from_utf8(text).ok())
                .unwrap_or_default(),
            NameText::Heap(text) => text,
            NameText::Odd { shown, .. } => shown,
        }
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self(NameText::Borrowed(text))
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name<'_> {}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_is_its_parts_at_any_length(parts in proptest::collection::vec(".{0,60}", 0..5)) {
            let name = Name::of_parts(parts.iter().map(String::as_str));
            prop_assert_eq!(name.as_str(), parts.concat());
        }
    }

    #[test]
    fn a_name_of_bytes_ends_at_a_nul_and_shows_no_control_character() {
        for (bytes, compared, shown) in [
            (
                &b"CheckResult"[..],
                &b"events/CheckResult"[..],
                "events/CheckResult",
            ),
            (
                b"CheckResult\0Evil",
                b"events/CheckResult",
                "events/CheckResult",
            ),
            (b"\0", b"events/", "events/"),
            (
                "stra\u{df}e".as_bytes(),
                "events/stra\u{df}e".as_bytes(),
                "events/stra\u{df}e",
            ),
            (b"a\xffb", b"events/a\xffb", "events/a\\xffb"),
            (b"a\nb", b"events/a\nb", "events/a\\nb"),
            (
                "a\u{85}".as_bytes(),
                "events/a\u{85}".as_bytes(),
                "events/a\\xc2\\x85",
            ),
        ] {
            let name = Name::of_bytes(&[b"events/", bytes]);
            assert_eq!((name.as_bytes(), name.as_str()), (compared, shown));
        }
        assert_ne!(
            Name::of_bytes(&[b"\xff"]),
            Name::of_bytes(&[b"\\xff"]),
            "names are their bytes"
        );
    }

    #[test]
    fn the_longest_name_that_stays_inline_is_whole() {
        for length in [0, 1, INLINE - 1, INLINE, INLINE + 1] {
            let text = "x".repeat(length);
            assert_eq!(
                Name::of_parts(std::iter::once(text.as_str())).as_str(),
                text
            );
        }
    }
}
