//! One row of the table: what is shown to whom, and what must come of it.

use super::certificate::Authority;
use super::keys::Key;
use rustls::AlertDescription;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::fmt;

/// What a client shows.
#[derive(Clone)]
pub struct Shown {
    /// In DER, or what stands in its place; the leaf first. Empty for no certificate.
    pub chain: Vec<Vec<u8>>,
    pub key: Option<Key>,
    pub version: &'static SupportedProtocolVersion,
}

impl Shown {
    pub fn new(chain: &[&[u8]], key: &Key) -> Self {
        Self {
            chain: chain.iter().map(|der| der.to_vec()).collect(),
            key: Some(key.clone()),
            version: &TLS13,
        }
    }

    pub fn nothing() -> Self {
        Self {
            chain: Vec::new(),
            key: None,
            version: &TLS13,
        }
    }

    /// With further certificates behind.
    pub fn and(mut self, authorities: &[&Authority]) -> Self {
        self.chain
            .extend(authorities.iter().map(|authority| authority.der.clone()));
        self
    }

    /// Where TLS 1.3 knows no such signature.
    pub fn in_tls_1_2(mut self) -> Self {
        self.version = &TLS12;
        self
    }
}

/// When it is shown.
pub enum When {
    AtOnce(Shown),
    /// Made anew until a handshake fits in the second in which it was made.
    WithinASecond(Box<dyn Fn() -> Shown>),
    /// Again and again until the list of its issuer is too old.
    OnceTheListIsOld(Shown),
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Taken as this user.
    User(String),
    /// A status and the reason word of the answer.
    Refused(u16, String),
    /// An alert, and the reason word of the log.
    Alert(AlertDescription, String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "is `{user}`"),
            Self::Refused(status, reason) => write!(f, "{status} `{reason}`"),
            Self::Alert(alert, reason) => write!(f, "alert {}, `{reason}`", words(*alert)),
        }
    }
}

/// An alert as RFC 8446 writes it.
pub fn words(alert: AlertDescription) -> String {
    let mut words = String::new();
    for letter in format!("{alert:?}").replace("CA", "Ca").chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// A server name with rules of its own; `Server::rules` of the scene says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Most.
    Zoo,
    /// Usage must be said, and one intermediate at most.
    Strict,
    /// Certificates are optional.
    Open,
    /// Two trust domains.
    Two,
    /// Revocation lists and a deny list.
    Lists,
    /// A list that gets too old.
    Stale,
    /// The same, which may be older.
    Lenient,
    /// Some users may come with expired certificates.
    Tolerant,
}

impl Host {
    pub const ALL: [Self; 8] = [
        Self::Zoo,
        Self::Strict,
        Self::Open,
        Self::Two,
        Self::Lists,
        Self::Stale,
        Self::Lenient,
        Self::Tolerant,
    ];

    pub fn domain(self) -> &'static str {
        match self {
            Self::Zoo | Self::Open | Self::Two => "zoo",
            Self::Strict => "strict",
            Self::Lists => "lists",
            Self::Stale => "stale",
            Self::Lenient => "lenient",
            Self::Tolerant => "tolerant",
        }
    }

    pub fn name(self) -> String {
        format!("{self:?}.test").to_lowercase()
    }
}

pub struct Row {
    pub name: &'static str,
    pub host: Host,
    pub path: &'static str,
    pub when: When,
    pub verdict: Verdict,
    /// A row that differs in what this one is refused for, and is accepted.
    pub twin: Option<&'static str>,
    /// Why nginx says something else.
    pub why: &'static str,
}

fn row(name: &'static str, when: When, verdict: Verdict, twin: Option<&'static str>) -> Row {
    Row {
        name,
        host: Host::Zoo,
        path: "/",
        when,
        verdict,
        twin,
        why: "",
    }
}

/// A row that is accepted as this user.
pub fn accepted(name: &'static str, user: &str, shown: Shown) -> Row {
    row(
        name,
        When::AtOnce(shown),
        Verdict::User(user.to_owned()),
        None,
    )
}

/// A row that is refused in the handshake.
pub fn alerted(
    name: &'static str,
    (alert, reason): (AlertDescription, &str),
    twin: &'static str,
    shown: Shown,
) -> Row {
    row(
        name,
        When::AtOnce(shown),
        Verdict::Alert(alert, reason.to_owned()),
        Some(twin),
    )
}

/// A row that is refused with 403.
pub fn forbidden(name: &'static str, reason: &str, twin: &'static str, shown: Shown) -> Row {
    row(
        name,
        When::AtOnce(shown),
        Verdict::Refused(403, reason.to_owned()),
        Some(twin),
    )
}

impl Row {
    pub fn at(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    pub fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    pub fn once(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// nginx says something else, since.
    pub fn unlike_nginx(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    pub fn is_accepted(&self) -> bool {
        matches!(self.verdict, Verdict::User(_))
    }
}
