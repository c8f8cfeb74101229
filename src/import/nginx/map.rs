//! `map` over who the client is. What is no plain name with a plain value is named, and not guessed.

use super::lexer::{self, Directive, Word};
use super::subject::{Holds, Named, Variables, named, takes_common_name};
use crate::import::error::{ImportError, Position};
use crate::import::people::{Meaning, People, meaning};
use crate::import::plain_regex;
use crate::import::source::ImportFile;

pub(super) fn read(
    file: &ImportFile,
    map: &Directive,
    variables: &Variables,
    people: &mut People,
) -> Result<(), ImportError> {
    let (source, target) = (map.argument(1), map.argument(2));
    let about = format!("map {source} {target}");
    let kind = match variables.holds(source) {
        Some(Holds::Subject) if takes_common_name(map) => return Ok(()),
        Some(kind @ (Holds::CommonName | Holds::Subject)) => kind,
        Some(Holds::Mapped) => {
            people.attention(
                map.at,
                &about,
                "this gives something to users that another map made; give them permissions or roles instead",
            );
            return Ok(());
        }
        Some(Holds::Other(why)) => {
            people.attention(map.at, &about, why);
            return Ok(());
        }
        None if variables.any_in(source) => {
            people.attention(
                map.at,
                &about,
                "this depends on the client and on something else, such as the path; give users permissions for it",
            );
            return Ok(());
        }
        None => return Ok(()),
    };
    let mut reader = Reader {
        kind,
        about,
        patterns: Patterns::None,
        people,
    };
    reader.entries(file, &map.block, Includes::Follow)
}

/// Whether names of the form `*.example.org` are patterns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patterns {
    None,
    Hostnames,
}

/// nginx follows them to any depth; a list of users has one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Includes {
    Follow,
    Name,
}

struct Reader<'p> {
    kind: Holds,
    about: String,
    patterns: Patterns,
    people: &'p mut People,
}

impl Reader<'_> {
    fn entries(
        &mut self,
        file: &ImportFile,
        entries: &[Directive],
        includes: Includes,
    ) -> Result<(), ImportError> {
        if entries.iter().any(|entry| entry.name() == "hostnames") {
            self.patterns = Patterns::Hostnames;
        }
        for entry in entries {
            match (entry.words.as_slice(), includes) {
                ([special], _) if ["hostnames", "volatile"].contains(&special.text.as_str()) => {}
                ([include, path], Includes::Follow) if include.text == "include" => {
                    self.include(file, path)?
                }
                ([include, path], Includes::Name) if include.text == "include" => {
                    self.people.attention(
                        path.at,
                        &self.about,
                        "an include in an included file is not followed",
                    );
                }
                ([default, value], _) if default.text == "default" => self.default(value),
                ([name, value], _) if entry.block.is_empty() => {
                    self.entry(&name.text, value, name.at)
                }
                _ => {
                    let hint = "an entry of a map is a name, a value and `;`";
                    return Err(file.malformed(entry.at, "this is no entry of a map", hint));
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, file: &ImportFile, path: &Word) -> Result<(), ImportError> {
        if path.text.contains(['*', '?', '[']) {
            self.people.attention(
                path.at,
                &self.about,
                format!("files named by the pattern {} are not read", path.text),
            );
            return Ok(());
        }
        let included = file.named(path.at, &path.text)?;
        self.entries(&included, &lexer::directives(&included)?, Includes::Name)
    }

    fn default(&mut self, value: &Word) {
        if meaning(&value.text) != Meaning::Denied {
            let what = format!(
                "everybody else is \"{}\" there; here, who is not listed has no right. Where all certificates of a CA \
                 may do something, there is no list of them: write an api_user for each",
                value.text
            );
            self.people.attention(value.at, &self.about, what);
        }
    }

    fn entry(&mut self, name: &str, value: &Word, at: Position) {
        if value.text.contains('$') {
            let what = format!(
                "what \"{name}\" becomes depends on a variable: write an api_user for each"
            );
            self.people.attention(at, &self.about, what);
            return;
        }
        if let Some(expression) = name.strip_prefix('~') {
            let names = if expression.starts_with('*') {
                None
            } else {
                plain_regex::names(expression)
            };
            match names {
                Some(names) => names.iter().for_each(|name| self.name(name, &value.text, at)),
                None => self.people.attention(
                    at,
                    &self.about,
                    format!(
                        "the regular expression {expression} gives \"{}\": write the common names that it is meant for \
                         as `client_cn` of an api_user",
                        value.text
                    ),
                ),
            }
            return;
        }
        let is_pattern = name.starts_with("*.") || name.starts_with('.') || name.ends_with(".*");
        if self.patterns == Patterns::Hostnames && is_pattern {
            let what =
                format!("\"{name}\" is a pattern: write the common names that it is meant for");
            self.people.attention(at, &self.about, what);
            return;
        }
        // A backslash before a word that would mean something else.
        self.name(name.strip_prefix('\\').unwrap_or(name), &value.text, at);
    }

    fn name(&mut self, name: &str, value: &str, at: Position) {
        if self.kind == Holds::CommonName {
            self.people.add_mapped(name, value, at);
            return;
        }
        match named(name) {
            Named::Exactly(name) => self.people.add_mapped(name, value, at),
            Named::Among(common_name) => self.people.attention(
                at,
                &self.about,
                format!(
                    "\"{name}\" is more than a common name: if your CA gives \"{common_name}\" to one client only, add \
                     `client_cn = \"{common_name}\"` to an api_user; else write its `client_fingerprint`"
                ),
            ),
            Named::Nobody => {
                self.people.attention(at, &self.about, format!("\"{name}\" has not exactly one plain common name"));
            }
        }
    }
}
