//! Who may enter elsewhere becomes ApiUsers here: reads what Icinga 2, nginx and HAProxy say about clients, and writes
//! config text. It prints nothing, and changes no file.
//!
//! Failure direction: nobody gets a right by an import that it does not have there. What cannot be carried over
//! exactly stands in the result as a comment with what to do, and is named in a [`Note`]; nothing is dropped in silence.

mod entry;
mod error;
mod haproxy;
mod icinga2;
mod nginx;
mod note;
mod people;
mod plain_regex;
mod source;
mod text;

pub use error::{ImportError, Position};
pub use haproxy::haproxy;
pub use icinga2::icinga2;
pub use nginx::nginx;
pub use note::{Note, Weight};
pub use source::ImportFile;

/// What an import gave.
#[derive(Debug)]
pub struct Imported {
    /// The config, to be put into a file that `include` names.
    pub config: String,
    /// What somebody should know about it.
    pub notes: Vec<Note>,
}

impl Imported {
    /// Whether something could not be carried over as it was.
    pub fn needs_attention(&self) -> bool {
        self.notes
            .iter()
            .any(|note| note.weight == Weight::Attention)
    }
}

#[cfg(test)]
mod tests;
