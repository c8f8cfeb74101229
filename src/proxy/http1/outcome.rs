//! What a head leads to: it goes on, we answer ourselves, or something is to be found out first.

use super::{Elsewhere, Keep, Rest};
use crate::proxy::RequestId;
use crate::proxy::credentials::{JudgingBy, Looked, Wanted};
use crate::proxy::record::Record;
use crate::proxy::request::DecisionRounds;
use crate::respond::OwnAnswer;

/// What a head leads to.
pub(super) enum Begun {
    /// It may go on; what goes up stands in the place that was given for it.
    Forward,
    /// We answer ourselves.
    Own(Box<Own>),
    /// It is not for this engine.
    Elsewhere(Elsewhere),
    /// There is no further request.
    End,
    /// Something is to be found out first. The head stays where it is.
    Unchecked(Box<Unchecked>),
}

/// What a decision needs; and by what the request was decided so far.
pub(super) struct Unchecked {
    pub(super) wanted: Wanted,
    pub(super) judging: JudgingBy,
    /// The name of the request, in all rounds.
    pub(super) request_id: RequestId,
    /// How often it may be decided again.
    pub(super) rounds: DecisionRounds,
}

/// What earlier rounds of the same request have brought.
pub(super) struct EarlierRounds<'a> {
    pub(super) looked: &'a Looked,
    pub(super) request_id: RequestId,
    pub(super) rounds: DecisionRounds,
}

/// An answer of our own.
pub(super) struct Own {
    pub(super) record: Record,
    pub(super) answer: OwnAnswer,
    pub(super) keep: Keep,
    /// Whether the client wants the body, too.
    pub(super) body: OwnBody,
    /// Whether some of the request is left where it is.
    pub(super) rest: Rest,
}

/// Whether an answer of our own shows its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnBody {
    Shown,
    /// The answer to HEAD.
    Announced,
}
