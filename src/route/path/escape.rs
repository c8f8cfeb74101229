//! Percent-encoding: the bytes of a path that need it, encoding, and decoding.

/// Decodes a canonical path once, for comparison with an upstream's reading.
pub fn decoded(path: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut bytes = path.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match (byte, hex_pair(bytes)) {
            (b'%', Some(value)) => {
                bytes = bytes.get(2..).unwrap_or_default();
                plain.push(value);
            }
            _ => plain.push(byte),
        }
    }
    plain
}

/// Decodes until nothing can be decoded, for comparison with the reading of several servers in a
/// row that each decode once. One pass: a decoded byte is checked again only with the two bytes
/// before it.
pub(super) fn decoded_repeatedly(path: &str) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        plain.push(byte);
        while let Some((before, [b'%', digits @ ..])) = plain.split_last_chunk::<3>() {
            let length = before.len();
            let Some(value) = hex_pair(digits) else {
                break;
            };
            plain.truncate(length);
            plain.push(value);
        }
    }
    plain
}

/// The byte of the two leading hexadecimal digits.
pub fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

pub(super) fn push_escape(path: &mut String, byte: u8) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or('0');
    path.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// Whether the escape of this byte is decoded, since upstreams read both forms alike: unreserved
/// characters, and those that separate nothing inside a segment. Excludes `;` and `+`, whose plain
/// form has another meaning.
pub(super) fn is_decoded(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b',' | b'=' | b':' | b'@'
        )
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 section 3.3, and the slash.
pub(super) const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}
