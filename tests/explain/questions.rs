//! Questions that cannot be answered, several listeners and domains, and the running gateway.

use super::*;

#[test]
fn a_question_that_cannot_be_answered_has_a_code_of_its_own() {
    let question = Question::new();
    let broken = Question::with(Pki::new(), "[listener.main]\nadress = \"x\"\n".to_owned());
    for (question, arguments, expected) in [
        (
            &question,
            vec!["--user", "mallory", "GET", "/"],
            "there is no api_user \"mallory\"",
        ),
        (
            &question,
            vec!["--user", "unprovable", "GET", "/"],
            "can never come in here",
        ),
        (
            &question,
            vec!["--cert", "/does/not/exist", "GET", "/"],
            "cannot read /does/not/exist",
        ),
        (
            &question,
            vec!["--listener", "other", "GET", "/"],
            "there is no listener \"other\"; there are: main",
        ),
        (
            &question,
            vec!["--cn", "alice", "GET", "ftp://localhost/"],
            "begins with https://",
        ),
        (
            &question,
            vec!["--cn", "alice", "GET", "https:///x"],
            "names no host",
        ),
        (
            &question,
            vec!["--cn", "a", "--user", "b", "GET", "/"],
            "cannot be used with",
        ),
        (
            &question,
            vec!["--cn", "alice", "GET"],
            "required arguments",
        ),
        (&broken, vec!["--cn", "alice", "GET", "/"], "adress"),
    ] {
        let answer = question.ask(&arguments);
        assert_eq!(
            (answer.code, answer.output.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(
            answer.errors.contains(expected),
            "{arguments:?}: {}",
            answer.errors
        );
    }
}

#[test]
fn where_there_are_several_listeners_one_must_be_named() {
    let (staff, partners) = (Pki::named("Staff CA"), Pki::named("Partners CA"));
    let one = |name: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = \"alice\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
        )
    };
    let config = named_listener("inner", &staff, "trust_domain = \"staff\"")
        + &named_listener("outer", &partners, "trust_domain = \"partners\"")
        + &named_listener("open", &partners, "client_auth = \"off\"")
        + &trust_domain("staff", &staff)
        + &trust_domain("partners", &partners)
        + &process()
        + &one("of-staff", "staff")
        + &one("of-partners", "partners")
        + &upstream_at("127.0.0.1:1")
        + "[[route]]\npath = \"/inner\"\nupstream = \"api\"\nlisteners = [\"inner\"]\n";
    let certificate = text(&staff.client("alice").certificate_file);
    let question = Question::with(staff, config);
    let answer = question.ask(&["--cn", "alice", "GET", "/inner"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer
            .errors
            .contains("--listener NAME (inner, open, outer)"),
        "{}",
        answer.errors
    );
    for (listener, who, value, decision, user) in [
        ("inner", "--cn", "alice", "200", "of-staff at"),
        ("outer", "--cn", "alice", "404 no_route", "of-partners at"),
        (
            "open",
            "--cn",
            "alice",
            "401 no_certificate",
            "none: no certificate",
        ),
        ("inner", "--user", "of-staff", "200", "of-staff at"),
        (
            "open",
            "--user",
            "of-staff",
            "401 no_certificate",
            "none: no certificate",
        ),
        ("inner", "--cert", &certificate, "200", "of-staff at"),
        (
            "outer",
            "--cert",
            &certificate,
            "TLS alert unknown_ca",
            "none: the certificate is refused",
        ),
    ] {
        let answer = question.ask(&["--listener", listener, who, value, "GET", "/inner"]);
        assert_eq!(answer.decision(), decision, "{listener} {who} {value}");
        assert!(answer.value("user").starts_with(user), "{}", answer.output);
    }
    // A user of one domain cannot be asked about where only the other's certificates count.
    let answer = question.ask(&["--listener", "outer", "--user", "of-staff", "GET", "/inner"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer
            .errors
            .contains("no `client_cn` or the like in trust domain \"partners\""),
        "{}",
        answer.errors
    );
}

#[test]
fn several_domains_of_a_host_and_deny_lists_are_seen_as_the_gateway_sees_them() {
    let (staff, partners) = (Pki::named("Staff CA"), Pki::named("Partners CA"));
    std::fs::write(
        staff.path("denied"),
        format!(
            "user of-staff\ncn mallory\nfingerprint {}\n",
            "AB:".repeat(31) + "AB"
        ),
    )
    .unwrap();
    let one = |name: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = \"alice\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
        )
    };
    let config = named_listener("both", &staff, "trust_domains = [\"staff\", \"partners\"]")
        + &named_listener("inner", &staff, "trust_domain = \"staff\"")
        + &trust_domain("staff", &staff)
        + &format!("deny_list = \"{}\"\n", text(&staff.path("denied")))
        + &trust_domain("partners", &partners)
        + &process()
        + &one("of-staff", "staff")
        + &one("of-partners", "partners")
        + &upstream_at("127.0.0.1:1")
        + "[[route]]\npath = \"/\"\nupstream = \"api\"\n";
    let [of_staff, of_partners] =
        [&staff, &partners].map(|pki| text(&pki.client("alice").certificate_file));
    let question = Question::with(staff, config);
    for (listener, who, value, decision) in [
        ("both", "--user", "of-partners", "200"),
        ("both", "--user", "of-staff", "403 revoked"),
        ("both", "--cert", &of_partners, "200"),
        ("both", "--cert", &of_staff, "403 revoked"),
        ("inner", "--cn", "alice", "403 revoked"),
        ("inner", "--cn", "mallory", "TLS alert certificate_revoked"),
        ("inner", "--cn", "bob", "403 unknown_user"),
        (
            "inner",
            "--fingerprint",
            &"ab".repeat(32),
            "TLS alert certificate_revoked",
        ),
        (
            "inner",
            "--fingerprint",
            &"ac".repeat(32),
            "403 unknown_user",
        ),
    ] {
        let answer = question.ask(&["--listener", listener, who, value, "GET", "/"]);
        assert_eq!(answer.decision(), decision, "{listener} {who} {value}");
    }
    let answer = question.ask(&["--listener", "both", "--cn", "alice", "GET", "/"]);
    assert_eq!(answer.code, 2);
    let hint = "\"staff\" or \"partners\"; use --trust-domain, --user or --cert";
    assert!(answer.errors.contains(hint), "{}", answer.errors);
    for (domain, decision) in [("partners", "200"), ("staff", "403 revoked")] {
        let asked = [
            "--listener",
            "both",
            "--trust-domain",
            domain,
            "--cn",
            "alice",
            "GET",
            "/",
        ];
        assert_eq!(question.ask(&asked).decision(), decision, "{domain}");
    }
    let answer = question.ask(&[
        "--listener",
        "inner",
        "--trust-domain",
        "partners",
        "--cn",
        "alice",
        "GET",
        "/",
    ]);
    assert!(
        answer.code == 2
            && answer
                .errors
                .contains("\"partners\" does not verify clients here"),
        "{}",
        answer.errors
    );
}

#[test]
fn the_running_gateway_decides_what_explain_says() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener_with(&pki, "") + &upstream_at(&upstream.address.to_string()) + POLICY;
    let gateway = Gateway::start(&config);
    let question = Question::with(pki, config);
    let requests = [
        ("GET", "/"),
        ("GET", "/api/x"),
        ("POST", "/api/x"),
        ("GET", "/api/secret"),
        ("GET", "/api/s%65cret"),
        ("GET", "/api/a%2Fb"),
        ("GET", "/api//x"),
        ("GET", "/API/x"),
        ("DELETE", "/x"),
        ("TRACE", "/x"),
        ("GET", "/v1/objects/hosts"),
        ("GET", "/v1/objects/HOSTS"),
        ("GET", "/v1/objects/services"),
        ("POST", "/v1/objects/hosts"),
        ("PUT", "/v1/objects/hosts"),
        ("GET", "/v1/objects"),
        ("GET", "/public"),
        ("DELETE", "/public/x"),
        ("GET", "/me"),
        ("POST", "/me"),
        ("GET", "/loose/a%2fb"),
        ("GET", "/loose/../api/x"),
        ("GET", "/loose/x/../y"),
        ("GET", "/%zz"),
    ];
    for name in ["alice", "bob", "nobody", "mallory"] {
        let client = Client::new(
            &question.pki,
            Some(&question.pki.client(name)),
            gateway.address(),
        );
        for (method, path) in requests {
            let answer = client
                .send(Version::Http1, request(method, path, ""))
                .unwrap();
            let real = match answer.status {
                200 => "200".to_owned(),
                status => format!("{status} {}", answer.reason()),
            };
            let explained = question.ask(&["--cn", name, method, path]);
            assert_eq!(explained.decision(), real, "{name} {method} {path}");
        }
    }
}
