//! From TOML tables to the model: one function for each table. Which keys exist is said here and nowhere else.

mod admin;
mod authorizer;
mod audit;
mod credentials;
mod crl_fetch;
mod expect;
mod request_limits;
mod manners;

use super::model::*;
use super::source::Spanned;
use super::table::TableReader;

/// Reads all tables of one file into `config`, which may already hold those of other files.
pub(super) fn decode(mut root: TableReader<'_>, config: &mut Config, singles: &mut Vec<(&'static str, super::Place)>) {
    let mut single = |root: &mut TableReader<'_>, key: &'static str, read: &mut dyn FnMut(&mut TableReader<'_>)| {
        let Some(mut table) = root.table(key) else { return };
        match singles.iter().find(|(seen, _)| *seen == key) {
            Some(_) => table.problems().error(
                table.place(),
                format!("`[{key}]` is defined in more than one file"),
                "keep it in the main file",
            ),
            None => singles.push((key, table.place())),
        }
        read(&mut table);
    };
    single(&mut root, "gateway", &mut |table| config.gateway = gateway(table));
    single(&mut root, "admin", &mut |table| config.admin = Some(admin::admin(table)));
    single(&mut root, "metrics", &mut |table| config.metrics = Some(admin::metrics(table)));
    single(&mut root, "access_log", &mut |table| {
        config.access_log = AccessLog { format: log_format(table), path: table.string("path") };
    });
    single(&mut root, "audit_log", &mut |table| config.audit_log = Some(audit::audit_log(table)));
    single(&mut root, "log", &mut |table| {
        config.log = Log { level: table.string("level"), format: log_format(table) };
    });
    single(&mut root, "limits", &mut |table| {
        config.limits = Limits {
            body_size: table.size_or_off("body_size", None),
            ..merge(connection_limits(table), upstream_limits(table))
        };
    });
    single(&mut root, "identity_headers", &mut |table| {
        let jwt = table.table("jwt").map(|mut jwt| Assertions {
            place: jwt.place(),
            keys: jwt.strings("keys"),
            issuer: jwt.string("issuer"),
            lifetime: jwt.spanned_duration("lifetime"),
        });
        config.identity_headers = IdentityHeaders { sets: table.strings_if_said("sets"), jwt };
    });
    single(&mut root, "expiry", &mut |table| {
        let warn_before = table.duration_or_off("warn_before");
        config.expiry = Expiry { warn_before, response_header: table.string("response_header") };
    });
    single(&mut root, "passwords", &mut |table| config.passwords = credentials::passwords(table));
    decode_named(&mut root, config);
}

/// All `[api_user.NAME]`.
pub(super) fn api_users(root: &mut TableReader<'_>) -> impl Iterator<Item = ApiUser> {
    root.named_tables("api_user").into_iter().map(|(name, mut table)| api_user(name, &mut table))
}

/// The tables that have names, and the routes.
fn decode_named(root: &mut TableReader<'_>, config: &mut Config) {
    config.listeners.extend(root.named_tables("listener").into_iter().map(|(name, table)| listener(name, table)));
    config
        .trust_domains
        .extend(root.named_tables("trust_domain").into_iter().map(|(name, mut table)| trust_domain(name, &mut table)));
    config.api_users.extend(api_users(root));
    config.roles.extend(root.named_tables("role").into_iter().map(|(name, mut table)| Role {
        name,
        client_o: table.strings("client_o"),
        client_ou: table.strings("client_ou"),
        trust_domain: table.string("trust_domain"),
        permissions: table.permissions("permissions"),
        deny: table.permissions("deny"),
        roles: table.strings("roles"),
        request_limits: request_limits::request_limits_of_user(&mut table),
    }));
    config
        .upstreams
        .extend(root.named_tables("upstream").into_iter().map(|(name, mut table)| upstream(name, &mut table)));
    config.token_issuers.extend(
        root.named_tables("token_issuer")
            .into_iter()
            .map(|(name, mut table)| credentials::token_issuer(name, &mut table)),
    );
    let authorizers = root.named_tables("authorizer").into_iter();
    config.authorizers.extend(authorizers.map(|(name, mut table)| authorizer::authorizer(name, &mut table)));
    config.routes.extend(root.listed_tables("route").into_iter().map(|mut table| route(&mut table)));
    expectations(root, config);
}

/// What the config expects of itself.
pub(super) fn expectations(root: &mut TableReader<'_>, config: &mut Config) {
    let tables = root.listed_tables("expect").into_iter();
    config.expectations.extend(tables.filter_map(|mut table| expect::expectation(&mut table)));
}

fn gateway(table: &mut TableReader<'_>) -> Gateway {
    let workers = match table.holds_string("workers") {
        true => table.choice("workers", &[("auto", None)]).and_then(|word| word.value),
        false => table.integer("workers", 1..=1024),
    };
    Gateway {
        workers,
        drain_deadline: table.duration("drain_deadline"),
        drain_delay: table.duration_or_zero("drain_delay"),
        user: table.string("user"),
        shadow: table.shadow(),
    }
}

fn log_format(table: &mut TableReader<'_>) -> Option<Spanned<LogFormat>> {
    table.choice("format", &[("json", LogFormat::Json), ("text", LogFormat::Text), ("off", LogFormat::Off)])
}

fn connection_limits(table: &mut TableReader<'_>) -> Limits {
    Limits {
        connections: table.integer("connections", 1..=10_000_000),
        half_open_per_source: request_limits::number_or_off(table, "half_open_per_source", 10_000_000)
            .map(|said| said.value),
        handshake_timeout: table.duration("handshake_timeout"),
        head_timeout: table.duration("head_timeout"),
        head_size: table.size("head_size"),
        keep_alive_timeout: table.duration("keep_alive_timeout"),
        streams: table.integer("streams", 1..=100_000),
        ..Limits::default()
    }
}

fn upstream_limits(table: &mut TableReader<'_>) -> Limits {
    Limits {
        connect_timeout: table.duration("connect_timeout"),
        response_timeout: table.duration("response_timeout"),
        idle_timeout: table.duration_or_off("idle_timeout"),
        ..Limits::default()
    }
}

/// Keys of a connection from the one, keys of a request from the other.
fn merge(connection: Limits, request: Limits) -> Limits {
    Limits {
        connect_timeout: request.connect_timeout,
        response_timeout: request.response_timeout,
        idle_timeout: request.idle_timeout,
        ..connection
    }
}

fn client_auth(table: &mut TableReader<'_>) -> Option<Spanned<ClientAuth>> {
    let words = [("required", ClientAuth::Required), ("optional", ClientAuth::Optional), ("off", ClientAuth::Off)];
    table.choice("client_auth", &words)
}

fn listener(name: Spanned<String>, mut table: TableReader<'_>) -> Listener {
    let address = table.required_string(
        "address",
        "write `address = \"127.0.0.1:8443\"`, or `0.0.0.0:8443` for all addresses of this machine",
    );
    let limits = connection_limits(&mut table);
    let layers = [("rustls", RecordLayer::Rustls), ("in-place", RecordLayer::InPlace)];
    let record_layer = table.choice("record_layer", &layers);
    let engines = [("own", Http1Engine::Own), ("hyper", Http1Engine::Hyper)];
    let http1_engine = table.choice("http1_engine", &engines);
    let hosts: Vec<Host> = table
        .listed_tables("host")
        .into_iter()
        .map(|mut entry| {
            let names = entry.strings("names");
            if names.is_empty() {
                entry.missing("names", "write the server names of this entry: `names = [\"api.example.org\"]`");
            }
            host(&mut entry, names)
        })
        .collect();
    let half_open_exempt = table.strings("half_open_exempt");
    let front_proxy = table.table("front_proxy").map(|mut inner| front_proxy(&mut inner));
    let own = host(&mut table, Vec::new());
    let says_something = own.certificate.is_some()
        || own.private_key.is_some()
        || own.client_auth.is_some()
        || own.trust_domain.is_some()
        || !own.trust_domains.is_empty();
    let default_host = (says_something || hosts.is_empty()).then_some(own);
    Listener { name, address, default_host, hosts, record_layer, http1_engine, front_proxy, half_open_exempt, limits }
}

fn front_proxy(table: &mut TableReader<'_>) -> FrontProxy {
    let identities = [
        ("rfc9440", ForwardedIdentity::Rfc9440),
        ("xfcc", ForwardedIdentity::Xfcc),
        ("proxy-v2", ForwardedIdentity::ProxyV2),
    ];
    let beliefs = [("certificate", Belief::Certificate), ("common-name", Belief::CommonName)];
    if !table.has("identity") {
        table.missing("identity", "write how the proxy says who the client is: \"rfc9440\", \"xfcc\" or \"proxy-v2\"");
    }
    FrontProxy {
        place: table.place(),
        identity: table.choice("identity", &identities),
        peers: table.strings("peers"),
        sources: table.strings_if_said("sources"),
        trust_domain: table
            .required_string("trust_domain", "name the domain that vouches for the clients of the proxy"),
        believe: table.choice("believe", &beliefs),
    }
}

fn host(table: &mut TableReader<'_>, names: Vec<Spanned<String>>) -> Host {
    Host {
        place: table.place(),
        names,
        certificate: table.string("certificate"),
        private_key: table.string("private_key"),
        client_auth: client_auth(table),
        trust_domain: table.string("trust_domain"),
        trust_domains: table.strings("trust_domains"),
    }
}

fn trust_domain(name: Spanned<String>, table: &mut TableReader<'_>) -> TrustDomain {
    TrustDomain {
        name,
        anchors: table.strings("anchors"),
        reserved_names: table.strings("reserved_names"),
        intermediates: table.strings("intermediates"),
        extended_key_usage: extended_key_usage(table),
        chain_depth: table.integer("chain_depth", 0..=6),
        crls: table.strings("crls"),
        stale_crls: stale_crls(table),
        unknown_revocation: table.choice(
            "unknown_revocation",
            &[("refuse", UnknownRevocation::Refuse), ("allow", UnknownRevocation::Allow)],
        ),
        revocation_check: table
            .choice("revocation_check", &[("chain", RevocationCheck::Chain), ("leaf", RevocationCheck::Leaf)]),
        deny_list: table.string("deny_list"),
        crl_fetch: crl_fetch::crl_fetch(table),
    }
}

fn stale_crls(table: &mut TableReader<'_>) -> Option<Spanned<StaleCrls>> {
    if !table.holds_table("stale_crls") {
        return table.choice("stale_crls", &[("refuse", StaleCrls::Refuse), ("ignore", StaleCrls::Ignore)]);
    }
    let mut inner = table.table("stale_crls")?;
    let (place, grace) = (inner.place(), inner.duration("allow-for"));
    if grace.is_none() && !inner.has("allow-for") {
        inner.missing("allow-for", "write `stale_crls = { allow-for = \"6h\" }`");
    }
    grace.map(|grace| Spanned { value: StaleCrls::AllowFor(grace), place })
}

fn extended_key_usage(table: &mut TableReader<'_>) -> Option<Spanned<ExtendedKeyUsage>> {
    if !table.holds_table("extended_key_usage") {
        let words = [("require", UsageWord::Require), ("allow-missing", UsageWord::AllowMissing)];
        return table.choice("extended_key_usage", &words).map(|said| {
            said.map(|word| match word {
                UsageWord::Require => ExtendedKeyUsage::Require,
                UsageWord::AllowMissing => ExtendedKeyUsage::AllowMissing,
            })
        });
    }
    let day = table.table("extended_key_usage")?.required_string(
        "allow-server-auth-until",
        "write `extended_key_usage = { allow-server-auth-until = \"2027-03-31\" }`",
    );
    day.map(|day| day.map(ExtendedKeyUsage::AllowServerAuthUntil))
}

#[derive(Clone, Copy)]
enum UsageWord {
    Require,
    AllowMissing,
}

fn api_user(name: Spanned<String>, table: &mut TableReader<'_>) -> ApiUser {
    ApiUser {
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
        at_upstreams: manners::users_at_upstreams(table),
    }
}

fn upstream(name: Spanned<String>, table: &mut TableReader<'_>) -> Upstream {
    Upstream {
        name,
        endpoints: table.strings("endpoints"),
        anchors: table.strings("anchors"),
        server_name: table.string("server_name"),
        certificate: table.string("certificate"),
        private_key: table.string("private_key"),
        basic_credentials: table.string("basic_credentials"),
        host_header: table.choice("host_header", &[("client", HostHeader::Client), ("endpoint", HostHeader::Endpoint)]),
        pool_idle_timeout: table.duration("pool_idle_timeout"),
        pool_size: table.integer("pool_size", 0..=100_000),
        identity_headers: table.strings_if_said("identity_headers"),
        jwt_audience: table.string("jwt_audience"),
        proxy_protocol: table.choice("proxy_protocol", &[("off", ProxyProtocol::Off), ("v2", ProxyProtocol::V2)]),
        manners: manners::manners(table),
        limits: upstream_limits(table),
    }
}

fn route(table: &mut TableReader<'_>) -> Route {
    let limits = Limits { body_size: table.size_or_off("body_size", None), ..upstream_limits(table) };
    let methods = [("refuse", MethodOverride::Refuse), ("judge", MethodOverride::Judge)];
    Route {
        place: table.place(),
        path: table.required_string("path", "write `path = \"/\"` for everything"),
        path_match: table.choice("match", &[("prefix", PathMatch::Prefix), ("exact", PathMatch::Exact)]),
        hosts: table.strings("host"),
        listeners: table.strings("listeners"),
        upstream: table.string("upstream"),
        authorizer: table.string("authorizer"),
        respond: table.choice("respond", &[("whoami", Respond::Whoami), ("jwks", Respond::Jwks)]),
        requirement: table.requirement("requirement"),
        preset: table.choice("preset", &[("icinga2", Preset::Icinga2)]),
        forbidden: table.choice("forbidden", &[("403", Forbidden::Told), ("404", Forbidden::Absent)]),
        when: table.string("when"),
        enabled_until: table.string("enabled_until"),
        shadow: table.shadow(),
        client_auth: client_auth(table),
        trust_domain: table.string("trust_domain"),
        trust_domains: table.strings("trust_domains"),
        method_override: table.choice("method_override", &methods),
        path_relaxations: path_relaxations(table),
        keep_headers: table.strings("keep_headers"),
        limits,
        request_limits: request_limits::request_limits(table),
        credentials: table.choices("credentials", &CREDENTIALS),
        credentials_required: table
            .choice("credentials_required", &[("any", CredentialsRequired::Any), ("all", CredentialsRequired::All)]),
    }
}

const CREDENTIALS: [(&str, CredentialKind); 3] = [
    ("certificate", CredentialKind::Certificate),
    ("password", CredentialKind::Password),
    ("token", CredentialKind::Token),
];

/// Each oddity of a path has a key of its own, whose other word says what taking it means.
const PATH_RELAXATIONS: [(&str, &str); 10] = [
    ("encoded_slash", "keep"),
    ("encoded_backslash", "keep"),
    ("encoded_control", "keep"),
    ("double_encoding", "keep"),
    ("invalid_utf8", "keep"),
    ("empty_segments", "keep"),
    ("dot_segments", "resolve"),
    ("raw_backslash", "encode"),
    ("path_parameters", "keep"),
    ("look_alike_path", "keep"),
];

fn path_relaxations(table: &mut TableReader<'_>) -> Vec<Spanned<&'static str>> {
    let mut relaxed = Vec::new();
    for (key, word) in PATH_RELAXATIONS {
        if let Some(Spanned { value: Some(key), place }) = table.choice(key, &[("refuse", None), (word, Some(key))]) {
            relaxed.push(Spanned { value: key, place });
        }
    }
    relaxed
}
