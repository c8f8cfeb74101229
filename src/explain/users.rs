//! One request of every ApiUser: who may do this, and by which permission. Cheap for each, since there may be very many.

use super::asker::Asker;
use super::explanation::{Decision, PermissionFacts, RequestFacts};
use super::facts::asked_facts;
use super::question::{NoAnswer, Question, Who};
use super::scene::Scene;
use super::text::Lines;
use super::verdict::Verdict;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What would be decided for each ApiUser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllUsers {
    /// The generation of the running gateway that was asked; `null` if none was.
    pub generation: Option<u64>,
    /// What was judged.
    pub request: RequestFacts,
    /// How many of each decision.
    pub counts: Counts,
    /// In the order in which they are read: by file, and there by name.
    pub users: Vec<UserRow>,
}

/// How many of each decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// It goes on.
    pub permit: usize,
    /// It goes on, and is marked.
    pub shadow: usize,
    /// It is refused.
    pub refuse: usize,
    /// An external authorizer has the last word.
    pub depends: usize,
}

/// What would be decided for one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The ApiUser.
    pub user: String,
    /// What would happen.
    pub decision: Decision,
    /// The reason in one word; `unprovable` for a user that can never come in here.
    pub reason: String,
    /// The permission that decision.
    pub permission: Option<PermissionFacts>,
}

impl Counts {
    fn count(&mut self, decision: Decision) {
        let count = match decision {
            Decision::Permit => &mut self.permit,
            Decision::Shadow => &mut self.shadow,
            Decision::Refuse => &mut self.refuse,
            Decision::Depends => &mut self.depends,
        };
        *count += 1;
    }
}

/// Asks for each user.
pub(super) fn all_users(snapshot: &Snapshot, question: &Question) -> Result<AllUsers, NoAnswer> {
    if question.who != Who::Nobody {
        return Err(NoAnswer::question(
            "all users are asked about, so nobody is to be named",
        ));
    }
    let (scene, asked) = Scene::of(snapshot, question)?;
    let provable = snapshot.users.provable();
    let mut all = AllUsers {
        request: asked_facts(&scene, &asked),
        ..AllUsers::default()
    };
    all.users.reserve(snapshot.users.len());
    for user in snapshot.users.iter() {
        let who = Who::User(user.name.to_string());
        let row = match Asker::who(&scene, &who, &|domain, user| {
            provable.contains(&(domain, user))
        }) {
            Ok(asker) => {
                let verdict =
                    scene.judged(&asker, &asked, |judged| match judged.shows_a_secret() {
                        true => Err(NoAnswer::secret()),
                        false => Ok(Verdict::of(judged)),
                    })?;
                UserRow {
                    user: user.name.to_string(),
                    decision: verdict.decision,
                    reason: verdict.reason.to_owned(),
                    permission: verdict.permission,
                }
            }
            Err(_) => UserRow {
                user: user.name.to_string(),
                decision: Decision::Refuse,
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
        let mut lines = Lines::default();
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
