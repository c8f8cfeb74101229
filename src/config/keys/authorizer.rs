//! Keys of `[authorizer.NAME]`.

use super::key::{Key, TableKeys};
use super::value::*;
use crate::config::model::{AuthorizerProtocol, WhenUnavailable};

const PROTOCOLS: Words<AuthorizerProtocol> = &[
    word(
        "forward-auth",
        AuthorizerProtocol::ForwardAuth,
        "HTTP, as in Traefik, Caddy and nginx: 2xx permits, 3xx and 4xx deny.",
    ),
    word(
        "ext-authz",
        AuthorizerProtocol::ExtAuthz,
        "gRPC, as in Envoy (`envoy.service.auth.v3.Authorization/Check`): status code 0 \
     permits.",
    ),
];

const UNAVAILABLE_WORDS: Words<WhenUnavailable> = &[
    word(
        "refuse",
        WhenUnavailable::Refuse,
        "They are denied (503, `authorizer_unavailable`).",
    ),
    word(
        "permit",
        WhenUnavailable::Permit,
        "They are permitted, counted and logged.",
    ),
];

pub(in crate::config) static PROTOCOL: Key<Choice<AuthorizerProtocol>> =
    Key::new("protocol", Choice(PROTOCOLS), "Protocol of the checks.")
        .required("write how it is asked: \"forward-auth\" (HTTP) or \"ext-authz\" (gRPC)");

pub(in crate::config) static ENDPOINT: Key<TextValue> = Key::new(
    "endpoint",
    TextValue(TextForm::Url),
    "`http` or `https` URL; for `ext-authz` without a path.",
)
.required("write for example `endpoint = \"http://127.0.0.1:9000/check\"`");

pub(in crate::config) static ANCHORS: Key<TextList> = Key::new(
    "anchors",
    TextList(TextForm::Path),
    "PEM files with the CAs for an `https` endpoint. There is no default.",
);

pub(in crate::config) static SERVER_NAME: Key<TextValue> = Key::new(
    "server_name",
    TextValue(TextForm::Host),
    "Required name in the certificate of an `https` endpoint.",
)
.default_is("the host of the endpoint");

pub(in crate::config) static CERTIFICATE: Key<TextValue> = Key::new(
    "certificate",
    TextValue(TextForm::Path),
    "PEM or PKCS#12 file with the gateway's client certificate.",
);

pub(in crate::config) static PRIVATE_KEY: Key<TextValue> = Key::new(
    "private_key",
    TextValue(TextForm::Path),
    "PEM or PKCS#12 file with the key. Not needed if `certificate` is PKCS#12 with the key.",
);

pub(in crate::config) static PASSPHRASE_FILE: Key<TextValue> = Key::new(
    "passphrase_file",
    TextValue(TextForm::SecretSource),
    "File with the passphrase of an encrypted key or PKCS#12 file, in one line.",
);

pub(in crate::config) static TIMEOUT: Key<DurationValue> =
    Key::new("timeout", DurationValue, "Maximum time of a check.").default_text("500ms");

pub(in crate::config) static UNAVAILABLE: Key<Choice<WhenUnavailable>> = Key::new(
    "unavailable",
    Choice(UNAVAILABLE_WORDS),
    "Handling of requests while the authorizer does not respond in time, or responds with \
     an error (5xx).",
)
.default_text("refuse");

pub(in crate::config) static CACHE: Key<DurationOrOff> = Key::new(
    "cache",
    DurationOrOff,
    "How long a verdict is cached, 16,384 at most.",
)
.default_text("off");

pub(in crate::config) static CACHE_KEY: Key<TextList> = Key::new(
    "cache_key",
    TextList(TextForm::Any),
    "What a cached verdict depends on: some of `user`, `method`, `host`, `path`, `query`, \
     `source`, `listener` and of `request_headers`, always `user`.",
)
.default_is("all of them");

pub(in crate::config) static REQUEST_HEADERS: Key<TextList> = Key::new(
    "request_headers",
    TextList(TextForm::HeaderName),
    "The client's header fields that it receives. `cookie` and `authorization` must be \
     named here.",
);

pub(in crate::config) static RESPONSE_HEADERS: Key<TextList> = Key::new(
    "response_headers",
    TextList(TextForm::HeaderName),
    "Header fields of its response that are sent to upstreams. They are removed from \
     clients' requests on every route.",
);

pub(in crate::config) static CONCURRENCY: Key<IntegerValue> = Key::new(
    "concurrency",
    IntegerValue {
        least: 1,
        most: 100_000,
    },
    "Maximum of concurrent checks of all workers. More wait within `timeout`.",
)
.default_number(256);

pub(in crate::config) static AUTHORIZER: TableKeys = TableKeys {
    doc: "An external authorizer, for routes that name it. It checks requests that the gateway \
     permits, and can only deny (403, `authorizer_denied`). It never receives bodies.",
    keys: &[
        &PROTOCOL,
        &ENDPOINT,
        &ANCHORS,
        &SERVER_NAME,
        &CERTIFICATE,
        &PRIVATE_KEY,
        &PASSPHRASE_FILE,
        &TIMEOUT,
        &UNAVAILABLE,
        &CACHE,
        &CACHE_KEY,
        &REQUEST_HEADERS,
        &RESPONSE_HEADERS,
        &CONCURRENCY,
    ],
};
