//! Assembly of request limiters of users and routes. Their counts continue across reloads.

use super::Assembly;
use super::roles::Roles;
use crate::config::{RequestLimits, RequestRate, Role, RouteEntry};
use crate::identity::ApiUsers;
use crate::limit::{Bounds, Limiter, Limiters, Rate};
use std::sync::Arc;
use std::time::Instant;

impl Assembly<'_> {
    /// One limiter per user, also if the limits are those of a role.
    pub(super) fn user_limiters(&self, users: &ApiUsers, roles: &Roles<'_>) -> Limiters {
        self.check_limits_of_certificate_roles(roles);
        let mut limiters = vec![None; users.len()];
        for user in &self.config.api_users {
            let role_limits: Vec<_> = roles
                .all_included(&user.roles)
                .filter_map(|at| self.limits_of_role(at))
                .collect();
            let bounds = bounds_of(&user.request_limits, &role_limits);
            let Some(position) = users.named(&user.name.value).map(|user| user.id.index()) else {
                continue;
            };
            if let Some(slot) = limiters
                .get_mut(position)
                .filter(|_| bounds != Bounds::default())
            {
                let before = self.previous.and_then(|previous| {
                    previous
                        .user_limiters
                        .get(previous.users.named(&user.name.value)?.id.index())
                });
                *slot = Some(Limiter::new(bounds, before, Instant::now()));
            }
        }
        Limiters::new(limiters)
    }

    fn limits_of_role(&self, at: usize) -> Option<&RequestLimits> {
        self.config.roles.get(at).map(|role| &role.request_limits)
    }

    /// Reports limits in roles that certificates grant. They would differ between requests of one user.
    fn check_limits_of_certificate_roles(&self, roles: &Roles<'_>) {
        let is_certificate_role =
            |(_, role): &(usize, &Role)| !role.client_o.is_empty() || !role.client_ou.is_empty();
        for (at, role) in self
            .config
            .roles
            .iter()
            .enumerate()
            .filter(is_certificate_role)
        {
            let mut limits = roles
                .included(at)
                .iter()
                .filter_map(|at| self.limits_of_role(*at));
            let Some(place) = limits.find_map(RequestLimits::first_place) else {
                continue;
            };
            let message = format!(
                "certificates bring the role \"{}\" by O or OU, and limits hold only for ApiUsers that name their role",
                role.name.value
            );
            self.problems.error(
                place,
                message,
                "put the limits into another role, and name that in `roles` of ApiUsers",
            );
        }
    }

    /// The limiter of all requests of a route. `None` without limits.
    pub(super) fn route_limiter(&self, table: &RouteEntry, name: &str) -> Option<Arc<Limiter>> {
        let bounds = bounds_of(&table.request_limits, &[]);
        if bounds == Bounds::default() {
            return None;
        }
        // The same path may have several routes: per listener, and exact or prefix.
        let listeners: Vec<_> = table.listeners.iter().map(|name| &*name.value).collect();
        let path_match = table.path_match.as_ref().map(|setting| setting.value);
        let key: Box<str> = format!("{name} {path_match:?} {listeners:?}").into();
        let before = self
            .previous
            .and_then(|previous| previous.route_limiters.get(&key));
        let limiter = Limiter::new(bounds, before, Instant::now());
        self.route_limiters
            .borrow_mut()
            .insert(key, limiter.clone());
        Some(limiter)
    }
}

/// The limits of a user or route. Its own keys override those of its roles. Of several roles, the lowest limit applies.
fn bounds_of(own: &RequestLimits, roles: &[&RequestLimits]) -> Bounds {
    Bounds {
        rate: effective(own, roles, rate, Rate::and),
        concurrency: effective(
            own,
            roles,
            |setting| setting.concurrency.as_ref().map(|setting| setting.value),
            Ord::min,
        ),
        daily_quota: effective(
            own,
            roles,
            |setting| setting.daily_quota.as_ref().map(|setting| setting.value),
            Ord::min,
        ),
        body_size: effective(
            own,
            roles,
            |setting| setting.body_size.as_ref().map(|setting| setting.value),
            Ord::min,
        ),
        request_time: effective(
            own,
            roles,
            |setting| setting.request_time.as_ref().map(|setting| setting.value),
            Ord::min,
        ),
    }
}

fn effective<T>(
    own: &RequestLimits,
    roles: &[&RequestLimits],
    key: impl Fn(&RequestLimits) -> Option<Option<T>>,
    smaller: impl Fn(T, T) -> T,
) -> Option<T> {
    key(own).unwrap_or_else(|| {
        roles
            .iter()
            .filter_map(|role| key(role))
            .flatten()
            .reduce(smaller)
    })
}

fn rate(limits: &RequestLimits) -> Option<Option<Rate>> {
    let burst = |rate: RequestRate| {
        limits
            .burst
            .as_ref()
            .map_or(rate.requests, |burst: &_| burst.value)
    };
    limits.rate.as_ref().map(|rate| {
        rate.value.map(|rate| Rate {
            rate,
            burst: burst(rate),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Place, Sources, Spanned};
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn table<T>(value: T) -> Option<Spanned<T>> {
        let file = Sources::default()
            .add("test".into(), String::new())
            .unwrap();
        Some(Spanned {
            value,
            place: Place::new(file, &(0..1)),
        })
    }

    fn per_second(requests: u32, burst: Option<u32>) -> RequestLimits {
        let rate = RequestRate {
            requests: number(requests),
            window: Duration::from_secs(1),
        };
        let burst = burst.and_then(|burst| table(number(burst)));
        RequestLimits {
            rate: table(Some(rate)),
            burst,
            ..RequestLimits::default()
        }
    }

    fn in_numbers(bounds: Bounds) -> Option<(u32, u32)> {
        bounds
            .rate
            .map(|rate| (rate.rate.requests.get(), rate.burst.get()))
    }

    #[test]
    fn the_nearest_holds_key_by_key_and_of_several_roles_the_smallest() {
        let silent = RequestLimits::default();
        assert_eq!(bounds_of(&silent, &[]), Bounds::default());
        assert_eq!(
            in_numbers(bounds_of(&per_second(5, None), &[])),
            Some((5, 5)),
            "a burst of one window"
        );
        let slow = per_second(2, Some(50));
        let fast = per_second(100, Some(7));
        assert_eq!(
            in_numbers(bounds_of(&per_second(500, Some(9)), &[&slow, &fast])),
            Some((500, 9))
        );
        assert_eq!(
            in_numbers(bounds_of(&silent, &[&slow, &silent, &fast])),
            Some((2, 7))
        );
        let own = RequestLimits {
            concurrency: table(Some(number(3))),
            ..RequestLimits::default()
        };
        let bounds = bounds_of(&own, &[&slow]);
        assert_eq!(
            (bounds.concurrency, in_numbers(bounds)),
            (Some(number(3)), Some((2, 50)))
        );
    }

    #[test]
    fn off_at_the_user_goes_before_its_roles_and_at_one_role_behind_the_others() {
        let limited = RequestLimits {
            daily_quota: table(Some(number(7))),
            ..RequestLimits::default()
        };
        let off = RequestLimits {
            daily_quota: table(None),
            ..RequestLimits::default()
        };
        assert_eq!(bounds_of(&off, &[&limited]).daily_quota, None);
        assert_eq!(
            bounds_of(&RequestLimits::default(), &[&off, &limited]).daily_quota,
            Some(number(7))
        );
        assert_eq!(
            bounds_of(&RequestLimits::default(), &[&off]).daily_quota,
            None
        );
    }

    #[test]
    fn rates_of_different_windows_are_compared_by_what_they_are_in_the_long_run() {
        let rate = |requests, seconds| RequestLimits {
            rate: table(Some(RequestRate {
                requests: number(requests),
                window: Duration::from_secs(seconds),
            })),
            ..RequestLimits::default()
        };
        let second = rate(2, 1);
        let minute = rate(60, 60);
        for roles in [[&second, &minute], [&minute, &second]] {
            let bounds = bounds_of(&RequestLimits::default(), &roles);
            assert_eq!(in_numbers(bounds), Some((60, 2)));
        }
    }
}
