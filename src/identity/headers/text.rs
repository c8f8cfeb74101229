//! Encodes values of identity headers: unambiguous, ASCII, on one line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use std::fmt::Write;

/// Encodes a value: printable ASCII unchanged, every other byte and `%` percent-encoded, so that the result is
/// unambiguous.
pub(super) fn field_value(text: &str) -> String {
    percent_encoded(text, |byte| (b' '..0x7f).contains(&byte) && byte != b'%')
}

/// Percent-encodes all bytes except those that `keeps` accepts.
pub(super) fn percent_encoded(text: &str, keeps: impl Fn(u8) -> bool) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keeps(byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// Joins values with commas. Commas and percent signs within a value are percent-encoded.
pub(super) fn list<'v>(values: impl IntoIterator<Item = &'v str>) -> String {
    let encode = |value: &str| {
        percent_encoded(value, |byte| {
            byte.is_ascii_graphic() && byte != b',' && byte != b'%'
        })
    };
    values
        .into_iter()
        .map(encode)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A distinguished name (RFC 4514) in ASCII, as OpenSSL, nginx, Envoy and HAProxy write it: other characters are pairs of
/// hexadecimal digits. Quotes and backslashes of a value are encoded the same way, which the RFC allows, so that a value
/// cannot end a quoted text.
pub fn ascii_name(name: &str) -> String {
    let mut ascii = String::with_capacity(name.len());
    let mut rest = name.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => match rest.next() {
                Some(escaped @ ('"' | '\\')) => {
                    let _ = write!(ascii, "\\{:02X}", u32::from(escaped));
                }
                Some(escaped) => ascii.extend(['\\', escaped]),
                None => ascii.push_str("\\5C"),
            },
            ' '..='~' => ascii.push(letter),
            other => {
                for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(ascii, "\\{byte:02X}");
                }
            }
        }
    }
    ascii
}

/// A certificate in PEM, URL-encoded as nginx and Envoy write it.
pub fn url_encoded_pem(der: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    // RFC 3986: unreserved.
    percent_encoded(&pem, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_reading() {
        assert_eq!(field_value("plain CN=x, O=\"y\""), "plain CN=x, O=\"y\"");
        assert_eq!(field_value("50%\u{e4}\n"), "50%25%C3%A4%0A");
        assert_eq!(
            list(["a.example", "urn:x,y", "urn:x%2Cy"]),
            "a.example, urn:x%2Cy, urn:x%252Cy"
        );
    }

    #[test]
    fn names_are_ascii_without_quotes_and_never_end_in_a_backslash() {
        assert_eq!(ascii_name("CN=a\\,b,O=J\u{f6}rg"), "CN=a\\,b,O=J\\C3\\B6rg");
        assert_eq!(ascii_name("CN=\\\"x\\\\"), "CN=\\22x\\5C");
    }

    #[test]
    fn certificates_are_url_encoded_pem() {
        let text = url_encoded_pem(&CertificateDer::from(vec![0xfb; 50]));
        assert!(
            text.starts_with("-----BEGIN%20CERTIFICATE-----%0A%2B%2Fv7"),
            "{text}"
        );
        assert!(
            text.ends_with("%3D%0A-----END%20CERTIFICATE-----%0A"),
            "{text}"
        );
        assert_eq!(text.matches("%0A").count(), 4);
    }
}
