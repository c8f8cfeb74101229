//! The report of `plan`: as text, grouped by users that gain or lose access, and as JSON. Compares nothing.

use super::client_label;
use super::lacking::MissingFact;
use super::replay::{ReplayResult, ReplayedDecision};
use crate::cli::decisions::{LoggedDecision, LoggedDecisions, LoggedOutcome, Occurrences};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Maximum number of kinds of requests per user in text; JSON has all.
const MOST_SHOWN: usize = 20;

/// The change of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AccessChange {
    Loses,
    Gains,
    Unknown,
}

/// Equal requests of one user with equal results.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChangedRequest {
    group: AccessChange,
    user: String,
    method: String,
    path: String,
    listener: String,
    old: Option<ReplayedDecision>,
    new: Option<ReplayedDecision>,
    missing: Vec<MissingFact>,
}

/// All changes.
pub(super) struct PlanReport {
    content: String,
    occurrences: Option<Occurrences>,
    distinct: usize,
    notes: Vec<String>,
    skipped: u64,
    kinds: BTreeMap<ChangedRequest, Occurrences>,
}

impl PlanReport {
    pub(super) fn new(decisions: &LoggedDecisions, content: &str) -> Self {
        Self {
            content: content.to_owned(),
            occurrences: decisions.seen(),
            distinct: decisions.distinct.len(),
            notes: decisions.notes.clone(),
            skipped: 0,
            kinds: BTreeMap::new(),
        }
    }

    /// Counts decisions that cannot be replayed: rejected before any permission was checked.
    pub(super) fn skipped(&mut self, occurrences: &Occurrences) {
        self.skipped += occurrences.count;
    }

    pub(super) fn add(
        &mut self,
        group: AccessChange,
        decision: &LoggedDecision,
        occurrences: &Occurrences,
        old: ReplayResult,
        new: ReplayResult,
    ) {
        let mut missing = Vec::new();
        let mut decided = |result| match result {
            ReplayResult::Decided(decision) => Some(decision),
            ReplayResult::Unknown(facts) => {
                missing.extend(facts);
                None
            }
        };
        let old = decided(old);
        let new = decided(new);
        missing.sort_unstable();
        missing.dedup();
        let kind = ChangedRequest {
            group,
            user: client_label(decision),
            method: decision.method.clone(),
            path: decision.path.clone(),
            listener: decision.listener.clone(),
            old,
            new,
            missing,
        };
        self.kinds
            .entry(kind)
            .and_modify(|known| known.add(occurrences))
            .or_insert_with(|| occurrences.clone());
    }

    pub(super) fn changes_nothing(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for (title, group) in [
            ("loses", AccessChange::Loses),
            ("gains", AccessChange::Gains),
            ("cannot be told", AccessChange::Unknown),
        ] {
            let mut users: BTreeMap<&str, Vec<(&ChangedRequest, &Occurrences)>> = BTreeMap::new();
            for (kind, occurrences) in self.kinds.iter().filter(|(kind, _)| kind.group == group) {
                users
                    .entry(&kind.user)
                    .or_default()
                    .push((kind, occurrences));
            }
            for (user, mut kinds) in users {
                let _ = writeln!(text, "{user}: {title}");
                // The most frequent first; the order of the kinds decides among equals.
                kinds.sort_by_key(|(_, occurrences)| std::cmp::Reverse(occurrences.count));
                for (kind, occurrences) in kinds.iter().take(MOST_SHOWN) {
                    let _ = writeln!(text, "  {}", line(kind, occurrences));
                }
                if kinds.len() > MOST_SHOWN {
                    let _ = writeln!(
                        text,
                        "  and {} more kinds of requests; --json has all",
                        kinds.len() - MOST_SHOWN
                    );
                }
            }
        }
        self.write_sums(&mut text);
        text
    }

    fn write_sums(&self, text: &mut String) {
        if !text.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        if self.skipped > 0 {
            let _ = writeln!(
                text,
                "note: {} refused unread or by their certificate are passed over: no permission was asked",
                decisions(self.skipped),
            );
        }
        match &self.occurrences {
            Some(occurrences) => {
                let _ = writeln!(
                    text,
                    "{} of {} kinds, from {} to {}; certificates are not verified again",
                    decisions(occurrences.count),
                    thousands(u64::try_from(self.distinct).unwrap_or(u64::MAX)),
                    occurrences.first,
                    occurrences.last,
                );
            }
            None => {
                let _ = writeln!(text, "no decisions: nothing to compare");
            }
        }
        let _ = writeln!(text, "config with content {}", self.content);
        let _ = writeln!(
            text,
            "{}, {}, {}",
            self.sum(AccessChange::Loses, "loses", "lose"),
            self.sum(AccessChange::Gains, "gains", "gain"),
            match self.count(AccessChange::Unknown) {
                0 => "nothing is left open".to_owned(),
                count => format!("{} cannot be told", decisions(count)),
            },
        );
    }

    fn sum(&self, group: AccessChange, one: &str, several: &str) -> String {
        let mut users: Vec<&str> = self
            .kinds
            .keys()
            .filter(|kind| kind.group == group)
            .map(|kind| kind.user.as_str())
            .collect();
        users.dedup();
        match users.len() {
            0 => format!("no user {one} anything"),
            1 => format!("1 {one} something ({})", decisions(self.count(group))),
            count => format!(
                "{count} {several} something ({})",
                decisions(self.count(group))
            ),
        }
    }

    fn count(&self, group: AccessChange) -> u64 {
        self.kinds
            .iter()
            .filter(|(kind, _)| kind.group == group)
            .map(|(_, occurrences)| occurrences.count)
            .sum()
    }

    pub(super) fn json(&self) -> String {
        let of = |group| -> Vec<Value> {
            self.kinds
                .iter()
                .filter(|(kind, _)| kind.group == group)
                .map(|(kind, occurrences)| value(kind, occurrences))
                .collect()
        };
        let report = json!({
            "content": self.content,
            "decisions": self.occurrences.as_ref().map_or(0, |occurrences| occurrences.count),
            "first": self.occurrences.as_ref().map(|occurrences| &occurrences.first),
            "last": self.occurrences.as_ref().map(|occurrences| &occurrences.last),
            "passed_over": self.skipped,
            "notes": self.notes,
            "loses": of(AccessChange::Loses),
            "gains": of(AccessChange::Gains),
            "cannot_be_told": of(AccessChange::Unknown),
        });
        format!("{report:#}")
    }
}

fn decisions(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} decision{plural}", thousands(count))
}

/// The number with thousands separators.
pub(in crate::cli) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn line(kind: &ChangedRequest, occurrences: &Occurrences) -> String {
    let times = if occurrences.count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", thousands(occurrences.count))
    };
    let named = |verdict: &ReplayedDecision| {
        let requirement = verdict
            .requirement
            .as_deref()
            .filter(|text| !text.contains(" /"));
        requirement.map(|name| format!(" ({name})"))
    };
    let requirement = kind
        .new
        .as_ref()
        .and_then(named)
        .or_else(|| kind.old.as_ref().and_then(named));
    let what = format!(
        "{} {}{}",
        kind.method,
        kind.path,
        requirement.unwrap_or_default()
    );
    let why = match (&kind.old, &kind.new, kind.missing.is_empty()) {
        (Some(old), Some(new), true) => format!("{} -> {}", reason(old), reason(new)),
        _ => {
            let missing: Vec<String> = kind.missing.iter().map(ToString::to_string).collect();
            format!("needs {}", missing.join("; "))
        }
    };
    format!("{what:<40} {times}, last {}: {why}", occurrences.last)
}

fn reason(verdict: &ReplayedDecision) -> String {
    let by = verdict
        .permission
        .as_ref()
        .map(|permission| format!(" {permission}"))
        .unwrap_or_default();
    let on_trial = if verdict.outcome == LoggedOutcome::Shadow {
        " (let through on trial)"
    } else {
        ""
    };
    format!("{}{by}{on_trial}", verdict.reason)
}

fn value(kind: &ChangedRequest, occurrences: &Occurrences) -> Value {
    let verdict = |verdict: &ReplayedDecision| {
        let word = match verdict.outcome {
            LoggedOutcome::Permit => "permit",
            LoggedOutcome::Shadow => "shadow",
            LoggedOutcome::Refuse => "refuse",
        };
        json!({
            "decision": word,
            "reason": verdict.reason,
            "permission": verdict.permission,
            "route": verdict.route,
            "requirement": verdict.requirement,
        })
    };
    json!({
        "user": kind.user,
        "listener": kind.listener,
        "method": kind.method,
        "path": kind.path,
        "count": occurrences.count,
        "first": occurrences.first,
        "last": occurrences.last,
        "old": kind.old.as_ref().map(verdict),
        "new": kind.new.as_ref().map(verdict),
        "needs": kind.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let written = [0, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
    }
}
