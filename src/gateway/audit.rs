//! Writes audit log entries for activated snapshots with their changes, for overlays, and for rejected loads.

use crate::clock::{self, rfc3339};
use crate::config::Change;
use crate::snapshot::{ContentDigest, Snapshot, SnapshotVersion};
use crate::telemetry::build::VERSION;
use crate::telemetry::{AuditOverlay, AuditRejectedSnapshot, AuditSnapshot, Telemetry};
use serde::Serialize;

/// Changes of the config since the previous snapshot.
#[derive(Serialize)]
struct Changes {
    list: Vec<Change>,
    /// Number of changes beyond the list.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Logs a snapshot. Call this before it handles requests.
pub(super) fn log_snapshot(
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

/// Logs a load that was rejected.
pub(super) fn log_rejection(
    telemetry: &Telemetry,
    version: SnapshotVersion,
    content: &ContentDigest,
    errors: &[String],
    cause: &str,
) {
    telemetry.audit_event(&AuditRejectedSnapshot {
        time: rfc3339(clock::signed_seconds()),
        generation: version.generation,
        overlay: version.overlay,
        content: content.sha256(),
        cause,
        errors,
    });
}

/// Logs an overlay. Call this before it handles requests.
pub(super) fn log_overlay(telemetry: &Telemetry, overlay: &AuditOverlay<'_>) {
    telemetry.audit_event(overlay);
}
