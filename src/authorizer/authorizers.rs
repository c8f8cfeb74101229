//! All authorizers of a snapshot, and which fields they alone may say. Asks none of them.

use super::Authorizer;
use crate::forward::FieldNames;
use std::collections::HashMap;
use std::sync::Arc;

/// By name.
#[derive(Default)]
pub struct Authorizers {
    by_name: HashMap<Arc<str>, Arc<Authorizer>>,
    reserved: FieldNames,
}

impl Authorizers {
    /// With the names of all fields that one of them may say.
    pub fn new(all: impl IntoIterator<Item = Arc<Authorizer>>, reserved: FieldNames) -> Self {
        Self {
            by_name: all.into_iter().map(|one| (one.name.clone(), one)).collect(),
            reserved,
        }
    }

    /// The one with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Authorizer>> {
        self.by_name.get(name)
    }

    /// Fields that only an authorizer may say. No upstream gets them from a client, on whichever route: it could not tell
    /// who has said it.
    pub fn reserved(&self) -> &FieldNames {
        &self.reserved
    }
}
