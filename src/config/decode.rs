//! Decodes TOML tables to the model, with one function per table. `keys` lists the keys.

mod admin;
mod authorizer;
mod audit;
mod client_certificate;
mod credentials;
mod crl_fetch;
mod expect;
mod health;
mod limits;
mod listener;
mod request_limits;
mod quirks;
mod route;
mod trust_domain;

use super::keys::{
    Key, Placement, TableValue, identity_headers, logs, process, role, root, upstream, user,
};
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
                      key: &Key<TableValue>,
                      read: &mut dyn FnMut(&mut TableReader<'_>)| {
        let Some(mut table) = root.table(key) else {
            return;
        };
        let name = key.name();
        match singles.iter().find(|(single, _)| *single == name) {
            Some(_) if key.placement() == Placement::OneFile => table.problems().error(
                table.place(),
                format!("`[{name}]` is defined in more than one file"),
                "keep it in the main file",
            ),
            Some(_) => {}
            None => singles.push((name, table.place())),
        }
        read(&mut table);
    };
    single(&mut root, &root::GATEWAY, &mut |table| {
        config.gateway = gateway(table)
    });
    single(&mut root, &root::ADMIN, &mut |table| {
        config.admin = Some(admin::admin(table))
    });
    single(&mut root, &root::METRICS, &mut |table| {
        config.metrics = Some(admin::metrics(table))
    });
    single(&mut root, &root::ACCESS_LOG, &mut |table| {
        config.access_log = AccessLogTable {
            format: table.choice(&logs::ACCESS_FORMAT),
            path: table.string(&logs::ACCESS_PATH),
        };
    });
    single(&mut root, &root::AUDIT_LOG, &mut |table| {
        config.audit_log = Some(audit::audit_log(table))
    });
    single(&mut root, &root::LOG, &mut |table| {
        config.log = Log {
            level: table.string(&logs::LOG_LEVEL),
            format: table.choice(&logs::LOG_FORMAT),
        };
    });
    single(&mut root, &root::LIMITS, &mut |table| {
        config.limits = limits::limits(table)
    });
    single(&mut root, &root::IDENTITY_HEADERS, &mut |table| {
        config.identity_headers = decode_identity_headers(table)
    });
    single(&mut root, &root::EXPIRY, &mut |table| {
        config.expiry = expiry(table)
    });
    single(&mut root, &root::PASSWORDS, &mut |table| {
        config.passwords = credentials::passwords(table)
    });
    decode_named(&mut root, config);
}

/// All `[api_user.NAME]`.
pub(super) fn api_users(root: &mut TableReader<'_>) -> impl Iterator<Item = ApiUserTable> {
    root.named_tables(&root::API_USER)
        .into_iter()
        .map(|(name, mut table)| api_user(name, &mut table))
}

/// Decodes named tables, routes and expectations.
fn decode_named(root: &mut TableReader<'_>, config: &mut Config) {
    config.listeners.extend(
        root.named_tables(&root::LISTENER)
            .into_iter()
            .map(|(name, table)| listener::listener(name, table)),
    );
    config.trust_domains.extend(
        root.named_tables(&root::TRUST_DOMAIN)
            .into_iter()
            .map(|(name, mut table)| trust_domain::trust_domain(name, &mut table)),
    );
    config.api_users.extend(api_users(root));
    config.roles.extend(
        root.named_tables(&root::ROLE)
            .into_iter()
            .map(|(name, mut table)| decode_role(name, &mut table)),
    );
    config.upstreams.extend(
        root.named_tables(&root::UPSTREAM)
            .into_iter()
            .map(|(name, mut table)| decode_upstream(name, &mut table)),
    );
    config.client_certificates.extend(
        root.named_tables(&root::CLIENT_CERTIFICATE)
            .into_iter()
            .map(|(name, mut table)| client_certificate::client_certificate(name, &mut table)),
    );
    config.token_issuers.extend(
        root.named_tables(&root::TOKEN_ISSUER)
            .into_iter()
            .map(|(name, mut table)| credentials::token_issuer(name, &mut table)),
    );
    let authorizers = root.named_tables(&root::AUTHORIZER).into_iter();
    config
        .authorizers
        .extend(authorizers.map(|(name, mut table)| authorizer::authorizer(name, &mut table)));
    config.routes.extend(
        root.listed_tables(&root::ROUTE)
            .into_iter()
            .map(|mut table| route::route(&mut table)),
    );
    expectations(root, config);
}

/// Decodes `[[expect]]`.
pub(super) fn expectations(root: &mut TableReader<'_>, config: &mut Config) {
    let tables = root.listed_tables(&root::EXPECT).into_iter();
    config
        .expectations
        .extend(tables.filter_map(|mut table| expect::expectation(&mut table)));
}

fn gateway(table: &mut TableReader<'_>) -> GatewayTable {
    let key = &process::WORKERS;
    let workers = match table.holds_string(key) {
        true => table.choice(&key.as_choice()).and_then(|word| word.value),
        false => table.integer(&key.as_other()),
    };
    GatewayTable {
        workers,
        drain_deadline: table.duration(&process::DRAIN_DEADLINE),
        drain_delay: table.duration_or_zero(&process::DRAIN_DELAY),
        user: table.string(&process::USER),
        shadow: table.shadow(&process::SHADOW),
    }
}

fn decode_identity_headers(table: &mut TableReader<'_>) -> IdentityHeaders {
    let jwt = table
        .table(&identity_headers::JWT_TABLE)
        .map(|mut jwt| Assertions {
            place: jwt.place(),
            keys: jwt.strings(&identity_headers::JWT_KEYS),
            issuer: jwt.string(&identity_headers::JWT_ISSUER),
            lifetime: jwt.spanned_duration(&identity_headers::JWT_LIFETIME),
        });
    IdentityHeaders {
        sets: table.optional_strings(&identity_headers::SETS),
        jwt,
    }
}

fn expiry(table: &mut TableReader<'_>) -> ExpiryTable {
    let warn_before = table.duration_or_off(&identity_headers::WARN_BEFORE);
    ExpiryTable {
        warn_before,
        response_header: table.string(&identity_headers::RESPONSE_HEADER),
    }
}

fn decode_role(name: Spanned<String>, table: &mut TableReader<'_>) -> Role {
    Role {
        name,
        client_o: table.strings(&role::CLIENT_O),
        client_ou: table.strings(&role::CLIENT_OU),
        trust_domain: table.string(&role::TRUST_DOMAIN),
        permissions: table.permissions(&role::PERMISSIONS),
        deny: table.permissions(&role::DENY),
        roles: table.strings(&role::ROLES),
        request_limits: request_limits::request_limits_of_user(table),
    }
}

fn api_user(name: Spanned<String>, table: &mut TableReader<'_>) -> ApiUserTable {
    ApiUserTable {
        name,
        client_cn: table.strings(&user::CLIENT_CN),
        client_dns: table.strings(&user::CLIENT_DNS),
        client_uri: table.strings(&user::CLIENT_URI),
        client_email: table.strings(&user::CLIENT_EMAIL),
        client_fingerprint: table.strings(&user::CLIENT_FINGERPRINT),
        client_spki: table.strings(&user::CLIENT_SPKI),
        tolerate_expiry: table.duration(&user::TOLERATE_EXPIRY),
        trust_domain: table.string(&user::TRUST_DOMAIN),
        empty_permissions: table.place_of_empty_list(&user::PERMISSIONS),
        permissions: table.permissions(&user::PERMISSIONS),
        deny: table.permissions(&user::DENY),
        roles: table.strings(&user::ROLES),
        enabled_until: table.string(&user::ENABLED_UNTIL),
        shadow: table.shadow(&user::SHADOW),
        password_hashes: table.strings(&user::PASSWORD_HASH),
        password_hash_files: table.strings(&user::PASSWORD_HASH_FILE),
        client_token: table.strings(&user::CLIENT_TOKEN),
        token_issuer: table.string(&user::TOKEN_ISSUER),
        request_limits: request_limits::request_limits_of_user(table),
        upstream_accounts: quirks::upstream_accounts(table),
    }
}

fn decode_upstream(name: Spanned<String>, table: &mut TableReader<'_>) -> UpstreamTable {
    UpstreamTable {
        name,
        endpoints: table.strings(&upstream::ENDPOINTS),
        anchors: table.strings(&upstream::ANCHORS),
        server_name: table.string(&upstream::SERVER_NAME),
        certificate: table.string(&upstream::CERTIFICATE),
        private_key: table.string(&upstream::PRIVATE_KEY),
        passphrase_file: table.string(&upstream::PASSPHRASE_FILE),
        basic_credentials: table.string(&upstream::BASIC_CREDENTIALS),
        http_version: table.choice(&upstream::HTTP_VERSION),
        host_header: table.choice(&upstream::HOST_HEADER),
        pool_idle_timeout: table.duration(&upstream::POOL_IDLE_TIMEOUT),
        pool_size: table.integer(&upstream::POOL_SIZE),
        identity_headers: table.optional_strings(&upstream::IDENTITY_HEADERS),
        jwt_audience: table.string(&upstream::JWT_AUDIENCE),
        proxy_protocol: table.choice(&upstream::PROXY_PROTOCOL),
        quirks: quirks::quirks(table),
        health: health::health(table),
        retry_percent: table.integer(&upstream::RETRY_PERCENT),
        limits: limits::upstream_limits(table),
    }
}
