//! Reads `map` blocks over the client certificate. An entry other than a plain name with a plain value becomes a note.

use super::lexer::{self, ConfigWord, Directive};
use super::subject::{SubjectName, VariableContent, Variables, subject_name, takes_common_name};
use crate::import::error::{ImportError, Position};
use crate::import::imported_users::{ImportedUsers, Meaning, meaning};
use crate::import::plain_regex;
use crate::import::source::ImportFile;

pub(super) fn read(
    file: &ImportFile,
    map: &Directive,
    variables: &Variables,
    users: &mut ImportedUsers,
) -> Result<(), ImportError> {
    let source = map.argument(1);
    let target = map.argument(2);
    let subject = format!("map {source} {target}");
    let content = match variables.content(source) {
        Some(VariableContent::Subject) if takes_common_name(map) => return Ok(()),
        Some(content @ (VariableContent::CommonName | VariableContent::Subject)) => content,
        Some(VariableContent::Mapped) => {
            users.attention(
                map.at,
                &subject,
                "this map depends on the users of another map; write permissions or roles for these users instead",
            );
            return Ok(());
        }
        Some(VariableContent::Other(action)) => {
            users.attention(map.at, &subject, action);
            return Ok(());
        }
        None if variables.any_in(source) => {
            users.attention(
                map.at,
                &subject,
                "this depends on the client and on something else, such as the path; write permissions for the users instead",
            );
            return Ok(());
        }
        None => return Ok(()),
    };
    let mut reader = MapReader {
        content,
        subject,
        patterns: Patterns::None,
        users,
    };
    reader.entries(file, &map.block, Includes::Follow)
}

/// Whether names such as `*.example.org` are patterns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patterns {
    None,
    Hostnames,
}

/// Whether includes are followed. nginx follows them to any depth; one level is enough for a list of users.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Includes {
    Follow,
    Note,
}

struct MapReader<'p> {
    /// The content of the source variable.
    content: VariableContent,
    /// The map as notes name it.
    subject: String,
    patterns: Patterns,
    users: &'p mut ImportedUsers,
}

impl MapReader<'_> {
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
                ([include, path], Includes::Note) if include.text == "include" => {
                    self.users.attention(
                        path.at,
                        &self.subject,
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

    fn include(&mut self, file: &ImportFile, path: &ConfigWord) -> Result<(), ImportError> {
        if path.text.contains(['*', '?', '[']) {
            self.users.attention(
                path.at,
                &self.subject,
                format!("files named by the pattern {} are not read", path.text),
            );
            return Ok(());
        }
        let included = file.named(path.at, &path.text)?;
        self.entries(&included, &lexer::directives(&included)?, Includes::Note)
    }

    fn default(&mut self, value: &ConfigWord) {
        if meaning(&value.text) != Meaning::Denied {
            let note = format!(
                "its default is \"{}\"; here, a client that is not listed has no permission. If all certificates of a \
                 CA have a permission, write an api_user for each",
                value.text
            );
            self.users.attention(value.at, &self.subject, note);
        }
    }

    fn entry(&mut self, name: &str, value: &ConfigWord, at: Position) {
        if value.text.contains('$') {
            let note = format!(
                "the value of \"{name}\" depends on a variable: write an api_user for each"
            );
            self.users.attention(at, &self.subject, note);
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
                None => self.users.attention(
                    at,
                    &self.subject,
                    format!(
                        "the regular expression {expression} gives \"{}\": write the common names that it matches \
                         as `client_cn` of an api_user",
                        value.text
                    ),
                ),
            }
            return;
        }
        let is_pattern = name.starts_with("*.") || name.starts_with('.') || name.ends_with(".*");
        if self.patterns == Patterns::Hostnames && is_pattern {
            let note = format!("\"{name}\" is a pattern: write the common names that it matches");
            self.users.attention(at, &self.subject, note);
            return;
        }
        // A backslash escapes a word that would have a special meaning.
        self.name(name.strip_prefix('\\').unwrap_or(name), &value.text, at);
    }

    fn name(&mut self, name: &str, value: &str, at: Position) {
        if self.content == VariableContent::CommonName {
            self.users.add_mapped(name, value, at);
            return;
        }
        match subject_name(name) {
            SubjectName::Alone(name) => self.users.add_mapped(name, value, at),
            SubjectName::WithMore(common_name) => self.users.attention(
                at,
                &self.subject,
                format!(
                    "\"{name}\" is more than a common name: if your CA issues \"{common_name}\" to one client only, add \
                     `client_cn = \"{common_name}\"` to an api_user; else write its `client_fingerprint`"
                ),
            ),
            SubjectName::None => {
                self.users.attention(at, &self.subject, format!("\"{name}\" does not have exactly one plain common name"));
            }
        }
    }
}
