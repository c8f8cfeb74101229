//! Percent-escapes: which bytes of a path need one, how it is written, and what it stands for.

/// The bytes that a canonical path stands for, for comparing against what an upstream will see after decoding.
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

/// The bytes that are left when nothing more can be decoded, for comparing against what is seen behind several readers that
/// each decode once. One pass: what is decoded is looked at again only with the two bytes before it.
pub(super) fn decoded_repeatedly(path: &str) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        plain.push(byte);
        while let Some((before, [b'%', digits @ ..])) = plain.split_last_chunk::<3>() {
            let (Some(value), length) = (hex_pair(digits), before.len()) else {
                break;
            };
            plain.truncate(length);
            plain.push(value);
        }
    }
    plain
}

/// The octet that two hexadecimal digits in front stand for.
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

/// Escapes of these are taken off, since upstreams read both forms as one: unreserved characters, and those that
/// separate nothing inside a segment. Not `;` and `+`, which mean something else when they are plain.
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
