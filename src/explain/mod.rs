//! What a snapshot would decide about a request, about one request of all users, or about one user on all routes, and why.
//! The judgement is that of the proxy; the reasons are found beside it, and where they do not lead to it there is no answer.

mod asker;
mod expectation;
mod explanation;
mod facts;
mod judged;
mod preset;
mod question;
mod reach;
mod reasons;
mod route_decision;
mod route_row;
mod routes;
mod scene;
mod text;
mod trial;
mod users;
mod verdict;

pub use expectation::{Unmet, meets};
pub use explanation::{
    ClientFacts, ConditionFacts, ConditionOutcome, Decision, Explanation, Note, PermissionFacts,
    RequestFacts, RequirementFacts, RouteFacts, ShadowFacts, Tried, UserFacts, ValueFacts,
};
pub use question::{About, Connection, NoAnswer, Question, Who};
pub use route_decision::RouteDecision;
pub use route_row::RouteRow;
pub use routes::AllRoutes;
pub use users::{AllUsers, Counts, UserRow};

use crate::snapshot::Snapshot;
use asker::Asker;
use scene::Scene;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Answer {
    /// About one request.
    Request(Box<Explanation>),
    /// About one request of each ApiUser.
    AllUsers(AllUsers),
    /// About one client on each route.
    AllRoutes(AllRoutes),
}

impl Answer {
    /// The same, of a running gateway with this generation in force.
    pub fn of_generation(mut self, generation: u64) -> Self {
        let place = match &mut self {
            Self::Request(explanation) => &mut explanation.generation,
            Self::AllUsers(users) => &mut users.generation,
            Self::AllRoutes(routes) => &mut routes.generation,
        };
        *place = Some(generation);
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(explanation) => explanation.fmt(f),
            Self::AllUsers(users) => users.fmt(f),
            Self::AllRoutes(routes) => routes.fmt(f),
        }
    }
}

/// Answers a question of any kind.
///
/// # Errors
/// [`NoAnswer`] if the question makes no sense here.
pub fn answer(snapshot: &Snapshot, question: &Question) -> Result<Answer, NoAnswer> {
    match question.about {
        About::Request => explain(snapshot, question)
            .map(Box::new)
            .map(Answer::Request),
        About::AllUsers => users::all_users(snapshot, question).map(Answer::AllUsers),
        About::AllRoutes => routes::all_routes(snapshot, question).map(Answer::AllRoutes),
    }
}

/// The ApiUser whose name is most like this one, if any is like it.
fn nearest_user<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s str> {
    let known = snapshot
        .users
        .iter()
        .map(|user| (strsim::jaro_winkler(name, &user.name), &*user.name));
    known
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| known)
}

/// Explains one request.
///
/// # Errors
/// [`NoAnswer`] if the question makes no sense here.
pub fn explain(snapshot: &Snapshot, question: &Question) -> Result<Explanation, NoAnswer> {
    let (scene, asked) = Scene::of(snapshot, question)?;
    let asker = Asker::named(&scene)?;
    scene.judged(&asker, &asked, reasons::explanation)
}
