//! The present counts for what is open, too: requests under way are judged again when a new snapshot comes into force and
//! as time passes. Read `right`, then `rounds`, then `exchanges`. Cuts nothing: whoever serves a request does.

mod exchanges;
mod right;
mod rounds;

pub use rounds::make_rounds;

pub(super) use exchanges::{Look, OpenExchange, OpenExchanges};
pub(super) use right::{Right, withdrawn};
pub(super) use rounds::RoundWatch;
