//! Clients that HAProxy knows by their certificates: ACLs over the common name, files of names, and maps.

mod acl;
mod map;
mod rule;
mod words;

use super::Imported;
use super::error::{ImportError, Position};
use super::people::People;
use super::source::ImportFile;
use acl::Acl;

/// A line with its words.
struct Line {
    at: Position,
    words: Vec<String>,
}

impl Line {
    fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }
}

/// Turns ACLs and maps over common names into users with these permissions.
///
/// # Errors
/// [`ImportError`] for what is no configuration of HAProxy, or says nothing about client certificates.
pub fn haproxy(file: &ImportFile, permissions: &[String]) -> Result<Imported, ImportError> {
    let lines = words::lines(file)?;
    let mut people = People::default();
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
    rule::judge(&lines, &mut acls, &mut people);
    acls.into_iter().for_each(|acl| acl.give_to(&mut people));
    for line in &lines {
        map::read(file, line, &mut people)?;
    }
    if people.is_empty() {
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
    Ok(people.into_config(&heading, permissions))
}

/// Whether a sample expression is the common name and nothing else; the rest is what it is converted by.
fn common_name_of(expression: &str) -> Option<&str> {
    const FETCHES: [&str; 2] = ["ssl_c_s_dn(CN)", "ssl_c_s_dn(cn)"];
    FETCHES
        .iter()
        .find_map(|fetch| expression.strip_prefix(fetch))
}

#[cfg(test)]
mod tests;
