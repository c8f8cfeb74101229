//! Chains that the anchors of one trust domain have vouched for, so that the same chain is not verified from scratch with
//! each connection. Remembers no refusal, and nothing of other anchors. Makes no verdict itself.

use super::peer_certificate::CertificateFacts;
use super::trust::Verdict;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// SHA-256 over a chain as it was presented, each certificate with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainDigest([u8; 32]);

impl ChainDigest {
    pub(super) fn of<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Option<Self> {
        let mut context = Context::new(&SHA256);
        for certificate in chain {
            // With its length, so that no two chains run together to the same octets.
            context.update(&(certificate.len() as u64).to_be_bytes());
            context.update(certificate);
        }
        context.finish().as_ref().try_into().ok().map(Self)
    }
}

/// A span of time in which a verdict holds, seconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Validity {
    /// The time in which all of these certificates are valid. `None` if one cannot be read.
    pub(super) fn of<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> Option<Self> {
        let all = Self {
            not_before: i64::MIN,
            not_after: i64::MAX,
        };
        chain
            .map(CertificateFacts::read)
            .try_fold(all, |validity, facts| {
                let CertificateFacts {
                    not_before,
                    not_after,
                    ..
                } = facts?;
                Some(validity.and(Self {
                    not_before,
                    not_after,
                }))
            })
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    /// Whether this is the time.
    pub(super) fn check(self, now: UnixTime) -> Result<(), CertificateError> {
        let moment = |second: i64| {
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(second).unwrap_or(0)))
        };
        let second = seconds(now);
        if second > self.not_after {
            return Err(CertificateError::ExpiredContext {
                time: now,
                not_after: moment(self.not_after),
            });
        }
        if second < self.not_before {
            return Err(CertificateError::NotValidYetContext {
                time: now,
                not_before: moment(self.not_before),
            });
        }
        Ok(())
    }
}

/// Seconds since 1970.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// See the module. Split, so that workers seldom wait for each other.
#[derive(Debug)]
pub(super) struct VerifiedChains {
    shards: [Mutex<Shard>; Self::SHARDS],
}

/// What was asked for lately, and what before that. When the first is full, the second is forgotten.
#[derive(Debug, Default)]
struct Shard {
    lately: HashMap<ChainDigest, Verdict>,
    before: HashMap<ChainDigest, Verdict>,
}

impl VerifiedChains {
    const SHARDS: usize = 32;
    /// In all about 10,000 chains, at 100 octets or so each.
    const MOST_LATELY: usize = 160;

    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// What was found about this chain. Whether it still holds is for the verdict to say.
    pub(super) fn get(&self, chain: &ChainDigest) -> Option<Verdict> {
        let mut shard = self.shard(chain)?;
        if let Some(verdict) = shard.lately.get(chain) {
            return Some(*verdict);
        }
        let verdict = shard.before.remove(chain)?;
        shard.insert(*chain, verdict);
        Some(verdict)
    }

    /// Remembers a chain that was vouched for just now.
    pub(super) fn insert(&self, chain: ChainDigest, verdict: Verdict) {
        if let Some(mut shard) = self.shard(&chain) {
            shard.insert(chain, verdict);
        }
    }

    fn shard(&self, chain: &ChainDigest) -> Option<MutexGuard<'_, Shard>> {
        let at = chain
            .0
            .first()
            .map(|octet| usize::from(*octet) % Self::SHARDS)?;
        self.shards
            .get(at)
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap());
        shards
            .map(|shard| shard.lately.len() + shard.before.len())
            .sum()
    }
}

impl Shard {
    fn insert(&mut self, chain: ChainDigest, verdict: Verdict) {
        if self.lately.len() >= VerifiedChains::MOST_LATELY {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(chain, verdict);
    }
}
