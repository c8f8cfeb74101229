//! Parses a text to CEL's syntax tree, and maps its nodes to offsets in the text. Independent of names and kinds.

use super::error::ConditionError;
use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::{Env, ParseErrors};

/// Longest expression, in bytes.
pub(super) const LONGEST: usize = 2048;
/// Maximum recursion depth of the parser, such as for nested brackets.
const MAX_DEPTH: u16 = 24;
/// Stack size of the parser in bytes. It needs up to 100 KiB per level in a build without optimisation, and some for
/// each operator of a chain.
pub(super) const STACK: usize = 16 << 20;

/// The offsets of the nodes of a tree.
pub(super) struct NodeOffsets<'t> {
    text: &'t str,
    info: SourceInfo,
}

impl NodeOffsets<'_> {
    /// The byte offset of a node: for an operator its sign, for a call its bracket.
    pub(super) fn of(&self, id: u64) -> Option<usize> {
        let (start, _) = self.info.offset_for(id)?;
        usize::try_from(start)
            .ok()
            .filter(|start| self.text.is_char_boundary(*start))
    }

    /// The byte offset of the name that ends before an offset, or the offset itself.
    pub(super) fn name_before(&self, offset: Option<usize>, name: &str) -> Option<usize> {
        let before = self.text.get(..offset?)?.trim_end();
        before
            .ends_with(name)
            .then(|| before.len() - name.len())
            .or(offset)
    }

    /// The byte offset of the next word after an offset.
    pub(super) fn next_word(&self, offset: Option<usize>) -> Option<usize> {
        let rest = self.text.get(offset? + 1..)?;
        Some(self.text.len() - rest.trim_start().len())
    }
}

/// Converts a character index to a byte offset. The parser counts bytes in trees and characters in errors.
fn byte_offset(text: &str, character: usize) -> Option<usize> {
    let ends = std::iter::once(text.len());
    text.char_indices()
        .map(|(at, _)| at)
        .chain(ends)
        .nth(character)
}

/// Parses a text. Macros stay calls. The caller provides a stack of [`STACK`] bytes.
pub(super) fn parse(text: &str) -> Result<(IdedExpr, NodeOffsets<'_>), ConditionError> {
    let parser = Env::default().with_optional_support(false).parser();
    // Errors after the first one are guesses.
    let parser = parser
        .max_recursion_depth(MAX_DEPTH)
        .error_recovery_limit(0);
    match parser.parse_with_source_info(text) {
        Ok((root, info)) => Ok((root, NodeOffsets { text, info })),
        Err(errors) => Err(syntax_error(text, &errors)),
    }
}

fn syntax_error(text: &str, errors: &ParseErrors) -> ConditionError {
    let Some(first) = errors.errors.first() else {
        return ConditionError {
            message: "the expression cannot be read".to_owned(),
            hint: hint_at("").to_owned(),
            offset: None,
        };
    };
    let offset = offset_of(text, first.pos);
    let rest = offset.and_then(|at| text.get(at..)).unwrap_or_default();
    if errors
        .errors
        .iter()
        .any(|error| error.msg.contains("Recursion limit"))
    {
        return too_deep(None);
    }
    let reason = first
        .msg
        .split(" expecting ")
        .next()
        .unwrap_or_default()
        .trim_start_matches("Syntax error: ");
    let message = match rest.chars().next() {
        _ if reason.contains("literal")
            || reason.contains("reserved")
            || reason.contains("unsupported") =>
        {
            let reason = reason.split(": InvalidUnicode").next().unwrap_or_default();
            format!("the expression cannot be read: {reason}")
        }
        None => "the expression ends too early".to_owned(),
        Some(next) => format!("the expression cannot be read at `{next}`"),
    };
    ConditionError {
        message,
        hint: hint_at(rest).to_owned(),
        offset,
    }
}

/// Converts a position of the parser to a byte offset. Line and column count from 1; columns count characters.
fn offset_of(text: &str, position: (isize, isize)) -> Option<usize> {
    let (line, column) = position;
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    Some(start + byte_offset(text.get(start..)?, column)?)
}

fn hint_at(rest: &str) -> &'static str {
    match rest.as_bytes() {
        [b'=', ..] => "equality is written `==`",
        [b'&' | b'|', ..] => "and is written `&&`, or is written `||`",
        [b'"' | b'\'', ..] => {
            "a text ends with the quote that it begins with; a backslash begins an escape, but not in r\"...\""
        }
        [] => "something is missing at the end",
        _ => {
            "conditions are written in CEL, as in: request.method == \"GET\" && certificate.cn.startsWith(\"web-\")"
        }
    }
}

pub(super) fn too_deep(offset: Option<usize>) -> ConditionError {
    ConditionError {
        message: "the expression is nested too deep".to_owned(),
        hint: "make it simpler, or write several permissions".to_owned(),
        offset,
    }
}
