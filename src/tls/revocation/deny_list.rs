//! The deny list of a trust domain: certificates and users that are denied at once, without their issuer. A text file
//! with one entry per line.

use super::other_signature::other_forms;
use super::serials::significant;
use crate::file_read::{self, FileKind};
use crate::tls::common_name::CommonName;
use crate::tls::subject_names::readings;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The entries of a deny list.
#[derive(Clone, Debug, Default)]
pub struct DenyList {
    /// Serial numbers without leading zeros.
    serials: HashSet<Box<[u8]>>,
    /// SHA-256 over the DER of certificates.
    fingerprints: HashSet<[u8; 32]>,
    common_names: HashSet<Box<[u8]>>,
    users: BTreeSet<Box<str>>,
    text: Box<str>,
    /// The file; `None` if none is configured.
    path: Option<PathBuf>,
    /// Number of entries that no file contains any more, or only one that a rejected config names.
    retained: usize,
}

/// Why a deny list cannot be used. Unreadable entries are errors, since each may be meant to deny a client.
#[derive(Debug, thiserror::Error)]
pub enum DenyListError {
    /// The file is missing, or permission is denied.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// A line that is not a valid entry.
    #[error("line {line} of {path}: {reason}")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl DenyList {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DenyListError`], naming file and line.
    pub fn load(path: &Path) -> Result<Self, DenyListError> {
        let (list, errors) = Self::load_usable(path)?;
        errors.into_iter().next().map_or(Ok(list), Err)
    }

    /// Reads the valid lines of a file, and the errors of the others. Valid entries deny even if another line is wrong.
    ///
    /// # Errors
    /// [`DenyListError::Unreadable`] if the file cannot be read.
    pub fn load_usable(path: &Path) -> Result<(Self, Vec<DenyListError>), DenyListError> {
        let text = file_read::read_text(path, FileKind::DenyList).map_err(|source| {
            DenyListError::Unreadable {
                path: path.to_owned(),
                source,
            }
        })?;
        let (list, errors) = Self::parse_usable(&text);
        let bad_line = |(line, reason)| DenyListError::BadLine {
            path: path.to_owned(),
            line,
            reason,
        };
        Ok((
            Self {
                path: Some(path.to_owned()),
                ..list
            },
            errors.into_iter().map(bad_line).collect(),
        ))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// The line, counted from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let (list, errors) = Self::parse_usable(text);
        errors.into_iter().next().map_or(Ok(list), Err)
    }

    /// Reads the valid lines of a text, and the errors of the others with their line numbers, counted from 1.
    pub fn parse_usable(text: &str) -> (Self, Vec<(usize, &'static str)>) {
        let mut list = Self {
            text: text.into(),
            ..Self::default()
        };
        let mut errors = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                errors.extend(list.add(line).err().map(|reason| (index + 1, reason)));
            }
        }
        (list, errors)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let (kind, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = value.trim();
        match kind {
            "serial" => {
                let serial = hexadecimal(value)
                    .ok_or("a serial number is hexadecimal, such as `serial 4a:0b:ff`")?;
                self.serials.insert(significant(&serial).into());
            }
            "fingerprint" => {
                let digest = hexadecimal(value).and_then(|bytes| bytes.try_into().ok());
                let digest = digest.ok_or(
                    "a fingerprint is the SHA-256 of a certificate, 64 hexadecimal digits",
                )?;
                self.fingerprints.insert(digest);
            }
            "cn" => {
                CommonName::new(value).map_err(|_| "this cannot be a common name")?;
                self.common_names.insert(value.as_bytes().into());
            }
            "user" if value.is_empty() => return Err("the name of an ApiUser is missing"),
            "user" => {
                self.users.insert(value.into());
            }
            _ => return Err("an entry begins with `serial`, `fingerprint`, `cn` or `user`"),
        }
        Ok(())
    }

    /// The file; `None` if none is configured.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// SHA-256 of the file, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        crate::tls::sha256_text(self.text.as_bytes())
    }

    /// Whether this list contains all entries of another one, compared by meaning and not by text.
    pub fn includes(&self, other: &Self) -> bool {
        self.serials.is_superset(&other.serials)
            && self.fingerprints.is_superset(&other.fingerprints)
            && self.common_names.is_superset(&other.common_names)
            && self.users.is_superset(&other.users)
    }

    /// Number of entries that still deny although the file does not contain them.
    pub fn retained(&self) -> usize {
        self.retained
    }

    /// Adds the entries of another list and keeps its own. Returns whether that changes anything.
    pub(super) fn add_all(&mut self, other: &Self) -> bool {
        let is_same_file = self.path.is_none() || self.path == other.path;
        if self.includes(other) && (!is_same_file || self.text == other.text) {
            return false;
        }
        self.serials.extend(other.serials.iter().cloned());
        self.fingerprints.extend(&other.fingerprints);
        self.common_names.extend(other.common_names.iter().cloned());
        self.users.extend(other.users.iter().cloned());
        if is_same_file {
            self.text.clone_from(&other.text);
            self.path.clone_from(&other.path);
            self.retained = self.len() - other.len();
        } else {
            self.retained = self.len() - Self::parse(&self.text).map_or(0, |list| list.len());
        }
        true
    }

    /// Everything that verdicts and status depend on. For a digest.
    pub(super) fn digest_input(&self) -> String {
        let mut text = format!("{:?} {}", self.path, self.text);
        if self.retained > 0 {
            let mut entries: Vec<String> = self
                .serials
                .iter()
                .map(|serial| format!("{serial:x?}"))
                .collect();
            entries.extend(
                self.fingerprints
                    .iter()
                    .map(|fingerprint| format!("{fingerprint:x?}")),
            );
            entries.extend(self.common_names.iter().map(|name| format!("{name:x?}")));
            entries.sort_unstable();
            text.push_str(&format!(" {entries:?} {:?}", self.users));
        }
        text
    }

    /// Whether the list has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.serials.len() + self.fingerprints.len() + self.common_names.len() + self.users.len()
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|name| &**name)
    }

    pub(super) fn has_user(&self, name: &str) -> bool {
        self.users.contains(name)
    }

    /// Whether the list contains the serial number or fingerprint of a certificate. `true` for an unreadable certificate.
    pub(super) fn has_certificate(&self, der: &[u8]) -> bool {
        if self.serials.is_empty() && self.fingerprints.is_empty() {
            return false;
        }
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return true;
        };
        self.serials.contains(significant(certificate.raw_serial())) || self.has_fingerprint_of(der)
    }

    /// Compares the fingerprints of all forms of the signature. Otherwise a denied client could change the form and get
    /// another fingerprint.
    fn has_fingerprint_of(&self, der: &[u8]) -> bool {
        let is_listed = |der: &[u8]| {
            let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
            self.fingerprints
                .iter()
                .any(|denied| denied == fingerprint.as_ref())
        };
        !self.fingerprints.is_empty()
            && (is_listed(der) || other_forms(der).any(|other| is_listed(&other)))
    }

    /// Whether the list contains any common name of a certificate, in any string type. `true` for an unreadable
    /// certificate.
    pub(super) fn has_common_name_of(&self, der: &[u8]) -> bool {
        if self.common_names.is_empty() {
            return false;
        }
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return true;
        };
        let mut names = certificate.subject().iter_common_name();
        names.any(|name| {
            readings(name.attr_value())
                .iter()
                .any(|text| self.has_common_name(text.as_bytes()))
        })
    }

    pub(super) fn has_fingerprint(&self, text: &str) -> bool {
        let digest = hexadecimal(text).and_then(|bytes| bytes.try_into().ok());
        digest.is_some_and(|digest: [u8; 32]| self.fingerprints.contains(&digest))
    }

    pub(super) fn has_common_name(&self, name: &[u8]) -> bool {
        self.common_names.contains(name)
    }
}

/// Decodes hexadecimal digits of either case, with or without colons, with or without a leading zero.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    let padding: &[u8] = if digits.len() % 2 == 1 { b"0" } else { b"" };
    let digits = [padding, &digits].concat();
    if digits.is_empty() {
        return None;
    }
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks_exact(2)
        .map(|digits| match digits {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_in_the_forms_that_tools_print() {
        let print = "AB:".repeat(31) + "ab";
        let list = DenyList::parse(&format!(
            "# denied\n\nserial 00FF\nserial 0:ff\nserial 4a0\n  fingerprint {print}\ncn my name # and all\nuser ghost writer\n"
        ))
        .unwrap();
        assert_eq!(list.len(), 5, "{list:?}");
        assert!(
            list.serials.contains([0xff].as_slice()) && list.serials.contains([4, 0xa0].as_slice())
        );
        assert!(list.fingerprints.contains(&[0xab; 32]));
        assert!(list.common_names.contains(b"my name # and all".as_slice()));
        assert!(list.has_user("ghost writer") && !list.has_user("ghost"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for bad in [
            "serial",
            "serial xyz",
            "serial 4 5",
            "serial \u{fc}",
            "fingerprint abcd",
            "cn",
            "cn a\u{1}b",
            "user",
            "Serial 4a",
            "alice",
            "fingerprint",
            ":",
            "serial :",
        ] {
            let (line, _) = DenyList::parse(&format!("# one\ncn two\n{bad}\n")).unwrap_err();
            assert_eq!(line, 3, "{bad}");
        }
    }
}
