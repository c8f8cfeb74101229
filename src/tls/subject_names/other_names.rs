//! Names in a certificate that are no identity: addresses, directory names, odd string types. Decoded as other programs
//! might.

use std::net::{Ipv4Addr, Ipv6Addr};
use x509_parser::asn1_rs::{Any, FromDer, Tag};
use x509_parser::extensions::GeneralName;

/// Readings of a name of a kind that is no identity.
pub(super) fn other_readings(name: &GeneralName<'_>) -> Vec<Box<str>> {
    match name {
        GeneralName::IPAddress(bytes) => {
            address(bytes).map(|text| text.into()).into_iter().collect()
        }
        GeneralName::DirectoryName(name) => name
            .iter_common_name()
            .flat_map(|name| readings(name.attr_value()))
            .collect(),
        // A text in a nested tag, as in the user names of Active Directory.
        GeneralName::OtherName(_, bytes) => {
            let inner = Any::from_der(bytes).and_then(|(_, outer)| Any::from_der(outer.data));
            inner.map(|(_, value)| readings(&value)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let version4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    version4
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string()))
        .ok()
}

/// All likely decodings of a value of any string type.
pub(in crate::tls) fn readings(value: &Any<'_>) -> Vec<Box<str>> {
    let plain: Box<str> = String::from_utf8_lossy(value.data).into();
    let other: String = match value.tag() {
        Tag::BmpString => {
            let units = value.data.chunks_exact(2).map(|pair| {
                pair.iter()
                    .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
            });
            char::decode_utf16(units)
                .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        Tag::UniversalString => {
            let points = value.data.chunks_exact(4).map(|four| {
                four.iter()
                    .fold(0, |point, byte| point << 8 | u32::from(*byte))
            });
            points
                .map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        Tag::T61String | Tag::GeneralString => {
            value.data.iter().map(|byte| char::from(*byte)).collect()
        }
        _ => return vec![plain],
    };
    // Some programs write UTF-8 in any string type.
    if *other == *plain {
        vec![plain]
    } else {
        vec![other.into(), plain]
    }
}
