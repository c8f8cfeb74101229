//! Converts the clients configured in Icinga 2, nginx and HAProxy to ApiUsers, as config text. Prints nothing and changes
//! no file.
//!
//! Failure direction: an import never grants a permission that the client does not have in the source. What cannot be
//! converted exactly is written as a comment with the action to take, and is named in an [`ImportNote`]. Nothing is
//! dropped silently.

mod entry;
mod error;
mod haproxy;
mod icinga2;
mod nginx;
mod note;
mod imported_users;
mod plain_regex;
mod source;
mod text;

pub use error::{ImportError, Position};
pub use haproxy::haproxy;
pub use icinga2::icinga2;
pub use nginx::nginx;
pub use note::{ImportNote, Weight};
pub use source::ImportFile;

/// The result of an import.
#[derive(Debug)]
pub struct ImportedConfig {
    /// The config text, for a file that `include` names.
    pub config: String,
    /// Notes for the operator.
    pub notes: Vec<ImportNote>,
}

impl ImportedConfig {
    /// Whether something could not be converted exactly.
    pub fn needs_attention(&self) -> bool {
        self.notes
            .iter()
            .any(|note| note.weight == Weight::Attention)
    }
}

#[cfg(test)]
mod tests;
