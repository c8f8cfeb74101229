//! The report of the attempts, as a table and as JSON.

use super::attempt::{AttemptOutcome, VerifyAttempt};
use super::scene::VerifiedListener;
use serde_json::json;
use std::fmt::Write;

/// The number of attempts by outcome, in one line.
pub(super) fn summary(attempts: &[VerifyAttempt]) -> String {
    let kinds = [
        (AttemptOutcome::Good, "as expected"),
        (AttemptOutcome::Unproven, "as expected but unproven"),
        (AttemptOutcome::Failed, "FAILED"),
        (AttemptOutcome::Skipped, "skipped"),
        (AttemptOutcome::NotApplicable, "not applicable"),
        (AttemptOutcome::NotRun, "not run"),
    ];
    let counted = kinds
        .into_iter()
        .map(|(kind, words)| (count(attempts, kind), words));
    let parts: Vec<String> = counted
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    parts.join(", ")
}

fn count(attempts: &[VerifyAttempt], outcome: AttemptOutcome) -> usize {
    attempts
        .iter()
        .filter(|attempt| attempt.outcome == outcome)
        .count()
}

/// Whether an attempt was skipped or is unproven.
pub(super) fn is_incomplete(attempts: &[VerifyAttempt]) -> bool {
    attempts.iter().any(|attempt| {
        matches!(
            attempt.outcome,
            AttemptOutcome::Skipped | AttemptOutcome::Unproven
        )
    })
}

/// The report as a table.
pub(super) fn table(scenes: &[VerifiedListener], attempts: &[VerifyAttempt]) -> String {
    let width = |column: fn(&VerifyAttempt) -> &str| {
        attempts
            .iter()
            .map(|attempt| column(attempt).chars().count())
            .max()
            .unwrap_or_default()
    };
    let tried = width(|line| &line.tried);
    let expected = width(|line| &line.expected);
    let happened = width(|line| &line.happened);
    let mut text = format!(
        "    {:<tried$}  {:<expected$}  {:<happened$}  result\n",
        "tried", "expected", "happened"
    );
    for scene in scenes {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "listener {} at {}", scene.listener, scene.address);
        let mut host = None;
        for line in attempts
            .iter()
            .filter(|line| line.listener == scene.listener)
        {
            if host != Some(&line.host) {
                let heading = if line.host.is_empty() {
                    "  any server name"
                } else {
                    "  host "
                };
                let _ = writeln!(text, "{heading}{}", line.host);
                host = Some(&line.host);
            }
            let _ = writeln!(
                text,
                "    {:<tried$}  {:<expected$}  {:<happened$}  {}",
                line.tried,
                line.expected,
                line.happened,
                result(line.outcome),
            );
        }
    }
    let _ = writeln!(text, "\n{}", summary(attempts));
    if count(attempts, AttemptOutcome::Unproven) > 0 {
        text.push_str(
            "unproven: rejected as expected, but no valid certificate was accepted beside it, so that the gateway may \
             reject everything; give --cert and --key, or --ca-cert and --ca-key\n",
        );
    }
    if is_incomplete(attempts) {
        text.push_str("incomplete: exit code 2; with --allow-skipped it is 0\n");
    }
    text
}

fn result(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Failed => "FAILED",
        AttemptOutcome::NotRun => "not run",
        AttemptOutcome::NotApplicable => "not applicable",
        other => other.word(),
    }
}

/// The report as JSON.
pub(super) fn json(scenes: &[VerifiedListener], attempts: &[VerifyAttempt]) -> String {
    let address = |listener: &str| {
        scenes
            .iter()
            .find(|scene| scene.listener == listener)
            .map(|scene| scene.address.to_string())
    };
    let lines: Vec<_> = attempts
        .iter()
        .map(|line| {
            json!({
                "listener": line.listener,
                "address": address(&line.listener),
                "host": line.host,
                "tried": line.tried,
                "expected": line.expected,
                "happened": line.happened,
                "result": line.outcome.word(),
            })
        })
        .collect();
    let kinds = [
        AttemptOutcome::Good,
        AttemptOutcome::Unproven,
        AttemptOutcome::Failed,
        AttemptOutcome::Skipped,
        AttemptOutcome::NotApplicable,
        AttemptOutcome::NotRun,
    ];
    let summary: serde_json::Map<_, _> = kinds
        .into_iter()
        .map(|kind| (kind.word().to_owned(), json!(count(attempts, kind))))
        .collect();
    json!({ "attempts": lines, "summary": summary }).to_string()
}
