//! The errors of `pki`, one variant per remedy of the operator. The command line prints the chain of sources.

use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use std::io;
use std::path::{Path, PathBuf};

/// Why a certificate command failed.
///
/// `Display` prints this level only, with the remedy; the cause is in `source()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The content of a file is wrong; see the source.
    #[error("{} cannot be used", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<PkiError>,
    },
    /// A file could not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A folder could not be created, or a file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The report could not be printed; the files are written.
    #[error("the files are written, but the report could not be printed")]
    Report(#[source] io::Error),
    /// An output exists, and `--force` is missing.
    #[error("{} exists already: choose another name, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// The path of an output exists and is not a regular file.
    #[error("{} is not a regular file: choose another name", .0.display())]
    NotRegular(PathBuf),
    /// The folder of an output is missing.
    #[error("the folder {} does not exist: make it first, or \
        choose another place for {}", .folder.display(), .path.display())]
    NoFolder {
        /// The missing folder.
        folder: PathBuf,
        /// The output.
        path: PathBuf,
    },
    /// One path is named twice in a command.
    #[error("{} is named twice in this command: give each file its own name", .0.display())]
    SharedPath(PathBuf),

    /// A file of another format was given.
    #[error("{} {what}; {hint}", .path.display())]
    FileAdvice {
        /// The file.
        path: PathBuf,
        /// The actual and the expected format.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// A file has no PEM block of the kind that is needed.
    #[error("it holds {found}, but {wanted} in PEM form is needed")]
    NoPemBlock {
        /// The expected kind.
        wanted: &'static str,
        /// What the file holds instead.
        found: String,
    },
    /// A file holds several requests, so the request is ambiguous.
    #[error("it holds {0} certificate requests: put each into a file of its own")]
    SeveralRequests(usize),
    /// The content of a PEM block does not match its label.
    #[error("it is damaged, not a readable {0}: make or copy it again")]
    Malformed(&'static str),
    /// The private key is protected by a password.
    #[error(
        "the private key is encrypted: decrypt it first with `openssl pkey -in FILE -out NEW_FILE`"
    )]
    EncryptedKey,
    /// The private key is of a kind that cannot sign here.
    #[error(
        "the private key is not usable: an EC (P-256, P-384, P-521), Ed25519 or RSA \
        key of 2048 bits or more is needed"
    )]
    UnusableKey(#[source] rcgen::Error),

    /// A text cannot be the common name of a certificate.
    #[error("{name} cannot be a common name, {problem}: choose another one")]
    CommonName {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A request has no common name.
    #[error("the request has no common name (CN): make a new one with exactly one in its subject")]
    NoCommonName,
    /// A request has several common names, so its subject is ambiguous.
    #[error(
        "the request has {0} common names (CN): make a new one with exactly one in its subject"
    )]
    SeveralCommonNames(usize),
    /// A common name has an encoding that programs interpret differently.
    #[error(
        "the common name (CN) of the request is not encoded as UTF8String or PrintableString: make a new request"
    )]
    CommonNameEncoding,
    /// The request is not signed by the key it holds.
    #[error(
        "the signature of the request is wrong, so it was altered or its sender does not have the key: \
        ask for a new one"
    )]
    RequestSignature,
    /// The request is signed by a method that is too weak or not known.
    #[error(
        "the request is signed by the method {0}, which is not accepted: make a new one with SHA-256"
    )]
    RequestSignatureMethod(String),
    /// The public key in the request is of an unknown kind.
    #[error(
        "the public key of the request is not accepted: use EC (P-256, P-384, P-521), Ed25519 or RSA"
    )]
    RequestKey,
    /// The RSA key in the request is too small or too large.
    #[error("the RSA key of the request has {0} bits: 2048 to 8192 are accepted")]
    RequestKeySize(usize),
    /// A server certificate needs names.
    #[error("a server certificate needs at least one name: give --dns NAME or --ip ADDRESS")]
    ServerWithoutNames,
    /// A text is not a DNS name.
    #[error("{name} is not a DNS name, {problem}")]
    DnsName {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A lifetime is zero or too long.
    #[error("a certificate cannot be valid for {0} days: choose 1 to 36500")]
    Days(u32),

    /// A text is not a serial number.
    #[error(
        "{0} is not a serial number: write hexadecimal digits, as in `openssl x509 -noout -serial`"
    )]
    SerialNumber(String),
    /// A certificate that another authority has signed cannot be revoked by this one.
    #[error("the certificate is not of this authority, so only its own authority can revoke it")]
    OfAnotherAuthority,
    /// A revocation list that another authority has signed cannot be continued by this one.
    #[error(
        "the revocation list is not of this authority, so it cannot go on from it: choose another file"
    )]
    ListOfAnotherAuthority,

    /// The authority's files are missing.
    #[error("{} does not exist: make an authority with `portcullis pki new-ca`, \
        or name its folder with --ca-dir", .0.display())]
    NoAuthority(PathBuf),
    /// The certificate may not sign others.
    #[error(
        "it is not the certificate of an authority ({0}): name the folder of one with --ca-dir"
    )]
    NotAuthority(&'static str),
    /// The authority is not valid now.
    #[error(
        "the authority is not valid now, only from {from} until {until}: renew it, or check the clock"
    )]
    AuthorityNotValid {
        /// First day.
        from: time::Date,
        /// Last day.
        until: time::Date,
    },
    /// The certificate and the key of the authority do not belong together.
    #[error("it is not the private key of the certificate beside it: put the matching pair there")]
    KeyMismatch,
    /// The authority's name cannot be written into certificates unchanged.
    #[error(
        "the authority's subject repeats an attribute or is unusual, so it cannot sign here: \
        sign with openssl, or use another authority"
    )]
    AuthorityName,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library(#[source] rcgen::Error),
    /// The system gave no random numbers.
    #[error("no random numbers are to be had")]
    Random,
}

impl PkiError {
    /// Adds the path of the file. If the file has another format than `wanted`, the error names the format and the conversion
    /// instead.
    pub fn in_file(self, path: &Path, wanted: FileKind) -> Self {
        let is_format_error = matches!(
            self,
            Self::NoPemBlock { .. }
                | Self::Malformed(_)
                | Self::EncryptedKey
                | Self::UnusableKey(_)
        );
        match FileFormat::misplaced_file(path, wanted).filter(|_| is_format_error) {
            Some(FileAdvice { what, hint }) => Self::FileAdvice {
                path: path.to_owned(),
                what,
                hint,
            },
            None => Self::File {
                path: path.to_owned(),
                source: Box::new(self),
            },
        }
    }
}
