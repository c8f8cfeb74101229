//! Keys of `[api_user.NAME]` and of its accounts at upstreams.

use super::key::{Key, TableKeys};
use super::policy;
use super::request_limits;
use super::value::*;

pub(in crate::config) static CLIENT_CN: Key<TextList> = Key::new(
    "client_cn",
    TextList(TextForm::Any),
    "Common name of its certificate, compared exactly.",
);

pub(in crate::config) static CLIENT_DNS: Key<TextList> = Key::new(
    "client_dns",
    TextList(TextForm::Host),
    "DNS name among the subject alternative names, without wildcards. Case is ignored.",
);

pub(in crate::config) static CLIENT_URI: Key<TextList> = Key::new(
    "client_uri",
    TextList(TextForm::Any),
    "URI among the subject alternative names. A SPIFFE ID must be the only URI.",
);

pub(in crate::config) static CLIENT_EMAIL: Key<TextList> = Key::new(
    "client_email",
    TextList(TextForm::Any),
    "E-mail address among the subject alternative names. Case matters before the `@` \
     only.",
);

pub(in crate::config) static CLIENT_FINGERPRINT: Key<TextList> = Key::new(
    "client_fingerprint",
    TextList(TextForm::Any),
    "SHA-256 of the certificate, hexadecimal, with or without colons.",
);

pub(in crate::config) static CLIENT_SPKI: Key<TextList> = Key::new(
    "client_spki",
    TextList(TextForm::Any),
    "SHA-256 of its public key (SubjectPublicKeyInfo), hexadecimal or base64. It survives \
     renewals.",
);

pub(in crate::config) static TOLERATE_EXPIRY: Key<DurationValue> = Key::new(
    "tolerate_expiry",
    DurationValue,
    "How long its expired certificates are accepted, with a warning in the log.",
)
.default_is("not at all");

pub(in crate::config) static TRUST_DOMAIN: Key<TextValue> = Key::new(
    "trust_domain",
    TextValue(TextForm::Name),
    "The trust domain that must verify its certificate.",
)
.default_is("the only trust domain");

pub(in crate::config) static PERMISSIONS: Key<PermissionList> = Key::new(
    "permissions",
    PermissionList(&policy::PERMISSION),
    "Granted permissions: patterns of requirements, in which `*` is any text and `?` one \
     byte. Either `METHOD /path`, or a name that a route requires.",
);

pub(in crate::config) static DENY: Key<PermissionList> = Key::new(
    "deny",
    PermissionList(&policy::PERMISSION),
    "Denied permissions. They override every granted one.",
);

pub(in crate::config) static ROLES: Key<TextList> =
    Key::new("roles", TextList(TextForm::Name), "Roles of this ApiUser.");

pub(in crate::config) static ENABLED_UNTIL: Key<TextValue> = Key::new(
    "enabled_until",
    TextValue(TextForm::Time),
    "Day (until its end, UTC) or time until which the ApiUser is enabled. After that its \
     requests are denied and its open streams are cut.",
);

pub(in crate::config) static SHADOW: Key<BooleanValue> = Key::new(
    "shadow",
    BooleanValue,
    "Shadow mode for this ApiUser: requests that it may not make are permitted, marked, \
     counted and logged. It overrides `[gateway]`.",
)
.default_boolean(false);

pub(in crate::config) static PASSWORD_HASH: Key<TextList> = Key::new(
    "password_hash",
    TextList(TextForm::Any),
    "Password hashes by `portcullis hash-password` (argon2id), bcrypt or SHA-crypt. The \
     user name is the NAME.",
);

pub(in crate::config) static PASSWORD_HASH_FILE: Key<TextList> = Key::new(
    "password_hash_file",
    TextList(TextForm::SecretSource),
    "Files with password hashes, one per line.",
);

pub(in crate::config) static CLIENT_TOKEN: Key<TextList> = Key::new(
    "client_token",
    TextList(TextForm::Any),
    "Values of the user claim in its tokens.",
);

pub(in crate::config) static TOKEN_ISSUER: Key<TextValue> = Key::new(
    "token_issuer",
    TextValue(TextForm::Name),
    "The issuer of its tokens.",
)
.default_is("the only token issuer");

pub(in crate::config) static UPSTREAM: Key<NamedTables> = Key::new(
    "upstream",
    NamedTables {
        name: "UPSTREAM",
        keys: &ACCOUNT,
    },
    "Accounts of the ApiUser at upstreams.",
);

pub(in crate::config) static API_USER: TableKeys = TableKeys {
    doc: "An ApiUser: how the gateway recognizes it, and what it may do. A certificate is of \
     this ApiUser if any of the `client_` keys matches. A certificate that matches two \
     ApiUsers is denied (403).",
    keys: &[
        &CLIENT_CN,
        &CLIENT_DNS,
        &CLIENT_URI,
        &CLIENT_EMAIL,
        &CLIENT_FINGERPRINT,
        &CLIENT_SPKI,
        &TOLERATE_EXPIRY,
        &TRUST_DOMAIN,
        &PERMISSIONS,
        &DENY,
        &ROLES,
        &ENABLED_UNTIL,
        &SHADOW,
        &PASSWORD_HASH,
        &PASSWORD_HASH_FILE,
        &CLIENT_TOKEN,
        &TOKEN_ISSUER,
        &request_limits::BODY_SIZE,
        &request_limits::REQUEST_RATE,
        &request_limits::REQUEST_BURST,
        &request_limits::CONCURRENCY,
        &request_limits::DAILY_QUOTA,
        &request_limits::REQUEST_TIME,
        &UPSTREAM,
    ],
};

pub(in crate::config) static ACCOUNT_BASIC_CREDENTIALS: Key<TextValue> = Key::new(
    "basic_credentials",
    TextValue(TextForm::SecretSource),
    "File with `user:password` for HTTP basic authentication.",
);

pub(in crate::config) static ACCOUNT_CERTIFICATE: Key<TextValue> = Key::new(
    "certificate",
    TextValue(TextForm::Path),
    "PEM or PKCS#12 file with its client certificate for the upstream. Its requests use connections \
     of their own.",
);

pub(in crate::config) static ACCOUNT_PRIVATE_KEY: Key<TextValue> = Key::new(
    "private_key",
    TextValue(TextForm::Path),
    "PEM or PKCS#12 file with the key. Not needed if `certificate` is PKCS#12 with the key.",
);

pub(in crate::config) static ACCOUNT_PASSPHRASE_FILE: Key<TextValue> = Key::new(
    "passphrase_file",
    TextValue(TextForm::SecretSource),
    "File with the passphrase of an encrypted key or PKCS#12 file, in one line.",
);

pub(in crate::config) static ACCOUNT: TableKeys = TableKeys {
    doc: "The account of the ApiUser at an upstream, in place of the gateway's own credentials \
     there. Either a password or a certificate.",
    keys: &[
        &ACCOUNT_BASIC_CREDENTIALS,
        &ACCOUNT_CERTIFICATE,
        &ACCOUNT_PRIVATE_KEY,
        &ACCOUNT_PASSPHRASE_FILE,
    ],
};
