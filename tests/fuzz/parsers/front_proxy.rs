//! Identities that a front proxy forwards: PROXY headers, `X-Forwarded-Client-Cert` and `Client-Cert`.

use super::Reading;
use super::authority::Authority;
use base64::Engine;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use portcullis::config::{Belief, ForwardedIdentity};
use portcullis::identity::{Forwarded, ForwardedRejection, FrontProxy, ProxyHeader, Said};
use rustls::pki_types::CertificateDer;

/// Maximum number of certificates in a forwarded chain.
const MAX_CERTIFICATES: usize = 10;

/// Each prefix of an accepted header may begin one, and no other length is accepted.
pub fn proxy_v2(bytes: &[u8]) -> Reading {
    if ProxyHeader::read(bytes).is_err() {
        return Reading::Rejected;
    }
    for length in 0..bytes.len() {
        assert!(ProxyHeader::may_begin(&bytes[..length]).is_ok(), "{length}");
        assert!(ProxyHeader::read(&bytes[..length]).is_err(), "{length}");
    }
    assert!(ProxyHeader::read(&[bytes, &[0]].concat()).is_err());
    Reading::Accepted
}

/// An accepted element has one certificate, which its `Cert` spells. A second element or a second `Cert` makes it ambiguous.
pub fn xfcc(bytes: &[u8]) -> Reading {
    let read = |field: &[u8]| read(ForwardedIdentity::Xfcc, Some(field), None);
    let Ok(chain) = read(bytes) else {
        return Reading::Rejected;
    };
    assert!((1..=MAX_CERTIFICATES).contains(&chain.len()));
    let values = values_of_cert(bytes.trim_ascii());
    let [value] = values.as_slice() else {
        panic!("{} values of Cert", values.len());
    };
    assert_eq!(decoded_pem(value).as_deref(), Some(&*chain[0]), "{value}");
    let after = |more: &[u8]| read(&[bytes.trim_ascii(), more].concat());
    assert_eq!(after(b",By=x"), Err(ForwardedRejection::Several));
    assert!(after(b";Cert=x").is_err());
    assert_eq!(after(b";By=x"), Ok(chain));
    Reading::Accepted
}

/// The decoded values of all `Cert` outside of quotes.
fn values_of_cert(element: &[u8]) -> Vec<String> {
    let mut pairs = vec![Vec::new()];
    let mut is_quoted = false;
    let mut is_escaped = false;
    for byte in element {
        match byte {
            b';' if !is_quoted => pairs.push(Vec::new()),
            b'"' if !is_escaped => is_quoted = !is_quoted,
            _ => pairs.last_mut().expect("a pair").push(*byte),
        }
        is_escaped = is_quoted && *byte == b'\\' && !is_escaped;
    }
    pairs
        .iter()
        .filter(|pair| pair.len() >= 5 && pair[..5].eq_ignore_ascii_case(b"cert="))
        .map(|pair| percent_decoded(&pair[5..]))
        .collect()
}

/// The content of the first certificate in PEM. As in most readers, padding and unused bits do not matter.
fn decoded_pem(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (content, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let content: String = content.split_ascii_whitespace().collect();
    GeneralPurpose::new(&STANDARD_ALPHABET, lenient)
        .decode(content)
        .ok()
}

fn percent_decoded(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u8::from_str_radix(&part[..2], 16).expect("two digits");
        decoded.push(char::from(code));
        decoded.push_str(&part[2..]);
    }
    decoded
}

/// `Client-Cert` and, after a line feed, `Client-Cert-Chain`. What is accepted is, but for white space, what RFC 9440 writes.
pub fn client_cert(bytes: &[u8]) -> Reading {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let leaf = lines.next();
    let rest = lines.next();
    let Ok(chain) = read(ForwardedIdentity::Rfc9440, leaf, rest) else {
        return Reading::Rejected;
    };
    assert!((1..=MAX_CERTIFICATES).contains(&chain.len()));
    let written: Vec<String> = chain
        .iter()
        .map(|der| format!(":{}:", STANDARD.encode(der)))
        .collect();
    let given = leaf.into_iter().chain(
        rest.into_iter()
            .flat_map(|rest| rest.split(|byte| *byte == b',')),
    );
    let given: Vec<_> = given.map(<[u8]>::trim_ascii).collect();
    assert_eq!(
        written.iter().map(String::as_bytes).collect::<Vec<_>>(),
        given
    );
    Reading::Accepted
}

/// Reads an identity as the gateway does, from the fields of a request.
fn read(
    identity: ForwardedIdentity,
    field: Option<&[u8]>,
    chain: Option<&[u8]>,
) -> Result<Vec<CertificateDer<'static>>, ForwardedRejection> {
    let proxy = FrontProxy {
        identity,
        peers: Vec::new(),
        sources: Vec::new(),
        trust_domain: Authority::shared().trust_domain.clone(),
        belief: Belief::Certificate,
    };
    let said = Said {
        identity: field,
        chain,
    };
    match proxy.read(said, None)? {
        Forwarded::Chain(chain) => Ok(chain),
        Forwarded::CommonName(name) => panic!("\"{name}\" without a certificate"),
    }
}
