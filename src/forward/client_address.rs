//! A client's address as upstreams are told: `Forwarded` (RFC 7239) and its older kin. Written once for each connection.

use std::net::IpAddr;

/// A client's address in its forms.
#[derive(Clone, Debug)]
pub struct ClientAddress {
    text: String,
    node: String,
    /// The lines of an HTTP/1.1 head, up to where the host stands for the first time.
    pub(super) before_host: String,
    /// From there to where it stands for the second time, which is the end of the last line.
    pub(super) between_hosts: String,
}

impl ClientAddress {
    /// The address in its forms.
    pub fn new(address: IpAddr) -> Self {
        let text = address.to_string();
        // RFC 7239 section 6: what has colons is quoted.
        let node = if address.is_ipv6() { format!("\"[{text}]\"") } else { text.clone() };
        let before_host = format!("forwarded: for={node};host=\"");
        let between_hosts =
            format!("\";proto=https\r\nx-forwarded-for: {text}\r\nx-forwarded-proto: https\r\nx-forwarded-host: ");
        Self { text, node, before_host, between_hosts }
    }

    /// As in `X-Forwarded-For`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As the node of `Forwarded`.
    pub fn node(&self) -> &str {
        &self.node
    }
}
