//! Settings of the process itself: threads, drain, logs, admin.

use super::{super::defaults, Assembly};
use crate::config::LogFormat;
use crate::snapshot::ProcessSettings;
use crate::telemetry::{AccessLogConfig, check_filter};

impl Assembly<'_> {
    pub(super) fn process_settings(&self) -> Option<ProcessSettings> {
        let gateway = &self.config.gateway;
        let access = &self.config.access_log;
        let log = &self.config.log;
        let admin = match &self.config.admin.address {
            Some(text) if text.value == "off" => None,
            Some(text) => Some(self.address(text)?),
            None => defaults::ADMIN_ADDRESS.parse().ok(),
        };
        if let (Some(address), Some(text)) = (admin, &self.config.admin.address)
            && !address.ip().is_loopback()
        {
            let message = "the admin listener can be reached from other machines, without TLS and without login";
            self.problems.warning(text.place, message, "use 127.0.0.1 unless the network is yours alone");
        }
        if let Some(filter) = &log.level
            && let Err(error) = check_filter(&filter.value)
        {
            self.problems.error(filter.place, error.to_string(), "write error, warn, info, debug or trace");
        }
        let access_log = AccessLogConfig {
            format: access.format.as_ref().map_or(LogFormat::Json, |said| said.value),
            path: access.path.as_ref().map(|text| self.sources.folder(text.place.file).join(&text.value)),
        };
        Some(ProcessSettings {
            workers: gateway.workers,
            drain_deadline: gateway.drain_deadline.unwrap_or(defaults::DRAIN_DEADLINE),
            drain_delay: gateway.drain_delay.unwrap_or(defaults::DRAIN_DELAY),
            user: gateway.user.as_ref().map(|user| user.value.clone()),
            admin,
            access_log,
            log_filter: log.level.as_ref().map_or(defaults::LOG_FILTER.to_owned(), |level| level.value.clone()),
            log_format: log.format.as_ref().map_or(LogFormat::Text, |said| said.value),
        })
    }
}
