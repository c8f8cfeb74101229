//! Names that are nobody's: where one CA signs cluster nodes and ApiUsers, a node is never an ApiUser.

use super::{
    Scene, certificate, dns, email, fingerprint, hexadecimal, is, judge, refused, uri, user,
};
use crate::support::gateway::{named_listener, process, route_to, trust_domain};
use crate::support::pki::subject;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use rcgen::string::{BmpString, TeletexString};
use rcgen::{DnValue, SanType};

/// With the CA of `pki`, reserving names in its domain.
fn reserving(pki: Pki, users: &str) -> Scene {
    let upstream = Upstream::start();
    let config = named_listener("main", &pki, "")
        + &process()
        + &trust_domain("test", &pki)
        + "reserved_names = [\"icinga-master*\", \"satellite-?\", \"*.nodes.example.org\", \"spiffe://example.org/node/*\"]\n"
        + users
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    Scene {
        pki,
        upstream,
        gateway,
    }
}

/// Common names and other names, of which one is reserved.
fn nodes() -> [(Vec<DnValue>, Vec<SanType>); 12] {
    let bmp = DnValue::BmpString(BmpString::try_from("icinga-master-1").unwrap());
    let teletex = DnValue::TeletexString(TeletexString::try_from("icinga-master-1").unwrap());
    [
        (vec!["ICINGA-Master-2".into()], vec![]),
        (vec!["icinga-master".into()], vec![dns("alice.example.org")]),
        (vec!["satellite-1".into()], vec![dns("alice.example.org")]),
        (vec!["alice".into()], vec![dns("A.nodes.example.org")]),
        (vec!["alice".into()], vec![dns("*.nodes.example.org")]),
        (
            vec!["alice".into()],
            vec![dns("a.nodes.example.org"), dns("bad..name")],
        ),
        (
            vec!["alice".into()],
            vec![uri("spiffe://example.org/node/7")],
        ),
        (
            vec!["alice".into()],
            vec![uri("spiffe://example.org/node/7"), uri("urn:x")],
        ),
        (
            vec!["alice".into()],
            vec![email("icinga-master@example.org")],
        ),
        (
            vec!["alice".into(), "icinga-master-1".into()],
            vec![dns("alice.example.org")],
        ),
        (vec![bmp], vec![dns("alice.example.org")]),
        (vec![teletex], vec![dns("alice.example.org")]),
    ]
}

#[test]
fn a_node_of_the_cluster_is_never_an_api_user() {
    let pki = Pki::new();
    let node = pki.client("icinga-master-1");
    let users = user(
        "alice",
        "client_cn = \"alice\"\nclient_dns = \"alice.example.org\"",
    ) + &user(
        "pinned",
        &format!(
            "client_fingerprint = \"{}\"",
            hexadecimal(&fingerprint(&node), "")
        ),
    );
    let scene = reserving(pki, &users);
    // Also not by its fingerprint.
    assert_eq!(scene.judge(&node), refused("reserved_name"));
    for (common_names, names) in nodes() {
        let verdict = scene.judge_names(&common_names, &names);
        assert_eq!(
            verdict,
            refused("reserved_name"),
            "{common_names:?} {names:?}"
        );
    }
    assert!(scene.upstream.recorded().is_empty());
    let line = scene
        .gateway
        .wait_for_access(|line| line["reason"] == "reserved_name");
    assert!(
        line["detail"].as_str().unwrap().contains("icinga-master-1"),
        "{line}"
    );
    // The twins.
    assert_eq!(scene.judge_names(&["alice".into()], &[]), is("alice"));
    assert_eq!(
        scene.judge_names(&["alice".into()], &[dns("nodes.example.org")]),
        is("alice")
    );
    assert_eq!(
        scene.judge_names(&["alice".into()], &[uri("spiffe://example.org/agent")]),
        is("alice")
    );
    assert_eq!(
        scene.judge_names(&["satellite-12".into()], &[dns("alice.example.org")]),
        is("alice")
    );
    assert_eq!(
        scene.judge_names(&["my-icinga-master".into()], &[]),
        refused("unknown_user")
    );
}

#[test]
fn a_name_is_reserved_in_its_own_domain_only() {
    let (cluster, staff, upstream) = (Pki::new(), Pki::named("Staff CA"), Upstream::start());
    let config = named_listener("main", &cluster, "trust_domains = [\"cluster\", \"staff\"]")
        + &process()
        + &trust_domain("cluster", &cluster)
        + "reserved_names = \"master\"\n"
        + &trust_domain("staff", &staff)
        + &user(
            "master-of-staff",
            "client_cn = \"master\"\ntrust_domain = \"staff\"",
        )
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let judged = |pki: &Pki| {
        let identity = certificate(pki, subject(&["master".into()]), &[]);
        judge(
            &Client::new(&cluster, Some(&identity), gateway.address()),
            &upstream,
        )
    };
    assert_eq!(judged(&staff), is("master-of-staff"));
    assert_eq!(judged(&cluster), refused("reserved_name"));
}

#[test]
fn explain_says_that_a_name_is_reserved() {
    let scene = reserving(Pki::new(), &user("alice", "client_cn = \"alice\""));
    let node = scene.pki.client("satellite-1");
    let file = scene.gateway.config_file.to_str().unwrap();
    for arguments in [
        ["--cn", "icinga-master-1"],
        ["--cert", node.certificate_file.to_str().unwrap()],
    ] {
        let (out, err, code) = run(
            PORTCULLIS,
            &[&["explain", "-c", file][..], &arguments, &["GET", "/"]].concat(),
        );
        assert_eq!(code, 1, "{err}");
        assert!(
            out.contains("403 reserved_name") && out.contains("is reserved in its trust domain"),
            "{out}"
        );
    }
}
