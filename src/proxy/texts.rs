//! The texts of one request's record, in one piece of memory. Knows no meaning of them.

use crate::recycled::Recycled;
use std::fmt::Display;
use std::io::Write;

/// Which text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    MethodSent,
    Method,
    Host,
    PathSent,
    Path,
    Query,
    TrustDomain,
    Preset,
    Requirement,
    Permission,
    Role,
    Authorizer,
    AuthorizerSays,
    Route,
    Upstream,
    Endpoint,
}

const KINDS: usize = Text::Endpoint as usize + 1;

/// At most one text of each kind; none at all where nobody will read them.
pub(super) struct Texts {
    all: Option<Recycled>,
    /// Where each begins and ends; nothing where that is the same.
    places: [(u32, u32); KINDS],
}

impl Texts {
    pub(super) fn kept() -> Self {
        Self {
            all: Some(Recycled::take()),
            places: Default::default(),
        }
    }

    /// Forgets at once what it is told.
    pub(super) fn unwanted() -> Self {
        Self {
            all: None,
            places: Default::default(),
        }
    }

    pub(super) fn are_kept(&self) -> bool {
        self.all.is_some()
    }

    /// Notes a text; the last one of its kind counts.
    pub(super) fn set(&mut self, kind: Text, text: &str) {
        self.note(kind, |all| all.extend_from_slice(text.as_bytes()));
    }

    /// The same for what is not text yet.
    pub(super) fn set_display(&mut self, kind: Text, text: impl Display) {
        // Writing to a vector cannot fail.
        self.note(kind, |all| drop(write!(all, "{text}")));
    }

    fn note(&mut self, kind: Text, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(all) = &mut self.all else { return };
        let from = all.len();
        write(all);
        if let (Some(place), Ok(from), Ok(to)) = (
            self.places.get_mut(kind as usize),
            u32::try_from(from),
            u32::try_from(all.len()),
        ) {
            *place = (from, to);
        }
    }

    pub(super) fn get(&self, kind: Text) -> Option<&str> {
        let (from, to) = *self.places.get(kind as usize)?;
        let place = usize::try_from(from).ok()?..usize::try_from(to).ok()?;
        self.all
            .as_ref()?
            .get(place)
            .filter(|octets| !octets.is_empty())
            .and_then(|octets| std::str::from_utf8(octets).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_text_of_a_kind_counts_and_nothing_stays_for_the_next() {
        let mut texts = Texts::kept();
        texts.set(Text::Method, "GET");
        texts.set(Text::Path, "/a");
        texts.set(Text::Method, "POST");
        assert_eq!(
            (texts.get(Text::Method), texts.get(Text::Path)),
            (Some("POST"), Some("/a"))
        );
        drop(texts);
        let mut unwanted = Texts::unwanted();
        unwanted.set(Text::Path, "/a");
        assert_eq!(unwanted.get(Text::Path), None);
        assert_eq!(Texts::kept().get(Text::Path), None);
    }
}
