//! The output of `learn`: TOML to copy, with the evidence beside each line.

use super::UserNeeds;
use super::permissions::{LearnedNeed, LearnedPermission, NeedUse, learn};
use crate::authorize::{Permission, RequirementSubject};
use crate::cli::decisions::LoggedDecisions;
use crate::cli::plan::thousands;
use crate::config::Enforcement;
use crate::snapshot::{Outcome, Snapshot};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The current config, for the comparison.
pub(super) struct CurrentConfig<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) outcome: &'a Outcome,
}

pub(super) fn report(
    decisions: &LoggedDecisions,
    needs: &UserNeeds,
    threshold: usize,
    config: Option<&CurrentConfig<'_>>,
) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    match decisions.seen() {
        Some(seen) => {
            let count = thousands(seen.count);
            let _ = writeln!(
                text,
                "# Learned from {count} decisions, {} to {}.",
                seen.first, seen.last
            );
            let _ = writeln!(
                text,
                "# `*` also takes slashes, so it grants what is deeper, too."
            );
        }
        None => {
            let _ = writeln!(text, "# No decisions: nothing to learn from.");
        }
    }
    for note in &decisions.notes {
        let _ = writeln!(text, "# note: {note}");
    }
    for (user, needs) in needs {
        let (learned, left_out) = learn(needs, threshold);
        let _ = writeln!(text, "\n[api_user.{}]\npermissions = [", key(user));
        for one in &learned {
            let _ = writeln!(text, "    {},  # {}", string(&one.text), evidence(one));
        }
        let _ = writeln!(text, "]");
        for need in left_out {
            let _ = writeln!(
                text,
                "# left out, since no permission can be written for it: {need:?}"
            );
        }
        if let Some(config) = config {
            compare(&mut text, config, user, needs);
        }
    }
    if let Some(config) = config {
        let unseen: Vec<&str> = config
            .snapshot
            .users
            .iter()
            .map(|user| &*user.name)
            .filter(|name| !needs.contains_key(*name))
            .collect();
        if !unseen.is_empty() {
            let _ = writeln!(
                text,
                "\n# ApiUsers that needed nothing: {}",
                unseen.join(", ")
            );
        }
    }
    text
}

fn evidence(learned: &LearnedPermission) -> String {
    let plural = if learned.seen.count == 1 { "" } else { "s" };
    let kinds = if learned.kinds > 1 {
        format!(
            " of {} kinds",
            thousands(u64::try_from(learned.kinds).unwrap_or(u64::MAX))
        )
    } else {
        String::new()
    };
    let on_trial = match learned.on_trial {
        0 => String::new(),
        count => format!(", {} only on trial", thousands(count)),
    };
    format!(
        "{} request{plural}{kinds}{on_trial}, last {}",
        thousands(learned.seen.count),
        learned.seen.last
    )
}

/// Lists the current permissions of the user that were not used.
fn compare(
    text: &mut String,
    config: &CurrentConfig<'_>,
    user: &str,
    needs: &BTreeMap<LearnedNeed, NeedUse>,
) {
    let Some(principal) = config.snapshot.users.named(user) else {
        let _ = writeln!(text, "# there is no such ApiUser in this config");
        return;
    };
    let uses = |permission: &Permission| {
        needs
            .keys()
            .any(|need| permission.grants(&RequirementSubject::of(&need.requirement())))
    };
    for set in config.snapshot.policy.sets(&principal) {
        let role = set
            .role
            .as_deref()
            .map(|role| format!(" of role \"{role}\""))
            .unwrap_or_default();
        for permission in &set.granted {
            let shown = format!(
                "{}{role} at {}",
                string(permission.text()),
                config.outcome.sources.describe(permission.place)
            );
            match (uses(permission), permission.condition()) {
                (false, _) => {
                    let _ = writeln!(text, "# not used: {shown}");
                }
                (true, Some(condition)) => {
                    let _ = writeln!(
                        text,
                        "# has a condition, which this list leaves out: {shown}, when {}",
                        string(condition.text())
                    );
                }
                (true, None) if permission.enforcement() == Enforcement::Shadow => {
                    let _ = writeln!(text, "# is on trial: {shown}");
                }
                (true, None) => {}
            }
        }
    }
}

/// A key of TOML.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare {
        name.to_owned()
    } else {
        string(name)
    }
}

/// A basic string of TOML.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for text in [
            "plain",
            "with \"quotes\"",
            "GET /a\\*",
            "tab\tand\u{7f}",
            "a.b",
            "",
        ] {
            let toml = format!("[api_user.{}]\nvalue = {}\n", key(text), string(text));
            let (root, errors) = toml::de::DeTable::parse_recoverable(&toml);
            assert!(errors.is_empty(), "{toml}");
            let users = root.get_ref()["api_user"].get_ref().as_table().unwrap();
            assert_eq!(
                users[text].get_ref().as_table().unwrap()["value"]
                    .get_ref()
                    .as_str(),
                Some(text)
            );
        }
    }
}
