//! Deviations of a kind of upstream: its handling of HEAD, redirects, reloads and acknowledgements.
//! Reads no config; applies nothing itself.

use crate::config::{HeadMethod, LengthlessRedirect, QuickAck};
use std::time::Duration;

/// The quirks of an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// The replacement of HEAD.
    pub head: HeadMethod,
    /// How redirects without a length are interpreted.
    pub lengthless_redirect: LengthlessRedirect,
    /// How long the upstream may reject connections and drop requests, as in a reload, before this
    /// is an error.
    pub connect_retry: Option<Duration>,
    /// Responses of a known length up to this many bytes are forwarded once complete, if the
    /// request can be retried after a disconnect.
    pub hold_back: Option<u64>,
    /// When received bytes are acknowledged.
    pub quick_ack: QuickAck,
}

impl Quirks {
    /// The method for the upstream request in place of the authorized method.
    pub fn method<'m>(&self, authorized: &'m str) -> &'m str {
        match (self.head, authorized) {
            (HeadMethod::Get, "HEAD") => "GET",
            _ => authorized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_head_is_replaced_and_only_where_that_is_wanted() {
        let gets = Quirks {
            head: HeadMethod::Get,
            ..Quirks::default()
        };
        for (method, up) in [
            ("HEAD", "GET"),
            ("GET", "GET"),
            ("POST", "POST"),
            ("head", "head"),
        ] {
            assert_eq!(gets.method(method), up);
            assert_eq!(Quirks::default().method(method), method);
        }
    }
}
