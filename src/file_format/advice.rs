//! Hints for a file of another format than expected.

use super::{FileAdvice, FileFormat};
use crate::file_read::FileKind;
use std::path::Path;

/// `None` if the file has the expected format; the error of its reader is more precise then.
pub(super) fn misplaced(format: FileFormat, path: &Path, wanted: FileKind) -> Option<FileAdvice> {
    if is_wanted(format, wanted) {
        return None;
    }
    let file = shell_word(path);
    let what = match format {
        FileFormat::Empty => "is empty".to_owned(),
        FileFormat::ByteOrderMark => "begins with a byte order mark".to_owned(),
        _ => format!("is {}, not {}", name(format), name_of_wanted(wanted)),
    };
    let hint = match wanted {
        FileKind::Certificates => for_certificates(format, &file),
        FileKind::CertificateRequest => for_request(format, &file),
        FileKind::PrivateKey => for_private_key(format, &file),
        FileKind::RevocationList => for_revocation_list(format, &file),
        FileKind::DenyList => for_deny_list(format, &file),
        FileKind::Config => for_config(format, &file),
        FileKind::Secret | FileKind::KeySet => None,
    };
    Some(FileAdvice {
        what,
        hint: hint
            .or_else(|| for_text(format, &file))
            .unwrap_or_else(|| general(wanted).to_owned()),
    })
}

fn is_wanted(format: FileFormat, wanted: FileKind) -> bool {
    use FileFormat as F;
    match wanted {
        FileKind::Config => matches!(format, F::OwnConfig | F::Empty | F::ByteOrderMark),
        FileKind::Certificates => format == F::Certificate,
        FileKind::CertificateRequest => format == F::CertificateRequest,
        FileKind::PrivateKey => format == F::PrivateKey,
        FileKind::RevocationList => matches!(format, F::RevocationList | F::RevocationListDer),
        FileKind::DenyList => format == F::Empty,
        FileKind::KeySet => format == F::Json,
        FileKind::Secret => false,
    }
}

fn name_of_wanted(wanted: FileKind) -> &'static str {
    match wanted {
        FileKind::Config => "a config in TOML",
        FileKind::Certificates => "a certificate in PEM",
        FileKind::CertificateRequest => "a certificate signing request (CSR) in PEM",
        FileKind::PrivateKey => "a private key in PEM",
        FileKind::Secret => "a secret",
        FileKind::KeySet => "a set of public keys (JWKS)",
        FileKind::RevocationList => "a revocation list",
        FileKind::DenyList => "a deny list",
    }
}

fn general(wanted: FileKind) -> &'static str {
    match wanted {
        FileKind::Config => {
            "write TOML: `portcullis quickstart` makes a config that works, and docs/gateway-all-keys.toml has every key"
        }
        FileKind::Certificates => "give a PEM file with a certificate",
        FileKind::CertificateRequest => {
            "`portcullis pki new-cert` and `openssl req -new` make requests"
        }
        FileKind::PrivateKey => "give a PEM file with a PKCS#8, PKCS#1 or SEC1 private key",
        FileKind::Secret => "give a text file",
        FileKind::KeySet => "give a file with JSON Web Keys",
        FileKind::RevocationList => "give PEM or DER files with revocation lists",
        FileKind::DenyList => {
            "write `serial HEX`, `fingerprint HEX`, `cn NAME` or `user NAME`, one in each line; `#` begins a comment"
        }
    }
}

fn name(format: FileFormat) -> &'static str {
    use FileFormat as F;
    match format {
        F::Empty => "an empty file",
        F::Utf16 => "text in UTF-16",
        F::ByteOrderMark => "text with a byte order mark",
        F::Certificate => "a certificate",
        F::TrustedCertificate => "a TRUSTED CERTIFICATE of OpenSSL",
        F::CertificateRequest => "a certificate signing request (CSR)",
        F::PrivateKey => "a private key",
        F::EncryptedKey => "an encrypted private key",
        F::PublicKey => "a public key",
        F::KeyParameters => "the parameters of a key alone",
        F::RevocationList => "a revocation list",
        F::Pkcs7 => "PKCS#7",
        F::OpenSshKey => "a private key of OpenSSH",
        F::OpenSshPublicKey => "a public key of OpenSSH",
        F::PuttyKey => "a private key of PuTTY",
        F::BareBase64 => "base64 without the lines `-----BEGIN …-----` and `-----END …-----`",
        F::CertificateDer => "a certificate in DER",
        F::CertificateRequestDer => "a certificate signing request (CSR) in DER",
        F::PrivateKeyDer => "a private key in DER",
        F::EncryptedKeyDer => "an encrypted private key in DER",
        F::PublicKeyDer => "a public key in DER",
        F::RevocationListDer => "a revocation list in DER",
        F::Pkcs7Der => "PKCS#7 in DER",
        F::Pkcs12 => "PKCS#12",
        F::JavaKeyStore => "a key store of Java",
        F::OwnConfig => "a config of Portcullis",
        F::Nginx => "a config of nginx",
        F::HaProxy => "a config of HAProxy",
        F::Caddyfile => "a Caddyfile",
        F::Icinga2 => "a config of Icinga 2",
        F::Yaml => "YAML",
        F::Json => "JSON",
        F::Markup => "HTML or XML",
    }
}

fn for_certificates(format: FileFormat, file: &str) -> Option<String> {
    use FileFormat as F;
    Some(match format {
        F::PrivateKey | F::PrivateKeyDer | F::EncryptedKey | F::EncryptedKeyDer => {
            "name the certificate here and the key in `private_key`; the two may be swapped"
                .to_owned()
        }
        F::CertificateRequest => {
            format!(
                "have it signed: `portcullis pki sign-csr --csr {file} --cert {file}.crt`, with `--server` for a server"
            )
        }
        F::CertificateRequestDer => {
            format!(
                "convert it, `openssl req -inform DER -in {file} -out {file}.pem`, and have that signed"
            )
        }
        F::CertificateDer => {
            format!("`openssl x509 -inform DER -in {file} -out {file}.pem` makes PEM of it")
        }
        F::TrustedCertificate => {
            format!("`openssl x509 -in {file} -out {file}.pem` makes an ordinary one of it")
        }
        F::BareBase64 => {
            format!("`base64 -d {file} | openssl x509 -inform DER -out {file}.pem` makes PEM of it")
        }
        F::Pkcs12 => format!(
            "`openssl pkcs12 -in {file} -nokeys -out {file}.crt` takes the certificates out"
        ),
        F::Pkcs7 => format!(
            "`openssl pkcs7 -print_certs -in {file} -out {file}.pem` takes the certificates out"
        ),
        F::Pkcs7Der => {
            format!(
                "`openssl pkcs7 -inform DER -print_certs -in {file} -out {file}.pem` takes the certificates out"
            )
        }
        F::JavaKeyStore => format!(
            "{}; then `openssl pkcs12 -in {file}.p12 -nokeys -out {file}.crt`",
            key_store(file)
        ),
        F::RevocationList | F::RevocationListDer => {
            "revocation lists are named in `crls` of a trust domain".to_owned()
        }
        F::PublicKey | F::PublicKeyDer | F::OpenSshPublicKey | F::OpenSshKey | F::PuttyKey => {
            "a key is no certificate: make a request with it, and have that signed by a CA"
                .to_owned()
        }
        _ => return None,
    })
}

fn for_request(format: FileFormat, file: &str) -> Option<String> {
    use FileFormat as F;
    Some(match format {
        F::CertificateRequestDer => {
            format!("`openssl req -inform DER -in {file} -out {file}.pem` makes PEM of it")
        }
        F::BareBase64 => {
            format!("`base64 -d {file} | openssl req -inform DER -out {file}.pem` makes PEM of it")
        }
        F::PrivateKey => {
            format!(
                "`openssl req -new -key {file} -subj /CN=NAME -out {file}.csr` makes a request with it"
            )
        }
        F::Certificate | F::CertificateDer => {
            "it is signed already; give the request that it was made from".to_owned()
        }
        _ => return None,
    })
}

fn for_private_key(format: FileFormat, file: &str) -> Option<String> {
    use FileFormat as F;
    Some(match format {
        F::Certificate | F::CertificateDer | F::TrustedCertificate => {
            "name the key here and the certificate in `certificate`; the two may be swapped"
                .to_owned()
        }
        F::EncryptedKey => format!("decrypt it once: `openssl pkey -in {file} -out {file}.plain`"),
        F::EncryptedKeyDer => {
            format!("decrypt it once: `openssl pkey -inform DER -in {file} -out {file}.pem`")
        }
        F::PrivateKeyDer => {
            format!("`openssl pkey -inform DER -in {file} -out {file}.pem` makes PEM of it")
        }
        F::BareBase64 => {
            format!("`base64 -d {file} | openssl pkey -inform DER -out {file}.pem` makes PEM of it")
        }
        F::Pkcs12 => {
            format!("`openssl pkcs12 -in {file} -nocerts -nodes -out {file}.key` takes the key out")
        }
        F::JavaKeyStore => {
            format!(
                "{}; then `openssl pkcs12 -in {file}.p12 -nocerts -nodes -out {file}.key`",
                key_store(file)
            )
        }
        F::OpenSshKey => {
            format!(
                "`ssh-keygen -p -N '' -m PKCS8 -f {file}` converts an RSA or ECDSA key in place; make a copy before"
            )
        }
        F::PuttyKey => {
            format!(
                "`puttygen {file} -O private-openssh -o {file}.ssh`, then `ssh-keygen -p -m PKCS8 -f {file}.ssh`"
            )
        }
        F::PublicKey | F::PublicKeyDer | F::OpenSshPublicKey => {
            "give the private key that belongs to it".to_owned()
        }
        F::CertificateRequest | F::CertificateRequestDer => {
            "give the key that the request was made with".to_owned()
        }
        _ => return None,
    })
}

fn for_revocation_list(format: FileFormat, file: &str) -> Option<String> {
    use FileFormat as F;
    Some(match format {
        F::Certificate | F::CertificateDer => {
            "give the revocation list that the CA publishes; certificates of CAs are named in `anchors`".to_owned()
        }
        F::BareBase64 => format!("`base64 -d {file} > {file}.der` makes DER of it"),
        _ => return None,
    })
}

fn for_deny_list(format: FileFormat, file: &str) -> Option<String> {
    use FileFormat as F;
    Some(match format {
        F::RevocationList | F::RevocationListDer => {
            "revocation lists are named in `crls`".to_owned()
        }
        F::Certificate => {
            format!(
                "write `fingerprint HEX` into a text file: `openssl x509 -in {file} -noout -fingerprint -sha256`"
            )
        }
        _ => return None,
    })
}

fn for_config(format: FileFormat, file: &str) -> Option<String> {
    use FileFormat as F;
    let import = |program: &str| {
        format!(
            "`portcullis import {program} {file} --permission 'GET /api/*'` makes users of its clients; write listeners, \
             upstreams and routes yourself, as in docs/gateway-all-keys.toml"
        )
    };
    Some(match format {
        F::Nginx => import("nginx"),
        F::HaProxy => import("haproxy"),
        F::Icinga2 => {
            "`icinga2 object list --type ApiUser > users.txt`, then `portcullis import icinga2 users.txt` makes \
                       users of its ApiUsers"
                .to_owned()
        }
        F::Certificate | F::PrivateKey | F::CertificateDer | F::PrivateKeyDer => {
            "name it in a config: `certificate` and `private_key` of `[listener.main]`".to_owned()
        }
        _ => return None,
    })
}

/// Hints for formats that are wrong for every kind of file.
fn for_text(format: FileFormat, file: &str) -> Option<String> {
    match format {
        FileFormat::Utf16 => Some(format!(
            "`iconv -f UTF-16 -t UTF-8 {file} > {file}.utf8` makes UTF-8 of it"
        )),
        FileFormat::ByteOrderMark => Some(format!(
            "`sed -i '1s/^\\xEF\\xBB\\xBF//' {file}` takes it away"
        )),
        FileFormat::Markup => {
            Some("this may be an error page in place of the file: fetch it again".to_owned())
        }
        _ => None,
    }
}

fn key_store(file: &str) -> String {
    format!(
        "`keytool -importkeystore -srckeystore {file} -destkeystore {file}.p12 -deststoretype PKCS12`"
    )
}

/// A path quoted for a shell.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+,:@%".contains(letter);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
