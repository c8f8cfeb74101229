//! Assembly of the gateway's own certificates with their keys: of listeners, and for upstreams and authorizers.

use super::Assembly;
use crate::config::{Place, Spanned};
use crate::file_format::{FileFormat, shell_word};
use crate::file_read::FileKind;
use crate::tls::{
    self, CredentialFileError, CredentialPart, DecryptionError, PassphraseUse, Pkcs12Error,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use zeroize::Zeroizing;

/// Paths of a certificate, its key and their passphrase in the config.
#[derive(Clone, Copy)]
pub(super) struct CertificatePaths<'s> {
    pub(super) certificate: Option<&'s Spanned<String>>,
    pub(super) private_key: Option<&'s Spanned<String>>,
    pub(super) passphrase_file: Option<&'s Spanned<String>>,
}

/// A certificate with its key.
pub(super) struct OwnCertificate<'s> {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Path of the certificate file, for errors.
    pub(super) chain_path: &'s Spanned<String>,
    /// Path of the key file, for errors.
    pub(super) key_path: &'s Spanned<String>,
}

impl OwnCertificate<'_> {
    /// The same certificate and key, for another TLS config.
    pub(super) fn duplicate(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            ..*self
        }
    }
}

impl<'s> CertificatePaths<'s> {
    /// The first of the keys that is set.
    pub(super) fn first(&self) -> Option<&'s Spanned<String>> {
        let paths = [self.certificate, self.private_key, self.passphrase_file];
        paths.into_iter().flatten().next()
    }
}

impl Assembly<'_> {
    /// Reads a certificate and its key. `Ok(None)` without any path, `Err` for an error, which was reported.
    pub(super) fn own_certificate<'s>(
        &self,
        paths: CertificatePaths<'s>,
    ) -> Result<Option<OwnCertificate<'s>>, ()> {
        let Some(first) = paths.first() else {
            return Ok(None);
        };
        match (paths.certificate, self.key_path(&paths)) {
            (Some(certificate), Some(key)) => {
                self.certificate_with_key(paths, certificate, key).map(Some)
            }
            (None, None) => {
                let message = "`passphrase_file` stands without a `certificate`";
                let hint = "give `certificate` and `private_key`, or remove it";
                self.problems.error(first.place, message, hint);
                Err(())
            }
            _ => {
                let message = "`certificate` and `private_key` belong together, and one is missing";
                self.problems
                    .error(first.place, message, "give both, or none");
                Err(())
            }
        }
    }

    /// The path of the key: `private_key`, or the certificate's if that file is PKCS#12.
    pub(super) fn key_path<'s>(&self, paths: &CertificatePaths<'s>) -> Option<&'s Spanned<String>> {
        let is_pkcs12 = |certificate: &&Spanned<String>| {
            let format = FileFormat::of_file(&self.path(certificate), FileKind::Certificates);
            format == Some(FileFormat::Pkcs12)
        };
        paths
            .private_key
            .or_else(|| paths.certificate.filter(is_pkcs12))
    }

    fn certificate_with_key<'s>(
        &self,
        paths: CertificatePaths<'s>,
        chain_path: &'s Spanned<String>,
        key_path: &'s Spanned<String>,
    ) -> Result<OwnCertificate<'s>, ()> {
        let passphrase = match paths.passphrase_file {
            Some(file) => Some(self.passphrase(file).ok_or(())?),
            None => None,
        };
        let passphrase = passphrase.as_ref().map(|text| text.as_str());
        let chain = self.read_credential(chain_path, FileKind::Certificates, |path| {
            tls::chain_of(path, passphrase)
        });
        let key = self.read_credential(key_path, FileKind::PrivateKey, |path| {
            tls::key_of(path, passphrase)
        });
        let chain = chain.ok_or(())?;
        let key = key.ok_or(())?;
        let is_used = [chain.passphrase, key.passphrase].contains(&PassphraseUse::Used);
        if let Some(file) = paths.passphrase_file.filter(|_| !is_used) {
            let message = format!(
                "{} is not encrypted, so it has no passphrase",
                key_path.value
            );
            let hint = "remove `passphrase_file`, or name the encrypted key";
            self.problems.error(file.place, message, hint);
            return Err(());
        }
        self.lint_not_yet_valid(chain_path, &chain.value);
        self.lint_key_mode(key_path, &self.path(key_path));
        Ok(OwnCertificate {
            chain: chain.value,
            key: key.value,
            chain_path,
            key_path,
        })
    }

    /// A passphrase, which is one line.
    fn passphrase(&self, file: &Spanned<String>) -> Option<Zeroizing<String>> {
        let text = self.secret(file, "holds the passphrase")?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.contains(['\n', '\r']) {
            let message = "the passphrase is empty, or has several lines";
            let hint = "write the passphrase in one line";
            self.problems.error_about_secret(file.place, message, hint);
            return None;
        }
        Some(Zeroizing::new(line.to_owned()))
    }

    fn read_credential<T>(
        &self,
        text: &Spanned<String>,
        expected: FileKind,
        read: impl FnOnce(&Path) -> Result<CredentialPart<T>, CredentialFileError>,
    ) -> Option<CredentialPart<T>> {
        let path = self.path(text);
        match read(&path) {
            Ok(part) => Some(part),
            Err(CredentialFileError::Pem(error)) => self.pem_or_report(text, expected, Err(error)),
            Err(error) => {
                self.report_credential(text.place, &error);
                None
            }
        }
    }

    fn report_credential(&self, place: Place, error: &CredentialFileError) {
        let hint = match error {
            CredentialFileError::Pem(_) => String::new(),
            CredentialFileError::NoPassphrase(_) => {
                "add `passphrase_file` with a file, or `env:NAME`, that holds the passphrase".to_owned()
            }
            CredentialFileError::LegacyEncryption(path) => format!("convert it: {}", new_pem(path)),
            CredentialFileError::Decryption { path, source } => match source {
                DecryptionError::WrongPassphrase => WRONG_PASSPHRASE.to_owned(),
                DecryptionError::TooManyRounds | DecryptionError::UnsupportedScheme(_) => {
                    format!("encrypt it anew: {}", new_pem(path))
                }
                DecryptionError::Malformed => "the file may be cut off: copy it again".to_owned(),
            },
            CredentialFileError::Pkcs12 { path, source } => match source {
                Pkcs12Error::Decryption(DecryptionError::WrongPassphrase) => {
                    WRONG_PASSPHRASE.to_owned()
                }
                Pkcs12Error::Decryption(_) | Pkcs12Error::Malformed | Pkcs12Error::Mac => {
                    format!("write it anew: {}", new_pkcs12(path))
                }
                Pkcs12Error::NoCertificate | Pkcs12Error::NoKey | Pkcs12Error::SeveralKeys => {
                    "export one key with its certificate: `openssl pkcs12 -export -in CERTIFICATE -inkey KEY -out FILE`"
                        .to_owned()
                }
            },
        };
        self.problems.error(place, error.to_string(), hint);
    }
}

const WRONG_PASSPHRASE: &str =
    "check the content of `passphrase_file`: one line, without blanks around the passphrase";

/// The command that encrypts a private key anew, as PKCS#8.
fn new_pem(path: &Path) -> String {
    let file = shell_word(path);
    format!(
        "`openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in {file} -out {file}.new`"
    )
}

/// The commands that write PKCS#12 anew, with AES.
fn new_pkcs12(path: &Path) -> String {
    let file = shell_word(path);
    format!(
        "`openssl pkcs12 -legacy -in {file} -nodes -out {file}.pem`, then `openssl pkcs12 -export -in {file}.pem -out \
         {file}.new`, and remove {file}.pem"
    )
}
