//! From text to CEL's syntax tree, and from its nodes to places in the text. Knows no names and no kinds.

use super::error::ConditionError;
use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::{Env, ParseErrors};

/// Octets of a text; what is longer is a program.
pub(super) const LONGEST: usize = 2048;
/// How deep the parser goes into brackets and the like.
const DEEPEST: u16 = 24;
/// The parser takes up to 100 KiB of stack for each of these levels in a build without optimisation, and some for each
/// operator of a chain.
pub(super) const STACK: usize = 16 << 20;

/// Where the nodes of a tree stand.
pub(super) struct Places<'t> {
    text: &'t str,
    info: SourceInfo,
}

impl Places<'_> {
    /// The octet where a node stands: of an operator its sign, of a call its bracket.
    pub(super) fn of(&self, id: u64) -> Option<usize> {
        let (start, _) = self.info.offset_for(id)?;
        usize::try_from(start)
            .ok()
            .filter(|start| self.text.is_char_boundary(*start))
    }

    /// The octet where the name begins that stands before this one.
    pub(super) fn name_before(&self, octet: Option<usize>, name: &str) -> Option<usize> {
        let before = self.text.get(..octet?)?.trim_end();
        before
            .ends_with(name)
            .then(|| before.len() - name.len())
            .or(octet)
    }

    /// The octet where the next word begins behind this one.
    pub(super) fn behind(&self, octet: Option<usize>) -> Option<usize> {
        let rest = self.text.get(octet? + 1..)?;
        Some(self.text.len() - rest.trim_start().len())
    }
}

/// The parser counts octets in trees and characters in errors.
fn octet_of(text: &str, character: usize) -> Option<usize> {
    let ends = std::iter::once(text.len());
    text.char_indices()
        .map(|(at, _)| at)
        .chain(ends)
        .nth(character)
}

/// Reads a text. Macros are left as the calls that they are written as. To be called with [`STACK`].
pub(super) fn parse(text: &str) -> Result<(IdedExpr, Places<'_>), ConditionError> {
    let parser = Env::default().with_optional_support(false).parser();
    // What follows a first mistake is guessed, and of no use here.
    let parser = parser.max_recursion_depth(DEEPEST).error_recovery_limit(0);
    match parser.parse_with_source_info(text) {
        Ok((root, info)) => Ok((root, Places { text, info })),
        Err(errors) => Err(unreadable(text, &errors)),
    }
}

fn unreadable(text: &str, errors: &ParseErrors) -> ConditionError {
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

/// The parser gives lines and columns in characters, both from 1.
fn offset_of(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    Some(start + octet_of(text.get(start..)?, column)?)
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
