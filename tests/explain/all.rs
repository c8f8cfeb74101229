//! One request of all users, and one client on all routes.

use super::{Question, upstream_at};
use crate::support::Pki;
use crate::support::gateway::{listener_with, user};
use serde_json::Value;

const POLICY: &str = r#"
[api_user.reader]
client_cn = "reader"
permissions = ["GET /*", "objects/query/*"]
[api_user.hosts]
client_cn = "hosts"
permissions = ["objects/query/h*", { permission = "GET /status", when = 'inNetwork(source, "10.0.0.0/8")' }]
deny = ["objects/query/hidden"]
[api_user.trial]
client_cn = "trial"
permissions = [{ permission = "*", shadow = true }]
[api_user.none]
client_cn = "none"
[api_user.unprovable]
permissions = ["*"]

[[route]]
path = "/"
upstream = "api"
[[route]]
path = "/v1/objects/{type}"
match = "exact"
upstream = "api"
requirement = { GET = "objects/query/{type}", POST = "objects/modify/{type}" }
[[route]]
path = "/v1/objects/x0"
match = "exact"
upstream = "api"
client_auth = "off"
[[route]]
path = "/status"
match = "exact"
upstream = "api"
when = 'request.method == "GET"'
[[route]]
path = "/me"
respond = "whoami"
"#;

fn question() -> Question {
    let pki = Pki::new();
    let config = listener_with(&pki, "") + &upstream_at("127.0.0.1:1") + POLICY;
    Question::with(pki, config)
}

fn json(question: &Question, arguments: &[&str]) -> Value {
    let answer = question.ask(&[&["--json"], arguments].concat());
    assert_eq!(
        (answer.code, answer.errors.as_str()),
        (0, ""),
        "{}",
        answer.output
    );
    serde_json::from_str(&answer.output).unwrap()
}

#[test]
fn explain_prints_the_table_of_permitted_users() {
    let question = question();
    let answer = question.ask(&["--all-users", "GET", "/v1/objects/hosts"]);
    assert_eq!((answer.code, answer.errors.as_str()), (0, ""));
    let rows: Vec<Vec<&str>> = answer
        .output
        .lines()
        .skip(3)
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    let expected = [
        ["hosts", "permit", "permission"],
        ["none", "refuse", "no_permission"],
        ["reader", "permit", "permission"],
        ["trial", "shadow", "no_permission"],
        ["unprovable", "refuse", "unprovable"],
    ];
    assert_eq!(rows, expected, "{}", answer.output);
    assert_eq!(
        answer.value("request"),
        "GET /v1/objects/hosts at listener main"
    );
    assert_eq!(
        answer.value("users"),
        "2 permitted, 1 only in shadow mode, 2 refused"
    );
    let said = json(&question, &["--all-users", "GET", "/v1/objects/hosts"]);
    assert_eq!(said["about"], "all_users");
    assert_eq!(
        said["counts"],
        serde_json::json!({ "permit": 2, "shadow": 1, "refuse": 2, "depends": 0 })
    );
    assert_eq!(said["users"][0]["permission"]["text"], "objects/query/h*");
    assert_eq!(
        said["users"][0]["permission"]["place"],
        question.place("\"objects/query/h*\"")
    );
    let said = json(&question, &["--all-users", "GET", "/v1/objects/hidden"]);
    assert_eq!(said["users"][0]["reason"], "denied");
    assert_eq!(said["users"][0]["permission"]["effect"], "deny");
}

#[test]
fn each_user_of_the_table_is_decided_as_alone() {
    let question = question();
    for (method, path) in [
        ("GET", "/x"),
        ("POST", "/v1/objects/hosts"),
        ("GET", "/me"),
        ("GET", "/status"),
    ] {
        let said = json(&question, &["--all-users", method, path]);
        for row in said["users"].as_array().unwrap() {
            let name = row["user"].as_str().unwrap();
            if name == "unprovable" {
                continue;
            }
            let alone = question.ask(&["--json", "--user", name, method, path]);
            let alone: Value = serde_json::from_str(&alone.output).unwrap();
            for key in ["decision", "reason", "permission"] {
                assert_eq!(alone[key], row[key], "{name} {method} {path}");
            }
        }
    }
}

/// `method path` and the decision of each row, with what it depends on.
fn routes(said: &Value) -> Vec<(String, String, String)> {
    let rows = said["routes"].as_array().unwrap().iter();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let depends = |row: &Value| {
        let all: Vec<&str> = row["depends_on"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect();
        all.join("; ")
    };
    rows.map(|row| {
        (
            format!("{} {}", text(row, "method"), text(row, "path")),
            text(row, "decision"),
            depends(row),
        )
    })
    .collect()
}

fn decisions(rows: &[(String, String, String)]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|(request, decision, _)| (request.as_str(), decision.as_str()))
        .collect()
}

fn path_routes(get: &'static str, others: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("GET /...", get),
        ("POST /...", others),
        ("PUT /...", others),
        ("PATCH /...", others),
        ("DELETE /...", others),
    ]
}

#[test]
fn what_a_user_can_do_is_a_table_of_routes() {
    let question = question();
    let rows = routes(&json(&question, &["--all-routes", "--user", "reader"]));
    let mut expected = path_routes("permit", "refuse");
    expected.extend([
        ("GET /v1/objects/{type}", "permit"),
        ("POST /v1/objects/{type}", "refuse"),
    ]);
    let public =
        ["GET", "POST", "PUT", "PATCH", "DELETE"].map(|method| format!("{method} /v1/objects/x0"));
    expected.extend(public.iter().map(|request| (request.as_str(), "permit")));
    expected.extend([
        ("GET /status", "depends"),
        ("POST /status", "refuse"),
        ("PUT /status", "refuse"),
        ("PATCH /status", "refuse"),
        ("DELETE /status", "refuse"),
        ("GET /me", "permit"),
    ]);
    assert_eq!(decisions(&rows), expected);
    let rows = routes(&json(&question, &["--all-routes", "--cn", "hosts"]));
    let of = |request: &str| rows.iter().find(|row| row.0 == request).unwrap();
    let (_, decision, depends) = of("GET /v1/objects/{type}");
    assert_eq!(decision, "depends");
    let (granted, denied) = (
        question.place("\"objects/query/h*\""),
        question.place("\"objects/query/hidden\""),
    );
    let expected = format!(
        "granted by \"objects/query/h*\" at {granted}, depending on {{type}}; \
         denied by \"objects/query/hidden\" at {denied}, depending on {{type}}"
    );
    assert_eq!(*depends, expected);
    let (_, decision, depends) = of("GET /status");
    assert!(
        decision == "depends" && depends.contains("`request.method == \"GET\"`"),
        "{depends}"
    );
    assert!(
        depends.contains("when `inNetwork(source, \"10.0.0.0/8\")`"),
        "{depends}"
    );
    let rows = routes(&json(&question, &["--all-routes", "--user", "trial"]));
    assert_eq!(rows[0].1, "shadow");
    let answer = question.ask(&["--all-routes", "--user", "none"]);
    assert!(
        answer.output.starts_with("LISTENER  REQUESTS"),
        "{}",
        answer.output
    );
    let stranger = routes(&json(&question, &["--all-routes", "--cn", "stranger"]));
    assert_eq!(
        stranger.iter().filter(|row| row.1 == "permit").count(),
        5,
        "the public route: {stranger:?}"
    );
}

#[test]
fn what_depends_on_a_capture_differs_with_it_and_what_is_sure_does_not() {
    let question = question();
    for name in ["reader", "hosts", "trial", "none"] {
        let rows = routes(&json(&question, &["--all-routes", "--user", name]));
        for (request, decision, _) in rows.iter().filter(|row| row.0.contains("{type}")) {
            let outcomes = ["hosts", "hidden", "services"].map(|value| {
                let (method, path) = request.split_once(' ').unwrap();
                question
                    .ask(&["--user", name, method, &path.replace("{type}", value)])
                    .code
            });
            let expected = match decision.as_str() {
                "permit" | "shadow" => [0, 0, 0],
                "refuse" => [1, 1, 1],
                _ => [0, 1, 1],
            };
            assert_eq!(outcomes, expected, "{name} {request} {decision}");
        }
    }
}

#[test]
fn the_preset_of_icinga_has_a_row_for_each_requirement() {
    let pki = Pki::new();
    let route = "[[route]]\npath = \"/v1\"\npreset = \"icinga2\"\nupstream = \"api\"\n";
    let users = user(
        "ops",
        &[
            "objects/query/*",
            "actions/restart-process",
            "events/CheckResult",
        ],
    );
    let config = listener_with(&pki, "") + &upstream_at("127.0.0.1:1") + &users + route;
    let question = Question::with(pki, config);
    let said = json(&question, &["--all-routes", "--user", "ops"]);
    let of = |name: &str| {
        let rows = said["routes"].as_array().unwrap();
        let row = rows.iter().find(|row| row["requirement"] == name);
        row.unwrap_or_else(|| panic!("no {name} in {said:#}"))["decision"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (name, decision) in [
        ("objects/query/{name}", "permit"),
        ("objects/modify/{name}", "refuse"),
        ("actions/restart-process", "permit"),
        ("actions/shutdown-process", "refuse"),
        ("events/*", "depends"),
        ("status/query", "refuse"),
    ] {
        assert_eq!(of(name), decision, "{name}");
    }
    let subscribe = |types: &str| {
        let body = format!("{{\"queue\":\"q\",\"types\":[{types}]}}");
        question.ask(&["--user", "ops", "--body", &body, "POST", "/v1/events"])
    };
    assert_eq!(subscribe("\"CheckResult\"").decision(), "200");
    let both = subscribe("\"CheckResult\",\"StateChange\"");
    assert_eq!(both.decision(), "403 no_permission");
    assert!(
        both.output.contains("matches events/CheckResult"),
        "{}",
        both.output
    );
}

#[test]
fn questions_about_all_name_neither_too_much_nor_too_little() {
    let question = question();
    for arguments in [
        vec!["--all-users", "--user", "reader", "GET", "/"],
        vec!["--all-users"],
        vec!["--all-routes", "--user", "reader", "GET", "/"],
        vec!["--all-routes", "--user", "unprovable"],
        vec!["--all-routes", "--user", "nobody-here"],
    ] {
        assert_eq!(question.ask(&arguments).code, 2, "{arguments:?}");
    }
}
