//! Keys of `[[expect]]`.

use super::key::{Key, TableKeys};
use super::value::*;
use crate::config::model::{Claim, ExpectedVerdict};

/// A key that identifies the client.
pub(in crate::config) struct ClaimKey {
    pub(in crate::config) key: &'static Key<TextValue>,
    pub(in crate::config) claim: Claim,
}

const fn claim(key: &'static Key<TextValue>, claim: Claim) -> ClaimKey {
    ClaimKey { key, claim }
}

/// The keys that identify the client. An expectation has one of them, or none for a client without a certificate.
pub(in crate::config) static CLAIMS: [ClaimKey; 8] = [
    claim(&USER, Claim::User),
    claim(&CN, Claim::CommonName),
    claim(&DNS, Claim::Dns),
    claim(&URI, Claim::Uri),
    claim(&EMAIL, Claim::Email),
    claim(&FINGERPRINT, Claim::Fingerprint),
    claim(&SPKI, Claim::Spki),
    claim(&CERTIFICATE, Claim::Certificate),
];

const VERDICTS: Words<ExpectedVerdict> = &[
    word(
        "permit",
        ExpectedVerdict::Permit,
        "The request is permitted, possibly only by shadow mode.",
    ),
    word("refuse", ExpectedVerdict::Refuse, "The request is denied."),
];

pub(in crate::config) static USER: Key<TextValue> = Key::new(
    "user",
    TextValue(TextForm::Name),
    "The client is this ApiUser.",
);

pub(in crate::config) static CN: Key<TextValue> = Key::new(
    "cn",
    TextValue(TextForm::Any),
    "Common name of a verified certificate.",
);

pub(in crate::config) static DNS: Key<TextValue> = Key::new(
    "dns",
    TextValue(TextForm::Host),
    "DNS name of a verified certificate.",
);

pub(in crate::config) static URI: Key<TextValue> = Key::new(
    "uri",
    TextValue(TextForm::Any),
    "URI of a verified certificate.",
);

pub(in crate::config) static EMAIL: Key<TextValue> = Key::new(
    "email",
    TextValue(TextForm::Any),
    "E-mail address of a verified certificate.",
);

pub(in crate::config) static FINGERPRINT: Key<TextValue> = Key::new(
    "fingerprint",
    TextValue(TextForm::Any),
    "SHA-256 of a verified certificate.",
);

pub(in crate::config) static SPKI: Key<TextValue> = Key::new(
    "spki",
    TextValue(TextForm::Any),
    "SHA-256 of the public key of a verified certificate.",
);

pub(in crate::config) static CERTIFICATE: Key<TextValue> = Key::new(
    "certificate",
    TextValue(TextForm::Path),
    "PEM file with a chain, leaf first, which is verified.",
);

pub(in crate::config) static METHOD: Key<TextValue> = Key::new(
    "method",
    TextValue(TextForm::Any),
    "The method, with `url` in place of `request`.",
);

pub(in crate::config) static URL: Key<TextValue> = Key::new(
    "url",
    TextValue(TextForm::Any),
    "A URL, or a path of the host `localhost`.",
);

pub(in crate::config) static REQUEST: Key<TextValue> = Key::new(
    "request",
    TextValue(TextForm::Any),
    "Method, a blank, and a URL or a path of the host `localhost`.",
);

pub(in crate::config) static VERDICT: Key<Choice<ExpectedVerdict>> =
    Key::new("verdict", Choice(VERDICTS), "The expected decision.")
        .required("write what is expected: \"permit\" or \"refuse\"");

pub(in crate::config) static TRUST_DOMAIN: Key<TextValue> = Key::new(
    "trust_domain",
    TextValue(TextForm::Name),
    "The trust domain that verified the client.",
)
.default_is("the only trust domain");

pub(in crate::config) static FRONT_PROXY: Key<BooleanValue> = Key::new(
    "front_proxy",
    BooleanValue,
    "Whether a front proxy of the listener forwards the client.",
)
.default_boolean(false);

pub(in crate::config) static LISTENER: Key<TextValue> = Key::new(
    "listener",
    TextValue(TextForm::Name),
    "The listener of the request.",
)
.default_is("the only listener");

pub(in crate::config) static HEADERS: Key<TextMap> = Key::new(
    "headers",
    TextMap,
    "Header fields of the request beside `Host`.",
);

pub(in crate::config) static BODY: Key<TextValue> =
    Key::new("body", TextValue(TextForm::Any), "The request body.");

pub(in crate::config) static SOURCE: Key<TextValue> = Key::new(
    "source",
    TextValue(TextForm::Any),
    "IP address of the client.",
)
.default_text("127.0.0.1");

pub(in crate::config) static AT: Key<TextValue> =
    Key::new("at", TextValue(TextForm::Time), "Time of the request.").default_is("now");

pub(in crate::config) static REASON: Key<TextValue> = Key::new(
    "reason",
    TextValue(TextForm::Any),
    "The expected reason, as in the access log.",
);

pub(in crate::config) static PERMISSION: Key<TextValue> = Key::new(
    "permission",
    TextValue(TextForm::Permission),
    "The expected permission that decides, as it is written.",
);

pub(in crate::config) static EXPECT: TableKeys = TableKeys {
    doc: "A request with its expected decision. `portcullis check` evaluates it; `run` and \
     reloads only read it. The client is identified by one of the first eight keys; \
     without any it has no certificate.",
    keys: &[
        &USER,
        &CN,
        &DNS,
        &URI,
        &EMAIL,
        &FINGERPRINT,
        &SPKI,
        &CERTIFICATE,
        &METHOD,
        &URL,
        &REQUEST,
        &VERDICT,
        &TRUST_DOMAIN,
        &FRONT_PROXY,
        &LISTENER,
        &HEADERS,
        &BODY,
        &SOURCE,
        &AT,
        &REASON,
        &PERMISSION,
    ],
};
