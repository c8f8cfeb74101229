//! Keys above the first table, and the names of all tables.

use super::key::{Key, Placement, TableKeys};
use super::value::*;
use super::{
    authorizer, client_certificate, credentials, expect, identity_headers, limits, listener, logs,
    process, role, route, trust_domain, upstream, user,
};

pub(in crate::config) static INCLUDE: Key<TextList> = Key::new(
    "include",
    TextList(TextForm::PathPattern),
    "Further config files, read in the order of their names. A wildcard (`*`, `?`) may \
     stand in the file name, not in a folder. It must stand above the first table.",
)
.placed(Placement::MainFile);

pub(in crate::config) static GATEWAY: Key<TableValue> =
    Key::new("gateway", TableValue(&process::GATEWAY), "The process.").placed(Placement::OneFile);

pub(in crate::config) static ADMIN: Key<TableValue> = Key::new(
    "admin",
    TableValue(&process::ADMIN),
    "The admin listener. Without the table there is none.",
)
.placed(Placement::OneFile);

pub(in crate::config) static METRICS: Key<TableValue> = Key::new(
    "metrics",
    TableValue(&process::METRICS),
    "The metrics listener. Without the table there is none.",
)
.placed(Placement::OneFile);

pub(in crate::config) static ACCESS_LOG: Key<TableValue> = Key::new(
    "access_log",
    TableValue(&logs::ACCESS_LOG),
    "The access log.",
)
.placed(Placement::OneFile);

pub(in crate::config) static AUDIT_LOG: Key<TableValue> = Key::new(
    "audit_log",
    TableValue(&logs::AUDIT_LOG),
    "The audit log. Without the table there is none.",
)
.placed(Placement::OneFile);

pub(in crate::config) static LOG: Key<TableValue> =
    Key::new("log", TableValue(&logs::LOG), "The process log.").placed(Placement::OneFile);

pub(in crate::config) static LIMITS: Key<TableValue> = Key::new(
    "limits",
    TableValue(&limits::LIMITS),
    "Limits of connections and requests.",
)
.placed(Placement::OneFile);

pub(in crate::config) static IDENTITY_HEADERS: Key<TableValue> = Key::new(
    "identity_headers",
    TableValue(&identity_headers::IDENTITY_HEADERS),
    "Header fields that tell upstreams the client identity.",
)
.placed(Placement::OneFile);

pub(in crate::config) static EXPIRY: Key<TableValue> = Key::new(
    "expiry",
    TableValue(&identity_headers::EXPIRY),
    "Warnings about certificates that expire soon.",
)
.placed(Placement::OneFile);

pub(in crate::config) static PASSWORDS: Key<TableValue> = Key::new(
    "passwords",
    TableValue(&credentials::PASSWORDS),
    "Verification of passwords.",
)
.placed(Placement::OneFile);

pub(in crate::config) static LISTENER: Key<NamedTables> = Key::new(
    "listener",
    NamedTables {
        name: "NAME",
        keys: &listener::LISTENER,
    },
    "The listeners for clients.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static TRUST_DOMAIN: Key<NamedTables> = Key::new(
    "trust_domain",
    NamedTables {
        name: "NAME",
        keys: &trust_domain::TRUST_DOMAIN,
    },
    "The CAs that verify client certificates.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static API_USER: Key<NamedTables> = Key::new(
    "api_user",
    NamedTables {
        name: "NAME",
        keys: &user::API_USER,
    },
    "The ApiUsers with their permissions.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static ROLE: Key<NamedTables> = Key::new(
    "role",
    NamedTables {
        name: "NAME",
        keys: &role::ROLE,
    },
    "Permissions and limits that several ApiUsers share.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static UPSTREAM: Key<NamedTables> = Key::new(
    "upstream",
    NamedTables {
        name: "NAME",
        keys: &upstream::UPSTREAM,
    },
    "The servers behind the gateway.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static CLIENT_CERTIFICATE: Key<NamedTables> = Key::new(
    "client_certificate",
    NamedTables {
        name: "\"PATTERN\"",
        keys: &client_certificate::CLIENT_CERTIFICATE,
    },
    "Client certificates by the host of an endpoint.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static TOKEN_ISSUER: Key<NamedTables> = Key::new(
    "token_issuer",
    NamedTables {
        name: "NAME",
        keys: &credentials::TOKEN_ISSUER,
    },
    "The issuers of accepted tokens.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static AUTHORIZER: Key<NamedTables> = Key::new(
    "authorizer",
    NamedTables {
        name: "NAME",
        keys: &authorizer::AUTHORIZER,
    },
    "External authorizers.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static ROUTE: Key<ListedTables> = Key::new(
    "route",
    ListedTables(&route::ROUTE),
    "The routes to upstreams.",
)
.placed(Placement::AnyFile);

pub(in crate::config) static EXPECT: Key<ListedTables> = Key::new(
    "expect",
    ListedTables(&expect::EXPECT),
    "Requests with their expected decisions.",
)
.placed(Placement::AnyFileAndExpectations);

pub(in crate::config) static ROOT: TableKeys = TableKeys {
    doc: "Paths are relative to the file that names them. Unknown keys are errors.",
    keys: &[
        &INCLUDE,
        &GATEWAY,
        &ADMIN,
        &METRICS,
        &ACCESS_LOG,
        &AUDIT_LOG,
        &LOG,
        &LIMITS,
        &IDENTITY_HEADERS,
        &EXPIRY,
        &PASSWORDS,
        &LISTENER,
        &TRUST_DOMAIN,
        &API_USER,
        &ROLE,
        &UPSTREAM,
        &CLIENT_CERTIFICATE,
        &TOKEN_ISSUER,
        &AUTHORIZER,
        &ROUTE,
        &EXPECT,
    ],
};

pub(in crate::config) static EXPECTATIONS: TableKeys = TableKeys {
    doc: "A file of `portcullis check --expect FILE`.",
    keys: &[&EXPECT],
};
