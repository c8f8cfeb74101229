//! Warnings: each has a twin without it, and none is given beside an error.

use super::*;

const ALICE: &str = "[api_user.alice]\nclient_cn = \"alice\"\npermissions = [\"GET /*\"]\n";

#[test]
fn a_user_that_no_certificate_can_match_is_warned_about() {
    let scene = Scene::new();
    let without_name = "[api_user.bob]\npermissions = [\"GET /*\"]\n";
    let expected = "api_user \"bob\" can never match";
    assert!(
        scene
            .warnings(&format!("{ROUTE}{ALICE}{without_name}"))
            .contains(expected)
    );
    assert!(
        !scene
            .warnings(&format!("{ROUTE}{ALICE}"))
            .contains("can never match")
    );
    let off = BASE.replace(
        "private_key = \"server.key\"",
        "private_key = \"server.key\"\nclient_auth = \"off\"",
    );
    let warnings = scene.warnings_of(&format!("{off}{ROUTE}{ALICE}"), Depth::Warnings);
    assert!(
        warnings.contains("api_user \"alice\" can never match"),
        "{warnings}"
    );
    assert!(
        warnings.contains("this route needs a client certificate"),
        "{warnings}"
    );
}

#[test]
fn a_permission_that_matches_no_route_is_warned_about_once() {
    let scene = Scene::new();
    let route = "[[route]]\npath = \"/api\"\nupstream = \"api\"\n";
    let users = |text: &str| {
        let user = |name: &str| {
            format!("[api_user.{name}]\nclient_cn = \"{name}\"\npermissions = [\"{text}\"]\n")
        };
        user("alice") + &user("bob")
    };
    let warnings = scene.warnings(&format!("{route}{}", users("GET /apy/*")));
    assert_eq!(
        warnings.matches("\"GET /apy/*\" matches no route").count(),
        1,
        "{warnings}"
    );
    let warnings = scene.warnings(&format!("{route}{}", users("GET /api/*")));
    assert!(!warnings.contains("matches no route"), "{warnings}");
}

#[test]
fn a_route_that_gets_no_request_is_warned_about() {
    let scene = Scene::new();
    let named = "[[route]]\npath = \"/\"\nupstream = \"api\"\nlisteners = [\"main\"]\n";
    let warnings = scene.warnings(&format!("{named}{ROUTE}{ALICE}"));
    assert!(warnings.contains("is shadowed"), "{warnings}");
    assert!(
        !scene
            .warnings(&format!("{named}{ALICE}"))
            .contains("is shadowed")
    );
    assert!(scene.warnings(ALICE).contains("there is no route"));
    assert!(
        !scene
            .warnings(&format!("{ROUTE}{ALICE}"))
            .contains("there is no route")
    );
}

#[test]
fn a_long_tolerance_of_expired_certificates_is_warned_about() {
    let scene = Scene::new();
    let expected = "tolerates expired certificates for very long";
    let tolerating =
        |time: &str| scene.warnings(&format!("{ROUTE}{ALICE}tolerate_expiry = \"{time}\"\n"));
    assert!(tolerating("31d").contains(expected));
    assert!(!tolerating("7d").contains(expected));
}

#[test]
fn a_start_looks_for_cheap_warnings_alone_and_an_error_silences_all_that_it_may_cause() {
    let scene = Scene::new();
    let useless = "[api_user.bob]\npermissions = [\"GET /*\"]\n";
    let config = format!("{BASE}{ROUTE}{useless}");
    let expected = "can never match";
    assert!(
        scene
            .warnings_of(&config, Depth::Warnings)
            .contains(expected)
    );
    assert!(!scene.warnings_of(&config, Depth::Errors).contains(expected));
    let broken = format!("{config}[[route]]\npath = \"/a\"\nupstream = \"none\"\n");
    let outcome = scene.load(&broken, None, Depth::Warnings);
    assert!(outcome.snapshot.is_none());
    assert!(!outcome.warnings().join("\n").contains(expected));
}
