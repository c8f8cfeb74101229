//! Receives the fields of an edited head. Does not change them.

use super::client_address::ClientAddress;
use crate::identity::IdentityBlock;

/// A receiver for the fields of an edited head.
pub trait FieldSink {
    /// Adds one field. The gateway's own names are in lower case.
    fn add(&mut self, name: &str, value: &[u8]);

    /// Adds one field with the concatenation of `parts` as value.
    fn add_parts(&mut self, name: &str, parts: &[&[u8]]) {
        self.add(name, &parts.concat());
    }

    /// Adds the forwarding fields: the client's address and the requested host.
    fn add_forwarding(&mut self, client: &ClientAddress, host: &str) {
        let node = client.node().as_bytes();
        let host = host.as_bytes();
        self.add_parts(
            "forwarded",
            &[b"for=", node, b";host=\"", host, b"\";proto=https"],
        );
        self.add("x-forwarded-for", client.as_str().as_bytes());
        self.add("x-forwarded-proto", b"https");
        self.add("x-forwarded-host", host);
    }

    /// Adds the identity fields of the client.
    fn add_identity(&mut self, identity: &IdentityBlock) {
        for (name, value) in identity.fields() {
            self.add(name, value.as_bytes());
        }
    }
}

/// Appends fields as HTTP/1.1 field lines. Writes neither the first line nor the empty line at the
/// end. Allocates only if the buffer is too small.
pub struct HeadWriter<'a>(pub &'a mut Vec<u8>);

impl FieldSink for HeadWriter<'_> {
    fn add(&mut self, name: &str, value: &[u8]) {
        // One reservation for all four parts.
        self.0.reserve(name.len() + value.len() + 4);
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }

    fn add_parts(&mut self, name: &str, parts: &[&[u8]]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        for part in parts {
            self.0.extend_from_slice(part);
        }
        self.0.extend_from_slice(b"\r\n");
    }

    fn add_forwarding(&mut self, client: &ClientAddress, host: &str) {
        let before = client.before_host().as_bytes();
        let between = client.between_hosts().as_bytes();
        for part in [before, host.as_bytes(), between, host.as_bytes(), b"\r\n"] {
            self.0.extend_from_slice(part);
        }
    }

    fn add_identity(&mut self, identity: &IdentityBlock) {
        self.0.extend_from_slice(identity.rendered());
    }
}

/// Writes a number in decimal. The standard library's formatting takes as long as the rest of a
/// short head.
pub fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        if let Some(place) = digits.get_mut(at) {
            // The value is below ten, so it fits.
            *place = b'0' + u8::try_from(left % 10).unwrap_or_default();
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentitySet;

    proptest::proptest! {
        #[test]
        fn numbers_are_written_as_the_library_writes_them(number: u64) {
            for number in [number, number % 1000, u64::MAX, 0] {
                let mut out = b"x".to_vec();
                write_number(&mut out, number);
                proptest::prop_assert_eq!(out, format!("x{number}").into_bytes());
            }
        }
    }

    #[test]
    fn a_head_is_written_line_by_line() {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        let mut writer = HeadWriter(&mut head);
        writer.add("host", b"example.org");
        writer.add_parts("via", &[b"1.1", b" portcullis"]);
        writer.add_parts("empty", &[]);
        writer.add_identity(&IdentityBlock::without_user(&[IdentitySet::XClient]));
        let expected = "GET / HTTP/1.1\r\nhost: example.org\r\nvia: 1.1 portcullis\r\nempty: \r\nx-client-verify: NONE\r\n";
        assert_eq!(String::from_utf8(head).unwrap(), expected);
    }
}
