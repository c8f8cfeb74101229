//! Listeners that go, kept connections, public streams, and how long a cut takes.

use super::*;

#[test]
fn a_removed_listener_drains_streams_except_of_removed_users() {
    for (lines, open) in RECORD_LAYERS
        .into_iter()
        .flat_map(|lines| [(lines, Open::Events), (lines, Open::Http2Events)])
    {
        let (pki, pulse) = (Pki::new(), Pulse::start());
        let other = crate::support::gateway::named_listener("other", &pki, "");
        let with = |main: &str, users: &str| {
            let text = config(&pki, &pulse, main, users);
            let text = if main.is_empty() {
                text.replace("[listener.main]", "[listener.third]")
            } else {
                text
            };
            format!("{text}{other}[gateway]\ndrain_deadline = \"2s\"\n")
        };
        let gateway = Gateway::start(&with(lines, &(alice() + &bob())));
        let (alice, bob) = (
            client(&pki, "alice", &gateway),
            client(&pki, "bob", &gateway),
        );
        std::thread::scope(|scope| {
            let (begun, has_begun) = channel();
            let follow = |client| {
                let begun = begun.clone();
                move || follow(open, client, move || begun.send(()).unwrap())
            };
            let (alices, bobs) = (scope.spawn(follow(&alice)), scope.spawn(follow(&bob)));
            (0..2).for_each(|_| has_begun.recv().unwrap());
            gateway.reload_with(&with("", &super::bob()));
            assert!(!alices.join().unwrap().clean);
            let line =
                gateway.wait_for_access(|line| line["cut"] == "stream" && line["user"] == "alice");
            assert_eq!(line["reason"], "unknown_user", "{lines} {open:?}");
            assert!(!bobs.join().unwrap().clean);
            let line =
                gateway.wait_for_access(|line| line["cut"] == "stream" && line["user"] == "bob");
            assert_eq!(line["reason"], "listener_gone", "{lines} {open:?}");
        });
    }
}

#[test]
fn a_removed_listener_cuts_clients_on_a_deny_list() {
    for lines in RECORD_LAYERS {
        let (pki, pulse) = (Pki::new(), Pulse::start());
        let denied = pki.folder.path().join("denied");
        std::fs::write(&denied, "cn alice\n").unwrap();
        let with = |main: &str, domain: &str| {
            let text = config(&pki, &pulse, main, &alice());
            let text = text.replace(
                "[trust_domain.test]\n",
                &format!("[trust_domain.test]\n{domain}"),
            );
            let text = if domain.is_empty() {
                text
            } else {
                text.replace("[listener.main]", "[listener.third]")
            };
            let other = crate::support::gateway::named_listener("other", &pki, "");
            format!("{text}{other}[gateway]\ndrain_deadline = \"1h\"\n")
        };
        let gateway = Gateway::start(&with(lines, ""));
        let alice = client(&pki, "alice", &gateway);
        std::thread::scope(|scope| {
            let (begun, has_begun) = channel();
            let alices =
                scope.spawn(|| follow(Open::Events, &alice, move || begun.send(()).unwrap()));
            has_begun.recv().unwrap();
            gateway.reload_with(&with(
                "",
                &format!("deny_list = \"{}\"\n", denied.display()),
            ));
            assert!(!alices.join().unwrap().clean);
            let line = gateway.wait_for_access(|line| line["cut"] == "stream");
            assert_eq!(line["reason"], "deny_listed", "{lines}");
        });
    }
}

#[test]
fn a_kept_connection_is_rejected_at_its_next_request_with_the_reason() {
    for (loss, lines) in LOSSES
        .iter()
        .flat_map(|loss| RECORD_LAYERS.map(|lines| (loss, lines)))
    {
        let scene = Scene::new(lines);
        let alice = client(&scene.pki, "alice", &scene.gateway);
        let mut connection = alice.connect(Version::Http1).unwrap();
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
        let before = scene.gateway.generation();
        (loss.take)(&scene);
        scene.gateway.wait_for_generation_after(before);
        assert_eq!(connection.send(get("/")).unwrap().reason(), loss.reason);
        let labels = [("decision", "refuse"), ("reason", loss.reason)];
        scene
            .gateway
            .wait_for_metric("portcullis_decisions_total", &labels, 1.0);
        assert_eq!(
            scene.gateway.metric("portcullis_cut_total", &[]),
            0.0,
            "nothing was under way"
        );
    }
}

#[test]
fn a_public_stream_needs_no_permission() {
    for lines in RECORD_LAYERS {
        let (pki, pulse) = (Pki::new(), Pulse::start());
        let text = |users: &str| {
            let lines = format!("client_auth = \"optional\"\n{lines}");
            let public = "path = \"/\"\nclient_auth = \"optional\"\n";
            config(&pki, &pulse, &lines, users).replace("path = \"/\"\n", public)
        };
        let gateway = Gateway::start(&text(&alice()));
        let alice = client(&pki, "alice", &gateway);
        for open in STREAMS {
            let (begun, has_begun) = channel();
            pulse.count.finish.store(0, Ordering::SeqCst);
            std::thread::scope(|scope| {
                let alices = scope.spawn(|| follow(open, &alice, move || begun.send(()).unwrap()));
                has_begun.recv().unwrap();
                gateway.reload_with(&text(&bob()));
                gateway.reload_with(&text(&super::alice()));
                assert!(!alices.is_finished());
                pulse.finish();
                let ended = alices.join().unwrap();
                assert!(ended.clean, "{open:?}");
                nothing_is_missing(&ended.text);
            });
        }
    }
}

#[test]
fn a_large_response_is_complete_across_reloads() {
    const LENGTH: usize = 30_000_000;
    for (lines, version) in RECORD_LAYERS
        .iter()
        .flat_map(|lines| [(lines, Version::Http1), (lines, Version::Http2)])
    {
        let pki = Pki::new();
        let large: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
        let body = large.clone();
        let upstream = Upstream::answering(move |_| {
            http::Response::new(crate::support::upstream::full(body.clone()))
        });
        let text = |users: &str| listener_with(&pki, lines) + users + &route_to(upstream.address);
        let gateway = Gateway::start(&text(&alice()));
        let alice = client(&pki, "alice", &gateway);
        let mut connection = alice.connect(version).unwrap();
        let answer = connection.start(request("GET", "/", "")).unwrap();
        gateway.reload_with(&text(&(super::alice() + &bob())));
        let other = text(&super::alice()).replace("path = \"/\"", "path = \"/{any}\"");
        gateway.reload_with(
            &(other + "[[route]]\npath = \"/\"\nmatch = \"exact\"\nupstream = \"api\"\n"),
        );
        let came = alice
            .runtime()
            .block_on(answer.into_body().collect())
            .unwrap()
            .to_bytes();
        assert!(came == large, "{lines} {version:?}");
        assert_eq!(gateway.metric("portcullis_cut_total", &[]), 0.0);
    }
}

/// `cargo test --release --test portcullis -- --ignored --nocapture how_long` prints the table of `bench/RESULTS.md`.
#[test]
#[ignore = "a measurement"]
fn how_long_it_takes_from_a_loss_until_the_last_byte() {
    const ROUNDS: usize = 5;
    eprintln!("| open | records | loss | median, ms | worst, ms |\n|:--|:--|:--|--:|--:|");
    let all = STREAMS
        .into_iter()
        .chain([Open::Requests, Open::Http2Requests]);
    for (open, lines) in all.flat_map(|open| RECORD_LAYERS.map(|lines| (open, lines))) {
        // The records of HTTP/2 are always those of rustls.
        let http2 = [Open::Http2Events, Open::Http2Requests].contains(&open);
        if http2 && !lines.contains("rustls") {
            continue;
        }
        for loss in &LOSSES {
            let mut times: Vec<_> = (0..ROUNDS)
                .map(|_| lose(&Scene::new(lines), open, loss))
                .collect();
            times.sort_unstable();
            let milliseconds = |at: usize| times[at].as_secs_f64() * 1e3;
            let words: Vec<_> = lines.split('"').skip(1).step_by(2).collect();
            let (median, worst) = (milliseconds(ROUNDS / 2), milliseconds(ROUNDS - 1));
            eprintln!(
                "| {open:?} | {} | {} | {median:.0} | {worst:.0} |",
                words.join(", "),
                loss.reason
            );
        }
    }
}
