//! Imports clients from an nginx configuration: maps over the subject, and conditions that deny all other clients.

mod condition;
mod lexer;
mod map;
mod subject;

use super::ImportedConfig;
use super::error::ImportError;
use super::imported_users::ImportedUsers;
use super::source::ImportFile;
use lexer::Directive;
use subject::Variables;

const NO_CLIENTS_HINT: &str = "it has neither a `map` over `$ssl_client_s_dn` or `$ssl_client_s_dn_cn`, nor an `if` about them; \
    with `nginx -T` all files of a running configuration are in one";

/// Converts maps and conditions to users with these permissions.
///
/// # Errors
/// [`ImportError`] if the file is not an nginx configuration, or contains nothing about client certificates.
pub fn nginx(file: &ImportFile, permissions: &[String]) -> Result<ImportedConfig, ImportError> {
    let directives = lexer::directives(file)?;
    let mut all = Vec::new();
    flatten(&directives, &mut all);
    let variables = Variables::of(&all);
    let mut users = ImportedUsers::default();
    for directive in all {
        match directive.name() {
            "map" => map::read(file, directive, &variables, &mut users)?,
            "if" => condition::read(directive, &variables, &mut users),
            _ => {}
        }
    }
    if users.is_empty() {
        return Err(ImportError::unfit(
            file.path(),
            "nothing here is about client certificates",
            NO_CLIENTS_HINT,
        ));
    }
    let heading = format!(
        "Clients of nginx, from {} by `portcullis import nginx`.",
        file.path().display()
    );
    let mut imported = users.into_config(&heading, permissions);
    imported.notes.push(super::ImportNote::information(
        "",
        "nginx ignores case in the names of a map; here `Alice` and `alice` are two names",
    ));
    Ok(imported)
}

/// All directives, including nested ones, in the order of the file. Entries of maps are not listed separately.
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
