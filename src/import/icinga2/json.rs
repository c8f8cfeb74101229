//! Reads the JSON of Icinga's `GET /v1/objects/apiusers`.

use super::{COMMANDS, ListedPassword, ListedPermission, ListedUser, Listing, ListingFormat};
use crate::import::error::{ImportError, Position};
use crate::import::source::ImportFile;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct ApiResponse {
    results: Option<Vec<ApiObject>>,
    status: Option<Value>,
}

#[derive(Deserialize)]
struct ApiObject {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    attrs: Value,
}

#[derive(Deserialize)]
struct Attributes {
    client_cn: Required<Option<String>>,
    permissions: Required<Option<Vec<Value>>>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    password_hash: Option<String>,
}

/// An attribute that must be present, although it may be null. A plain `Option` would also accept its absence.
#[derive(Deserialize)]
struct Required<T>(T);

pub(super) fn read(file: &ImportFile) -> Result<Listing, ImportError> {
    let response: ApiResponse = serde_json::from_str(file.text()).map_err(|error| {
        let at = Position {
            line: error.line(),
            column: error.column(),
        };
        // The library repeats the position at the end.
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message)
            .to_owned();
        file.malformed(at, message, COMMANDS)
    })?;
    let Some(objects) = response.results else {
        let status = response
            .status
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or("there are no `results`");
        let message = format!(
            "this is no listing: {}",
            crate::import::text::printable(status)
        );
        return Err(ImportError::unfit(file.path(), message, COMMANDS));
    };
    let mut users = Vec::new();
    let mut endpoints = Vec::new();
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
        format: ListingFormat::Json,
        users,
        endpoints,
    })
}

fn user(file: &ImportFile, object: ApiObject) -> Result<ListedUser, ImportError> {
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
            .map(|listed| permission(file, &object.name, listed))
            .collect::<Result<_, _>>()?,
        name: object.name,
        client_cn: attributes.client_cn.0.unwrap_or_default(),
        password: match attributes.password {
            None => ListedPassword::NotListed,
            Some(password) if password.is_empty() => ListedPassword::None,
            Some(password) => ListedPassword::Text(password.into()),
        },
        password_hash: attributes.password_hash.unwrap_or_default(),
    })
}

fn permission(
    file: &ImportFile,
    user: &str,
    listed: Value,
) -> Result<ListedPermission, ImportError> {
    match listed {
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
