//! Streams, tunnels, uploads and waiting requests, and how long they live on.

mod listeners;

use super::*;
use crate::support::client::{request, status};
use std::sync::mpsc::channel;

/// A way to take a right away from alice, and the reason that is given for it.
struct Loss {
    reason: &'static str,
    take: fn(&Scene),
}

/// All ways. Bob's rights stand, unless the loss is everybody's.
const LOSSES: [Loss; 7] = [
    Loss {
        reason: "unknown_user",
        take: |scene| scene.write(&bob()),
    },
    Loss {
        reason: "no_permission",
        take: |scene| scene.write(&(user("alice", &["GET /other"]) + &bob())),
    },
    Loss {
        reason: "denied",
        take: |scene| scene.write(&(alice() + "deny = [\"GET *\"]\n" + &bob())),
    },
    Loss {
        reason: "no_route",
        take: |scene| scene.write_text(&scene.text(&alice()).replace("\"/\"", "\"/other\"")),
    },
    Loss {
        reason: "unknown_issuer",
        take: |scene| scene.trust_others(),
    },
    Loss {
        reason: "deny_listed",
        take: |scene| replace(&scene.pki.path("denied"), "cn alice\n"),
    },
    Loss {
        reason: "revoked",
        take: |scene| scene.revoke_alice(),
    },
];

impl Loss {
    fn is_everybodys(&self) -> bool {
        ["no_route", "unknown_issuer"].contains(&self.reason)
    }
}

struct Scene {
    pki: Pki,
    pulse: Pulse,
    gateway: Gateway,
    lines: &'static str,
}

impl Scene {
    fn new(lines: &'static str) -> Self {
        let (pki, pulse) = (Pki::new(), Pulse::start());
        std::fs::write(pki.path("denied"), "").unwrap();
        let gateway = Gateway::start(&Self::text_of(&pki, &pulse, lines, &(alice() + &bob())));
        Self {
            pki,
            pulse,
            gateway,
            lines,
        }
    }

    fn text(&self, users: &str) -> String {
        Self::text_of(&self.pki, &self.pulse, self.lines, users)
    }

    fn text_of(pki: &Pki, pulse: &Pulse, lines: &str, users: &str) -> String {
        let deny_list = format!("deny_list = \"{}\"\n[admin]", pki.path("denied").display());
        config(pki, pulse, lines, users).replace("[admin]", &deny_list)
    }

    /// By a revocation list that the config has from now on.
    fn revoke_alice(&self) {
        let certificate = std::fs::read_to_string(self.pki.path("alice.crt")).unwrap();
        let key = std::fs::read_to_string(self.pki.path("alice.key")).unwrap();
        let (certificate_file, key_file) = (self.pki.path("alice.crt"), self.pki.path("alice.key"));
        let identity = crate::support::pki::Identity {
            certificate_file,
            key_file,
            certificate,
            key,
        };
        let list = self.pki.path("ca.crl");
        replace(&list, &self.pki.crl(&[&identity], 1));
        let lines = format!("crls = \"{}\"\ndeny_list", list.display());
        self.write_text(&self.text(&(alice() + &bob())).replace("deny_list", &lines));
    }

    fn write(&self, users: &str) {
        self.write_text(&self.text(users));
    }

    fn write_text(&self, text: &str) {
        self.gateway.write_config(text);
    }

    fn trust_others(&self) {
        let other = Pki::named("Other CA");
        replace(
            &self.pki.ca_file(),
            &std::fs::read_to_string(other.ca_file()).unwrap(),
        );
    }

    fn cut_total(&self, kind: &str, reason: &str) -> f64 {
        self.gateway.metric(
            "portcullis_cut_total",
            &[("listener", "main"), ("kind", kind), ("reason", reason)],
        )
    }
}

/// From the change of the file until the last byte that alice gets of what is open; and bob's, if it must go on.
fn lose(scene: &Scene, open: Open, loss: &Loss) -> Duration {
    let (alice, bob) = (
        client(&scene.pki, "alice", &scene.gateway),
        client(&scene.pki, "bob", &scene.gateway),
    );
    std::thread::scope(|scope| {
        let (begun, has_begun) = channel();
        let follow = |client| {
            let begun = begun.clone();
            move || follow(open, client, move || begun.send(()).unwrap())
        };
        let alices = scope.spawn(follow(&alice));
        let streams = STREAMS.contains(&open);
        let bobs = (streams && !loss.is_everybodys()).then(|| scope.spawn(follow(&bob)));
        (0..1 + usize::from(bobs.is_some())).for_each(|_| has_begun.recv().unwrap());
        let taken = Instant::now();
        (loss.take)(scene);
        let ended = alices.join().unwrap();
        nothing_is_missing(ended.text.rsplit_once('\n').map_or("", |(whole, _)| whole));
        assert!(
            !ended.clean || open == Open::WebSocket,
            "it must not look whole: {open:?} {}",
            loss.reason
        );
        if streams {
            scene.pulse.wait_until_left(1);
        }
        if let Some(bobs) = bobs {
            // Some rounds later it still goes on, and then ends in peace.
            let before = scene.gateway.generation();
            scene.write(&(super::bob() + "# nothing new\n"));
            scene.gateway.wait_for_generation_after(before);
            assert!(!bobs.is_finished(), "{open:?} {}", loss.reason);
            scene.pulse.finish();
            let ended = bobs.join().unwrap();
            assert!(ended.clean, "{open:?} {}", loss.reason);
            nothing_is_missing(&ended.text);
        }
        ended.last_byte.saturating_duration_since(taken)
    })
}

fn each_loss_cuts(open: Open, loss: &Loss) {
    for lines in RECORD_LAYERS {
        let scene = Scene::new(lines);
        lose(&scene, open, loss);
        let line = scene
            .gateway
            .wait_for_access(|line| line["cut"] == open.kind());
        assert_eq!(
            (&line["reason"], &line["end"]),
            (&loss.reason.into(), &"cut".into()),
            "{line}"
        );
        assert_eq!(
            (&line["user"], &line["decision"]),
            (&"alice".into(), &"permit".into()),
            "{line}"
        );
        assert!(line["response_bytes"].as_u64() > Some(0), "{line}");
        eventually("the metric", || {
            (scene.cut_total(open.kind(), loss.reason) == 1.0).then_some(())
        });
        let cuts = scene
            .gateway
            .access_log()
            .into_iter()
            .filter(|line| line.get("cut").is_some())
            .count();
        assert_eq!(cuts, 1, "nobody else was cut");
        eventually("no tunnel", || {
            (scene.gateway.metric("portcullis_tunnels_open", &[]) == 0.0).then_some(())
        });
    }
}

#[test]
fn an_event_stream_ends_with_its_right() {
    LOSSES
        .iter()
        .for_each(|loss| each_loss_cuts(Open::Events, loss));
}

#[test]
fn a_stream_of_http2_ends_with_its_right() {
    LOSSES
        .iter()
        .for_each(|loss| each_loss_cuts(Open::Http2Events, loss));
}

#[test]
fn a_websocket_ends_with_its_right() {
    LOSSES
        .iter()
        .for_each(|loss| each_loss_cuts(Open::WebSocket, loss));
}

#[test]
fn a_request_that_waits_for_its_response_is_denied() {
    for (lines, version) in RECORD_LAYERS
        .iter()
        .flat_map(|lines| [(lines, Version::Http1), (lines, Version::Http2)])
    {
        let scene = Scene::new(lines);
        let alice = client(&scene.pki, "alice", &scene.gateway);
        let answer = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| alice.send(version, get("/poll")));
            scene.pulse.wait_until_arrived(1);
            scene.write(&bob());
            waiting.join().unwrap().unwrap()
        });
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "unknown_user"),
            "{lines} {version:?}"
        );
        scene.pulse.wait_until_left(1);
        let line = scene
            .gateway
            .wait_for_access(|line| line["cut"] == "stream");
        assert_eq!(
            (&line["reason"], &line["status"]),
            (&"unknown_user".into(), &403.into())
        );
        eventually("the metric", || {
            (scene.cut_total("stream", "unknown_user") == 1.0).then_some(())
        });
    }
}

#[test]
fn an_upload_goes_no_further_once_its_right_is_gone_and_another_goes_on() {
    const SECOND: &[u8] = b"6\r\nsecond\r\n";
    for lines in RECORD_LAYERS {
        let scene = Scene::new(lines);
        let clients = ["alice", "bob"].map(|name| client(&scene.pki, name, &scene.gateway));
        let [mut alices, mut bobs] = clients.each_ref().map(Client::raw);
        let first = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        [&mut alices, &mut bobs]
            .into_iter()
            .for_each(|raw| raw.write(first));
        let uploaded = || scene.pulse.count.uploaded.load(Ordering::SeqCst);
        eventually("the first bytes of both", || {
            (uploaded() >= 2 * "5\r\nfirst\r\n".len()).then_some(())
        });
        scene.write(&bob());
        scene.pulse.wait_until_left(1);
        let before = uploaded();
        let answer = alices.read_until("}\n");
        assert_eq!(status(&answer), 403, "{lines}");
        assert!(answer.contains("unknown_user"), "{answer}");
        let _ = alices.try_write(SECOND);
        alices.read_to_end();
        bobs.write(SECOND);
        eventually("more of one", || {
            (uploaded() >= before + SECOND.len()).then_some(())
        });
        assert_eq!(uploaded(), before + SECOND.len(), "{lines}");
        let line = scene
            .gateway
            .wait_for_access(|line| line["cut"] == "stream");
        assert_eq!(
            (&line["method"], &line["user"]),
            (&"POST".into(), &"alice".into())
        );
    }
}

#[test]
fn a_client_that_reads_no_response_is_disconnected() {
    for lines in RECORD_LAYERS {
        let scene = Scene::new(lines);
        let alice = client(&scene.pki, "alice", &scene.gateway);
        let mut raw = alice.raw();
        raw.write(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw.read_exact(65_536);
        scene.write(&bob());
        scene.pulse.wait_until_left(1);
        let line = scene
            .gateway
            .wait_for_access(|line| line["cut"] == "stream");
        assert_eq!(line["reason"], "unknown_user", "{lines}");
        assert!(raw.read_to_end().len() < 1_000_000_000, "{lines}");
    }
}

#[test]
fn what_waits_for_a_client_that_takes_nothing_is_not_sent_later() {
    for lines in RECORD_LAYERS {
        let scene = Scene::new(lines);
        let alice = client(&scene.pki, "alice", &scene.gateway);
        let mut raw = alice.raw();
        raw.write(&b"GET /heavy HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000));
        let arrived = || scene.pulse.count.arrived.load(Ordering::SeqCst);
        // On a busy machine nothing arrives for a while although there is room. Where requests of another client come through
        // one after the other, those of this one would, too.
        let other = client(&scene.pki, "bob", &scene.gateway);
        let mut probe = other.connect(Version::Http1).unwrap();
        let mut probes = 0;
        let mut before = 0;
        let mut without_arrival = 0;
        eventually("responses fill everything on their way", || {
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(probe.send(get("/")).unwrap().status, 200);
            probes += 1;
            let of_alice = arrived() - probes;
            let is_still = of_alice > 0 && of_alice == before;
            without_arrival = if is_still { without_arrival + 1 } else { 0 };
            before = of_alice;
            (without_arrival >= 25).then_some(())
        });
        scene.write(&bob());
        let line = scene
            .gateway
            .wait_for_access(|line| line["cut"] == "stream");
        assert_eq!(line["reason"], "unknown_user", "{lines}");
        assert!(raw.read_to_end().len() < 1_000 * 60_000);
        assert_eq!(arrived() - probes, before, "{lines}");
    }
}
