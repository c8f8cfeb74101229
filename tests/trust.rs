//! Trust domains side by side on one port: the verifying one is part of the identity.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{named_listener, process, route_to, trust_domain, user};
use crate::support::pki::{Identity, Kind};
use crate::support::{Client, Gateway, Pki, Upstream, eventually, require_program};
use rustls::AlertDescription as Alert;

/// One host, two domains, and in each of them an `alice`.
fn two_domains(staff: &Pki, partners: &Pki, more: &str, upstream: &Upstream) -> String {
    let user = |name: &str, domain: &str| {
        format!(
            "[api_user.{name}]\nclient_cn = \"alice\"\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
        )
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
            assert_eq!(
                upstream.recorded().last().unwrap().values("x-client-user"),
                [user]
            );
        }
    }
    let stranger = Client::new(
        &staff,
        Some(&Pki::named("Other").client("alice")),
        gateway.address(),
    );
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
    let other = config.replace(
        "[trust_domain.staff]\n",
        "[trust_domain.staff]\nchain_depth = 1\n",
    );
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
        let (mut ours, mut theirs) = (
            ours.connect(version).unwrap(),
            theirs.connect(version).unwrap(),
        );
        assert_eq!(theirs.send(get("/")).unwrap().status, 200);
        gateway.reload_with(&config.replace("[\"staff\", \"partners\"]", "[\"staff\"]"));
        theirs.must_be_refused("unknown_issuer");
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
    assert_eq!(
        (line["subject"].as_str(), line["level"].as_str()),
        (Some("CN=alice"), Some("WARN"))
    );
    let over = config.replace("2999-12-31", "2020-12-31");
    gateway.reload_with(&over);
    let client = Client::new(
        &staff,
        Some(&partners.of_kind("alice", Kind::Server)),
        gateway.address(),
    );
    assert_eq!(
        client.alert(),
        Alert::UnsupportedCertificate,
        "the exception is over"
    );
}

/// A CA and clients made by openssl, which still makes what nobody should take.
struct Weak {
    folder: tempfile::TempDir,
}

impl Weak {
    fn new(key: &str) -> Self {
        let weak = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(weak.path("usage"), "extendedKeyUsage = clientAuth\n").unwrap();
        let ca = "req -x509 -sha256 -nodes -days 30 -subj /CN=Weak -addext keyUsage=keyCertSign -keyout ca.key -out ca.crt";
        weak.openssl(&format!("{ca} -newkey {key}"));
        weak
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) -> String {
        let mut command = std::process::Command::new("openssl");
        command
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .stdin(std::process::Stdio::null());
        let output = command.output().expect("openssl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    }

    /// A certificate for `alice` with a key of its own kind, signed with this digest.
    fn alice(&self, key: &str, digest: &str) -> Identity {
        self.openssl(&format!(
            "req -new -nodes -newkey {key} -subj /CN=alice -keyout alice.key -out alice.csr"
        ));
        let said = self.openssl(&format!(
            "x509 -req -in alice.csr -CA ca.crt -CAkey ca.key -{digest} -days 10 -extfile usage -out alice.crt"
        ));
        let read = |name: &str| {
            std::fs::read_to_string(self.path(name)).unwrap_or_else(|_| panic!("{said}"))
        };
        let (certificate_file, key_file) = (self.path("alice.crt"), self.path("alice.key"));
        Identity {
            certificate: read("alice.crt"),
            key: read("alice.key"),
            certificate_file,
            key_file,
        }
    }

    fn gateway(&self, pki: &Pki, upstream: &Upstream) -> Gateway {
        let anchors = format!(
            "[trust_domain.test]\nanchors = [\"{}\"]\n",
            self.path("ca.crt").display()
        );
        Gateway::start(
            &(named_listener("main", pki, "")
                + &anchors
                + &user("alice", &["*"])
                + &process()
                + &route_to(upstream.address)),
        )
    }
}

const EC: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

#[test]
fn weak_digests_are_no_signatures() {
    if !require_program("openssl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let weak = Weak::new("rsa:2048");
    let gateway = weak.gateway(&pki, &upstream);
    for (count, digest) in ["sha1", "md5"].into_iter().enumerate() {
        let client = Client::new(&pki, Some(&weak.alice(EC, digest)), gateway.address());
        assert_eq!(client.alert(), Alert::DecryptError, "{digest}");
        let invalid = [("reason", "invalid_certificate")];
        gateway.wait_for_metric(
            "portcullis_handshake_failures_total",
            &invalid,
            (count + 1) as f64,
        );
    }
    for digest in ["sha256", "sha384", "sha512"] {
        let client = Client::new(&pki, Some(&weak.alice(EC, digest)), gateway.address());
        assert_eq!(client.get("/").status, 200, "{digest}");
    }
}

#[test]
fn short_keys_sign_nothing() {
    if !require_program("openssl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    for (key, gets_in) in [("rsa:1024", false), ("rsa:2048", true)] {
        let weak = Weak::new(key);
        let gateway = weak.gateway(&pki, &upstream);
        let client = Client::new(&pki, Some(&weak.alice(EC, "sha256")), gateway.address());
        match gets_in {
            true => assert_eq!(client.get("/").status, 200),
            false => assert_eq!(client.alert(), Alert::DecryptError, "the key of the CA"),
        }
    }
    // And the client's own, by a client that takes it.
    let weak = Weak::new("rsa:2048");
    let gateway = weak.gateway(&pki, &upstream);
    for (key, done) in [("rsa:1024", 0.0), ("rsa:2048", 1.0)] {
        weak.alice(key, "sha256");
        let before = gateway.metric("portcullis_handshakes_total", &[]);
        let tries = || {
            gateway.metric("portcullis_handshake_failures_total", &[])
                + gateway.metric("portcullis_handshakes_total", &[])
        };
        let tried = tries();
        weak.openssl(&format!(
            "s_client -connect {} -cert alice.crt -key alice.key -servername localhost -cipher DEFAULT@SECLEVEL=0 -tls1_2",
            gateway.address()
        ));
        eventually("it was tried", || (tries() > tried).then_some(()));
        assert_eq!(
            gateway.metric("portcullis_handshakes_total", &[]) - before,
            done,
            "{key}"
        );
    }
}
