//! The CAs, keys and users of the zoo, and the config in which each host takes some of them.

use super::certificate::{Authority, Certificate, DAY, now};
use super::keys::{Key, Rsa};
use super::row::{Host, Shown};
use crate::support::Pki;
use crate::support::gateway::{named_listener, process, route_to};
use base64::Engine;
use std::net::SocketAddr;
use std::path::PathBuf;

pub struct Zoo {
    /// The folder, and the server's certificate.
    pub pki: Pki,
    /// The key of most leaves.
    pub key: Key,
    pub rsa: Rsa,
    pub root: Authority,
    pub second_root: Authority,
    pub p384: Authority,
    pub p521: Authority,
    pub ed25519: Authority,
    pub rsa_root: Authority,
    pub sha1_root: Authority,
    pub short_root: Authority,
    /// Below the root; the gateway has it, clients need not send it.
    pub configured: Authority,
    /// Of another trust domain.
    pub other_root: Authority,
    /// In `lists`, but without a list.
    pub listless: Authority,
    /// Below the root, with a list of its own.
    pub listed: Authority,
    /// Below the root, revoked by it.
    pub revoked: Authority,
    pub stale_root: Authority,
    /// User `pinned` is this certificate.
    pub pinned: Vec<u8>,
    /// User `kept` is this key.
    pub kept: Key,
    /// This certificate is on the deny list.
    pub denied: Vec<u8>,
}

/// Serial numbers on the list of the root.
pub const REVOKED: &[u8] = &[1, 0x77, 1];
pub const HELD: &[u8] = &[1, 0x77, 2];
pub const REVOKED_AUTHORITY: &[u8] = &[1, 0x77, 3];
/// On the list of the other CA.
pub const REVOKED_BELOW: &[u8] = &[1, 0x77, 4];
/// On the deny list.
pub const DENIED: &[u8] = &[1, 0x77, 5];

/// So long is the list fresh that gets too old: enough for a start.
const FRESH: i64 = 15;

/// As long as a common name may be.
pub const LONGEST: usize = 255;

impl Zoo {
    pub fn new() -> Self {
        let pki = Pki::new();
        let names: Vec<String> = Host::ALL.iter().map(|host| host.name()).collect();
        pki.server(
            "server",
            &names.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let (key, kept, rsa) = (Key::p256(), Key::p256(), Key::rsa_2048());
        let root = Authority::root("Zoo Root", Key::p256());
        let revoked = Certificate::authority("Revoked CA").serial(REVOKED_AUTHORITY);
        let zoo = Self {
            pinned: Certificate::client("pinned").signed_by(&root, &key),
            denied: Certificate::client("alice").signed_by(&root, &key),
            second_root: Authority::root("Second Root", Key::p256()),
            p384: Authority::root("Root of P-384", Key::p384()),
            p521: Authority::root("Root of P-521", Key::p521()),
            ed25519: Authority::root("Root of Ed25519", Key::ed25519()),
            rsa_root: Authority::root("Root of RSA", rsa.key.clone()),
            sha1_root: Authority::root("Root of SHA-1", rsa.with_sha1()),
            short_root: Authority::root("Root of 1024 bits", rsa.of_1024_bits()),
            configured: root.intermediate("Configured CA"),
            other_root: Authority::root("Other Root", Key::p256()),
            listless: Authority::root("Root without a list", Key::p256()),
            listed: root.intermediate("CA with a list"),
            revoked: root.below(&revoked),
            stale_root: Authority::root("Root with an old list", Key::p256()),
            pki,
            key,
            rsa,
            root,
            kept,
        };
        zoo.write();
        zoo
    }

    /// A client's certificate below an anchor.
    pub fn leaf(&self, certificate: &Certificate) -> Shown {
        self.leaf_of(&self.root, certificate)
    }

    /// A client's certificate below some CA.
    pub fn leaf_of(&self, issuer: &Authority, certificate: &Certificate) -> Shown {
        Shown::new(&[&certificate.signed_by(issuer, &self.key)], &self.key)
    }

    /// Anchors of a host, and what it knows besides.
    fn authorities(&self, host: Host) -> (Vec<&Authority>, Vec<&Authority>) {
        match host {
            Host::Zoo | Host::Open | Host::Two => {
                let anchors = vec![
                    &self.root,
                    &self.second_root,
                    &self.p384,
                    &self.p521,
                    &self.ed25519,
                    &self.rsa_root,
                    &self.sha1_root,
                    &self.short_root,
                ];
                (anchors, vec![&self.configured])
            }
            Host::Strict | Host::Tolerant => (vec![&self.root], vec![]),
            Host::Lists => (
                vec![&self.root, &self.listless],
                vec![&self.listed, &self.revoked],
            ),
            Host::Stale | Host::Lenient => (vec![&self.stale_root], vec![]),
        }
    }

    /// Revocation lists of a host.
    fn lists(&self, host: Host) -> Vec<Vec<u8>> {
        match host {
            Host::Lists => {
                let of_root = [
                    (REVOKED, None),
                    (HELD, Some(6)),
                    (REVOKED_AUTHORITY, Some(2)),
                ];
                let day = now() + DAY;
                vec![
                    self.root.crl(&of_root, day),
                    self.listed.crl(&[(REVOKED_BELOW, Some(1))], day),
                    self.revoked.crl(&[], day),
                ]
            }
            Host::Stale | Host::Lenient => vec![self.stale_root.crl(&[], now() + FRESH)],
            _ => Vec::new(),
        }
    }

    pub fn file(&self, host: Host, what: &str) -> PathBuf {
        self.pki.path(&format!("{}-{what}.pem", host.domain()))
    }

    fn write(&self) {
        for host in Host::ALL {
            let (anchors, intermediates) = self.authorities(host);
            let text = |all: &[&Authority]| {
                all.iter()
                    .map(|one| pem("CERTIFICATE", &one.der))
                    .collect::<String>()
            };
            std::fs::write(self.file(host, "anchors"), text(&anchors)).unwrap();
            std::fs::write(self.file(host, "intermediates"), text(&intermediates)).unwrap();
            let known = if host == Host::Two {
                text(&[&self.other_root])
            } else {
                String::new()
            };
            let all = text(&anchors) + &text(&intermediates) + &known;
            std::fs::write(self.pki.path(&format!("{}-all.pem", host.name())), all).unwrap();
        }
        std::fs::write(
            self.pki.path("others.pem"),
            pem("CERTIFICATE", &self.other_root.der),
        )
        .unwrap();
        let serial: String = DENIED.iter().map(|octet| format!("{octet:02x}")).collect();
        let denied = format!(
            "serial {serial}\nfingerprint {}\ncn denied\nuser banned\n",
            digest(&self.denied)
        );
        std::fs::write(self.pki.path("denied"), denied).unwrap();
    }

    /// Writes the revocation lists, one of which is fresh for a short time only.
    pub fn write_lists(&self) {
        for host in [Host::Lists, Host::Stale, Host::Lenient] {
            let lists = self.lists(host);
            let text: String = lists.iter().map(|list| pem("X509 CRL", list)).collect();
            std::fs::write(self.file(host, "crls"), text).unwrap();
        }
    }

    /// All hosts on one listener, their domains and users.
    pub fn config(&self, upstream: SocketAddr) -> String {
        let folder = self.pki.folder.path().display();
        let listener = "trust_domain = \"zoo\"\n";
        let mut config = named_listener("main", &self.pki, listener);
        for host in Host::ALL {
            let trust = match host {
                Host::Two => "trust_domains = [\"zoo\", \"others\"]".to_owned(),
                Host::Open => "trust_domain = \"zoo\"\nclient_auth = \"optional\"".to_owned(),
                _ => format!("trust_domain = \"{}\"", host.domain()),
            };
            config += &format!(
                "[[listener.main.host]]\nnames = [\"{}\"]\ncertificate = \"{folder}/server.crt\"\n\
                 private_key = \"{folder}/server.key\"\n{trust}\n",
                host.name()
            );
        }
        for host in [
            Host::Zoo,
            Host::Strict,
            Host::Lists,
            Host::Stale,
            Host::Lenient,
            Host::Tolerant,
        ] {
            let anchors = self.file(host, "anchors");
            config += &format!(
                "[trust_domain.{}]\nanchors = [\"{}\"]\n{}",
                host.domain(),
                anchors.display(),
                self.rules(host)
            );
        }
        config += &format!("[trust_domain.others]\nanchors = [\"{folder}/others.pem\"]\n");
        config += &self.users();
        config
            + "[[route]]\npath = \"/staff\"\nupstream = \"api\"\ntrust_domain = \"zoo\"\n"
            + &process()
            + &route_to(upstream)
    }

    fn rules(&self, host: Host) -> String {
        let lists = format!("crls = [\"{}\"]\n", self.file(host, "crls").display());
        let intermediates = format!(
            "intermediates = [\"{}\"]\n",
            self.file(host, "intermediates").display()
        );
        match host {
            Host::Zoo => intermediates + "reserved_names = [\"icinga-master*\"]\n",
            Host::Strict => "extended_key_usage = \"require\"\nchain_depth = 1\n".to_owned(),
            Host::Lists => {
                intermediates
                    + &lists
                    + &format!("deny_list = \"{}\"\n", self.pki.path("denied").display())
            }
            Host::Stale => lists,
            Host::Lenient => lists + "stale_crls = { allow-for = \"1h\" }\n",
            _ => String::new(),
        }
    }

    fn users(&self) -> String {
        let mut users = String::new();
        let mut user = |name: &str, domain: &str, line: &str| {
            users += &format!(
                "[api_user.{name}]\n{line}\ntrust_domain = \"{domain}\"\npermissions = [\"GET /*\"]\n"
            );
        };
        for (name, line) in [
            ("alice", "client_cn = \"alice\"".to_owned()),
            ("bob", "client_cn = \"bob\"".to_owned()),
            ("jose", "client_cn = \"Jos\u{e9}\"".to_owned()),
            ("long", format!("client_cn = \"{}\"", "a".repeat(LONGEST))),
            ("web", "client_dns = \"web.example.org\"".to_owned()),
            (
                "agent",
                "client_uri = \"spiffe://example.org/agent\"".to_owned(),
            ),
            ("mail", "client_email = \"alice@example.org\"".to_owned()),
            (
                "pinned",
                format!("client_fingerprint = \"{}\"", digest(&self.pinned)),
            ),
            (
                "kept",
                format!("client_spki = \"{}\"", digest(&self.kept.public)),
            ),
        ] {
            user(name, "zoo", &line);
        }
        for domain in ["strict", "lists", "stale", "lenient", "others"] {
            user(
                &format!("alice-of-{domain}"),
                domain,
                "client_cn = \"alice\"",
            );
        }
        user("banned", "lists", "client_cn = \"banned\"");
        user("hasty", "tolerant", "client_cn = \"hasty\"");
        user(
            "patient",
            "tolerant",
            "client_cn = \"patient\"\ntolerate_expiry = \"7d\"",
        );
        users
    }
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn digest(octets: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets);
    digest
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}
