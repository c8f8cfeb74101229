//! What differs from the rest of the world with an upstream: what it makes of HEAD, of redirects, of reloads and of
//! acknowledgements. Reads no config; acts nowhere itself.

use crate::config::{HeadMethod, LengthlessRedirect, QuickAck};
use std::time::Duration;

/// How an upstream is to be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// What becomes of HEAD.
    pub head: HeadMethod,
    /// How redirects without a length are read.
    pub lengthless_redirect: LengthlessRedirect,
    /// For how long it may refuse connections and drop requests, as in a reload, before that is a failure.
    pub connect_retry: Option<Duration>,
    /// Answers of a known length up to this are passed on when all of them has come, where the request may go again if
    /// they break off.
    pub hold_back: Option<u64>,
    /// When its octets are acknowledged.
    pub quick_ack: QuickAck,
}

impl Manners {
    /// The method that goes up in place of the one that was judged.
    pub fn method<'m>(&self, judged: &'m str) -> &'m str {
        match (self.head, judged) {
            (HeadMethod::Get, "HEAD") => "GET",
            _ => judged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_head_is_replaced_and_only_where_that_is_wanted() {
        let gets = Manners {
            head: HeadMethod::Get,
            ..Manners::default()
        };
        for (method, up) in [
            ("HEAD", "GET"),
            ("GET", "GET"),
            ("POST", "POST"),
            ("head", "head"),
        ] {
            assert_eq!(gets.method(method), up);
            assert_eq!(Manners::default().method(method), method);
        }
    }
}
