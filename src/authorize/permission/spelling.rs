//! Detects permission texts that look like `METHOD /path` and can match no request, and suggests corrections. Requirement
//! names are any text, so all other texts are accepted.

use crate::route::{canonical_literal, hex_pair};

/// The mistake in a text that looks like a permission on a path but can never match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusablePermission {
    /// `/internal/*`
    #[error("a permission on a path begins with the method")]
    PathWithoutMethod,
    /// `DELETE`
    #[error("a permission for a method names a path, too")]
    MethodWithoutPath,
    /// Nothing at all.
    #[error("a permission is empty")]
    Empty,
    /// `GET  /a`, `GET\t/a`, ` GET /a`
    #[error("one space stands between method and path, and no other white space")]
    Separator,
    /// `GET,POST /a`
    #[error("a permission names one method, or `*`")]
    SeveralMethods,
    /// `GET a/*`
    #[error("the path of a permission begins with a slash or a wildcard")]
    PathWithoutSlash,
    /// `GET /a b`
    #[error("no path has a space; it is written `%20`")]
    SpaceInPath,
    /// `GET /a%252f*`
    #[error("a path that is encoded twice is not compared as it is written, but decoded")]
    DoubleEncoding,
    /// `GET /a/../b`
    #[error("no path has dot segments after they are resolved")]
    DotSegment,
}

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
];
const LISTS: [char; 3] = [',', '|', ';'];

/// Checks for a text that is certainly a mistake, above all a `deny` that matches nothing.
pub(super) fn check(text: &str) -> Result<(), UnusablePermission> {
    let trimmed = text.trim();
    match trimmed {
        "" => return Err(UnusablePermission::Empty),
        _ if trimmed.starts_with('/') => return Err(UnusablePermission::PathWithoutMethod),
        _ if METHODS.contains(&trimmed) => return Err(UnusablePermission::MethodWithoutPath),
        _ => {}
    }
    let Some((methods, path)) = meant(trimmed) else {
        return Ok(());
    };
    if methods.contains(LISTS) {
        return Err(UnusablePermission::SeveralMethods);
    }
    if text != trimmed || text.get(methods.len()..) != Some(&[" ", path].concat()) {
        return Err(UnusablePermission::Separator);
    }
    if !path.starts_with(['/', '*', '?']) {
        return Err(UnusablePermission::PathWithoutSlash);
    }
    if path.contains(char::is_whitespace) {
        return Err(UnusablePermission::SpaceInPath);
    }
    let canonical = canonical_literal(path, b"*?\\");
    if decoded_fully(&canonical) != canonical {
        return Err(UnusablePermission::DoubleEncoding);
    }
    if canonical
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Err(UnusablePermission::DotSegment);
    }
    Ok(())
}

/// Suggested replacements for a text that [`check`] rejects. [`check`] accepts each of them.
pub(super) fn remedy(text: &str) -> Vec<String> {
    let Some((methods, path)) = meant(text.trim()) else {
        return Vec::new();
    };
    let mut path = path.split_whitespace().collect::<Vec<_>>().join("%20");
    let canonical = canonical_literal(&path, b"*?\\");
    let plain = decoded_fully(&canonical);
    if plain != canonical {
        path = plain;
    }
    if !path.starts_with(['/', '*', '?']) {
        path.insert(0, '/');
    }
    let methods = methods
        .split(LISTS)
        .map(str::trim)
        .filter(|method| !method.is_empty());
    methods
        .map(|method| format!("{method} {path}"))
        .filter(|text| check(text).is_ok())
        .collect()
}

/// The methods and the path, if the text looks like `METHOD /path`: words in capitals or known methods in any case, white
/// space, and more text; or any word, and text that begins with a slash.
fn meant(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_once(char::is_whitespace)?;
    let mut methods = first;
    let mut path = rest.trim_start();
    // `GET, POST /a` and `GET | POST /a`
    while methods.ends_with(LISTS) || path.starts_with(LISTS) {
        let (_, behind) = path
            .trim_start_matches(LISTS)
            .trim_start()
            .split_once(char::is_whitespace)?;
        path = behind.trim_start();
        methods = text.get(..text.len() - path.len())?.trim_end();
    }
    let looks_so = methods.split(LISTS).map(str::trim).all(is_like_a_method);
    (looks_so || path.starts_with('/') && !methods.contains('/')).then_some((methods, path))
}

fn is_like_a_method(word: &str) -> bool {
    let is_capital =
        |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'*' | b'?' | b'-' | b'_');
    word.bytes().all(is_capital) || METHODS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Removes the `25` of each `%25` before two hexadecimal digits, for all layers of encoding.
fn decoded_fully(path: &str) -> String {
    let mut plain = path.to_owned();
    let encoded_at = |plain: &str| {
        let mut found = plain.match_indices("%25");
        found
            .find(|(at, _)| plain.as_bytes().get(at + 3..).and_then(hex_pair).is_some())
            .map(|(at, _)| at)
    };
    while let Some(at) = encoded_at(&plain) {
        plain.replace_range(at + 1..at + 3, "");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_method_and_a_path_is_one() {
        use UnusablePermission::*;
        for (text, error, meant) in [
            ("DELETE  /api/*", Separator, &["DELETE /api/*"][..]),
            ("GET\t/api/*", Separator, &["GET /api/*"]),
            (" GET /api/*", Separator, &["GET /api/*"]),
            ("GET /api/* ", Separator, &["GET /api/*"]),
            ("GET\u{a0}/api/*", Separator, &["GET /api/*"]),
            ("read  /api/*", Separator, &["read /api/*"]),
            ("GET api/*", PathWithoutSlash, &["GET /api/*"]),
            ("get api/*", PathWithoutSlash, &["get /api/*"]),
            ("* api/*", PathWithoutSlash, &["* /api/*"]),
            (
                "GET,POST /api/*",
                SeveralMethods,
                &["GET /api/*", "POST /api/*"],
            ),
            (
                "GET, POST /api/*",
                SeveralMethods,
                &["GET /api/*", "POST /api/*"],
            ),
            (
                "GET|POST  api/*",
                SeveralMethods,
                &["GET /api/*", "POST /api/*"],
            ),
            ("GET /a b", SpaceInPath, &["GET /a%20b"]),
            ("* /api%252f*", DoubleEncoding, &["* /api%2f*"]),
            ("* /%2525%36%31dmin", DoubleEncoding, &["* /%61dmin"]),
            ("GET /a/../b", DotSegment, &[]),
            ("GET /a/%2e%2E/b", DotSegment, &[]),
            (" /a", PathWithoutMethod, &[]),
            ("DELETE ", MethodWithoutPath, &[]),
        ] {
            assert_eq!(check(text), Err(error), "{text}");
            assert_eq!(remedy(text), meant, "{text}");
        }
    }

    #[test]
    fn names_and_proper_paths_are_taken() {
        for text in [
            "*",
            "objects/query/Host",
            "objects/query/*",
            "actions/*",
            "console/execute-script",
            "objects/query *",
            "read reports",
            "x/a b",
            "GET /api/*",
            "* /*",
            "G?T /a%20b",
            "* *",
            "GET ?api",
            "purge /x",
            r"GET /a\*b",
            "GET /100%25",
            "GET /100%25*",
            "GET /a%2fb;x/...",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
