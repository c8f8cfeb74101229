//! All authorizers of a snapshot, and the header fields that are reserved for them.

use super::Authorizer;
use crate::forward::FieldNames;
use std::collections::HashMap;
use std::sync::Arc;

/// All authorizers of a snapshot.
#[derive(Default)]
pub struct Authorizers {
    by_name: HashMap<Arc<str>, Arc<Authorizer>>,
    reserved: FieldNames,
}

impl Authorizers {
    /// Creates the set, with the names of all fields that any authorizer may set.
    pub fn new(all: impl IntoIterator<Item = Arc<Authorizer>>, reserved: FieldNames) -> Self {
        Self {
            by_name: all
                .into_iter()
                .map(|authorizer| (authorizer.name.clone(), authorizer))
                .collect(),
            reserved,
        }
    }

    /// The authorizer with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Authorizer>> {
        self.by_name.get(name)
    }

    /// Fields that only authorizers may set. Every route removes them from client requests, since an upstream cannot
    /// distinguish the sender.
    pub fn reserved(&self) -> &FieldNames {
        &self.reserved
    }
}
