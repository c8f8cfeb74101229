//! Decodes TOML tables to the model, with one function per table. The set of known keys is defined here alone.

mod admin;
mod authorizer;
mod audit;
mod client_auth;
mod credentials;
mod crl_fetch;
mod expect;
mod limits;
mod listener;
mod request_limits;
mod quirks;
mod route;
mod trust_domain;

use super::model::*;
use super::source::Spanned;
use super::table::TableReader;

/// Decodes all tables of one file into `config`, which may already contain those of other files.
pub(super) fn decode(
    mut root: TableReader<'_>,
    config: &mut Config,
    singles: &mut Vec<(&'static str, super::Place)>,
) {
    let mut single = |root: &mut TableReader<'_>,
                      key: &'static str,
                      read: &mut dyn FnMut(&mut TableReader<'_>)| {
        let Some(mut table) = root.table(key) else {
            return;
        };
        match singles.iter().find(|(name, _)| *name == key) {
            Some(_) => table.problems().error(
                table.place(),
                format!("`[{key}]` is defined in more than one file"),
                "keep it in the main file",
            ),
            None => singles.push((key, table.place())),
        }
        read(&mut table);
    };
    single(&mut root, "gateway", &mut |table| {
        config.gateway = gateway(table)
    });
    single(&mut root, "admin", &mut |table| {
        config.admin = Some(admin::admin(table))
    });
    single(&mut root, "metrics", &mut |table| {
        config.metrics = Some(admin::metrics(table))
    });
    single(&mut root, "access_log", &mut |table| {
        config.access_log = AccessLogTable {
            format: log_format(table),
            path: table.string("path"),
        };
    });
    single(&mut root, "audit_log", &mut |table| {
        config.audit_log = Some(audit::audit_log(table))
    });
    single(&mut root, "log", &mut |table| {
        config.log = Log {
            level: table.string("level"),
            format: log_format(table),
        };
    });
    single(&mut root, "limits", &mut |table| {
        config.limits = limits::limits(table)
    });
    single(&mut root, "identity_headers", &mut |table| {
        config.identity_headers = identity_headers(table)
    });
    single(&mut root, "expiry", &mut |table| {
        config.expiry = expiry(table)
    });
    single(&mut root, "passwords", &mut |table| {
        config.passwords = credentials::passwords(table)
    });
    decode_named(&mut root, config);
}

/// All `[api_user.NAME]`.
pub(super) fn api_users(root: &mut TableReader<'_>) -> impl Iterator<Item = ApiUserTable> {
    root.named_tables("api_user")
        .into_iter()
        .map(|(name, mut table)| api_user(name, &mut table))
}

/// Decodes named tables, routes and expectations.
fn decode_named(root: &mut TableReader<'_>, config: &mut Config) {
    config.listeners.extend(
        root.named_tables("listener")
            .into_iter()
            .map(|(name, table)| listener::listener(name, table)),
    );
    config.trust_domains.extend(
        root.named_tables("trust_domain")
            .into_iter()
            .map(|(name, mut table)| trust_domain::trust_domain(name, &mut table)),
    );
    config.api_users.extend(api_users(root));
    config.roles.extend(
        root.named_tables("role")
            .into_iter()
            .map(|(name, mut table)| Role {
                name,
                client_o: table.strings("client_o"),
                client_ou: table.strings("client_ou"),
                trust_domain: table.string("trust_domain"),
                permissions: table.permissions("permissions"),
                deny: table.permissions("deny"),
                roles: table.strings("roles"),
                request_limits: request_limits::request_limits_of_user(&mut table),
            }),
    );
    config.upstreams.extend(
        root.named_tables("upstream")
            .into_iter()
            .map(|(name, mut table)| upstream(name, &mut table)),
    );
    config.token_issuers.extend(
        root.named_tables("token_issuer")
            .into_iter()
            .map(|(name, mut table)| credentials::token_issuer(name, &mut table)),
    );
    let authorizers = root.named_tables("authorizer").into_iter();
    config
        .authorizers
        .extend(authorizers.map(|(name, mut table)| authorizer::authorizer(name, &mut table)));
    config.routes.extend(
        root.listed_tables("route")
            .into_iter()
            .map(|mut table| route::route(&mut table)),
    );
    expectations(root, config);
}

/// Decodes `[[expect]]`.
pub(super) fn expectations(root: &mut TableReader<'_>, config: &mut Config) {
    let tables = root.listed_tables("expect").into_iter();
    config
        .expectations
        .extend(tables.filter_map(|mut table| expect::expectation(&mut table)));
}

fn gateway(table: &mut TableReader<'_>) -> GatewayTable {
    let workers = match table.holds_string("workers") {
        true => table
            .choice("workers", &[("auto", None)])
            .and_then(|word| word.value),
        false => table.integer("workers", 1..=1024),
    };
    GatewayTable {
        workers,
        drain_deadline: table.duration("drain_deadline"),
        drain_delay: table.duration_or_zero("drain_delay"),
        user: table.string("user"),
        shadow: table.shadow(),
    }
}

fn identity_headers(table: &mut TableReader<'_>) -> IdentityHeaders {
    let jwt = table.table("jwt").map(|mut jwt| Assertions {
        place: jwt.place(),
        keys: jwt.strings("keys"),
        issuer: jwt.string("issuer"),
        lifetime: jwt.spanned_duration("lifetime"),
    });
    IdentityHeaders {
        sets: table.strings_if_said("sets"),
        jwt,
    }
}

fn expiry(table: &mut TableReader<'_>) -> ExpiryTable {
    let warn_before = table.duration_or_off("warn_before");
    ExpiryTable {
        warn_before,
        response_header: table.string("response_header"),
    }
}

fn log_format(table: &mut TableReader<'_>) -> Option<Spanned<LogFormat>> {
    table.choice(
        "format",
        &[
            ("json", LogFormat::Json),
            ("text", LogFormat::Text),
            ("off", LogFormat::Off),
        ],
    )
}

fn api_user(name: Spanned<String>, table: &mut TableReader<'_>) -> ApiUserTable {
    ApiUserTable {
        name,
        client_cn: table.strings("client_cn"),
        client_dns: table.strings("client_dns"),
        client_uri: table.strings("client_uri"),
        client_email: table.strings("client_email"),
        client_fingerprint: table.strings("client_fingerprint"),
        client_spki: table.strings("client_spki"),
        tolerate_expiry: table.duration("tolerate_expiry"),
        trust_domain: table.string("trust_domain"),
        empty_permissions: table.place_of_empty_list("permissions"),
        permissions: table.permissions("permissions"),
        deny: table.permissions("deny"),
        roles: table.strings("roles"),
        enabled_until: table.string("enabled_until"),
        shadow: table.shadow(),
        password_hashes: table.strings("password_hash"),
        password_hash_files: table.strings("password_hash_file"),
        client_token: table.strings("client_token"),
        token_issuer: table.string("token_issuer"),
        request_limits: request_limits::request_limits_of_user(table),
        upstream_accounts: quirks::upstream_accounts(table),
    }
}

fn upstream(name: Spanned<String>, table: &mut TableReader<'_>) -> UpstreamTable {
    UpstreamTable {
        name,
        endpoints: table.strings("endpoints"),
        anchors: table.strings("anchors"),
        server_name: table.string("server_name"),
        certificate: table.string("certificate"),
        private_key: table.string("private_key"),
        basic_credentials: table.string("basic_credentials"),
        host_header: table.choice(
            "host_header",
            &[
                ("client", HostHeader::Client),
                ("endpoint", HostHeader::Endpoint),
            ],
        ),
        pool_idle_timeout: table.duration("pool_idle_timeout"),
        pool_size: table.integer("pool_size", 0..=100_000),
        identity_headers: table.strings_if_said("identity_headers"),
        jwt_audience: table.string("jwt_audience"),
        proxy_protocol: table.choice(
            "proxy_protocol",
            &[("off", ProxyProtocol::Off), ("v2", ProxyProtocol::V2)],
        ),
        quirks: quirks::quirks(table),
        limits: limits::upstream_limits(table),
    }
}
