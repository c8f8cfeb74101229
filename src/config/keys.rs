//! The table of config keys. Decoder, hints, JSON Schema and reference all read it; no other file lists keys or words.
//!
//! A file for each part of the config defines its keys. A key has the type of its value, so that the decoder cannot read it
//! as anything else.

pub(super) mod authorizer;
pub(super) mod client_certificate;
pub(super) mod credentials;
mod describe;
pub(super) mod expect;
mod forms;
mod headings;
pub(super) mod health;
pub(super) mod identity_headers;
mod json_schema;
mod key;
pub(super) mod limits;
pub(super) mod listener;
pub(super) mod logs;
pub(super) mod policy;
pub(super) mod process;
mod reference;
pub(super) mod request_limits;
pub(super) mod role;
pub(super) mod root;
pub(super) mod route;
mod shape;
#[cfg(test)]
mod tests;
pub(super) mod trust_domain;
pub(super) mod upstream;
pub(super) mod user;
mod value;

pub(super) use headings::{is_list_of_tables, is_named_table, listed_names};
pub use json_schema::json_schema;
pub(super) use key::{Key, Placement, TableKeys};
pub use reference::key_reference;
pub(super) use value::*;

#[cfg(test)]
pub(crate) use describe::documented_defaults;
