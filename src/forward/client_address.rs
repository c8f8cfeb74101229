//! Renders the client address for upstreams: `Forwarded` (RFC 7239), `X-Forwarded-For` and related
//! fields. Rendered once per connection.

use std::net::IpAddr;

/// A client address in its rendered forms.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    /// HTTP/1.1 field lines without the host, which occurs twice in them. One allocation per
    /// connection.
    lines: Box<str>,
    /// Bytes of the plain form of the address.
    length: usize,
    /// Offset of the first occurrence of the host.
    host_at: usize,
}

/// Text before the node of `Forwarded`.
const BEFORE_NODE: &str = "forwarded: for=";
/// Text from the first host to the plain form of the address.
const BEFORE_ADDRESS: &str = "\";proto=https\r\nx-forwarded-for: ";

impl ClientAddress {
    /// Renders the address.
    pub fn new(address: IpAddr) -> Self {
        let text = address.to_string();
        // RFC 7239 section 6: a node with colons is quoted.
        let node = if address.is_ipv6() {
            format!("\"[{text}]\"")
        } else {
            text.clone()
        };
        let before_host = format!("{BEFORE_NODE}{node};host=\"");
        let host_at = before_host.len();
        let lines = format!(
            "{before_host}{BEFORE_ADDRESS}{text}\r\nx-forwarded-proto: https\r\nx-forwarded-host: "
        );
        Self {
            lines: lines.into(),
            length: text.len(),
            host_at,
        }
    }

    /// The form of `X-Forwarded-For`.
    pub fn as_str(&self) -> &str {
        let start = self.host_at + BEFORE_ADDRESS.len();
        self.lines
            .get(start..start + self.length)
            .unwrap_or_default()
    }

    /// The node of `Forwarded`.
    pub fn node(&self) -> &str {
        let before_host = self.before_host();
        let end = before_host.len().saturating_sub(";host=\"".len());
        before_host.get(BEFORE_NODE.len()..end).unwrap_or_default()
    }

    /// HTTP/1.1 field lines up to the first occurrence of the host.
    pub(super) fn before_host(&self) -> &str {
        self.lines.get(..self.host_at).unwrap_or_default()
    }

    /// Field lines from the first to the second occurrence of the host. The second one ends the
    /// last line.
    pub(super) fn between_hosts(&self) -> &str {
        self.lines.get(self.host_at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_parts_of_the_lines() {
        for (address, node) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "\"[2001:db8::1]\""),
        ] {
            let client = ClientAddress::new(address.parse().unwrap());
            assert_eq!((client.as_str(), client.node()), (address, node));
            assert_eq!(
                client.before_host(),
                format!("forwarded: for={node};host=\"")
            );
            assert_eq!(
                client.between_hosts(),
                format!(
                    "\";proto=https\r\nx-forwarded-for: {address}\r\nx-forwarded-proto: https\r\nx-forwarded-host: "
                )
            );
        }
    }
}
