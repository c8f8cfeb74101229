//! A large file of ApiUsers in parts. The TOML library keeps all tokens, events and tables of a text at once, about ten
//! times its size; so users are parsed some at a time. Whatever is not plainly made of whole users and a rest is not read
//! here, and is parsed at once as any other file: this is a way to need less memory, and nothing else.
//!
//! Why it reads the same: each part is well-formed by itself, so that none begins inside a text or list of another; no
//! user stands in two parts; and the rest, in which users are blank, says nothing of users.

use super::decode;
use super::model::ApiUser;
use super::problem::Problems;
use super::source::{FileId, Place};
use super::table::{Reading, TableReader};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use toml::de::DeTable;

/// What a file is made of.
pub(super) struct Parts {
    /// The file with blanks for users, so that places are the same.
    pub(super) rest: String,
    pub(super) api_users: Vec<ApiUser>,
    /// What is wrong with users.
    pub(super) problems: Problems,
}

/// A run of sections that are parsed together.
struct Part {
    range: Range<usize>,
    is: PartOf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartOf {
    Users,
    Rest,
}

/// Takes a file apart into users, about `size` octets at a time, and the rest. `None` if that is not surely the same as
/// parsing it at once.
pub(super) fn read(file: FileId, text: &Arc<String>, size: usize) -> Option<Parts> {
    let parts = parts(text, size)?;
    let mut read = Parts {
        rest: String::new(),
        api_users: Vec::new(),
        problems: Problems::default(),
    };
    for part in &parts {
        let own = text.get(part.range.clone())?;
        let (root, errors) = DeTable::parse_recoverable(own);
        if !errors.is_empty() {
            return None;
        }
        if part.is == PartOf::Users {
            let reading = Reading {
                problems: &read.problems,
                text,
                offset: part.range.start,
            };
            let mut reader = TableReader::new(
                String::new(),
                root.get_ref(),
                Place::new(file, &(0..0)),
                reading,
            );
            read.api_users.extend(decode::api_users(&mut reader));
        }
    }
    let last = parts.iter().rposition(|part| part.is == PartOf::Rest);
    for part in parts.iter().take(last.map_or(0, |last| last + 1)) {
        match part.is {
            PartOf::Rest => read.rest.push_str(text.get(part.range.clone())?),
            PartOf::Users => read.rest.extend(std::iter::repeat_n(' ', part.range.len())),
        }
    }
    let (root, errors) = DeTable::parse_recoverable(&read.rest);
    (errors.is_empty() && !root.get_ref().contains_key("api_user")).then_some(read)
}

/// The parts in their order. `None` if a user stands in two places.
fn parts(text: &str, size: usize) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = vec![Part {
        range: 0..0,
        is: PartOf::Rest,
    }];
    let mut seen: HashSet<&str> = HashSet::new();
    let mut user: Option<&str> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let heading = line.trim_start_matches([' ', '\t']);
        if heading.starts_with('[') {
            let named = user_of(heading);
            let begins = named != user;
            if begins && named.is_some_and(|name| !seen.insert(name)) {
                return None;
            }
            user = named;
            let is = if named.is_some() {
                PartOf::Users
            } else {
                PartOf::Rest
            };
            let is_other = parts.last().is_none_or(|part| {
                part.is != is || is == PartOf::Users && begins && part.range.len() >= size
            });
            if is_other {
                parts.push(Part { range: at..at, is });
            }
        }
        at += line.len();
        if let Some(part) = parts.last_mut() {
            part.range.end = at;
        }
    }
    Some(parts)
}

/// The name in a heading such as `[api_user.NAME]` or `[api_user."NAME".upstream.x]`, if it is written plainly.
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
