//! Decodes `[audit_log]`.

use super::TableReader;
use crate::config::model::{AuditLogTable, AuditedDecisions, SampleRate};

pub(super) fn audit_log(table: &mut TableReader<'_>) -> AuditLogTable {
    AuditLogTable {
        place: table.place(),
        path: table.required_string("path", "name a file for it: `path = \"audit.log\"`"),
        decisions: decisions(table),
        size_limit: table.size_or_off("size_limit", None),
        keep: table.integer("keep", 1..=1000),
    }
}

fn decisions(table: &mut TableReader<'_>) -> Option<AuditedDecisions> {
    if !table.holds_table("decisions") {
        let words = [
            ("all", AuditedDecisions::All),
            ("refused", AuditedDecisions::Refused),
        ];
        return table.choice("decisions", &words).map(|word| word.value);
    }
    let mut inner = table.table("decisions")?;
    let hint = "write a share of the permitted ones, such as `decisions = { sample = \"1%\" }`";
    let text = inner.required_string("sample", hint)?;
    let sample_rate = SampleRate::percent(&text.value);
    if sample_rate.is_none() {
        let message = format!("`audit_log.decisions.sample` cannot be \"{}\"", text.value);
        let hint = "write a percentage above 0% and below 100%, such as \"1%\" or \"0.05%\", with 4 digits behind the point at most";
        inner.problems().error(text.place, message, hint);
    }
    sample_rate.map(AuditedDecisions::Sample)
}
