//! Common names and the users that they stand for, as nginx and HAProxy have them, to config text. Reads no file.

use super::entry::{Entry, Item};
use super::error::Position;
use super::note::Note;
use super::text::comment;
use super::{Imported, Weight};
use crate::tls::CommonName;
use std::collections::HashMap;

/// Who was found, in the order of the file.
#[derive(Default)]
pub(super) struct People {
    found: Vec<Person>,
    notes: Vec<Note>,
}

struct Person {
    user: String,
    common_name: String,
    at: Position,
}

/// What a value says about whom it is given to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'v> {
    /// Not let in.
    Denied,
    /// Let in, as itself.
    Allowed,
    /// The name of a user.
    User(&'v str),
}

/// What the value of a map says, where everybody writes one of a few words.
pub(super) fn meaning(value: &str) -> Meaning<'_> {
    match value.to_ascii_lowercase().as_str() {
        "" | "0" | "no" | "off" | "false" | "deny" | "denied" | "forbidden" | "none" | "reject" => {
            Meaning::Denied
        }
        "1" | "yes" | "on" | "true" | "allow" | "allowed" | "ok" | "accept" => Meaning::Allowed,
        _ => Meaning::User(value),
    }
}

impl People {
    /// A common name with the value that it has in a map.
    pub(super) fn add_mapped(&mut self, common_name: &str, value: &str, at: Position) {
        match meaning(value) {
            Meaning::Denied => {
                let what = format!(
                    "\"{value}\" is given to those who are not let in, so there is no user"
                );
                self.note(Note::information(common_name, what).at(at));
            }
            Meaning::Allowed => self.add(common_name, common_name, at),
            Meaning::User(user) => self.add(user, common_name, at),
        }
    }

    /// A common name that is a user.
    pub(super) fn add(&mut self, user: &str, common_name: &str, at: Position) {
        let again = |person: &&Person| person.user == user && person.common_name == common_name;
        if self.found.iter().any(|person| again(&person)) {
            return;
        }
        self.found.push(Person {
            user: user.to_owned(),
            common_name: common_name.to_owned(),
            at,
        });
    }

    /// Something to be said beside the users.
    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn attention(&mut self, at: Position, about: &str, what: impl Into<String>) {
        self.note(Note::attention(about, what).at(at));
    }

    /// Whether nothing was found at all.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.notes.is_empty()
    }

    /// The config: notes, then users. Each gets the same permissions.
    pub(super) fn into_config(self, heading: &str, permissions: &[String]) -> Imported {
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
                "Nobody has a permission yet, since who is let in there is not said to what: write them, for all with \
                 --permission 'GET /api/*', or here for each",
            );
        }
        let mut notes = self.notes;
        for note in &notes {
            let word = if note.weight == Weight::Attention {
                "NOTE: "
            } else {
                ""
            };
            comment(&format!("{word}{note}"))
                .iter()
                .for_each(|line| config.extend([line, "\n"]));
        }
        let users_of = users_of(&self.found);
        let mut written: Vec<&str> = Vec::new();
        for person in &self.found {
            if written.contains(&person.user.as_str()) {
                continue;
            }
            written.push(&person.user);
            let own = self.found.iter().filter(|other| other.user == person.user);
            entry(&person.user, own, &users_of, permissions).write(&mut config, &mut notes);
        }
        Imported { config, notes }
    }
}

/// How many users each common name stands for.
fn users_of(found: &[Person]) -> HashMap<&str, usize> {
    let mut users_of: HashMap<&str, usize> = HashMap::new();
    found
        .iter()
        .for_each(|person| *users_of.entry(&person.common_name).or_default() += 1);
    users_of
}

fn entry<'p>(
    user: &str,
    own: impl Iterator<Item = &'p Person>,
    users_of: &HashMap<&str, usize>,
    permissions: &[String],
) -> Entry {
    let mut entry = Entry::new(user);
    let mut names = Vec::new();
    for Person {
        common_name, at, ..
    } in own
    {
        let why = match CommonName::new(common_name) {
            Err(error) => Some(format!(
                "common name \"{common_name}\" cannot be used: {error}"
            )),
            Ok(_)
                if users_of
                    .get(common_name.as_str())
                    .is_some_and(|users| *users > 1) =>
            {
                Some(format!(
                    "common name \"{common_name}\" is several users': decide whose it is"
                ))
            }
            Ok(_) => None,
        };
        match why {
            Some(why) => {
                entry.note(Note::attention(user, why).at(*at));
                names.push(Item::IsComment {
                    text: common_name.clone(),
                    why: "see above",
                });
            }
            None => names.push(Item::Counts(common_name.clone())),
        }
    }
    match names.as_slice() {
        [Item::Counts(only)] => entry.text("client_cn", only),
        _ => entry.list("client_cn", &names),
    }
    let permissions: Vec<Item> = permissions
        .iter()
        .map(|text| Item::Counts(text.clone()))
        .collect();
    entry.list("permissions", &permissions);
    if user.is_empty() || user.chars().any(char::is_control) {
        entry.comment_out("its name is empty, or has control characters: choose one");
    } else if !names.iter().any(|name| matches!(name, Item::Counts(_))) {
        entry.comment_out("nobody can be this user");
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position { line: 1, column: 1 };

    #[test]
    fn names_with_one_value_are_one_user_and_a_name_with_two_is_nobody() {
        let mut people = People::default();
        for (name, value) in [
            ("a-laptop", "alice"),
            ("a-phone", "alice"),
            ("bob", "1"),
            ("eve", "0"),
            ("x", "alice"),
        ] {
            people.add_mapped(name, value, AT);
        }
        people.add("carol", "x", AT);
        let imported = people.into_config("heading", &["GET /*".to_owned()]);
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
        assert!(imported.notes.iter().any(|note| note.about == "eve"));
    }
}
