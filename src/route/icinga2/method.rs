//! Finds the method that Icinga uses for a request with `X-HTTP-Method-Override`. Reads no path.

/// The methods that Icinga's HTTP library knows (Boost.Beast 1.74), in upper case only. The first
/// ones are those that Icinga handles.
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

/// The effective method: the value of the first `X-HTTP-Method-Override` field (`overriding`) if it
/// is a known method, otherwise the sent method.
pub fn effective_method<'h>(sent: &'h str, overriding: Option<&[u8]>) -> &'h str {
    let value = overriding.map(<[u8]>::trim_ascii);
    value
        .and_then(|value| KNOWN.into_iter().find(|known| known.as_bytes() == value))
        .unwrap_or(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row was tested against Icinga 2.13.6.
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
