//! Certificates that expire while something is open by them.

use super::*;
use crate::support::pki::Kind;
use std::sync::mpsc::channel;

#[test]
fn what_is_open_ends_with_its_certificate() {
    for lines in ENGINES {
        let (pki, pulse) = (Pki::new(), Pulse::start());
        let gateway = Gateway::start(&config(&pki, &pulse, lines, &(alice() + &bob())));
        let expiring = Client::new(&pki, Some(&pki.of_kind("alice", Kind::ExpiresIn(4))), gateway.address());
        let lasting = client(&pki, "bob", &gateway);
        std::thread::scope(|scope| {
            let (begun, has_begun) = channel();
            let follow_by = |open, client| {
                let begun = begun.clone();
                scope.spawn(move || follow(open, client, move || begun.send(()).unwrap()))
            };
            let alices = STREAMS.map(|open| (open, follow_by(open, &expiring)));
            let bobs = STREAMS.map(|open| (open, follow_by(open, &lasting)));
            (0..alices.len() + bobs.len()).for_each(|_| has_begun.recv().unwrap());
            for (open, followed) in alices {
                let ended = followed.join().unwrap();
                nothing_is_missing(ended.text.rsplit_once('\n').map_or("", |(whole, _)| whole));
                assert!(!ended.clean || open == Open::WebSocket, "{open:?}");
            }
            pulse.wait_until_left(STREAMS.len());
            bobs.iter().for_each(|(open, followed)| assert!(!followed.is_finished(), "{open:?}"));
            pulse.finish();
            for (open, followed) in bobs {
                let ended = followed.join().unwrap();
                assert!(ended.clean, "{open:?}");
                nothing_is_missing(&ended.text);
            }
        });
        for (kind, count) in [("tunnel", 1.0), ("stream", 2.0)] {
            let labels = [("kind", kind), ("reason", "expired")];
            eventually("the metric", || (gateway.metric("portcullis_cut_total", &labels) == count).then_some(()));
        }
        let mut cut = gateway.access_log().into_iter().filter(|line| line.get("cut").is_some());
        assert!(cut.all(|line| line["reason"] == "expired" && line["user"] == "alice"));
    }
}
