//! Routes: targets, paths, precedence, and who may use them.

use super::*;
use crate::route::Target;

/// A route to the upstream with further lines.
fn route(path: &str, lines: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\n{lines}\n")
}

const TO_API: &str = "upstream = \"api\"";

#[test]
fn a_route_has_one_target_that_exists() {
    let scene = Scene::new();
    for (lines, expected) in [
        ("", "neither `upstream` nor `respond`"),
        (
            "upstream = \"api\"\nrespond = \"whoami\"",
            "both `upstream` and `respond`",
        ),
        ("upstream = \"apy\"", "there is no upstream \"apy\""),
    ] {
        let error = scene.error(&route("/", lines));
        assert!(error.contains(expected), "{error}");
    }
    let snapshot = scene.snapshot(&(route("/", TO_API) + &route("/me", "respond = \"whoami\"")));
    let routes = &snapshot.listeners["main"].routes;
    let target = |path| routes.find(None, path).map(|(route, _)| &route.target);
    assert!(matches!(target("/x"), Some(Target::Upstream(name)) if **name == *"api"));
    assert!(matches!(target("/me"), Some(Target::Whoami)));
}

#[test]
fn an_upstream_gets_everything_below_its_path_and_a_built_in_response_only_its_own() {
    let tables = route("/up", TO_API) + &route("/me", "respond = \"whoami\"");
    let snapshot = Scene::new().snapshot(&tables);
    let routes = &snapshot.listeners["main"].routes;
    assert!(routes.find(None, "/up").is_some() && routes.find(None, "/up/below").is_some());
    assert!(routes.find(None, "/me").is_some() && routes.find(None, "/me/below").is_none());
    assert!(routes.find(None, "/upper").is_none());
}

#[test]
fn two_routes_with_one_path_are_an_error_unless_hosts_or_listeners_differ() {
    let scene = Scene::new();
    let same = route("/a", TO_API) + &route("/a", TO_API);
    assert!(scene.error(&same).contains("another route already has /a"));
    let twice = route(
        "/a",
        "upstream = \"api\"\nhost = [\"a.example\", \"a.example\"]",
    );
    assert!(scene.error(&twice).contains("names a host twice"));
    let other_host =
        route("/a", TO_API) + &route("/a", "upstream = \"api\"\nhost = [\"a.example\"]");
    assert_eq!(scene.snapshot(&other_host).sizes.routes, 2);
    for named_first in [true, false] {
        let general = route("/a", TO_API);
        let named = route("/a", "respond = \"whoami\"\nlisteners = [\"main\"]");
        let both = if named_first {
            named + &general
        } else {
            general + &named
        };
        let snapshot = scene.snapshot(&both);
        let (found, _) = snapshot.listeners["main"].routes.find(None, "/a").unwrap();
        assert!(matches!(found.target, Target::Whoami), "{named_first}");
    }
    let unknown = route("/a", "upstream = \"api\"\nlisteners = [\"mian\"]");
    assert!(
        scene
            .error(&unknown)
            .contains("there is no listener \"mian\"")
    );
}

#[test]
fn an_open_route_has_no_requirement_and_no_whoami() {
    let scene = Scene::new();
    let open = "client_auth = \"off\"\n";
    let requirement = "requirement = \"a/b\"\n";
    let api = |lines: &str| route("/a", &format!("{TO_API}\n{lines}"));
    let error = scene.error(&api(&format!("{open}{requirement}")));
    assert!(error.contains("cannot have a requirement"), "{error}");
    let error = scene.error(&route("/a", &format!("respond = \"whoami\"\n{open}")));
    assert!(
        error.contains("needs a client that is authenticated"),
        "{error}"
    );
    for (lines, is_public) in [(open, true), (requirement, false), ("", false)] {
        let snapshot = scene.snapshot(&api(lines));
        let (found, _) = snapshot.listeners["main"].routes.find(None, "/a").unwrap();
        assert_eq!(found.admission.is_public(), is_public, "{lines}");
    }
}

#[test]
fn a_path_of_another_router_is_an_error_with_the_path_that_was_meant() {
    let scene = Scene::new();
    for bad in ["api", "/api/*", "/a/../b", "/a//b"] {
        let error = scene.error(&route(bad, TO_API));
        assert!(error.contains("is no path for a route"), "{error}");
    }
    let outcome = scene.load(
        &format!("{BASE}{}", route("/api/*", TO_API)),
        None,
        Depth::Errors,
    );
    let report = outcome.report();
    assert!(report.contains("path = \"/api\""), "{report}");
    let _ = scene.snapshot(&route("/api/{name}", TO_API));
}
