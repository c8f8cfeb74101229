//! Assembly of process settings: threads, drain, logs, admin and metrics listeners.

use super::{super::defaults, Assembly};
use crate::config::{MetricsTable, Spanned};
use crate::forward::ExpiryFieldName;
use crate::snapshot::{AdminPlace, AdminPlaceError, ExpiryPolicy, ProcessSettings};
use crate::telemetry::{AccessLogConfig, AuditLogConfig, check_filter};
use std::net::SocketAddr;

impl Assembly<'_> {
    pub(super) fn process_settings(&self) -> Option<ProcessSettings> {
        let gateway = &self.config.gateway;
        let access = &self.config.access_log;
        let log = &self.config.log;
        let admin = self.admin_place();
        let metrics = self.metrics_address();
        self.check_side_addresses(admin.as_ref(), metrics);
        self.check_user();
        let recent_decisions = self
            .config
            .admin
            .as_ref()
            .and_then(|admin| admin.recent_decisions.flatten());
        if let Some(filter) = &log.level
            && let Err(error) = check_filter(&filter.value)
        {
            self.problems.error(
                filter.place,
                error.to_string(),
                "write error, warn, info, debug, trace or off, or a filter such as \"info,portcullis::tls=debug\"",
            );
        }
        let access_log = AccessLogConfig {
            format: access
                .format
                .as_ref()
                .map_or(defaults::ACCESS_LOG_FORMAT, |setting| setting.value),
            path: access
                .path
                .as_ref()
                .map(|text| self.sources.folder(text.place.file).join(&text.value)),
        };
        Some(ProcessSettings {
            metrics: metrics?,
            workers: gateway.workers,
            drain_deadline: gateway.drain_deadline.unwrap_or(defaults::DRAIN_DEADLINE),
            drain_delay: gateway.drain_delay.unwrap_or(defaults::DRAIN_DELAY),
            user: gateway.user.as_ref().map(|user| user.value.clone()),
            admin: admin?,
            access_log,
            audit_log: self.audit_log(),
            recent_decisions: recent_decisions.unwrap_or_default(),
            log_filter: log
                .level
                .as_ref()
                .map_or(defaults::LOG_FILTER.to_owned(), |level| level.value.clone()),
            log_format: log
                .format
                .as_ref()
                .map_or(defaults::LOG_FORMAT, |setting| setting.value),
        })
    }

    /// Place of the admin listener; `Some(None)` without the table. `None` for an error, which was reported.
    fn admin_place(&self) -> Option<Option<AdminPlace>> {
        let Some(table) = &self.config.admin else {
            return Some(None);
        };
        let place = match AdminPlace::of(table, self.sources) {
            Ok(place) => place,
            Err(AdminPlaceError {
                place,
                message,
                hint,
            }) => {
                self.problems.error(place, message, hint);
                return None;
            }
        };
        if let (None, Some(Some(_)), Some(off)) = (&place, table.recent_decisions, &table.address) {
            let message = "`recent_decisions` are shown by the admin listener, which is off";
            self.problems.error(
                off.place,
                message,
                "give it an address, or remove `recent_decisions`",
            );
        }
        Some(place)
    }

    /// Address of the metrics listener; `Some(None)` without the table. `None` for an error, which was reported.
    fn metrics_address(&self) -> Option<Option<SocketAddr>> {
        match &self.config.metrics {
            None => Some(None),
            Some(MetricsTable { address: None }) => Some(Some(defaults::METRICS_ADDRESS)),
            Some(MetricsTable {
                address: Some(text),
            }) => self.address(text).map(Some),
        }
    }

    /// Reports an address that both listeners have.
    fn check_side_addresses(
        &self,
        admin: Option<&Option<AdminPlace>>,
        metrics: Option<Option<SocketAddr>>,
    ) {
        let (Some(Some(AdminPlace::Tcp(admin))), Some(Some(metrics))) = (admin, metrics) else {
            return;
        };
        if *admin == metrics
            && admin.port() != 0
            && let Some(text) = self
                .config
                .admin
                .as_ref()
                .and_then(|table| table.address.as_ref())
        {
            let message = format!("`[admin]` and `[metrics]` both listen on {metrics}");
            self.problems
                .error(text.place, message, "choose another port for one of them");
        }
    }

    /// Reports an unknown user. The current user of the process may have been removed since the start.
    fn check_user(&self) {
        let Some(table) = &self.config.gateway.user else {
            return;
        };
        let before = self
            .previous
            .and_then(|previous| previous.process.user.as_deref());
        if before == Some(table.value.as_str())
            || matches!(nix::unistd::User::from_name(&table.value), Ok(Some(_)))
        {
            return;
        }
        let message = format!("there is no user \"{}\" on this machine", table.value);
        let hint = format!(
            "create it (`useradd --system {}`), or name another",
            table.value
        );
        self.problems.error(table.place, message, hint);
    }

    fn audit_log(&self) -> Option<AuditLogConfig> {
        let table = self.config.audit_log.as_ref()?;
        let path = table.path.as_ref()?;
        let full = |path: &Spanned<String>| self.sources.folder(path.place.file).join(&path.value);
        if self
            .config
            .access_log
            .path
            .as_ref()
            .is_some_and(|access| full(access) == full(path))
        {
            let message = "the audit log and the access log cannot be one file";
            self.problems
                .error(path.place, message, "give each a file of its own");
        }
        Some(AuditLogConfig {
            path: full(path),
            decisions: table.decisions.unwrap_or_default(),
            size_limit: table.size_limit.unwrap_or(Some(defaults::AUDIT_SIZE_LIMIT)),
            keep: table.keep.unwrap_or(defaults::AUDIT_KEEP),
        })
    }

    pub(super) fn expiry_policy(&self) -> ExpiryPolicy {
        let table = &self.config.expiry;
        let response_header = table.response_header.as_ref().and_then(|text| {
            let name = ExpiryFieldName::parse(&text.value).map_err(|error| {
                let message = format!("`response_header` cannot be \"{}\": {error}", text.value);
                self.problems.error(
                    text.place,
                    message,
                    "choose a name of its own, such as \"client-cert-expires\"",
                );
            });
            name.ok()
        });
        let warn_before = table
            .warn_before
            .unwrap_or(Some(defaults::WARN_BEFORE_EXPIRY));
        if let (None, Some(text)) = (warn_before, &table.response_header) {
            let message =
                "`response_header` says something only within `warn_before`, which is off";
            self.problems.error(
                text.place,
                message,
                "give `warn_before` a duration, or remove `response_header`",
            );
        }
        ExpiryPolicy {
            warn_before,
            response_header,
        }
    }
}
