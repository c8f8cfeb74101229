//! One client on a route with the preset of Icinga 2: a row for each name that it may require, those together of which the
//! same is true. Knows no path of Icinga's.

use super::judged::Judged;
use super::question::NoAnswer;
use super::reach::{Reach, reach_of_name};
use super::route_row::RouteRow;
use super::verdict::Verdict;
use crate::route::Route;
use crate::route::icinga2::all_names;

/// The rows; `judged` is any request on the route.
pub(super) fn rows(judged: &Judged<'_>, route: &Route) -> Result<Vec<RouteRow>, NoAnswer> {
    if judged.shows_a_secret() {
        return Err(NoAnswer::secret());
    }
    let row = || RouteRow::of(judged, route, "*");
    let refused = |reason: &str| {
        Ok(vec![RouteRow {
            reason: reason.to_owned(),
            ..row()
        }])
    };
    // Who it is comes before what is required, which depends on the path.
    let Some(user) = judged.decided.user else {
        return refused(Verdict::of(judged).reason);
    };
    let (now, policy) = (judged.scene.at, &judged.scene.snapshot.policy);
    let is_over = |until: Option<i64>| until.is_some_and(|until| now > until);
    if is_over(route.enabled_until) {
        return refused("route_disabled");
    }
    if is_over(policy.enabled_until(user.id)) {
        return refused("user_disabled");
    }
    let mut groups: Vec<Group> = Vec::new();
    for name in all_names() {
        let reach = reach_of_name(judged.scene, user, route, &name);
        let prefix = name.rsplit_once('/').map_or(&*name, |(prefix, _)| prefix);
        match groups.iter_mut().find(|group| group.prefix == prefix) {
            Some(group) => group.reaches.push(reach),
            None => groups.push(Group {
                prefix: prefix.to_owned(),
                reaches: vec![reach],
            }),
        }
    }
    Ok(groups
        .into_iter()
        .flat_map(Group::rows)
        .map(|reach| row().with(reach))
        .collect())
}

/// Names that differ only behind the last slash.
struct Group {
    prefix: String,
    reaches: Vec<Reach>,
}

impl Group {
    /// One for all, where the same is true of all.
    fn rows(self) -> Vec<Reach> {
        let unnamed = |reach: &Reach| Reach {
            requirement: None,
            ..reach.clone()
        };
        match self.reaches.as_slice() {
            [first, second, rest @ ..] => {
                let mut others = std::iter::once(second).chain(rest);
                if others.all(|other| unnamed(other) == unnamed(first)) {
                    let requirement = Some(format!("{}/{{name}}", self.prefix));
                    return vec![Reach {
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
