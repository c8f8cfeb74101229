//! Tells the audit log which snapshot comes into force and what is other than before, or which one was refused. Puts
//! nothing into force.

use crate::clock::{self, rfc3339};
use crate::config::Change;
use crate::snapshot::{Content, Snapshot, SnapshotVersion};
use crate::telemetry::build::VERSION;
use crate::telemetry::{AuditOverlay, AuditRefusedSnapshot, AuditSnapshot, Telemetry};
use serde::Serialize;

/// What is other than before.
#[derive(Serialize)]
struct Changes {
    list: Vec<Change>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Tells of a snapshot, before it judges anything.
pub(super) fn tell_of_snapshot(
    telemetry: &Telemetry,
    new: &Snapshot,
    before: Option<&Snapshot>,
    cause: &str,
) {
    if !telemetry.has_audit_log() {
        return;
    }
    let changes = before.and_then(|before| {
        let (list, left_out) = new
            .written
            .as_ref()?
            .changes_since(before.written.as_ref()?);
        Some(Changes { list, left_out })
    });
    telemetry.audit_event(&AuditSnapshot {
        time: rfc3339(clock::signed_seconds()),
        generation: new.generation,
        content: new.content.sha256(),
        cause,
        version: VERSION,
        files: &before
            .map(|before| new.content.changed_since(&before.content))
            .unwrap_or_default(),
        changes,
    });
}

/// Tells of a snapshot that is not put into force.
pub(super) fn tell_of_refusal(
    telemetry: &Telemetry,
    version: SnapshotVersion,
    (content, errors): (&Content, &[String]),
    cause: &str,
) {
    telemetry.audit_event(&AuditRefusedSnapshot {
        time: rfc3339(clock::signed_seconds()),
        generation: version.generation,
        overlay: version.overlay,
        content: content.sha256(),
        cause,
        errors,
    });
}

/// Tells of an overlay, before it judges anything.
pub(super) fn tell_of_overlay(telemetry: &Telemetry, overlay: &AuditOverlay<'_>) {
    telemetry.audit_event(overlay);
}
