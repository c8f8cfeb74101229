//! Authorizers that say nothing in time, and what is never taken for their silence.

use super::*;

/// Asks again while a question was not sent in time, as happens on a busy machine. The authorizer had none of these for the
/// whole timeout, so none of them is permitted.
async fn ask_in_time(authorizer: &Authorizer) -> Verdict {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let verdict = ask(authorizer).await;
        if word(&verdict) != "busy" || Instant::now() > deadline {
            return verdict;
        }
        assert!(!verdict.permits());
    }
}

#[test]
fn a_silent_address_reports_nothing_and_configured_addresses_follow() {
    for speaks in BOTH {
        for unavailable in [WhenUnavailable::Refuse, WhenUnavailable::Permit] {
            let silent = async |script: fn(TcpStream), timeout| {
                let address = serving(move |stream, _| async move { script(stream) }).await;
                let unusual = Unusual {
                    timeout,
                    unavailable,
                    ..Default::default()
                };
                let verdict = ask_in_time(&authorizer(address, speaks, unusual)).await;
                assert_eq!(verdict.permits(), unavailable == WhenUnavailable::Permit);
                assert!(verdict.fields().is_empty() && verdict.detail().is_some());
                word(&verdict)
            };
            run(async {
                // Only what hangs is to run into a timeout.
                let (short, long) = (Duration::from_millis(100), Duration::from_secs(20));
                assert_eq!(silent(drop, long).await, "unreachable");
                assert_eq!(silent(std::mem::forget, short).await, "timeout");
                let garbage = |mut stream: TcpStream| {
                    spawn_local(async move {
                        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await;
                        std::mem::forget(stream);
                    });
                };
                assert_ne!(silent(garbage, short).await, "permit");
            });
        }
    }
}

/// Impatient, with one question at a time, and silence permits.
fn lenient() -> Unusual {
    let timeout = Duration::from_millis(300);
    Unusual {
        timeout,
        unavailable: WhenUnavailable::Permit,
        concurrency: 1,
        ..Default::default()
    }
}

#[test]
fn waiting_in_our_own_queue_is_never_taken_for_silence() {
    for speaks in BOTH {
        run(async {
            let hanging = serving(|stream, _| async move { std::mem::forget(stream) }).await;
            let authorizer = authorizer(hanging, speaks, lenient());
            let held = authorizer.permits.acquire().await.unwrap();
            let queued = ask(&authorizer).await;
            assert!(word(&queued) == "busy" && !queued.permits());
            // Who waits does not give the authorizer its whole time.
            let frees = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                drop(held);
            };
            let (late, ()) = tokio::join!(ask(&authorizer), frees);
            assert!(word(&late) == "busy" && !late.permits());
            let silent = ask_in_time(&authorizer).await;
            assert!(
                word(&silent) == "timeout" && silent.permits(),
                "the whole time was the authorizer's"
            );
        });
    }
}

#[test]
fn what_the_gateway_itself_lacks_is_never_taken_for_silence() {
    for code in [nix::errno::Errno::EMFILE, nix::errno::Errno::EADDRNOTAVAIL] {
        let error = std::io::Error::from_raw_os_error(code as i32);
        assert!(
            AuthorizerError::unreachable(crate::endpoint::ConnectError::Tcp(error)).is_local(),
            "{code}"
        );
    }
    let refused = std::io::Error::from_raw_os_error(nix::errno::Errno::ECONNREFUSED as i32);
    assert!(!AuthorizerError::unreachable(crate::endpoint::ConnectError::Tcp(refused)).is_local());
    assert!(AuthorizerError::Unaskable("x").is_local() && !AuthorizerError::Timeout.is_local());
    let reset = |reason| AuthorizerError::unreachable(h2::Error::from(reason));
    assert!(
        reset(h2::Reason::REFUSED_STREAM).is_local(),
        "more streams than it takes"
    );
    assert!(!reset(h2::Reason::INTERNAL_ERROR).is_local());
}

#[test]
fn waiting_for_a_stream_of_the_authorizer_is_never_taken_for_silence() {
    run(async {
        // One stream at a time. The first request on a connection is answered, later ones are not.
        let address = serving(move |stream, _| {
            let answered = Cell::new(false);
            async move {
                let first_only = service_fn(move |_: http::Request<Incoming>| {
                    let first = !answered.replace(true);
                    async move {
                        if !first {
                            std::future::pending::<()>().await;
                        }
                        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::new())))
                    }
                });
                let one_at_a_time =
                    hyper::server::conn::http2::Builder::new(crate::worker::LocalExecutor)
                        .max_concurrent_streams(1)
                        .clone();
                let _ = one_at_a_time
                    .serve_connection(TokioIo::new(stream), first_only)
                    .await;
            }
        })
        .await;
        let deadline = Instant::now() + Duration::from_secs(20);
        // Who asks later is sent when the first one is given up, and has the authorizer for the rest of its time only.
        let mut delays = [Duration::ZERO, Duration::from_millis(150)].into_iter();
        let mut delay = delays.next();
        while let Some(later) = delay {
            let authorizer = authorizer(
                address,
                Speaks::ExtAuthz,
                Unusual {
                    concurrency: 10,
                    ..lenient()
                },
            );
            // SETTINGS come before the response: with it, the number of streams is known.
            if word(&ask(&authorizer).await) != "malformed" {
                // It came too late, on a busy machine, and its connection was given up.
                assert!(Instant::now() < deadline, "no answer in time");
                continue;
            }
            let delayed = async {
                tokio::time::sleep(later).await;
                ask(&authorizer).await
            };
            let (one, other) = tokio::join!(ask(&authorizer), delayed);
            let permits = [one.permits(), other.permits()];
            let words = [word(&one), word(&other)];
            // On a busy machine it may be that neither was sent in time.
            if words == ["busy"; 2] && Instant::now() < deadline {
                continue;
            }
            assert_eq!(
                permits.iter().filter(|permits| **permits).count(),
                1,
                "{permits:?} {words:?}"
            );
            delay = delays.next();
        }
    });
}
