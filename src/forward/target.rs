//! Splits a request target into authority and path (RFC 9112 section 3.2). Resolves nothing.

/// A request target, in two pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TargetParts<'b> {
    /// The authority of a target in absolute form or authority form.
    pub(super) authority: Option<&'b str>,
    /// Path and query, as sent. Not a path for `*`, and empty for the authority form; no route takes these.
    pub(super) path: &'b str,
}

/// Splits a target. `None` if it is no URI, or has a fragment, which `http::Uri` drops silently.
pub(super) fn split_target(target: &str) -> Option<TargetParts<'_>> {
    let origin = TargetParts {
        authority: None,
        path: target,
    };
    // Most targets consist of these characters and are URIs. Only others need the library, which copies them.
    if target.starts_with('/') && target.bytes().all(is_plain) {
        return Some(origin);
    }
    let uri: http::Uri = target.parse().ok().filter(|_| !target.contains('#'))?;
    let Some(authority) = uri.authority() else {
        return Some(origin);
    };
    let scheme = uri
        .scheme_str()
        .map_or(0, |scheme| scheme.len() + "://".len());
    let (authority, path) = target
        .get(scheme..)
        .and_then(|rest| rest.split_at_checked(authority.as_str().len()))
        .filter(|(written, _)| *written == authority.as_str())?;
    Some(TargetParts {
        authority: Some(authority),
        // An absolute form without a path has the path `/` (RFC 9110 section 4.2.3).
        path: if scheme > 0 && path.is_empty() {
            "/"
        } else {
            path
        },
    })
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'?'
                | b'='
                | b'&'
                | b'+'
                | b','
                | b':'
                | b'@'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_target_is_split() {
        for (target, authority, path) in [
            ("/a?b", None, "/a?b"),
            ("//a/b", None, "//a/b"),
            ("/a|b", None, "/a|b"),
            ("*", None, "*"),
            ("https://a.example:8443/b?c", Some("a.example:8443"), "/b?c"),
            ("HTTP://a", Some("a"), "/"),
            ("http://a?b", Some("a"), "?b"),
            ("http://[::1]:80/", Some("[::1]:80"), "/"),
            ("http://u:p@a/", Some("u:p@a"), "/"),
            ("a:443", Some("a:443"), ""),
            ("a", Some("a"), ""),
        ] {
            let parts = TargetParts { authority, path };
            assert_eq!(split_target(target), Some(parts), "{target}");
        }
    }

    #[test]
    fn what_is_no_uri_is_rejected() {
        for target in [
            "",
            "/a#b",
            "http://a/#b",
            "/a<b",
            "/a`b",
            "http://",
            "http://[::1/",
            "a/b",
        ] {
            assert_eq!(split_target(target), None, "{target}");
        }
    }

    proptest::proptest! {
        #[test]
        fn plain_targets_are_uris(target in "/[a-zA-Z0-9/._~%?=&+,:@-]{0,40}") {
            proptest::prop_assert!(target.parse::<http::Uri>().is_ok());
        }

        #[test]
        fn the_pieces_are_those_of_the_library(target in "(http://|https://|x:)?[a-z0-9.:@\\[\\]]{0,9}[a-z/?%&=]{0,12}") {
            let uri: Result<http::Uri, _> = target.parse();
            match (split_target(&target), uri) {
                (Some(parts), Ok(uri)) => {
                    let authority = uri.authority().map(http::uri::Authority::as_str);
                    proptest::prop_assert_eq!(parts.authority, authority);
                    let path = uri.path_and_query().map_or("", |path| path.as_str());
                    proptest::prop_assert_eq!(parts.path, path);
                }
                (ours, theirs) => proptest::prop_assert!(ours.is_none() && theirs.is_err()),
            }
        }
    }
}
