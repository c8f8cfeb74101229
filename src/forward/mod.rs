//! Builds upstream requests from permitted requests, and client responses from upstream responses.
//! Requires a [`Permit`](crate::authorize::Permit); makes no authorization decision.

mod response_head;
mod chunks;
mod client_address;
mod connection_fields;
mod connection_login;
mod edit;
mod expiry;
mod few;
mod fields;
mod framing;
mod grpc;
mod names;
mod policy;
mod request_head;
mod response_body;
mod reserved;
mod reuse;
mod search;
mod shown_fields;
mod singletons;
mod sink;
mod target;
mod trailers;
mod tunnel;
mod upgrade;

pub use chunks::{ChunkPart, ChunkScanner};
pub use client_address::ClientAddress;
pub use connection_fields::{BadConnection, check_connection};
pub use edit::{
    ContentLength, REQUEST_ID, RESPONSE_VIA, RequestEdit, ResponseEdit, UpstreamAuthorization,
    request_fields, response_fields,
};
pub use expiry::{BadExpiryFieldName, ExpiryField, ExpiryFieldName};
pub use fields::is_method_override;
pub use framing::{
    ExpectHeader, FieldSpace, Framing, FramingError, HttpVersion, MAX_FIELDS, ParsedHead,
    field_space, parse_head,
};
pub use grpc::{grpc_timeout, is_grpc};
pub use policy::{FieldPolicy, SentHeaders, check_kept, may_be_decision_field};
pub use request_head::{RequestHeadParts, WrittenHead, replace_host, write_request_head};
pub use reserved::{BadFieldName, FieldNames};
pub use response_body::{BodyPart, IncompleteBody, ResponseBodyScanner};
pub use response_head::{
    RequestKind, ResponseFraming, ResponseHead, ResponseHeadError, parse_response_head,
};
pub use reuse::Reuse;
pub use search::HeadSearch;
pub use shown_fields::shown_fields;
pub use singletons::Singletons;
pub use sink::{FieldSink, HeadWriter, write_number};
pub use trailers::{read_trailers, write_trailer_map, write_trailers};
pub use tunnel::{TunnelEnd, tunnel};
pub use upgrade::{BadUpgrade, Upgrade, WebSocketAccept, requested_upgrade};
