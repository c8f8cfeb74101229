//! A client's address as upstreams are told: `Forwarded` (RFC 7239) and its older kin. Written once for each connection.

use std::net::IpAddr;

/// A client's address in its forms.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    /// The lines of an HTTP/1.1 head, without the host, which stands in them twice: one piece of memory for each connection.
    lines: Box<str>,
    /// How long the address is in its plain form.
    length: usize,
    /// Where the host stands for the first time.
    host_at: usize,
}

/// Before the node of `Forwarded`.
const BEFORE_NODE: &str = "forwarded: for=";
/// From the first host to the plain form of the address.
const BEFORE_ADDRESS: &str = "\";proto=https\r\nx-forwarded-for: ";

impl ClientAddress {
    /// The address in its forms.
    pub fn new(address: IpAddr) -> Self {
        let text = address.to_string();
        // RFC 7239 section 6: what has colons is quoted.
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

    /// As in `X-Forwarded-For`.
    pub fn as_str(&self) -> &str {
        let start = self.host_at + BEFORE_ADDRESS.len();
        self.lines
            .get(start..start + self.length)
            .unwrap_or_default()
    }

    /// As the node of `Forwarded`.
    pub fn node(&self) -> &str {
        let before_host = self.before_host();
        let end = before_host.len().saturating_sub(";host=\"".len());
        before_host.get(BEFORE_NODE.len()..end).unwrap_or_default()
    }

    /// The lines of an HTTP/1.1 head, up to where the host stands for the first time.
    pub(super) fn before_host(&self) -> &str {
        self.lines.get(..self.host_at).unwrap_or_default()
    }

    /// From there to where it stands for the second time, which is the end of the last line.
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
