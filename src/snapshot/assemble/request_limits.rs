//! Limits of requests: from what users, roles and routes say to limiters, which go on over a reload. Counts nothing.

use super::Assembly;
use super::roles::Roles;
use crate::config::{RequestLimits, RequestRate, Role, Route};
use crate::identity::ApiUsers;
use crate::limit::{Bounds, Limiter, Limiters, Rate};
use std::sync::Arc;
use std::time::Instant;

impl Assembly<'_> {
    /// Of each user one of its own, whoever says the numbers.
    pub(super) fn user_limiters(&self, users: &ApiUsers, roles: &Roles<'_>) -> Limiters {
        self.refuse_limits_that_certificates_bring(roles);
        let mut limiters = vec![None; users.len()];
        for user in &self.config.api_users {
            let said: Vec<_> = roles
                .all_held(&user.roles)
                .filter_map(|at| self.limits_of_role(at))
                .collect();
            let bounds = bounds_of(&user.request_limits, &said);
            let Some(position) = users.named(&user.name.value).map(|user| user.id.index()) else {
                continue;
            };
            if let Some(place) = limiters
                .get_mut(position)
                .filter(|_| bounds != Bounds::default())
            {
                let before = self.previous.and_then(|previous| {
                    previous
                        .user_limiters
                        .get(previous.users.named(&user.name.value)?.id.index())
                });
                *place = Some(Limiter::new(bounds, before, Instant::now()));
            }
        }
        Limiters::new(limiters)
    }

    fn limits_of_role(&self, at: usize) -> Option<&RequestLimits> {
        self.config.roles.get(at).map(|role| &role.request_limits)
    }

    /// What a certificate brings differs from request to request of one user, and so would its limits.
    fn refuse_limits_that_certificates_bring(&self, roles: &Roles<'_>) {
        let brought =
            |(_, role): &(usize, &Role)| !role.client_o.is_empty() || !role.client_ou.is_empty();
        for (at, role) in self.config.roles.iter().enumerate().filter(brought) {
            let mut limits = roles
                .held(at)
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

    /// Of all requests of a route together. `None` if it says nothing.
    pub(super) fn route_limiter(&self, said: &Route, name: &str) -> Option<Arc<Limiter>> {
        let bounds = bounds_of(&said.request_limits, &[]);
        if bounds == Bounds::default() {
            return None;
        }
        // One path may have a route of its own on each listener, and a second one for all that is below.
        let listeners: Vec<_> = said.listeners.iter().map(|name| &*name.value).collect();
        let path_match = said.path_match.as_ref().map(|said| said.value);
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

/// What is said nearest: by the one itself, else by its roles and those within them. Where several of these say something,
/// the smallest holds.
fn bounds_of(own: &RequestLimits, roles: &[&RequestLimits]) -> Bounds {
    Bounds {
        rate: nearest(own, roles, rate, Rate::and),
        concurrency: nearest(
            own,
            roles,
            |said| said.concurrency.as_ref().map(|said| said.value),
            Ord::min,
        ),
        daily_quota: nearest(
            own,
            roles,
            |said| said.daily_quota.as_ref().map(|said| said.value),
            Ord::min,
        ),
        body_size: nearest(
            own,
            roles,
            |said| said.body_size.as_ref().map(|said| said.value),
            Ord::min,
        ),
        request_time: nearest(
            own,
            roles,
            |said| said.request_time.as_ref().map(|said| said.value),
            Ord::min,
        ),
    }
}

fn nearest<T>(
    own: &RequestLimits,
    roles: &[&RequestLimits],
    said: impl Fn(&RequestLimits) -> Option<Option<T>>,
    smaller: impl Fn(T, T) -> T,
) -> Option<T> {
    said(own).unwrap_or_else(|| {
        roles
            .iter()
            .filter_map(|role| said(role))
            .flatten()
            .reduce(smaller)
    })
}

fn rate(said: &RequestLimits) -> Option<Option<Rate>> {
    let burst = |rate: RequestRate| {
        said.burst
            .as_ref()
            .map_or(rate.requests, |burst: &_| burst.value)
    };
    said.rate.as_ref().map(|rate| {
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

    fn said<T>(value: T) -> Option<Spanned<T>> {
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
        let burst = burst.and_then(|burst| said(number(burst)));
        RequestLimits {
            rate: said(Some(rate)),
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
        let (slow, fast) = (per_second(2, Some(50)), per_second(100, Some(7)));
        assert_eq!(
            in_numbers(bounds_of(&per_second(500, Some(9)), &[&slow, &fast])),
            Some((500, 9))
        );
        assert_eq!(
            in_numbers(bounds_of(&silent, &[&slow, &silent, &fast])),
            Some((2, 7))
        );
        let own = RequestLimits {
            concurrency: said(Some(number(3))),
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
            daily_quota: said(Some(number(7))),
            ..RequestLimits::default()
        };
        let off = RequestLimits {
            daily_quota: said(None),
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
            rate: said(Some(RequestRate {
                requests: number(requests),
                window: Duration::from_secs(seconds),
            })),
            ..RequestLimits::default()
        };
        let (second, minute) = (rate(2, 1), rate(60, 60));
        for roles in [[&second, &minute], [&minute, &second]] {
            let bounds = bounds_of(&RequestLimits::default(), &roles);
            assert_eq!(in_numbers(bounds), Some((60, 2)));
        }
    }
}
