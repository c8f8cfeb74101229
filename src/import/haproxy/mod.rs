//! Imports clients from an HAProxy configuration: ACLs over the common name, files of names, and maps.

mod acl;
mod map;
mod rule;
mod words;

use super::ImportedConfig;
use super::error::{ImportError, Position};
use super::imported_users::ImportedUsers;
use super::source::ImportFile;
use acl::Acl;

/// A line of the configuration, split into words.
struct ConfigLine {
    at: Position,
    words: Vec<String>,
}

impl ConfigLine {
    /// A word, or an empty text.
    fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }
}

/// Converts ACLs and maps over common names to users with these permissions.
///
/// # Errors
/// [`ImportError`] if the file is not an HAProxy configuration, or contains nothing about client certificates.
pub fn haproxy(file: &ImportFile, permissions: &[String]) -> Result<ImportedConfig, ImportError> {
    let lines = words::lines(file)?;
    let mut users = ImportedUsers::default();
    let mut acls: Vec<Acl> = Vec::new();
    for line in &lines {
        if line.word(0) == "acl" {
            let name = line.word(1).to_owned();
            acls.extend(acl::read(
                file,
                name,
                line.words.get(2..).unwrap_or_default(),
                line.at,
            )?);
        }
    }
    for line in &lines {
        acls.extend(rule::anonymous(file, line)?);
    }
    rule::apply(&lines, &mut acls, &mut users);
    acls.into_iter().for_each(|acl| acl.add_to(&mut users));
    for line in &lines {
        map::read(file, line, &mut users)?;
    }
    if users.is_empty() {
        let hint = "it has neither an `acl` over `ssl_c_s_dn(CN)`, nor a map of it; give the file with the frontend";
        return Err(ImportError::unfit(
            file.path(),
            "nothing here is about client certificates",
            hint,
        ));
    }
    let heading = format!(
        "Clients of HAProxy, from {} by `portcullis import haproxy`.",
        file.path().display()
    );
    Ok(users.into_config(&heading, permissions))
}

/// The converters of a sample expression that reads the common name; empty without converters. `None` for other
/// expressions.
fn common_name_of(expression: &str) -> Option<&str> {
    const FETCHES: [&str; 2] = ["ssl_c_s_dn(CN)", "ssl_c_s_dn(cn)"];
    FETCHES
        .iter()
        .find_map(|fetch| expression.strip_prefix(fetch))
}

#[cfg(test)]
mod tests;
