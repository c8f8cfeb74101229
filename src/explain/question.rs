//! The question: client, request, listener and time, as JSON and from the flags of the command. Answers nothing.

use crate::identity::IdentityKind;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// A question about decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExplainQuestion {
    /// One request, all users or all routes.
    pub about: QuestionScope,
    /// The client.
    pub who: QuestionClient,
    /// The trust domain that verifies the client. Needed if there are several.
    pub trust_domain: Option<String>,
    /// Whether the client or a front proxy opened the connection.
    pub connection: ConnectionPeer,
    /// The listener. Needed if there are several.
    pub listener: Option<String>,
    /// The method.
    pub method: String,
    /// `https://host/path?query`, or a path of host `localhost`.
    pub url: String,
    /// Header fields, without Host.
    pub headers: Vec<(String, String)>,
    /// The request body.
    pub body: Option<String>,
    /// The address of the client; by default 127.0.0.1.
    pub source: Option<IpAddr>,
    /// The time in RFC 3339; by default now.
    pub at: Option<String>,
}

/// The scope of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionScope {
    /// One request of one client.
    #[default]
    Request,
    /// One request of each ApiUser.
    AllUsers,
    /// One client on each route.
    AllRoutes,
}

/// The client of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionClient {
    /// A client without a certificate.
    #[default]
    #[serde(rename = "nobody")]
    NoCertificate,
    /// A client with this certificate chain, in PEM, leaf first. It is verified.
    Certificate(String),
    /// A client with a verified certificate with this common name.
    Cn(String),
    /// The same by a DNS name.
    Dns(String),
    /// The same by a URI.
    Uri(String),
    /// The same by an e-mail address.
    Email(String),
    /// The same by the SHA-256 of the certificate.
    Fingerprint(String),
    /// The same by the SHA-256 of its key.
    Spki(String),
    /// This ApiUser, with any of its credentials.
    User(String),
}

/// The peer that opened the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionPeer {
    /// The client itself.
    #[default]
    #[serde(rename = "own")]
    Client,
    /// A front proxy of the listener, which forwards the client's identity.
    FrontProxy,
}

impl QuestionClient {
    /// The assumed value of the certificate.
    pub(super) fn identifier(&self) -> Option<(IdentityKind, &str)> {
        Some(match self {
            Self::Cn(text) => (IdentityKind::CommonName, text),
            Self::Dns(text) => (IdentityKind::Dns, text),
            Self::Uri(text) => (IdentityKind::Uri, text),
            Self::Email(text) => (IdentityKind::Email, text),
            Self::Fingerprint(text) => (IdentityKind::Fingerprint, text),
            Self::Spki(text) => (IdentityKind::Spki, text),
            Self::NoCertificate | Self::Certificate(_) | Self::User(_) => return None,
        })
    }

    /// A client with this value of a kind.
    pub fn of_kind(kind: IdentityKind, text: String) -> Self {
        match kind {
            IdentityKind::CommonName => Self::Cn(text),
            IdentityKind::Dns => Self::Dns(text),
            IdentityKind::Uri => Self::Uri(text),
            IdentityKind::Email => Self::Email(text),
            IdentityKind::Fingerprint => Self::Fingerprint(text),
            IdentityKind::Spki => Self::Spki(text),
        }
    }
}

impl ExplainQuestion {
    /// The address of the client.
    pub(super) fn source(&self) -> IpAddr {
        self.source.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The question does not apply to this snapshot.
    #[error("{0}")]
    InvalidQuestion(String),
    /// The access to all requests of a route contradicts the decision about one of them: a bug of the gateway.
    #[error(
        "internal error: the access to all requests of the route is \"{by_coverage}\", but the decision about one of them is \"{by_decision}\""
    )]
    Contradiction {
        /// The decision about all requests of the route.
        by_coverage: String,
        /// The decision of the proxy.
        by_decision: String,
    },
}

impl ExplainError {
    /// The question contains a password or token. These are not checked, since questions have no attempt limit.
    pub(super) fn secret_in_question() -> Self {
        Self::invalid_question(
            "a password or token is not looked at here: ask with the user, who is taken to have it right",
        )
    }

    pub(super) fn invalid_question(message: impl Into<String>) -> Self {
        Self::InvalidQuestion(message.into())
    }
}
