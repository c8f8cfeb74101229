//! The field names of identity headers, of this gateway and of others. `forward` removes such fields.

/// Fields with which the gateway tells an upstream the client's identity, folded. Every route removes them from client
/// requests.
pub const WRITTEN_IDENTITY_FIELDS: &[&str] = &[
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
    "x-client-dns",
    "x-client-uri",
    "x-client-email",
    // Not written, but an upstream may accept them as part of this set.
    "x-client-dn",
    "x-client-san",
    "x-client-roles",
    "x-client-spiffe-id",
    // x-ssl
    "x-ssl",
    "x-ssl-client-verify",
    "x-ssl-client-dn",
    "x-ssl-client-cn",
    "x-ssl-client-notbefore",
    "x-ssl-client-notafter",
    "x-ssl-client-sha256",
    "x-ssl-client-san",
    "x-ssl-client-serial",
    "x-ssl-issuer",
    // nginx
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "ssl-client-cert",
    // xfcc
    "x-forwarded-client-cert",
    // rfc9440
    "client-cert",
    "client-cert-chain",
    // jwt
    "x-portcullis-assertion",
    // all sets, and shadow mode
    "x-identity-left-out",
    "x-portcullis-shadow",
];

/// Fields with which other gateways tell an upstream a client certificate or user, folded.
pub const FOREIGN_IDENTITY_FIELDS: &[&str] = &[
    // like x-client
    "x-client-cert",
    "x-client-cert-dn",
    "x-client-cert-san",
    "x-client-cert-serial",
    "x-client-cert-issuer-dn",
    "x-client-cert-subject-dn",
    "x-client-cert-fingerprint",
    "x-client-cert-chain",
    "x-client-certificate",
    // like x-ssl (HAProxy, OpenShift) and nginx
    "x-ssl-client-issuer",
    "x-ssl-client-not-before",
    "x-ssl-client-not-after",
    "x-ssl-client-sha1",
    "x-ssl-client-der",
    "x-ssl-client-cert",
    "x-ssl-client-subject-dn",
    "x-ssl-client-issuer-dn",
    "x-ssl-client-fingerprint",
    "x-ssl-client-has-cert",
    "x-ssl-client-used",
    "x-ssl-client-s-dn",
    "x-ssl-client-i-dn",
    "x-ssl-client-m-serial",
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
    // Traefik
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    // like RFC 9440
    "client-cert-too-large",
    "client-cert-chain-too-large",
    // assertions of others
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
    "x-forwarded-access-token",
    "x-forwarded-roles",
    "x-auth-user",
    "x-auth-username",
    "x-auth-groups",
    "x-auth-roles",
    "x-userinfo",
    "x-id-token",
    "oam-remote-user",
    // client addresses of other gateways
    "true-client-ip",
    "client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-proxyuser-ip",
    "proxy-client-ip",
    "proxy-ip",
    "proxy-auth-cert",
    "cf-ipcountry",
    "cf-pseudo-ipv4",
    "cf-visitor",
];

/// All fields with which a gateway tells an upstream a client certificate or user, folded. They are removed from client
/// requests regardless of the sets in use, since the upstream may trust any of them.
pub fn identity_field_names() -> impl Iterator<Item = &'static str> {
    WRITTEN_IDENTITY_FIELDS
        .iter()
        .chain(FOREIGN_IDENTITY_FIELDS)
        .copied()
}

/// Name prefixes of such fields, folded. The products add fields with each release.
pub const IDENTITY_FIELD_PREFIXES: &[&str] = &[
    // The sets that the gateway writes, and similar names.
    "x-client-",
    "x-ssl-",
    "ssl-client-",
    "x-tls-client-",
    "tls-client-",
    "x-forwarded-tls-client-",
    "x-cert-",
    // Additional fields for authorizers.
    "x-portcullis-",
    // oauth2-proxy, Authelia, authentik, Vouch, Pomerium
    "x-auth-request-",
    "auth-request-",
    "remote-",
    "x-remote-",
    "x-authelia-",
    "x-authentik-",
    "x-vouch-",
    "x-pomerium-",
    // Grafana and others behind a proxy that authenticates
    "x-webauth-",
    "x-authenticated-",
    // Kong, APISIX
    "x-consumer-",
    "x-credential-",
    // mod_auth_openidc, mod_auth_mellon, Shibboleth, SiteMinder, WebSEAL
    "oidc-",
    "mellon-",
    "shib-",
    "sm-",
    "iv-",
    // Oracle WebLogic; WebSphere (its names begin with a dollar sign)
    "wl-proxy-",
    "-ws",
    // Amazon, Google, Microsoft, Tailscale, Kubernetes
    "x-amzn-mtls-",
    "x-amzn-oidc-",
    "cloudfront-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-appengine-",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-arr-",
    "x-azure-",
    "tailscale-",
    "impersonate-",
    // Cloudflare, Fastly, Fly
    "cf-access-",
    "cf-client-cert-",
    "cf-connecting-",
    "fastly-client-",
    "fly-client-",
    // Envoy and linkerd, which accept these only from their own proxies
    "x-envoy-",
    "l5d-",
];

/// Name prefixes of fields that authorizers and upstreams attribute to the gateway, folded. Every route removes them from
/// client requests.
const WRITTEN_PREFIXES: &[&str] = &[
    "x-portcullis-",
    "x-ssl-client-",
    "ssl-client-",
    "client-cert",
    "x-forwarded-client-cert",
    "x-client-cert",
];

/// Whether the gateway itself writes this field as an identity header, in any spelling.
pub fn is_written_identity_field(name: &str) -> bool {
    WRITTEN_IDENTITY_FIELDS
        .iter()
        .any(|known| folded_equal(known, name))
        || WRITTEN_PREFIXES.iter().any(|prefix| begins(prefix, name))
}

/// Whether an upstream could read a client's field as an identity header. Names are folded: case is ignored, and every
/// character except letters and digits equals a dash, since CGI and its successors map all of them to `_`.
pub fn is_identity_field(name: &str) -> bool {
    identity_field_names().any(|known| folded_equal(known, name))
        || IDENTITY_FIELD_PREFIXES
            .iter()
            .any(|prefix| begins(prefix, name))
}

/// Whether a name, folded, begins with a prefix, which is folded already.
pub fn begins(prefix: &str, name: &str) -> bool {
    name.len() >= prefix.len()
        && prefix
            .bytes()
            .zip(name.bytes())
            .all(|(expected, byte)| expected == fold(byte))
}

/// Whether a name, folded, equals the known name, which is folded already.
pub fn folded_equal(known: &str, name: &str) -> bool {
    known.len() == name.len()
        && known
            .bytes()
            .zip(name.bytes())
            .all(|(expected, byte)| expected == fold(byte))
}

/// Folds a byte of a field name: lower case, and a dash for every byte except letters and digits.
pub fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
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
            "X-Client-Version",
            "$WSRU",
            "SM_USER",
            "OIDC_CLAIM_sub",
            "CloudFront-Viewer-Cert-Subject",
            "Cf_Client_Cert_Sha256",
            "X-Envoy-Original-Path",
        ] {
            assert!(is_identity_field(name), "{name}");
        }
        for name in [
            "Accept",
            "x-request-id",
            "client",
            "X-Clien-CN",
            "remotes",
            "referer",
            "Cf-Ray",
            "X-User",
            "sm",
            "smooth",
        ] {
            assert!(!is_identity_field(name), "{name}");
        }
    }

    #[test]
    fn the_list_is_folded_and_each_name_passes_the_first_byte_filter() {
        for name in identity_field_names() {
            assert!(name.bytes().all(|byte| fold(byte) == byte), "{name}");
            assert!(is_identity_field(name), "{name}");
        }
    }
}
