//! Verified tokens that this thread remembers, so that a signature is verified once. What is remembered is compared with
//! certificate and clock each time.

use super::issuer::Verified;
use aws_lc_rs::digest::{SHA256, digest};
use std::cell::RefCell;
use std::collections::HashMap;

/// Tokens that one thread remembers.
const MOST: usize = 4096;

thread_local! {
    static VERIFIED: RefCell<HashMap<[u8; 32], Verified>> = RefCell::default();
}

fn tag(token: &str) -> [u8; 32] {
    let mut tag = [0; 32];
    tag.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    tag
}

/// Looks at a token that was verified before. `None` if it was not, or if `look` gives nothing.
pub(super) fn remembered<T>(token: &str, look: impl FnOnce(&Verified) -> Option<T>) -> Option<T> {
    VERIFIED.with_borrow(|all| all.get(&tag(token)).and_then(look))
}

/// Remembers a token. When there are too many, those that no longer count go first.
pub(super) fn remember(token: &str, verified: Verified, now: u64) {
    VERIFIED.with_borrow_mut(|all| {
        if all.len() >= MOST {
            all.retain(|_, verified| verified.until() >= now);
        }
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(tag(token), verified);
    });
}
