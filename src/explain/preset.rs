//! One client on a route with the preset of Icinga 2: a row for each possible requirement. Names with the same result share a
//! row. Knows no paths of Icinga.

use super::decided_question::DecidedQuestion;
use super::decision_summary::DecisionSummary;
use super::question::ExplainError;
use super::reach::{RouteAccess, reach_of_name};
use super::route_row::RouteRow;
use crate::reason::{DecisionReason, Reason};
use crate::route::Route;
use crate::route::icinga2::all_names;

/// The rows; `decided_question` is about any request on the route.
pub(super) fn rows(
    decided_question: &DecidedQuestion<'_>,
    route: &Route,
) -> Result<Vec<RouteRow>, ExplainError> {
    if decided_question.contains_secret() {
        return Err(ExplainError::secret_in_question());
    }
    let row = || RouteRow::of(decided_question, route, "*");
    let refused = |reason: DecisionReason| {
        Ok(vec![RouteRow {
            reason: reason.word().to_owned(),
            ..row()
        }])
    };
    // The identity is checked before the requirement, which depends on the path.
    let Some(user) = decided_question.decided.user else {
        return refused(DecisionSummary::of(decided_question).reason);
    };
    let now = decided_question.context.at;
    let policy = &decided_question.context.snapshot.policy;
    let is_over = |until: Option<i64>| until.is_some_and(|until| now > until);
    if is_over(route.enabled_until) {
        return refused(Reason::RouteDisabled.into());
    }
    if is_over(policy.enabled_until(user.id)) {
        return refused(Reason::UserDisabled.into());
    }
    let mut groups: Vec<NameGroup> = Vec::new();
    for name in all_names() {
        let reach = reach_of_name(decided_question.context, user, route, &name);
        let prefix = name.rsplit_once('/').map_or(&*name, |(prefix, _)| prefix);
        match groups.iter_mut().find(|group| group.prefix == prefix) {
            Some(group) => group.reaches.push(reach),
            None => groups.push(NameGroup {
                prefix: prefix.to_owned(),
                reaches: vec![reach],
            }),
        }
    }
    Ok(groups
        .into_iter()
        .flat_map(NameGroup::rows)
        .map(|reach| row().with(reach))
        .collect())
}

/// Names that differ only after the last slash.
struct NameGroup {
    prefix: String,
    reaches: Vec<RouteAccess>,
}

impl NameGroup {
    /// One row if all results are equal; otherwise one per name.
    fn rows(self) -> Vec<RouteAccess> {
        let unnamed = |reach: &RouteAccess| RouteAccess {
            requirement: None,
            ..reach.clone()
        };
        match self.reaches.as_slice() {
            [first, second, rest @ ..] => {
                let mut others = std::iter::once(second).chain(rest);
                if others.all(|other| unnamed(other) == unnamed(first)) {
                    let requirement = Some(format!("{}/{{name}}", self.prefix));
                    return vec![RouteAccess {
                        requirement,
                        ..first.clone()
                    }];
                }
                self.reaches
            }
            _ => self.reaches,
        }
    }
}
