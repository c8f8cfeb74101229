//! Distinguished names as text (RFC 4514), for logs and headers. No decision depends on this text.

use std::fmt::Write;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::X509Name;

/// A name in RFC 4514 order and escaping: the most specific part first.
pub(super) fn rfc4514(name: &X509Name<'_>) -> String {
    let mut relative: Vec<_> = name.iter_rdn().collect();
    relative.reverse();
    let parts = relative.iter().map(|rdn| {
        let attributes = rdn.iter().map(|attribute| {
            let oid = attribute.attr_type().to_id_string();
            format!("{}={}", short_name(&oid), value(attribute.attr_value()))
        });
        attributes.collect::<Vec<_>>().join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

fn short_name(oid: &str) -> &str {
    match oid {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    }
}

fn value(value: &Any<'_>) -> String {
    let is_text = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    );
    match std::str::from_utf8(value.data) {
        Ok(text) if is_text => escape(text),
        _ => value.data.iter().fold("#".to_owned(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (index, c) in text.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => escaped.extend(['\\', c]),
            '#' | ' ' if index == 0 => escaped.extend(['\\', c]),
            ' ' if index == last => escaped.extend(['\\', c]),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(escaped, "\\{byte:02x}");
                }
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escape("a,b+c\\\n"), "a\\,b\\+c\\\\\\0a");
        assert_eq!(escape(" x "), "\\ x\\ ");
        assert_eq!(escape("#1#"), "\\#1#");
    }
}
