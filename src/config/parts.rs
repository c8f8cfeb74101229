//! Parses large files of ApiUsers in parts, to save memory: the TOML library keeps all tokens, events and tables of a
//! text, about ten times its size. A file that does not clearly consist of whole users and a rest is parsed at once.
//!
//! The result is the same. Each part is well-formed by itself, so none begins inside a string or list of another. No
//! user occurs in two parts. The rest, in which users are replaced by blanks, contains no users.

use super::decode;
use super::keys::root::ROOT;
use super::model::ApiUserTable;
use super::problem::Problems;
use super::source::{FileId, Place};
use super::table::{ReaderContext, TableReader};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeTable;

/// The parts of a file.
pub(super) struct Parts {
    /// The file with users replaced by blanks, so that places stay the same.
    pub(super) rest: String,
    pub(super) api_users: Vec<ApiUserTable>,
    /// Problems of users.
    pub(super) problems: Problems,
}

/// A run of sections that are parsed together.
struct ConfigPart {
    range: Range<usize>,
    kind: PartKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Users,
    Rest,
}

/// Splits a file into users, in parts of about `size` bytes, and the rest. `None` if the result might differ from that
/// of parsing the file at once.
pub(super) fn read(file: FileId, text: &Arc<String>, size: usize) -> Option<Parts> {
    let parts = parts(text, size)?;
    let mut read = Parts {
        rest: String::new(),
        api_users: Vec::new(),
        problems: Problems::default(),
    };
    for part in &parts {
        let part_text = text.get(part.range.clone())?;
        let (root, errors) = DeTable::parse_recoverable(part_text);
        if !errors.is_empty() {
            return None;
        }
        if part.kind == PartKind::Users {
            let context = ReaderContext {
                problems: &read.problems,
                text,
                offset: part.range.start,
            };
            let mut reader = TableReader::new(
                String::new(),
                &ROOT,
                root.get_ref(),
                Place::new(file, &(0..0)),
                context,
            );
            read.api_users.extend(decode::api_users(&mut reader));
        }
    }
    let last = parts.iter().rposition(|part| part.kind == PartKind::Rest);
    for part in parts.iter().take(last.map_or(0, |last| last + 1)) {
        match part.kind {
            PartKind::Rest => read.rest.push_str(text.get(part.range.clone())?),
            PartKind::Users => read.rest.extend(std::iter::repeat_n(' ', part.range.len())),
        }
    }
    let (root, errors) = DeTable::parse_recoverable(&read.rest);
    (errors.is_empty() && !root.get_ref().contains_key("api_user")).then_some(read)
}

/// The parts in order. `None` if a user occurs in two places.
fn parts(text: &str, size: usize) -> Option<Vec<ConfigPart>> {
    let mut parts: Vec<ConfigPart> = vec![ConfigPart {
        range: 0..0,
        kind: PartKind::Rest,
    }];
    let mut names: HashSet<&str> = HashSet::new();
    let mut user: Option<&str> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let heading = line.trim_start_matches([' ', '\t']);
        if heading.starts_with('[') {
            let name = user_of(heading);
            let begins = name != user;
            if begins && name.is_some_and(|name| !names.insert(name)) {
                return None;
            }
            user = name;
            let kind = if name.is_some() {
                PartKind::Users
            } else {
                PartKind::Rest
            };
            let is_other = parts.last().is_none_or(|part| {
                part.kind != kind || kind == PartKind::Users && begins && part.range.len() >= size
            });
            if is_other {
                parts.push(ConfigPart {
                    range: at..at,
                    kind,
                });
            }
        }
        at += line.len();
        if let Some(part) = parts.last_mut() {
            part.range.end = at;
        }
    }
    Some(parts)
}

/// The name in a heading such as `[api_user.NAME]` or `[api_user."NAME".upstream.x]`. `None` for a name with escapes.
fn user_of(heading: &str) -> Option<&str> {
    let rest = heading.strip_prefix("[api_user.")?;
    let (name, behind) = match rest.as_bytes().first()? {
        b'"' => rest
            .get(1..)?
            .split_once('"')
            .filter(|(name, _)| !name.contains('\\'))?,
        b'\'' => rest.get(1..)?.split_once('\'')?,
        _ => {
            let bare = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
            rest.split_at_checked(rest.find(|letter| !bare(letter))?)?
        }
    };
    behind.starts_with([']', '.']).then_some(name)
}

#[cfg(test)]
mod tests;
