//! An entry of a deny list, and the texts of lists with and without it.

use super::super::deny_list_file::with_lines;
use super::super::given_file::given_certificates;
use crate::config::Config;
use crate::tls::{DenyList, sha256_text};
use std::path::Path;

/// The prefix of the comment that `revoke` writes above an entry.
const COMMENT: &str = "# revoked ";

/// An entry of a deny list.
pub(super) struct DenyListEntry {
    /// The line in the file.
    pub(super) line: String,
    /// A list with this entry alone.
    pub(super) as_list: DenyList,
}

impl DenyListEntry {
    /// An entry of this kind.
    ///
    /// # Errors
    /// A message: what is wrong with the value.
    pub(super) fn new(kind: &str, value: &str) -> Result<Self, String> {
        if value.trim() != value || value.chars().any(char::is_control) {
            let hint = "a line of the list cannot hold spaces at the ends or control characters; use --cert";
            return Err(format!("{value:?}: {hint}"));
        }
        let line = format!("{kind} {value}");
        let as_list =
            DenyList::parse(&line).map_err(|(_, reason)| format!("{value:?}: {reason}"))?;
        Ok(Self { line, as_list })
    }

    /// An ApiUser of the config. An unknown name is an error, since a typo must not look like a revocation.
    pub(super) fn user(name: &str, config: &Config) -> Result<Self, String> {
        let names = || config.api_users.iter().map(|user| user.name.value.as_str());
        if names().any(|known| known == name) {
            return Self::new("user", name);
        }
        let nearest = names()
            .map(|known| (strsim::jaro_winkler(name, known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = match nearest {
            Some((likeness, known)) if likeness > 0.8 => format!("; did you mean \"{known}\"?"),
            _ => "; for a certificate of no api_user, use --cn, --serial, --fingerprint or --cert"
                .to_owned(),
        };
        Err(format!("there is no api_user \"{name}\"{hint}"))
    }

    /// The first certificate of a file, by its SHA-256.
    pub(super) fn certificate(file: &Path) -> Result<Self, String> {
        let certificates = given_certificates(file)?;
        let first = certificates
            .first()
            .ok_or_else(|| format!("{} holds no certificate", file.display()))?;
        Self::new("fingerprint", &sha256_text(first))
    }

    /// Appends this entry to a list.
    pub(super) fn append_to(&self, before: &str, time: &str, reason: Option<&str>) -> String {
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        with_lines(before, &format!("{COMMENT}{time}{reason}\n{}\n", self.line))
    }

    /// Removes the lines equivalent to this entry, with the comments of `revoke` directly above them.
    pub(super) fn remove_from(&self, before: &str) -> String {
        let mut kept: Vec<&str> = Vec::new();
        for line in before.lines() {
            let parsed = DenyList::parse(line).ok().filter(|list| !list.is_empty());
            if !parsed.is_some_and(|list| self.as_list.includes(&list)) {
                kept.push(line);
            } else if kept.last().is_some_and(|above| above.starts_with(COMMENT)) {
                kept.pop();
            }
        }
        kept.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_on_a_list_can_be_taken_off_in_any_form() {
        let entry = DenyListEntry::new("serial", "0A:ff").unwrap();
        for before in ["", "# ours\nuser bob\n", "user bob"] {
            let with = entry.append_to(before, "2026-01-02T03:04:05Z", Some("stolen"));
            assert!(
                with.ends_with("# revoked 2026-01-02T03:04:05Z: stolen\nserial 0A:ff\n"),
                "{with}"
            );
            assert!(DenyList::parse(&with).unwrap().includes(&entry.as_list));
            let without = DenyListEntry::new("serial", "aff")
                .unwrap()
                .remove_from(&with);
            assert_eq!(without.trim_end(), before.trim_end());
        }
        let others = "# about both\nserial aff\ncn aff\n";
        assert_eq!(
            entry.remove_from(others),
            "# about both\ncn aff\n",
            "comments of others stay"
        );
    }

    #[test]
    fn what_would_be_another_line_or_none_is_rejected() {
        for (kind, bad) in [
            ("cn", "a\nuser b"),
            ("cn", " a"),
            ("serial", "xy"),
            ("fingerprint", "aa"),
            ("user", ""),
        ] {
            assert!(DenyListEntry::new(kind, bad).is_err(), "{kind} {bad:?}");
        }
        assert!(DenyListEntry::new("cn", "a # b").is_ok());
    }
}
