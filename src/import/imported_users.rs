//! Converts pairs of common name and user, from nginx and HAProxy, to config text. Reads no file.

use super::entry::{ListItem, UserEntry};
use super::error::Position;
use super::note::ImportNote;
use super::text::comment;
use super::{ImportedConfig, Weight};
use crate::tls::CommonName;
use std::collections::HashMap;

/// The users found, in the order of the file.
#[derive(Default)]
pub(super) struct ImportedUsers {
    entries: Vec<ImportedUser>,
    notes: Vec<ImportNote>,
}

/// A common name and the user that it identifies.
struct ImportedUser {
    user: String,
    common_name: String,
    at: Position,
}

/// What a map value means for the clients that have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'v> {
    /// Denied.
    Denied,
    /// Allowed; the common name is the user.
    Allowed,
    /// The name of a user.
    User(&'v str),
}

/// Interprets a map value. Well-known words mean allowed or denied; every other value names a user.
pub(super) fn meaning(value: &str) -> Meaning<'_> {
    match value.to_ascii_lowercase().as_str() {
        "" | "0" | "no" | "off" | "false" | "deny" | "denied" | "forbidden" | "none" | "reject" => {
            Meaning::Denied
        }
        "1" | "yes" | "on" | "true" | "allow" | "allowed" | "ok" | "accept" => Meaning::Allowed,
        _ => Meaning::User(value),
    }
}

impl ImportedUsers {
    /// Adds a common name with its map value.
    pub(super) fn add_mapped(&mut self, common_name: &str, value: &str, at: Position) {
        match meaning(value) {
            Meaning::Denied => {
                let what = format!("\"{value}\" denies the client, so there is no user");
                self.note(ImportNote::information(common_name, what).at(at));
            }
            Meaning::Allowed => self.add(common_name, common_name, at),
            Meaning::User(user) => self.add(user, common_name, at),
        }
    }

    /// Adds a common name for a user. A repeated pair is ignored.
    pub(super) fn add(&mut self, user: &str, common_name: &str, at: Position) {
        let is_same = |entry: &ImportedUser| entry.user == user && entry.common_name == common_name;
        if self.entries.iter().any(is_same) {
            return;
        }
        self.entries.push(ImportedUser {
            user: user.to_owned(),
            common_name: common_name.to_owned(),
            at,
        });
    }

    /// Adds a note.
    pub(super) fn note(&mut self, note: ImportNote) {
        self.notes.push(note);
    }

    pub(super) fn attention(&mut self, at: Position, subject: &str, text: impl Into<String>) {
        self.note(ImportNote::attention(subject, text).at(at));
    }

    /// Whether there are neither users nor notes.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.notes.is_empty()
    }

    /// The config text: notes, then users. Each user gets the same permissions.
    pub(super) fn into_config(self, heading: &str, permissions: &[String]) -> ImportedConfig {
        let mut config = String::new();
        let mut say = |text: &str| {
            comment(text)
                .iter()
                .for_each(|line| config.extend([line, "\n"]))
        };
        say(heading);
        say("Include this file from the main config: include = [\"users.d/*.toml\"]");
        if permissions.is_empty() {
            say(
                "No user has a permission yet, since the imported file does not say what each client may do. Write permissions \
                 for all users with --permission 'GET /api/*', or here for each user",
            );
        }
        let mut notes = self.notes;
        for note in &notes {
            let prefix = if note.weight == Weight::Attention {
                "NOTE: "
            } else {
                ""
            };
            comment(&format!("{prefix}{note}"))
                .iter()
                .for_each(|line| config.extend([line, "\n"]));
        }
        let users_of = users_of(&self.entries);
        let mut written: Vec<&str> = Vec::new();
        for user in &self.entries {
            if written.contains(&user.user.as_str()) {
                continue;
            }
            written.push(&user.user);
            let own = self.entries.iter().filter(|other| other.user == user.user);
            entry(&user.user, own, &users_of, permissions).write(&mut config, &mut notes);
        }
        ImportedConfig { config, notes }
    }
}

/// Number of users for each common name.
fn users_of(entries: &[ImportedUser]) -> HashMap<&str, usize> {
    let mut users_of: HashMap<&str, usize> = HashMap::new();
    entries
        .iter()
        .for_each(|entry| *users_of.entry(&entry.common_name).or_default() += 1);
    users_of
}

/// The config entry of one user, with all its common names.
fn entry<'u>(
    user: &str,
    own: impl Iterator<Item = &'u ImportedUser>,
    users_of: &HashMap<&str, usize>,
    permissions: &[String],
) -> UserEntry {
    let mut entry = UserEntry::new(user);
    let mut names = Vec::new();
    for ImportedUser {
        common_name, at, ..
    } in own
    {
        let problem = match CommonName::new(common_name) {
            Err(error) => Some(format!(
                "common name \"{common_name}\" cannot be used: {error}"
            )),
            Ok(_)
                if users_of
                    .get(common_name.as_str())
                    .is_some_and(|users| *users > 1) =>
            {
                Some(format!(
                    "common name \"{common_name}\" belongs to several users: keep it for one of them"
                ))
            }
            Ok(_) => None,
        };
        match problem {
            Some(problem) => {
                entry.note(ImportNote::attention(user, problem).at(*at));
                names.push(ListItem::CommentedOut {
                    text: common_name.clone(),
                    reason: "see above",
                });
            }
            None => names.push(ListItem::Active(common_name.clone())),
        }
    }
    match names.as_slice() {
        [ListItem::Active(only)] => entry.text("client_cn", only),
        _ => entry.list("client_cn", &names),
    }
    let permissions: Vec<ListItem> = permissions
        .iter()
        .map(|text| ListItem::Active(text.clone()))
        .collect();
    entry.list("permissions", &permissions);
    if user.is_empty() || user.chars().any(char::is_control) {
        entry.comment_out("its name is empty or has control characters: choose another name");
    } else if !names.iter().any(|name| matches!(name, ListItem::Active(_))) {
        entry.comment_out("no certificate identifies this user");
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position { line: 1, column: 1 };

    #[test]
    fn names_with_one_value_are_one_user_and_a_name_with_two_values_identifies_no_user() {
        let mut users = ImportedUsers::default();
        for (name, value) in [
            ("a-laptop", "alice"),
            ("a-phone", "alice"),
            ("bob", "1"),
            ("eve", "0"),
            ("x", "alice"),
        ] {
            users.add_mapped(name, value, AT);
        }
        users.add("carol", "x", AT);
        let imported = users.into_config("heading", &["GET /*".to_owned()]);
        let config: toml::Table = imported.config.parse().unwrap();
        let users = config["api_user"].as_table().unwrap();
        assert_eq!(
            users.keys().collect::<Vec<_>>(),
            ["alice", "bob"],
            "{}",
            imported.config
        );
        assert_eq!(users["alice"]["client_cn"].as_array().unwrap().len(), 2);
        assert_eq!(users["bob"]["client_cn"].as_str(), Some("bob"));
        assert!(imported.needs_attention());
        assert!(imported.notes.iter().any(|note| note.subject == "eve"));
    }
}
