//! Checks each permission against a requirement, and computes the result by the rules of the decision, a second time and step
//! by step. `reasons` compares it with the decision.

use super::explanation::{
    CheckedPermission, ConditionFacts, ConditionOutcome, PermissionFacts, ValueFacts,
};
use crate::authorize::{Effect, Matched, Permission, PermissionSet, Policy, RequirementSubject};
use crate::condition::{Condition, Facts};
use crate::config::{Enforcement, Places};
use crate::identity::Principal;
use crate::route::Requirement;

/// Checks the permissions of a user and records each check.
pub(super) struct PermissionChecker<'a> {
    sets: Vec<&'a PermissionSet>,
    facts: &'a Facts<'a>,
    places: &'a Places,
    /// The name that is matched, if there are several.
    name: Option<String>,
    pub(super) tried: Vec<CheckedPermission>,
}

/// A reason, and its permission as an index into `tried`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) word: &'static str,
    pub(super) tried: Option<usize>,
}

/// The grant, with the denial that shadow mode suppressed; or the denial.
pub(super) type PermissionResult = Result<(Reason, Option<Reason>), Reason>;

impl<'a> PermissionChecker<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        principal: &Principal,
        facts: &'a Facts<'a>,
        places: &'a Places,
    ) -> Self {
        Self {
            sets: policy.sets(principal).collect(),
            facts,
            places,
            name: None,
            tried: Vec::new(),
        }
    }

    /// Checks the whole requirement.
    pub(super) fn required(&mut self, requirement: &Requirement<'_>) -> PermissionResult {
        match requirement {
            Requirement::Every(names) => {
                let mut found = Err(Reason {
                    word: "no_permission",
                    tried: None,
                });
                for name in names {
                    self.name = Some(name.as_str().to_owned());
                    let one = self.one(&RequirementSubject::of_name(name))?;
                    found = match found {
                        Ok((first, before)) => Ok((first, first_of(before, one.1))),
                        Err(_) => Ok(one),
                    };
                }
                found
            }
            Requirement::AnyApiUser => {
                let on_trial = self.denying(&RequirementSubject::of(requirement))?;
                Ok((
                    Reason {
                        word: "any_api_user",
                        tried: None,
                    },
                    on_trial,
                ))
            }
            one => self.one(&RequirementSubject::of(one)),
        }
    }

    /// Checks only `deny`, for a route that needs no permission.
    pub(super) fn denied(&mut self, requirement: &Requirement<'_>) -> PermissionResult {
        let on_trial = self.denying(&RequirementSubject::of(requirement))?;
        Ok((
            Reason {
                word: "public_route",
                tried: None,
            },
            on_trial,
        ))
    }

    fn one(&mut self, subject: &RequirementSubject<'_>) -> PermissionResult {
        let on_trial = self.denying(subject)?;
        let (grant, trial) = self.granting(subject)?;
        Ok((grant, first_of(on_trial, trial)))
    }

    fn denying(&mut self, subject: &RequirementSubject<'_>) -> Result<Option<Reason>, Reason> {
        let mut on_trial = None;
        for (set, permission) in each(&self.sets, |set| &set.denied) {
            let (tried, outcome) =
                self.record(set, permission, Effect::Deny, permission.denies(subject));
            let word = match outcome {
                Some(ConditionOutcome::Holds) => "denied",
                Some(ConditionOutcome::Failed) => "condition_failed",
                _ => continue,
            };
            let reason = Reason {
                word,
                tried: Some(tried),
            };
            match permission.enforcement() {
                Enforcement::Enforce => return Err(reason),
                Enforcement::Shadow => on_trial = first_of(on_trial, Some(reason)),
            }
        }
        Ok(on_trial)
    }

    fn granting(&mut self, subject: &RequirementSubject<'_>) -> PermissionResult {
        let mut denied = Reason {
            word: "no_permission",
            tried: None,
        };
        let mut on_trial = None;
        for (set, permission) in each(&self.sets, |set| &set.granted) {
            let (tried, outcome) =
                self.record(set, permission, Effect::Grant, permission.grants(subject));
            let because = |word| Reason {
                word,
                tried: Some(tried),
            };
            match (outcome, permission.enforcement()) {
                (Some(ConditionOutcome::Holds), Enforcement::Enforce) => {
                    return Ok((because("permission"), None));
                }
                (Some(ConditionOutcome::Holds), Enforcement::Shadow) => {
                    on_trial = first_of(on_trial, Some(because("permission")));
                }
                (Some(ConditionOutcome::Failed), _) => denied = because("condition_failed"),
                (Some(ConditionOutcome::DoesNotHold), _) if denied.word == "no_permission" => {
                    denied = because("condition_not_met");
                }
                _ => {}
            }
        }
        match on_trial {
            Some(grant) => Ok((grant, Some(denied))),
            None => Err(denied),
        }
    }

    /// Checks a permission and records it. Its condition is evaluated only if its pattern matches; `None` is no match.
    fn record(
        &mut self,
        set: &PermissionSet,
        permission: &Permission,
        effect: Effect,
        matches: bool,
    ) -> (usize, Option<ConditionOutcome>) {
        let condition = permission.condition().map(|condition| match matches {
            true => condition_facts(condition, self.facts),
            false => ConditionFacts {
                text: condition.text().to_owned(),
                ..ConditionFacts::default()
            },
        });
        let outcome = condition
            .as_ref()
            .map_or(ConditionOutcome::Holds, |condition| condition.outcome);
        let matched = Matched {
            permission,
            role: set.role.as_deref(),
        };
        self.tried.push(CheckedPermission {
            permission: permission_facts(&matched, effect, self.places),
            requirement: self.name.clone(),
            matches,
            on_trial: permission.enforcement() == Enforcement::Shadow,
            condition,
        });
        (self.tried.len() - 1, matches.then_some(outcome))
    }
}

fn first_of(first: Option<Reason>, second: Option<Reason>) -> Option<Reason> {
    first.or(second)
}

/// The permissions of all sets with their sets.
fn each<'a>(
    sets: &[&'a PermissionSet],
    which: impl Fn(&'a PermissionSet) -> &'a Vec<Permission>,
) -> Vec<(&'a PermissionSet, &'a Permission)> {
    sets.iter()
        .flat_map(|set| which(set).iter().map(|permission| (*set, permission)))
        .collect()
}

/// A condition and its outcome.
pub(super) fn condition_facts(condition: &Condition, facts: &Facts<'_>) -> ConditionFacts {
    let (outcome, error) = match condition.holds(facts) {
        Ok(true) => (ConditionOutcome::Holds, None),
        Ok(false) => (ConditionOutcome::DoesNotHold, None),
        Err(error) => (ConditionOutcome::Failed, Some(error.to_string())),
    };
    let values = condition
        .values(facts)
        .into_iter()
        .map(|(name, value)| ValueFacts { name, value })
        .collect();
    ConditionFacts {
        text: condition.text().to_owned(),
        outcome,
        error,
        values,
    }
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
