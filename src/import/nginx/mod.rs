//! Clients that nginx knows by their certificates: maps over the subject, and conditions that refuse all others.

mod condition;
mod lexer;
mod map;
mod subject;

use super::Imported;
use super::error::ImportError;
use super::people::People;
use super::source::ImportFile;
use lexer::Directive;
use subject::Variables;

const NOTHING: &str = "it has neither a `map` over `$ssl_client_s_dn` or `$ssl_client_s_dn_cn`, nor an `if` about them; \
    with `nginx -T` all files of a running configuration are in one";

/// Turns maps and conditions into users with these permissions.
///
/// # Errors
/// [`ImportError`] for what is no configuration of nginx, or says nothing about client certificates.
pub fn nginx(file: &ImportFile, permissions: &[String]) -> Result<Imported, ImportError> {
    let directives = lexer::directives(file)?;
    let mut all = Vec::new();
    flatten(&directives, &mut all);
    let variables = Variables::of(&all);
    let mut people = People::default();
    for directive in all {
        match directive.name() {
            "map" => map::read(file, directive, &variables, &mut people)?,
            "if" => condition::read(directive, &variables, &mut people),
            _ => {}
        }
    }
    if people.is_empty() {
        return Err(ImportError::unfit(
            file.path(),
            "nothing here is about client certificates",
            NOTHING,
        ));
    }
    let heading = format!(
        "Clients of nginx, from {} by `portcullis import nginx`.",
        file.path().display()
    );
    let mut imported = people.into_config(&heading, permissions);
    imported.notes.push(super::Note::information(
        "",
        "nginx compares the names in a map without case; here `Alice` and `alice` are two names",
    ));
    Ok(imported)
}

/// All directives with those in their blocks, in the order of the file; entries of maps stay in their maps.
fn flatten<'d>(directives: &'d [Directive], all: &mut Vec<&'d Directive>) {
    // Depth is limited by the lexer.
    for directive in directives {
        all.push(directive);
        if directive.name() != "map" {
            flatten(&directive.block, all);
        }
    }
}

#[cfg(test)]
mod tests;
