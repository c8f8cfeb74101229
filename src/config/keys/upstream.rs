//! Keys of `[upstream.NAME]`.

use super::health::{HEALTH_TABLE, PERCENT};
use super::key::{Key, TableKeys};
use super::limits;
use super::value::*;
use crate::config::model::{
    CredentialsOfUsers, HeadMethod, HostHeader, LengthlessRedirect, Preset, ProxyProtocol,
    QuickAck, UpstreamHttp,
};

const HOSTS: Words<HostHeader> = &[
    word("client", HostHeader::Client, "The client's."),
    word(
        "endpoint",
        HostHeader::Endpoint,
        "The host of the endpoint.",
    ),
];

const HTTP_VERSIONS: Words<UpstreamHttp> = &[
    word("1.1", UpstreamHttp::Http1, "HTTP/1.1."),
    word(
        "2",
        UpstreamHttp::Http2,
        "HTTP/2: for `https` the endpoint must select it by ALPN, for `http` it must know.",
    ),
    word(
        "auto",
        UpstreamHttp::Auto,
        "For `https` HTTP/2 if the endpoint selects it by ALPN, otherwise HTTP/1.1.",
    ),
];

const PROXY_PROTOCOLS: Words<ProxyProtocol> = &[
    word("off", ProxyProtocol::Off, "No PROXY header."),
    word(
        "v2",
        ProxyProtocol::V2,
        "A header of version 2, also before TLS, with address, server name and common name of \
     the client. Each connection serves one request.",
    ),
];

/// APIs that the gateway knows, also for routes.
pub(super) const PRESETS: Words<Preset> =
    &[word("icinga2", Preset::Icinga2, "The API of Icinga 2.")];
const HEAD_METHODS: Words<HeadMethod> = &[
    word("head", HeadMethod::Head, "HEAD."),
    word("get", HeadMethod::Get, "GET; the response body is dropped."),
];

const REDIRECTS: Words<LengthlessRedirect> = &[
    word(
        "until-close",
        LengthlessRedirect::UntilClose,
        "Its body ends when the upstream closes the connection, as in HTTP.",
    ),
    word("empty", LengthlessRedirect::Empty, "It has no body."),
];

const QUICK_ACKS: Words<QuickAck> = &[
    word("off", QuickAck::Off, "By the default of the system."),
    word(
        "adaptive",
        QuickAck::Adaptive,
        "At once while a response is incomplete. For upstreams that write small pieces and \
     gather them (Nagle).",
    ),
];

const OWN_CREDENTIALS: Words<CredentialsOfUsers> = &[
    word(
        "optional",
        CredentialsOfUsers::Optional,
        "An ApiUser without an account uses the gateway's credentials.",
    ),
    word(
        "required",
        CredentialsOfUsers::Required,
        "An ApiUser without an account is denied (403, `no_upstream_credentials`).",
    ),
];

pub(in crate::config) static ENDPOINTS: Key<TextList> = Key::new(
    "endpoints",
    TextList(TextForm::Url),
    "`http://host:port` or `https://host:port`; `h2c://` and `grpc://` are HTTP/2 without \
     TLS, `grpcs://` is HTTP/2 with TLS. Round robin. If an endpoint cannot be reached, the \
     next one is used; one that fails repeatedly is ejected (`health`).",
);

pub(in crate::config) static ANCHORS: Key<TextList> = Key::new(
    "anchors",
    TextList(TextForm::Path),
    "PEM files with the CAs for `https` endpoints. There is no default.",
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

pub(in crate::config) static BASIC_CREDENTIALS: Key<TextValue> = Key::new(
    "basic_credentials",
    TextValue(TextForm::SecretSource),
    "File with `user:password` for HTTP basic authentication. It replaces the client's.",
);

pub(in crate::config) static HTTP_VERSION: Key<Choice<UpstreamHttp>> = Key::new(
    "http_version",
    Choice(HTTP_VERSIONS),
    "The HTTP version of `http` and `https` endpoints. WebSockets need HTTP/1.1.",
)
.default_text("1.1");

pub(in crate::config) static HOST_HEADER: Key<Choice<HostHeader>> =
    Key::new("host_header", Choice(HOSTS), "The `Host` of requests.").default_text("client");

pub(in crate::config) static POOL_IDLE_TIMEOUT: Key<DurationValue> = Key::new(
    "pool_idle_timeout",
    DurationValue,
    "How long an idle connection is kept. It should be below the upstream's own timeout.",
)
.default_is("`\"30s\"`; `\"8s\"` with `preset = \"icinga2\"`");

pub(in crate::config) static POOL_SIZE: Key<IntegerValue> = Key::new(
    "pool_size",
    IntegerValue {
        least: 0,
        most: 100_000,
    },
    "Maximum of idle connections that each worker keeps for each endpoint.",
)
.default_is("as many as were in use at once within `pool_idle_timeout`");

pub(in crate::config) static IDENTITY_HEADERS: Key<TextList> = Key::new(
    "identity_headers",
    TextList(TextForm::Any),
    "Header sets that tell this upstream the client identity.",
)
.default_is("`sets` of `[identity_headers]`");

pub(in crate::config) static JWT_AUDIENCE: Key<TextValue> = Key::new(
    "jwt_audience",
    TextValue(TextForm::Any),
    "Audience (`aud`) of assertions.",
)
.default_is("the NAME");

pub(in crate::config) static PROXY_PROTOCOL: Key<Choice<ProxyProtocol>> = Key::new(
    "proxy_protocol",
    Choice(PROXY_PROTOCOLS),
    "Whether connections begin with a PROXY header.",
)
.default_text("off");

pub(in crate::config) static PRESET: Key<Choice<Preset>> = Key::new(
    "preset",
    Choice(PRESETS),
    "Defaults for an upstream that the gateway knows. `icinga2`: `pool_idle_timeout = \
     \"8s\"`, `head = \"get\"`, `lengthless_redirect = \"empty\"`, `connect_retry = \
     \"300ms\"`, `hold_back = \"48KiB\"`, `quick_ack = \"adaptive\"`.",
);

pub(in crate::config) static HEAD: Key<Choice<HeadMethod>> = Key::new(
    "head",
    Choice(HEAD_METHODS),
    "Method of the upstream request for HEAD.",
)
.default_text("head");

pub(in crate::config) static LENGTHLESS_REDIRECT: Key<Choice<LengthlessRedirect>> = Key::new(
    "lengthless_redirect",
    Choice(REDIRECTS),
    "Body of a redirect with neither a length nor `Connection: close`.",
)
.default_text("until-close");

pub(in crate::config) static CONNECT_RETRY: Key<DurationOrOff> = Key::new(
    "connect_retry",
    DurationOrOff,
    "How long refused connections are retried, as during a reload. Idempotent requests \
     without a response, with bodies of at most 16 KiB, are also repeated for so long, \
     three times at most.",
)
.default_text("off");

pub(in crate::config) static HOLD_BACK: Key<SizeOrOff> = Key::new(
    "hold_back",
    SizeOrOff::HeldBack,
    "Responses to these requests up to this size are forwarded only once they are \
     complete, so that a cut one can be repeated.",
)
.default_text("off");

pub(in crate::config) static QUICK_ACK: Key<Choice<QuickAck>> = Key::new(
    "quick_ack",
    Choice(QUICK_ACKS),
    "When received data is acknowledged.",
)
.default_text("off");

pub(in crate::config) static CREDENTIALS_OF_USERS: Key<Choice<CredentialsOfUsers>> = Key::new(
    "credentials_of_users",
    Choice(OWN_CREDENTIALS),
    "Who may use the gateway's own credentials.",
)
.default_text("optional");

pub(in crate::config) static RETRY_PERCENT: Key<IntegerValue> = Key::new(
    "retry_percent",
    PERCENT,
    "Retries on another endpoint, as a percentage of the requests of a worker, beside one per \
     second. A request is retried if no byte was sent, or if its method is idempotent and its \
     body has at most 16 KiB. 0: no retries on other endpoints.",
)
.default_number(20);

pub(in crate::config) static UPSTREAM: TableKeys = TableKeys {
    doc: "Servers behind the gateway.",
    keys: &[
        &ENDPOINTS,
        &ANCHORS,
        &SERVER_NAME,
        &CERTIFICATE,
        &PRIVATE_KEY,
        &PASSPHRASE_FILE,
        &BASIC_CREDENTIALS,
        &HTTP_VERSION,
        &HOST_HEADER,
        &POOL_IDLE_TIMEOUT,
        &POOL_SIZE,
        &IDENTITY_HEADERS,
        &JWT_AUDIENCE,
        &PROXY_PROTOCOL,
        &PRESET,
        &HEAD,
        &LENGTHLESS_REDIRECT,
        &CONNECT_RETRY,
        &HOLD_BACK,
        &QUICK_ACK,
        &CREDENTIALS_OF_USERS,
        &RETRY_PERCENT,
        &HEALTH_TABLE,
        &limits::CONNECT_TIMEOUT,
        &limits::RESPONSE_TIMEOUT,
        &limits::IDLE_TIMEOUT,
    ],
};
