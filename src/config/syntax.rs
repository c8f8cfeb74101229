//! Reports of TOML syntax errors, each with a hint about the likely mistake.

use super::Readable;
use super::mistake::{self, GENERAL, line_at};
use super::problem::Problems;
use super::source::{FileId, Place};
use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use std::path::Path;

/// A text that was parsed by the TOML library.
#[derive(Clone, Copy)]
pub(super) struct SyntaxSource<'t> {
    pub(super) path: &'t Path,
    pub(super) file: FileId,
    pub(super) text: &'t str,
}

/// Reports syntax errors, except those that follow from an earlier mistake. A file of another format gets a single
/// error. Returns whether the file can be read despite its errors.
pub(super) fn report(
    errors: &[toml::de::Error],
    parsed: SyntaxSource<'_>,
    problems: &Problems,
) -> Readable {
    let SyntaxSource { path, file, text } = parsed;
    let is_duplicate = |error: &toml::de::Error| error.message().contains("duplicate key");
    // A duplicate key leaves the rest readable; any other error does not.
    let readable = if errors.iter().all(is_duplicate) {
        Readable::Yes
    } else {
        Readable::No
    };
    if readable == Readable::No
        && let Some(FileAdvice { what, hint }) =
            FileFormat::misplaced(text.as_bytes(), path, FileKind::Config)
    {
        let first_line = line_at(text, 0).unwrap_or(0..0);
        // The content may be a key or a password, so it is not shown.
        problems.error_about_secret(
            Place::new(file, &first_line),
            format!("{} {what}", path.display()),
            hint,
        );
        return readable;
    }
    let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let line = |error: &toml::de::Error| line_at(text, start(error)).map_or(0, |line| line.start);
    let mut errors: Vec<&toml::de::Error> = errors.iter().collect();
    // An unclosed header may also be reported as a duplicate, which is less helpful, so duplicates are sorted last.
    errors.sort_by_key(|error| (line(error), is_duplicate(error), start(error)));
    let mut explained_until = 0;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if span.start < explained_until {
            continue;
        }
        let mistake = mistake::likely(text, span.start, error.message());
        explained_until = mistake
            .as_ref()
            .map_or(0, |mistake| mistake.explains_until(text, span.start));
        let general = if is_duplicate(error) {
            "keep one of the two"
        } else {
            GENERAL
        };
        let unclosed = mistake.as_ref().and_then(|mistake| mistake.unclosed);
        let hint = mistake.map_or_else(|| general.to_owned(), |mistake| mistake.hint);
        match unclosed {
            Some(bracket) => {
                let span = bracket.at..bracket.at + 1;
                problems.error(Place::new(file, &span), bracket.message, hint)
            }
            None => problems.error(Place::new(file, &span), error.message(), hint),
        }
    }
    readable
}
