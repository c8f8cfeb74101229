//! The text of an endpoint: scheme, host and port. Connects to nothing.

use super::{Endpoint, EndpointHttp, EndpointTls};

/// Why a text is not an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It does not begin with a known scheme.
    #[error("an endpoint begins with http:// or https:// (for HTTP/2 h2c://, grpc:// or grpcs://)")]
    Scheme,
    /// It has more than host and port.
    #[error("an endpoint is a host and a port, without path, query or user")]
    MoreThanAuthority,
    /// It has no host, or the port is not a number.
    #[error("the host or port of the endpoint cannot be read")]
    Authority,
}

/// A parsed endpoint.
#[derive(Debug)]
pub struct EndpointAddress {
    /// Plain or TLS.
    pub scheme: EndpointScheme,
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The HTTP version that the scheme requires, if it requires one.
    pub required_http: Option<EndpointHttp>,
    authority: String,
}

/// The scheme of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointScheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS; the certificate is always verified.
    Https,
}

impl EndpointAddress {
    /// Parses `http://host[:port]`. `h2c` and `grpc` are HTTP/2 without TLS, `grpcs` is HTTP/2 over TLS.
    ///
    /// # Errors
    /// [`EndpointError`]
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (word, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        let scheme = match word {
            "http" | "h2c" | "grpc" => EndpointScheme::Http,
            "https" | "grpcs" => EndpointScheme::Https,
            _ => return Err(EndpointError::Scheme),
        };
        let required_http = matches!(word, "h2c" | "grpc" | "grpcs").then_some(EndpointHttp::Http2);
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(EndpointError::MoreThanAuthority);
        }
        let parsed: http::uri::Authority =
            authority.parse().map_err(|_| EndpointError::Authority)?;
        // The library returns no port if it is malformed, so the text after the host is parsed here.
        let port_text = authority
            .strip_prefix(parsed.host())
            .ok_or(EndpointError::Authority)?;
        let port = match (port_text, scheme) {
            ("", EndpointScheme::Https) => 443,
            ("", EndpointScheme::Http) => 80,
            _ => port_text
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .ok_or(EndpointError::Authority)?,
        };
        let host = parsed
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() || port == 0 {
            return Err(EndpointError::Authority);
        }
        Ok(Self {
            scheme,
            host,
            port,
            required_http,
            authority: authority.to_owned(),
        })
    }

    /// The endpoint; `tls` says how its certificate is verified.
    pub fn into_endpoint(self, tls: Option<EndpointTls>) -> Endpoint {
        Endpoint {
            http: self.required_http.unwrap_or_default(),
            host: self.host,
            port: self.port,
            authority: self.authority,
            tls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_a_scheme_a_host_and_a_port() {
        let parse = |text: &str| {
            EndpointAddress::parse(text)
                .map(|found| (found.scheme, found.host, found.port))
                .ok()
        };
        assert_eq!(
            parse("http://127.0.0.1:8080"),
            Some((EndpointScheme::Http, "127.0.0.1".into(), 8080))
        );
        assert_eq!(
            parse("https://icinga.example.org"),
            Some((EndpointScheme::Https, "icinga.example.org".into(), 443))
        );
        assert_eq!(
            parse("http://[::1]:80/"),
            Some((EndpointScheme::Http, "::1".into(), 80))
        );
        let http2 = |text: &str| EndpointAddress::parse(text).unwrap().required_http;
        assert_eq!(
            parse("grpcs://a"),
            Some((EndpointScheme::Https, "a".into(), 443))
        );
        for text in ["h2c://a:1", "grpc://a:1", "grpcs://a:1"] {
            assert_eq!(http2(text), Some(EndpointHttp::Http2), "{text}");
        }
        for text in ["http://a:1", "https://a:1"] {
            assert_eq!(http2(text), None, "{text}");
        }
        for text in [
            "127.0.0.1:80",
            "h2://a",
            "ftp://a",
            "http://",
            "http://a:",
            "http://a:x",
            "http://a:0",
            "http://a/b",
            "http://u@a",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
