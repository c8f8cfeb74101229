//! Maps each rejection and error to its reason and to the body of the response; no other module does. Decides nothing.
//!
//! The client gets a reason word and the request id. Details that would help an attacker go only to the log.

mod credential;
mod grpc;
mod limited;
mod response;
mod detail;

pub use crate::reason::Consequence;
pub use limited::{ExceededLimit, LimitOwner};
pub use response::{GatewayResponse, ResponseFormat, escape_html, page, refuse};

use crate::authorize::Denied;
use crate::credentials::{CredentialFailure, CredentialRule};
use crate::forward::{BadUpgrade, FramingError};
use crate::identity::ForwardedRejection;
use crate::limit::BodyEnd;
use crate::reason::Reason;
use crate::route::icinga2::BadRequest;
use crate::route::{Oddity, PathError};
use crate::tls::{FailureReason, UnusableName};
use crate::upstream::UpstreamError;
use http::StatusCode;

/// The reason that a request gets no response from an upstream.
#[derive(Debug)]
pub enum Rejection<'s> {
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
    Forwarded(ForwardedRejection),
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

impl Rejection<'_> {
    /// The reason. For a withdrawal that of the denial that caused it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::BadPath(_) => Reason::BadPath,
            Self::OddPath(oddity) => oddity.reason(),
            Self::BadHost => Reason::BadHost,
            Self::Misdirected => Reason::Misdirected,
            Self::MethodNotForwarded => Reason::MethodNotForwarded,
            Self::BadConnection => Reason::BadConnectionField,
            Self::LowerCaseMethod => Reason::LowerCaseMethod,
            Self::RepeatedField(_) => Reason::RepeatedField,
            Self::Upgrade(BadUpgrade::Key | BadUpgrade::NoVersion) => Reason::BadUpgrade,
            Self::Upgrade(BadUpgrade::OtherVersion) => Reason::UpgradeVersion,
            Self::NoRoute | Self::Absent { denied: None, .. } => Reason::NoRoute,
            Self::Icinga(why) => why.reason(),
            Self::MethodNotAllowed => Reason::MethodNotAllowed,
            Self::MethodOverride => Reason::MethodOverride,
            Self::NoCertificate => Reason::NoCertificate,
            Self::CertificateRefused(failure) => Reason::Certificate(*failure),
            Self::UnusableName(_) => Reason::UnusableName,
            Self::UnknownUser => Reason::UnknownUser,
            Self::AmbiguousIdentity { .. } => Reason::AmbiguousIdentity,
            Self::ReservedName(_) => Reason::ReservedName,
            Self::WrongTrustDomain => Reason::WrongTrustDomain,
            Self::Forwarded(rejection) => rejection.reason(),
            Self::Limited(limited) => limited.reason(),
            Self::RequestTime(SlowPeer::Client) => Reason::SlowClient,
            Self::RequestTime(SlowPeer::Upstream) => Reason::SlowUpstream,
            Self::Denied(denied)
            | Self::Absent {
                denied: Some(denied),
                ..
            } => denied.reason(),
            Self::AuthorizerUnasked => Reason::AuthorizerUnasked,
            Self::UnknownToUpstream => Reason::NoUpstreamCredentials,
            Self::Framing(error) => framing_reason(*error),
            Self::HeadTooLarge => Reason::HeadTooLarge,
            Self::HeadTimeout => Reason::HeadTimeout,
            Self::Body(BodyEnd::TooLarge) => Reason::BodyTooLarge,
            Self::Body(BodyEnd::Stalled) => Reason::BodyTimeout,
            Self::Body(_) => Reason::BodyBrokeOff,
            Self::Upstream(error) => error.reason(),
            Self::ListenerGone => Reason::ListenerGone,
            Self::Withdrawn(withdrawal) => withdrawal.reason,
            Self::Credential(failure, _) => failure.reason(),
            Self::Internal(_) => Reason::Internal,
        }
    }

    /// The HTTP status: that of the reason, unless the route hides the reason.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Absent { .. } => StatusCode::NOT_FOUND,
            Self::Withdrawn(withdrawal) => withdrawal.status,
            _ => self.reason().status(),
        }
    }

    /// One sentence for the client: that of the reason, unless the request was permitted at first.
    fn sentence(&self) -> &'static str {
        match self {
            Self::Withdrawn(_) => "The permission was withdrawn during the request.",
            _ => self.reason().sentence(),
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
    reason: Reason,
    status: StatusCode,
}

impl Withdrawal {
    /// The withdrawal for a rejection during the request.
    pub fn of(rejection: &Rejection<'_>) -> Self {
        Self {
            reason: rejection.reason(),
            status: rejection.status(),
        }
    }

    /// Sets the slow peer of a timeout. Only the code that serves the request knows it.
    #[must_use]
    pub fn while_waiting_for(self, slow: SlowPeer) -> Self {
        if self.is_late() {
            Self::of(&Rejection::RequestTime(slow))
        } else {
            self
        }
    }

    /// Whether the request time limit was exceeded.
    pub fn is_late(&self) -> bool {
        matches!(self.reason, Reason::SlowClient | Reason::SlowUpstream)
    }

    /// The reason of the rejection.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

fn framing_reason(error: FramingError) -> Reason {
    match error {
        FramingError::TooManyFields => Reason::TooManyFields,
        FramingError::Target => Reason::BadTarget,
        FramingError::Expectation => Reason::Expectation,
        FramingError::UnknownCoding => Reason::UnknownCoding,
        FramingError::Malformed
        | FramingError::BareLineEnd
        | FramingError::LengthAndChunked
        | FramingError::BadLength
        | FramingError::ChunkedInHttp10
        | FramingError::Host
        | FramingError::BadChunk => Reason::BadFraming,
    }
}
