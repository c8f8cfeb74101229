//! What is asked: who, about which request, where and when. As JSON, and as the flags of the command. Answers nothing.

use crate::identity::IdentityKind;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Question {
    /// About one request, all users or all routes.
    pub about: About,
    /// Who asks.
    pub who: Who,
    /// The trust domain that is taken to have vouched, where several may.
    pub trust_domain: Option<String>,
    /// Whether the client speaks for itself.
    pub connection: Connection,
    /// The listener, where there are several.
    pub listener: Option<String>,
    /// The method.
    pub method: String,
    /// `https://host/path?query`, or a path of host `localhost`.
    pub url: String,
    /// Header fields, beside Host.
    pub headers: Vec<(String, String)>,
    /// The request body.
    pub body: Option<String>,
    /// Where the client is; 127.0.0.1 if not said.
    pub source: Option<IpAddr>,
    /// When, in RFC 3339; now if not said.
    pub at: Option<String>,
}

/// How much is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// One request of one client.
    #[default]
    Request,
    /// One request of each ApiUser.
    AllUsers,
    /// One client on each route.
    AllRoutes,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A client without a certificate.
    #[default]
    Nobody,
    /// Whoever shows this certificate, in PEM, leaf first. It is verified.
    Certificate(String),
    /// Whoever has a certificate that counts, with this common name.
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
    /// This ApiUser, with whatever proves it.
    User(String),
}

/// In whose name the connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// In that of the client.
    #[default]
    Own,
    /// A front proxy of the listener speaks for the client.
    FrontProxy,
}

impl Who {
    /// The value that a certificate is taken to have.
    pub(super) fn identifier(&self) -> Option<(IdentityKind, &str)> {
        Some(match self {
            Self::Cn(text) => (IdentityKind::CommonName, text),
            Self::Dns(text) => (IdentityKind::Dns, text),
            Self::Uri(text) => (IdentityKind::Uri, text),
            Self::Email(text) => (IdentityKind::Email, text),
            Self::Fingerprint(text) => (IdentityKind::Fingerprint, text),
            Self::Spki(text) => (IdentityKind::Spki, text),
            Self::Nobody | Self::Certificate(_) | Self::User(_) => return None,
        })
    }

    /// Who has this value of a kind.
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

impl Question {
    /// Where the client is.
    pub(super) fn source(&self) -> IpAddr {
        self.source.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The question makes no sense here.
    #[error("{0}")]
    Question(String),
    /// The reasons that were found do not lead to what was judged: a mistake of ours, which is better said than hidden.
    #[error(
        "internal error: by the reasons that were found this would be \"{found}\", but it is judged \"{judged}\""
    )]
    Contradiction {
        /// What the reasons lead to.
        found: String,
        /// What the judgement says.
        judged: String,
    },
}

impl NoAnswer {
    /// Whoever could ask without a limit whether a password is right would soon know it.
    pub(super) fn secret() -> Self {
        Self::question(
            "a password or token is not looked at here: ask with the user, who is taken to have it right",
        )
    }

    pub(super) fn question(message: impl Into<String>) -> Self {
        Self::Question(message.into())
    }
}
