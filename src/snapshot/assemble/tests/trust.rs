//! Trust domains: what may be an anchor, and which domain is meant.

use super::*;

const LISTENER: &str = r#"
[listener.main]
address = "127.0.0.1:0"
certificate = "server.crt"
private_key = "server.key"
"#;

fn with(listener: &str, domains: &str) -> String {
    format!("{LISTENER}{listener}\n{domains}")
}

fn only_error(config: &str) -> String {
    let errors = Scene::new().errors_of(config);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.into_iter().next().unwrap()
}

#[test]
fn only_a_ca_is_an_anchor_and_no_anchor_is_no_domain() {
    for (anchors, expected) in [
        ("[]", "has no anchors"),
        ("[\"server.crt\"]", "cannot be a trust anchor"),
        ("[\"missing.crt\"]", "missing.crt"),
        ("[\"ca.key\"]", "ca.key"),
    ] {
        let error = only_error(&with(
            "",
            &format!("[trust_domain.test]\nanchors = {anchors}\n"),
        ));
        assert!(error.contains(expected), "{error}");
    }
    let good = with("", "[trust_domain.test]\nanchors = [\"ca.crt\"]\n");
    let snapshot = Scene::new().snapshot_of(&good);
    let [domain] = snapshot.trust_domains.as_slice() else {
        panic!("one domain");
    };
    let anchors: Vec<&str> = domain.anchors().map(|(name, _)| name).collect();
    assert_eq!(anchors, ["CN=Test CA"]);
}

#[test]
fn an_intermediate_is_signed_by_an_anchor() {
    let other = tempfile::tempdir().unwrap();
    write_certificates(other.path());
    let foreign = other.path().join("ca.crt");
    let domain = |file: &str| {
        format!("[trust_domain.test]\nanchors = [\"ca.crt\"]\nintermediates = [\"{file}\"]\n")
    };
    let scene = Scene::new();
    let config = with("", &domain(foreign.to_str().unwrap()));
    let errors = scene.errors_of(&config);
    assert!(
        errors[0].contains("no trust anchor of this domain"),
        "{errors:#?}"
    );
    // An anchor has signed itself.
    let _ = scene.snapshot_of(&with("", &domain("ca.crt")));
}

#[test]
fn a_listener_names_one_of_several_domains() {
    let both =
        "[trust_domain.one]\nanchors = [\"ca.crt\"]\n[trust_domain.two]\nanchors = [\"ca.crt\"]\n";
    let error = only_error(&with("", both));
    assert!(error.contains("which trust domain it means"), "{error}");
    let error = only_error(&with("trust_domain = \"three\"", both));
    assert!(
        error.contains("there is no trust domain \"three\""),
        "{error}"
    );
    let error = only_error(&with("", ""));
    assert!(
        error.contains("needs a trust domain, and there is none"),
        "{error}"
    );
    let snapshot = Scene::new().snapshot_of(&with("trust_domain = \"two\"", both));
    let host = snapshot.listeners["main"].host(None).unwrap();
    let names: Vec<&str> = host
        .trust_domains
        .iter()
        .map(|domain| &*domain.name)
        .collect();
    assert_eq!(names, ["two"]);
}

#[test]
fn an_unusable_deny_list_is_an_error_and_a_good_one_is_active_and_reread() {
    let scene = Scene::new();
    let config = with(
        "",
        "[trust_domain.test]\nanchors = [\"ca.crt\"]\ndeny_list = \"denied\"\n",
    );
    let _ = scene.errors_of(&config);
    std::fs::write(scene.path().join("denied"), "nonsense\n").unwrap();
    let errors = scene.errors_of(&config);
    assert!(errors[0].contains("denied"), "{errors:#?}");
    std::fs::write(scene.path().join("denied"), "user alice\n").unwrap();
    let snapshot = scene.snapshot_of(&config);
    assert!(snapshot.trust_domains[0].revocation().denies_user("alice"));
    assert!(!snapshot.trust_domains[0].revocation().denies_user("bob"));
    assert_eq!(snapshot.revocation_sources.len(), 1);
}
