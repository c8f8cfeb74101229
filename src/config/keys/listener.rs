//! Keys of `[listener.NAME]`, its hosts and its front proxies.

use super::key::{Key, TableKeys};
use super::limits;
use super::value::*;
use crate::config::model::{Belief, ClientAuth, ForwardedIdentity, RecordLayer};

const RECORD_LAYERS: Words<RecordLayer> = &[
    word(
        "rustls",
        RecordLayer::Rustls,
        "rustls. The only choice in a build with the feature `fips`.",
    ),
    word(
        "in-place",
        RecordLayer::InPlace,
        "The gateway, without a copy, with keys that rustls has negotiated.",
    ),
];

/// Whether a client must authenticate, also for routes.
pub(super) const CLIENT_AUTH_WORDS: Words<ClientAuth> = &[
    word(
        "required",
        ClientAuth::Required,
        "A client must authenticate.",
    ),
    word(
        "optional",
        ClientAuth::Optional,
        "A client may authenticate.",
    ),
    word("off", ClientAuth::Off, "No client is identified."),
];
pub(in crate::config) static ADDRESS: Key<TextValue> = Key::new(
    "address",
    TextValue(TextForm::Address),
    "`IP:PORT`. Port 0 takes a free port, which the log names.",
)
.required(
    "write `address = \"127.0.0.1:8443\"`, or `0.0.0.0:8443` for all addresses of this \
     machine",
);

pub(in crate::config) static RECORD_LAYER: Key<Choice<RecordLayer>> = Key::new(
    "record_layer",
    Choice(RECORD_LAYERS),
    "TLS 1.3 record layer for HTTP/1.1.",
)
.default_is("`\"in-place\"`; `\"rustls\"` in a build with the feature `fips`");

pub(in crate::config) static HOST_TABLES: Key<ListedTables> = Key::new(
    "host",
    ListedTables(&HOST),
    "Further certificates of the listener, by server name (SNI).",
);

pub(in crate::config) static HALF_OPEN_EXEMPT: Key<TextList> = Key::new(
    "half_open_exempt",
    TextList(TextForm::Network),
    "Networks without the limit `half_open_per_source`, such as load balancers or a large \
     NAT.",
);

pub(in crate::config) static FRONT_PROXY_TABLE: Key<TableValue> = Key::new(
    "front_proxy",
    TableValue(&FRONT_PROXY),
    "Proxies in front of the gateway that terminate TLS and forward client identities.",
);

pub(in crate::config) static CERTIFICATE: Key<TextValue> = Key::new(
    "certificate",
    TextValue(TextForm::Path),
    "PEM or PKCS#12 file with the certificate chain, in PEM leaf first. A listener with \
     `[[listener.NAME.host]]` may leave it out; then unknown server names are rejected.",
);

pub(in crate::config) static PRIVATE_KEY: Key<TextValue> = Key::new(
    "private_key",
    TextValue(TextForm::Path),
    "PEM file with the key (PKCS#8, PKCS#1 or SEC1), or PKCS#12. Not needed if `certificate` is \
     PKCS#12 with the key.",
);

pub(in crate::config) static PASSPHRASE_FILE: Key<TextValue> = Key::new(
    "passphrase_file",
    TextValue(TextForm::SecretSource),
    "File with the passphrase of an encrypted key or PKCS#12 file, in one line.",
);

pub(in crate::config) static CLIENT_AUTH: Key<Choice<ClientAuth>> = Key::new(
    "client_auth",
    Choice(CLIENT_AUTH_WORDS),
    "Whether a client must present a certificate in the handshake.",
)
.default_text("required");

pub(in crate::config) static TRUST_DOMAIN: Key<TextValue> = Key::new(
    "trust_domain",
    TextValue(TextForm::Name),
    "The trust domain that verifies client certificates.",
)
.default_is("the only trust domain");

pub(in crate::config) static TRUST_DOMAINS: Key<TextList> = Key::new(
    "trust_domains",
    TextList(TextForm::Name),
    "Several trust domains in place of `trust_domain`. Exactly one must verify a client.",
);

pub(in crate::config) static LISTENER: TableKeys = TableKeys {
    doc: "A listener for clients, with TLS.",
    keys: &[
        &ADDRESS,
        &limits::CONNECTIONS,
        &limits::HALF_OPEN_PER_SOURCE,
        &limits::HANDSHAKE_TIMEOUT,
        &limits::HEAD_TIMEOUT,
        &limits::HEAD_SIZE,
        &limits::KEEP_ALIVE_TIMEOUT,
        &limits::STREAMS,
        &RECORD_LAYER,
        &HOST_TABLES,
        &HALF_OPEN_EXEMPT,
        &FRONT_PROXY_TABLE,
        &CERTIFICATE,
        &PRIVATE_KEY,
        &PASSPHRASE_FILE,
        &CLIENT_AUTH,
        &TRUST_DOMAIN,
        &TRUST_DOMAINS,
    ],
};

pub(in crate::config) static HOST_NAMES: Key<TextList> = Key::new(
    "names",
    TextList(TextForm::Host),
    "Server names: exact names, or `*.example.org` for one label.",
)
.required("write the server names of this entry: `names = [\"api.example.org\"]`");

pub(in crate::config) static HOST: TableKeys = TableKeys {
    doc: "A certificate for some server names. A request for a host of another entry is \
     rejected with 421.",
    keys: &[
        &HOST_NAMES,
        &CERTIFICATE,
        &PRIVATE_KEY,
        &PASSPHRASE_FILE,
        &CLIENT_AUTH,
        &TRUST_DOMAIN,
        &TRUST_DOMAINS,
    ],
};

const IDENTITIES: Words<ForwardedIdentity> = &[
    word(
        "rfc9440",
        ForwardedIdentity::Rfc9440,
        "`Client-Cert` and `Client-Cert-Chain` (RFC 9440).",
    ),
    word(
        "xfcc",
        ForwardedIdentity::Xfcc,
        "`X-Forwarded-Client-Cert` as Envoy writes it: one element with `Cert`.",
    ),
    word(
        "proxy-v2",
        ForwardedIdentity::ProxyV2,
        "Every connection begins with a PROXY header, version 2, with the client's \
     certificate.",
    ),
];

const BELIEFS: Words<Belief> = &[
    word(
        "certificate",
        Belief::Certificate,
        "Certificates, which the gateway verifies.",
    ),
    word(
        "common-name",
        Belief::CommonName,
        "With `proxy-v2` also a common name without certificate. Expiry and CRLs are not \
     checked.",
    ),
];

pub(in crate::config) static FRONT_PROXY_IDENTITY: Key<Choice<ForwardedIdentity>> = Key::new(
    "identity",
    Choice(IDENTITIES),
    "How the front proxies forward the client identity.",
)
.required("write how the proxy says who the client is: \"rfc9440\", \"xfcc\" or \"proxy-v2\"");

pub(in crate::config) static FRONT_PROXY_PEERS: Key<TextList> = Key::new(
    "peers",
    TextList(TextForm::Name),
    "The ApiUsers that are front proxies. Their permissions have no effect.",
);

pub(in crate::config) static FRONT_PROXY_SOURCES: Key<TextList> = Key::new(
    "sources",
    TextList(TextForm::Network),
    "Networks of the front proxies. At other addresses they are rejected.",
)
.default_is("every address");

pub(in crate::config) static FRONT_PROXY_TRUST_DOMAIN: Key<TextValue> = Key::new(
    "trust_domain",
    TextValue(TextForm::Name),
    "The trust domain that verifies the forwarded certificates.",
)
.required("name the domain that verifies the clients of the proxy");

pub(in crate::config) static FRONT_PROXY_BELIEVE: Key<Choice<Belief>> = Key::new(
    "believe",
    Choice(BELIEFS),
    "The forwarded identities that are accepted.",
)
.default_text("certificate");

pub(in crate::config) static FRONT_PROXY: TableKeys = TableKeys {
    doc: "Proxies that terminate TLS, authenticate to this listener with a certificate of \
     their own, and forward the client's. A front proxy has no rights of its own. The \
     gateway removes what other clients say about clients.",
    keys: &[
        &FRONT_PROXY_IDENTITY,
        &FRONT_PROXY_PEERS,
        &FRONT_PROXY_SOURCES,
        &FRONT_PROXY_TRUST_DOMAIN,
        &FRONT_PROXY_BELIEVE,
    ],
};
