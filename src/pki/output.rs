//! A file that a command is about to write: its place, content and mode. It does not write: see `files`.

use std::fmt;
use std::path::{Path, PathBuf};

use time::Date;
use zeroize::Zeroizing;

use super::{CertificateRequest, PrivateKey};

/// A file to be written. Its `Display` is for the report: `pki/ca.crt (certificate, valid until 2041-11-19)`.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    content: Content,
}

enum Content {
    PrivateKey(Zeroizing<String>),
    Request(String),
    Certificate(String, Date),
    RevocationList(String, Date),
}

impl OutputFile {
    /// A private key: mode 0600.
    pub fn private_key(path: impl Into<PathBuf>, key: &PrivateKey) -> Self {
        Self {
            path: path.into(),
            content: Content::PrivateKey(key.to_pem()),
        }
    }

    /// A certificate request: mode 0644, less what the umask takes.
    pub fn request(path: impl Into<PathBuf>, request: &CertificateRequest) -> Self {
        Self {
            path: path.into(),
            content: Content::Request(request.pem().to_owned()),
        }
    }

    /// A certificate in PEM form, and its last day: mode 0644, less what the umask takes.
    pub fn certificate(path: impl Into<PathBuf>, pem: &str, valid_until: Date) -> Self {
        Self {
            path: path.into(),
            content: Content::Certificate(pem.to_owned(), valid_until),
        }
    }

    /// A revocation list in PEM form, and the last day on which it counts: mode 0644, less what the umask takes.
    pub fn revocation_list(path: impl Into<PathBuf>, pem: &str, next_update: Date) -> Self {
        Self {
            path: path.into(),
            content: Content::RevocationList(pem.to_owned(), next_update),
        }
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mode it is created with.
    pub(super) fn mode(&self) -> u32 {
        match self.content {
            Content::PrivateKey(_) => 0o600,
            Content::Request(_) | Content::Certificate(..) | Content::RevocationList(..) => 0o644,
        }
    }

    /// What goes into it.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::PrivateKey(text) => text.as_bytes(),
            Content::Request(text)
            | Content::Certificate(text, _)
            | Content::RevocationList(text, _) => text.as_bytes(),
        }
    }
}

impl fmt::Display for OutputFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.content {
            Content::PrivateKey(_) => write!(formatter, "{path} (private key, keep it secret)"),
            Content::Request(_) => write!(formatter, "{path} (certificate request)"),
            Content::Certificate(_, until) => {
                write!(formatter, "{path} (certificate, valid until {until})")
            }
            Content::RevocationList(_, until) => {
                write!(formatter, "{path} (revocation list, counts until {until})")
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PrivateKey(_) => "PrivateKey(secret)",
            Self::Request(_) => "Request",
            Self::Certificate(..) => "Certificate",
            Self::RevocationList(..) => "RevocationList",
        })
    }
}
