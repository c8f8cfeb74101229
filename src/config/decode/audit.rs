//! Decodes `[audit_log]`.

use super::TableReader;
use crate::config::keys::logs;
use crate::config::model::{AuditLogTable, AuditedDecisions, SampleRate};

pub(super) fn audit_log(table: &mut TableReader<'_>) -> AuditLogTable {
    AuditLogTable {
        place: table.place(),
        path: table.string(&logs::AUDIT_PATH),
        decisions: decisions(table),
        size_limit: table.size_or_off(&logs::AUDIT_SIZE_LIMIT),
        keep: table.integer(&logs::AUDIT_KEEP),
    }
}

fn decisions(table: &mut TableReader<'_>) -> Option<AuditedDecisions> {
    let key = &logs::AUDIT_DECISIONS;
    if !table.holds_table(key) {
        return table.choice(&key.as_choice()).map(|word| word.value);
    }
    let mut inner = table.table(&key.as_other())?;
    let text = inner.string(&logs::SAMPLED_SAMPLE)?;
    let sample_rate = SampleRate::percent(&text.value);
    if sample_rate.is_none() {
        let message = format!("`audit_log.decisions.sample` cannot be \"{}\"", text.value);
        let hint = "write a percentage above 0% and below 100%, such as \"1%\" or \"0.05%\", with 4 digits behind the point at most";
        inner.problems().error(text.place, message, hint);
    }
    sample_rate.map(AuditedDecisions::Sample)
}
