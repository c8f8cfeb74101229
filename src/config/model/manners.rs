//! What the config says about upstreams that have manners of their own, and about ApiUsers that are somebody there. No
//! meaning yet, as in the rest of the model.

use super::Preset;
use crate::config::source::{Place, Spanned};
use std::time::Duration;

/// What becomes of HEAD on its way to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadMethod {
    /// It goes up as it is.
    #[default]
    Head,
    /// GET goes up in its place, and the body of the answer is dropped.
    Get,
}

/// How a redirect is read that says nothing about its length, and not that its connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LengthlessRedirect {
    /// As HTTP says: its body is all that comes until the upstream closes.
    #[default]
    UntilClose,
    /// It has no body, whatever comes.
    Empty,
}

/// When what an upstream has sent is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuickAck {
    /// When the system likes.
    #[default]
    Off,
    /// At once, where more of an answer is waited for.
    Adaptive,
}

/// Who may use an upstream with the gateway's own credentials there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialsOfUsers {
    /// Every ApiUser that has none of its own.
    #[default]
    Optional,
    /// Nobody.
    Required,
}

/// The longest answer that can be held back: what an engine has room for, with a head.
pub const MOST_HELD_BACK: u64 = 48 * 1024;

/// Keys of `[upstream.NAME]` for what differs from the rest of the world.
#[derive(Debug, Default)]
pub struct Manners {
    /// What the keys below are where they are not said.
    pub preset: Option<Spanned<Preset>>,
    /// What becomes of HEAD.
    pub head: Option<Spanned<HeadMethod>>,
    /// How redirects without a length are read.
    pub lengthless_redirect: Option<Spanned<LengthlessRedirect>>,
    /// For how long a connection that is refused is tried again; `Some(None)` is off.
    pub connect_retry: Option<Option<Duration>>,
    /// Answers up to this length are passed on when all of them has come; `Some(None)` is none.
    pub hold_back: Option<Option<u64>>,
    /// When its octets are acknowledged.
    pub quick_ack: Option<Spanned<QuickAck>>,
    /// Who may use the gateway's own credentials.
    pub credentials_of_users: Option<Spanned<CredentialsOfUsers>>,
}

/// `[api_user.NAME.upstream.UPSTREAM]`: who an ApiUser is at an upstream.
#[derive(Debug)]
pub struct UserAtUpstream {
    /// The UPSTREAM.
    pub upstream: Spanned<String>,
    /// File (or `env:NAME`) with `user:password` to send as HTTP basic authentication.
    pub basic_credentials: Option<Spanned<String>>,
    /// PEM file with its client certificate there.
    pub certificate: Option<Spanned<String>>,
    /// PEM file with the key of that.
    pub private_key: Option<Spanned<String>>,
    /// Where the table stands.
    pub place: Place,
}
