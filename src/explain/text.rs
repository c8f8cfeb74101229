//! Explanations as text: one fact a line. Computes nothing.

use super::explanation::{
    CheckedPermission, ConditionFacts, ConditionOutcome, ExplainedDecision, Explanation,
    PermissionFacts, UserFacts,
};
use crate::reason::{DecisionReason, GrantReason, Reason};
use std::fmt;

/// The lines of a text, each with a name.
#[derive(Default)]
pub(super) struct TextLines(String);

impl TextLines {
    /// Adds a line. Control characters are escaped, since values may come from clients or certificates.
    pub(super) fn line(&mut self, name: &str, value: impl AsRef<str>) {
        let name = if name.is_empty() {
            String::new()
        } else {
            format!("{name}:")
        };
        let mut line = format!("{name:<13}");
        for letter in value.as_ref().chars() {
            if letter.is_control() {
                line.extend(letter.escape_default())
            } else {
                line.push(letter)
            }
        }
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    pub(super) fn generation(&mut self, generation: Option<u64>) {
        if let Some(generation) = generation {
            self.line(
                "generation",
                format!("{generation}, active in the running gateway"),
            );
        }
    }

    /// Columns as wide as their widest entry; the last one as it is.
    pub(super) fn table<const N: usize>(&mut self, heading: [&str; N], rows: Vec<[String; N]>) {
        let mut widths = heading.map(|title| title.chars().count());
        for row in &rows {
            widths
                .iter_mut()
                .zip(row)
                .for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
        }
        for row in std::iter::once(heading.map(str::to_owned)).chain(rows) {
            let cells = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            self.0
                .push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            self.0.push('\n');
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = TextLines::default();
        lines.line("decision", self.decision_text());
        lines.generation(self.generation);
        self.client(&mut lines);
        if let Some(path) = &self.request.path {
            lines.line("path", format!("{} {path}", self.request.method));
        }
        self.route(&mut lines);
        self.permission(&mut lines);
        for (at, tried) in self.tried.iter().enumerate() {
            let name = if at == 0 { "tried" } else { "" };
            lines.line(name, tried.to_string());
            conditions(
                &mut lines,
                "",
                tried.condition.as_ref().filter(|_| tried.matches),
            );
        }
        self.shadow(&mut lines);
        self.notes
            .iter()
            .for_each(|note| lines.line(&note.name, &note.text));
        f.write_str(&lines.0)
    }
}

impl Explanation {
    /// The decision in a few words.
    pub(super) fn decision_text(&self) -> String {
        let detail = self
            .detail
            .as_ref()
            .map(|detail| format!(": {detail}"))
            .unwrap_or_default();
        match self.decision {
            ExplainedDecision::Permit => "permit".to_owned(),
            ExplainedDecision::Depends => format!(
                "depends on authorizer \"{}\"",
                self.detail.as_deref().unwrap_or_default()
            ),
            ExplainedDecision::Shadow => format!("permit, marked shadow ({}{detail})", self.reason),
            ExplainedDecision::Refuse if self.alert.is_some() => {
                format!(
                    "refuse (TLS alert {}: {})",
                    self.alert.as_deref().unwrap_or_default(),
                    self.reason
                )
            }
            ExplainedDecision::Refuse => {
                format!(
                    "refuse ({} {}{detail})",
                    self.status.unwrap_or_default(),
                    self.reason
                )
            }
        }
    }

    fn client(&self, lines: &mut TextLines) {
        if let Some(domain) = &self.client.trust_domain {
            lines.line("verified by", domain);
        }
        let Some(user) = &self.client.user else {
            lines.line(
                "user",
                format!(
                    "none: {}",
                    self.client.nobody.as_deref().unwrap_or_default()
                ),
            );
            return;
        };
        let by = if user.credential == "certificate" {
            String::new()
        } else {
            format!(" by {}", user.credential)
        };
        lines.line("user", format!("{} at {}{by}", user.name, user.place));
        if let Some(kind) = &user.identified_by {
            lines.line("identified", format!("by {kind}"));
        }
        if let Some(roles) = roles(user) {
            lines.line("roles", roles);
        }
        if let Some(until) = &user.enabled_until {
            lines.line("enabled", format!("until {until}"));
        }
    }

    fn route(&self, lines: &mut TextLines) {
        if let Some(route) = &self.route {
            lines.line("route", format!("{} at {}", route.name, route.place));
            if let Some(until) = &route.enabled_until {
                lines.line("enabled", format!("until {until}"));
            }
            if let Some(upstream) = &route.upstream {
                lines.line("upstream", upstream);
            }
            route
                .conditions
                .iter()
                .for_each(|condition| conditions(lines, "condition", Some(condition)));
        }
        if let Some(requirement) = &self.requirement {
            lines.line("requirement", &requirement.text);
            lines.line("required by", &requirement.origin);
        }
    }

    fn permission(&self, lines: &mut TextLines) {
        let reason = DecisionReason::from_word(&self.reason);
        match (&self.permission, reason) {
            (Some(permission), Some(DecisionReason::Refused(Reason::Denied))) => {
                lines.line("denied by", permission.to_string())
            }
            (Some(permission), _) => lines.line("permission", permission.to_string()),
            (None, Some(DecisionReason::Refused(Reason::NoPermission))) => {
                lines.line("permission", "none grants this")
            }
            (None, Some(DecisionReason::Granted(GrantReason::AnyApiUser))) => {
                lines.line("permission", "none needed: the route is for any ApiUser")
            }
            (None, Some(DecisionReason::Granted(GrantReason::PublicRoute))) => {
                lines.line("permission", "none needed: the route is public")
            }
            (None, _) => {}
        }
    }

    fn shadow(&self, lines: &mut TextLines) {
        let Some(shadow) = &self.shadow else { return };
        let origin = match shadow.origin.as_str() {
            "permission" => "a permission is on trial".to_owned(),
            origin => format!("`shadow = true` of the {origin}"),
        };
        let changes = match &shadow.hides {
            Some(reason) => format!("without it the request would be refused: {reason}"),
            None => "it changes nothing here".to_owned(),
        };
        let permission = shadow
            .permission
            .as_ref()
            .map(|it| format!(", {it}"))
            .unwrap_or_default();
        lines.line("shadow", format!("{origin}; {changes}{permission}"));
    }
}

fn roles(user: &UserFacts) -> Option<String> {
    let quoted = |roles: &[String]| {
        roles
            .iter()
            .map(|role| format!("\"{role}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let own = (!user.roles.is_empty()).then(|| quoted(&user.roles));
    let brought = (!user.roles_of_certificate.is_empty())
        .then(|| format!("{} by its certificate", quoted(&user.roles_of_certificate)));
    let all: Vec<String> = own.into_iter().chain(brought).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// A condition, its outcome, and the values that it read.
fn conditions(lines: &mut TextLines, name: &str, condition: Option<&ConditionFacts>) {
    let Some(condition) = condition else { return };
    let indented = if name.is_empty() { "    when " } else { "" };
    lines.line(name, format!("{indented}{condition}"));
    for value in &condition.values {
        lines.line("", format!("      {} = {}", value.name, value.value));
    }
}

impl fmt::Display for ConditionFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text,
            outcome,
            error,
            ..
        } = self;
        match outcome {
            ConditionOutcome::Holds => write!(f, "`{text}` holds"),
            ConditionOutcome::DoesNotHold => write!(f, "`{text}` does not hold"),
            ConditionOutcome::Failed => write!(
                f,
                "`{text}` fails: {}",
                error.as_deref().unwrap_or_default()
            ),
            ConditionOutcome::NotAsked => write!(f, "`{text}` is not asked"),
        }
    }
}

impl fmt::Display for PermissionFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self
            .role
            .as_ref()
            .map(|role| format!(" of role \"{role}\""))
            .unwrap_or_default();
        write!(f, "\"{}\"{role} at {}", self.text, self.place)
    }
}

impl fmt::Display for CheckedPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matches = if self.matches { "matches" } else { "no match" };
        let trial = if self.on_trial { ", on trial" } else { "" };
        let name = self
            .requirement
            .as_ref()
            .map(|name| format!(" {name}"))
            .unwrap_or_default();
        write!(
            f,
            "{:<5} {}: {matches}{name}{trial}",
            self.permission.effect, self.permission
        )
    }
}
