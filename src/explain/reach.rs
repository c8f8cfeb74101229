//! What somebody's permissions mean for all requests of one route and method at once: what is sure, and what depends on
//! captures, on what is below the path, or on conditions.

use super::explanation::PermissionFacts;
use super::route_decision::RouteDecision;
use super::scene::Scene;
use super::trial::permission_facts;
use crate::authorize::{
    Coverage, DenyCoverage, Effect, Form, Matched, Part, Permission, PermissionSet, granted_by_any,
};
use crate::config::Enforcement;
use crate::identity::Principal;
use crate::route::{Admission, Extent, RequirementRule, Route, Segment, TemplatePart};

/// What is sure, or what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) decision: RouteDecision,
    pub(super) reason: &'static str,
    pub(super) depends_on: Vec<String>,
    pub(super) permissions: Vec<PermissionFacts>,
    /// What is required, as the config says it.
    pub(super) requirement: Option<String>,
}

/// What requests of a route and method need, and what differs between them.
struct Kind {
    form: Form,
    /// Captures, and what is below the path.
    variables: Vec<String>,
    text: String,
}

/// A permission with its set, and how many of the requests it is about.
struct Touching<'a> {
    set: &'a PermissionSet,
    permission: &'a Permission,
    coverage: DenyCoverage,
}

impl Touching<'_> {
    fn is_enforced(&self) -> bool {
        self.permission.enforcement() == Enforcement::Enforce
    }

    fn is_unconditional(&self) -> bool {
        self.permission.condition().is_none()
    }

    fn is_about_all(&self) -> bool {
        self.coverage == DenyCoverage::All
    }
}

/// What it comes to on a route by a method.
pub(super) fn reach(
    scene: &Scene<'_>,
    user: Option<&Principal>,
    route: &Route,
    method: &str,
) -> Reach {
    reach_of(scene, user, (route, method), kind(route, method))
}

/// The same where the route requires this name, in which a `*` is whatever the request says.
pub(super) fn reach_of_name(
    scene: &Scene<'_>,
    user: &Principal,
    route: &Route,
    name: &str,
) -> Reach {
    let parts: Vec<Part> = match name.strip_suffix('*') {
        Some(begin) => vec![Part::text(begin), Part::Anything],
        None => vec![Part::text(name)],
    };
    let variables = name
        .ends_with('*')
        .then(|| "what the request lists".to_owned());
    let kind = Kind {
        form: Form::Named(parts),
        variables: variables.into_iter().collect(),
        text: name.to_owned(),
    };
    reach_of(scene, Some(user), (route, ""), kind)
}

fn reach_of(
    scene: &Scene<'_>,
    user: Option<&Principal>,
    (route, method): (&Route, &str),
    kind: Kind,
) -> Reach {
    let mut reach = match user {
        None => sure(RouteDecision::Permit, "public_route", Vec::new()),
        Some(user) => {
            let sets: Vec<&PermissionSet> = scene.snapshot.policy.sets(user).collect();
            let needs_none = if route.admission.is_public() {
                Some("public_route")
            } else {
                matches!(kind.form, Form::AnyApiUser).then_some("any_api_user")
            };
            by_permissions(scene, &sets, &kind, needs_none)
        }
    };
    reach.requirement = (!route.admission.is_public()).then_some(kind.text);
    let conditions = [
        route.condition.as_ref(),
        route.requirement.condition(method),
    ]
    .into_iter()
    .flatten();
    let conditions =
        conditions.map(|condition| format!("the route's condition `{}`", condition.text()));
    let authorizer = route
        .authorizer
        .iter()
        .map(|name| format!("authorizer \"{name}\""));
    let conditions: Vec<String> = conditions.chain(authorizer).collect();
    if !conditions.is_empty() && reach.decision != RouteDecision::Refuse {
        reach.decision = RouteDecision::Depends;
        reach.reason = "";
        reach.depends_on.splice(0..0, conditions);
    }
    let refuses_some = matches!(
        reach.decision,
        RouteDecision::Depends | RouteDecision::Refuse
    );
    if refuses_some && only_marks(scene, user, route) {
        reach.decision = RouteDecision::Shadow;
    }
    reach
}

fn sure(decision: RouteDecision, reason: &'static str, permissions: Vec<PermissionFacts>) -> Reach {
    Reach {
        decision,
        reason,
        depends_on: Vec::new(),
        permissions,
        requirement: None,
    }
}

fn by_permissions(
    scene: &Scene<'_>,
    sets: &[&PermissionSet],
    kind: &Kind,
    needs_none: Option<&'static str>,
) -> Reach {
    let denies = touching(
        sets,
        |set| &set.denied,
        |permission| permission.denies_of(&kind.form),
    );
    let grants = touching(
        sets,
        |set| &set.granted,
        |permission| permission.grants_of(&kind.form).into(),
    );
    let grants = if needs_none.is_some() {
        Vec::new()
    } else {
        grants
    };
    if let Some(deny) = denies
        .iter()
        .find(|it| it.is_enforced() && it.is_unconditional() && it.is_about_all())
    {
        return sure(
            RouteDecision::Refuse,
            "denied",
            vec![facts(scene, deny, Effect::Deny)],
        );
    }
    if grants.is_empty() && needs_none.is_none() {
        return sure(RouteDecision::Refuse, "no_permission", Vec::new());
    }
    let all_by = |which: fn(&Touching<'_>) -> bool| {
        let chosen = grants.iter().filter(|it| which(it)).map(|it| it.permission);
        needs_none.is_some() || granted_by_any(chosen, &kind.form) == Coverage::All
    };
    let is_granted = all_by(|it| it.is_unconditional());
    if is_granted && !denies.iter().any(Touching::is_enforced) {
        let surely = all_by(|it| it.is_unconditional() && it.is_enforced()) && denies.is_empty();
        let decision = if surely {
            RouteDecision::Permit
        } else {
            RouteDecision::Shadow
        };
        // The first that covers all decides, as it does for a request.
        let decides = grants
            .iter()
            .find(|it| it.is_enforced() && it.is_unconditional() && it.is_about_all());
        let deciding: Vec<_> = decides.map_or_else(|| grants.iter().collect(), |one| vec![one]);
        let permissions = deciding
            .into_iter()
            .map(|it| facts(scene, it, Effect::Grant));
        let permissions = permissions
            .chain(denies.iter().map(|it| facts(scene, it, Effect::Deny)))
            .collect();
        let reason = needs_none.unwrap_or("permission");
        return sure(decision, reason, permissions);
    }
    let grants = if is_granted { Vec::new() } else { grants };
    depending(scene, (&grants, &denies), kind)
}

/// What it depends on which of these permissions count.
fn depending(
    scene: &Scene<'_>,
    (grants, denies): (&[Touching<'_>], &[Touching<'_>]),
    kind: &Kind,
) -> Reach {
    let mut reach = sure(RouteDecision::Depends, "", Vec::new());
    for (touching, effect, verb) in [
        (grants, Effect::Grant, "granted"),
        (denies, Effect::Deny, "denied"),
    ] {
        for it in touching {
            let permission = facts(scene, it, effect);
            reach
                .depends_on
                .push(format!("{verb} by {permission}{}", when(it, kind)));
            reach.permissions.push(permission);
        }
    }
    reach
}

fn facts(scene: &Scene<'_>, it: &Touching<'_>, effect: Effect) -> PermissionFacts {
    let matched = Matched {
        permission: it.permission,
        role: it.set.role.as_deref(),
    };
    permission_facts(&matched, effect, &scene.snapshot.places)
}

fn touching<'a>(
    sets: &[&'a PermissionSet],
    which: impl Fn(&'a PermissionSet) -> &'a Vec<Permission>,
    covers: impl Fn(&Permission) -> DenyCoverage,
) -> Vec<Touching<'a>> {
    let all = sets
        .iter()
        .flat_map(|set| which(set).iter().map(|permission| (*set, permission)));
    let covered = all.map(|(set, permission)| Touching {
        set,
        permission,
        coverage: covers(permission),
    });
    covered
        .filter(|it| it.coverage != DenyCoverage::None)
        .collect()
}

/// What it depends on whether a permission counts.
fn when(it: &Touching<'_>, kind: &Kind) -> String {
    let permission = it.permission;
    let mut text = String::new();
    match it.coverage {
        DenyCoverage::Some if !kind.variables.is_empty() => {
            text.push_str(&format!(", depending on {}", kind.variables.join(" and ")));
        }
        DenyCoverage::TooManyReadings => {
            text.push_str(", if there are more readings than are compared")
        }
        _ => {}
    }
    if let Some(condition) = permission.condition() {
        text.push_str(&format!(", when `{}`", condition.text()));
    }
    if permission.enforcement() == Enforcement::Shadow {
        text.push_str(", on trial");
    }
    text
}

fn kind(route: &Route, method: &str) -> Kind {
    let is_named = route.admission == Admission::Authorized;
    match (route.requirement.demand(method), &route.requirement) {
        (Some(demand), _) if is_named => {
            let capture =
                |at: usize| format!("{{{}}}", route.captures.get(at).map_or("", AsRef::as_ref));
            let (mut name, mut variables, mut text) = (Vec::new(), Vec::new(), String::new());
            for part in demand.name.parts() {
                match part {
                    TemplatePart::Text(piece) => {
                        name.push(Part::text(piece));
                        text.push_str(piece);
                    }
                    TemplatePart::Capture(at) => {
                        name.push(Part::Segment);
                        text.push_str(&capture(at));
                        variables.push(capture(at));
                    }
                }
            }
            Kind {
                form: Form::Named(name),
                variables,
                text,
            }
        }
        (_, RequirementRule::AnyApiUser) if is_named => Kind {
            form: Form::AnyApiUser,
            variables: Vec::new(),
            text: "(any ApiUser)".to_owned(),
        },
        _ => of_path(route, method),
    }
}

fn of_path(route: &Route, method: &str) -> Kind {
    let (mut path, mut variables, mut text) = (Vec::new(), Vec::new(), String::new());
    for segment in &route.pattern.segments {
        match segment {
            Segment::Literal(literal) => {
                path.push(Part::text(format!("/{literal}")));
                text.push_str(&format!("/{literal}"));
            }
            Segment::Capture(name) => {
                path.extend([Part::text("/"), Part::Segment]);
                text.push_str(&format!("/{{{name}}}"));
                variables.push(format!("{{{name}}}"));
            }
        }
    }
    if route.pattern.extent == Extent::Prefix {
        match path.is_empty() {
            true => path.extend([Part::text("/"), Part::Anything]),
            false => path.push(Part::Below),
        }
        variables.push("what is below".to_owned());
        text.push_str("/...");
    }
    Kind {
        form: Form::MethodAndPath {
            method: method.to_owned(),
            path,
        },
        variables,
        text: format!("{method} {text}"),
    }
}

/// Whether refusals on this route are only marked for this user.
fn only_marks(scene: &Scene<'_>, user: Option<&Principal>, route: &Route) -> bool {
    scene.snapshot.policy.enforcement(user, route.enforcement) == Enforcement::Shadow
}
