//! O and OU of a verified certificate bring roles to an ApiUser, and make nobody one.

use super::{Scene, certificate, dns, organized, user};
use crate::support::gateway::{named_listener, process, route_to, trust_domain};
use crate::support::pki::Identity;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use rcgen::string::BmpString;
use rcgen::{DnType, DnValue};

const ROLES: &str = "[role.operators]\nclient_ou = [\"Operations\", \"Night shift\"]\npermissions = [\"GET /operate\"]\n\
    [role.guests]\nclient_o = \"Guests\"\ndeny = [\"GET /inner*\"]\n\
    [role.plain]\npermissions = [\"GET /plain\"]\n\
    [[route]]\npath = \"/v1\"\nrespond = \"whoami\"\n";

fn scene() -> Scene {
    Scene::new(&(user("alice", "client_cn = \"alice\"").replace("GET /*", "GET /inner*") + ROLES))
}

fn ou(name: &str) -> (DnType, DnValue) {
    (DnType::OrganizationalUnitName, name.into())
}

fn second_ou(name: &str) -> (DnType, DnValue) {
    (DnType::CustomDnType(vec![2, 5, 4, 11]), name.into())
}

fn o(name: &str) -> (DnType, DnValue) {
    (DnType::OrganizationName, name.into())
}

fn asked(scene: &Scene, identity: &Identity, path: &str) -> (u16, String) {
    let answer = Client::new(&scene.pki, Some(identity), scene.gateway.address()).get(path);
    (
        answer.status,
        if answer.status == 200 {
            String::new()
        } else {
            answer.reason()
        },
    )
}

fn yes() -> (u16, String) {
    (200, String::new())
}

fn no(reason: &str) -> (u16, String) {
    (403, reason.to_owned())
}

#[test]
fn an_organizational_unit_brings_its_role_and_no_other() {
    let scene = scene();
    for (parts, operates) in [
        (vec![ou("Operations")], yes()),
        (vec![ou("Night shift")], yes()),
        (vec![ou("Sales"), second_ou("Operations")], yes()),
        (vec![ou("Sales")], no("no_permission")),
        (vec![ou("operations")], no("no_permission")),
        (vec![o("Operations")], no("no_permission")),
        (vec![ou("plain")], no("no_permission")),
        (vec![], no("no_permission")),
    ] {
        let identity = certificate(&scene.pki, organized("alice", &parts), &[]);
        assert_eq!(asked(&scene, &identity, "/operate"), operates, "{parts:?}");
        assert_eq!(asked(&scene, &identity, "/inner"), yes(), "{parts:?}");
        assert_eq!(
            asked(&scene, &identity, "/plain"),
            no("no_permission"),
            "{parts:?}"
        );
    }
}

#[test]
fn what_a_brought_role_denies_is_denied() {
    let scene = scene();
    let guest = certificate(
        &scene.pki,
        organized("alice", &[o("Guests"), ou("Operations")]),
        &[],
    );
    assert_eq!(asked(&scene, &guest, "/inner"), no("denied"));
    assert_eq!(asked(&scene, &guest, "/operate"), yes());
    let other = certificate(&scene.pki, organized("alice", &[o("Hosts")]), &[]);
    assert_eq!(asked(&scene, &other, "/inner"), yes());
}

#[test]
fn an_organization_identifies_no_api_user() {
    let scene = scene();
    let stranger = certificate(&scene.pki, organized("mallory", &[ou("Operations")]), &[]);
    assert_eq!(asked(&scene, &stranger, "/operate"), no("unknown_user"));
}

#[test]
fn where_roles_depend_on_it_an_organization_must_be_readable() {
    let bmp = (
        DnType::OrganizationName,
        DnValue::BmpString(BmpString::try_from("Guests").unwrap()),
    );
    for odd in [bmp, o(""), o("Guests\0"), o("Gu\nests")] {
        let scene = scene();
        let identity = certificate(
            &scene.pki,
            organized("alice", std::slice::from_ref(&odd)),
            &[],
        );
        assert_eq!(
            asked(&scene, &identity, "/inner"),
            no("unusable_name"),
            "{odd:?}"
        );
        // Where none do, it is of no interest.
        let plain = Scene::new(&user("alice", "client_cn = \"alice\""));
        let identity = certificate(&plain.pki, organized("alice", &[odd]), &[]);
        assert_eq!(asked(&plain, &identity, "/inner"), yes());
    }
}

#[test]
fn a_role_comes_from_its_own_domain_only() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let alice = |domain: &str| {
        format!(
            "[api_user.of-{domain}]\nclient_dns = \"alice.example.org\"\ntrust_domain = \"{domain}\"\n"
        )
    };
    let config = named_listener("main", &staff, "trust_domains = [\"staff\", \"partners\"]")
        + &process()
        + &trust_domain("staff", &staff)
        + &trust_domain("partners", &partners)
        + &alice("staff")
        + &alice("partners")
        + "[role.operators]\nclient_ou = \"Operations\"\ntrust_domain = \"staff\"\npermissions = [\"*\"]\n"
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let asked = |pki: &Pki| {
        let identity = certificate(
            pki,
            organized("alice", &[ou("Operations")]),
            &[dns("alice.example.org")],
        );
        Client::new(&staff, Some(&identity), gateway.address())
            .get("/")
            .status
    };
    assert_eq!((asked(&staff), asked(&partners)), (200, 403));
}

#[test]
fn whoami_and_explain_show_roles_that_the_certificate_brings() {
    let scene = scene();
    let identity = certificate(
        &scene.pki,
        organized("alice", &[ou("Operations"), o("Guests")]),
        &[],
    );
    let answer = Client::new(&scene.pki, Some(&identity), scene.gateway.address()).get("/v1");
    let me = &serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["results"][0];
    assert_eq!(
        me["roles_of_certificate"],
        serde_json::json!(["guests", "operators"])
    );
    assert_eq!(
        me["permissions"],
        serde_json::json!(["GET /inner*", "GET /operate"])
    );
    assert_eq!(me["denied"], serde_json::json!(["GET /inner*"]));
    let file = scene.gateway.config_file.to_str().unwrap();
    let certificate = identity.certificate_file.to_str().unwrap();
    let (out, err, code) = run(
        PORTCULLIS,
        &[
            "explain",
            "-c",
            file,
            "--cert",
            certificate,
            "GET",
            "/operate",
        ],
    );
    assert_eq!(code, 0, "{err}{out}");
    assert!(
        out.contains("\"guests\", \"operators\" by its certificate"),
        "{out}"
    );
    assert!(
        out.contains("\"GET /operate\" of role \"operators\""),
        "{out}"
    );
}
