//! Trust domains side by side on one port: which of them vouches is part of who a client is.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{named_listener, process, route_to, trust_domain};
use crate::support::pki::Kind;
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rustls::AlertDescription as Alert;

/// One host, two domains, and in each of them an `alice`.
fn two_domains(staff: &Pki, partners: &Pki, more: &str, upstream: &Upstream) -> String {
    let user = |name: &str, domain: &str| {
        format!("[api_user.{name}]\nclient_cn = \"alice\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n")
    };
    named_listener("main", staff, "trust_domains = [\"staff\", \"partners\"]")
        + &user("alice-of-staff", "staff")
        + &user("alice-of-partners", "partners")
        + &trust_domain("staff", staff)
        + &trust_domain("partners", partners)
        + more
        + &process()
        + &route_to(upstream.address)
}

#[test]
fn one_common_name_is_another_user_in_each_domain_of_one_host() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let gateway = Gateway::start(&two_domains(&staff, &partners, "", &upstream));
    for (pki, user) in [(&staff, "alice-of-staff"), (&partners, "alice-of-partners")] {
        for version in BOTH {
            // The server's certificate is of `staff`, for both.
            let client = Client::new(&staff, Some(&pki.client("alice")), gateway.address());
            assert_eq!(client.send(version, get("/")).unwrap().status, 200);
            assert_eq!(upstream.recorded().last().unwrap().values("x-client-user"), [user]);
        }
    }
    let stranger = Client::new(&staff, Some(&Pki::named("Other").client("alice")), gateway.address());
    assert_eq!(stranger.alert(), Alert::UnknownCA);
}

#[test]
fn sessions_live_on_only_while_all_domains_of_the_host_stay_the_same() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let config = two_domains(&staff, &partners, "", &upstream);
    let gateway = Gateway::start(&config);
    let client = Client::new(&staff, Some(&partners.client("alice")), gateway.address());
    let resumed = || gateway.metric("portcullis_handshakes_total", &[("resumption", "resumed")]);
    assert_eq!(client.get("/").status, 200);
    gateway.reload_with(&(config.clone() + "# no change\n"));
    assert_eq!(client.get("/").status, 200);
    assert_eq!(resumed(), 1.0);
    let other = config.replace("[trust_domain.staff]\n", "[trust_domain.staff]\nchain_depth = 1\n");
    gateway.reload_with(&other);
    assert_eq!(client.get("/").status, 200);
    assert_eq!(resumed(), 1.0, "one domain of the host is another one now");
}

#[test]
fn a_domain_that_is_taken_from_a_host_is_out_on_open_connections() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let config = two_domains(&staff, &partners, "", &upstream);
    let gateway = Gateway::start(&config);
    let (ours, theirs) = (staff.client("alice"), partners.client("alice"));
    let ours = Client::new(&staff, Some(&ours), gateway.address());
    let theirs = Client::new(&staff, Some(&theirs), gateway.address());
    for version in BOTH {
        gateway.reload_with(&config);
        let (mut ours, mut theirs) = (ours.connect(version).unwrap(), theirs.connect(version).unwrap());
        assert_eq!(theirs.send(get("/")).unwrap().status, 200);
        gateway.reload_with(&config.replace("[\"staff\", \"partners\"]", "[\"staff\"]"));
        assert_eq!(theirs.send(get("/")).unwrap().reason(), "unknown_issuer", "{version:?}");
        assert_eq!(ours.send(get("/")).unwrap().status, 200);
    }
}

#[test]
fn the_policy_on_usages_is_the_domains_own() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let config = two_domains(&staff, &partners, "", &upstream)
        .replace("[trust_domain.staff]\n", "[trust_domain.staff]\nextended_key_usage = \"require\"\n")
        .replace(
            "[trust_domain.partners]\n",
            "[trust_domain.partners]\nextended_key_usage = { allow-server-auth-until = \"2999-12-31\" }\n",
        );
    let gateway = Gateway::start(&config);
    for (pki, kind, gets_in) in [
        (&staff, Kind::Client, true),
        (&staff, Kind::ClientWithoutUsage, false),
        (&staff, Kind::Server, false),
        (&partners, Kind::Client, true),
        (&partners, Kind::ClientWithoutUsage, true),
        (&partners, Kind::Server, true),
    ] {
        let client = Client::new(&staff, Some(&pki.of_kind("alice", kind)), gateway.address());
        match gets_in {
            true => assert_eq!(client.get("/").status, 200, "{kind:?}"),
            false => assert_eq!(client.alert(), Alert::UnsupportedCertificate, "{kind:?}"),
        }
    }
    let warning = "a client came with a certificate that is for servers only";
    let line = eventually("a warning", || gateway.find_log(warning));
    assert_eq!((line["subject"].as_str(), line["level"].as_str()), (Some("CN=alice"), Some("WARN")));
    let over = config.replace("2999-12-31", "2020-12-31");
    gateway.reload_with(&over);
    let client = Client::new(&staff, Some(&partners.of_kind("alice", Kind::Server)), gateway.address());
    assert_eq!(client.alert(), Alert::UnsupportedCertificate, "the exception is over");
}
