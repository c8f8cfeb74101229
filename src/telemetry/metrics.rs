//! All metrics with their labels. No label contains a value that a client chose.

use super::build;
use super::descriptor_metrics::DescriptorMetrics;
use super::metric_maker::MetricMaker;
use super::process::ProcessCollector;
use prometheus::{
    Encoder, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

/// Handles of all metrics.
pub struct Metrics {
    registry: Registry,
    /// Process metrics have standard names without the gateway's prefix, so they have their own
    /// registry.
    process: Registry,
    /// `connections_total{listener}`
    pub connections: IntCounterVec,
    /// `connections_open{listener}`
    pub connections_open: IntGaugeVec,
    /// `half_open_connections{listener}`
    pub half_open_connections: IntGaugeVec,
    /// File descriptors.
    pub(super) descriptors: DescriptorMetrics,
    /// `connections_refused_total{listener,reason}`
    pub connections_refused: IntCounterVec,
    /// `worker_connections_total{worker}`
    pub worker_connections: IntCounterVec,
    /// `worker_connections_open{worker}`
    pub worker_connections_open: IntGaugeVec,
    /// `connections_handed_over_total`
    pub connections_handed_over: IntCounter,
    /// `accept_errors_total{listener}`
    pub accept_errors: IntCounterVec,
    /// `handshakes_total{listener,version,resumption}`
    pub handshakes: IntCounterVec,
    /// `handshake_failures_total{listener,reason}`
    pub handshake_failures: IntCounterVec,
    /// `handshake_duration_seconds`
    pub handshake_duration: Histogram,
    /// `requests_total{listener,route,code}`
    pub requests: IntCounterVec,
    /// `decisions_total{listener,decision,reason}`
    pub decisions: IntCounterVec,
    /// `request_duration_seconds{route}`
    pub request_duration: HistogramVec,
    /// `request_body_bytes_total{listener}`
    pub request_bytes: IntCounterVec,
    /// `response_body_bytes_total{listener}`
    pub response_bytes: IntCounterVec,
    /// `copied_body_bytes_total{listener}`
    pub copied_bytes: IntCounterVec,
    /// `responses_cut_total{listener,reason}`
    pub responses_cut: IntCounterVec,
    /// `cut_total{listener,kind,reason}`
    pub cut: IntCounterVec,
    /// `tls_failures_total{listener,reason}`
    pub tls_failures: IntCounterVec,
    /// `limited_total{listener,reason}`
    pub limited: IntCounterVec,
    /// `tunnels_open{listener}`
    pub tunnels_open: IntGaugeVec,
    /// `upstream_connections_total{upstream,origin}`
    pub upstream_connections: IntCounterVec,
    /// `upstream_failures_total{upstream,reason}`
    pub upstream_failures: IntCounterVec,
    /// `upstream_retries_total{upstream}`
    pub upstream_retries: IntCounterVec,
    /// `upstream_connect_retries_total{upstream}`
    pub upstream_connect_retries: IntCounterVec,
    /// `upstream_retries_denied_total{upstream}`
    pub upstream_retries_denied: IntCounterVec,
    /// `upstream_ejections_total{upstream,endpoint,reason}`
    pub upstream_ejections: IntCounterVec,
    /// `upstream_endpoint_ejected{upstream,endpoint}`
    pub upstream_endpoint_ejected: IntGaugeVec,
    /// `reloads_total{result}`
    pub reloads: IntCounterVec,
    /// `reload_retries_total`
    pub reload_retries: IntCounter,
    /// `reload_last_success`
    pub reload_last_success: IntGauge,
    /// `snapshot_generation`
    pub generation: IntGauge,
    /// `snapshot_overlay`
    pub overlay: IntGauge,
    /// `revocation_faults{trust_domain}`
    pub revocation_faults: IntGaugeVec,
    /// `snapshot_loaded_timestamp_seconds`
    pub loaded_at: IntGauge,
    /// `api_users`
    pub api_users: IntGauge,
    /// `certificate_not_after_timestamp_seconds{kind,name}`
    pub certificate_not_after: IntGaugeVec,
    /// `tolerated_expired_certificates_total{trust_domain}`
    pub tolerated_expired: IntCounterVec,
    /// `client_certificate_remaining_seconds{trust_domain}`
    pub client_certificate_remaining: HistogramVec,
    /// `client_certificate_sightings_lost_total`
    pub certificate_sightings_lost: IntCounter,
    /// `crl_next_update_timestamp_seconds{trust_domain,issuer}`
    pub crl_next_update: IntGaugeVec,
    /// `crl_active_until_timestamp_seconds{trust_domain,issuer}`
    pub crl_active_until: IntGaugeVec,
    /// `crl_entries{trust_domain,issuer}`
    pub crl_entries: IntGaugeVec,
    /// `deny_list_entries{trust_domain}`
    pub deny_list_entries: IntGaugeVec,
    /// `credential_checks_total{kind,result}`
    pub credential_checks: IntCounterVec,
    /// `authorizer_requests_total{authorizer,result}`
    pub authorizer_requests: IntCounterVec,
    /// `authorizer_duration_seconds{authorizer}`
    pub authorizer_duration: HistogramVec,
    /// `authorizer_unavailable_permits_total{authorizer}`
    pub authorizer_unavailable_permits: IntCounterVec,
    /// `token_key_fetches_total{issuer,result}`
    pub token_key_fetches: IntCounterVec,
    /// `crl_fetches_total{trust_domain,result}`
    pub crl_fetches: IntCounterVec,
    /// `crl_fetch_last_success_timestamp_seconds{trust_domain,url}`
    pub crl_fetch_last_success: IntGaugeVec,
    /// `panics_total`
    pub panics: IntCounter,
    /// `access_log_dropped_lines`
    pub access_log_dropped: IntGauge,
    /// `audit_lines_total`
    pub audit_lines: IntCounter,
    /// `audit_dropped_total{reason}`
    pub audit_dropped: IntCounterVec,
    /// `audit_errors_total{operation}`
    pub audit_errors: IntCounterVec,
    /// `draining`
    pub draining: IntGauge,
}

impl Default for Metrics {
    #[expect(
        clippy::too_many_lines,
        reason = "one line for each metric; splitting the list would only hide some"
    )]
    fn default() -> Self {
        let registry =
            Registry::new_custom(Some("portcullis".to_owned()), None).unwrap_or_default();
        let make = MetricMaker::new(&registry);
        let facts = [
            ("version", build::VERSION),
            ("rustls", build::RUSTLS_VERSION),
            ("crypto_provider", build::CRYPTO_PROVIDER),
            ("crypto_provider_version", build::CRYPTO_PROVIDER_VERSION),
            ("fips", build::FIPS.word()),
        ];
        let built = make.gauges(
            "build_info",
            "Versions and crypto provider; always 1",
            &facts.map(|(name, _)| name),
        );
        built
            .with_label_values(&facts.map(|(_, value)| value))
            .set(1);
        let process = Registry::new();
        if let Ok(collector) = ProcessCollector::new() {
            // The only one in its registry, so it cannot clash.
            let _ = process.register(Box::new(collector));
        }
        Self {
            process,
            connections: make.counters("connections_total", "Accepted connections", &["listener"]),
            connections_open: make.gauges("connections_open", "Connections open now", &["listener"]),
            half_open_connections: make.gauges(
                "half_open_connections",
                "Connections whose handshake has not finished",
                &["listener"],
            ),
            descriptors: DescriptorMetrics::new(&make),
            connections_refused: make.counters(
                "connections_refused_total",
                "Connections closed before their handshake",
                &["listener", "reason"],
            ),
            worker_connections: make.counters(
                "worker_connections_total",
                "Accepted connections, by the worker that serves them",
                &["worker"],
            ),
            worker_connections_open: make.gauges(
                "worker_connections_open",
                "Connections open now, by the worker that serves them",
                &["worker"],
            ),
            connections_handed_over: make.counter(
                "connections_handed_over_total",
                "Connections that the worker which accepted them gave to one with fewer",
            ),
            accept_errors: make.counters("accept_errors_total", "Failed accepts", &["listener"]),
            handshakes: make.counters(
                "handshakes_total",
                "Completed TLS handshakes",
                &["listener", "version", "resumption"],
            ),
            handshake_failures: make.counters(
                "handshake_failures_total",
                "Failed TLS handshakes",
                &["listener", "reason"],
            ),
            handshake_duration: make.register(Histogram::with_opts(MetricMaker::durations(
                "handshake_duration_seconds",
                "Seconds from accept until the client is verified",
            ))),
            requests: make.counters("requests_total", "Answered requests", &["listener", "route", "code"]),
            decisions: make.counters("decisions_total", "Decisions by reason", &["listener", "decision", "reason"]),
            request_duration: make.register(HistogramVec::new(
                MetricMaker::durations("request_duration_seconds", "Request head complete until all was answered"),
                &["route"],
            )),
            request_bytes: make.counters("request_body_bytes_total", "Bytes of request bodies", &["listener"]),
            response_bytes: make.counters("response_body_bytes_total", "Bytes of response bodies", &["listener"]),
            copied_bytes: make.counters(
                "copied_body_bytes_total",
                "Bytes that had to be moved in memory between TLS and HTTP",
                &["listener"],
            ),
            responses_cut: make.counters("responses_cut_total", "Answers that ended early", &["listener", "reason"]),
            cut: make.counters(
                "cut_total",
                "Tunnels, streams and connections that were closed because their permission was withdrawn",
                &["listener", "kind", "reason"],
            ),
            tls_failures: make.counters(
                "tls_failures_total",
                "Connections that ended after their handshake because the client broke TLS or sent a fatal alert",
                &["listener", "reason"],
            ),
            limited: make.counters(
                "limited_total",
                "Permitted requests that a limit of their ApiUser or route rejected",
                &["listener", "reason"],
            ),
            tunnels_open: make.gauges("tunnels_open", "Upgraded connections open now", &["listener"]),
            upstream_connections: make.counters(
                "upstream_connections_total",
                "Connections used for requests, by origin: new or pooled",
                &["upstream", "origin"],
            ),
            upstream_failures: make.counters(
                "upstream_failures_total",
                "Requests that an upstream did not answer",
                &["upstream", "reason"],
            ),
            upstream_retries: make.counters("upstream_retries_total", "Requests sent once more", &["upstream"]),
            upstream_connect_retries: make.counters(
                "upstream_connect_retries_total",
                "Connections asked for once more",
                &["upstream"],
            ),
            upstream_retries_denied: make.counters(
                "upstream_retries_denied_total",
                "Retries on another endpoint that the retry budget did not permit",
                &["upstream"],
            ),
            upstream_ejections: make.counters(
                "upstream_ejections_total",
                "Ejections of an endpoint on a worker, also after failed trials, by the reason of the last failure",
                &["upstream", "endpoint", "reason"],
            ),
            upstream_endpoint_ejected: make.gauges(
                "upstream_endpoint_ejected",
                "Workers on which the endpoint is ejected now; 0 if all workers use it",
                &["upstream", "endpoint"],
            ),
            reloads: make.counters("reloads_total", "Reloads by result", &["result"]),
            reload_retries: make
                .counter("reload_retries_total", "Repeated loads that failed for the same reason as before"),
            reload_last_success: make.gauge("reload_last_success", "1 if the last reload succeeded, else 0"),
            generation: make.gauge("snapshot_generation", "Number of the active snapshot"),
            overlay: make.gauge("snapshot_overlay", "Number of the revocation overlay on the snapshot; 0 is none"),
            revocation_faults: make.gauges(
                "revocation_faults",
                "Revocation lists and deny lists that cannot be read; their previous content stays active",
                &["trust_domain"],
            ),
            loaded_at: make.gauge("snapshot_loaded_timestamp_seconds", "When the snapshot became active"),
            api_users: make.gauge("api_users", "ApiUsers in the snapshot"),
            credential_checks: make.counters(
                "credential_checks_total",
                "Passwords and tokens that were checked",
                &["kind", "result"],
            ),
            authorizer_requests: make.counters(
                "authorizer_requests_total",
                "Requests to external authorizers, by result",
                &["authorizer", "result"],
            ),
            authorizer_duration: make.register(HistogramVec::new(
                MetricMaker::durations(
                    "authorizer_duration_seconds",
                    "Seconds from the request to the verdict, or to the failure",
                ),
                &["authorizer"],
            )),
            authorizer_unavailable_permits: make.counters(
                "authorizer_unavailable_permits_total",
                "Requests that were permitted although their authorizer did not respond",
                &["authorizer"],
            ),
            token_key_fetches: make.counters(
                "token_key_fetches_total",
                "Attempts to fetch the keys of token issuers",
                &["issuer", "result"],
            ),
            crl_fetches: make.counters(
                "crl_fetches_total",
                "Attempts to fetch revocation lists",
                &["trust_domain", "result"],
            ),
            crl_fetch_last_success: make.gauges(
                "crl_fetch_last_success_timestamp_seconds",
                "When a revocation list was last fetched, or was still the newest",
                &["trust_domain", "url"],
            ),
            certificate_not_after: make.gauges(
                "certificate_not_after_timestamp_seconds",
                "Expiry of the gateway's certificates, and of the anchors for clients and upstreams",
                &["kind", "name"],
            ),
            tolerated_expired: make.counters(
                "tolerated_expired_certificates_total",
                "Connections of users whose expired certificates are tolerated, once for each generation",
                &["trust_domain"],
            ),
            client_certificate_remaining: make.register(HistogramVec::new(
                MetricMaker::lifetimes(
                    "client_certificate_remaining_seconds",
                    "Remaining validity of client certificates at their handshake; 0 if expired",
                ),
                &["trust_domain"],
            )),
            certificate_sightings_lost: make.counter(
                "client_certificate_sightings_lost_total",
                "Client certificates dropped from expiry tracking because its queue was full",
            ),
            crl_next_update: make.gauges(
                "crl_next_update_timestamp_seconds",
                "When a newer revocation list is due; 0 if the list does not say",
                &["trust_domain", "issuer"],
            ),
            crl_active_until: make.gauges(
                "crl_active_until_timestamp_seconds",
                "Until when a revocation list is valid by `stale_crls`; after that the clients of its CA are denied",
                &["trust_domain", "issuer"],
            ),
            crl_entries: make.gauges("crl_entries", "Revoked certificates", &["trust_domain", "issuer"]),
            deny_list_entries: make.gauges("deny_list_entries", "Entries of the deny list", &["trust_domain"]),
            panics: make.counter("panics_total", "Connections that ended in a panic"),
            access_log_dropped: make.gauge("access_log_dropped_lines", "Access log lines dropped since it was opened"),
            audit_lines: make.counter("audit_lines_total", "Lines of the audit log that were written"),
            audit_dropped: make.counters(
                "audit_dropped_total",
                "Lines of the audit log that are lost: queue_full, write_failed",
                &["reason"],
            ),
            audit_errors: make.counters(
                "audit_errors_total",
                "Times that the audit log could not be written or rotated",
                &["operation"],
            ),
            draining: make.gauge("draining", "1 while the gateway drains"),
            registry: registry.clone(),
        }
    }
}

impl Metrics {
    /// All metrics in text format.
    pub(super) fn encode(&self) -> String {
        let mut families = self.registry.gather();
        families.extend(self.process.gather());
        let mut text = Vec::new();
        // Writing to a Vec fails only for metrics without a name.
        let _ = TextEncoder::new().encode(&families, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}
