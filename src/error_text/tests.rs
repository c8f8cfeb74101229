//! No message shows how a library names things.

use super::*;
use proptest::prelude::*;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ExtendedKeyPurpose, OtherError};
use std::sync::Arc;
use std::time::Duration;

/// Names in capitals and small letters that a reader of a TLS log knows.
const KNOWN: [&str; 2] = ["ClientHello", "ChangeCipherSpec"];

fn assert_plain(text: &str, of: &impl std::fmt::Debug) {
    let shows_a_variant = |word: &str| {
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let mut pairs = word.chars().zip(word.chars().skip(1));
        !KNOWN.contains(&word) && pairs.any(|(one, next)| one.is_lowercase() && next.is_uppercase())
    };
    assert!(
        !text.is_empty() && !text.contains(['{', '[', '"', '_']),
        "{of:?}: {text}"
    );
    assert!(!text.contains('(') || text.contains(" ("), "{of:?}: {text}");
    assert!(!text.split(' ').any(shows_a_variant), "{of:?}: {text}");
    assert!(text.split(' ').count() > 2, "a sentence: {of:?}: {text}");
}

fn time() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

fn name() -> ServerName<'static> {
    ServerName::try_from("api.example.org").unwrap()
}

#[expect(deprecated, reason = "a library may still give them")]
fn certificate_errors() -> Vec<CertificateError> {
    use CertificateError as E;
    let other = |error: webpki::Error| E::Other(OtherError(Arc::new(error)));
    let mut all = vec![
        E::BadEncoding,
        E::Expired,
        E::ExpiredContext {
            time: time(),
            not_after: time(),
        },
        E::NotValidYet,
        E::NotValidYetContext {
            time: time(),
            not_before: time(),
        },
        E::Revoked,
        E::UnhandledCriticalExtension,
        E::UnknownIssuer,
        E::UnknownRevocationStatus,
        E::ExpiredRevocationList,
        E::ExpiredRevocationListContext {
            time: time(),
            next_update: time(),
        },
        E::BadSignature,
        E::UnsupportedSignatureAlgorithm,
        E::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![6],
            supported_algorithms: vec![],
        },
        E::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![6],
            public_key_algorithm_id: vec![6],
        },
        E::NotValidForName,
        E::NotValidForNameContext {
            expected: name(),
            presented: vec![],
        },
        E::NotValidForNameContext {
            expected: name(),
            presented: vec![
                "DnsName(\"www.example.org\")".into(),
                "IpAddress(127.0.0.1)".into(),
            ],
        },
        E::InvalidPurpose,
        E::InvalidPurposeContext {
            required: ExtendedKeyPurpose::ClientAuth,
            presented: vec![],
        },
        E::InvalidPurposeContext {
            required: ExtendedKeyPurpose::Other(vec![1, 3, 6]),
            presented: vec![],
        },
        E::InvalidOcspResponse,
        E::ApplicationVerificationFailure,
    ];
    all.extend(chain_errors().into_iter().map(other));
    all
}

#[expect(deprecated, reason = "a library may still give them")]
fn chain_errors() -> Vec<webpki::Error> {
    use webpki::Error as E;
    let mut all = vec![
        E::BadDer,
        E::BadDerTime,
        E::CaUsedAsEndEntity,
        E::CertDistrusted,
        E::CertExpired {
            time: time(),
            not_after: time(),
        },
        E::CertNotValidForName(webpki::InvalidNameContext {
            expected: name(),
            presented: vec![],
        }),
        E::CertNotValidYet {
            time: time(),
            not_before: time(),
        },
        E::CertRevoked,
        E::EmptyEkuExtension,
        E::EndEntityUsedAsCa,
        E::ExtensionValueInvalid,
        E::InvalidCertValidity,
        E::InvalidNetworkMaskConstraint,
        E::InvalidSerialNumber,
        E::InvalidSignatureForPublicKey,
        E::MalformedDnsIdentifier,
        E::MalformedExtensions,
        E::MalformedNameConstraint,
        E::MaximumNameConstraintComparisonsExceeded,
        E::MaximumPathBuildCallsExceeded,
        E::MaximumPathDepthExceeded,
        E::MaximumSignatureChecksExceeded,
        E::NameConstraintViolation,
        E::PathLenConstraintViolated,
        E::RequiredEkuNotFound,
        E::SignatureAlgorithmMismatch,
        E::TrailingData(webpki::DerTypeId::Certificate),
        E::UnknownIssuer,
        E::UnsupportedCertVersion,
        E::UnsupportedCriticalExtension,
        E::UnsupportedNameType,
        E::UnsupportedCrlSignatureAlgorithm,
        E::UnsupportedSignatureAlgorithm,
        E::UnsupportedCrlSignatureAlgorithmForPublicKey,
        E::UnsupportedSignatureAlgorithmForPublicKey,
    ];
    all.extend(revocation_errors());
    all
}

fn revocation_errors() -> Vec<webpki::Error> {
    use webpki::Error as E;
    vec![
        E::CrlExpired {
            time: time(),
            next_update: time(),
        },
        E::InvalidCrlNumber,
        E::InvalidCrlSignatureForPublicKey,
        E::IssuerNotCrlSigner,
        E::UnknownRevocationStatus,
        E::UnsupportedCrlIssuingDistributionPoint,
        E::UnsupportedCrlVersion,
        E::UnsupportedDeltaCrl,
        E::UnsupportedIndirectCrl,
        E::UnsupportedRevocationReason,
        E::UnsupportedRevocationReasonsPartitioning,
    ]
}

fn tls_errors() -> Vec<rustls::Error> {
    use rustls::{
        ContentType, EncryptedClientHelloError, Error as E, HandshakeType, InconsistentKeys,
    };
    let mut all = vec![
        E::InappropriateMessage {
            expect_types: vec![ContentType::Handshake, ContentType::Alert],
            got_type: ContentType::ApplicationData,
        },
        E::InappropriateMessage {
            expect_types: vec![],
            got_type: ContentType::Unknown(99),
        },
        E::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::CertificateVerify],
            got_type: HandshakeType::Finished,
        },
        E::InvalidEncryptedClientHello(EncryptedClientHelloError::SniRequired),
        E::NoCertificatesPresented,
        E::UnsupportedNameType,
        E::DecryptError,
        E::EncryptError,
        E::InvalidCertRevocationList(rustls::CertRevocationListError::BadSignature),
        E::InvalidCertRevocationList(rustls::CertRevocationListError::IssuerInvalidForCrl),
        E::General("no memory for it".to_owned()),
        E::FailedToGetCurrentTime,
        E::FailedToGetRandomBytes,
        E::HandshakeNotComplete,
        E::PeerSentOversizedRecord,
        E::NoApplicationProtocol,
        E::BadMaxFragmentSize,
        E::InconsistentKeys(InconsistentKeys::KeyMismatch),
        E::InconsistentKeys(InconsistentKeys::Unknown),
        E::Other(OtherError(Arc::new(webpki::Error::NameConstraintViolation))),
    ];
    all.extend(certificate_errors().into_iter().map(E::InvalidCertificate));
    all.extend(errors_of_the_other_side());
    all.extend((0..=255).map(|code| E::AlertReceived(AlertDescription::from(code))));
    all
}

fn errors_of_the_other_side() -> Vec<rustls::Error> {
    use rustls::{Error as E, InvalidMessage, PeerIncompatible, PeerMisbehaved};
    let messages = [
        InvalidMessage::CertificatePayloadTooLarge,
        InvalidMessage::InvalidCcs,
        InvalidMessage::InvalidContentType,
        InvalidMessage::InvalidDhParams,
        InvalidMessage::MessageTooShort,
        InvalidMessage::MissingData("CertificatePayload"),
        InvalidMessage::TrailingData("ClientHelloPayload"),
        InvalidMessage::UnexpectedMessage("HelloRetryRequest"),
        InvalidMessage::IllegalEmptyList("SignatureSchemes"),
        InvalidMessage::DuplicateExtension(43),
        InvalidMessage::PreSharedKeyIsNotFinalExtension,
    ];
    let incompatible = [
        PeerIncompatible::EcPointsExtensionRequired,
        PeerIncompatible::ExtendedMasterSecretExtensionRequired,
        PeerIncompatible::NoCipherSuitesInCommon,
        PeerIncompatible::NoKxGroupsInCommon,
        PeerIncompatible::NoSignatureSchemesInCommon,
        PeerIncompatible::Tls12NotOffered,
        PeerIncompatible::Tls12NotOfferedOrEnabled,
        PeerIncompatible::Tls13RequiredForQuic,
        PeerIncompatible::ServerDoesNotSupportTls12Or13,
        PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        PeerIncompatible::ServerRejectedEncryptedClientHello(None),
    ];
    let misbehaved = [
        PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported,
        PeerMisbehaved::IllegalHelloRetryRequestWithInvalidEch,
        PeerMisbehaved::MissingPskModesExtension,
        PeerMisbehaved::OfferedDuplicateKeyShares,
        PeerMisbehaved::ResumptionOfferedWithVariedEms,
        PeerMisbehaved::SelectedUnofferedKxGroup,
        PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme,
        PeerMisbehaved::TooManyKeyUpdateRequests,
    ];
    let messages = messages.map(E::InvalidMessage).into_iter();
    let incompatible = incompatible.map(E::PeerIncompatible);
    messages
        .chain(incompatible)
        .chain(misbehaved.map(E::PeerMisbehaved))
        .collect()
}

#[test]
fn each_error_of_a_certificate_or_chain_is_a_plain_sentence() {
    for error in certificate_errors() {
        assert_plain(&certificate_error_text(&error), &error);
    }
    for error in chain_errors() {
        assert_plain(&chain_error_text(&error), &error);
    }
}

#[test]
fn each_error_of_tls_is_a_plain_sentence() {
    for error in tls_errors() {
        // Alerts are named as RFC 8446 names them.
        let text = tls_error_text(&error);
        let text = if matches!(error, rustls::Error::AlertReceived(_)) {
            text.replace('_', " ")
        } else {
            text
        };
        assert_plain(&text, &error);
    }
}

#[test]
fn errors_are_put_into_words_also_where_others_wrap_them() {
    let certificate = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let plain = "the chain of the certificate leads to no trust anchor";
    let wrapped = io::Error::new(io::ErrorKind::InvalidData, certificate());
    assert_eq!(error_text(&wrapped), plain);
    assert_eq!(error_text(&io::Error::other(wrapped)), plain);
    let connect = crate::endpoint::ConnectError::Tls(io::Error::other(certificate()));
    assert_eq!(
        with_causes(&connect),
        format!("TLS with the endpoint failed: {plain}")
    );
    let other = rustls::Error::Other(OtherError(Arc::new(webpki::Error::UnknownIssuer)));
    assert_eq!(error_text(&other), plain);
    assert_eq!(
        error_text(&io::Error::from(io::ErrorKind::UnexpectedEof)),
        "unexpected end of file"
    );
}

#[test]
fn names_are_forwarded_as_in_the_certificate() {
    let error = CertificateError::NotValidForNameContext {
        expected: name(),
        presented: vec![
            "DnsName(\"www.example.org\")".into(),
            "IpAddress(127.0.0.1)".into(),
        ],
    };
    let expected = "the certificate is not for api.example.org, but for www.example.org, 127.0.0.1";
    assert_eq!(certificate_error_text(&error), expected);
    let late = CertificateError::ExpiredContext {
        time: time(),
        not_after: time(),
    };
    assert_eq!(
        certificate_error_text(&late),
        "the certificate expired at 2027-01-15T08:00:00Z"
    );
}

#[test]
fn alerts_have_their_names_of_the_rfc() {
    assert_eq!(alert_name(AlertDescription::UnknownCA), "unknown_ca");
    assert_eq!(
        alert_name(AlertDescription::CertificateRequired),
        "certificate_required"
    );
    assert_eq!(
        alert_name(AlertDescription::UnrecognisedName),
        "unrecognized_name"
    );
}

proptest! {
    #[test]
    fn a_variant_that_no_one_has_put_into_words_is_words_all_the_same(
        name in "([A-Z][a-z]{1,8}){1,6}", held in "(\\(\"[A-Za-z]{1,9}\"\\)| \\{ [a-z]: None \\})?"
    ) {
        struct Variant(String);
        impl std::fmt::Debug for Variant {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        let text = words(Variant(format!("{name}{held}")));
        prop_assert!(!text.contains(['(', '{', '"']), "{}", text);
        prop_assert!(KNOWN.iter().any(|known| text.contains(known)) || !text.contains(|letter: char| letter.is_uppercase()) || text.contains("TLS"), "{}", text);
    }
}
