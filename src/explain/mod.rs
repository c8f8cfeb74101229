//! What a snapshot would decide about a request, about one request of all users, or about one user on all routes, and why.
//! The judgement is that of the proxy; the reasons are found beside it, and where they do not lead to it there is no answer.

mod asker;
mod explanation;
mod facts;
mod question;
mod reasons;
mod scene;
mod text;
mod trial;
mod verdict;

pub use explanation::{
    ClientFacts, ConditionFacts, ConditionOutcome, Decision, Explanation, Note, PermissionFacts, RequestFacts,
    RequirementFacts, RouteFacts, ShadowFacts, Tried, UserFacts, ValueFacts,
};
pub use question::{About, Connection, NoAnswer, Question, Who};

use crate::snapshot::Snapshot;
use asker::Asker;
use scene::Scene;

/// Explains one request.
///
/// # Errors
/// [`NoAnswer`] if the question makes no sense here.
pub fn explain(snapshot: &Snapshot, question: &Question) -> Result<Explanation, NoAnswer> {
    let (scene, asked) = Scene::of(snapshot, question)?;
    let asker = Asker::named(&scene)?;
    scene.judged(&asker, &asked, reasons::explanation)
}
