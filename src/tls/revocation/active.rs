//! Rollback protection across loads: an older list from a file does not replace a newer active list, since certificates
//! that the newer one revoked would silently be valid again. Reads nothing.

use super::Revocation;
use super::crl::{Crl, CrlAge};
use std::sync::Arc;

/// A list from a file that does not replace the active one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderCrl {
    /// RFC 4514.
    pub issuer: String,
    /// The list of the file.
    pub from_file: CrlLabel,
    /// The list that stays active.
    pub active: CrlLabel,
}

/// Number and date of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlLabel {
    /// In hexadecimal without leading zeros.
    pub number: Option<String>,
    /// Seconds since 1970.
    pub this_update: i64,
}

impl CrlLabel {
    fn of(crl: &Crl) -> Self {
        Self {
            number: crl.number_text(),
            this_update: crl.this_update,
        }
    }
}

impl Revocation {
    /// Keeps active lists that are newer than the file's list of the same issuer and scope. If number and date contradict
    /// each other, both lists revoke.
    #[must_use]
    pub fn after(mut self, previous: &Self) -> Self {
        for (key, lists) in &mut self.newest {
            for active in previous.lists_of(*key) {
                // The same list, possibly read again, or a newer one.
                if lists.iter().any(|list| list.replaces(active)) {
                    continue;
                }
                let older: Vec<_> = lists
                    .extract_if(.., |list| list.age_beside(active) == CrlAge::Older)
                    .collect();
                for list in &older {
                    self.older.push(OlderCrl {
                        issuer: list.issuer_name.clone(),
                        from_file: CrlLabel::of(list),
                        active: CrlLabel::of(active),
                    });
                }
                if !older.is_empty() {
                    lists.push(active.clone());
                    self.carried.push(active.clone());
                } else if lists
                    .iter()
                    .any(|list| list.age_beside(active) == CrlAge::Contradictory)
                {
                    self.contradictory
                        .entry(*key)
                        .or_default()
                        .push(active.clone());
                    self.carried.push(active.clone());
                }
            }
        }
        self
    }

    /// Lists from files that are older than the active ones.
    pub fn older_crls(&self) -> &[OlderCrl] {
        &self.older
    }

    /// Active lists that no file contains any more.
    pub(super) fn carried(&self) -> &[Arc<Crl>] {
        &self.carried
    }

    fn lists_of(
        &self,
        key: (super::AuthorityKey, super::CrlScope),
    ) -> impl Iterator<Item = &Arc<Crl>> {
        self.newest
            .get(&key)
            .into_iter()
            .chain(self.contradictory.get(&key))
            .flatten()
    }
}
