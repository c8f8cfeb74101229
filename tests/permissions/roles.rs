//! Roles within roles: what they add up to, also where a certificate brings them.

use super::{DENIED, NO_PERMISSION, Scene, user_with};

#[test]
fn a_role_has_what_its_roles_have() {
    let roles = "[role.reader]\npermissions = [\"GET /docs/*\"]\n\
        [role.writer]\nroles = [\"reader\"]\npermissions = [\"PUT /docs/*\"]\n\
        [role.admin]\nroles = [\"writer\", \"reader\"]\npermissions = [\"DELETE /docs/*\"]\ndeny = [\"* /docs/kept/*\"]\n";
    let users = user_with("alice", "roles = [\"reader\"]")
        + &user_with("bob", "roles = [\"writer\"]")
        + &user_with("carol", "roles = [\"admin\"]")
        + roles;
    let scene = Scene::new(&users);
    scene.check(&[
        ("alice", "GET", "/docs/1", "200"),
        ("alice", "PUT", "/docs/1", NO_PERMISSION),
        ("bob", "GET", "/docs/1", "200"),
        ("bob", "PUT", "/docs/1", "200"),
        ("bob", "DELETE", "/docs/1", NO_PERMISSION),
        ("carol", "GET", "/docs/1", "200"),
        ("carol", "PUT", "/docs/1", "200"),
        ("carol", "DELETE", "/docs/1", "200"),
        ("carol", "GET", "/docs/kept/1", DENIED),
    ]);
}

#[test]
fn a_role_that_a_certificate_brings_brings_its_roles() {
    let roles = "[role.reader]\npermissions = [\"GET /docs/*\"]\n\
        [role.operators]\nclient_ou = \"Operations\"\nroles = [\"reader\"]\npermissions = [\"PUT /docs/*\"]\n";
    let scene = Scene::new(&(user_with("alice", "") + &user_with("bob", "") + roles));
    let mut subject = rcgen::DistinguishedName::new();
    subject.push(rcgen::DnType::CommonName, "alice");
    subject.push(rcgen::DnType::OrganizationalUnitName, "Operations");
    let operator = scene
        .pki
        .with_subject("operator", subject, crate::support::pki::Kind::Client);
    let client = crate::support::Client::new(&scene.pki, Some(&operator), scene.gateway.address());
    assert_eq!(client.get("/docs/1").status, 200);
    scene.check(&[("bob", "GET", "/docs/1", NO_PERMISSION)]);
}
