//! Which requests may come from a web page in the operator's browser: none. Answers nothing itself.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request, StatusCode};
use std::net::IpAddr;

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) status: StatusCode,
    pub(super) detail: &'static str,
}

const FOREIGN_HOST: Rejected = Rejected {
    status: StatusCode::MISDIRECTED_REQUEST,
    detail: "The Host of the admin listener is localhost or a loopback address.",
};
const FOREIGN_ORIGIN: Rejected = Rejected {
    status: StatusCode::FORBIDDEN,
    detail: "Web pages of other origins may not use the admin listener.",
};

/// Rejects what a browser may send for a page of another origin. A name that leads to us (DNS rebinding) shows in Host; a
/// page of another origin shows in Origin, or in Sec-Fetch-Site where there is no Origin.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Rejected> {
    let fields = request.headers();
    let host = only(fields, HOST.as_str())
        .filter(|host| is_here(host))
        .ok_or(FOREIGN_HOST)?;
    if request
        .uri()
        .authority()
        .is_some_and(|authority| !is_here(authority.as_str()))
    {
        return Err(FOREIGN_HOST);
    }
    let own = format!("http://{host}");
    let origin = fields.contains_key(ORIGIN) && only(fields, ORIGIN.as_str()) != Some(&own);
    let site = only(fields, "sec-fetch-site");
    let foreign_site =
        fields.contains_key("sec-fetch-site") && !matches!(site, Some("same-origin" | "none"));
    if origin || foreign_site {
        Err(FOREIGN_ORIGIN)
    } else {
        Ok(())
    }
}

/// The value of a field that stands once.
fn only<'f>(fields: &'f HeaderMap, name: &str) -> Option<&'f str> {
    let mut values = fields.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether this is a loopback address or `localhost`, with any port: there may be a tunnel in between.
fn is_here(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    };
    let bare = without_port
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(without_port);
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_localhost_are_here() {
        for good in [
            "127.0.0.1:9190",
            "127.0.0.1",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9190",
            "[::1]",
            "127.9.9.9",
        ] {
            assert!(is_here(good), "{good}");
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
            assert!(!is_here(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_foreign_page_can_send_is_rejected_and_the_same_from_here_is_not() {
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
