//! Strings that share the memory of their config file, since there may be millions.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A string of a config file. It references the whole file, or a copy if the file writes the string with escapes. The
/// file consists mostly of such strings, so keeping it costs little.
#[derive(Clone)]
pub struct Text {
    whole: Arc<String>,
    start: u32,
    end: u32,
}

impl Text {
    /// References `range` of a file. `None` if that is not equal to `text`.
    pub(super) fn within(whole: &Arc<String>, range: Range<usize>, text: &str) -> Option<Self> {
        let start = u32::try_from(range.start).ok()?;
        let end = u32::try_from(range.end).ok()?;
        (whole.get(range)? == text).then(|| Self {
            whole: whole.clone(),
            start,
            end,
        })
    }

    /// The rest after this many bytes, without a copy.
    pub fn behind(&self, bytes: usize) -> Self {
        let start = u32::try_from(bytes).map_or(self.end, |bytes| {
            self.start.saturating_add(bytes).min(self.end)
        });
        Self {
            start,
            ..self.clone()
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl From<String> for Text {
    /// Truncates a text above 4 GiB, which no config file contains.
    fn from(text: String) -> Self {
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self {
            whole: Arc::new(text),
            start: 0,
            end,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        // Compared with each request, so without a check of character boundaries.
        self.whole
            .as_bytes()
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_part_of_its_file_or_a_copy() {
        let file = Arc::new("a = \"b c\"".to_owned());
        let text = Text::within(&file, 5..8, "b c").unwrap();
        assert_eq!((text.as_str(), Arc::strong_count(&file)), ("b c", 2));
        assert_eq!(text.behind(2).as_str(), "c");
        assert_eq!(text.behind(9).as_str(), "");
        assert!(
            Text::within(&file, 5..8, "b").is_none() && Text::within(&file, 5..99, "b c").is_none()
        );
        assert_eq!(Text::from("b c"), text);
        assert!(size_of::<Text>() <= 16, "there may be millions");
    }
}
