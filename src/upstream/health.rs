//! The health of one endpoint as one worker learns it from its own requests: consecutive failures eject the endpoint, and
//! after a backoff time one trial request decides. Reads no clock, counts and logs nothing.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// When an upstream's endpoints are ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Consecutive failures that eject an endpoint. `None`: no endpoint is ejected.
    pub failures: Option<NonZeroU32>,
    /// How long the first ejection lasts. Each failed trial doubles the time.
    pub ejection_time: Duration,
    /// The upper bound of the doubled times.
    pub max_ejection_time: Duration,
    /// If fewer than this percentage of the endpoints are active, all are used.
    pub panic_percent: u32,
}

/// The health of one endpoint on one worker.
#[derive(Debug, Default)]
pub(super) struct EndpointHealth {
    /// Failures since the last response, while the endpoint is active.
    failures: u32,
    /// Ejections since the last response.
    ejections: u32,
    state: HealthState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum HealthState {
    /// The endpoint is used.
    #[default]
    Active,
    /// The endpoint is not used before this time. Then one request tries it.
    Ejected(Instant),
    /// One request tries the endpoint. If that request has no result before this time, another one tries it.
    Trial(Instant),
}

/// An ejection of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ejection {
    /// How long it lasts.
    pub(super) time: Duration,
    /// Whether the endpoint was active before, or failed its trial.
    pub(super) cause: EjectionCause,
}

/// What led to an ejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EjectionCause {
    /// So many consecutive failures of an active endpoint.
    Failures(u32),
    /// The trial request failed.
    FailedTrial,
}

impl EndpointHealth {
    /// Whether the endpoint is used without reservation.
    pub(super) fn is_active(&self) -> bool {
        self.state == HealthState::Active
    }

    /// Makes the next request a trial if one is due. Returns whether it is.
    pub(super) fn begin_trial(&mut self, settings: &HealthSettings, now: Instant) -> bool {
        let due = match self.state {
            HealthState::Active => return false,
            HealthState::Ejected(until) | HealthState::Trial(until) => until <= now,
        };
        if due {
            self.state = HealthState::Trial(now + self.backoff(settings));
        }
        due
    }

    /// Records a response. Returns whether the endpoint was not active before.
    pub(super) fn responded(&mut self) -> bool {
        !std::mem::take(self).is_active()
    }

    /// Records a failure. `random` shortens an ejection by up to a quarter, so that workers do not try the endpoint at the
    /// same time.
    pub(super) fn failed(
        &mut self,
        settings: &HealthSettings,
        now: Instant,
        random: u32,
    ) -> Option<Ejection> {
        let limit = settings.failures?.get();
        let cause = match self.state {
            // The request began before the ejection, or had no other endpoint left.
            HealthState::Ejected(_) => return None,
            HealthState::Trial(_) => EjectionCause::FailedTrial,
            HealthState::Active => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < limit {
                    return None;
                }
                EjectionCause::Failures(self.failures)
            }
        };
        let backoff = self.backoff(settings);
        let time = backoff - backoff / 4 * (random % 1024) / 1024;
        self.ejections = self.ejections.saturating_add(1);
        self.state = HealthState::Ejected(now + time);
        Some(Ejection { time, cause })
    }

    /// The length of the next ejection, without the random part.
    fn backoff(&self, settings: &HealthSettings) -> Duration {
        let doubled = 1u32.checked_shl(self.ejections).unwrap_or(u32::MAX);
        settings
            .ejection_time
            .saturating_mul(doubled)
            .min(settings.max_ejection_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: HealthSettings = HealthSettings {
        failures: NonZeroU32::new(3),
        ejection_time: Duration::from_secs(10),
        max_ejection_time: Duration::from_secs(60),
        panic_percent: 30,
    };

    fn ejected(now: Instant) -> EndpointHealth {
        let mut health = EndpointHealth::default();
        for _ in 0..3 {
            assert!(health.is_active());
            health.failed(&SETTINGS, now, 0);
        }
        assert!(!health.is_active());
        health
    }

    #[test]
    fn only_consecutive_failures_eject() {
        let now = Instant::now();
        let mut health = EndpointHealth::default();
        for _ in 0..2 {
            assert_eq!(health.failed(&SETTINGS, now, 0), None);
            assert_eq!(health.failed(&SETTINGS, now, 0), None);
            assert!(!health.responded());
        }
        assert!(health.is_active());
        assert_eq!(health.failed(&SETTINGS, now, 0), None);
        assert_eq!(health.failed(&SETTINGS, now, 0), None);
        let ejection = Ejection {
            time: Duration::from_secs(10),
            cause: EjectionCause::Failures(3),
        };
        assert_eq!(health.failed(&SETTINGS, now, 0), Some(ejection));
        assert_eq!(health.failed(&SETTINGS, now, 0), None, "already ejected");
    }

    #[test]
    fn without_a_number_of_failures_nothing_is_ejected() {
        let settings = HealthSettings {
            failures: None,
            ..SETTINGS
        };
        let mut health = EndpointHealth::default();
        for _ in 0..1000 {
            assert_eq!(health.failed(&settings, Instant::now(), 0), None);
        }
        assert!(health.is_active());
    }

    #[test]
    fn one_trial_follows_the_ejection_and_decides() {
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        let mut health = ejected(start);
        assert!(!health.begin_trial(&SETTINGS, later - Duration::from_nanos(1)));
        assert!(health.begin_trial(&SETTINGS, later));
        assert!(!health.begin_trial(&SETTINGS, later), "one is under way");
        assert!(health.responded());
        assert!(health.is_active());
        assert!(!health.begin_trial(&SETTINGS, later));

        let mut health = ejected(start);
        assert!(health.begin_trial(&SETTINGS, later));
        let ejection = health.failed(&SETTINGS, later, 0).unwrap();
        assert_eq!(ejection.cause, EjectionCause::FailedTrial);
        assert_eq!(ejection.time, Duration::from_secs(20));
    }

    #[test]
    fn a_trial_without_a_result_is_followed_by_another() {
        let start = Instant::now();
        let mut health = ejected(start);
        let first = start + Duration::from_secs(10);
        assert!(health.begin_trial(&SETTINGS, first));
        assert!(!health.begin_trial(&SETTINGS, first + Duration::from_secs(19)));
        assert!(health.begin_trial(&SETTINGS, first + Duration::from_secs(20)));
    }

    #[test]
    fn ejections_double_up_to_the_maximum_and_a_response_resets_them() {
        let mut now = Instant::now();
        let mut health = ejected(now);
        let mut times = Vec::new();
        for _ in 0..40 {
            now += Duration::from_secs(3600);
            assert!(health.begin_trial(&SETTINGS, now));
            times.push(health.failed(&SETTINGS, now, 0).unwrap().time.as_secs());
        }
        assert_eq!(times[..4], [20, 40, 60, 60]);
        assert!(times[4..].iter().all(|time| *time == 60));
        health.responded();
        let again = (0..3).filter_map(|_| health.failed(&SETTINGS, now, 0));
        assert_eq!(again.map(|it| it.time.as_secs()).collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn the_random_part_shortens_an_ejection_by_less_than_a_quarter() {
        for random in [0, 1, 512, 1023, u32::MAX] {
            let mut health = EndpointHealth::default();
            let ejection = (0..3)
                .find_map(|_| health.failed(&SETTINGS, Instant::now(), random))
                .unwrap();
            let shortened = SETTINGS.ejection_time - ejection.time;
            assert!(shortened < SETTINGS.ejection_time / 4, "{random}");
        }
    }
}
