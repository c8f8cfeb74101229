//! Rejects requests of web pages in the operator's browser (DNS rebinding, cross-site requests).

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request, StatusCode};
use std::net::IpAddr;

/// The response to a rejected request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OriginRejection {
    pub(super) status: StatusCode,
    pub(super) detail: &'static str,
}

const FOREIGN_HOST: OriginRejection = OriginRejection {
    status: StatusCode::MISDIRECTED_REQUEST,
    detail: "The Host of the admin listener is localhost or a loopback address.",
};
const FOREIGN_ORIGIN: OriginRejection = OriginRejection {
    status: StatusCode::FORBIDDEN,
    detail: "Web pages of other origins may not use the admin listener.",
};

/// Rejects what a browser may send for a page of another origin. DNS rebinding is visible in Host; a page of another origin
/// is visible in Origin, or in Sec-Fetch-Site if there is no Origin.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), OriginRejection> {
    let fields = request.headers();
    let host = only(fields, HOST.as_str())
        .filter(|host| is_loopback(host))
        .ok_or(FOREIGN_HOST)?;
    if request
        .uri()
        .authority()
        .is_some_and(|authority| !is_loopback(authority.as_str()))
    {
        return Err(FOREIGN_HOST);
    }
    let own = format!("http://{host}");
    let foreign_origin = fields.contains_key(ORIGIN) && only(fields, ORIGIN.as_str()) != Some(&own);
    let site = only(fields, "sec-fetch-site");
    let foreign_site =
        fields.contains_key("sec-fetch-site") && !matches!(site, Some("same-origin" | "none"));
    if foreign_origin || foreign_site {
        Err(FOREIGN_ORIGIN)
    } else {
        Ok(())
    }
}

/// The value of a field that occurs exactly once.
fn only<'f>(fields: &'f HeaderMap, name: &str) -> Option<&'f str> {
    let mut values = fields.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether this is a loopback address or `localhost`. Any port is accepted, since a tunnel may change it.
fn is_loopback(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    };
    let name = without_port
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(without_port);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_localhost_are_local() {
        for good in [
            "127.0.0.1:9190",
            "127.0.0.1",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9190",
            "[::1]",
            "127.9.9.9",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:9190",
            "127.0.0.1.evil.example",
            "localhost.evil:1",
            "localhost.",
            "127.0.0.1:x",
            "192.0.2.1:9190",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn cross_site_requests_are_rejected_and_local_ones_are_not() {
        let checked = |uri: &str, fields: &[(&str, &str)]| {
            let mut request = Request::builder().uri(uri);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            check(&request.body(()).unwrap())
                .err()
                .map(|rejected| rejected.status.as_u16())
        };
        let host = ("host", "localhost:9190");
        assert_eq!(checked("/", &[host]), None);
        assert_eq!(checked("/", &[]), Some(421));
        assert_eq!(checked("/", &[host, host]), Some(421));
        assert_eq!(checked("/", &[("host", "evil.example:9190")]), Some(421));
        assert_eq!(checked("http://evil.example/", &[host]), Some(421));
        assert_eq!(checked("http://localhost/", &[host]), None);
        for (origin, status) in [
            ("http://localhost:9190", None),
            ("https://localhost:9190", Some(403)),
            ("http://localhost:8000", Some(403)),
            ("http://evil.example", Some(403)),
            ("null", Some(403)),
        ] {
            assert_eq!(
                checked("/", &[host, ("origin", origin)]),
                status,
                "{origin}"
            );
        }
        for (site, status) in [
            ("same-origin", None),
            ("none", None),
            ("same-site", Some(403)),
            ("cross-site", Some(403)),
        ] {
            assert_eq!(
                checked("/", &[host, ("sec-fetch-site", site)]),
                status,
                "{site}"
            );
        }
    }
}
