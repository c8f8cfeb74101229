//! One request of every ApiUser: the decision and its permission. Cheap per user, since there may be very many.

use super::client::ExplainedClient;
use super::context::QuestionContext;
use super::decision_summary::DecisionSummary;
use super::explanation::{ExplainedDecision, PermissionFacts, RequestFacts};
use super::facts::undecided_request_facts;
use super::question::{ExplainError, ExplainQuestion, QuestionClient};
use super::text::TextLines;
use crate::authorize::NoTrace;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The decision for each ApiUser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllUsers {
    /// The generation of the running gateway; `null` without one.
    pub generation: Option<u64>,
    /// The request.
    pub request: RequestFacts,
    /// The number of each decision.
    pub counts: Counts,
    /// The users in load order: by file, then by name.
    pub users: Vec<UserRow>,
}

/// The number of each decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Permitted.
    pub permit: usize,
    /// Permitted in shadow mode only.
    pub shadow: usize,
    /// Denied.
    pub refuse: usize,
    /// Decided by an external authorizer.
    pub depends: usize,
}

/// The decision for one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The ApiUser.
    pub user: String,
    /// The decision.
    pub decision: ExplainedDecision,
    /// The reason word; `unprovable` for a user that cannot authenticate on this host.
    pub reason: String,
    /// The permission that decided.
    pub permission: Option<PermissionFacts>,
}

impl Counts {
    fn count(&mut self, decision: ExplainedDecision) {
        let count = match decision {
            ExplainedDecision::Permit => &mut self.permit,
            ExplainedDecision::Shadow => &mut self.shadow,
            ExplainedDecision::Refuse => &mut self.refuse,
            ExplainedDecision::Depends => &mut self.depends,
        };
        *count += 1;
    }
}

/// Explains the request for each user.
pub(super) fn all_users(
    snapshot: &Snapshot,
    question: &ExplainQuestion,
) -> Result<AllUsers, ExplainError> {
    if question.who != QuestionClient::NoCertificate {
        return Err(ExplainError::invalid_question(
            "the question is about all users, so name none",
        ));
    }
    let (context, request) = QuestionContext::of(snapshot, question)?;
    let provable = snapshot.users.provable();
    let mut all = AllUsers {
        request: undecided_request_facts(&context, &request),
        ..AllUsers::default()
    };
    all.users.reserve(snapshot.users.len());
    for user in snapshot.users.iter() {
        let who = QuestionClient::User(user.name.to_string());
        let row = match ExplainedClient::with_credentials(&context, &who, &|domain, user| {
            provable.contains(&(domain, user))
        }) {
            Ok(client) => {
                let summary = context.decide(
                    &client,
                    &request,
                    || NoTrace,
                    |decided_question, _| match decided_question.contains_secret() {
                        true => Err(ExplainError::secret_in_question()),
                        false => Ok(DecisionSummary::of(decided_question)),
                    },
                )?;
                UserRow {
                    user: user.name.to_string(),
                    decision: summary.decision,
                    reason: summary.reason.word().to_owned(),
                    permission: summary.permission,
                }
            }
            Err(_) => UserRow {
                user: user.name.to_string(),
                decision: ExplainedDecision::Refuse,
                reason: "unprovable".to_owned(),
                permission: None,
            },
        };
        all.counts.count(row.decision);
        all.users.push(row);
    }
    Ok(all)
}

impl fmt::Display for AllUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = TextLines::default();
        let path = self.request.path.as_deref().unwrap_or("?");
        lines.line(
            "request",
            format!(
                "{} {path} at listener {}",
                self.request.method, self.request.listener
            ),
        );
        lines.generation(self.generation);
        let Counts {
            permit,
            shadow,
            refuse,
            depends,
        } = self.counts;
        let depends = if depends > 0 {
            format!(", {depends} as an authorizer says")
        } else {
            String::new()
        };
        lines.line(
            "users",
            format!("{permit} permitted, {shadow} only in shadow mode, {refuse} refused{depends}"),
        );
        let rows = self.users.iter().map(|row| {
            let permission = row
                .permission
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            [
                row.user.clone(),
                row.decision.word().to_owned(),
                row.reason.clone(),
                permission,
            ]
        });
        lines.table(["USER", "DECISION", "REASON", "PERMISSION"], rows.collect());
        f.write_str(&lines.into_text())
    }
}
