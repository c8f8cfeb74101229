//! From a permitted request to what goes up, and from an answer to what comes down. Cannot be used without a
//! [`Permit`](crate::authorize::Permit). Decides nothing about who may do what.

mod client_address;
mod edit;
mod few;
mod fields;
mod framing;
mod names;
mod sink;
mod trailers;
mod tunnel;

pub use client_address::ClientAddress;
pub use edit::{
    BadConnection, ContentLength, RequestEdit, Upgrade, check_connection, check_connection_value, request_fields,
    requested_upgrade, response_fields,
};
pub use fields::is_method_override;
pub use framing::{ChunkScanner, Framing, FramingError, HeadSummary, MAX_FIELDS, read_head};
pub use sink::{FieldSink, HeadWriter};
pub use trailers::FilteredTrailers;
pub use tunnel::{TunnelEnd, tunnel};
