//! The recheck: open requests are decided again when a new snapshot becomes active and as time passes. Read
//! `live_permit`, then `rounds`, then `exchanges`. The engine that serves a request cuts it, not this module.

mod exchanges;
mod live_permit;
mod rounds;

pub use rounds::run_recheck_rounds;

pub(super) use exchanges::{OpenExchange, OpenExchanges, RecheckResult};
pub(super) use live_permit::{HeadSource, LivePermit, withdrawn};
pub(super) use rounds::RecheckWatch;
