//! The whole reasoning: conditions and their values, roles, shadow mode, bodies, times; as text and as JSON.

use super::{Question, upstream_at};
use crate::support::Pki;
use crate::support::gateway::listener_with;
use serde_json::Value;

const POLICY: &str = r#"
[api_user.alice]
client_cn = "alice"
enabled_until = "2098-12-31"
roles = ["lead"]
permissions = [
    "GET /never/*",
    { permission = "* /api/*", when = 'inNetwork(source, "10.0.0.0/8") && request.headers["x-change"] == "yes"' },
]
deny = [{ permission = "DELETE /*", when = 'now > timestamp("2030-01-01T00:00:00Z")' }]

[api_user.trial]
client_cn = "trial"
permissions = [{ permission = "GET /api/*", shadow = true }]

[api_user.lenient]
client_cn = "lenient"
shadow = true

[api_user.holder]
client_cn = "holder"
permissions = [{ permission = "GET /*", when = 'certificate.cn == "holder"' }]

[role.lead]
roles = ["reader"]
[role.reader]
permissions = ["objects/query/*"]
deny = ["objects/query/secrets"]

[[route]]
path = "/"
upstream = "api"

[[route]]
path = "/v1/objects/{type}"
upstream = "api"
requirement = "objects/query/{type}"
when = 'request.method != "PUT"'

[[route]]
path = "/small"
upstream = "api"
body_size = "4B"
client_auth = "off"
"#;

fn question() -> Question {
    let pki = Pki::new();
    let config = listener_with(&pki, "") + &upstream_at("127.0.0.1:1") + POLICY;
    Question::with(pki, config)
}

/// The output with the config's folder and the time as names.
fn golden(question: &Question, arguments: &[&str]) -> (i32, String) {
    let answer = question.ask(arguments);
    assert_eq!(answer.errors, "", "{arguments:?}");
    (
        answer.code,
        answer
            .output
            .replace(&question.file().display().to_string(), "CONFIG"),
    )
}

/// `CONFIG:line:column` of a text that stands once in the config.
fn place(question: &Question, text: &str) -> String {
    question
        .place(text)
        .replace(&question.file().display().to_string(), "CONFIG")
}

#[test]
fn a_condition_is_shown_with_the_values_that_it_looked_at() {
    let question = question();
    let at = |text: &str| place(&question, text);
    let who = [
        "--cn",
        "alice",
        "--source",
        "10.1.2.3",
        "--header",
        "X-Change: no",
        "POST",
        "/api/x",
    ];
    let expected = format!(
        "decision:    refuse (403 condition_not_met)\n\
         verified by: test\n\
         user:        alice at {}\n\
         identified:  by cn\n\
         roles:       \"lead\", \"reader\"\n\
         enabled:     until 2098-12-31T23:59:59Z\n\
         path:        POST /api/x\n\
         route:       / at {}\n\
         upstream:    api\n\
         requirement: POST /api/x\n\
         required by: method and path, since the route has no `requirement`\n\
         permission:  \"* /api/*\" at {}\n\
         tried:       deny  \"DELETE /*\" at {}: no match\n\
         {gap}deny  \"objects/query/secrets\" of role \"reader\" at {}: no match\n\
         {gap}grant \"GET /never/*\" at {}: no match\n\
         {gap}grant \"* /api/*\" at {}: matches\n\
         {gap}    when `inNetwork(source, \"10.0.0.0/8\") && request.headers[\"x-change\"] == \"yes\"` does not hold\n\
         {gap}      source = 10.1.2.3\n\
         {gap}      request.headers[\"x-change\"] = no\n\
         {gap}grant \"objects/query/*\" of role \"reader\" at {}: no match\n",
        at("alice]"),
        place(&question, "[[route]]\npath = \"/\"\n"),
        at("\"* /api/*\""),
        at("\"DELETE /*\""),
        at("\"objects/query/secrets\""),
        at("\"GET /never/*\""),
        at("\"* /api/*\""),
        at("\"objects/query/*\""),
        gap = " ".repeat(13),
    );
    assert_eq!(golden(&question, &who), (1, expected));
    let allowed = [&who[..5], &["X-Change: yes"], &who[6..]].concat();
    assert_eq!(question.ask(&allowed).decision(), "200");
}

#[test]
fn at_another_time_other_things_hold() {
    let question = question();
    let ask = |time: &str, method: &str| {
        let who = [
            "--cn",
            "alice",
            "--source",
            "10.1.2.3",
            "--header",
            "x-change: yes",
            "--at",
            time,
            method,
            "/api/x",
        ];
        question.ask(&who)
    };
    assert_eq!(ask("2029-12-31T00:00:00Z", "DELETE").decision(), "200");
    assert_eq!(
        ask("2030-06-01T00:00:00+02:00", "DELETE").decision(),
        "403 denied"
    );
    assert_eq!(ask("2030-06-01T00:00:00Z", "GET").decision(), "200");
    assert_eq!(
        ask("2099-01-01T00:00:00Z", "GET").decision(),
        "403 user_disabled"
    );
    // A certificate is judged as of then, too.
    let certificate = question
        .pki
        .client("trial")
        .certificate_file
        .to_str()
        .unwrap()
        .to_owned();
    let shown = |time: &str| question.ask(&["--cert", &certificate, "--at", time, "GET", "/api/x"]);
    assert!(
        shown("2098-01-01T00:00:00Z")
            .output
            .starts_with("decision:    refuse (TLS alert certificate_expired: expired)")
    );
    assert_eq!(
        question
            .ask(&["--cert", &certificate, "GET", "/api/x"])
            .code,
        0
    );
    for bad in ["yesterday", "1969-01-01T00:00:00Z", "2030-01-01"] {
        let answer = ask(bad, "GET");
        assert!(
            answer.code == 2 && answer.errors.contains("is no time"),
            "{bad}: {}",
            answer.errors
        );
    }
}

#[test]
fn shadow_mode_is_permitted_and_marked() {
    let question = question();
    let trial = question.ask(&["--cn", "trial", "GET", "/api/x"]);
    assert_eq!(
        (trial.code, trial.value("decision")),
        (0, "permit, marked shadow (no_permission)")
    );
    let at = question.place("\"GET /api/*\"");
    let expected = format!(
        "a permission is on trial; without it the request would be refused: no_permission, \"GET /api/*\" at {at}"
    );
    assert_eq!(trial.value("shadow"), expected);
    let lenient = question.ask(&["--cn", "lenient", "DELETE", "/x"]);
    assert_eq!(
        (lenient.code, lenient.value("decision")),
        (0, "permit, marked shadow (no_permission)")
    );
    let expected =
        "`shadow = true` of the api_user; without it the request would be refused: no_permission";
    assert_eq!(lenient.value("shadow"), expected);
    assert_eq!(
        question
            .ask(&["--cn", "trial", "POST", "/api/x"])
            .decision(),
        "403 no_permission"
    );
}

#[test]
fn roles_within_roles_and_conditions_of_routes_are_looked_at() {
    let question = question();
    let query = |method: &str, what: &str| {
        question.ask(&["--cn", "alice", method, &format!("/v1/objects/{what}")])
    };
    let hosts = query("GET", "hosts");
    assert_eq!(hosts.decision(), "200");
    assert_eq!(hosts.value("required by"), "the route's `requirement`");
    assert_eq!(
        hosts.value("condition"),
        "`request.method != \"PUT\"` holds"
    );
    let of_role = format!(
        "\"objects/query/*\" of role \"reader\" at {}",
        question.place("\"objects/query/*\"")
    );
    assert_eq!(hosts.value("permission"), of_role);
    assert_eq!(query("GET", "secrets").decision(), "403 denied");
    let put = query("PUT", "hosts");
    assert_eq!(put.decision(), "403 condition_not_met");
    assert!(!put.has("tried"), "nobody looked further: {}", put.output);
}

#[test]
fn a_condition_on_a_missing_certificate_reports_that_it_needs_one() {
    let question = question();
    let unsure = question.ask(&["--cn", "holder", "GET", "/x"]);
    assert_eq!(unsure.code, 1);
    assert!(
        unsure.value("certificate").contains("ask with --cert"),
        "{}",
        unsure.output
    );
    let certificate = question
        .pki
        .client("holder")
        .certificate_file
        .to_str()
        .unwrap()
        .to_owned();
    let sure = question.ask(&["--cert", &certificate, "GET", "/x"]);
    assert_eq!(sure.decision(), "200");
    assert!(
        !sure.output.contains("ask with --cert") && sure.output.contains("certificate.cn = holder"),
        "{}",
        sure.output
    );
}

#[test]
fn a_body_that_is_too_long_is_rejected_as_the_gateway_would() {
    let question = question();
    let file = question.pki.path("body");
    std::fs::write(&file, "12345").unwrap();
    let from_file = format!("@{}", file.display());
    for (body, decision) in [
        ("1234", "200"),
        ("12345", "413 body_too_large"),
        (&from_file, "413 body_too_large"),
    ] {
        let answer = question.ask(&["--cn", "alice", "--body", body, "POST", "/small"]);
        assert_eq!(answer.decision(), decision, "{body}");
        assert!(
            answer.value("body").ends_with("of which it may have 4"),
            "{}",
            answer.output
        );
    }
    assert_eq!(
        question
            .ask(&["--body", "@/does/not/exist", "POST", "/small"])
            .code,
        2
    );
}

#[test]
fn json_says_the_same_in_words_that_stay() {
    let question = question();
    let answer = question.ask(&[
        "--json", "--cn", "alice", "--source", "10.1.2.3", "POST", "/api/x",
    ]);
    assert_eq!(answer.code, 1);
    let said: Value = serde_json::from_str(&answer.output).unwrap();
    for (pointer, expected) in [
        ("/about", "request"),
        ("/decision", "refuse"),
        ("/reason", "condition_failed"),
        ("/request/listener", "main"),
        ("/request/host", "localhost"),
        ("/request/source", "10.1.2.3"),
        ("/client/trust_domain", "test"),
        ("/client/user/name", "alice"),
        ("/client/user/credential", "certificate"),
        ("/client/user/identified_by", "cn"),
        ("/client/user/roles/1", "reader"),
        ("/client/user/enabled_until", "2098-12-31T23:59:59Z"),
        ("/route/name", "/"),
        ("/route/upstream", "api"),
        ("/requirement/text", "POST /api/x"),
        ("/permission/text", "* /api/*"),
        ("/permission/effect", "grant"),
        ("/tried/0/permission/effect", "deny"),
        ("/tried/0/condition/outcome", "not_asked"),
        ("/tried/3/condition/outcome", "failed"),
        ("/tried/3/condition/values/0/name", "source"),
        ("/tried/3/condition/values/0/value", "10.1.2.3"),
    ] {
        assert_eq!(
            said.pointer(pointer).and_then(Value::as_str),
            Some(expected),
            "{pointer} of {said:#}"
        );
    }
    assert_eq!(said["status"], 403);
    assert_eq!(said["generation"], Value::Null);
    assert_eq!(said["tried"][0]["matches"], false);
    assert_eq!(said["shadow"], Value::Null);
}

#[test]
fn what_would_be_no_request_is_no_question() {
    let question = question();
    for (arguments, expected) in [
        (vec!["--header", "Host: x", "GET", "/"], "no field says it"),
        (vec!["--header", "no colon", "GET", "/"], "write it as"),
        (vec!["--header", "a b: c", "GET", "/"], "is no header field"),
        (
            vec!["--header", "a: b\nc: d", "GET", "/"],
            "is no header field",
        ),
        (vec!["--source", "here", "GET", "/"], "invalid value"),
        (vec!["G ET", "/"], "is no method"),
        (
            vec!["--user", "alise", "GET", "/"],
            "did you mean \"alice\"?",
        ),
    ] {
        let answer = question.ask(&arguments);
        assert!(
            answer.code == 2 && answer.errors.contains(expected),
            "{arguments:?}: {}",
            answer.errors
        );
    }
}
