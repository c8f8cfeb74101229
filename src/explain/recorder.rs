//! Records the steps of a decision in words while it is made: conditions of the route, compared permissions, and shadow mode.
//! Decides nothing.

use super::explanation::{
    CheckedPermission, ConditionFacts, ConditionOutcome, PermissionFacts, ShadowFacts, ValueFacts,
};
use crate::authorize::{
    ComparedPermission, Denied, Effect, EnforcementSetting, EvaluatedCondition, Grant, Matched,
    Permit, Trace,
};
use crate::config::{Enforcement, Places};
use crate::route::Name;

/// The recorded steps of one decision. Empty if the request was rejected before conditions and permissions.
pub(super) struct Recorder<'a> {
    places: &'a Places,
    /// The name that permissions are compared with, if the request requires several.
    name: Option<String>,
    /// The conditions of the route, in order.
    pub(super) conditions: Vec<ConditionFacts>,
    /// The permissions, in order.
    pub(super) tried: Vec<CheckedPermission>,
    /// Shadow mode, if it is on or a permission in shadow mode matters.
    pub(super) shadow: Option<ShadowFacts>,
}

impl<'a> Recorder<'a> {
    /// A recorder for one decision.
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            name: None,
            conditions: Vec::new(),
            tried: Vec::new(),
            shadow: None,
        }
    }

    /// A permission in shadow mode suppressed this denial. A grant in shadow mode suppresses the lack of other grants; a `deny`
    /// in shadow mode is itself suppressed.
    fn shadowed_by_permission(&self, permit: &Permit<'_>, hidden: &Denied<'_>) -> ShadowFacts {
        let denying = hidden
            .matched()
            .filter(|_| hidden.effect() == Effect::Deny)
            .map(|matched| permission_facts(&matched, Effect::Deny, self.places));
        let granting = match permit.grant() {
            Grant::Permission(matched) => {
                Some(permission_facts(&matched, Effect::Grant, self.places))
            }
            _ => None,
        };
        ShadowFacts {
            origin: "permission".to_owned(),
            hides: Some(hidden.reason().word().to_owned()),
            permission: denying.or(granting),
        }
    }
}

impl Trace for Recorder<'_> {
    fn route_condition(&mut self, evaluated: &EvaluatedCondition<'_>) {
        self.conditions.push(condition_facts(evaluated));
    }

    fn required_name(&mut self, name: &Name<'_>) {
        self.name = Some(name.as_str().to_owned());
    }

    fn permission(&mut self, step: &ComparedPermission<'_>) {
        let permission = step.compared.permission;
        let condition = permission.condition().map(|condition| match step.outcome {
            Some(outcome) => condition_facts(&EvaluatedCondition {
                condition,
                facts: step.facts,
                outcome,
            }),
            None => ConditionFacts {
                text: condition.text().to_owned(),
                ..ConditionFacts::default()
            },
        });
        self.tried.push(CheckedPermission {
            permission: permission_facts(&step.compared, step.effect, self.places),
            requirement: self.name.clone(),
            matches: step.outcome.is_some(),
            on_trial: permission.enforcement() == Enforcement::Shadow,
            condition,
        });
    }

    fn authorized(
        &mut self,
        result: &Result<Permit<'_>, Denied<'_>>,
        enforcement: EnforcementSetting,
    ) {
        if let Ok(permit) = result
            && let Some(hidden) = permit.shadowed()
        {
            self.shadow = Some(self.shadowed_by_permission(permit, hidden));
            return;
        }
        if enforcement.mode == Enforcement::Enforce {
            return;
        }
        let hidden = result
            .as_ref()
            .err()
            .filter(|denied| denied.may_be_shadowed());
        self.shadow = Some(ShadowFacts {
            origin: enforcement.origin.word().to_owned(),
            hides: hidden.map(|denied| denied.reason().word().to_owned()),
            permission: hidden.and_then(|denied| caused_by(denied, self.places)),
        });
    }
}

/// A condition and its outcome.
fn condition_facts(evaluated: &EvaluatedCondition<'_>) -> ConditionFacts {
    let (outcome, error) = match evaluated.outcome {
        Ok(true) => (ConditionOutcome::Holds, None),
        Ok(false) => (ConditionOutcome::DoesNotHold, None),
        Err(error) => (ConditionOutcome::Failed, Some(error.to_string())),
    };
    let values = evaluated
        .condition
        .values(evaluated.facts)
        .into_iter()
        .map(|(name, value)| ValueFacts { name, value })
        .collect();
    ConditionFacts {
        text: evaluated.condition.text().to_owned(),
        outcome,
        error,
        values,
    }
}

/// The permission that caused a denial.
pub(super) fn caused_by(denied: &Denied<'_>, places: &Places) -> Option<PermissionFacts> {
    let matched = denied.matched()?;
    Some(permission_facts(&matched, denied.effect(), places))
}

/// A permission in words.
pub(super) fn permission_facts(
    matched: &Matched<'_>,
    effect: Effect,
    places: &Places,
) -> PermissionFacts {
    PermissionFacts {
        text: matched.permission.text().to_owned(),
        place: places.describe(matched.permission.place),
        role: matched.role.map(str::to_owned),
        effect: match effect {
            Effect::Grant => "grant",
            Effect::Deny => "deny",
        }
        .to_owned(),
    }
}
