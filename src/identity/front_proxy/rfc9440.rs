//! Parses `Client-Cert` and `Client-Cert-Chain` of a front proxy (RFC 9440): structured fields, parsed strictly. Verifies no
//! certificate.

use super::{ForwardedRejection, MAX_CERTIFICATES};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

pub(super) fn read(
    leaf: Option<&[u8]>,
    chain: Option<&[u8]>,
) -> Result<Vec<CertificateDer<'static>>, ForwardedRejection> {
    let Some(leaf) = leaf else {
        return Err(match chain {
            Some(_) => {
                ForwardedRejection::Malformed("there is a Client-Cert-Chain without a Client-Cert")
            }
            None => ForwardedRejection::Missing,
        });
    };
    // HAProxy sends this for a client without a certificate.
    if leaf.trim_ascii() == b"::" && chain.is_none() {
        return Err(ForwardedRejection::Missing);
    }
    let mut certificates = vec![byte_sequence(leaf)?];
    for item in chain
        .into_iter()
        .flat_map(|chain| chain.split(|byte| *byte == b','))
    {
        if certificates.len() >= MAX_CERTIFICATES {
            return Err(ForwardedRejection::Malformed(
                "Client-Cert-Chain is too long",
            ));
        }
        certificates.push(byte_sequence(item)?);
    }
    Ok(certificates)
}

/// Parses a byte sequence (RFC 9651 section 4.2.7). Parameters are rejected, since RFC 9440 defines none. Padding is
/// required, as known gateways write it.
fn byte_sequence(text: &[u8]) -> Result<CertificateDer<'static>, ForwardedRejection> {
    let inner = text
        .trim_ascii()
        .strip_prefix(b":")
        .and_then(|rest| rest.strip_suffix(b":"));
    let inner = inner.ok_or(ForwardedRejection::Malformed(
        "a certificate is not between colons",
    ))?;
    match STANDARD.decode(inner) {
        Ok(der) if !der.is_empty() => Ok(CertificateDer::from(der)),
        _ => Err(ForwardedRejection::Malformed("a certificate is not base64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_both(leaf: &str, chain: Option<&str>) -> Result<Vec<Vec<u8>>, ForwardedRejection> {
        let read = read(Some(leaf.as_bytes()), chain.map(str::as_bytes))?;
        Ok(read.iter().map(|der| der.to_vec()).collect())
    }

    #[test]
    fn only_what_the_standard_writes_is_read() {
        assert_eq!(read_both(":AQI=:", None), Ok(vec![vec![1, 2]]));
        assert_eq!(
            read_both(" :AQI=: ", Some(":Aw==:,\t:BA==:")),
            Ok(vec![vec![1, 2], vec![3], vec![4]])
        );
        assert_eq!(read_both("::", None), Err(ForwardedRejection::Missing));
        assert!(matches!(
            read_both("::", Some(":AQI=:")),
            Err(ForwardedRejection::Malformed(_))
        ));
        for bad in [
            "",
            ":",
            ":::",
            "AQI=",
            ":AQI=",
            ":AQI:",
            ":AQI=:;a",
            ":AQI=:,:AQI=:",
            ":A QI=:",
            ":AQJ=:",
            ":_w==:",
        ] {
            assert!(
                matches!(read_both(bad, None), Err(ForwardedRejection::Malformed(_))),
                "{bad}"
            );
        }
        for bad in ["", ",", ":AQI=:,", ",:AQI=:", ":AQI=: :AQI=:"] {
            assert!(
                matches!(
                    read_both(":AQI=:", Some(bad)),
                    Err(ForwardedRejection::Malformed(_))
                ),
                "{bad}"
            );
        }
        assert!(read_both(":AQI=:", Some(&[":AQI=:"; 10].join(", "))).is_err());
        assert_eq!(read(None, None), Err(ForwardedRejection::Missing));
        assert!(matches!(
            read(None, Some(b":AQI=:")),
            Err(ForwardedRejection::Malformed(_))
        ));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_panics(
            chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 1..5),
            noise in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let items: Vec<String> = chain.iter().map(|der| format!(":{}:", STANDARD.encode(der))).collect();
            let rest = (items.len() > 1).then(|| items[1..].join(", "));
            prop_assert_eq!(read_both(&items[0], rest.as_deref()), Ok(chain));
            let _ = read(Some(&noise), Some(&noise));
        }
    }
}
