//! Keys of `[identity_headers]` and `[expiry]`.

use super::key::{Key, TableKeys};
use super::value::*;

pub(in crate::config) static JWT_TABLE: Key<TableValue> = Key::new(
    "jwt",
    TableValue(&JWT),
    "Signed assertions of the client identity, for the header set `jwt`.",
);

pub(in crate::config) static SETS: Key<TextList> = Key::new(
    "sets",
    TextList(TextForm::Any),
    "Header sets for each upstream without `identity_headers`: `x-client`, `x-ssl`, \
     `nginx`, `xfcc`, `xfcc-cert`, `rfc9440`, `jwt`; `[]` or `off` for none.",
)
.default_texts(&["x-client"]);

pub(in crate::config) static IDENTITY_HEADERS: TableKeys = TableKeys {
    doc: "Header fields that tell upstreams the client identity. The gateway removes all of \
     them from the requests of clients.",
    keys: &[&JWT_TABLE, &SETS],
};

pub(in crate::config) static JWT_KEYS: Key<TextList> = Key::new(
    "keys",
    TextList(TextForm::Path),
    "PEM files with private keys (PKCS#8, Ed25519 or P-256). The first signs. All are \
     published at `/.well-known/jwks.json` of the admin listener.",
);

pub(in crate::config) static JWT_ISSUER: Key<TextValue> = Key::new(
    "issuer",
    TextValue(TextForm::Any),
    "Issuer of the assertions (`iss`).",
)
.default_text("portcullis");

pub(in crate::config) static JWT_LIFETIME: Key<DurationValue> = Key::new(
    "lifetime",
    DurationValue,
    "Lifetime of an assertion, from 2 s to 1 h. The gateway renews it at half of it.",
)
.default_text("60s");

pub(in crate::config) static JWT: TableKeys = TableKeys {
    doc: "Signed assertions: a short JWT in `X-Portcullis-Assertion` that the upstream can \
     verify.",
    keys: &[&JWT_KEYS, &JWT_ISSUER, &JWT_LIFETIME],
};

pub(in crate::config) static WARN_BEFORE: Key<DurationOrOff> = Key::new(
    "warn_before",
    DurationOrOff,
    "Remaining validity below which certificates cause warnings: those of clients in the \
     log, once for each user and day; those of the gateway by `check`.",
)
.default_text("30d");

pub(in crate::config) static RESPONSE_HEADER: Key<TextValue> = Key::new(
    "response_header",
    TextValue(TextForm::HeaderName),
    "Response field that tells the client within that time when its certificate expires, \
     as an HTTP date.",
)
.default_is("no field");

pub(in crate::config) static EXPIRY: TableKeys = TableKeys {
    doc: "Warnings about certificates that expire soon.",
    keys: &[&WARN_BEFORE, &RESPONSE_HEADER],
};
