//! Whoever loses a right while the config is rejected loses what is open by it. Whoever keeps it loses nothing.

use super::*;

#[test]
fn what_is_open_is_cut_while_the_config_is_broken_and_the_rest_goes_on() {
    for lines in RECORD_LAYERS {
        for open in STREAMS {
            for (reason, users, deny) in [
                ("deny_listed", alice() + &bob(), "cn alice\n"),
                ("unknown_user", bob(), ""),
            ] {
                let (pki, pulse) = (Pki::new(), Pulse::start());
                std::fs::write(pki.path("denied"), "").unwrap();
                let text = |users: &str| {
                    let deny_list =
                        format!("deny_list = \"{}\"\n[admin]", pki.path("denied").display());
                    config(&pki, &pulse, lines, users).replace("[admin]", &deny_list)
                };
                let gateway = Gateway::start(&text(&(alice() + &bob())));
                let clients = ["alice", "bob"].map(|name| client(&pki, name, &gateway));
                let (begun, both) = std::sync::mpsc::channel();
                let [of_alice, of_bob] = std::thread::scope(|scope| {
                    let running = clients.each_ref().map(|client| {
                        let begun = begun.clone();
                        scope.spawn(move || follow(open, client, move || begun.send(()).unwrap()))
                    });
                    both.recv().unwrap();
                    both.recv().unwrap();
                    gateway.write_config(&(text(&users) + "upstraem = 1\n"));
                    replace(&pki.path("denied"), deny);
                    pulse.wait_until_left(1);
                    eventually("an overlay", || {
                        (gateway.metric("portcullis_snapshot_overlay", &[]) >= 1.0).then_some(())
                    });
                    pulse.finish();
                    running.map(|thread| thread.join().unwrap())
                });
                assert_eq!(gateway.generation(), 1, "{lines}: the config is rejected");
                assert!(
                    !of_alice.clean || open == Open::WebSocket,
                    "{lines} {open:?} {of_alice:?}"
                );
                let cut = gateway.wait_for_access(|line| line["cut"] == open.kind());
                assert_eq!(
                    (cut["reason"].as_str(), cut["user"].as_str()),
                    (Some(reason), Some("alice")),
                    "{cut}"
                );
                assert!(of_bob.clean, "{lines} {open:?}: bob goes on");
                nothing_is_missing(&of_bob.text);
            }
        }
    }
}
