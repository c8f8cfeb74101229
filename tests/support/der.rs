//! Writes DER, and what is no DER: for certificates that no library would make.

pub const UTF8_STRING: u8 = 0x0c;
pub const PRINTABLE_STRING: u8 = 0x13;
pub const T61_STRING: u8 = 0x14;
pub const IA5_STRING: u8 = 0x16;
pub const UNIVERSAL_STRING: u8 = 0x1c;
pub const BMP_STRING: u8 = 0x1e;

/// One element.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match content.len() {
        length @ 0..=0x7f => octets.push(length as u8),
        length @ 0x80..=0xff => octets.extend([0x81, length as u8]),
        length @ 0x100..=0xffff => octets.extend([0x82, (length >> 8) as u8, length as u8]),
        length => octets.extend([
            0x83,
            (length >> 16) as u8,
            (length >> 8) as u8,
            length as u8,
        ]),
    }
    octets.extend(content);
    octets
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &parts.concat())
}

/// `[number]` around a whole element.
pub fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

/// `[number]` in place of the tag of something that is not made of parts.
pub fn implicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(0x80 | number, content)
}

pub fn boolean(value: bool) -> Vec<u8> {
    element(0x01, &[if value { 0xff } else { 0 }])
}

/// The octets as they stand: two's complement, big-endian.
pub fn integer(octets: &[u8]) -> Vec<u8> {
    element(0x02, octets)
}

pub fn bit_string(unused: u8, octets: &[u8]) -> Vec<u8> {
    element(0x03, &[&[unused], octets].concat())
}

pub fn octet_string(octets: &[u8]) -> Vec<u8> {
    element(0x04, octets)
}

pub fn null() -> Vec<u8> {
    element(0x05, &[])
}

/// An object identifier from its arcs.
pub fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut octets = vec![(arcs[0] * 40 + arcs[1]) as u8];
    for arc in &arcs[2..] {
        let mut digits = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            digits.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        octets.extend(digits.iter().rev());
    }
    element(0x06, &octets)
}

/// `UTCTime` with this text.
pub fn utc_time(text: &str) -> Vec<u8> {
    element(0x17, text.as_bytes())
}

/// `GeneralizedTime` with this text.
pub fn generalized_time(text: &str) -> Vec<u8> {
    element(0x18, text.as_bytes())
}

/// A moment, seconds since 1970, as RFC 5280 writes it: `UTCTime` before 2050, `GeneralizedTime` from then on.
pub fn time(second: i64) -> Vec<u8> {
    let moment = time::OffsetDateTime::from_unix_timestamp(second).expect("a moment");
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    );
    match moment.year() {
        year @ 1950..=2049 => utc_time(&format!("{:02}{rest}", year % 100)),
        year => generalized_time(&format!("{year:04}{rest}")),
    }
}
