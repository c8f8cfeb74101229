//! Each permission that a requirement is compared with, and what they come to by the rules of the decision, found a second
//! time and step by step. Whether that is what was judged is looked at by `reasons`.

use super::explanation::{ConditionFacts, ConditionOutcome, PermissionFacts, Tried, ValueFacts};
use crate::authorize::{Asked, Effect, Matched, Permission, PermissionSet, Policy};
use crate::condition::{Condition, Facts};
use crate::config::{Enforcement, Places};
use crate::identity::Principal;
use crate::route::Requirement;

/// Permissions, tried.
pub(super) struct Trial<'a> {
    sets: Vec<&'a PermissionSet>,
    facts: &'a Facts<'a>,
    places: &'a Places,
    /// The name that is compared, where there are several.
    name: Option<String>,
    pub(super) tried: Vec<Tried>,
}

/// A reason, and the permission that it is about, by its position among those that were tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) word: &'static str,
    pub(super) tried: Option<usize>,
}

/// What the permissions come to: what grants, and what would refuse if nothing were on trial; or what refuses.
pub(super) type Found = Result<(Reason, Option<Reason>), Reason>;

impl<'a> Trial<'a> {
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

    /// What everything required comes to.
    pub(super) fn required(&mut self, requirement: &Requirement<'_>) -> Found {
        match requirement {
            Requirement::Every(names) => {
                let mut found = Err(Reason {
                    word: "no_permission",
                    tried: None,
                });
                for name in names {
                    self.name = Some(name.as_str().to_owned());
                    let one = self.one(&Asked::of_name(name))?;
                    found = match found {
                        Ok((first, before)) => Ok((first, before_or(before, one.1))),
                        Err(_) => Ok(one),
                    };
                }
                found
            }
            Requirement::AnyApiUser => {
                let on_trial = self.denying(&Asked::of(requirement))?;
                Ok((
                    Reason {
                        word: "any_api_user",
                        tried: None,
                    },
                    on_trial,
                ))
            }
            one => self.one(&Asked::of(one)),
        }
    }

    /// What `deny` says of a request on a route that needs no permission.
    pub(super) fn denied(&mut self, requirement: &Requirement<'_>) -> Found {
        let on_trial = self.denying(&Asked::of(requirement))?;
        Ok((
            Reason {
                word: "public_route",
                tried: None,
            },
            on_trial,
        ))
    }

    fn one(&mut self, asked: &Asked<'_>) -> Found {
        let on_trial = self.denying(asked)?;
        let (grant, trial) = self.granting(asked)?;
        Ok((grant, before_or(on_trial, trial)))
    }

    fn denying(&mut self, asked: &Asked<'_>) -> Result<Option<Reason>, Reason> {
        let mut on_trial = None;
        for (set, permission) in each(&self.sets, |set| &set.denied) {
            let (tried, outcome) =
                self.look(set, permission, Effect::Deny, permission.denies(asked));
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
                Enforcement::Shadow => on_trial = before_or(on_trial, Some(reason)),
            }
        }
        Ok(on_trial)
    }

    fn granting(&mut self, asked: &Asked<'_>) -> Found {
        let (mut why_not, mut on_trial) = (
            Reason {
                word: "no_permission",
                tried: None,
            },
            None,
        );
        for (set, permission) in each(&self.sets, |set| &set.granted) {
            let (tried, outcome) =
                self.look(set, permission, Effect::Grant, permission.grants(asked));
            let because = |word| Reason {
                word,
                tried: Some(tried),
            };
            match (outcome, permission.enforcement()) {
                (Some(ConditionOutcome::Holds), Enforcement::Enforce) => {
                    return Ok((because("permission"), None));
                }
                (Some(ConditionOutcome::Holds), Enforcement::Shadow) => {
                    on_trial = before_or(on_trial, Some(because("permission")));
                }
                (Some(ConditionOutcome::Failed), _) => why_not = because("condition_failed"),
                (Some(ConditionOutcome::DoesNotHold), _) if why_not.word == "no_permission" => {
                    why_not = because("condition_not_met");
                }
                _ => {}
            }
        }
        match on_trial {
            Some(grant) => Ok((grant, Some(why_not))),
            None => Err(why_not),
        }
    }

    /// Notes a look at a permission. Its condition is asked only where its pattern matches; `None` is no match.
    fn look(
        &mut self,
        set: &PermissionSet,
        permission: &Permission,
        effect: Effect,
        matches: bool,
    ) -> (usize, Option<ConditionOutcome>) {
        let condition = permission.condition().map(|condition| match matches {
            true => asked(condition, self.facts),
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
        self.tried.push(Tried {
            permission: permission_facts(&matched, effect, self.places),
            requirement: self.name.clone(),
            matches,
            on_trial: permission.enforcement() == Enforcement::Shadow,
            condition,
        });
        (self.tried.len() - 1, matches.then_some(outcome))
    }
}

fn before_or(before: Option<Reason>, now: Option<Reason>) -> Option<Reason> {
    before.or(now)
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

/// A condition and what it comes to.
pub(super) fn asked(condition: &Condition, facts: &Facts<'_>) -> ConditionFacts {
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
