//! Which endpoints get requests while others fail.

use super::*;
use crate::telemetry::Telemetry;
use std::num::NonZeroU32;
use std::time::Duration;

const SETTINGS: HealthSettings = HealthSettings {
    failures: NonZeroU32::new(2),
    ejection_time: Duration::from_secs(3600),
    max_ejection_time: Duration::from_secs(3600),
    panic_percent: 30,
};
const REASON: Reason = Reason::ConnectFailed;

struct Scene {
    states: EndpointStates,
    records: Vec<Arc<EndpointRecord>>,
}

fn scene(endpoints: usize) -> Scene {
    let telemetry = Arc::new(Telemetry::default());
    let record =
        |number: usize| EndpointRecord::new(&"api".into(), &number.to_string(), &telemetry);
    let records: Vec<_> = (0..endpoints).map(record).map(Arc::new).collect();
    Scene {
        states: EndpointStates::new(records.iter().cloned()),
        records,
    }
}

impl Scene {
    /// How many of 60 requests each endpoint gets.
    fn spread(&mut self) -> Vec<usize> {
        let mut counts = vec![0; self.records.len()];
        for _ in 0..60 {
            counts[self.states.choose(&SETTINGS, 20)] += 1;
        }
        counts
    }

    fn eject(&mut self, number: usize) {
        for _ in 0..2 {
            self.states
                .failed(&SETTINGS, number, REASON, Instant::now());
        }
    }

    fn ejected_on(&self) -> Vec<usize> {
        self.records.iter().map(|it| it.ejected_on()).collect()
    }
}

fn set(numbers: impl IntoIterator<Item = usize>) -> EndpointSet {
    let mut set = EndpointSet::default();
    numbers.into_iter().for_each(|number| set.insert(number));
    set
}

#[test]
fn the_others_share_the_requests_of_an_ejected_endpoint_evenly() {
    let mut scene = scene(3);
    assert_eq!(scene.spread(), [20, 20, 20]);
    scene.eject(1);
    assert_eq!(scene.spread(), [30, 0, 30]);
    assert_eq!(scene.ejected_on(), [0, 1, 0]);
    scene.eject(0);
    assert_eq!(scene.spread(), [0, 0, 60]);
    scene.states.responded(1);
    assert_eq!(scene.spread(), [0, 30, 30]);
    assert_eq!(scene.ejected_on(), [1, 0, 0]);
}

#[test]
fn all_endpoints_are_used_if_too_few_are_active() {
    let mut scene = scene(4);
    (0..2).for_each(|number| scene.eject(number));
    assert_eq!(scene.spread(), [0, 0, 30, 30]);
    scene.eject(2);
    assert_eq!(scene.spread(), [15; 4], "a quarter is below the threshold");
    scene.eject(3);
    assert_eq!(scene.spread(), [15; 4]);
}

#[test]
fn one_request_tries_an_endpoint_after_its_ejection() {
    let settings = HealthSettings {
        ejection_time: Duration::from_nanos(1),
        ..SETTINGS
    };
    let mut scene = scene(3);
    let long_ago = Instant::now();
    for _ in 0..2 {
        scene.states.failed(&settings, 2, REASON, long_ago);
    }
    while Instant::now() <= long_ago + settings.ejection_time {}
    assert_eq!(scene.states.choose(&SETTINGS, 20), 2, "the trial");
    assert_eq!(scene.spread(), [30, 30, 0], "no second trial");
    scene.states.responded(2);
    assert_eq!(scene.spread(), [20, 20, 20]);
}

#[test]
fn a_retry_gets_an_endpoint_that_was_not_tried_and_prefers_active_ones() {
    let mut scene = scene(3);
    scene.eject(1);
    let now = Instant::now();
    for _ in 0..3 {
        assert_eq!(scene.states.choose_again(&SETTINGS, set([0]), now), Ok(2));
    }
    assert_eq!(
        scene.states.choose_again(&SETTINGS, set([0, 2]), now),
        Ok(1)
    );
    assert_eq!(
        scene.states.choose_again(&SETTINGS, set([0, 1, 2]), now),
        Err(NoRetry::NoEndpoint)
    );
    while scene.states.choose_again(&SETTINGS, set([0]), now) == Ok(2) {}
    assert_eq!(
        scene.states.choose_again(&SETTINGS, set([0]), now),
        Err(NoRetry::Budget)
    );
    for _ in 0..5 {
        scene.states.choose(&SETTINGS, 20);
    }
    assert_eq!(scene.states.choose_again(&SETTINGS, set([0]), now), Ok(2));
}

#[test]
fn connecting_tries_active_endpoints_first_and_then_all_others() {
    let mut scene = scene(4);
    scene.eject(2);
    for (after, tried, next) in [
        (1, set([1]), Some(NextToConnect::Active(3))),
        (3, set([1, 3]), Some(NextToConnect::Active(0))),
        (0, set([0, 1, 3]), Some(NextToConnect::Ejected(2))),
        (2, set(0..4), None),
    ] {
        assert_eq!(scene.states.next_to_connect(after, tried), next, "{after}");
    }
}

#[test]
fn a_dropped_state_ejects_nothing() {
    let mut scene = scene(2);
    scene.eject(0);
    assert_eq!(scene.ejected_on(), [1, 0]);
    let Scene { states, records } = scene;
    drop(states);
    assert_eq!(records[0].ejected_on(), 0);
}
