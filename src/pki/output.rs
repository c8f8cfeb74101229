//! An output file of a command: path, content and mode. `files` writes it.

use std::fmt;
use std::path::{Path, PathBuf};

use time::Date;
use zeroize::Zeroizing;

use super::{CertificateRequest, PrivateKey};

/// An output file. Its `Display` is for the report: `pki/ca.crt (certificate, valid until 2041-11-19)`.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    content: OutputContent,
}

enum OutputContent {
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
            content: OutputContent::PrivateKey(key.to_pem()),
        }
    }

    /// A certificate request: mode 0644, minus the umask.
    pub fn request(path: impl Into<PathBuf>, request: &CertificateRequest) -> Self {
        Self {
            path: path.into(),
            content: OutputContent::Request(request.pem().to_owned()),
        }
    }

    /// A certificate in PEM form, and its last day: mode 0644, minus the umask.
    pub fn certificate(path: impl Into<PathBuf>, pem: &str, valid_until: Date) -> Self {
        Self {
            path: path.into(),
            content: OutputContent::Certificate(pem.to_owned(), valid_until),
        }
    }

    /// A revocation list in PEM form, and the last day of its validity: mode 0644, minus the umask.
    pub fn revocation_list(path: impl Into<PathBuf>, pem: &str, next_update: Date) -> Self {
        Self {
            path: path.into(),
            content: OutputContent::RevocationList(pem.to_owned(), next_update),
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file mode at creation.
    pub(super) fn mode(&self) -> u32 {
        match self.content {
            OutputContent::PrivateKey(_) => 0o600,
            OutputContent::Request(_)
            | OutputContent::Certificate(..)
            | OutputContent::RevocationList(..) => 0o644,
        }
    }

    /// The content.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.content {
            OutputContent::PrivateKey(text) => text.as_bytes(),
            OutputContent::Request(text)
            | OutputContent::Certificate(text, _)
            | OutputContent::RevocationList(text, _) => text.as_bytes(),
        }
    }
}

impl fmt::Display for OutputFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.content {
            OutputContent::PrivateKey(_) => {
                write!(formatter, "{path} (private key, keep it secret)")
            }
            OutputContent::Request(_) => write!(formatter, "{path} (certificate request)"),
            OutputContent::Certificate(_, until) => {
                write!(formatter, "{path} (certificate, valid until {until})")
            }
            OutputContent::RevocationList(_, until) => {
                write!(formatter, "{path} (revocation list, counts until {until})")
            }
        }
    }
}

impl fmt::Debug for OutputContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PrivateKey(_) => "PrivateKey(secret)",
            Self::Request(_) => "Request",
            Self::Certificate(..) => "Certificate",
            Self::RevocationList(..) => "RevocationList",
        })
    }
}
