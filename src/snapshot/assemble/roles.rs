//! Assembly of roles: resolves included roles, and reports cycles.

use super::Assembly;
use super::interner::Interner;
use crate::authorize::PermissionSet;
use crate::config::Spanned;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// All roles of the config, in its order.
pub(super) struct Roles<'c> {
    by_name: HashMap<&'c str, usize>,
    /// The permissions of each role.
    pub(super) sets: Vec<Arc<PermissionSet>>,
    /// For each role, the indexes of the role itself and of all included roles.
    closures: Vec<Vec<usize>>,
}

impl<'c> Assembly<'c> {
    pub(super) fn roles(&self, interner: &mut Interner) -> Roles<'c> {
        let table = &self.config.roles;
        let _ = self.unique("role", table, |role| &role.name);
        let by_name = table
            .iter()
            .enumerate()
            .map(|(at, role)| (role.name.value.as_str(), at))
            .collect();
        let sets = table.iter().map(|role| {
            let mut set = self.permission_set(interner, role.permissions.take(), role.deny.take());
            self.lint_denied(&set.denied, "role", &role.name.value);
            set.role = Some(role.name.value.as_str().into());
            Arc::new(set)
        });
        let mut roles = Roles {
            by_name,
            sets: sets.collect(),
            closures: Vec::new(),
        };
        roles.closures = (0..table.len())
            .map(|at| self.closure(&roles, at))
            .collect();
        roles
    }

    /// A role and all included roles, in breadth-first order. Each role in a cycle reports it.
    fn closure(&self, roles: &Roles<'_>, first: usize) -> Vec<usize> {
        let mut included = vec![first];
        let mut parents = vec![0];
        let mut next = 0;
        let mut visited = HashSet::from([first]);
        while let Some(role) = included.get(next).and_then(|at| self.config.roles.get(*at)) {
            for name in &role.roles {
                match roles.by_name.get(name.value.as_str()) {
                    None if next == 0 => self.report_unknown_role(roles, name),
                    Some(at) if *at == first => self.report_cycle(name, &included, &parents, next),
                    Some(at) if visited.insert(*at) => {
                        included.push(*at);
                        parents.push(next);
                    }
                    _ => {}
                }
            }
            next += 1;
        }
        included
    }

    /// Reports the path from the first role to the role that includes the first again.
    fn report_cycle(
        &self,
        name: &Spanned<String>,
        included: &[usize],
        parents: &[usize],
        last: usize,
    ) {
        let mut cycle = vec![0, last];
        let mut at = last;
        while at != 0 {
            at = parents.get(at).copied().unwrap_or_default();
            cycle.push(at);
        }
        if last == 0 {
            cycle = vec![0, 0];
        }
        let role = |at: &usize| self.config.roles.get(*included.get(*at)?);
        let names: Vec<String> = cycle
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

    fn report_unknown_role(&self, roles: &Roles<'_>, name: &Spanned<String>) {
        let names: Vec<String> = roles
            .by_name
            .keys()
            .map(|name| (*name).to_owned())
            .collect();
        let message = format!("there is no role \"{}\"", name.value);
        self.problems
            .error(name.place, message, self.known("roles", names.iter()));
    }

    /// The permissions of roles and their included roles, each set once.
    pub(super) fn sets_of(
        &self,
        roles: &Roles<'_>,
        names: &[Spanned<String>],
    ) -> Vec<Arc<PermissionSet>> {
        let mut all = Vec::<usize>::new();
        let mut visited = HashSet::new();
        for name in names {
            match roles.by_name.get(name.value.as_str()) {
                Some(at) => all.extend(
                    roles
                        .included(*at)
                        .iter()
                        .copied()
                        .filter(|at| visited.insert(*at)),
                ),
                None => self.report_unknown_role(roles, name),
            }
        }
        all.into_iter()
            .filter_map(|at| roles.sets.get(at))
            .cloned()
            .collect()
    }
}

impl Roles<'_> {
    /// Indexes of roles and their included roles, possibly with repetitions.
    pub(super) fn all_included<'r>(
        &'r self,
        names: &'r [Spanned<String>],
    ) -> impl Iterator<Item = usize> + 'r {
        names
            .iter()
            .filter_map(|name| self.by_name.get(name.value.as_str()))
            .flat_map(|at| self.included(*at))
            .copied()
    }

    /// Indexes of a role and all its included roles.
    pub(super) fn included(&self, at: usize) -> &[usize] {
        self.closures.get(at).map_or(&[], Vec::as_slice)
    }
}
