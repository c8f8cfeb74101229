//! Which failures lead to which retries.

use super::*;

fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

const LONG: Option<Duration> = Some(Duration::from_secs(3600));

fn repeat(method: &str, framing: Framing, upgrade: Upgrade) -> RetryPolicy {
    RetryPolicy::of(method, framing, upgrade, None, OtherEndpoints::None)
}

#[test]
fn what_may_have_side_effects_goes_once() {
    let safety = |method, framing, upgrade| repeat(method, framing, upgrade).safety;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        assert_eq!(
            safety(method, Framing::Length(0), Upgrade::None),
            Safety::Idempotent,
            "{method}"
        );
        assert_eq!(
            safety(method, Framing::Length(1), Upgrade::None),
            Safety::Once,
            "{method}"
        );
        assert_eq!(
            safety(method, Framing::Chunked, Upgrade::None),
            Safety::Once,
            "{method}"
        );
    }
    let rides = |method, length| {
        RetryPolicy::of(
            method,
            Framing::Length(length),
            Upgrade::None,
            LONG,
            OtherEndpoints::None,
        )
        .safety
    };
    assert_eq!(rides("GET", LONGEST_KEPT_BODY), Safety::Idempotent);
    assert_eq!(rides("GET", LONGEST_KEPT_BODY + 1), Safety::Once);
    assert_eq!(rides("POST", 0), Safety::Once);
    assert_eq!(
        safety("POST", Framing::Length(0), Upgrade::None),
        Safety::Once
    );
    assert_eq!(
        safety("get", Framing::Length(0), Upgrade::None),
        Safety::Once
    );
    let handshake: &[(&str, &[u8])] = &[
        ("connection", b"upgrade"),
        ("upgrade", b"websocket"),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let upgrade = crate::forward::requested_upgrade("GET", handshake).unwrap();
    assert_ne!(upgrade, Upgrade::None);
    assert_eq!(safety("GET", Framing::Length(0), upgrade), Safety::Once);
}

#[test]
fn only_a_pooled_connection_is_reason_to_go_again_and_only_once() {
    let mut safe = repeat("GET", Framing::Length(0), Upgrade::None);
    assert_eq!(
        safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
        RetryTarget::Never
    );
    assert_eq!(
        safe.after(&AttemptFailure::BrokeOff(ended()), Origin::Pooled),
        RetryTarget::Never
    );
    assert_eq!(
        safe.after(&AttemptFailure::ResponseTimeout, Origin::Pooled),
        RetryTarget::Never
    );
    assert_eq!(
        safe.after(&AttemptFailure::Unsent(ended()), Origin::Pooled),
        RetryTarget::OnPooled
    );
    assert_eq!(
        safe.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
        RetryTarget::OnNew
    );
    assert_eq!(
        safe.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
        RetryTarget::Never
    );
    let mut never = repeat("POST", Framing::Length(0), Upgrade::None);
    assert_eq!(
        never.after(&AttemptFailure::Unsent(ended()), Origin::Pooled),
        RetryTarget::OnPooled
    );
    assert_eq!(
        never.after(&AttemptFailure::Unsent(ended()), Origin::New),
        RetryTarget::Never
    );
    assert_eq!(
        never.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
        RetryTarget::Never
    );
}

#[test]
fn what_was_not_processed_goes_again_if_its_body_is_at_hand() {
    let unprocessed = || AttemptFailure::Unprocessed(ended());
    let cases = [
        ("POST", Framing::Length(0), RetryTarget::OnNew),
        ("GET", Framing::Length(0), RetryTarget::OnNew),
        ("POST", Framing::Length(1), RetryTarget::Never),
        ("POST", Framing::Chunked, RetryTarget::Never),
    ];
    for (method, framing, target) in cases {
        let mut policy = repeat(method, framing, Upgrade::None);
        assert_eq!(
            policy.after(&unprocessed(), Origin::New),
            target,
            "{method} {framing:?}"
        );
        assert_eq!(
            policy.after(&unprocessed(), Origin::New),
            RetryTarget::Never
        );
    }
}

#[test]
fn in_a_reload_new_connections_are_dropped_too_but_nothing_with_side_effects_goes_twice() {
    let mut safe = RetryPolicy::of(
        "GET",
        Framing::Length(0),
        Upgrade::None,
        LONG,
        OtherEndpoints::None,
    );
    assert_eq!(
        safe.after(&AttemptFailure::ResponseTimeout, Origin::New),
        RetryTarget::Never
    );
    assert_eq!(
        safe.after(&AttemptFailure::BrokeOff(ended()), Origin::New),
        RetryTarget::OnNew
    );
    for _ in 1..RETRIES_IN_RELOADS {
        assert_eq!(
            safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
            RetryTarget::OnNew
        );
    }
    assert_eq!(
        safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
        RetryTarget::Never
    );

    let mut post = RetryPolicy::of(
        "POST",
        Framing::Length(5),
        Upgrade::None,
        LONG,
        OtherEndpoints::None,
    );
    for origin in [Origin::New, Origin::Pooled] {
        assert_eq!(
            post.after(&AttemptFailure::BrokeOff(ended()), origin),
            RetryTarget::Never
        );
        assert_eq!(
            post.after(&AttemptFailure::Unanswered(ended()), origin),
            RetryTarget::Never
        );
    }
    assert_eq!(
        post.after(&AttemptFailure::Unsent(ended()), Origin::New),
        RetryTarget::OnNew,
        "nothing of it was sent"
    );
}

#[test]
fn responses_are_buffered_only_where_the_request_can_be_retried() {
    let quirks = Quirks {
        hold_back: Some(5),
        ..Quirks::default()
    };
    let holds = |method, patience| {
        RetryPolicy::of(
            method,
            Framing::Length(0),
            Upgrade::None,
            patience,
            OtherEndpoints::None,
        )
        .holds_back(&quirks)
    };
    assert_eq!(
        (holds("GET", LONG), holds("POST", LONG), holds("GET", None)),
        (5, 0, 0)
    );
}

#[test]
fn a_reload_that_takes_too_long_is_a_failure() {
    let mut safe = RetryPolicy::of(
        "GET",
        Framing::Length(0),
        Upgrade::None,
        LONG,
        OtherEndpoints::None,
    );
    safe.since = Instant::now().checked_sub(Duration::from_secs(3601));
    assert_eq!(
        safe.after(&AttemptFailure::Unanswered(ended()), Origin::New),
        RetryTarget::Never
    );
}

#[test]
fn other_endpoints_get_what_was_not_sent_and_what_may_arrive_twice() {
    let policy = |method, length| {
        RetryPolicy::of(
            method,
            Framing::Length(length),
            Upgrade::None,
            None,
            OtherEndpoints::Some,
        )
    };
    for length in [0, LONGEST_KEPT_BODY] {
        let mut safe = policy("PUT", length);
        assert!(safe.keeps_body());
        let targets = [
            AttemptFailure::Unanswered(ended()),
            AttemptFailure::ResponseTimeout,
            AttemptFailure::BrokeOff(ended()),
        ]
        .map(|failure| safe.after(&failure, Origin::New));
        let other = RetryTarget::OnOtherEndpoint;
        assert_eq!(targets, [other, other, RetryTarget::Never]);
    }
    for (method, length) in [("POST", 0), ("PUT", LONGEST_KEPT_BODY + 1)] {
        let mut once = policy(method, length);
        assert!(!once.keeps_body());
        for failure in [
            AttemptFailure::Unanswered(ended()),
            AttemptFailure::ResponseTimeout,
            AttemptFailure::BrokeOff(ended()),
        ] {
            assert_eq!(once.after(&failure, Origin::New), RetryTarget::Never);
        }
        assert_eq!(
            once.after(&AttemptFailure::Unsent(ended()), Origin::New),
            RetryTarget::OnOtherEndpoint
        );
    }
    let mut gone = policy("GET", 0);
    assert_eq!(
        gone.after(&AttemptFailure::ClientGone, Origin::New),
        RetryTarget::Never
    );
    assert_eq!(
        gone.after(&AttemptFailure::Unanswered(ended()), Origin::Pooled),
        RetryTarget::OnNew,
        "a closed pooled connection says nothing about the endpoint"
    );
}

#[test]
fn a_closed_pooled_connection_is_no_fault_of_the_endpoint() {
    let broke_off = Some(Reason::UpstreamBrokeOff);
    for (failure, pooled, new) in [
        (AttemptFailure::Unsent(ended()), None, broke_off),
        (AttemptFailure::Unanswered(ended()), None, broke_off),
        (AttemptFailure::BrokeOff(ended()), broke_off, broke_off),
        (AttemptFailure::ClientGone, None, None),
        (AttemptFailure::Body(BodyEnd::Broken), None, None),
    ] {
        assert_eq!(
            failure.endpoint_fault(Origin::Pooled),
            pooled,
            "{failure:?}"
        );
        assert_eq!(failure.endpoint_fault(Origin::New), new, "{failure:?}");
    }
}
