//! Keys of `[passwords]` and `[token_issuer.NAME]`.

use super::key::{Key, TableKeys};
use super::value::*;

pub(in crate::config) static FAILURES_PER_USER: Key<IntegerValue> = Key::new(
    "failures_per_user",
    IntegerValue {
        least: 1,
        most: 1_000_000,
    },
    "Wrong passwords for one user in a window, after which the user gets 429 until it \
     ends. Sources from which the user has logged in within a day are exempt.",
)
.default_number(10);

pub(in crate::config) static FAILURES_PER_SOURCE: Key<IntegerValue> = Key::new(
    "failures_per_source",
    IntegerValue {
        least: 1,
        most: 1_000_000,
    },
    "Wrong passwords from one IPv4 address or IPv6 /64 in a window, after which the \
     source gets 429 until it ends.",
)
.default_number(10);

pub(in crate::config) static WINDOW: Key<DurationValue> =
    Key::new("window", DurationValue, "Length of the window.").default_text("1m");

pub(in crate::config) static REMEMBER: Key<DurationOrOff> = Key::new(
    "remember",
    DurationOrOff,
    "How long a verified password is cached.",
)
.default_text("1m");

pub(in crate::config) static PASSWORDS: TableKeys = TableKeys {
    doc: "Verification of passwords. Two are hashed at once; more wait, or get 503.",
    keys: &[&FAILURES_PER_USER, &FAILURES_PER_SOURCE, &WINDOW, &REMEMBER],
};

// Names of RFC 7518, resolved where signatures are verified.
const ALGORITHM_NAMES: Words<&str> = &[
    word("ES256", "ES256", "ECDSA with P-256."),
    word("ES384", "ES384", "ECDSA with P-384."),
    word("EdDSA", "EdDSA", "Ed25519."),
    word("PS256", "PS256", "RSA-PSS with SHA-256."),
    word("RS256", "RS256", "RSA PKCS#1 v1.5 with SHA-256."),
];

pub(in crate::config) static ISSUER: Key<TextValue> = Key::new(
    "issuer",
    TextValue(TextForm::Any),
    "Value of `iss`, compared exactly.",
)
.required("write what `iss` says in its tokens");

pub(in crate::config) static AUDIENCE: Key<TextList> = Key::new(
    "audience",
    TextList(TextForm::Any),
    "Accepted values of `aud`.",
);

pub(in crate::config) static JWKS: Key<TextValue> = Key::new(
    "jwks",
    TextValue(TextForm::Path),
    "File with the public keys (JWKS), in place of `jwks_url`.",
);

pub(in crate::config) static JWKS_URL: Key<TextValue> = Key::new(
    "jwks_url",
    TextValue(TextForm::Url),
    "`https` URL of the public keys. Until they were read, tokens get 503. If they cannot \
     be read again, the last keys stay.",
);

pub(in crate::config) static ANCHORS: Key<TextList> = Key::new(
    "anchors",
    TextList(TextForm::Path),
    "PEM files with the CAs for `jwks_url`. There is no default.",
);

pub(in crate::config) static REFRESH: Key<DurationValue> = Key::new(
    "refresh",
    DurationValue,
    "Interval between fetches of `jwks_url`. An unknown key causes an earlier fetch.",
)
.default_text("10m");

pub(in crate::config) static ALGORITHMS: Key<ChoiceList<&'static str>> = Key::new(
    "algorithms",
    ChoiceList(ALGORITHM_NAMES),
    "Accepted signature algorithms.",
)
.default_texts(&["ES256", "EdDSA", "PS256", "RS256"]);

pub(in crate::config) static USER_CLAIM: Key<TextValue> = Key::new(
    "user_claim",
    TextValue(TextForm::Any),
    "The claim that names the ApiUser by its `client_token`.",
)
.default_text("sub");

pub(in crate::config) static LEEWAY: Key<DurationOrZero> = Key::new(
    "leeway",
    DurationOrZero,
    "Tolerated clock difference for `exp`, `nbf` and `iat`.",
)
.default_text("30s");

pub(in crate::config) static TOKEN_ISSUER: TableKeys = TableKeys {
    doc: "An issuer of tokens: JWTs in `Authorization: Bearer` that are bound to the client \
     certificate (RFC 8705).",
    keys: &[
        &ISSUER,
        &AUDIENCE,
        &JWKS,
        &JWKS_URL,
        &ANCHORS,
        &REFRESH,
        &ALGORITHMS,
        &USER_CLAIM,
        &LEEWAY,
    ],
};
