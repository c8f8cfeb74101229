//! Cache of the chains that one trust domain has verified, so that a chain is not verified again on each connection.
//! Caches no rejections and verifies nothing.

use super::verdict::ChainVerdict;
use crate::tls::chain_digest::ChainDigest;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The verdicts of one trust generation by chain. Sharded, so that workers seldom wait for a lock.
#[derive(Debug)]
pub(super) struct VerifiedChains {
    shards: [Mutex<Shard>; Self::SHARDS],
}

/// Two generations of entries. When the recent one is full, it replaces the older one.
#[derive(Debug, Default)]
struct Shard {
    recent: HashMap<ChainDigest, ChainVerdict>,
    older: HashMap<ChainDigest, ChainVerdict>,
}

impl VerifiedChains {
    const SHARDS: usize = 32;
    /// Entries per shard and generation: in all about 10,000 chains of about 100 bytes each.
    const MAX_RECENT: usize = 160;

    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// The cached verdict for a chain. The caller must check its times.
    pub(super) fn get(&self, chain: &ChainDigest) -> Option<ChainVerdict> {
        let mut shard = self.shard(chain)?;
        if let Some(verdict) = shard.recent.get(chain) {
            return Some(*verdict);
        }
        let verdict = shard.older.remove(chain)?;
        shard.insert(*chain, verdict);
        Some(verdict)
    }

    /// Caches the verdict of a chain that was just verified.
    pub(super) fn insert(&self, chain: ChainDigest, verdict: ChainVerdict) {
        if let Some(mut shard) = self.shard(&chain) {
            shard.insert(chain, verdict);
        }
    }

    fn shard(&self, chain: &ChainDigest) -> Option<MutexGuard<'_, Shard>> {
        let index = chain
            .bytes()
            .first()
            .map(|byte| usize::from(*byte) % Self::SHARDS)?;
        self.shards
            .get(index)
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap());
        shards
            .map(|shard| shard.recent.len() + shard.older.len())
            .sum()
    }
}

impl Shard {
    fn insert(&mut self, chain: ChainDigest, verdict: ChainVerdict) {
        if self.recent.len() >= VerifiedChains::MAX_RECENT {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(chain, verdict);
    }
}
