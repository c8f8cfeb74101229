//! Reads the output of `icinga2 object list`.
//!
//! The trap: the output escapes neither quotes nor line ends in texts. So lines are classified by how they begin,
//! ambiguous input is rejected, and so are objects of other types, in which users of Icinga can write any text.

use super::value::{self, ParsedPermission};
use super::{COMMANDS, ListedPassword, ListedPermission, ListedUser, Listing, ListingFormat};
use crate::import::error::{ImportError, Position};
use crate::import::source::ImportFile;
use crate::import::text::printable;

/// One line of the listing.
enum ListingLine<'t> {
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
    /// The next line of a text that has several lines.
    Continuation,
}

/// An object with its attributes of the first depth: line, key and value.
struct ListedObject<'t> {
    line: usize,
    name: &'t str,
    kind: &'t str,
    attributes: Vec<(usize, &'t str, String)>,
}

pub(super) fn read(file: &ImportFile) -> Result<Listing, ImportError> {
    let mut users = Vec::new();
    let mut endpoints = Vec::new();
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
        format: ListingFormat::ObjectList,
        users,
        endpoints,
    })
}

fn malformed(file: &ImportFile, line: usize, message: impl Into<String>) -> ImportError {
    file.malformed(Position { line, column: 1 }, message, COMMANDS)
}

fn objects(file: &ImportFile) -> Result<Vec<ListedObject<'_>>, ImportError> {
    let mut objects: Vec<ListedObject<'_>> = Vec::new();
    for (number, text) in (1..).zip(file.text().split('\n')) {
        let text = text.strip_suffix('\r').unwrap_or(text);
        let line = line(text);
        if let ListingLine::Object { name, kind } = line {
            objects.push(ListedObject {
                line: number,
                name,
                kind,
                attributes: Vec::new(),
            });
            continue;
        }
        let Some(object) = objects.last_mut() else {
            return Err(malformed(file, number, "this is before the first object"));
        };
        match line {
            ListingLine::Attribute {
                depth: 1,
                key,
                value,
            } => {
                if object.attributes.iter().any(|(_, known, _)| *known == key) {
                    let message = format!("attribute {} is repeated", printable(key));
                    return Err(malformed(file, number, message));
                }
                object
                    .attributes
                    .push((number, key, value.unwrap_or_default().to_owned()));
            }
            ListingLine::Continuation => match object.attributes.last_mut() {
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

fn line(text: &str) -> ListingLine<'_> {
    if text.is_empty() {
        return ListingLine::Empty;
    }
    if let Some(rest) = text.strip_prefix("Object '")
        && let Some((name, kind)) = rest
            .strip_suffix("':")
            .and_then(|rest| rest.rsplit_once("' of type '"))
    {
        return ListingLine::Object { name, kind };
    }
    let bare = text.trim_start_matches(' ');
    let depth = (text.len() - bare.len()) / 2;
    match bare.strip_prefix("* ") {
        Some(attribute) if depth >= 1 => match attribute.split_once(" = ") {
            Some((key, value)) => ListingLine::Attribute {
                depth,
                key,
                value: Some(value),
            },
            None => ListingLine::Attribute {
                depth,
                key: attribute,
                value: None,
            },
        },
        None if depth >= 1 && bare.starts_with("% ") => ListingLine::Hint,
        _ => ListingLine::Continuation,
    }
}

fn user(file: &ImportFile, object: &ListedObject<'_>) -> Result<ListedUser, ImportError> {
    let attribute = |key: &str| object.attributes.iter().find(|(_, known, _)| *known == key);
    let text = |key: &str| -> Result<String, ImportError> {
        let Some((line, _, value)) = attribute(key) else {
            return Err(malformed(
                file,
                object.line,
                format!("attribute {key} is missing"),
            ));
        };
        value::text(value)
            .ok_or_else(|| malformed(file, *line, format!("the value of {key} is not a text")))
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
            ListedPassword::None
        } else {
            ListedPassword::Text(password.into())
        },
        password_hash: if attribute("password_hash").is_some() {
            text("password_hash")?
        } else {
            String::new()
        },
        permissions: permissions.into_iter().map(listed).collect(),
    })
}

fn listed(permission: ParsedPermission) -> ListedPermission {
    match permission {
        ParsedPermission::Text(pattern) => ListedPermission::Pattern(pattern),
        ParsedPermission::Filtered(pattern) => ListedPermission::Filtered(pattern),
        ParsedPermission::Other(word) => ListedPermission::Other(word),
    }
}
