//! A cache of verified tokens per thread, so that each signature is verified once. Certificate and time are checked at each
//! use.

use super::issuer::VerifiedToken;
use aws_lc_rs::digest::{SHA256, digest};
use std::cell::RefCell;
use std::collections::HashMap;

/// Maximum number of tokens in the cache of a thread.
const MAX_TOKENS: usize = 4096;

thread_local! {
    static VERIFIED: RefCell<HashMap<[u8; 32], VerifiedToken>> = RefCell::default();
}

fn tag(token: &str) -> [u8; 32] {
    let mut tag = [0; 32];
    tag.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    tag
}

/// Applies `read` to a cached token. `None` if the token is not cached, or if `read` returns `None`.
pub(super) fn cached<T>(token: &str, read: impl FnOnce(&VerifiedToken) -> Option<T>) -> Option<T> {
    VERIFIED.with_borrow(|all| all.get(&tag(token)).and_then(read))
}

/// Caches a token. If the cache is full, expired tokens are removed first.
pub(super) fn store(token: &str, verified: VerifiedToken, now: u64) {
    VERIFIED.with_borrow_mut(|all| {
        if all.len() >= MAX_TOKENS {
            all.retain(|_, verified| verified.until() >= now);
        }
        if all.len() >= MAX_TOKENS {
            all.clear();
        }
        all.insert(tag(token), verified);
    });
}
