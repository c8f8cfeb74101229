//! Parses `X-Forwarded-Client-Cert` of Envoy: one element, of which only the certificate is used. Verifies only that the
//! element is consistent.

use super::{ForwardedRejection, MAX_CERTIFICATES};
use crate::tls::sha256_text;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub(super) fn read(
    field: Option<&[u8]>,
) -> Result<Vec<CertificateDer<'static>>, ForwardedRejection> {
    let element = XfccElement::read(field.ok_or(ForwardedRejection::Missing)?)?;
    let certificate = element.certificate.ok_or(ForwardedRejection::WithoutCertificate(
        "the element has no Cert; in Envoy, set `set_current_client_cert_details: { cert: true }`",
    ))?;
    // nginx sends this for a client without a certificate.
    if certificate.is_empty() && element.hash.is_none() && element.chain.is_none() {
        return Err(ForwardedRejection::Missing);
    }
    let leaf_only = certificates(certificate)?;
    let [leaf] = leaf_only.as_slice() else {
        return Err(ForwardedRejection::Malformed("Cert is not one certificate"));
    };
    if element.hash.is_some_and(|hash| !is_hash_of(hash, leaf)) {
        return Err(ForwardedRejection::Malformed("Hash is not that of Cert"));
    }
    let Some(chain) = element.chain else {
        return Ok(leaf_only);
    };
    let chain = certificates(chain)?;
    if chain.first() != Some(leaf) {
        return Err(ForwardedRejection::Malformed(
            "Chain does not begin with Cert",
        ));
    }
    Ok(chain)
}

/// The raw values of the used keys of an element.
#[derive(Debug, Default)]
struct XfccElement<'f> {
    certificate: Option<&'f [u8]>,
    chain: Option<&'f [u8]>,
    hash: Option<&'f [u8]>,
}

impl<'f> XfccElement<'f> {
    fn read(field: &'f [u8]) -> Result<Self, ForwardedRejection> {
        let mut element = Self::default();
        let mut rest = field.trim_ascii();
        if rest.is_empty() {
            return Err(ForwardedRejection::Missing);
        }
        loop {
            let KeyValue {
                key,
                value,
                rest: after,
            } = pair(rest)?;
            let slot = match () {
                () if key.eq_ignore_ascii_case(b"cert") => Some(&mut element.certificate),
                () if key.eq_ignore_ascii_case(b"chain") => Some(&mut element.chain),
                () if key.eq_ignore_ascii_case(b"hash") => Some(&mut element.hash),
                () => None,
            };
            if slot.is_some_and(|slot| slot.replace(value).is_some()) {
                return Err(ForwardedRejection::Malformed(
                    "a key of the element is repeated",
                ));
            }
            match after.split_first() {
                None => return Ok(element),
                Some((b';', more)) => rest = more,
                // Each proxy on the path may add an element, so several elements are ambiguous.
                Some((b',', _)) => return Err(ForwardedRejection::Several),
                Some(_) => {
                    return Err(ForwardedRejection::Malformed(
                        "something follows a quoted value",
                    ));
                }
            }
        }
    }
}

/// The first pair of a text.
struct KeyValue<'f> {
    key: &'f [u8],
    value: &'f [u8],
    /// The text after the pair.
    rest: &'f [u8],
}

fn pair(text: &[u8]) -> Result<KeyValue<'_>, ForwardedRejection> {
    const NOT_A_PAIR: ForwardedRejection =
        ForwardedRejection::Malformed("the element is not made of KEY=VALUE");
    let equals = text
        .iter()
        .position(|byte| *byte == b'=')
        .ok_or(NOT_A_PAIR)?;
    let (key, rest) = text.split_at(equals);
    if key.is_empty()
        || !key
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    {
        return Err(NOT_A_PAIR);
    }
    let value = rest.get(1..).unwrap_or_default();
    let Some(quoted) = value.strip_prefix(b"\"") else {
        let end = value
            .iter()
            .position(|byte| matches!(byte, b';' | b','))
            .unwrap_or(value.len());
        let (value, rest) = value.split_at(end);
        if value.contains(&b'"') {
            return Err(ForwardedRejection::Malformed("a value contains a quote"));
        }
        return Ok(KeyValue { key, value, rest });
    };
    // A backslash escapes the next byte: Envoy escapes quotes, and subjects contain escapes themselves.
    let mut escaped = false;
    for (at, byte) in quoted.iter().enumerate() {
        match byte {
            b'"' if !escaped => {
                return Ok(KeyValue {
                    key,
                    value: quoted.get(..at).unwrap_or_default(),
                    rest: quoted.get(at + 1..).unwrap_or_default(),
                });
            }
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Err(ForwardedRejection::Malformed("a quoted value does not end"))
}

/// Parses certificates in URL-encoded PEM.
fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, ForwardedRejection> {
    const BAD: ForwardedRejection =
        ForwardedRejection::Malformed("a certificate is not URL-encoded PEM");
    let pem = url_decoded(text).ok_or(BAD)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem)
        .take(MAX_CERTIFICATES + 1)
        .collect();
    match parsed {
        Ok(certificates) if certificates.len() > MAX_CERTIFICATES => {
            Err(ForwardedRejection::Malformed("Chain is too long"))
        }
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(BAD),
    }
}

fn url_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || {
                    bytes
                        .next()
                        .and_then(|digit| char::from(*digit).to_digit(16))
                };
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            b'\\' | b'"' => return None,
            byte if byte.is_ascii_graphic() => *byte,
            _ => return None,
        });
    }
    Some(decoded)
}

fn is_hash_of(hash: &[u8], leaf: &CertificateDer<'_>) -> bool {
    hash.eq_ignore_ascii_case(sha256_text(leaf).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::front_proxy::ForwardedRejection::{
        Malformed, Missing, Several, WithoutCertificate,
    };
    use proptest::prelude::*;

    fn pem(name: &str) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new([name.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap()
            .pem()
    }

    /// As Envoy encodes it.
    fn encoded(pem: &str) -> String {
        let pairs = [
            ("\n", "%0A"),
            (" ", "%20"),
            ("+", "%2B"),
            ("/", "%2F"),
            ("=", "%3D"),
        ];
        pairs
            .into_iter()
            .fold(pem.replace("\r\n", "\n"), |text, (from, to)| {
                text.replace(from, to)
            })
    }

    fn read_text(field: &str) -> Result<Vec<CertificateDer<'static>>, ForwardedRejection> {
        read(Some(field.as_bytes()))
    }

    #[test]
    fn an_element_with_a_certificate_is_read() {
        let (alice, above) = (pem("alice"), pem("above"));
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let hash = sha256_text(&der(&alice));
        let (cert, chain) = (encoded(&alice), encoded(&format!("{alice}{above}")));
        for good in [
            format!("Cert=\"{cert}\""),
            format!(
                "By=spiffe://a/b;Hash={hash};Cert=\"{cert}\";Subject=\"CN=a\\\",Cert=x\\\\\";URI=u=v;DNS=a;DNS=b"
            ),
            format!("hash={};CERT={cert}", hash.to_uppercase()),
        ] {
            assert_eq!(read_text(&good), Ok(vec![der(&alice)]), "{good}");
        }
        assert_eq!(
            read_text(&format!("Cert=\"{cert}\";Chain=\"{chain}\"")),
            Ok(vec![der(&alice), der(&above)])
        );
        let other = encoded(&above);
        for bad in [
            format!("Cert=\"{cert}\";Chain=\"{other}\""),
            format!("Cert=\"{chain}\""),
            format!("Hash={};Cert=\"{cert}\"", hash.replace(|_| true, "0")),
            format!("Cert=\"{cert}\";Cert=\"{cert}\""),
            format!("Cert=\"{cert}\"x"),
            format!("Cert=\"{cert}"),
            format!("Cert=\"{cert}\";"),
            format!("Cert=a\"{cert}\""),
            format!(";Cert=\"{cert}\""),
            "Cert=\"%4\"".to_owned(),
            "Hash=00;Cert=\"\"".to_owned(),
            "Cert".to_owned(),
        ] {
            assert!(matches!(read_text(&bad), Err(Malformed(_))), "{bad}");
        }
        assert_eq!(
            read_text(&format!("Cert=\"{cert}\",Cert=\"{cert}\"")),
            Err(Several)
        );
        assert!(matches!(
            read_text("Subject=\"CN=alice\";URI="),
            Err(WithoutCertificate(_))
        ));
        assert!(
            matches!(
                read_text("Subject=\"CN=x\\\";Cert=y\""),
                Err(WithoutCertificate(_))
            ),
            "no way out of quotes"
        );
        assert_eq!(read_text("Cert=\"\""), Err(Missing));
        assert_eq!((read_text(" "), read(None)), (Err(Missing), Err(Missing)));
    }

    proptest! {
        #[test]
        fn a_quoted_value_ends_where_it_was_meant_to(text in "\\PC{0,30}", noise in "[;,=\"\\\\a-cA-C%0-9]{0,40}") {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            let element = format!("Subject=\"{escaped}\";Cert=x");
            let read = XfccElement::read(element.as_bytes()).unwrap();
            prop_assert_eq!(read.certificate, Some(&b"x"[..]));
            let _ = read_text(&noise);
        }
    }
}
