//! The name that a requirement gives for one request, kept without the heap where it is of ordinary length. Knows no
//! captures and no permission.
//!
//! What is compared are octets. A name that clients have a hand in may hold some that are no text.

use std::fmt;

/// A name: one from the config as it is, or one that was filled with captured segments.
#[derive(Clone)]
pub struct Name<'a>(Text<'a>);

/// Longer filled names are kept on the heap.
const INLINE: usize = 62;

#[derive(Clone)]
enum Text<'a> {
    Borrowed(&'a str),
    Inline {
        octets: [u8; INLINE],
        length: u8,
    },
    Heap(Box<str>),
    /// Octets that are no text, or that no log should show as they are; and how they are shown.
    Odd {
        octets: Box<[u8]>,
        shown: Box<str>,
    },
}

impl Name<'_> {
    /// The parts, joined.
    pub(super) fn of_parts<'p>(parts: impl Iterator<Item = &'p str> + Clone) -> Self {
        let mut octets = [0; INLINE];
        let mut rest = octets.as_mut_slice();
        for part in parts.clone() {
            let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else {
                return Self(Text::Heap(parts.collect::<String>().into()));
            };
            place.copy_from_slice(part.as_bytes());
            rest = behind;
        }
        let length = u8::try_from(INLINE - rest.len()).unwrap_or(u8::MAX);
        Self(Text::Inline { octets, length })
    }

    /// A name of any octets, up to the first NUL: there it ends for Icinga, which compares C strings.
    pub(super) fn of_octets(parts: &[&[u8]]) -> Self {
        let all = parts.concat();
        let octets = all.split(|octet| *octet == 0).next().unwrap_or_default();
        match std::str::from_utf8(octets) {
            Ok(text) if !text.contains(char::is_control) => Self::of_parts(std::iter::once(text)),
            _ => Self(Text::Odd {
                octets: octets.into(),
                shown: octets.escape_ascii().to_string().into(),
            }),
        }
    }

    /// The name as permissions are compared with it.
    pub fn as_octets(&self) -> &[u8] {
        match &self.0 {
            Text::Odd { octets, .. } => octets,
            _ => self.as_str().as_bytes(),
        }
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Borrowed(text) => text,
            // Whole texts were put together, so it is one; a name that were none would match nothing but `*`.
            Text::Inline { octets, length } => octets
                .get(..usize::from(*length))
                .and_then(|text| std::str::from_utf8(text).ok())
                .unwrap_or_default(),
            Text::Heap(text) => text,
            Text::Odd { shown, .. } => shown,
        }
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self(Text::Borrowed(text))
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_octets() == other.as_octets()
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
        fn a_name_is_its_parts_whatever_its_length(parts in proptest::collection::vec(".{0,60}", 0..5)) {
            let name = Name::of_parts(parts.iter().map(String::as_str));
            prop_assert_eq!(name.as_str(), parts.concat());
        }
    }

    #[test]
    fn a_name_of_octets_ends_at_a_nul_and_shows_no_control_character() {
        for (octets, compared, shown) in [
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
            let name = Name::of_octets(&[b"events/", octets]);
            assert_eq!((name.as_octets(), name.as_str()), (compared, shown));
        }
        assert_ne!(
            Name::of_octets(&[b"\xff"]),
            Name::of_octets(&[b"\\xff"]),
            "names are their octets"
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
