//! The name that a requirement gives for one request, kept without the heap where it is of ordinary length. Knows no
//! captures and no permission.

use std::fmt;

/// A name: one from the config as it is, or one that was filled with captured segments.
#[derive(Clone)]
pub struct Name<'a>(Text<'a>);

/// Longer filled names are kept on the heap.
const INLINE: usize = 62;

#[derive(Clone)]
enum Text<'a> {
    Borrowed(&'a str),
    Inline { octets: [u8; INLINE], length: u8 },
    Heap(Box<str>),
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

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Borrowed(text) => text,
            // Whole texts were put together, so it is one; a name that were none would match nothing but `*`.
            Text::Inline { octets, length } => {
                octets.get(..usize::from(*length)).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
            }
            Text::Heap(text) => text,
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
        self.as_str() == other.as_str()
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
    fn the_longest_name_that_stays_inline_is_whole() {
        for length in [0, 1, INLINE - 1, INLINE, INLINE + 1] {
            let text = "x".repeat(length);
            assert_eq!(Name::of_parts(std::iter::once(text.as_str())).as_str(), text);
        }
    }
}
