//! The texts of the record of one request, in one buffer.

use crate::buffer_pool::PooledBuffer;
use std::fmt::Display;
use std::io::Write;

/// The kind of a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum RecordField {
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

const KINDS: usize = RecordField::Endpoint as usize + 1;

/// At most one text of each kind. Keeps none if no log reads them.
pub(super) struct RecordTexts {
    buffer: Option<PooledBuffer>,
    /// The begin and the end of each text. Both are equal if there is none.
    ranges: [(u32, u32); KINDS],
}

impl RecordTexts {
    pub(super) fn kept() -> Self {
        Self {
            buffer: Some(PooledBuffer::take()),
            ranges: Default::default(),
        }
    }

    /// Keeps nothing.
    pub(super) fn discarded() -> Self {
        Self {
            buffer: None,
            ranges: Default::default(),
        }
    }

    pub(super) fn are_kept(&self) -> bool {
        self.buffer.is_some()
    }

    /// Sets the text of a kind, and replaces an earlier one.
    pub(super) fn set(&mut self, kind: RecordField, text: &str) {
        self.note(kind, |buffer| buffer.extend_from_slice(text.as_bytes()));
    }

    /// Like [`set`](Self::set), for a value that is formatted.
    pub(super) fn set_display(&mut self, kind: RecordField, text: impl Display) {
        // Writing to a vector cannot fail.
        self.note(kind, |buffer| drop(write!(buffer, "{text}")));
    }

    fn note(&mut self, kind: RecordField, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(buffer) = &mut self.buffer else {
            return;
        };
        let from = buffer.len();
        write(buffer);
        if let (Some(range), Ok(from), Ok(to)) = (
            self.ranges.get_mut(kind as usize),
            u32::try_from(from),
            u32::try_from(buffer.len()),
        ) {
            *range = (from, to);
        }
    }

    pub(super) fn get(&self, kind: RecordField) -> Option<&str> {
        let (from, to) = *self.ranges.get(kind as usize)?;
        let range = usize::try_from(from).ok()?..usize::try_from(to).ok()?;
        self.buffer
            .as_ref()?
            .get(range)
            .filter(|bytes| !bytes.is_empty())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_text_of_a_kind_is_used_and_nothing_remains_for_the_next() {
        let mut texts = RecordTexts::kept();
        texts.set(RecordField::Method, "GET");
        texts.set(RecordField::Path, "/a");
        texts.set(RecordField::Method, "POST");
        assert_eq!(
            (texts.get(RecordField::Method), texts.get(RecordField::Path)),
            (Some("POST"), Some("/a"))
        );
        drop(texts);
        let mut unwanted = RecordTexts::discarded();
        unwanted.set(RecordField::Path, "/a");
        assert_eq!(unwanted.get(RecordField::Path), None);
        assert_eq!(RecordTexts::kept().get(RecordField::Path), None);
    }
}
