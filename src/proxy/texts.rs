//! The texts of one request's record, in one piece of memory. Knows no meaning of them.

use crate::recycled::Recycled;
use std::fmt::Display;
use std::io::Write;
use std::ops::Range;

/// Which text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Method,
    Host,
    Path,
    Requirement,
    Permission,
    Route,
    Upstream,
    Endpoint,
}

const KINDS: usize = Text::Endpoint as usize + 1;

/// At most one text of each kind.
pub(super) struct Texts {
    all: Recycled,
    places: [Option<Range<usize>>; KINDS],
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { all: Recycled::take(), places: Default::default() }
    }

    /// Notes a text; the last one of its kind counts.
    pub(super) fn set(&mut self, kind: Text, text: impl Display) {
        let from = self.all.len();
        // Writing to a vector cannot fail.
        let _ = write!(*self.all, "{text}");
        if let Some(place) = self.places.get_mut(kind as usize) {
            *place = Some(from..self.all.len());
        }
    }

    pub(super) fn get(&self, kind: Text) -> Option<&str> {
        let place = self.places.get(kind as usize)?.clone()?;
        self.all.get(place).and_then(|octets| std::str::from_utf8(octets).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_text_of_a_kind_counts_and_nothing_stays_for_the_next() {
        let mut texts = Texts::new();
        texts.set(Text::Method, "GET");
        texts.set(Text::Path, "/a");
        texts.set(Text::Method, "POST");
        assert_eq!((texts.get(Text::Method), texts.get(Text::Path)), (Some("POST"), Some("/a")));
        drop(texts);
        assert_eq!(Texts::new().get(Text::Path), None);
    }
}
