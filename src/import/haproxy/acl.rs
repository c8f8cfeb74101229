//! Reads one ACL about the client certificate: names, files of names, or tests that need manual conversion.

use super::common_name_of;
use crate::import::error::{ImportError, Position};
use crate::import::imported_users::ImportedUsers;
use crate::import::plain_regex;
use crate::import::source::ImportFile;

/// An ACL about the client certificate.
pub(super) struct Acl {
    /// Empty for an anonymous ACL, in braces in a rule.
    pub(super) name: String,
    pub(super) at: Position,
    names: Vec<(String, Position)>,
    /// What could not be converted.
    unconverted: Vec<(Position, String)>,
    pub(super) acl_use: AclUse,
}

/// How rules use an ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AclUse {
    /// In no rule that denies.
    Other,
    /// Clients that do not match are denied.
    Allows,
    /// Clients that match are denied.
    Denies,
}

impl Acl {
    /// The ACL as notes name it.
    fn subject(&self) -> String {
        if self.name.is_empty() {
            "a condition in braces".to_owned()
        } else {
            format!("acl {}", self.name)
        }
    }

    /// Adds the allowed names to the users, and notes for the rest.
    pub(super) fn add_to(self, users: &mut ImportedUsers) {
        let subject = self.subject();
        self.unconverted
            .iter()
            .for_each(|(at, text)| users.attention(*at, &subject, text.clone()));
        if self.acl_use == AclUse::Denies {
            let names: Vec<&str> = self.names.iter().map(|(name, _)| name.as_str()).collect();
            let text = format!(
                "{} are denied: put `cn NAME` into the `deny_list` of the trust domain",
                names.join(", ")
            );
            users.attention(self.at, &subject, text);
            return;
        }
        self.names
            .iter()
            .for_each(|(name, at)| users.add(name, name, *at));
    }
}

/// Samples about the client certificate other than the common name, with the action to take.
const OTHER_SAMPLES: [(&str, &str); 6] = [
    (
        "ssl_c_s_dn(O",
        "organizations grant roles: write `client_o` or `client_ou` of a role",
    ),
    (
        "ssl_c_s_dn",
        "this is more than a common name: write `client_cn` of an api_user for each",
    ),
    (
        "ssl_c_sha1",
        "a SHA-1 can be forged; write SHA-256 fingerprints as `client_fingerprint`",
    ),
    (
        "ssl_c_serial",
        "serial numbers are not names; write `client_fingerprint` or `client_cn`",
    ),
    (
        "ssl_c_i_dn",
        "an issuer is not a user; write a `[trust_domain.NAME]` for that CA, and name it on a route",
    ),
    (
        "ssl_c_der",
        "write SHA-256 fingerprints as `client_fingerprint`",
    ),
];

/// Whether a sample reads the client certificate. Maps of samples are read separately.
pub(super) fn is_about_clients(sample: &str) -> bool {
    match common_name_of(sample) {
        Some(conversion) => !conversion.starts_with(",map"),
        None => OTHER_SAMPLES
            .iter()
            .any(|(prefix, _)| sample.starts_with(prefix)),
    }
}

/// Reads the words after an ACL's name. `None` for an ACL that does not test the client certificate.
pub(super) fn read(
    file: &ImportFile,
    name: String,
    words: &[String],
    at: Position,
) -> Result<Option<Acl>, ImportError> {
    let mut acl = Acl {
        name,
        at,
        names: Vec::new(),
        unconverted: Vec::new(),
        acl_use: AclUse::Other,
    };
    let Some((sample, rest)) = words.split_first() else {
        return Ok(None);
    };
    if !is_about_clients(sample) {
        return Ok(None);
    }
    match common_name_of(sample) {
        Some("") => {}
        Some(_) => {
            acl.unconverted.push((
                at,
                format!(
                    "{sample} changes the name before it is compared: write the names as they are"
                ),
            ));
            return Ok(Some(acl));
        }
        None => {
            let action = OTHER_SAMPLES
                .iter()
                .find(|(prefix, _)| sample.starts_with(prefix))
                .map(|(_, action)| *action);
            acl.unconverted
                .extend(action.map(|action| (at, action.to_owned())));
            return Ok(Some(acl));
        }
    }
    acl.values(file, rest)?;
    Ok(Some(acl))
}

/// How the ACL compares values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Exact,
    Regex,
    Other,
}

impl Acl {
    fn values(&mut self, file: &ImportFile, words: &[String]) -> Result<(), ImportError> {
        let mut method = Method::Exact;
        let mut words = words.iter();
        let mut flags = true;
        while let Some(word) = words.next() {
            match (word.as_str(), flags) {
                ("--", true) => flags = false,
                ("-i", true) => self.unconverted(
                    "it ignores case, but here `Alice` and `alice` differ: check that all names are written as in the \
                     certificates",
                ),
                ("-m", true) => {
                    let kind = words.next().map_or("", String::as_str);
                    method = match kind {
                        "str" => Method::Exact,
                        "reg" => Method::Regex,
                        _ => Method::Other,
                    };
                    if method == Method::Other {
                        self.unconverted(&format!(
                            "it compares by `-m {kind}`: write the common names that it matches as `client_cn` of an \
                             api_user"
                        ));
                    }
                }
                ("-f" | "-M", true) => {
                    let path = words.next().map_or("", String::as_str);
                    if word == "-f" && method == Method::Exact {
                        self.file(file, path)?;
                    } else {
                        self.unconverted(&format!("{word} {path} is not read: write the common names that it matches"));
                    }
                }
                ("-n" | "-u", true) => {
                    words.next();
                }
                (value, _) => {
                    flags = false;
                    self.value(value, method);
                }
            }
        }
        Ok(())
    }

    fn unconverted(&mut self, text: &str) {
        self.unconverted.push((self.at, text.to_owned()));
    }

    fn value(&mut self, value: &str, method: Method) {
        match method {
            Method::Exact if value.contains("${") => self.unconverted(&format!("\"{value}\" depends on the environment")),
            Method::Exact => self.names.push((value.to_owned(), self.at)),
            Method::Regex => match plain_regex::names(value) {
                Some(names) => self.names.extend(names.into_iter().map(|name| (name, self.at))),
                None => self.unconverted(&format!(
                    "the regular expression {value} is not converted: write the common names as `client_cn` of an api_user"
                )),
            },
            // Noted once, when the method was read.
            Method::Other => {}
        }
    }

    /// A file with one name on each line.
    fn file(&mut self, file: &ImportFile, path: &str) -> Result<(), ImportError> {
        let named = file.named(self.at, path)?;
        for (number, line) in (1..).zip(named.text().lines()) {
            // HAProxy treats `#` as a comment only in the first column.
            let name = line.trim_start_matches([' ', '\t']);
            if line.starts_with('#') || name.is_empty() {
                continue;
            }
            if name.trim_end() != name {
                let text = format!(
                    "line {number} of {path}, \"{name}\", ends with a blank, which is significant"
                );
                self.unconverted.push((self.at, text));
            }
            self.names.push((name.to_owned(), self.at));
        }
        Ok(())
    }
}
