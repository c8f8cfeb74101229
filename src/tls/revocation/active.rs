//! Lists that were active before a load: an older file does not take the place of a newer list, since what that revoked
//! would silently be valid again. Reads nothing.

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
    /// The same, where no file replaces a newer list of the same issuer and scope that was active before. Where number and
    /// date contradict each other, what the active list revokes stays revoked beside the file's.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        for (key, lists) in &mut self.newest {
            for active in before.lists_of(*key) {
                // The same list, perhaps read again.
                if lists.iter().any(|list| list.replaces(active)) {
                    continue;
                }
                let older: Vec<_> = lists
                    .extract_if(.., |list| list.age_beside(active) == CrlAge::Older)
                    .collect();
                for list in &older {
                    let (from_file, active) = (CrlLabel::of(list), CrlLabel::of(active));
                    self.older.push(OlderCrl {
                        issuer: list.issuer_name.clone(),
                        from_file,
                        active,
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

    /// Files with a list that is older than the active one.
    pub fn older_crls(&self) -> &[OlderCrl] {
        &self.older
    }

    /// Lists that are active although no file has them any more.
    pub(super) fn carried(&self) -> &[Arc<Crl>] {
        &self.carried
    }

    fn lists_of(
        &self,
        key: (super::AuthorityKey, super::Scope),
    ) -> impl Iterator<Item = &Arc<Crl>> {
        self.newest
            .get(&key)
            .into_iter()
            .chain(self.contradictory.get(&key))
            .flatten()
    }
}
