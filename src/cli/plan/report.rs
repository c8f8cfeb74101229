//! What `plan` says: for people, grouped by who gains or loses, and for programs. Compares nothing.

use super::lacking::Lacking;
use super::replay::Verdict;
use super::who;
use crate::cli::decisions::{Decision, Decisions, Outcome, Seen};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// So many kinds of requests are shown of each user in text; JSON has all.
const MOST_SHOWN: usize = 20;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Loses,
    Gains,
    CannotBeTold,
}

/// One kind of request of one user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    group: Group,
    user: String,
    method: String,
    path: String,
    listener: String,
    old: Option<Verdict>,
    new: Option<Verdict>,
    lacks: Vec<Lacking>,
}

/// All that changes.
pub(super) struct Report {
    content: String,
    seen: Option<Seen>,
    distinct: usize,
    notes: Vec<String>,
    passed_over: u64,
    kinds: BTreeMap<Kind, Seen>,
}

impl Report {
    pub(super) fn new(decisions: &Decisions, content: &str) -> Self {
        Self {
            content: content.to_owned(),
            seen: decisions.seen(),
            distinct: decisions.distinct.len(),
            notes: decisions.notes.clone(),
            passed_over: 0,
            kinds: BTreeMap::new(),
        }
    }

    /// It says too little, and no config could have let it in.
    pub(super) fn passed_over(&mut self, seen: &Seen) {
        self.passed_over += seen.count;
    }

    pub(super) fn add(
        &mut self,
        group: Group,
        decision: &Decision,
        seen: &Seen,
        (old, new): (Option<Verdict>, Option<Verdict>),
        mut lacks: Vec<Lacking>,
    ) {
        lacks.sort_unstable();
        lacks.dedup();
        let kind = Kind {
            group,
            user: who(decision),
            method: decision.method.clone(),
            path: decision.path.clone(),
            listener: decision.listener.clone(),
            old,
            new,
            lacks,
        };
        self.kinds
            .entry(kind)
            .and_modify(|known| known.add(seen))
            .or_insert_with(|| seen.clone());
    }

    pub(super) fn changes_nothing(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for (title, group) in [
            ("loses", Group::Loses),
            ("gains", Group::Gains),
            ("cannot be told", Group::CannotBeTold),
        ] {
            let mut users: BTreeMap<&str, Vec<(&Kind, &Seen)>> = BTreeMap::new();
            for (kind, seen) in self.kinds.iter().filter(|(kind, _)| kind.group == group) {
                users.entry(&kind.user).or_default().push((kind, seen));
            }
            for (user, mut kinds) in users {
                let _ = writeln!(text, "{user}: {title}");
                // The most frequent first; the order of the kinds decides among equals.
                kinds.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.count));
                for (kind, seen) in kinds.iter().take(MOST_SHOWN) {
                    let _ = writeln!(text, "  {}", line(kind, seen));
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
        if self.passed_over > 0 {
            let _ = writeln!(
                text,
                "note: {} refused unread or by their certificate are passed over: no permission was asked",
                decisions(self.passed_over),
            );
        }
        match &self.seen {
            Some(seen) => {
                let _ = writeln!(
                    text,
                    "{} of {} kinds, from {} to {}; certificates are not verified again",
                    decisions(seen.count),
                    thousands(u64::try_from(self.distinct).unwrap_or(u64::MAX)),
                    seen.first,
                    seen.last,
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
            self.sum(Group::Loses, "loses", "lose"),
            self.sum(Group::Gains, "gains", "gain"),
            match self.count(Group::CannotBeTold) {
                0 => "nothing is left open".to_owned(),
                count => format!("{} cannot be told", decisions(count)),
            },
        );
    }

    fn sum(&self, group: Group, one: &str, several: &str) -> String {
        let mut users: Vec<&str> = self
            .kinds
            .keys()
            .filter(|kind| kind.group == group)
            .map(|kind| kind.user.as_str())
            .collect();
        users.dedup();
        match users.len() {
            0 => format!("nobody {one} anything"),
            1 => format!("1 {one} something ({})", decisions(self.count(group))),
            count => format!(
                "{count} {several} something ({})",
                decisions(self.count(group))
            ),
        }
    }

    fn count(&self, group: Group) -> u64 {
        self.kinds
            .iter()
            .filter(|(kind, _)| kind.group == group)
            .map(|(_, seen)| seen.count)
            .sum()
    }

    pub(super) fn json(&self) -> String {
        let of = |group| -> Vec<Value> {
            self.kinds
                .iter()
                .filter(|(kind, _)| kind.group == group)
                .map(|(kind, seen)| value(kind, seen))
                .collect()
        };
        let report = json!({
            "content": self.content,
            "decisions": self.seen.as_ref().map_or(0, |seen| seen.count),
            "first": self.seen.as_ref().map(|seen| &seen.first),
            "last": self.seen.as_ref().map(|seen| &seen.last),
            "passed_over": self.passed_over,
            "notes": self.notes,
            "loses": of(Group::Loses),
            "gains": of(Group::Gains),
            "cannot_be_told": of(Group::CannotBeTold),
        });
        format!("{report:#}")
    }
}

fn decisions(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} decision{plural}", thousands(count))
}

/// With a comma before each three digits.
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

fn line(kind: &Kind, seen: &Seen) -> String {
    let times = if seen.count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", thousands(seen.count))
    };
    let named = |verdict: &Verdict| {
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
    let why = match (&kind.old, &kind.new, kind.lacks.is_empty()) {
        (Some(old), Some(new), true) => format!("{} -> {}", reason(old), reason(new)),
        _ => {
            let lacks: Vec<String> = kind.lacks.iter().map(ToString::to_string).collect();
            format!("needs {}", lacks.join("; "))
        }
    };
    format!("{what:<40} {times}, last {}: {why}", seen.last)
}

fn reason(verdict: &Verdict) -> String {
    let by = verdict
        .permission
        .as_ref()
        .map(|permission| format!(" {permission}"))
        .unwrap_or_default();
    let on_trial = if verdict.outcome == Outcome::Shadow {
        " (let through on trial)"
    } else {
        ""
    };
    format!("{}{by}{on_trial}", verdict.reason)
}

fn value(kind: &Kind, seen: &Seen) -> Value {
    let verdict = |verdict: &Verdict| {
        let word = match verdict.outcome {
            Outcome::Permit => "permit",
            Outcome::Shadow => "shadow",
            Outcome::Refuse => "refuse",
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
        "count": seen.count,
        "first": seen.first,
        "last": seen.last,
        "old": kind.old.as_ref().map(verdict),
        "new": kind.new.as_ref().map(verdict),
        "needs": kind.lacks.iter().map(ToString::to_string).collect::<Vec<_>>(),
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
