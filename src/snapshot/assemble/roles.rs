//! Roles and the roles within them: each role with all that it holds, without circles.

use super::Assembly;
use super::interner::Interner;
use crate::authorize::PermissionSet;
use crate::config::Spanned;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// All roles of the config, in its order.
pub(super) struct Roles<'c> {
    by_name: HashMap<&'c str, usize>,
    /// The permissions of each.
    pub(super) sets: Vec<Arc<PermissionSet>>,
    /// Each role and all that it holds, itself first.
    held: Vec<Vec<usize>>,
}

impl<'c> Assembly<'c> {
    pub(super) fn roles(&self, interner: &mut Interner) -> Roles<'c> {
        let said = &self.config.roles;
        let _ = self.unique("role", said, |role| &role.name);
        let by_name = said
            .iter()
            .enumerate()
            .map(|(at, role)| (role.name.value.as_str(), at))
            .collect();
        let sets = said.iter().map(|role| {
            let mut set = self.permission_set(interner, role.permissions.take(), role.deny.take());
            self.lint_denied(&set.denied, "role", &role.name.value);
            set.role = Some(role.name.value.as_str().into());
            Arc::new(set)
        });
        let mut roles = Roles {
            by_name,
            sets: sets.collect(),
            held: Vec::new(),
        };
        roles.held = (0..said.len()).map(|at| self.held(&roles, at)).collect();
        roles
    }

    /// A role and all that it holds, the nearest first. A circle is reported by each role in it.
    fn held(&self, roles: &Roles<'_>, first: usize) -> Vec<usize> {
        let (mut held, mut held_by, mut next) = (vec![first], vec![0], 0);
        let mut seen = HashSet::from([first]);
        while let Some(role) = held.get(next).and_then(|at| self.config.roles.get(*at)) {
            for name in &role.roles {
                match roles.by_name.get(name.value.as_str()) {
                    None if next == 0 => self.no_such_role(roles, name),
                    Some(at) if *at == first => self.circle(name, &held, &held_by, next),
                    Some(at) if seen.insert(*at) => {
                        held.push(*at);
                        held_by.push(next);
                    }
                    _ => {}
                }
            }
            next += 1;
        }
        held
    }

    /// The way from the first role to the one that names the first again.
    fn circle(&self, name: &Spanned<String>, held: &[usize], held_by: &[usize], last: usize) {
        let (mut way, mut at) = (vec![0, last], last);
        while at != 0 {
            at = held_by.get(at).copied().unwrap_or_default();
            way.push(at);
        }
        if last == 0 {
            way = vec![0, 0];
        }
        let role = |at: &usize| self.config.roles.get(*held.get(*at)?);
        let names: Vec<String> = way
            .iter()
            .rev()
            .filter_map(role)
            .map(|role| format!("\"{}\"", role.name.value))
            .collect();
        let message = format!(
            "roles hold each other in a circle: {}",
            names.join(" holds ")
        );
        self.problems.error(
            name.place,
            message,
            "remove one of them from the `roles` of another",
        );
    }

    fn no_such_role(&self, roles: &Roles<'_>, name: &Spanned<String>) {
        let names: Vec<String> = roles
            .by_name
            .keys()
            .map(|name| (*name).to_owned())
            .collect();
        let message = format!("there is no role \"{}\"", name.value);
        self.problems
            .error(name.place, message, self.known("roles", names.iter()));
    }

    /// The permissions that roles bring, each set once.
    pub(super) fn sets_of(
        &self,
        roles: &Roles<'_>,
        names: &[Spanned<String>],
    ) -> Vec<Arc<PermissionSet>> {
        let (mut all, mut seen) = (Vec::<usize>::new(), HashSet::new());
        for name in names {
            match roles.by_name.get(name.value.as_str()) {
                Some(at) => all.extend(
                    roles
                        .held(*at)
                        .iter()
                        .copied()
                        .filter(|at| seen.insert(*at)),
                ),
                None => self.no_such_role(roles, name),
            }
        }
        all.into_iter()
            .filter_map(|at| roles.sets.get(at))
            .cloned()
            .collect()
    }
}

impl Roles<'_> {
    /// All that roles hold, themselves included, by their positions in the config; some more than once.
    pub(super) fn all_held<'r>(
        &'r self,
        names: &'r [Spanned<String>],
    ) -> impl Iterator<Item = usize> + 'r {
        names
            .iter()
            .filter_map(|name| self.by_name.get(name.value.as_str()))
            .flat_map(|at| self.held(*at))
            .copied()
    }

    /// A role, by its position in the config, and all that it holds.
    pub(super) fn held(&self, at: usize) -> &[usize] {
        self.held.get(at).map_or(&[], Vec::as_slice)
    }
}
