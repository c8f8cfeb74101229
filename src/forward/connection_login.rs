//! Detects logins that belong to a connection and not to a request: NTLM, and Negotiate where it
//! negotiates NTLM. The next request on such a connection has the rights of the user who logged in.
//! Closes no connection.

use super::reuse::Reuse;

/// The schemes with a form that authenticates a connection (RFC 4559 section 6), in lower case.
const SCHEMES: [&[u8]; 4] = [b"ntlm", b"negotiate", b"nego2", b"kerberos"];

/// Whether a connection may carry another request after one with this `Authorization`.
pub(super) fn reuse_after_request(authorization: &[u8]) -> Reuse {
    // The credentials after the scheme may contain any word.
    let scheme = words(authorization).next();
    if scheme.is_some_and(is_scheme) {
        Reuse::Close
    } else {
        Reuse::Keep
    }
}

/// Whether a connection may carry another request after a response with this field.
pub(super) fn reuse_after_response(name: &str, value: &[u8]) -> Reuse {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let logs_in = match name.len() {
        // IIS sends these two fields if the connection keeps a login.
        13 if is("proxy-support") => true,
        15 if is("persistent-auth") => true,
        16 if is("www-authenticate") => words(value).any(is_scheme),
        18 if is("proxy-authenticate") => words(value).any(is_scheme),
        _ => false,
    };
    if logs_in { Reuse::Close } else { Reuse::Keep }
}

/// The words of a value. A list of challenges is not parsed. A false positive (a realm named NTLM)
/// costs one connection; a false negative would give one user's rights to another user.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn is_scheme(word: &[u8]) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_of_connections_are_found_in_every_spelling() {
        for value in [
            "NTLM",
            "ntlm TlRMTVNTUAAB",
            "Negotiate",
            "nEgOtIaTe YII=",
            "NTLM\tx",
            "Negotiate,",
            "Nego2 x",
        ] {
            assert_eq!(
                reuse_after_request(value.as_bytes()),
                Reuse::Close,
                "{value}"
            );
        }
        for value in [
            "",
            "Basic YTpi",
            "Bearer ntlm.x",
            "Digest username=\"negotiator\"",
            "NTLMv2 x",
        ] {
            assert_eq!(
                reuse_after_request(value.as_bytes()),
                Reuse::Keep,
                "{value}"
            );
        }
    }

    #[test]
    fn responses_that_offer_or_confirm_such_a_login_are_found() {
        for (name, value) in [
            ("WWW-Authenticate", "NTLM"),
            ("www-authenticate", "Basic realm=\"x\" , negotiate"),
            ("Www-Authenticate", "Negotiate oYG2="),
            ("Proxy-Authenticate", "Basic realm=\"x\",NTLM TlRMTVNTUAAC"),
            ("Persistent-Auth", "true"),
            ("Proxy-Support", "Session-Based-Authentication"),
        ] {
            assert_eq!(
                reuse_after_response(name, value.as_bytes()),
                Reuse::Close,
                "{name}: {value}"
            );
        }
        for (name, value) in [
            ("WWW-Authenticate", "Basic realm=\"x\", Bearer"),
            ("Proxy-Authenticate", "Digest realm=\"x\""),
            ("Content-Language", "NTLM"),
            ("Server", "Negotiate"),
        ] {
            assert_eq!(
                reuse_after_response(name, value.as_bytes()),
                Reuse::Keep,
                "{name}: {value}"
            );
        }
    }
}
