//! The defaults in the table of config keys are those of the code.

use super::*;
use crate::config::{
    self, AuditedDecisions, Belief, ClientAuth, Config, CredentialsOfUsers, CredentialsRequired,
    Enforcement, ExtendedKeyUsageSetting, Forbidden, HostHeader, Occasion, ProxyProtocol, Readable,
    RevocationCheckSetting, StaleCrlsSetting, UnknownRevocationSetting, UpstreamHttp,
    WhenUnavailable, documented_defaults,
};
use crate::credentials::{Algorithm, AttemptLimits, CredentialRule};
use crate::identity::IdentitySet;
use crate::tls::{
    ExtendedKeyUsagePolicy, RevocationDepth, RevocationSettings, StaleCrlPolicy, TrustSettings,
    UnknownRevocationPolicy,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A default of the code.
enum Actual {
    Duration(Duration),
    Size(u64),
    Value(Value),
}

impl Actual {
    fn is(&self, documented: &Value) -> bool {
        let text = documented.as_str().unwrap_or_default();
        match self {
            Self::Duration(duration) => humantime::parse_duration(text) == Ok(*duration),
            Self::Size(size) => text
                .parse()
                .is_ok_and(|documented: bytesize::ByteSize| documented.as_u64() == *size),
            Self::Value(value) => documented == value,
        }
    }
}

fn or_off<T>(value: Option<T>, actual: impl Fn(T) -> Actual) -> Actual {
    value.map_or(Actual::Value(json!("off")), actual)
}

/// Durations, sizes, numbers, texts and lists.
fn constants() -> BTreeMap<&'static str, Actual> {
    process_constants()
        .into_iter()
        .chain(identity_constants())
        .chain(upstream_constants())
        .collect()
}

fn plain(value: Value) -> Actual {
    Actual::Value(value)
}

/// Of the process, listeners and limits.
fn process_constants() -> BTreeMap<&'static str, Actual> {
    use Actual::{Duration, Size};
    let connection = connection_limits(&[]);
    let route = route_limits(&[]);
    let is_shadow = json!(Enforcement::default() == Enforcement::Shadow);
    let head_size = u64::try_from(connection.head_size).unwrap();
    BTreeMap::from([
        ("gateway.drain_deadline", Duration(DRAIN_DEADLINE)),
        ("gateway.drain_delay", Duration(DRAIN_DELAY)),
        ("gateway.shadow", plain(is_shadow.clone())),
        ("api_user.shadow", plain(is_shadow.clone())),
        ("api_user.permissions.shadow", plain(is_shadow.clone())),
        ("route.shadow", plain(is_shadow)),
        (
            "admin.recent_decisions",
            or_off(Option::default(), Duration),
        ),
        ("metrics.address", plain(json!(METRICS_ADDRESS.to_string()))),
        ("audit_log.size_limit", Size(AUDIT_SIZE_LIMIT)),
        ("audit_log.keep", plain(json!(AUDIT_KEEP))),
        ("log.level", plain(json!(LOG_FILTER))),
        ("limits.body_size", or_off(route.body_size, Size)),
        ("limits.connections", plain(json!(connection.connections))),
        (
            "limits.half_open_per_source",
            plain(json!(connection.half_open_per_source)),
        ),
        (
            "limits.handshake_timeout",
            Duration(connection.handshake_timeout),
        ),
        ("limits.head_timeout", Duration(connection.head_timeout)),
        ("limits.head_size", Size(head_size)),
        (
            "limits.keep_alive_timeout",
            Duration(connection.keep_alive_timeout),
        ),
        ("limits.streams", plain(json!(connection.streams))),
        ("limits.connect_timeout", Duration(connect_timeout(&[]))),
        ("limits.response_timeout", Duration(route.response_timeout)),
        ("limits.idle_timeout", or_off(route.idle_timeout, Duration)),
    ])
}

/// Of identities, credentials, trust domains and authorizers.
fn identity_constants() -> BTreeMap<&'static str, Actual> {
    use Actual::{Duration, Size};
    let attempts = AttemptLimits::default();
    let usual: Vec<&str> = Algorithm::ALL
        .iter()
        .filter(|(_, algorithm)| Algorithm::USUAL.contains(algorithm))
        .map(|(name, _)| *name)
        .collect();
    let sets: Vec<&str> = IdentitySet::ALL
        .iter()
        .filter(|(_, set)| *set == IdentitySet::XClient)
        .map(|(word, _)| *word)
        .collect();
    BTreeMap::from([
        ("identity_headers.jwt.issuer", plain(json!(JWT_ISSUER))),
        ("identity_headers.jwt.lifetime", Duration(JWT_LIFETIME)),
        ("identity_headers.sets", plain(json!(sets))),
        ("expiry.warn_before", Duration(WARN_BEFORE_EXPIRY)),
        (
            "passwords.failures_per_user",
            plain(json!(attempts.failures_per_user)),
        ),
        (
            "passwords.failures_per_source",
            plain(json!(attempts.failures_per_source)),
        ),
        ("passwords.window", Duration(attempts.window)),
        ("passwords.remember", Duration(PASSWORD_REMEMBER)),
        (
            "trust_domain.chain_depth",
            plain(json!(TrustSettings::default().chain_depth)),
        ),
        ("trust_domain.crl_fetch.refresh", Duration(CRL_REFRESH)),
        ("trust_domain.crl_fetch.timeout", Duration(CRL_TIMEOUT)),
        ("trust_domain.crl_fetch.size_limit", Size(CRL_SIZE_LIMIT)),
        ("token_issuer.refresh", Duration(TOKEN_KEYS_REFRESH)),
        ("token_issuer.leeway", Duration(TOKEN_LEEWAY)),
        ("token_issuer.user_claim", plain(json!(USER_CLAIM))),
        ("token_issuer.algorithms", plain(json!(usual))),
        ("authorizer.timeout", Duration(AUTHORIZER_TIMEOUT)),
        (
            "authorizer.concurrency",
            plain(json!(AUTHORIZER_CONCURRENCY)),
        ),
        ("authorizer.cache", or_off(Option::default(), Duration)),
    ])
}

/// Of upstreams.
fn upstream_constants() -> BTreeMap<&'static str, Actual> {
    use Actual::{Duration, Size};
    BTreeMap::from([
        (
            "upstream.connect_retry",
            or_off(Quirks::default().connect_retry, Duration),
        ),
        (
            "upstream.hold_back",
            or_off(Quirks::default().hold_back, Size),
        ),
        (
            "upstream.health.failures",
            plain(json!(health(&HealthTable::default()).failures)),
        ),
        (
            "upstream.health.ejection_time",
            Duration(health(&HealthTable::default()).ejection_time),
        ),
        (
            "upstream.health.max_ejection_time",
            Duration(MAX_EJECTION_TIME),
        ),
        ("upstream.health.panic_percent", plain(json!(PANIC_PERCENT))),
        ("upstream.retry_percent", plain(json!(RETRY_PERCENT))),
    ])
}

/// The choices, which [`the_documented_words_are_those_of_the_code`] decodes, and what the code has no constant for.
const CHOICES: [&str; 34] = [
    "gateway.workers",
    "access_log.format",
    "log.format",
    "audit_log.decisions",
    "listener.client_auth",
    "listener.front_proxy.believe",
    "trust_domain.extended_key_usage",
    "trust_domain.stale_crls",
    "trust_domain.unknown_revocation",
    "trust_domain.revocation_check",
    "trust_domain.crl_fetch.distribution_points",
    "upstream.http_version",
    "upstream.host_header",
    "upstream.proxy_protocol",
    "upstream.head",
    "upstream.lengthless_redirect",
    "upstream.quick_ack",
    "upstream.credentials_of_users",
    "authorizer.unavailable",
    "route.client_auth",
    "route.forbidden",
    "route.credentials",
    "route.credentials_required",
    "route.encoded_slash",
    "route.encoded_backslash",
    "route.encoded_control",
    "route.double_encoding",
    "route.invalid_utf8",
    "route.empty_segments",
    "route.dot_segments",
    "route.raw_backslash",
    "route.path_parameters",
    // `explain` has these, for requests that do not exist.
    "expect.front_proxy",
    "expect.source",
];

#[test]
fn the_documented_defaults_are_those_of_the_code() {
    let constants = constants();
    let documented: BTreeMap<String, Value> = documented_defaults().into_iter().collect();
    for (path, value) in &documented {
        match constants.get(path.as_str()) {
            Some(actual) => assert!(actual.is(value), "{path}: documented is {value}"),
            None => assert!(
                CHOICES.contains(&path.as_str()),
                "{path} = {value} is not compared"
            ),
        }
    }
    for path in constants.keys().chain(&CHOICES) {
        assert!(documented.contains_key(*path), "{path} is not documented");
    }
}

/// A config in which every choice has its documented default.
fn config_of_documented_words() -> Config {
    let mut text = String::from(
        "[listener.x]\naddress = \"127.0.0.1:0\"\nfront_proxy.identity = \"xfcc\"\nfront_proxy.trust_domain = \"x\"\n\
         [trust_domain.x]\ncrl_fetch.cache = \"x\"\n[authorizer.x]\nprotocol = \"ext-authz\"\nendpoint = \"x\"\n\
         [audit_log]\npath = \"x\"\n[gateway]\n[access_log]\n[log]\n[upstream.x]\n[[route]]\npath = \"/\"\n",
    );
    for (path, value) in documented_defaults() {
        let (table, key) = path.split_once('.').unwrap();
        let heading = [
            format!("[{table}.x]\n"),
            format!("[{table}]\n"),
            format!("[[{table}]]\n"),
        ]
        .into_iter()
        .find(|heading| text.contains(heading.as_str()));
        if let (true, Some(heading)) = (CHOICES.contains(&path.as_str()), heading) {
            text = text.replace(&heading, &format!("{heading}{key} = {value}\n"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, &text).unwrap();
    let loaded = config::load(&file, Occasion::First);
    let problems = loaded.problems.into_sorted();
    assert!(
        loaded.readable == Readable::Yes && problems.is_empty(),
        "{text}\n{problems:?}"
    );
    loaded.config
}

fn value<T: Copy>(spanned: &Option<config::Spanned<T>>) -> T {
    spanned.as_ref().unwrap().value
}

#[test]
fn the_documented_words_are_those_of_the_code() {
    let config = config_of_documented_words();
    assert_eq!(config.gateway.workers, None);
    assert_eq!(value(&config.access_log.format), ACCESS_LOG_FORMAT);
    assert_eq!(value(&config.log.format), LOG_FORMAT);
    let audit = config.audit_log.as_ref().unwrap();
    assert_eq!(audit.decisions, Some(AuditedDecisions::default()));
    let listener = config.listeners.first().unwrap();
    let host = listener.default_host.as_ref().unwrap();
    assert_eq!(value(&host.client_auth), ClientAuth::default());
    let front_proxy = listener.front_proxy.as_ref().unwrap();
    assert_eq!(value(&front_proxy.believe), Belief::default());
    let authorizer = config.authorizers.first().unwrap();
    assert_eq!(value(&authorizer.unavailable), WhenUnavailable::default());
    let domain = config.trust_domains.first().unwrap();
    assert_eq!(value(&domain.stale_crls), StaleCrlsSetting::Refuse);
    assert_eq!(
        value(&domain.unknown_revocation),
        UnknownRevocationSetting::Refuse
    );
    assert_eq!(
        value(&domain.revocation_check),
        RevocationCheckSetting::Chain
    );
    let revocation = RevocationSettings::default();
    assert_eq!(revocation.stale, StaleCrlPolicy::Refuse);
    assert_eq!(revocation.unknown, UnknownRevocationPolicy::Refuse);
    assert_eq!(revocation.check, RevocationDepth::Chain);
    let usage = domain.extended_key_usage.as_ref().unwrap();
    assert_eq!(usage.value, ExtendedKeyUsageSetting::AllowMissing);
    assert_eq!(
        ExtendedKeyUsagePolicy::default(),
        ExtendedKeyUsagePolicy::AllowMissing
    );
    let upstream = config.upstreams.first().unwrap();
    assert_eq!(value(&upstream.http_version), UpstreamHttp::default());
    assert_eq!(value(&upstream.host_header), HostHeader::default());
    assert_eq!(value(&upstream.proxy_protocol), ProxyProtocol::default());
    assert_eq!(quirks(&upstream.quirks), Quirks::default());
    let credentials = value(&upstream.quirks.credentials_of_users);
    assert_eq!(credentials, CredentialsOfUsers::default());
    let route = config.routes.first().unwrap();
    assert_eq!(value(&route.client_auth), ClientAuth::Required);
    assert_eq!(value(&route.forbidden), Forbidden::default());
    assert!(route.path_relaxations.is_empty());
    assert_eq!(
        value(&route.credentials_required),
        CredentialsRequired::default()
    );
    let kinds: Vec<_> = route
        .credentials
        .iter()
        .flatten()
        .map(|kind| kind.value)
        .collect();
    let rule = CredentialRule::new(kinds, value(&route.credentials_required)).unwrap();
    assert_eq!(rule, CredentialRule::default());
}
