//! ApiUsers of Icinga 2, from what the daemon itself says about them: its configuration language is a programming
//! language, and only Icinga can tell what it comes to.

mod json;
mod judge;
mod names;
mod object_list;
mod permissions;
mod skeleton;
mod value;

use super::error::ImportError;
use super::source::ImportFile;
use super::{Imported, Note};
use zeroize::Zeroizing;

/// What the daemon lists.
struct Listing {
    form: Form,
    users: Vec<ListedUser>,
    /// Names of cluster nodes.
    endpoints: Vec<String>,
}

/// Which listing it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `GET /v1/objects/apiusers`
    Json,
    /// `icinga2 object list`
    ObjectList,
}

/// An ApiUser as it is listed.
struct ListedUser {
    name: String,
    /// Empty if it has none.
    client_cn: String,
    password: Password,
    /// Not empty where `password_hash` is set.
    password_hash: String,
    permissions: Vec<ListedPermission>,
}

enum Password {
    /// This form of listing has none.
    NotListed,
    None,
    Is(Zeroizing<String>),
}

/// An entry of `permissions`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ListedPermission {
    Pattern(String),
    /// With a filter, of which only its being there is listed.
    Filtered(String),
    /// A number, null and the like; how it is written.
    Other(String),
}

const COMMANDS: &str = "make one of these listings, and import it:\n    \
    curl -sk -u root -H 'Accept: application/json' https://localhost:5665/v1/objects/apiusers > users.json\n    \
    icinga2 object list --type ApiUser > users.txt      (with passwords, after `icinga2 daemon -C --dump-objects`)";

/// Turns a listing of ApiUsers into config. `node_names` are common names of cluster nodes.
///
/// # Errors
/// [`ImportError`] for what is no listing, or a broken one.
pub fn icinga2(file: &ImportFile, node_names: &[String]) -> Result<Imported, ImportError> {
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
        start => return Err(ImportError::unfit(file.path(), what_else(start), COMMANDS)),
    };
    judge::judge(&file.path().display().to_string(), listing, node_names)
}

fn what_else(text: &str) -> &'static str {
    let says = |words: &str| {
        text.split_once("ApiUser")
            .is_some_and(|(before, _)| before.trim_end().ends_with(words))
    };
    match text {
        _ if says("object") || says("template") => {
            "this is configuration in Icinga's language, and only Icinga can tell what it comes to"
        }
        _ if text.starts_with('<') => "this is HTML; ask with `Accept: application/json`",
        _ if text.contains("\u{1b}[") => {
            "this has colours of a terminal; redirect the command's output to a file"
        }
        _ => "this is no listing of ApiUsers",
    }
}

/// A note about the whole listing.
fn about_all(what: &str) -> Note {
    Note::information("", what)
}

#[cfg(test)]
mod tests;
