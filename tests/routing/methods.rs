//! Overriding methods, and methods that are never forwarded.

use super::{Scene, api, route};
use crate::support::client::{BOTH, Version, body, reason, request, status};
use crate::support::gateway::{listener, user};
use crate::support::{Client, Gateway, Pki, Upstream};
use http::Request;

fn overriding(name: &str, values: &[&str]) -> Request<crate::support::client::RequestBody> {
    let mut request = request("POST", "/x", "body");
    for value in values {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

const NAMES: [&str; 7] = [
    "X-HTTP-Method-Override",
    "x_http_method_override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X.Method.Override",
    "X-HTTP-MethodOverride",
    "X_HttpMethodOverride",
];

#[test]
fn a_method_in_the_query_is_handled_as_one_in_a_field() {
    let open = route("/open", "client_auth = \"off\"");
    let scene =
        Scene::new(&(route("/", "") + &route("/judged", "method_override = \"judge\"") + &open));
    for version in BOTH {
        for target in [
            "/x?_method=DELETE",
            "/x?a=b&%5Fmethod=DELETE",
            "/x?.method=DELETE",
            "/judged?_method=nothing",
        ] {
            let answer = scene
                .alice()
                .send(version, request("POST", target, ""))
                .unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (400, "method_override"),
                "{target}"
            );
        }
        let judged = request("POST", "/judged?_method=delete", "");
        assert_eq!(scene.alice().send(version, judged).unwrap().status, 200);
        assert_eq!(
            scene.upstream.recorded().pop().unwrap().method,
            "DELETE",
            "what is judged is sent"
        );
        let mut twice = request("POST", "/judged?_method=delete", "");
        twice
            .headers_mut()
            .insert("x-http-method-override", "GET".parse().unwrap());
        assert_eq!(
            scene.alice().send(version, twice).unwrap().reason(),
            "method_override"
        );
        // Nobody asks for the method there; and these are other parameters.
        for target in [
            "/open?_method=DELETE",
            "/x?method=DELETE&the_method=a&_methods=b",
        ] {
            assert_eq!(
                scene
                    .alice()
                    .send(version, request("POST", target, ""))
                    .unwrap()
                    .status,
                200,
                "{target}"
            );
        }
    }
}

#[test]
fn an_overriding_method_is_rejected_by_default() {
    let scene = Scene::new(&route("/", ""));
    for version in BOTH {
        for name in NAMES {
            let answer = scene
                .alice()
                .send(version, overriding(name, &["GET"]))
                .unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (400, "method_override"),
                "{name}"
            );
        }
        let answer = scene
            .alice()
            .send(version, overriding("x-method", &["GET"]))
            .unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(scene.upstream.recorded().len(), 2);
}

#[test]
fn with_judge_the_overriding_method_is_decided_on_and_forwarded() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki)
        + &user("reader", &["GET /*"])
        + &user("writer", &["POST /*"])
        + &api(&upstream)
        + &route("/", "method_override = \"judge\"");
    let gateway = Gateway::start(&config);
    let client = |name: &str| Client::new(&pki, Some(&pki.client(name)), gateway.address());
    for version in BOTH {
        for name in NAMES {
            let answer = client("reader")
                .send(version, overriding(name, &["GET"]))
                .unwrap();
            assert_eq!(answer.status, 200, "{name} {version:?}");
            let up = upstream.recorded().pop().unwrap();
            assert_eq!((up.method.as_str(), &up.body[..]), ("GET", &b"body"[..]));
            assert_eq!(up.values(name), [""; 0], "nobody may apply it again");
            let id = answer.header("x-request-id").unwrap().to_owned();
            let line = gateway.wait_for_access(|line| line["id"] == id.as_str());
            assert_eq!(
                (&line["method"], &line["requirement"]),
                (&"GET".into(), &"GET /x".into())
            );

            let answer = client("writer")
                .send(version, overriding(name, &["GET"]))
                .unwrap();
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (403, "no_permission"),
                "{name} {version:?}"
            );
        }
        assert_eq!(
            client("writer")
                .send(version, request("POST", "/x", ""))
                .unwrap()
                .status,
            200
        );
        assert_eq!(upstream.recorded().pop().unwrap().method, "POST");
    }
}

#[test]
fn with_judge_only_one_known_overriding_method_is_accepted() {
    let scene = Scene::new(&route("/", "method_override = \"judge\""));
    for values in [
        &["get"][..],
        &["Get"],
        &[""],
        &["GET, DELETE"],
        &["GET", "GET"],
        &["GET", "DELETE"],
        &["TRACE"],
        &["CONNECT"],
        &["OPTIONS"],
        &["PURGE"],
        &["GET\u{a0}"],
    ] {
        let request = overriding("x-http-method-override", values);
        let answer = scene.alice().send(Version::Http1, request).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "method_override"),
            "{values:?}"
        );
    }
    let mut two = overriding("x-http-method-override", &["GET"]);
    two.headers_mut()
        .insert("x-http-method", "GET".parse().unwrap());
    let answer = scene.alice().send(Version::Http1, two).unwrap();
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "method_override"),
        "two names"
    );
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let request = overriding("x-http-method-override", &[method]);
        assert_eq!(
            scene.alice().send(Version::Http1, request).unwrap().status,
            200,
            "{method}"
        );
        assert_eq!(scene.upstream.recorded().pop().unwrap().method, method);
    }
}

#[test]
fn connect_and_trace_are_never_forwarded() {
    let scene = Scene::new(&route("/", "method_override = \"judge\""));
    for request in [
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n",
        "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n",
        "CONNECT other.test:22 HTTP/1.1\r\nHost: other.test:22\r\n",
        "trace / HTTP/1.1\r\nHost: localhost\r\n",
        "Connect / HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let answer = scene
            .alice()
            .exchange(format!("{request}Connection: close\r\n\r\n").as_bytes());
        assert_eq!(
            (status(&answer), reason(&answer).as_str()),
            (400, "method_not_forwarded"),
            "{request}"
        );
    }
    let trace = request("TRACE", "/", "");
    let answer = scene.alice().send(Version::Http2, trace).unwrap();
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "method_not_forwarded")
    );
    let connect = Request::connect("localhost:443").body(body("")).unwrap();
    let answer = scene.alice().send(Version::Http2, connect).unwrap();
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "method_not_forwarded")
    );
    assert!(scene.upstream.recorded().is_empty());
    assert_eq!(scene.outcome("/"), "GET /");
}

#[test]
fn methods_with_lower_case_letters_are_rejected_unless_the_route_names_them() {
    let named = "requirement = { GET = \"read\", \"Purge-All\" = \"purge\" }";
    let scene = Scene::on("", &(route("/", "") + &route("/named", named)));
    for (method, path, wanted) in [
        ("get", "/", "400 lower_case_method"),
        ("Get", "/", "400 lower_case_method"),
        ("helloGET", "/", "400 lower_case_method"),
        ("POSt", "/", "400 lower_case_method"),
        ("get", "/named", "400 lower_case_method"),
        ("Purge-All", "/", "400 lower_case_method"),
        ("purge-all", "/named", "400 lower_case_method"),
        ("Purge-All", "/named", "Purge-All /named"),
        ("PURGE", "/", "PURGE /"),
        ("M-SEARCH", "/", "M-SEARCH /"),
        ("GET", "/named", "GET /named"),
    ] {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(scene.outcome_of(head.as_bytes()), wanted, "{method} {path}");
        let before = scene.upstream.recorded().len();
        let answer = scene
            .alice()
            .send(Version::Http2, request(method, path, ""))
            .unwrap();
        let up = scene.upstream.recorded().split_off(before);
        let outcome = match up.as_slice() {
            [only] => format!("{} {}", only.method, only.target),
            _ => format!("{} {}", answer.status, answer.reason()),
        };
        assert_eq!(outcome, wanted, "{method} {path} over HTTP/2");
    }
}

#[test]
fn what_is_left_before_a_pipelined_request_makes_no_method_of_it() {
    let scene = Scene::on("", &route("/", ""));
    let answer = scene.alice().exchange(
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n\
          GET /c HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    assert!(answer.contains("lower_case_method"), "{answer}");
    let targets: Vec<String> = scene
        .upstream
        .recorded()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(targets, ["/a"], "the connection ended behind it");
}
