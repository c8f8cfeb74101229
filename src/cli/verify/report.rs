//! Attempts as people and as programs read them. Tries nothing and decides nothing.

use super::attempt::{Attempt, Outcome};
use super::scene::Scene;
use serde_json::json;
use std::fmt::Write;

/// How many of each kind, in one line.
pub(super) fn summary(attempts: &[Attempt]) -> String {
    let kinds = [
        (Outcome::Good, "as expected"),
        (Outcome::Unproven, "as expected but unproven"),
        (Outcome::Failed, "FAILED"),
        (Outcome::Skipped, "skipped"),
        (Outcome::NotApplicable, "not applicable"),
        (Outcome::NotRun, "not run"),
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

fn count(attempts: &[Attempt], outcome: Outcome) -> usize {
    attempts
        .iter()
        .filter(|attempt| attempt.outcome == outcome)
        .count()
}

/// Whether something that could be tried was not, or proves nothing.
pub(super) fn is_incomplete(attempts: &[Attempt]) -> bool {
    attempts
        .iter()
        .any(|attempt| matches!(attempt.outcome, Outcome::Skipped | Outcome::Unproven))
}

/// For people.
pub(super) fn table(scenes: &[Scene], attempts: &[Attempt]) -> String {
    let width = |column: fn(&Attempt) -> &str| {
        attempts
            .iter()
            .map(|attempt| column(attempt).chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths = (
        width(|line| &line.tried),
        width(|line| &line.expected),
        width(|line| &line.happened),
    );
    let (tried, expected, happened) = widths;
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
                    "  whatever the name"
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
    if count(attempts, Outcome::Unproven) > 0 {
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

fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "FAILED",
        Outcome::NotRun => "not run",
        Outcome::NotApplicable => "not applicable",
        other => other.word(),
    }
}

/// For programs.
pub(super) fn json(scenes: &[Scene], attempts: &[Attempt]) -> String {
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
        Outcome::Good,
        Outcome::Unproven,
        Outcome::Failed,
        Outcome::Skipped,
        Outcome::NotApplicable,
        Outcome::NotRun,
    ];
    let summary: serde_json::Map<_, _> = kinds
        .into_iter()
        .map(|kind| (kind.word().to_owned(), json!(count(attempts, kind))))
        .collect();
    json!({ "attempts": lines, "summary": summary }).to_string()
}
