//! The decision over all permissions of a user, compared with a reference implementation.

use super::*;
use crate::authorize::{CompiledPermission, EvaluatedCondition, NoTrace};
use crate::condition::{HeaderValues, Spelling};
use crate::config::{Place, Sources};
use crate::identity::ApiUsers;
use crate::reason::Reason;
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn place() -> Place {
    Place::new(
        Sources::default()
            .add("test".into(), String::new())
            .unwrap(),
        &(0..0),
    )
}

fn permission(text: &str, effect: Effect, enforcement: Enforcement) -> Permission {
    let compiled = CompiledPermission::new(text, effect).qualified(None, enforcement);
    Permission::new(Arc::new(compiled), place())
}

/// A pattern, and whether it is on trial.
type Said = (String, bool);

fn set(role: Option<&str>, granted: &[Said], denied: &[Said]) -> PermissionSet {
    let list = |said: &[Said], effect| {
        let enforcement = |trial: bool| {
            if trial {
                Enforcement::Shadow
            } else {
                Enforcement::Enforce
            }
        };
        said.iter()
            .map(|(text, trial)| permission(text, effect, enforcement(*trial)))
            .collect()
    };
    let role = role.map(Arc::from);
    PermissionSet {
        role,
        granted: list(granted, Effect::Grant),
        denied: list(denied, Effect::Deny),
    }
}

fn principal() -> Principal {
    let mut users = ApiUsers::default();
    users
        .add("alice", place(), std::time::Duration::ZERO)
        .unwrap();
    users.named("alice").unwrap()
}

struct NoHeaders;

impl HeaderValues for NoHeaders {
    fn each_value(&self, _: &str, _: &mut dyn FnMut(Spelling, &[u8])) {}
}

fn facts(headers: &NoHeaders, now: i64) -> Facts<'_> {
    Facts {
        method: "GET",
        path: "/",
        query: None,
        host: "localhost",
        captures: &[],
        headers,
        certificate: None,
        trust_domain: None,
        user: "alice",
        source: Ipv4Addr::LOCALHOST.into(),
        now,
    }
}

/// The addresses of the recorded permissions with a matching pattern, in order.
#[derive(Default)]
struct MatchingSteps {
    permissions: Vec<usize>,
    results: usize,
}

impl Trace for MatchingSteps {
    fn route_condition(&mut self, _: &EvaluatedCondition<'_>) {}

    fn required_name(&mut self, _: &Name<'_>) {}

    fn permission(&mut self, step: &ComparedPermission<'_>) {
        if step.outcome.is_some() {
            self.permissions
                .push(std::ptr::from_ref(step.compared.permission).addr());
        }
    }

    fn authorized(&mut self, _: &Result<Permit<'_>, Denied<'_>>, _: EnforcementSetting) {
        self.results += 1;
    }
}

/// Word of the denial or of the suppressed one, and the permission that decided.
fn outcome_of(result: &Result<Permit<'_>, Denied<'_>>) -> (Option<Reason>, Option<usize>) {
    let matched = match result {
        Ok(permit) => match permit.grant() {
            Grant::Permission(matched) => Some(matched),
            _ => None,
        },
        Err(denied) => denied.matched(),
    };
    let hidden = match result {
        Ok(permit) => permit.shadowed(),
        Err(denied) => Some(denied),
    };
    let address = matched.map(|matched| std::ptr::from_ref(matched.permission).addr());
    (hidden.map(Denied::reason), address)
}

/// Straight from the definition: who decides, and whether it is only on trial.
fn meant(names: &[&str], granted: &[Said], denied: &[Said]) -> Result<bool, &'static str> {
    let fits = |(text, _): &&Said, name: &str| {
        text == "*"
            || crate::pattern::Pattern::new(text, crate::pattern::Case::Folds)
                .matches(name.as_bytes())
    };
    let mut marked = false;
    for name in names {
        let any =
            |said: &[Said], trial: bool| said.iter().any(|it| it.1 == trial && fits(&it, name));
        if any(denied, false) {
            return Err("denied");
        }
        marked |= any(denied, true);
        if !any(granted, false) {
            if !any(granted, true) {
                return Err("no_permission");
            }
            marked = true;
        }
    }
    if names.is_empty() {
        Err("no_permission")
    } else {
        Ok(marked)
    }
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    proptest::collection::vec(("(\\*|[ab][ab*?]{0,3})", any::<bool>()), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_decision_equals_the_reference_decision(
        own in said(), roles in said(), own_deny in said(), role_deny in said(),
        names in proptest::collection::vec("[ab]{1,3}", 0..4),
    ) {
        let user = UserPermissions {
            own: set(None, &own, &own_deny),
            roles: vec![Arc::new(set(Some("role"), &roles, &role_deny))],
            ..Default::default()
        };
        let policy = Policy::new(vec![user], Vec::new(), Enforcement::Enforce);
        let requirement = match names.as_slice() {
            [one] => Requirement::Named(one.as_str().into()),
            several => Requirement::Every(several.iter().map(|name| name.as_str().into()).collect()),
        };
            let headers = NoHeaders;
        let outcome = policy.authorize(&principal(), &requirement, &facts(&headers, 0), &mut NoTrace);
        let mut steps = MatchingSteps::default();
        let traced = policy.authorize(&principal(), &requirement, &facts(&headers, 0), &mut steps);
        prop_assert_eq!(outcome_of(&traced), outcome_of(&outcome));
        if let (_, Some(decided)) = outcome_of(&traced) {
            prop_assert!(steps.permissions.contains(&decided), "the deciding permission is recorded");
            let is_enforced_deny = traced.is_err();
            prop_assert!(!is_enforced_deny || steps.permissions.last() == Some(&decided), "nothing follows it");
        }
        let outcome = outcome.map(|permit| permit.shadowed().is_some()).map_err(|denied| denied.reason().word());
        let texts: Vec<&str> = names.iter().map(String::as_str).collect();
        prop_assert_eq!(outcome, meant(&texts, &[own, roles].concat(), &[own_deny, role_deny].concat()));
    }
}

#[test]
fn an_expired_user_loses_its_permissions_the_next_second() {
    let own = set(None, &[("*".to_owned(), false)], &[]);
    let user = UserPermissions {
        own,
        enabled_until: Some(100),
        ..Default::default()
    };
    let policy = Policy::new(vec![user], Vec::new(), Enforcement::Shadow);
    let headers = NoHeaders;
    let requirement = Requirement::Named("x".into());
    let word = |now| {
        policy
            .authorize(
                &principal(),
                &requirement,
                &facts(&headers, now),
                &mut NoTrace,
            )
            .map_err(|denied| denied.reason().word())
    };
    assert!(word(100).is_ok());
    assert_eq!(word(101).unwrap_err(), "user_disabled");
}

#[test]
fn counting_denials_overrides_other_settings() {
    use Enforcement::{Enforce, Shadow};
    for (global, user, route, expected) in [
        (Enforce, None, None, Enforce),
        (Shadow, None, None, Shadow),
        (Shadow, Some(Enforce), None, Enforce),
        (Shadow, None, Some(Enforce), Enforce),
        (Enforce, Some(Shadow), None, Shadow),
        (Enforce, None, Some(Shadow), Shadow),
        (Shadow, Some(Shadow), Some(Enforce), Enforce),
        (Shadow, Some(Enforce), Some(Shadow), Enforce),
    ] {
        let permissions = UserPermissions {
            enforcement: user,
            ..Default::default()
        };
        let policy = Policy::new(vec![permissions], Vec::new(), global);
        assert_eq!(policy.enforcement(Some(&principal()), route).mode, expected);
    }
}
