//! `icinga2 object list`: objects as the daemon prints them for people. Judges nothing.
//!
//! The trap: it escapes neither quotes nor line ends in texts. So lines count by how they begin, what cannot be told
//! apart is refused, and objects of other types, in which users of Icinga may write any text, are not taken at all.

use super::value::{self, Found};
use super::{COMMANDS, Form, ListedPermission, ListedUser, Listing, Password};
use crate::import::error::{ImportError, Position};
use crate::import::source::ImportFile;
use crate::import::text::printable;

/// What stands in one line of the listing's own.
enum Line<'t> {
    Object {
        name: &'t str,
        kind: &'t str,
    },
    Attribute {
        depth: usize,
        key: &'t str,
        value: Option<&'t str>,
    },
    Hint,
    Empty,
    /// The rest of a text that has several lines.
    More,
}

/// An object's attributes of the first depth, with line and value.
struct Object<'t> {
    line: usize,
    name: &'t str,
    kind: &'t str,
    attributes: Vec<(usize, &'t str, String)>,
}

pub(super) fn read(file: &ImportFile) -> Result<Listing, ImportError> {
    let (mut users, mut endpoints) = (Vec::new(), Vec::new());
    for object in objects(file)? {
        match object.kind {
            "ApiUser" => users.push(user(file, &object)?),
            "Endpoint" => endpoints.push(object.name.to_owned()),
            other => {
                let message = format!("an object of type {}", printable(other));
                return Err(malformed(file, object.line, message));
            }
        }
    }
    Ok(Listing {
        form: Form::ObjectList,
        users,
        endpoints,
    })
}

fn malformed(file: &ImportFile, line: usize, message: impl Into<String>) -> ImportError {
    file.malformed(Position { line, column: 1 }, message, COMMANDS)
}

fn objects(file: &ImportFile) -> Result<Vec<Object<'_>>, ImportError> {
    let mut objects: Vec<Object<'_>> = Vec::new();
    for (number, text) in (1..).zip(file.text().split('\n')) {
        let text = text.strip_suffix('\r').unwrap_or(text);
        let line = line(text);
        if let Line::Object { name, kind } = line {
            objects.push(Object {
                line: number,
                name,
                kind,
                attributes: Vec::new(),
            });
            continue;
        }
        let Some(object) = objects.last_mut() else {
            return Err(malformed(
                file,
                number,
                "this stands before the first object",
            ));
        };
        match line {
            Line::Attribute {
                depth: 1,
                key,
                value,
            } => {
                if object.attributes.iter().any(|(_, there, _)| *there == key) {
                    let message = format!("attribute {} stands twice", printable(key));
                    return Err(malformed(file, number, message));
                }
                object
                    .attributes
                    .push((number, key, value.unwrap_or_default().to_owned()));
            }
            Line::More => match object.attributes.last_mut() {
                Some((_, _, value)) => {
                    value.push('\n');
                    value.push_str(text);
                }
                None => {
                    return Err(malformed(
                        file,
                        number,
                        "this is neither an object nor an attribute",
                    ));
                }
            },
            _ => {}
        }
    }
    Ok(objects)
}

fn line(text: &str) -> Line<'_> {
    if text.is_empty() {
        return Line::Empty;
    }
    if let Some(rest) = text.strip_prefix("Object '")
        && let Some((name, kind)) = rest
            .strip_suffix("':")
            .and_then(|rest| rest.rsplit_once("' of type '"))
    {
        return Line::Object { name, kind };
    }
    let bare = text.trim_start_matches(' ');
    let depth = (text.len() - bare.len()) / 2;
    match bare.strip_prefix("* ") {
        Some(attribute) if depth >= 1 => match attribute.split_once(" = ") {
            Some((key, value)) => Line::Attribute {
                depth,
                key,
                value: Some(value),
            },
            None => Line::Attribute {
                depth,
                key: attribute,
                value: None,
            },
        },
        None if depth >= 1 && bare.starts_with("% ") => Line::Hint,
        _ => Line::More,
    }
}

fn user(file: &ImportFile, object: &Object<'_>) -> Result<ListedUser, ImportError> {
    let attribute = |key: &str| object.attributes.iter().find(|(_, there, _)| *there == key);
    let text = |key: &str| -> Result<String, ImportError> {
        let Some((line, _, value)) = attribute(key) else {
            return Err(malformed(
                file,
                object.line,
                format!("attribute {key} is missing"),
            ));
        };
        value::text(value)
            .ok_or_else(|| malformed(file, *line, format!("the value of {key} is no text")))
    };
    let name = text("name")?;
    if name != object.name {
        return Err(malformed(
            file,
            object.line,
            "the object's heading and its attribute `name` differ",
        ));
    }
    let password = text("password")?;
    let Some((line, _, value)) = attribute("permissions") else {
        return Err(malformed(
            file,
            object.line,
            "attribute permissions is missing",
        ));
    };
    let permissions = value::permissions(value).map_err(|error| malformed(file, *line, error))?;
    Ok(ListedUser {
        name,
        client_cn: text("client_cn")?,
        password: if password.is_empty() {
            Password::None
        } else {
            Password::Is(password.into())
        },
        password_hash: if attribute("password_hash").is_some() {
            text("password_hash")?
        } else {
            String::new()
        },
        permissions: permissions.into_iter().map(listed).collect(),
    })
}

fn listed(found: Found) -> ListedPermission {
    match found {
        Found::Text(pattern) => ListedPermission::Pattern(pattern),
        Found::Filtered(pattern) => ListedPermission::Filtered(pattern),
        Found::Other(word) => ListedPermission::Other(word),
    }
}
