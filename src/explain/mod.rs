//! Explains decisions of a snapshot: about one request, one request of all users, or one client on all routes. The decision is
//! that of the proxy, and the reasons are its recorded steps.

mod client;
mod expectation;
mod explanation;
mod facts;
mod decided_question;
mod preset;
mod question;
mod reach;
mod reasons;
mod recorder;
mod route_decision;
mod route_row;
mod routes;
mod context;
mod text;
mod users;
mod decision_summary;

pub use expectation::{UnmetExpectation, meets};
pub use explanation::{
    CheckedPermission, ClientFacts, ConditionFacts, ConditionOutcome, ExplainedDecision,
    Explanation, Note, PermissionFacts, RequestFacts, RequirementFacts, RouteFacts, ShadowFacts,
    UserFacts, ValueFacts,
};
pub use question::{ConnectionPeer, ExplainError, ExplainQuestion, QuestionClient, QuestionScope};
pub use route_decision::RouteDecision;
pub use route_row::RouteRow;
pub use routes::AllRoutes;
pub use users::{AllUsers, Counts, UserRow};

use crate::snapshot::Snapshot;
use client::ExplainedClient;
use context::QuestionContext;
use recorder::Recorder;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum ExplainAnswer {
    /// About one request.
    Request(Box<Explanation>),
    /// About one request of each ApiUser.
    AllUsers(AllUsers),
    /// About one client on each route.
    AllRoutes(AllRoutes),
}

impl ExplainAnswer {
    /// Adds the generation of the running gateway.
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

impl fmt::Display for ExplainAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(explanation) => explanation.fmt(f),
            Self::AllUsers(users) => users.fmt(f),
            Self::AllRoutes(routes) => routes.fmt(f),
        }
    }
}

/// Answers a question of any scope.
///
/// # Errors
/// [`ExplainError`] if the question does not apply to this snapshot.
pub fn answer(
    snapshot: &Snapshot,
    question: &ExplainQuestion,
) -> Result<ExplainAnswer, ExplainError> {
    match question.about {
        QuestionScope::Request => explain(snapshot, question)
            .map(Box::new)
            .map(ExplainAnswer::Request),
        QuestionScope::AllUsers => {
            users::all_users(snapshot, question).map(ExplainAnswer::AllUsers)
        }
        QuestionScope::AllRoutes => {
            routes::all_routes(snapshot, question).map(ExplainAnswer::AllRoutes)
        }
    }
}

/// The ApiUser with the most similar name, if one is similar enough.
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
/// [`ExplainError`] if the question does not apply to this snapshot.
pub fn explain(
    snapshot: &Snapshot,
    question: &ExplainQuestion,
) -> Result<Explanation, ExplainError> {
    let (context, request) = QuestionContext::of(snapshot, question)?;
    let client = ExplainedClient::named(&context)?;
    let recorder = || Recorder::new(&snapshot.places);
    context.decide(&client, &request, recorder, reasons::explanation)
}
