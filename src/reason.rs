//! The reasons of decisions and failed requests, with one row each: word, status, sentence for the client, consequence for the
//! connection. Decides nothing. Responses, logs, metrics, `explain` and `docs/reasons.md` take them from here.

mod decision;
mod end;
mod failure_reason;
#[cfg(test)]
mod tests;

pub use decision::{DecisionReason, GrantReason};
pub use end::EndReason;
pub use failure_reason::FailureReason;

use http::StatusCode;

/// The consequence of a reason for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Further requests are accepted.
    None,
    /// On HTTP/1.1 the following bytes cannot be trusted or were not read, so the connection ends.
    SharedBytesEnd,
    /// The connection ends with every protocol.
    ConnectionEnds,
}

/// What is fixed for a reason.
#[derive(Clone, Copy)]
struct ReasonRow {
    word: &'static str,
    status: StatusCode,
    consequence: Consequence,
    sentence: &'static str,
}

/// Defines [`Reason`] and its rows: `Name: "word", STATUS, Consequence, "sentence for the client";`
macro_rules! reasons {
    ($($(#[$documentation:meta])+ $name:ident: $word:literal, $status:ident, $consequence:ident, $sentence:literal;)+) => {
        /// Why a request is denied, rejected or failed. Different reasons may have the same word; then their words are one for
        /// logs and metrics, and status, sentence or consequence differ.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$documentation])+ $name,)+
            /// The certificate of the connection is no longer valid.
            Certificate(FailureReason),
            /// The certificate that a front proxy forwarded is not valid.
            ForwardedCertificate(FailureReason),
        }

        impl Reason {
            /// All reasons but those of certificates.
            const BESIDE_CERTIFICATES: &'static [Self] = &[$(Self::$name),+];

            const fn row(self) -> ReasonRow {
                match self {
                    $(Self::$name => ReasonRow {
                        word: $word,
                        status: StatusCode::$status,
                        consequence: Consequence::$consequence,
                        sentence: $sentence,
                    },)+
                    Self::Certificate(failure) => ReasonRow {
                        word: failure.word(),
                        status: StatusCode::FORBIDDEN,
                        consequence: Consequence::ConnectionEnds,
                        sentence: "The client certificate is no longer accepted.",
                    },
                    Self::ForwardedCertificate(failure) => ReasonRow {
                        word: failure.word(),
                        status: StatusCode::FORBIDDEN,
                        consequence: Consequence::None,
                        sentence: "The forwarded certificate is not accepted.",
                    },
                }
            }
        }
    };
}

reasons! {
    /// A `deny` pattern matches.
    Denied: "denied", FORBIDDEN, None, "The user may not do this.";
    /// No permission grants the requirement.
    NoPermission: "no_permission", FORBIDDEN, None, "The user may not do this.";
    /// A condition is false.
    ConditionNotMet: "condition_not_met", FORBIDDEN, None, "The user may not do this.";
    /// A condition cannot be evaluated.
    ConditionFailed: "condition_failed", FORBIDDEN, None, "The user may not do this.";
    /// The user's `enabled_until` has passed.
    UserDisabled: "user_disabled", FORBIDDEN, None, "This user is disabled.";
    /// The route's `enabled_until` has passed.
    RouteDisabled: "route_disabled", FORBIDDEN, None, "This is no longer served.";
    /// The external authorizer denied it.
    AuthorizerDenied: "authorizer_denied", FORBIDDEN, None, "The user may not do this.";
    /// The external authorizer gave no verdict.
    AuthorizerUnavailable: "authorizer_unavailable", SERVICE_UNAVAILABLE, None,
        "It cannot be decided now whether this is allowed; try later.";
    /// The external authorizer was not asked.
    AuthorizerUnasked: "authorizer_unasked", SERVICE_UNAVAILABLE, None,
        "It cannot be decided now whether this is allowed; try later.";
    /// The user has no credentials for the upstream.
    NoUpstreamCredentials: "no_upstream_credentials", FORBIDDEN, None, "The user has no credentials for the upstream.";

    /// The target has no canonical path.
    BadPath: "bad_path", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// The target is not a URI, or has a fragment.
    BadTarget: "bad_path", BAD_REQUEST, SharedBytesEnd, "The request is malformed.";
    /// `%2F`
    EncodedSlash: "encoded_slash", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// `%5C`
    EncodedBackslash: "encoded_backslash", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// An encoded control character.
    EncodedControl: "encoded_control", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// `%25` before two hexadecimal digits.
    DoubleEncoding: "double_encoding", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// Bytes that are not UTF-8.
    InvalidUtf8: "invalid_utf8", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// `//`
    EmptySegments: "empty_segments", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// `.` and `..`
    DotSegments: "dot_segments", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// `\`
    RawBackslash: "raw_backslash", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// `;`
    PathParameters: "path_parameters", BAD_REQUEST, None, "The path can be read in more than one way.";
    /// Another reading of the path leads to another route.
    LookAlikePath: "look_alike_path", BAD_REQUEST, None, "The path can be read in more than one way.";

    /// No host, several, or not a name.
    BadHost: "bad_host", BAD_REQUEST, None, "The request names no host, or more than one.";
    /// The host belongs to another server name's policy.
    Misdirected: "misdirected", MISDIRECTED_REQUEST, None,
        "This host is not served on this connection; open a new one.";
    /// A reload removed the listener or host.
    ListenerGone: "listener_gone", MISDIRECTED_REQUEST, ConnectionEnds,
        "This host is not served on this connection; open a new one.";
    /// CONNECT or TRACE.
    MethodNotForwarded: "method_not_forwarded", BAD_REQUEST, None, "This method is not forwarded.";
    /// The method has lower-case letters, and the route does not name it.
    LowerCaseMethod: "lower_case_method", BAD_REQUEST, SharedBytesEnd, "The method must be in capital letters.";
    /// A method override where the route accepts none, or more than one.
    MethodOverride: "method_override", BAD_REQUEST, None, "Overriding the method is not allowed here.";
    /// `Connection` names a field that must not be removed.
    BadConnectionField: "bad_connection_field", BAD_REQUEST, SharedBytesEnd,
        "The Connection field names a field that must not be removed.";
    /// A field that may occur once occurs twice.
    RepeatedField: "repeated_field", BAD_REQUEST, None, "A header field that may occur once occurs twice.";
    /// A WebSocket request without a valid opening handshake.
    BadUpgrade: "bad_upgrade", BAD_REQUEST, None, "The WebSocket handshake is malformed.";
    /// A WebSocket request of an unsupported version.
    UpgradeVersion: "bad_upgrade", UPGRADE_REQUIRED, None, "Only version 13 of WebSocket is supported.";
    /// No route has this host and path.
    NoRoute: "no_route", NOT_FOUND, None, "There is nothing here.";
    /// The route does not allow the method.
    MethodNotAllowed: "method_not_allowed", METHOD_NOT_ALLOWED, None, "The method is not allowed here.";

    /// Icinga: two slashes at the begin of the target.
    DoubleSlash: "double_slash", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";
    /// Icinga: an unknown object type.
    UnknownType: "unknown_type", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";
    /// Icinga: an ambiguous query.
    BadQuery: "bad_query", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";
    /// Icinga: a subscription without event types.
    NoEventTypes: "no_event_types", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";
    /// Icinga: event types that are not a list, or too many.
    BadEventTypes: "bad_event_types", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";
    /// Icinga: a body that is not JSON.
    BadJson: "bad_json", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";
    /// Icinga: an encoded body.
    EncodedBody: "encoded_body", BAD_REQUEST, None,
        "Icinga could not serve this request, or it can be read in more than one way.";

    /// The route needs a certificate, and there is none.
    NoCertificate: "no_certificate", UNAUTHORIZED, None, "A client certificate is required.";
    /// The certificate has no usable name.
    UnusableName: "unusable_name", FORBIDDEN, None, "The client certificate belongs to no user.";
    /// The certificate identifies no ApiUser.
    UnknownUser: "unknown_user", FORBIDDEN, None, "The client certificate belongs to no user.";
    /// The certificate identifies two ApiUsers.
    AmbiguousIdentity: "ambiguous_identity", FORBIDDEN, None, "The client certificate belongs to more than one user.";
    /// The certificate has a name that is reserved in its trust domain.
    ReservedName: "reserved_name", FORBIDDEN, None, "The client certificate belongs to no user.";
    /// The certificate was verified by another trust domain than the route's.
    WrongTrustDomain: "wrong_trust_domain", FORBIDDEN, None,
        "A client certificate of another certificate authority is required.";

    /// The front proxy forwarded no identity.
    NoForwardedIdentity: "no_forwarded_identity", UNAUTHORIZED, None,
        "The proxy in front forwarded no client identity.";
    /// The front proxy forwarded several identities.
    AmbiguousForwardedIdentity: "ambiguous_forwarded_identity", BAD_REQUEST, None,
        "The proxy in front forwarded more than one client identity.";
    /// The forwarded identity is malformed.
    BadForwardedIdentity: "bad_forwarded_identity", BAD_REQUEST, None, "The forwarded client identity is malformed.";
    /// The forwarded identity has no certificate.
    NoForwardedCertificate: "no_forwarded_certificate", BAD_REQUEST, None,
        "The proxy in front forwarded no client certificate.";
    /// The front proxy did not verify the certificate.
    ForwardedIdentityUnverified: "forwarded_identity_unverified", FORBIDDEN, None,
        "The proxy in front did not verify the client certificate.";
    /// The forwarded certificate belongs to a front proxy.
    ForwardedFrontProxy: "forwarded_front_proxy", FORBIDDEN, None,
        "The forwarded client certificate belongs to a proxy.";
    /// A front proxy connected from an address that is not allowed.
    FrontProxySource: "front_proxy_source", FORBIDDEN, ConnectionEnds,
        "A proxy may not connect from this address.";
    /// A client that is not a front proxy forwarded an identity.
    NotAFrontProxy: "not_a_front_proxy", FORBIDDEN, ConnectionEnds, "This client may not forward a client identity.";

    /// `Authorization` is malformed, or occurs twice.
    BadAuthorization: "bad_authorization", BAD_REQUEST, None, "The Authorization field is malformed or occurs twice.";
    /// No credentials that the route accepts.
    NoCredentials: "no_credentials", UNAUTHORIZED, None, "Credentials are required.";
    /// The password is wrong, or the user unknown.
    WrongPassword: "wrong_password", UNAUTHORIZED, None, "User name or password is wrong.";
    /// Too many wrong passwords.
    TooManyAttempts: "too_many_attempts", TOO_MANY_REQUESTS, None, "Too many wrong passwords; try later.";
    /// Too many passwords wait to be checked.
    PasswordChecksBusy: "password_checks_busy", SERVICE_UNAVAILABLE, None,
        "Too many passwords wait to be checked; try later.";
    /// The credentials prove different ApiUsers.
    ContradictoryCredentials: "contradictory_credentials", FORBIDDEN, None,
        "The credentials belong to different users.";
    /// The token is not valid.
    InvalidToken: "invalid_token", UNAUTHORIZED, None, "The token is not accepted.";
    /// There are no keys to verify tokens with.
    NoKeys: "no_keys", SERVICE_UNAVAILABLE, None, "Tokens cannot be verified yet; try later.";
    /// The token identifies no ApiUser.
    UnknownTokenUser: "unknown_user", FORBIDDEN, None, "The token belongs to no user.";
    /// A reload removed the credentials.
    CredentialsGone: "credentials_gone", UNAUTHORIZED, None, "The credentials are no longer valid.";
    /// The user of the credentials is on a deny list.
    RevokedUser: "revoked", FORBIDDEN, None, "This user is revoked.";

    /// A rate limit was exceeded.
    RateLimited: "rate_limited", TOO_MANY_REQUESTS, None, "Too many requests; try later.";
    /// A limit of concurrent requests was exceeded.
    TooManyConcurrent: "too_many_concurrent", TOO_MANY_REQUESTS, None, "Too many requests at the same time; try later.";
    /// A daily quota was exceeded.
    QuotaUsedUp: "quota_used_up", TOO_MANY_REQUESTS, None, "Daily quota exceeded.";
    /// The request time limit was exceeded while the request body was missing.
    SlowClient: "request_timeout", REQUEST_TIMEOUT, SharedBytesEnd, "The request took too long.";
    /// The request time limit was exceeded while waiting for the upstream.
    SlowUpstream: "request_timeout", GATEWAY_TIMEOUT, None, "The request took too long.";

    /// The head or the framing of the body is malformed.
    BadFraming: "bad_framing", BAD_REQUEST, SharedBytesEnd, "The request is malformed.";
    /// A transfer coding other than chunked.
    UnknownCoding: "bad_framing", NOT_IMPLEMENTED, SharedBytesEnd, "The transfer coding is not supported.";
    /// The head has too many fields.
    TooManyFields: "too_many_fields", REQUEST_HEADER_FIELDS_TOO_LARGE, SharedBytesEnd,
        "The request has too many header fields.";
    /// An expectation other than 100-continue.
    Expectation: "expectation", EXPECTATION_FAILED, SharedBytesEnd, "The expectation is not supported.";
    /// The head is too large.
    HeadTooLarge: "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, SharedBytesEnd, "The request head is too large.";
    /// The head was not received in time.
    HeadTimeout: "head_timeout", REQUEST_TIMEOUT, SharedBytesEnd, "The request head took too long.";
    /// The body is too large.
    BodyTooLarge: "body_too_large", PAYLOAD_TOO_LARGE, SharedBytesEnd, "The request body is too large.";
    /// The body was not received in time.
    BodyTimeout: "body_timeout", REQUEST_TIMEOUT, SharedBytesEnd, "The request body took too long.";
    /// The body is incomplete or malformed.
    BodyBrokeOff: "body_broke_off", BAD_REQUEST, SharedBytesEnd, "The request body is incomplete or malformed.";

    /// Connecting to the upstream took too long.
    ConnectTimeout: "connect_timeout", GATEWAY_TIMEOUT, None, "The upstream did not respond.";
    /// Connecting to the upstream failed.
    ConnectFailed: "connect_failed", SERVICE_UNAVAILABLE, None, "The upstream did not respond.";
    /// The TLS handshake with the upstream failed.
    UpstreamTls: "upstream_tls", BAD_GATEWAY, None, "The upstream did not respond.";
    /// No descriptor is left for a connection to the upstream.
    UpstreamConnectionsUsedUp: "upstream_connections_used_up", SERVICE_UNAVAILABLE, None,
        "The upstream did not respond.";
    /// The response of the upstream took too long.
    ResponseTimeout: "response_timeout", GATEWAY_TIMEOUT, None, "The upstream did not respond.";
    /// The upstream closed the connection, or sent a malformed response.
    UpstreamBrokeOff: "upstream_broke_off", BAD_GATEWAY, None, "The upstream did not respond.";
    /// The upstream switched protocols without being asked.
    UpstreamUpgraded: "upstream_upgraded", BAD_GATEWAY, None, "The upstream did not respond.";
    /// The request body failed on its way to the upstream.
    RequestBody: "request_body", BAD_REQUEST, None, "The request body is incomplete or malformed.";

    /// A bug of the gateway.
    Internal: "internal", INTERNAL_SERVER_ERROR, None, "The gateway failed.";
}

/// The title of a response with this status.
pub fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

impl Reason {
    /// All reasons, each once.
    pub fn all() -> impl Iterator<Item = Self> {
        let failures = || FailureReason::ALL.into_iter();
        Self::BESIDE_CERTIFICATES
            .iter()
            .copied()
            .chain(failures().map(Self::Certificate))
            .chain(failures().map(Self::ForwardedCertificate))
    }

    /// The word, the same in responses, logs and metrics.
    pub const fn word(self) -> &'static str {
        self.row().word
    }

    /// The HTTP status. A route that hides forbidden paths responds with 404 instead.
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// The title of the response, which is that of the status.
    pub fn title(self) -> &'static str {
        title(self.status())
    }

    /// One sentence for the client. Details that would help an attacker go only to the log.
    pub const fn sentence(self) -> &'static str {
        self.row().sentence
    }

    /// The consequence for the connection.
    pub const fn consequence(self) -> Consequence {
        self.row().consequence
    }

    /// The first reason of the table with this word, for the words of logs and configs.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::all().find(|reason| reason.word() == word)
    }
}
