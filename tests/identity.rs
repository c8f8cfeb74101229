//! Certificate to ApiUser.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, named_listener, process, route_to, trust_domain, user};
use crate::support::pki::{Identity, Kind, subject};
use crate::support::{Client, Gateway, Pki, Upstream, eventually};
use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString, UniversalString};
use rcgen::{DistinguishedName, DnType, DnValue};

/// A gateway where `alice` may read, and clients for it.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

impl Scene {
    fn new() -> Self {
        Self::with_users(&user("alice", &["GET /*"]))
    }

    fn with_users(users: &str) -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start());
        let gateway = Gateway::start(&(listener(&pki) + users + &route_to(upstream.address)));
        Self {
            pki,
            upstream,
            gateway,
        }
    }

    fn client(&self, identity: &Identity) -> Client {
        Client::new(&self.pki, Some(identity), self.gateway.address())
    }

    /// Status and, for a rejection, the reason, for a client whose subject has these common names.
    fn judge(&self, common_names: &[DnValue]) -> (u16, String) {
        self.judge_subject(subject(common_names))
    }

    fn judge_subject(&self, subject: DistinguishedName) -> (u16, String) {
        let answer = self
            .client(&self.pki.with_subject("odd", subject, Kind::Client))
            .get("/");
        match answer.status {
            200 => (200, String::new()),
            status => (status, answer.reason()),
        }
    }

    /// The ApiUser that the last request went up as.
    fn last_user(&self) -> String {
        let last = self.upstream.recorded().pop().expect("a request");
        last.values("x-client-user").concat()
    }
}

fn ok() -> (u16, String) {
    (200, String::new())
}

fn refused(reason: &str) -> (u16, String) {
    (403, reason.to_owned())
}

#[test]
fn the_common_name_of_a_verified_certificate_is_the_user() {
    let scene = Scene::with_users(
        &(user("alice", &["GET /*"])
            + "[api_user.team]\nclient_cn = \"robot\"\npermissions = [\"GET /*\"]\n"),
    );
    for (common_name, name) in [("alice", "alice"), ("robot", "team")] {
        let client = scene.client(&scene.pki.client(common_name));
        for version in BOTH {
            assert_eq!(client.send(version, get("/")).unwrap().status, 200);
            assert_eq!(scene.last_user(), name);
        }
    }
}

#[test]
fn a_name_that_no_user_has_is_unknown() {
    let scene = Scene::new();
    // Also the name of a user is no common name, a longer name is another, and case matters.
    for name in [
        "bob", "Alice", "ALICE", "alic", "alicee", " alice", "alice ", "alice.", "al*", "*",
        "?lice",
    ] {
        assert_eq!(
            scene.judge(&[name.into()]),
            refused("unknown_user"),
            "{name:?}"
        );
    }
    assert_eq!(scene.judge(&["alice".into()]), ok());
    assert_eq!(scene.upstream.recorded().len(), 1);
}

#[test]
fn a_user_named_like_another_ones_common_name_is_not_that_user() {
    let scene = Scene::with_users(
        "[api_user.alice]\nclient_cn = \"bob\"\npermissions = [\"GET /*\"]\n[api_user.bob]\nclient_cn = \"alice\"\n",
    );
    assert_eq!(scene.judge(&["bob".into()]), ok());
    assert_eq!(scene.last_user(), "alice");
    assert_eq!(scene.judge(&["alice".into()]), refused("no_permission"));
}

#[test]
fn an_ambiguous_subject_identifies_no_user() {
    let scene = Scene::new();
    for common_names in [
        vec!["alice".into(), "alice".into()],
        vec!["alice".into(), "bob".into()],
        vec!["bob".into(), "alice".into()],
        vec!["".into()],
        vec!["alice\0".into()],
        vec!["alice\0.example.org".into()],
        vec!["alice\n".into()],
        vec!["alice\u{7f}".into()],
        vec!["alice\u{85}".into()],
        vec![DnValue::BmpString(BmpString::try_from("alice").unwrap())],
        vec![DnValue::UniversalString(
            UniversalString::try_from("alice").unwrap(),
        )],
        vec![DnValue::TeletexString(
            TeletexString::try_from("alice").unwrap(),
        )],
        vec!["a".repeat(256).into()],
    ] {
        assert_eq!(
            scene.judge(&common_names),
            refused("unusable_name"),
            "{common_names:?}"
        );
    }
    assert!(scene.upstream.recorded().is_empty());
}

#[test]
fn every_string_type_with_one_reading_names_its_user() {
    let scene = Scene::new();
    for common_name in [
        DnValue::Utf8String("alice".into()),
        DnValue::PrintableString(PrintableString::try_from("alice").unwrap()),
        DnValue::Ia5String(Ia5String::try_from("alice").unwrap()),
    ] {
        assert_eq!(
            scene.judge(std::slice::from_ref(&common_name)),
            ok(),
            "{common_name:?}"
        );
    }
}

#[test]
fn a_subject_without_common_name_identifies_no_user() {
    let scene = Scene::new();
    assert_eq!(scene.judge(&[]), refused("unusable_name"));
    let mut organization = DistinguishedName::new();
    organization.push(DnType::OrganizationName, "alice");
    assert_eq!(
        scene.judge_subject(organization.clone()),
        refused("unusable_name")
    );
    // What only looks like a common name in print is none; what stands beside a real one does no harm.
    organization.push(DnType::OrganizationalUnitName, "x,CN=alice");
    assert_eq!(
        scene.judge_subject(organization.clone()),
        refused("unusable_name")
    );
    organization.push(DnType::CommonName, "alice");
    assert_eq!(scene.judge_subject(organization), ok());
}

#[test]
fn a_wildcard_in_client_cn_is_only_a_character() {
    let scene =
        Scene::with_users("[api_user.star]\nclient_cn = \"*\"\npermissions = [\"GET /*\"]\n");
    assert_eq!(scene.judge(&["alice".into()]), refused("unknown_user"));
    assert_eq!(scene.judge(&["*".into()]), ok());
}

#[test]
fn a_user_may_have_several_common_names() {
    let users = "[api_user.team]\nclient_cn = [\"one\", \"two\", \"J\u{f6}rg M\u{fc}ller\"]\npermissions = [\"GET /*\"]\n";
    let scene = Scene::with_users(users);
    for name in ["one", "two", "J\u{f6}rg M\u{fc}ller"] {
        assert_eq!(scene.judge(&[name.into()]), ok(), "{name}");
        assert_eq!(scene.last_user(), "team");
    }
    assert_eq!(scene.judge(&["three".into()]), refused("unknown_user"));
    assert_eq!(scene.judge(&["onetwo".into()]), refused("unknown_user"));
    // The same letters in another Unicode form are other bytes.
    assert_eq!(
        scene.judge(&["Jo\u{308}rg Mu\u{308}ller".into()]),
        refused("unknown_user")
    );
}

#[test]
fn one_common_name_is_a_different_user_in_each_trust_domain() {
    let (staff, partners, upstream) = (
        Pki::named("Staff CA"),
        Pki::named("Partners CA"),
        Upstream::start(),
    );
    let one = |name: &str, cn: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = \"{cn}\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
        )
    };
    let config = named_listener("inner", &staff, "trust_domain = \"staff\"")
        + &named_listener("outer", &partners, "trust_domain = \"partners\"")
        + &trust_domain("staff", &staff)
        + &trust_domain("partners", &partners)
        + &process()
        + &one("alice-of-staff", "alice", "staff")
        + &one("alice-of-partners", "alice", "partners")
        + &one("carol", "carol", "staff")
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let get = |pki: &Pki, listener: &str, name: &str| {
        Client::new(pki, Some(&pki.client(name)), gateway.address_of(listener)).get("/")
    };
    for (pki, listener, name, user) in [
        (&staff, "inner", "alice", "alice-of-staff"),
        (&partners, "outer", "alice", "alice-of-partners"),
        (&staff, "inner", "carol", "carol"),
    ] {
        assert_eq!(get(pki, listener, name).status, 200);
        assert_eq!(
            upstream.recorded().pop().unwrap().values("x-client-user"),
            [user]
        );
    }
    let answer = get(&partners, "outer", "carol");
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "unknown_user")
    );
    // And the CA of one domain does not open the listener of the other.
    let stranger = Client::new(
        &staff,
        Some(&partners.client("carol")),
        gateway.address_of("inner"),
    );
    assert_eq!(stranger.alert(), rustls::AlertDescription::UnknownCA);
}

#[test]
fn a_certificate_that_expires_on_an_open_connection_is_rejected_at_the_next_request() {
    let scene = Scene::new();
    for version in BOTH {
        let client = scene.client(&scene.pki.of_kind("alice", Kind::ExpiresIn(5)));
        let mut connection = client.connect(version).unwrap();
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
        let answer = eventually("the rejection", || {
            let answer = connection.send(get("/")).unwrap();
            (answer.status != 200).then_some(answer)
        });
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "expired"),
            "{version:?}"
        );
        eventually("the end of the connection", || {
            connection.send(get("/")).err()
        });
    }
    // The twin lives on.
    let client = scene.client(&scene.pki.client("alice"));
    assert_eq!(client.get("/").status, 200);
}
