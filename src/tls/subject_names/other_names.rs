//! Names in a certificate that are no identity, as somebody might read them: addresses, directory names, odd string types.

use std::net::{Ipv4Addr, Ipv6Addr};
use x509_parser::asn1_rs::{Any, FromDer, Tag};
use x509_parser::extensions::GeneralName;

/// Names of kinds that are no identity, as somebody might read them.
pub(super) fn other_readings(name: &GeneralName<'_>) -> Vec<Box<str>> {
    match name {
        GeneralName::IPAddress(octets) => address(octets)
            .map(|text| text.into())
            .into_iter()
            .collect(),
        GeneralName::DirectoryName(name) => name
            .iter_common_name()
            .flat_map(|name| readings(name.attr_value()))
            .collect(),
        // A text in a tag of its own, as in the user names of Active Directory.
        GeneralName::OtherName(_, octets) => {
            let inner = Any::from_der(octets).and_then(|(_, outer)| Any::from_der(outer.data));
            inner.map(|(_, value)| readings(&value)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn address(octets: &[u8]) -> Option<String> {
    let version4 = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).to_string());
    version4
        .or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).to_string()))
        .ok()
}

/// A value of any string type as somebody might read it.
pub(in crate::tls) fn readings(value: &Any<'_>) -> Vec<Box<str>> {
    let plain: Box<str> = String::from_utf8_lossy(value.data).into();
    let other: String = match value.tag() {
        Tag::BmpString => {
            let units = value.data.chunks_exact(2).map(|pair| {
                pair.iter()
                    .fold(0, |unit, octet| unit << 8 | u16::from(*octet))
            });
            char::decode_utf16(units)
                .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        Tag::UniversalString => {
            let points = value.data.chunks_exact(4).map(|four| {
                four.iter()
                    .fold(0, |point, octet| point << 8 | u32::from(*octet))
            });
            points
                .map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        Tag::T61String | Tag::GeneralString => {
            value.data.iter().map(|octet| char::from(*octet)).collect()
        }
        _ => return vec![plain],
    };
    // Some programs write UTF-8 whatever the type says.
    if *other == *plain {
        vec![plain]
    } else {
        vec![other.into(), plain]
    }
}
