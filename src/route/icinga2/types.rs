//! Icinga's object types by the plural in paths. Knows no permission.

/// Irregular plurals.
const IRREGULAR: [(&str, &str); 2] = [
    ("dependencies", "Dependency"),
    ("dictionaries", "Dictionary"),
];

/// Types with a regular plural. Icinga includes basic and abstract types.
const REGULAR: [&str; 64] = [
    "ApiListener",
    "ApiUser",
    "Application",
    "Array",
    "Boolean",
    "CheckCommand",
    "CheckResult",
    "CheckResultReader",
    "Checkable",
    "CheckerComponent",
    "Command",
    "Comment",
    "CompatLogger",
    "ConfigObject",
    "Configuration",
    "CustomVarObject",
    "DateTime",
    "DbConnection",
    "Downtime",
    "ElasticsearchWriter",
    "Endpoint",
    "EventCommand",
    "ExternalCommandListener",
    "FileLogger",
    "Function",
    "GelfWriter",
    "GraphiteWriter",
    "Host",
    "HostGroup",
    "IcingaApplication",
    "IcingaDB",
    "IdoMysqlConnection",
    "IdoPgsqlConnection",
    "Influxdb2Writer",
    "InfluxdbCommonWriter",
    "InfluxdbWriter",
    "LivestatusListener",
    "Logger",
    "Namespace",
    "Notification",
    "NotificationCommand",
    "NotificationComponent",
    "Number",
    "Object",
    "OpenTsdbWriter",
    "PerfdataValue",
    "PerfdataWriter",
    "Reference",
    "ScheduledDowntime",
    "Service",
    "ServiceGroup",
    "StatusDataWriter",
    "StreamLogger",
    "String",
    "SyslogLogger",
    "TimePeriod",
    "Type",
    "User",
    "UserGroup",
    "Zone",
    // Only in some builds (systemd, Windows), and from 2.16 on.
    "JournaldLogger",
    "WindowsEventLogLogger",
    "ElasticsearchDatastreamWriter",
    "OTLPMetricsWriter",
];

/// The type with this plural, in any case.
pub(super) fn of_plural(plural: &str) -> Option<&'static str> {
    let regular = plural
        .get(..plural.len().saturating_sub(1))
        .filter(|_| plural.ends_with(['s', 'S']));
    let regular = regular.and_then(|name| {
        REGULAR
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(name))
    });
    regular.or_else(|| {
        IRREGULAR
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(plural))
            .map(|(_, name)| name)
    })
}

/// All types.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    REGULAR
        .into_iter()
        .chain(IRREGULAR.into_iter().map(|(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_their_plural_alone_in_any_case() {
        for (plural, expected) in [
            ("hosts", Some("Host")),
            ("HOSTS", Some("Host")),
            ("Dependencies", Some("Dependency")),
            ("dictionaries", Some("Dictionary")),
            ("icingadbs", Some("IcingaDB")),
            ("types", Some("Type")),
            ("host", None),
            ("hostss", None),
            ("dependencys", None),
            ("dependency", None),
            ("s", None),
            ("", None),
            ("*", None),
            ("hosts%00", None),
            ("host\u{17f}", None),
        ] {
            assert_eq!(of_plural(plural), expected, "{plural}");
        }
        assert_eq!(
            REGULAR.len() + IRREGULAR.len(),
            62 + 4,
            "those of 2.13, and four that came later"
        );
    }
}
