//! The only place where a refusal or an error becomes a status and a body. Decides nothing.
//!
//! A client is told a reason word and the request id; what would help an attacker stays in the log.

mod answer;
mod credential;
mod limited;
mod text;

pub use answer::{Form, OwnAnswer, escape_html, page, refuse};
pub use limited::{Limited, Whose};

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

/// Why a request is not answered by an upstream.
#[derive(Debug)]
pub enum Refusal<'s> {
    /// The target has no canonical path.
    BadPath(PathError),
    /// The path has two readings, and the route does not take it.
    OddPath(Oddity),
    /// No host, several, or not a name.
    BadHost,
    /// The host belongs to another server name's policy.
    Misdirected,
    /// CONNECT and the like.
    MethodNotForwarded,
    /// `Connection` names a field that must not vanish.
    BadConnection,
    /// The method has lower-case letters, and the route does not name it.
    LowerCaseMethod,
    /// A field that may stand once stands twice.
    RepeatedField(&'static str),
    /// It asks for WebSocket without a valid opening handshake.
    Upgrade(BadUpgrade),
    /// No route has this host and path.
    NoRoute,
    /// The route does not allow the method.
    MethodNotAllowed,
    /// An overriding method where the route takes none, or more than one.
    MethodOverride,
    /// The route needs a certificate, and there is none.
    NoCertificate,
    /// The certificate does not count any more (expired, anchors changed).
    CertificateRefused(FailureReason),
    /// The certificate counts but has no usable name.
    UnusableName(UnusableName),
    /// The certificate counts but is no ApiUser's.
    UnknownUser,
    /// The certificate leads to two ApiUsers.
    AmbiguousIdentity {
        /// One of them.
        one: &'s str,
        /// Another.
        other: &'s str,
    },
    /// The certificate has this name, which is reserved in its trust domain.
    ReservedName(&'s str),
    /// The certificate counts, but another trust domain than the route's has vouched for it.
    WrongTrustDomain,
    /// A front proxy does not say, or not rightly, for whom it speaks; or nobody that it speaks for counts.
    Forwarded(ForwardedRefusal),
    /// The ApiUser may not.
    Denied(Denied<'s>),
    /// The ApiUser may not, or there is nothing, and the route tells neither from the other.
    Absent {
        /// Why the ApiUser may not; `None` if there is nothing.
        denied: Option<Denied<'s>>,
        /// The path, as Icinga says it.
        path: Box<str>,
    },
    /// Icinga 2 could not serve it, or it has two readings.
    Icinga(BadRequest),
    /// It may, but has no credentials of its own at the upstream, where it needs some.
    UnknownToUpstream,
    /// What is shown beside the certificate does not count, or is missing, on a route with this rule.
    Credential(CredentialFailure, CredentialRule),
    /// The route asks an external authorizer, which was not asked. Only an answer if the route, the authorizer or the user
    /// has become another while the request was under way.
    AuthorizerUnasked,
    /// There were too many requests.
    Limited(Limited),
    /// The request takes longer than it may.
    RequestTime(Slow),
    /// The request head is broken.
    Framing(FramingError),
    /// The request head is too large.
    HeadTooLarge,
    /// The request head came too slowly.
    HeadTimeout,
    /// The request body failed.
    Body(BodyEnd),
    /// The upstream failed.
    Upstream(UpstreamError),
    /// The listener or host is gone after a reload.
    ListenerGone,
    /// It was permitted, and is so no more.
    Withdrawn(Withdrawal),
    /// A mistake of ours.
    Internal(&'static str),
}

impl Refusal<'_> {
    /// The status that says so.
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
            Self::HeadTimeout | Self::Body(BodyEnd::Stalled) | Self::RequestTime(Slow::Client) => {
                StatusCode::REQUEST_TIMEOUT
            }
            Self::RequestTime(Slow::Upstream) => StatusCode::GATEWAY_TIMEOUT,
            Self::Body(BodyEnd::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Upstream(error) => upstream_status(error),
            Self::Withdrawn(withdrawal) => withdrawal.status,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reason in one word, the same in answers, logs and metrics.
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

    /// Why an ApiUser may not, if that is it.
    pub fn denied(&self) -> Option<&Denied<'_>> {
        match self {
            Self::Denied(denied) => Some(denied),
            Self::Absent { denied, .. } => denied.as_ref(),
            _ => None,
        }
    }

    /// What the refusal means for the connection.
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
            | Self::RequestTime(Slow::Client)
            | Self::LowerCaseMethod
            | Self::BadConnection => Consequence::SharedBytesEnd,
            _ => Consequence::None,
        }
    }
}

/// Who a request waited for that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// The rest of its body.
    Client,
    /// The answer, or that the body is taken.
    Upstream,
}

/// Why a request that was permitted may not go on: a later judgement does not permit it any more, or its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    word: &'static str,
    status: StatusCode,
    consequence: Consequence,
}

impl Withdrawal {
    /// The refusal of a request that is under way.
    pub fn of(refusal: &Refusal<'_>) -> Self {
        Self {
            word: refusal.word(),
            status: refusal.status(),
            consequence: refusal.consequence(),
        }
    }

    /// The same where only the one who serves the request knows for whom it waits.
    #[must_use]
    pub fn while_waiting_for(self, slow: Slow) -> Self {
        if self.is_late() {
            Self::of(&Refusal::RequestTime(slow))
        } else {
            self
        }
    }

    /// Whether it only took too long.
    pub fn is_late(&self) -> bool {
        self.word == Refusal::RequestTime(Slow::Upstream).word()
    }

    /// The reason in one word: the refusal's.
    pub fn word(&self) -> &'static str {
        self.word
    }
}

/// What a refusal means for the connection that the request came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Further requests are welcome.
    None,
    /// Where requests share one stream of bytes (HTTP/1.1), what follows cannot be trusted or was never read.
    SharedBytesEnd,
    /// This client is not served on this connection any more.
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
