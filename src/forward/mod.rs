//! From a permitted request to what goes up, and from an answer to what comes down. Cannot be used without a
//! [`Permit`](crate::authorize::Permit). Decides nothing about who may do what.

mod answer;
mod chunks;
mod client_address;
mod connection_fields;
mod connection_login;
mod edit;
mod expiry;
mod few;
mod fields;
mod framing;
mod names;
mod policy;
mod request_head;
mod reserved;
mod reuse;
mod search;
mod shown_fields;
mod singletons;
mod sink;
mod trailers;
mod tunnel;
mod upgrade;

pub use answer::{AnswerError, AnswerFraming, AnswerHead, Asked, parse_answer};
pub use chunks::{ChunkPart, ChunkScanner};
pub use client_address::ClientAddress;
pub use connection_fields::{BadConnection, check_connection};
pub use edit::{
    AnswerEdit, AuthorizationUp, ContentLength, REQUEST_ID, RESPONSE_VIA, RequestEdit,
    request_fields, response_fields,
};
pub use expiry::{BadExpiryFieldName, ExpiryField, ExpiryFieldName};
pub use fields::is_method_override;
pub use framing::{
    Expectation, FieldSpace, Framing, FramingError, HeadSummary, HttpVersion, MAX_FIELDS,
    ParsedHead, field_space, parse_head, read_head,
};
pub use policy::{FieldPolicy, SentHeaders, check_kept, may_be_judged};
pub use request_head::{RequestHeadOut, replace_host, write_request_head};
pub use reserved::{BadFieldName, FieldNames};
pub use reuse::Reuse;
pub use search::HeadSearch;
pub use shown_fields::shown_fields;
pub use singletons::Singletons;
pub use sink::{FieldSink, HeadWriter, write_number};
pub use trailers::{read_trailers, write_trailer_map, write_trailers};
pub use tunnel::{TunnelEnd, tunnel};
pub use upgrade::{BadUpgrade, Upgrade, WebSocketAccept, requested_upgrade};
