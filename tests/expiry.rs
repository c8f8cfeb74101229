//! Certificates whose end is near: a histogram and a list for those who renew them, a warning once a day, and a field
//! of answers for the clients themselves.

mod ends;

use crate::support::client::{Version, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::pki::{Identity, Kind};
use crate::support::upstream::full;
use crate::support::{Client, Gateway, Pki, Upstream, eventually, eventually_is};
use http::Response;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

const DAY: i64 = 24 * 3600;
const REMAINING: &str = "portcullis_client_certificate_remaining_seconds";
const SOON: &str = "a client certificate expires soon";
const FIELD: &str = "client-cert-expires";
const FIELD_IS_ON: &str = "[expiry]\nresponse_header = \"Client-Cert-Expires\"\n";

#[test]
fn what_certificates_have_left_is_counted_once_for_each_handshake() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream));
    let soon = pki.of_kind("alice", Kind::ExpiresIn(5 * DAY));
    let client = Client::new(&pki, Some(&soon), gateway.address());
    let mut connection = client.connect(Version::Http1).unwrap();
    for _ in 0..3 {
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
    }
    assert_eq!(
        Client::new(&pki, Some(&pki.client("bob")), gateway.address())
            .get("/")
            .status,
        200
    );
    let counted =
        |end: &str, labels: &[(&str, &str)]| gateway.metric(&format!("{REMAINING}{end}"), labels);
    let domain = ("trust_domain", "test");
    eventually_is("clients", &2.0, || counted("_count", &[domain]));
    for (bucket, count) in [
        (0, 0.0),
        (DAY, 0.0),
        (7 * DAY, 1.0),
        (180 * DAY, 1.0),
        (365 * DAY, 2.0),
    ] {
        assert_eq!(
            counted("_bucket", &[domain, ("le", &bucket.to_string())]),
            count,
            "{bucket}"
        );
    }
    let sum = counted("_sum", &[domain]);
    let expected = (305 * DAY) as f64;
    assert!(sum <= expected && sum > expected - 3600.0, "{sum}");
}

#[test]
fn a_handshake_is_counted_without_a_request_and_a_failed_one_is_not() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream));
    let expired = pki.of_kind("alice", Kind::Expired);
    assert!(
        Client::new(&pki, Some(&expired), gateway.address())
            .send(Version::Http1, get("/"))
            .is_err()
    );
    let client = Client::new(&pki, Some(&pki.client("bob")), gateway.address());
    let _open = client.connect(Version::Http1).unwrap();
    let count = || gateway.metric(&format!("{REMAINING}_count"), &[]);
    eventually("the handshake is counted", || (count() > 0.0).then_some(()));
    assert_eq!(count(), 1.0);
    eventually("it is listed", || {
        (listed(&gateway, "").len() == 1).then_some(())
    });
}

#[test]
fn the_certificates_that_expire_first_are_listed() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream));
    let alice = pki.of_kind("alice", Kind::ExpiresIn(5 * DAY));
    let stranger = pki.of_kind("stranger", Kind::ExpiresIn(40 * DAY));
    let bob = pki.client("bob");
    for (identity, status) in [(&bob, 200), (&stranger, 403), (&alice, 200), (&bob, 200)] {
        assert_eq!(
            Client::new(&pki, Some(identity), gateway.address())
                .get("/")
                .status,
            status
        );
    }
    let all = eventually("three certificates are listed", || {
        Some(listed(&gateway, "")).filter(|listed| listed.len() == 3)
    });
    let names: Vec<_> = all.iter().map(|one| one["cn"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "stranger", "bob"]);
    assert_eq!(
        (all[0]["user"].as_str(), all[1]["user"].as_str()),
        (Some("alice"), None),
        "a stranger is no user"
    );
    let first = &all[0];
    assert_eq!(
        (&first["subject"], &first["trust_domain"]),
        (&"CN=alice".into(), &"test".into())
    );
    assert_eq!(first["fingerprint"], fingerprint(&alice));
    assert_eq!(first["replaced_by"], Value::Null);
    let remaining = first["remaining_seconds"].as_i64().unwrap();
    assert!(
        remaining <= 5 * DAY && remaining > 5 * DAY - 3600,
        "{first}"
    );
    for key in ["serial", "not_after", "last_seen"] {
        assert!(
            first[key].as_str().is_some_and(|text| !text.is_empty()),
            "{key}: {first}"
        );
    }
    let one = listed(&gateway, "?limit=1");
    assert_eq!(
        (one.len(), &one[0]["fingerprint"]),
        (1, &first["fingerprint"])
    );
    for wrong in ["?limit=0", "?limit=1001", "?limit=all", "?count=1"] {
        let (status, body) = gateway.admin(&format!("/expiring{wrong}"));
        assert!(status == 400 && body.contains("limit=N"), "{wrong}: {body}");
    }
}

#[test]
fn a_certificate_that_a_newer_one_has_replaced_says_so_until_it_is_seen_again() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream));
    let old = pki.of_kind("alice", Kind::ExpiresIn(5 * DAY));
    let new = pki.client("alice");
    let show = |identity: &Identity| {
        assert_eq!(
            Client::new(&pki, Some(identity), gateway.address())
                .get("/")
                .status,
            200
        );
    };
    let replaced_by = |identity: &Identity| {
        let mut all = listed(&gateway, "").into_iter();
        all.find(|one| one["fingerprint"] == fingerprint(identity))
            .map(|one| one["replaced_by"].clone())
    };
    show(&old);
    eventually("it is listed", || {
        (replaced_by(&old) == Some(Value::Null)).then_some(())
    });
    show(&new);
    eventually("it is replaced", || {
        (replaced_by(&old) == Some(fingerprint(&new).into())).then_some(())
    });
    assert_eq!(replaced_by(&new), Some(Value::Null));
    show(&old);
    eventually("it is in use", || {
        (replaced_by(&old) == Some(Value::Null)).then_some(())
    });
}

#[test]
fn the_log_warns_once_for_each_user() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = config(&pki, &upstream);
    let gateway = Gateway::start(&config);
    let warnings = |user: &str| {
        let log = gateway.log().into_iter();
        log.filter(|line| line["message"] == SOON && line["user"] == user)
            .collect::<Vec<_>>()
    };
    let show = |identity: &Identity| {
        assert_eq!(
            Client::new(&pki, Some(identity), gateway.address())
                .get("/")
                .status,
            200
        );
    };
    let alice = pki.of_kind("alice", Kind::ExpiresIn(5 * DAY + 3600));
    (0..3).for_each(|_| show(&alice));
    show(&pki.client("bob"));
    show(&pki.of_kind("bob", Kind::ExpiresIn(29 * DAY)));
    // They are told one after another, so that all of alice's came before.
    let bobs = eventually("a warning", || {
        Some(warnings("bob")).filter(|lines| !lines.is_empty())
    });
    assert_eq!(
        (bobs.len(), warnings("alice").len()),
        (1, 1),
        "and none for a certificate that has time"
    );
    let line = &warnings("alice")[0];
    assert_eq!(
        (line["level"].as_str(), line["days"].as_i64()),
        (Some("WARN"), Some(5)),
        "{line}"
    );
    assert_eq!(line["fingerprint"], fingerprint(&alice));
    gateway.reload_with(&(config + "[expiry]\nwarn_before = \"off\"\n"));
    show(&pki.of_kind("carol", Kind::ExpiresIn(5 * DAY)));
    eventually("carol is listed", || {
        listed(&gateway, "")
            .into_iter()
            .find(|one| one["user"] == "carol")
    });
    let is_carols = |line: &Value| line["message"] == SOON && line["user"] == "carol";
    assert!(!gateway.settled_log().iter().any(is_carols), "it is off");
}

#[test]
fn a_response_announces_that_the_client_certificate_expires_soon() {
    let (pki, upstream) = (Pki::new(), boasting_upstream());
    let gateway = Gateway::start(&(config(&pki, &upstream) + FIELD_IS_ON));
    let soon = pki.of_kind("alice", Kind::ExpiresIn(5 * DAY));
    let bob = pki.client("bob");
    for version in [Version::Http1, Version::Http2] {
        let fields_of = |identity: &Identity| {
            let client = Client::new(&pki, Some(identity), gateway.address());
            let mut connection = client.connect(version).unwrap();
            // The second answer of a connection, too.
            connection.send(get("/")).unwrap();
            fields(&connection.send(get("/")).unwrap())
        };
        assert_eq!(fields_of(&soon), [http_date(&soon)], "{version:?}");
        assert_eq!(
            fields_of(&bob),
            Vec::<String>::new(),
            "{version:?}: it has time"
        );
    }
}

#[test]
fn without_the_setting_the_field_is_the_upstreams() {
    let (pki, upstream) = (Pki::new(), boasting_upstream());
    let config = config(&pki, &upstream);
    let gateway = Gateway::start(&config);
    let soon = pki.of_kind("alice", Kind::ExpiresIn(5 * DAY));
    let client = Client::new(&pki, Some(&soon), gateway.address());
    for version in [Version::Http1, Version::Http2] {
        let mut connection = client.connect(version).unwrap();
        assert_eq!(
            fields(&connection.send(get("/")).unwrap()),
            ["never", "never"]
        );
    }
    // An open connection follows a reload.
    let mut connection = client.connect(Version::Http1).unwrap();
    assert_eq!(connection.send(get("/")).unwrap().status, 200);
    gateway.reload_with(&(config + FIELD_IS_ON));
    assert_eq!(
        fields(&connection.send(get("/")).unwrap()),
        [http_date(&soon)]
    );
}

#[test]
fn the_end_comes_near_on_an_open_connection() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let setting = FIELD_IS_ON.to_owned() + "warn_before = \"1h\"\n";
    let gateway = Gateway::start(&(config(&pki, &upstream) + &setting));
    let soon = pki.of_kind("alice", Kind::ExpiresIn(3600 + 2));
    let client = Client::new(&pki, Some(&soon), gateway.address());
    let mut connection = client.connect(Version::Http1).unwrap();
    let told = eventually("the client is told", || {
        fields(&connection.send(get("/")).unwrap()).pop()
    });
    assert_eq!(told, http_date(&soon));
    eventually("the log warns", || gateway.find_log(SOON));
}

fn config(pki: &Pki, upstream: &Upstream) -> String {
    listener(pki) + &users() + &route_to(upstream.address)
}

fn users() -> String {
    ["alice", "bob", "carol"]
        .iter()
        .map(|name| user(name, &["*"]))
        .collect()
}

/// Says something about certificates that it cannot know.
fn boasting_upstream() -> Upstream {
    Upstream::answering(|_| {
        let answer = Response::builder()
            .header("Client-Cert-Expires", "never")
            .header("client_cert_expires", "never");
        answer.body(full("hello")).unwrap()
    })
}

/// The values of the field, in whatever spelling.
fn fields(answer: &crate::support::client::Answer) -> Vec<String> {
    assert_eq!(answer.status, 200);
    let named = answer
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().replace('_', "-") == FIELD);
    named
        .map(|(_, value)| value.to_str().unwrap().to_owned())
        .collect()
}

/// What `/expiring` lists.
fn listed(gateway: &Gateway, query: &str) -> Vec<Value> {
    let (status, body) = gateway.admin(&format!("/expiring{query}"));
    assert_eq!(status, 200, "{body}");
    let listing: Value = serde_json::from_str(&body).unwrap();
    listing["certificates"].as_array().unwrap().clone()
}

fn der(certificate: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
}

fn fingerprint(identity: &Identity) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der(&identity.certificate));
    digest
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

fn not_after(certificate: &str) -> i64 {
    let der = der(certificate);
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    certificate.validity().not_after.timestamp()
}

fn http_date(identity: &Identity) -> String {
    let seconds = u64::try_from(not_after(&identity.certificate)).unwrap();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}
