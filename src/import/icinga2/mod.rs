//! Imports ApiUsers of Icinga 2 from listings of the daemon. Its configuration language is a programming language, which
//! only Icinga can evaluate.

mod json;
mod convert;
mod names;
mod object_list;
mod permissions;
mod skeleton;
mod value;

use super::error::ImportError;
use super::source::ImportFile;
use super::{ImportNote, ImportedConfig};
use zeroize::Zeroizing;

/// A listing of the daemon.
struct Listing {
    format: ListingFormat,
    users: Vec<ListedUser>,
    /// Names of cluster nodes.
    endpoints: Vec<String>,
}

/// The format of a listing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ListingFormat {
    /// `GET /v1/objects/apiusers`
    Json,
    /// `icinga2 object list`
    ObjectList,
}

/// An ApiUser in a listing.
struct ListedUser {
    name: String,
    /// Empty if the user has none.
    client_cn: String,
    password: ListedPassword,
    /// Empty if the attribute is not set.
    password_hash: String,
    permissions: Vec<ListedPermission>,
}

/// The password of a user in a listing.
enum ListedPassword {
    /// This format has no passwords.
    NotListed,
    None,
    Text(Zeroizing<String>),
}

/// An entry of `permissions`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ListedPermission {
    Pattern(String),
    /// With a filter. Icinga does not list its text.
    Filtered(String),
    /// A number, null and the like, as written.
    Other(String),
}

const COMMANDS: &str = "make one of these listings, and import it:\n    \
    curl -sk -u root -H 'Accept: application/json' https://localhost:5665/v1/objects/apiusers > users.json\n    \
    icinga2 object list --type ApiUser > users.txt      (with passwords, after `icinga2 daemon -C --dump-objects`)";

/// Converts a listing of ApiUsers to config text. `node_names` are common names of cluster nodes.
///
/// # Errors
/// [`ImportError`] if the file is not a listing, or is malformed.
pub fn icinga2(file: &ImportFile, node_names: &[String]) -> Result<ImportedConfig, ImportError> {
    let text = file.text();
    let listing = match text.trim_start() {
        "" => {
            return Err(ImportError::unfit(
                file.path(),
                "the file is empty",
                COMMANDS,
            ));
        }
        start if start.starts_with('{') => json::read(file)?,
        start if start.starts_with("Object '") => object_list::read(file)?,
        start => {
            return Err(ImportError::unfit(
                file.path(),
                format_problem(start),
                COMMANDS,
            ));
        }
    };
    convert::convert(&file.path().display().to_string(), listing, node_names)
}

/// Why a file is not a listing.
fn format_problem(text: &str) -> &'static str {
    let declares = |words: &str| {
        text.split_once("ApiUser")
            .is_some_and(|(before, _)| before.trim_end().ends_with(words))
    };
    match text {
        _ if declares("object") || declares("template") => {
            "this is configuration in Icinga's language, which only Icinga can evaluate"
        }
        _ if text.starts_with('<') => "this is HTML; ask with `Accept: application/json`",
        _ if text.contains("\u{1b}[") => {
            "this has terminal colours; redirect the command's output to a file"
        }
        _ => "this is not a listing of ApiUsers",
    }
}

/// A note about the whole listing.
fn general_note(text: &str) -> ImportNote {
    ImportNote::information("", text)
}

#[cfg(test)]
mod tests;
