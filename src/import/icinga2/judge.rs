//! What becomes of each ApiUser of a listing. Who would be somebody else here, or whom nobody could be, is a comment.

use super::permissions::{self, Filters};
use super::{Form, ListedUser, Listing, Password, about_all, skeleton};
use crate::credentials::hash_password;
use crate::import::entry::Entry;
use crate::import::error::ImportError;
use crate::import::{Imported, Note};
use crate::tls::CommonName;
use std::collections::{HashMap, HashSet};

/// What is known of all users when one is judged.
struct Others<'l> {
    nodes: &'l [String],
    users_of_cn: HashMap<&'l str, usize>,
}

pub(super) fn judge(
    file: &str,
    listing: Listing,
    node_names: &[String],
) -> Result<Imported, ImportError> {
    let Listing {
        form,
        mut users,
        endpoints,
    } = listing;
    let mut nodes = [node_names, &endpoints].concat();
    nodes.sort_unstable();
    nodes.dedup();
    // The daemon's order changes from one listing to the next.
    users.sort_by(|one, other| one.name.cmp(&other.name));
    let mut users_of_cn: HashMap<&str, usize> = HashMap::new();
    users
        .iter()
        .for_each(|user| *users_of_cn.entry(&user.client_cn).or_default() += 1);
    let others = Others {
        nodes: &nodes,
        users_of_cn,
    };

    let (mut config, mut notes) = (String::new(), Vec::new());
    skeleton::write(&mut config, file, form, &nodes);
    say_about_all(&mut notes, &users, form);
    let mut names: HashSet<&str> = HashSet::new();
    let mut files: HashSet<String> = HashSet::new();
    for user in &users {
        let mut entry = entry(user, &others, &mut files)?;
        if !names.insert(&user.name) {
            entry.comment_out("another user of this listing has the same name");
        }
        entry.write(&mut config, &mut notes);
    }
    Ok(Imported { config, notes })
}

fn say_about_all(notes: &mut Vec<Note>, users: &[ListedUser], form: Form) {
    if users.is_empty() {
        notes.push(about_all("there is no ApiUser in this listing"));
    }
    if form == Form::Json {
        notes.push(about_all(
            "this listing has no passwords; `icinga2 object list --type ApiUser` has them, and `portcullis \
             hash-password` makes hashes for `password_hash`",
        ));
    }
}

fn entry(
    user: &ListedUser,
    others: &Others<'_>,
    files: &mut HashSet<String>,
) -> Result<Entry, ImportError> {
    let mut entry = Entry::new(&user.name);
    let by_certificate = write_common_name(&mut entry, &user.client_cn, others);
    let by_password = write_password(&mut entry, user)?;
    if permissions::write(&mut entry, &user.permissions) == Filters::Some {
        let secret = secret_file(&user.name, files);
        entry.table_as_comment(
            "upstream.icinga",
            &[format!("basic_credentials = \"{secret}\"    # a file with NAME:PASSWORD of this user in Icinga")],
        );
    }
    let nobody = by_certificate == Proof::None && by_password == Proof::None;
    match user.name.as_str() {
        "" => entry.comment_out("its name is empty: choose one"),
        name if name.chars().any(char::is_control) => entry.comment_out("its name has control characters: choose one"),
        _ if nobody && matches!(user.password, Password::NotListed) => {
            entry.comment_out(
                "this listing says nothing by which somebody could be this user: add `password_hash` or `client_cn`",
            );
        }
        _ if nobody && user.client_cn.is_empty() => entry.comment_out(
            "nobody can prove to be this user. In Icinga, a certificate with an empty common name may be taken for it: \
             give it a `client_cn` or a password, or remove it there",
        ),
        _ if nobody => entry.comment_out("nobody can be this user until that is decided"),
        _ => {}
    }
    Ok(entry)
}

/// Whether somebody can prove to be the user in this way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Some,
    None,
}

fn write_common_name(entry: &mut Entry, name: &str, others: &Others<'_>) -> Proof {
    const KEY: &str = "client_cn";
    if name.is_empty() {
        return Proof::None;
    }
    let refused = match CommonName::new(name) {
        Err(error) => Some(format!("its `client_cn` cannot be used: {error}")),
        Ok(_) if others.users_of_cn.get(name).is_some_and(|users| *users > 1) => Some(format!(
            "`client_cn` \"{name}\" is several users', and Icinga takes another one after each reload: decide whose it \
             is"
        )),
        Ok(_) if others.nodes.iter().any(|node| node == name) => Some(format!(
            "`client_cn` \"{name}\" is the name of a cluster node, so the node itself would be this user: make a \
             certificate for it alone"
        )),
        Ok(_) => None,
    };
    if let Some(why) = refused {
        entry.attention(why);
        entry.text_as_comment(KEY, name);
        return Proof::None;
    }
    if name.contains(['*', '?']) {
        entry.attention(format!(
            "`client_cn` \"{name}\" is no pattern, neither in Icinga nor here: it is that very name"
        ));
    }
    if name.trim() != name {
        entry.attention(format!(
            "`client_cn` \"{name}\" begins or ends with a blank, which counts"
        ));
    }
    entry.text(KEY, name);
    Proof::Some
}

fn write_password(entry: &mut Entry, user: &ListedUser) -> Result<Proof, ImportError> {
    const KEY: &str = "password_hash";
    if !user.password_hash.is_empty() {
        entry.attention("Icinga takes no notice of its `password_hash`, so it is left out");
    }
    let password = match &user.password {
        Password::None => return Ok(Proof::None),
        Password::NotListed => {
            if user.client_cn.is_empty() {
                entry.text_as_comment(KEY, "what `portcullis hash-password` prints");
            }
            return Ok(Proof::None);
        }
        Password::Is(password) => password,
    };
    let why = match password.chars().any(char::is_control) {
        true => {
            "its password has control characters, which a request could not carry: give it another one"
        }
        false if user.name.contains(':') => {
            "its name has a colon, so nobody can log in by its password, neither in Icinga nor here: choose another name"
        }
        false => {
            let hash = hash_password(password).map_err(|source| ImportError::Hash {
                user: user.name.clone(),
                source,
            })?;
            entry.text(KEY, &hash);
            return Ok(Proof::Some);
        }
    };
    entry.attention(why);
    Ok(Proof::None)
}

/// A name for a file with this user's credentials: no other's, and no other folder's.
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
