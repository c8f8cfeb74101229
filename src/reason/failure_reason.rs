//! Why a handshake or a certificate failed, as one word for logs and metrics. Holds no client data.

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The client sent no certificate where one is required.
    NoCertificate,
    /// No anchor of the domain verifies the certificate.
    UnknownIssuer,
    /// The certificate or a CA above it has expired.
    Expired,
    /// The certificate or a CA above it is not valid yet.
    NotYetValid,
    /// The key usages of the certificate exclude clients.
    WrongUsage,
    /// The certificate or a CA above it is revoked.
    Revoked,
    /// The certificate is on the domain's deny list.
    Denied,
    /// The revocation list that covers the certificate is too old.
    CrlStale,
    /// The domain requires revocation lists, and the certificate's issuer has none.
    RevocationUnknown,
    /// More than one trust domain of the host verifies the certificate.
    AmbiguousDomain,
    /// The path has more certificates between leaf and anchor than the domain allows.
    ChainTooLong,
    /// The certificate is that of a CA.
    CaCertificate,
    /// Any other error of the certificate.
    InvalidCertificate,
    /// No certificate is configured for the requested server name.
    UnknownServerName,
    /// Plain HTTP, or no TLS at all.
    NotTls,
    /// A malformed TLS message.
    Malformed,
    /// No common version, suite or group.
    Incompatible,
    /// No common application protocol.
    NoApplicationProtocol,
    /// The client violated the protocol.
    Misbehaved,
    /// The client sent a fatal alert.
    ClientAlert,
    /// The client closed the connection.
    Closed,
    /// The handshake exceeded its deadline.
    Timeout,
    /// The PROXY header is missing where one is required, or malformed.
    ProxyHeader,
    /// The peer is not one of the front proxies that may send PROXY headers.
    NotAFrontProxy,
    /// Any other reason.
    Other,
}

impl FailureReason {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::NoCertificate,
        Self::UnknownIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongUsage,
        Self::Revoked,
        Self::Denied,
        Self::CrlStale,
        Self::RevocationUnknown,
        Self::AmbiguousDomain,
        Self::ChainTooLong,
        Self::CaCertificate,
        Self::InvalidCertificate,
        Self::UnknownServerName,
        Self::NotTls,
        Self::Malformed,
        Self::Incompatible,
        Self::NoApplicationProtocol,
        Self::Misbehaved,
        Self::ClientAlert,
        Self::Closed,
        Self::Timeout,
        Self::ProxyHeader,
        Self::NotAFrontProxy,
        Self::Other,
    ];

    /// The word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongUsage => "wrong_usage",
            Self::Revoked => "revoked",
            Self::Denied => "deny_listed",
            Self::CrlStale => "crl_stale",
            Self::RevocationUnknown => "revocation_unknown",
            Self::AmbiguousDomain => "ambiguous_domain",
            Self::ChainTooLong => "chain_too_long",
            Self::CaCertificate => "ca_certificate",
            Self::InvalidCertificate => "invalid_certificate",
            Self::UnknownServerName => "unknown_server_name",
            Self::NotTls => "not_tls",
            Self::Malformed => "malformed",
            Self::Incompatible => "incompatible",
            Self::NoApplicationProtocol => "no_application_protocol",
            Self::Misbehaved => "misbehaved",
            Self::ClientAlert => "client_alert",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::ProxyHeader => "proxy_header",
            Self::NotAFrontProxy => "not_a_front_proxy",
            Self::Other => "other",
        }
    }
}
