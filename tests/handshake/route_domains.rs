//! Routes that demand a trust domain, on hosts that ask for others, too.

use crate::support::client::{BOTH, request};
use crate::support::gateway::{process, route_to, trust_domain};
use crate::support::pki::text;
use crate::support::{Client, Gateway, Pki, Upstream};

/// `partners.test` asks for certificates of one domain, `staff.test` for those of another, and leaves it open.
fn gateway(partners: &Pki, staff: &Pki, upstream: &Upstream) -> Gateway {
    let entry = |name: &str, domain: &str, client_auth: &str| {
        let identity = partners.server(name, &[name]);
        format!(
            "[[listener.main.host]]\nnames = [{name:?}]\ncertificate = {:?}\nprivate_key = {:?}\n\
             trust_domain = {domain:?}\nclient_auth = {client_auth:?}\n",
            text(&identity.certificate_file),
            text(&identity.key_file)
        )
    };
    let user = |name: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = {name:?}\ntrust_domain = {domain:?}\npermissions = [\"*\"]\n"
        )
    };
    let config = "[listener.main]\naddress = \"127.0.0.1:0\"\n".to_owned()
        + &entry("partners.test", "partners", "required")
        + &entry("staff.test", "staff", "optional")
        + &trust_domain("partners", partners)
        + &trust_domain("staff", staff)
        + &process()
        + &user("partner", "partners")
        + &user("admin", "staff")
        + &route_to(upstream.address)
        + "[[route]]\npath = \"/admin\"\nupstream = \"api\"\ntrust_domain = \"staff\"\n\
           [[route]]\npath = \"/both\"\nupstream = \"api\"\ntrust_domains = [\"staff\", \"partners\"]\n";
    Gateway::start(&config)
}

#[test]
fn a_route_may_require_the_trust_domain() {
    let (partners, staff, upstream) = (Pki::new(), Pki::named("Staff CA"), Upstream::start());
    let gateway = gateway(&partners, &staff, &upstream);
    let (partner, admin) = (partners.client("partner"), staff.client("admin"));
    for (identity, host, path, expected) in [
        (Some(&partner), "partners.test", "/", "200"),
        (Some(&partner), "partners.test", "/both", "200"),
        (
            Some(&partner),
            "partners.test",
            "/admin",
            "403 wrong_trust_domain",
        ),
        (Some(&admin), "staff.test", "/", "200"),
        (Some(&admin), "staff.test", "/both", "200"),
        (Some(&admin), "staff.test", "/admin", "200"),
        (
            Some(&staff.client("nobody")),
            "staff.test",
            "/admin",
            "403 unknown_user",
        ),
        (None, "staff.test", "/admin", "401 no_certificate"),
        (None, "staff.test", "/both", "401 no_certificate"),
    ] {
        // All clients trust the server by the partners' CA, which has signed both of its certificates.
        let client = Client::new(&partners, identity, gateway.address()).with_server_name(host);
        for version in BOTH {
            let mut asked = request("GET", path, "");
            *asked.uri_mut() = format!("https://{host}{path}").parse().unwrap();
            let answer = client.send(version, asked).unwrap();
            let outcome = match answer.status {
                200 => "200".to_owned(),
                status => format!("{status} {}", answer.reason()),
            };
            assert_eq!(outcome, expected, "{host}{path} {version:?}");
        }
    }
    let refused = upstream
        .recorded()
        .iter()
        .filter(|seen| seen.target == "/admin")
        .count();
    assert_eq!(refused, 2, "only the admin's requests went up");
}
