//! Trials with a deny list, from end to end.

use super::*;

/// A gateway whose trust domain has a deny list, in a file of the CA's folder.
fn with_deny_list(pki: &Pki, upstream: &Upstream) -> (Gateway, std::path::PathBuf) {
    let list = pki.path("denied");
    std::fs::write(&list, "# nobody yet\nuser carol\n").unwrap();
    let domain = format!("[trust_domain.test]\ndeny_list = \"{}\"\n", list.display());
    let config = listener(pki).replace("[trust_domain.test]\n", &domain);
    (
        Gateway::start(&(config + &user("alice", &["GET /*"]) + &route_to(upstream.address))),
        list,
    )
}

#[test]
fn revocation_is_tried_from_end_to_end_and_leaves_nothing_behind() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let (gateway, list) = with_deny_list(&pki, &upstream);
    let before = std::fs::read_to_string(&list).unwrap();
    let mint = mint(&pki);
    let arguments: Vec<&str> = words(&mint).into_iter().chain(["--revocation"]).collect();
    let verified = Verified::by(&gateway.config_file, &gateway, &arguments);
    assert_eq!(verified.code, 0, "{:#?}", verified.attempts);
    for tried in [
        "not denied yet",
        "not denied yet, resumed session",
        "no longer denied",
    ] {
        assert_eq!(
            verified.line("*", tried).1,
            "400 method_not_forwarded",
            "{tried}"
        );
    }
    assert_eq!(
        verified.line("*", "denied"),
        ("refused", "alert certificate_revoked", "ok")
    );
    assert_eq!(verified.line("*", "denied, resumed session").2, "ok");
    assert_eq!(verified.line("*", "denied, open connection").2, "ok");
    assert_eq!(std::fs::read_to_string(&list).unwrap(), before);
}

/// A config that names this deny list, which no gateway that runs has read.
fn config_with_deny_list(pki: &Pki, list: &Path) -> PathBuf {
    let said = format!("[trust_domain.test]\ndeny_list = \"{}\"\n", list.display());
    config_file(pki, &listener(pki).replace("[trust_domain.test]\n", &said))
}

#[test]
fn a_gateway_that_does_not_read_the_deny_list_is_found() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(
        &(listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)),
    );
    let list = pki.path("denied");
    std::fs::write(&list, "").unwrap();
    let said = config_with_deny_list(&pki, &list);
    let mint = mint(&pki);
    let arguments: Vec<&str> = words(&mint)
        .into_iter()
        .chain(["--revocation", "--revocation-deadline", "1s"])
        .collect();
    let verified = Verified::by(&said, &gateway, &arguments);
    assert_eq!(verified.code, 1);
    for tried in [
        "denied",
        "denied, resumed session",
        "denied, open connection",
    ] {
        assert_eq!(
            verified.line("*", tried),
            ("refused", "LET IN: 400 method_not_forwarded", "failed"),
            "{tried}"
        );
    }
    assert_eq!(
        std::fs::read_to_string(&list).unwrap(),
        "",
        "taken out also after a failure"
    );

    let verified = Verified::by(&gateway.config_file, &gateway, &arguments);
    let skipped = ("refused", "trust domain test has no `deny_list`", "skipped");
    assert_eq!((verified.code, verified.line("*", "denied")), (2, skipped));
    let arguments: Vec<&str> = arguments.into_iter().chain(["--allow-skipped"]).collect();
    assert_eq!(
        Verified::by(&gateway.config_file, &gateway, &arguments).code,
        0
    );
}

#[test]
fn an_interrupted_trial_leaves_nothing_behind_either() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(
        &(listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)),
    );
    let list = pki.path("denied");
    std::fs::write(&list, "").unwrap();
    // The gateway does not read it, so that the trial waits.
    let said = config_with_deny_list(&pki, &list);
    let address = gateway.address().to_string();
    let mut command = std::process::Command::new(PORTCULLIS);
    command
        .args([
            "verify",
            "--live",
            "--revocation",
            "--revocation-deadline",
            "1h",
            "--connect",
            &address,
            "-c",
        ])
        .arg(said)
        .args(mint(&pki))
        .stdout(std::process::Stdio::null());
    let mut trial = Peer::start(&mut command);
    let denied = || std::fs::read_to_string(&list).unwrap();
    eventually("the entry", || {
        denied().contains("fingerprint ").then_some(())
    });
    trial.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(trial.wait().code(), Some(2));
    assert_eq!(denied(), "");
}
