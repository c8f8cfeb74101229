//! One ACL over who the client is: names, files of names, or something that has to be read by people.

use super::common_name_of;
use crate::import::error::{ImportError, Position};
use crate::import::people::People;
use crate::import::plain_regex;
use crate::import::source::ImportFile;

/// What a condition tests about the client.
pub(super) struct Acl {
    /// Empty for one that stands in braces in its rule.
    pub(super) name: String,
    pub(super) at: Position,
    names: Vec<(String, Position)>,
    /// What could not be carried over.
    oddities: Vec<(Position, String)>,
    pub(super) use_: Use,
}

/// What rules do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing that refuses.
    Other,
    /// All others are refused.
    LetsIn,
    /// Who is named is refused.
    ShutsOut,
}

impl Acl {
    fn about(&self) -> String {
        if self.name.is_empty() {
            "a condition in braces".to_owned()
        } else {
            format!("acl {}", self.name)
        }
    }

    /// Adds whom it lets in to the users.
    pub(super) fn give_to(self, people: &mut People) {
        let about = self.about();
        self.oddities
            .iter()
            .for_each(|(at, what)| people.attention(*at, &about, what.clone()));
        if self.use_ == Use::ShutsOut {
            let names: Vec<&str> = self.names.iter().map(|(name, _)| name.as_str()).collect();
            let what = format!(
                "{} are shut out: put `cn NAME` into the `deny_list` of the trust domain",
                names.join(", ")
            );
            people.attention(self.at, &about, what);
            return;
        }
        self.names
            .iter()
            .for_each(|(name, at)| people.add(name, name, *at));
    }
}

/// Samples about the client that are no common name.
const OTHERS: [(&str, &str); 6] = [
    (
        "ssl_c_s_dn(O",
        "organizations bring roles: write `client_o` or `client_ou` of a role",
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
        "serial numbers are no names; write `client_fingerprint` or `client_cn`",
    ),
    (
        "ssl_c_i_dn",
        "whoever signed is no user; make a `[trust_domain.NAME]` of that CA, and name it on a route",
    ),
    (
        "ssl_c_der",
        "write SHA-256 fingerprints as `client_fingerprint`",
    ),
];

/// Whether a sample says who the client is. A map of it is read by itself.
pub(super) fn is_about_clients(sample: &str) -> bool {
    match common_name_of(sample) {
        Some(conversion) => !conversion.starts_with(",map"),
        None => OTHERS.iter().any(|(prefix, _)| sample.starts_with(prefix)),
    }
}

/// Reads the words behind an ACL's name. `None` for one that is not about who the client is.
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
        oddities: Vec::new(),
        use_: Use::Other,
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
            acl.oddities.push((
                at,
                format!(
                    "{sample} changes the name before it is compared: write the names as they are"
                ),
            ));
            return Ok(Some(acl));
        }
        None => {
            let why = OTHERS
                .iter()
                .find(|(prefix, _)| sample.starts_with(prefix))
                .map(|(_, why)| *why);
            acl.oddities.extend(why.map(|why| (at, why.to_owned())));
            return Ok(Some(acl));
        }
    }
    acl.values(file, rest)?;
    Ok(Some(acl))
}

/// How values compare.
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
                ("-i", true) => self.odd(
                    "it compares without case, and here `Alice` is not `alice`: see whether all names \
                                          are written as the certificates have them",
                ),
                ("-m", true) => {
                    let kind = words.next().map_or("", String::as_str);
                    method = match kind {
                        "str" => Method::Exact,
                        "reg" => Method::Regex,
                        _ => Method::Other,
                    };
                    if method == Method::Other {
                        self.odd(&format!(
                            "it compares by `-m {kind}`: write the common names that it is meant for as `client_cn` of an \
                             api_user"
                        ));
                    }
                }
                ("-f" | "-M", true) => {
                    let path = words.next().map_or("", String::as_str);
                    if word == "-f" && method == Method::Exact {
                        self.file(file, path)?;
                    } else {
                        self.odd(&format!("{word} {path} is not read: write the common names that it is meant for"));
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

    fn odd(&mut self, what: &str) {
        self.oddities.push((self.at, what.to_owned()));
    }

    fn value(&mut self, value: &str, method: Method) {
        match method {
            Method::Exact if value.contains("${") => self.odd(&format!("\"{value}\" depends on the environment")),
            Method::Exact => self.names.push((value.to_owned(), self.at)),
            Method::Regex => match plain_regex::names(value) {
                Some(names) => self.names.extend(names.into_iter().map(|name| (name, self.at))),
                None => self.odd(&format!(
                    "the regular expression {value} says who is meant: write the common names as `client_cn` of an api_user"
                )),
            },
            // Said once, with the method.
            Method::Other => {}
        }
    }

    /// A file with one name on each line.
    fn file(&mut self, file: &ImportFile, path: &str) -> Result<(), ImportError> {
        let named = file.named(self.at, path)?;
        for (number, line) in (1..).zip(named.text().lines()) {
            // HAProxy takes a sharp for a comment only in the first column.
            let name = line.trim_start_matches([' ', '\t']);
            if line.starts_with('#') || name.is_empty() {
                continue;
            }
            if name.trim_end() != name {
                let what =
                    format!("line {number} of {path}, \"{name}\", ends with a blank, which counts");
                self.oddities.push((self.at, what));
            }
            self.names.push((name.to_owned(), self.at));
        }
        Ok(())
    }
}
