//! Keys of `[client_certificate."PATTERN"]`.

use super::key::{Key, TableKeys};
use super::value::*;

pub(in crate::config) static CERTIFICATE: Key<TextValue> = Key::new(
    "certificate",
    TextValue(TextForm::Path),
    "PEM or PKCS#12 file with the client certificate.",
)
.required("write `certificate = \"pki/gateway.crt\"`, or name a PKCS#12 file");

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

pub(in crate::config) static ANCHORS: Key<TextList> = Key::new(
    "anchors",
    TextList(TextForm::Path),
    "PEM files with the CAs of these hosts, for upstreams and authorizers without `anchors`.",
);

pub(in crate::config) static CLIENT_CERTIFICATE: TableKeys = TableKeys {
    doc: "A client certificate for the `https` endpoints of upstreams and authorizers at matching \
     hosts. PATTERN is a host name in which each `*` stands for one label, or an IP address. The \
     most specific pattern applies: the one with the most literal labels, and of several the one \
     with a literal label further to the right. An upstream or authorizer with a `certificate` of \
     its own uses that one. An `http` endpoint at a matching host is an error.",
    keys: &[&CERTIFICATE, &PRIVATE_KEY, &PASSPHRASE_FILE, &ANCHORS],
};
