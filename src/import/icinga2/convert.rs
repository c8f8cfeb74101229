//! Converts each ApiUser of a listing. A user that would be ambiguous here, or that no client can authenticate as, is
//! written as a comment.

use super::permissions::{self, Filters};
use super::{ListedPassword, ListedUser, Listing, ListingFormat, general_note, skeleton};
use crate::credentials::hash_password;
use crate::import::entry::UserEntry;
use crate::import::error::ImportError;
use crate::import::{ImportNote, ImportedConfig};
use crate::tls::CommonName;
use std::collections::{HashMap, HashSet};

/// Facts about all users of the listing.
struct Others<'l> {
    /// Names of cluster nodes.
    nodes: &'l [String],
    /// Number of users for each common name.
    users_of_cn: HashMap<&'l str, usize>,
}

pub(super) fn convert(
    file: &str,
    listing: Listing,
    node_names: &[String],
) -> Result<ImportedConfig, ImportError> {
    let Listing {
        format,
        mut users,
        endpoints,
    } = listing;
    let mut nodes = [node_names, &endpoints].concat();
    nodes.sort_unstable();
    nodes.dedup();
    // The daemon lists users in a different order each time.
    users.sort_by(|one, other| one.name.cmp(&other.name));
    let mut users_of_cn: HashMap<&str, usize> = HashMap::new();
    users
        .iter()
        .for_each(|user| *users_of_cn.entry(&user.client_cn).or_default() += 1);
    let others = Others {
        nodes: &nodes,
        users_of_cn,
    };

    let mut config = String::new();
    let mut notes = Vec::new();
    skeleton::write(&mut config, file, format, &nodes);
    add_general_notes(&mut notes, &users, format);
    let mut names: HashSet<&str> = HashSet::new();
    let mut files: HashSet<String> = HashSet::new();
    for user in &users {
        let mut entry = entry(user, &others, &mut files)?;
        if !names.insert(&user.name) {
            entry.comment_out("another user of this listing has the same name");
        }
        entry.write(&mut config, &mut notes);
    }
    Ok(ImportedConfig { config, notes })
}

fn add_general_notes(notes: &mut Vec<ImportNote>, users: &[ListedUser], format: ListingFormat) {
    if users.is_empty() {
        notes.push(general_note("there is no ApiUser in this listing"));
    }
    if format == ListingFormat::Json {
        notes.push(general_note(
            "this listing has no passwords; `icinga2 object list --type ApiUser` has them, and `portcullis \
             hash-password` makes hashes for `password_hash`",
        ));
    }
}

fn entry(
    user: &ListedUser,
    others: &Others<'_>,
    files: &mut HashSet<String>,
) -> Result<UserEntry, ImportError> {
    let mut entry = UserEntry::new(&user.name);
    let certificate = write_common_name(&mut entry, &user.client_cn, others);
    let password = write_password(&mut entry, user)?;
    if permissions::write(&mut entry, &user.permissions) == Filters::Some {
        let secret = secret_file(&user.name, files);
        entry.table_as_comment(
            "upstream.icinga",
            &[format!("basic_credentials = \"{secret}\"    # a file with NAME:PASSWORD of this user in Icinga")],
        );
    }
    let no_credential = certificate == CredentialState::None && password == CredentialState::None;
    match user.name.as_str() {
        "" => entry.comment_out("its name is empty: choose one"),
        name if name.chars().any(char::is_control) => entry.comment_out("its name has control characters: choose another name"),
        _ if no_credential && matches!(user.password, ListedPassword::NotListed) => {
            entry.comment_out(
                "this listing has no credential for this user: add `password_hash` or `client_cn`",
            );
        }
        _ if no_credential && user.client_cn.is_empty() => entry.comment_out(
            "no client can authenticate as this user. Icinga may accept a certificate with an empty common name for it: \
             add a `client_cn` or a password, or remove the user in Icinga",
        ),
        _ if no_credential => {
            entry.comment_out("no client can authenticate as this user until that is decided");
        },
        _ => {}
    }
    Ok(entry)
}

/// Whether the user has a usable credential of one kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CredentialState {
    Some,
    None,
}

fn write_common_name(entry: &mut UserEntry, name: &str, others: &Others<'_>) -> CredentialState {
    const KEY: &str = "client_cn";
    if name.is_empty() {
        return CredentialState::None;
    }
    let problem = match CommonName::new(name) {
        Err(error) => Some(format!("its `client_cn` cannot be used: {error}")),
        Ok(_) if others.users_of_cn.get(name).is_some_and(|users| *users > 1) => Some(format!(
            "`client_cn` \"{name}\" belongs to several users, and Icinga may choose another one after each reload: keep \
             it for one of them"
        )),
        Ok(_) if others.nodes.iter().any(|node| node == name) => Some(format!(
            "`client_cn` \"{name}\" is the name of a cluster node, so the node itself would be this user: issue a \
             certificate for this user alone"
        )),
        Ok(_) => None,
    };
    if let Some(problem) = problem {
        entry.attention(problem);
        entry.text_as_comment(KEY, name);
        return CredentialState::None;
    }
    if name.contains(['*', '?']) {
        entry.attention(format!(
            "`client_cn` \"{name}\" is not a pattern, neither in Icinga nor here: it is compared literally"
        ));
    }
    if name.trim() != name {
        entry.attention(format!(
            "`client_cn` \"{name}\" begins or ends with a blank, which is significant"
        ));
    }
    entry.text(KEY, name);
    CredentialState::Some
}

fn write_password(
    entry: &mut UserEntry,
    user: &ListedUser,
) -> Result<CredentialState, ImportError> {
    const KEY: &str = "password_hash";
    if !user.password_hash.is_empty() {
        entry.attention("Icinga ignores its `password_hash`, so it is left out");
    }
    let password = match &user.password {
        ListedPassword::None => return Ok(CredentialState::None),
        ListedPassword::NotListed => {
            if user.client_cn.is_empty() {
                entry.text_as_comment(KEY, "what `portcullis hash-password` prints");
            }
            return Ok(CredentialState::None);
        }
        ListedPassword::Text(password) => password,
    };
    let problem = match password.chars().any(char::is_control) {
        true => {
            "its password has control characters, which a request cannot carry: choose another password"
        }
        false if user.name.contains(':') => {
            "its name has a colon, so its password cannot be used, neither in Icinga nor here: choose another name"
        }
        false => {
            let hash = hash_password(password).map_err(|source| ImportError::Hash {
                user: user.name.clone(),
                source,
            })?;
            entry.text(KEY, &hash);
            return Ok(CredentialState::Some);
        }
    };
    entry.attention(problem);
    Ok(CredentialState::None)
}

/// A unique file name for this user's credentials, inside `secrets/`.
fn secret_file(name: &str, taken: &mut HashSet<String>) -> String {
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let plain: String = name
        .chars()
        .map(|letter| if is_plain(letter) { letter } else { '_' })
        .collect();
    let base = format!("secrets/{}", plain.trim_start_matches('.'));
    let mut candidate = base.clone();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{base}-{number}");
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_secrets_have_names_of_their_own_in_their_folder() {
        let mut taken = HashSet::new();
        assert_eq!(secret_file("team-linux", &mut taken), "secrets/team-linux");
        assert_eq!(secret_file("../../etc/x", &mut taken), "secrets/_.._etc_x");
        assert_eq!(secret_file("a/b", &mut taken), "secrets/a_b");
        assert_eq!(secret_file("a:b", &mut taken), "secrets/a_b-2");
    }
}
