//! Which names belong to identity headers, of ours and of others. Removes nothing; `forward` does.

/// Every field by which some gateway tells an upstream about a client certificate or a user, folded. None of them is
/// ever taken from a client, whichever sets are in use, since the upstream may believe any of them.
pub const IDENTITY_FIELD_NAMES: &[&str] = &[
    // x-client
    "x-client-verify",
    "x-client-cn",
    "x-client-user",
    "x-client-trust-domain",
    "x-client-forwarded-by",
    "x-client-subject",
    "x-client-issuer",
    "x-client-serial",
    "x-client-fingerprint",
    "x-client-not-before",
    "x-client-not-after",
    "x-client-dn",
    "x-client-san",
    "x-client-cert",
    "x-client-cert-dn",
    "x-client-cert-san",
    "x-client-cert-serial",
    "x-client-cert-issuer-dn",
    "x-client-cert-subject-dn",
    "x-client-cert-fingerprint",
    "x-client-cert-chain",
    "x-client-certificate",
    "x-client-dns",
    "x-client-uri",
    "x-client-email",
    "x-client-spiffe-id",
    "x-client-roles",
    // x-ssl (HAProxy, OpenShift) and nginx
    "x-ssl",
    "x-ssl-client-verify",
    "x-ssl-client-dn",
    "x-ssl-client-cn",
    "x-ssl-issuer",
    "x-ssl-client-issuer",
    "x-ssl-client-notbefore",
    "x-ssl-client-notafter",
    "x-ssl-client-not-before",
    "x-ssl-client-not-after",
    "x-ssl-client-sha1",
    "x-ssl-client-sha256",
    "x-ssl-client-san",
    "x-ssl-client-der",
    "x-ssl-client-cert",
    "x-ssl-client-serial",
    "x-ssl-client-subject-dn",
    "x-ssl-client-issuer-dn",
    "x-ssl-client-fingerprint",
    "x-ssl-client-has-cert",
    "x-ssl-client-used",
    "x-ssl-client-s-dn",
    "x-ssl-client-i-dn",
    "x-ssl-client-m-serial",
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "ssl-client-cert",
    "ssl-client-s-dn",
    "ssl-client-i-dn",
    "ssl-client-m-serial",
    "ssl-client-serial",
    "ssl-client-fingerprint",
    "ssl-client-s-dn-cn",
    "x-ssl-cert",
    "x-ssl-subject",
    "ssl-client-san",
    "x-tls-client-cn",
    "x-tls-client-dn",
    // xfcc (Envoy), Traefik
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    // RFC 9440
    "client-cert",
    "client-cert-chain",
    "client-cert-too-large",
    "client-cert-chain-too-large",
    // jwt
    "x-portcullis-assertion",
    // what shadow mode says
    "x-portcullis-shadow",
    "x-pomerium-jwt-assertion",
    "x-jwt-assertion",
    "x-amzn-oidc-data",
    // other gateways and what frameworks read
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-consumer-groups",
    "x-credential-identifier",
    "x-anonymous-consumer",
    "l5d-client-id",
    "x-arr-clientcert",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
    "x-amzn-mtls-clientcert-leaf",
    "remote-user",
    "x-remote-user",
    "x-remote-group",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-authenticated-user",
    "x-webauth-user",
    "x-spiffe-id",
    // ours, for all sets
    "x-identity-left-out",
];

/// Families of such fields that grow with each release of who makes them, folded.
pub const IDENTITY_FIELD_PREFIXES: &[&str] = &[
    "x-ssl-client-",
    "ssl-client-",
    "x-amzn-mtls-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-remote-",
    "x-webauth-",
    "x-ms-client-principal",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "cf-access-",
    "tailscale-user-",
    "x-forwarded-tls-client-",
    "x-client-cert",
    // What authorizers are told beside all that.
    "x-portcullis-",
];

/// Whether a client's field could be taken for an identity header: any case, and any other character than letters and
/// digits in place of a dash, since CGI and its heirs make `_` of all of them.
pub fn is_identity_field(name: &str) -> bool {
    let folded = || name.bytes().map(fold);
    let begins =
        |known: &&str| known.len() <= name.len() && known.bytes().zip(folded()).all(|(wanted, is)| wanted == is);
    // The first octet settles most names.
    matches!(name.bytes().next().map(fold), Some(b'x' | b's' | b'c' | b'l' | b'r' | b't'))
        && (IDENTITY_FIELD_NAMES.iter().any(|known| folded_equal(known, name))
            || IDENTITY_FIELD_PREFIXES.iter().any(begins))
}

/// Whether a name is the known one (which is folded) to somebody who folds: any case, and any other character than
/// letters and digits in place of a dash.
pub fn folded_equal(known: &str, name: &str) -> bool {
    known.len() == name.len() && known.bytes().zip(name.bytes()).all(|(wanted, is)| wanted == fold(is))
}

/// An octet of a name as somebody sees it who folds: lower case, and a dash for all but letters and digits.
pub fn fold(octet: u8) -> u8 {
    if octet.is_ascii_alphanumeric() { octet.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_identity_fields() {
        for name in [
            "X-Client-CN",
            "x_client_cn",
            "X.Client-Cn",
            "CLIENT_CERT",
            "Remote-User",
            "x-client~user",
            "Tailscale_User_Login",
            "Cf-Access-Jwt-Assertion",
            "X_SSL_Client_Whatever",
        ] {
            assert!(is_identity_field(name), "{name}");
        }
        for name in ["X-Client-Version", "Accept", "x-request-id", "client", "X-Client-CNx"] {
            assert!(!is_identity_field(name), "{name}");
        }
    }

    #[test]
    fn the_list_is_folded_and_each_name_passes_the_first_octet_filter() {
        for name in IDENTITY_FIELD_NAMES {
            assert!(name.bytes().all(|octet| fold(octet) == octet), "{name}");
            assert!(is_identity_field(name), "{name}");
        }
    }
}
