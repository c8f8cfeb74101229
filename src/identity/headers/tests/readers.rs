//! Readers of what is told: each strict, by the text of its standard.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

/// The pairs of an element, read strictly: a quoted value ends with the first quote that has no backslash before it.
pub(super) fn element(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        let (key, behind) = rest.split_once('=')?;
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => {
                let bytes = quoted.as_bytes();
                let end = (0..bytes.len())
                    .find(|at| bytes[*at] == b'"' && (*at == 0 || bytes[at - 1] != b'\\'))?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => behind.split_at(behind.find([';', ',', '=', '"']).unwrap_or(behind.len())),
        };
        pairs.push((key.to_owned(), value.to_owned()));
        match behind.strip_prefix(';') {
            Some(more) => rest = more,
            None => return behind.is_empty().then_some(pairs),
        }
    }
}

/// The attributes of a name, most specific first, unescaped.
pub(super) fn of_rfc_4514(text: &str) -> Vec<(String, String)> {
    let (mut attributes, mut bytes) = (vec![Vec::new()], text.bytes());
    while let Some(byte) = bytes.next() {
        let last = attributes.last_mut().unwrap();
        match byte {
            b',' => attributes.push(Vec::new()),
            b'\\' => match bytes.next().unwrap() {
                digit if digit.is_ascii_hexdigit() => {
                    let digits = [digit, bytes.next().unwrap()];
                    last.push(
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(),
                    );
                }
                special => last.push(special),
            },
            byte => last.push(byte),
        }
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    attributes
        .into_iter()
        .map(text)
        .map(|pair| {
            pair.split_once('=')
                .map(|(key, value)| (key.into(), value.into()))
                .unwrap()
        })
        .collect()
}

pub(super) fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |all, part| {
        let (digits, rest) = part.split_at(2);
        all + &char::from(u8::from_str_radix(digits, 16).unwrap()).to_string() + rest
    })
}

pub(super) fn of_pem(text: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(text.as_bytes())
        .unwrap()
        .to_vec()
}

/// A list of byte sequences (RFC 9651).
pub(super) fn byte_sequences(text: &str) -> Vec<Vec<u8>> {
    let one = |item: &str| {
        STANDARD
            .decode(item.strip_prefix(':').unwrap().strip_suffix(':').unwrap())
            .unwrap()
    };
    text.split(", ").map(one).collect()
}
