//! Which method counts for Icinga where another stands in `X-HTTP-Method-Override`. Knows no path.

/// The methods that Icinga's HTTP library knows (Boost.Beast 1.74), in capitals only. The first ones are those that lead
/// anywhere.
const KNOWN: [&str; 33] = [
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "PATCH",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "BIND",
    "REBIND",
    "UNBIND",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PURGE",
    "MKCALENDAR",
    "LINK",
    "UNLINK",
];

/// The method that counts: the one of the first field `X-HTTP-Method-Override`, if it is one; the one that was sent
/// otherwise. `overriding` is that field's value.
pub fn effective_method<'h>(sent: &'h str, overriding: Option<&[u8]>) -> &'h str {
    let asked = overriding.map(<[u8]>::trim_ascii);
    asked
        .and_then(|asked| KNOWN.into_iter().find(|known| known.as_bytes() == asked))
        .unwrap_or(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was asked of Icinga 2.13.6.
    #[test]
    fn only_a_known_method_in_capitals_overrides() {
        for (value, expected) in [
            ("GET", "GET"),
            (" GET ", "GET"),
            ("GET\t", "GET"),
            ("M-SEARCH", "M-SEARCH"),
            ("TRACE", "TRACE"),
            ("UNLINK", "UNLINK"),
            ("get", "POST"),
            ("GET,GET", "POST"),
            ("<unknown>", "POST"),
            ("QUERY", "POST"),
            ("", "POST"),
        ] {
            assert_eq!(
                effective_method("POST", Some(value.as_bytes())),
                expected,
                "{value}"
            );
        }
        assert_eq!(effective_method("FOO", Some(b"GET")), "GET");
        assert_eq!(effective_method("PUT", None), "PUT");
    }
}
