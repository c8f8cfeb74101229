//! What a head leads to: it goes on, we answer ourselves, or something is to be found out first.

use super::{Elsewhere, Keep, Rest};
use crate::proxy::RequestId;
use crate::proxy::credentials::{JudgingBy, Wanted};
use crate::proxy::record::Record;
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

/// What a judgement waits for; and by what the request was judged so far.
pub(super) struct Unchecked {
    pub(super) wanted: Wanted,
    pub(super) judging: JudgingBy,
    /// Its name, also when it is judged again.
    pub(super) request_id: RequestId,
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
