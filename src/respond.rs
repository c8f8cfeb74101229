//! Maps each refusal and error to a status and a body; no other module does. Decides nothing.
//!
//! The client gets a reason word and the request id. Details that would help an attacker go only to the log.

mod credential;
mod limited;
mod response;
mod text;

pub use limited::{ExceededLimit, LimitOwner};
pub use response::{GatewayResponse, ResponseFormat, escape_html, page, refuse};

use crate::authorize::Denied;
use crate::credentials::{CredentialFailure, CredentialRule};
use crate::endpoint::ConnectError;
use crate::forward::{BadUpgrade, FramingError};
use crate::identity::ForwardedRefusal;
use crate::limit::BodyEnd;
use crate::route::icinga2::BadRequest;
use crate::route::{Oddity, PathError};
use crate::tls::{FailureReason, UnusableName};
use crate::upstream::UpstreamError;
use http::StatusCode;

/// The reason that a request gets no response from an upstream.
#[derive(Debug)]
pub enum Refusal<'s> {
    /// The target has no canonical path.
    BadPath(PathError),
    /// The path is ambiguous, and the route does not accept it.
    OddPath(Oddity),
    /// No host, several, or not a name.
    BadHost,
    /// The host belongs to another server name's policy.
    Misdirected,
    /// CONNECT and the like.
    MethodNotForwarded,
    /// `Connection` names a field that must not be removed.
    BadConnection,
    /// The method has lower-case letters, and the route does not name it.
    LowerCaseMethod,
    /// A field that may occur once occurs twice.
    RepeatedField(&'static str),
    /// A WebSocket request without a valid opening handshake.
    Upgrade(BadUpgrade),
    /// No route has this host and path.
    NoRoute,
    /// The route does not allow the method.
    MethodNotAllowed,
    /// A method override where the route accepts none, or more than one.
    MethodOverride,
    /// The route needs a certificate, and there is none.
    NoCertificate,
    /// The certificate is no longer valid (expired, anchors changed).
    CertificateRefused(FailureReason),
    /// The certificate is valid but has no usable name.
    UnusableName(UnusableName),
    /// The certificate is valid but identifies no ApiUser.
    UnknownUser,
    /// The certificate identifies two ApiUsers.
    AmbiguousIdentity {
        /// One of them.
        one: &'s str,
        /// Another.
        other: &'s str,
    },
    /// The certificate has this name, which is reserved in its trust domain.
    ReservedName(&'s str),
    /// The certificate was verified by another trust domain than the route's.
    WrongTrustDomain,
    /// The identity from a front proxy is missing, malformed, not allowed, or not valid.
    Forwarded(ForwardedRefusal),
    /// Denied by authorization.
    Denied(Denied<'s>),
    /// Denied or not found, on a route that hides the difference.
    Absent {
        /// The denial; `None` if not found.
        denied: Option<Denied<'s>>,
        /// The path, as in Icinga's response.
        path: Box<str>,
    },
    /// Icinga 2 could not serve it, or it is ambiguous.
    Icinga(BadRequest),
    /// Permitted, but the user has no credentials for the upstream, which needs some.
    UnknownToUpstream,
    /// The credential beside the certificate is invalid or missing, on a route with this rule.
    Credential(CredentialFailure, CredentialRule),
    /// The external authorizer of the route was not asked. Only a response if route, authorizer or user changed during the
    /// request.
    AuthorizerUnasked,
    /// A limit was exceeded.
    Limited(ExceededLimit),
    /// The request time limit was exceeded.
    RequestTime(SlowPeer),
    /// The request head is broken.
    Framing(FramingError),
    /// The request head is too large.
    HeadTooLarge,
    /// The request head was not received in time.
    HeadTimeout,
    /// The request body failed.
    Body(BodyEnd),
    /// The upstream failed.
    Upstream(UpstreamError),
    /// A reload removed the listener or host.
    ListenerGone,
    /// The permit was withdrawn.
    Withdrawn(Withdrawal),
    /// A bug of the gateway.
    Internal(&'static str),
}

impl Refusal<'_> {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadPath(_)
            | Self::OddPath(_)
            | Self::BadHost
            | Self::BadConnection
            | Self::MethodOverride
            | Self::MethodNotForwarded
            | Self::LowerCaseMethod
            | Self::RepeatedField(_)
            | Self::Upgrade(BadUpgrade::Key | BadUpgrade::NoVersion)
            | Self::Icinga(_) => StatusCode::BAD_REQUEST,
            Self::Upgrade(BadUpgrade::OtherVersion) => StatusCode::UPGRADE_REQUIRED,
            Self::Framing(FramingError::TooManyFields) | Self::HeadTooLarge => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Framing(FramingError::Expectation) => StatusCode::EXPECTATION_FAILED,
            Self::Framing(FramingError::UnknownCoding) => StatusCode::NOT_IMPLEMENTED,
            Self::Framing(_) => StatusCode::BAD_REQUEST,
            Self::Misdirected | Self::ListenerGone => StatusCode::MISDIRECTED_REQUEST,
            Self::NoRoute | Self::Absent { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoCertificate | Self::Forwarded(ForwardedRefusal::Missing) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forwarded(
                ForwardedRefusal::Several
                | ForwardedRefusal::Malformed(_)
                | ForwardedRefusal::WithoutCertificate(_),
            ) => StatusCode::BAD_REQUEST,
            Self::AuthorizerUnasked | Self::Denied(Denied::AuthorizerUnavailable(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Forwarded(_)
            | Self::CertificateRefused(_)
            | Self::UnusableName(_)
            | Self::UnknownUser
            | Self::AmbiguousIdentity { .. }
            | Self::ReservedName(_)
            | Self::WrongTrustDomain
            | Self::UnknownToUpstream
            | Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Credential(failure, _) => credential::status(failure),
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadTimeout
            | Self::Body(BodyEnd::Stalled)
            | Self::RequestTime(SlowPeer::Client) => StatusCode::REQUEST_TIMEOUT,
            Self::RequestTime(SlowPeer::Upstream) => StatusCode::GATEWAY_TIMEOUT,
            Self::Body(BodyEnd::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Upstream(error) => upstream_status(error),
            Self::Withdrawn(withdrawal) => withdrawal.status,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reason word, the same in responses, logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::BadPath(_) => "bad_path",
            Self::OddPath(oddity) => oddity.word(),
            Self::BadHost => "bad_host",
            Self::Misdirected => "misdirected",
            Self::MethodNotForwarded => "method_not_forwarded",
            Self::BadConnection => "bad_connection_field",
            Self::LowerCaseMethod => "lower_case_method",
            Self::RepeatedField(_) => "repeated_field",
            Self::Upgrade(_) => "bad_upgrade",
            Self::NoRoute | Self::Absent { denied: None, .. } => "no_route",
            Self::Icinga(why) => why.word(),
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MethodOverride => "method_override",
            Self::NoCertificate => "no_certificate",
            Self::CertificateRefused(reason) => reason.word(),
            Self::UnusableName(_) => "unusable_name",
            Self::UnknownUser => "unknown_user",
            Self::AmbiguousIdentity { .. } => "ambiguous_identity",
            Self::ReservedName(_) => "reserved_name",
            Self::WrongTrustDomain => "wrong_trust_domain",
            Self::Forwarded(refusal) => refusal.word(),
            Self::Limited(limited) => limited.word(),
            Self::RequestTime(_) => "request_timeout",
            Self::Denied(denied)
            | Self::Absent {
                denied: Some(denied),
                ..
            } => denied.word(),
            Self::AuthorizerUnasked => "authorizer_unasked",
            Self::UnknownToUpstream => "no_upstream_credentials",
            Self::Framing(FramingError::TooManyFields) => "too_many_fields",
            Self::Framing(FramingError::Target) => "bad_path",
            Self::Framing(FramingError::Expectation) => "expectation",
            Self::Framing(_) => "bad_framing",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTimeout => "head_timeout",
            Self::Body(BodyEnd::TooLarge) => "body_too_large",
            Self::Body(BodyEnd::Stalled) => "body_timeout",
            Self::Body(_) => "body_broke_off",
            Self::Upstream(error) => error.word(),
            Self::ListenerGone => "listener_gone",
            Self::Withdrawn(withdrawal) => withdrawal.word,
            Self::Credential(failure, _) => credential::word(failure),
            Self::Internal(_) => "internal",
        }
    }

    /// The denial by authorization, if any.
    pub fn denied(&self) -> Option<&Denied<'_>> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::Absent { denied, .. } => denied.as_ref(),
            _ => None,
        }
    }

    /// The consequence for the connection.
    pub fn consequence(&self) -> Consequence {
        match self {
            Self::CertificateRefused(_)
            | Self::ListenerGone
            | Self::Forwarded(ForwardedRefusal::WrongSource | ForwardedRefusal::NotAFrontProxy) => {
                Consequence::ConnectionEnds
            }
            Self::Withdrawn(withdrawal) => withdrawal.consequence,
            Self::Framing(_)
            | Self::HeadTooLarge
            | Self::HeadTimeout
            | Self::Body(_)
            | Self::RequestTime(SlowPeer::Client)
            | Self::LowerCaseMethod
            | Self::BadConnection => Consequence::SharedBytesEnd,
            _ => Consequence::None,
        }
    }
}

/// The peer that exceeded the request time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowPeer {
    /// The client: the rest of the body was missing.
    Client,
    /// The upstream: it did not read the body or send the response.
    Upstream,
}

/// The reason to end a permitted request: a recheck denied it, or its time limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    word: &'static str,
    status: StatusCode,
    consequence: Consequence,
}

impl Withdrawal {
    /// The withdrawal for a refusal during the request.
    pub fn of(refusal: &Refusal<'_>) -> Self {
        Self {
            word: refusal.word(),
            status: refusal.status(),
            consequence: refusal.consequence(),
        }
    }

    /// Sets the slow peer of a timeout. Only the code that serves the request knows it.
    #[must_use]
    pub fn while_waiting_for(self, slow: SlowPeer) -> Self {
        if self.is_late() {
            Self::of(&Refusal::RequestTime(slow))
        } else {
            self
        }
    }

    /// Whether the request time limit was exceeded.
    pub fn is_late(&self) -> bool {
        self.word == Refusal::RequestTime(SlowPeer::Upstream).word()
    }

    /// The reason word of the refusal.
    pub fn word(&self) -> &'static str {
        self.word
    }
}

/// The consequence of a refusal for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Further requests are accepted.
    None,
    /// On HTTP/1.1 the following bytes cannot be trusted or were not read, so the connection ends.
    SharedBytesEnd,
    /// The connection ends with every protocol.
    ConnectionEnds,
}

fn upstream_status(error: &UpstreamError) -> StatusCode {
    match error {
        UpstreamError::Connect {
            source: ConnectError::Timeout,
            ..
        }
        | UpstreamError::ResponseTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        UpstreamError::Connect {
            source: ConnectError::Tcp(_) | ConnectError::NoDescriptors,
            ..
        } => StatusCode::SERVICE_UNAVAILABLE,
        UpstreamError::Connect {
            source: ConnectError::Tls(_),
            ..
        }
        | UpstreamError::Broken { .. }
        | UpstreamError::Upgraded { .. } => StatusCode::BAD_GATEWAY,
        UpstreamError::RequestBody(_) => StatusCode::BAD_REQUEST,
    }
}
