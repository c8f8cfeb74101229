//! `GET /v1/objects/apiusers`: the API's JSON. Judges nothing.

use super::{COMMANDS, Form, ListedPermission, ListedUser, Listing, Password};
use crate::import::error::{ImportError, Position};
use crate::import::source::ImportFile;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Answer {
    results: Option<Vec<Object>>,
    status: Option<Value>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    attrs: Value,
}

#[derive(Deserialize)]
struct Attributes {
    client_cn: Asked<Option<String>>,
    permissions: Asked<Option<Vec<Value>>>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    password_hash: Option<String>,
}

/// An attribute that must be there, although it may be null: an `Option` alone would also take its absence.
#[derive(Deserialize)]
struct Asked<T>(T);

pub(super) fn read(file: &ImportFile) -> Result<Listing, ImportError> {
    let answer: Answer = serde_json::from_str(file.text()).map_err(|error| {
        let at = Position {
            line: error.line(),
            column: error.column(),
        };
        // The library says the place once more at the end.
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message)
            .to_owned();
        file.malformed(at, message, COMMANDS)
    })?;
    let Some(objects) = answer.results else {
        let said = answer
            .status
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or("there are no `results`");
        let message = format!(
            "this is no listing: {}",
            crate::import::text::printable(said)
        );
        return Err(ImportError::unfit(file.path(), message, COMMANDS));
    };
    let (mut users, mut endpoints) = (Vec::new(), Vec::new());
    for object in objects {
        match object.kind.as_str() {
            "ApiUser" => users.push(user(file, object)?),
            "Endpoint" => endpoints.push(object.name),
            other => {
                let message = format!(
                    "it lists an object of type {}",
                    crate::import::text::printable(other)
                );
                return Err(ImportError::unfit(file.path(), message, COMMANDS));
            }
        }
    }
    Ok(Listing {
        form: Form::Json,
        users,
        endpoints,
    })
}

fn user(file: &ImportFile, object: Object) -> Result<ListedUser, ImportError> {
    let attributes: Attributes = serde_json::from_value(object.attrs).map_err(|error| {
        let message = format!(
            "ApiUser \"{}\": {error}",
            crate::import::text::printable(&object.name)
        );
        ImportError::unfit(
            file.path(),
            message,
            "ask for all attributes, without `attrs` and `filter`",
        )
    })?;
    let permissions = attributes.permissions.0.unwrap_or_default();
    Ok(ListedUser {
        permissions: permissions
            .into_iter()
            .map(|said| permission(file, &object.name, said))
            .collect::<Result<_, _>>()?,
        name: object.name,
        client_cn: attributes.client_cn.0.unwrap_or_default(),
        password: match attributes.password {
            None => Password::NotListed,
            Some(password) if password.is_empty() => Password::None,
            Some(password) => Password::Is(password.into()),
        },
        password_hash: attributes.password_hash.unwrap_or_default(),
    })
}

fn permission(file: &ImportFile, user: &str, said: Value) -> Result<ListedPermission, ImportError> {
    match said {
        Value::String(pattern) => Ok(ListedPermission::Pattern(pattern)),
        Value::Object(mut entry) => {
            let filtered = !entry.remove("filter").unwrap_or_default().is_null();
            match entry.remove("permission") {
                Some(Value::String(pattern)) if entry.is_empty() && filtered => {
                    Ok(ListedPermission::Filtered(pattern))
                }
                Some(Value::String(pattern)) if entry.is_empty() => {
                    Ok(ListedPermission::Pattern(pattern))
                }
                _ => {
                    let user = crate::import::text::printable(user);
                    let message =
                        format!("ApiUser \"{user}\" has a permission that Icinga would not load");
                    Err(ImportError::unfit(file.path(), message, COMMANDS))
                }
            }
        }
        Value::Array(_) => {
            let message = format!(
                "ApiUser \"{}\" has a list in its permissions",
                crate::import::text::printable(user)
            );
            Err(ImportError::unfit(file.path(), message, COMMANDS))
        }
        other => Ok(ListedPermission::Other(other.to_string())),
    }
}
