//! `portcullis pki`: the real program makes keys, requests and certificates, and the real `openssl` judges them. It
//! does not test that the gateway accepts them: see `handshake`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair,
};
use time::{Duration, OffsetDateTime};

use crate::support::require_program;

// === the seed's way ===

/// What `sign-csr` proposes for the config.
const HINT: &str = "[api_user.my-api-client]\nclient_cn = \"my-api-client\"\n\
                    permissions = [\"GET /*\"]   # what it may do; `*` stands for any text\n";

#[test]
fn a_client_certificate_is_made_in_three_commands_as_in_icinga() {
    let Some(desk) = Desk::new() else { return };
    let made = desk.succeeds("pki new-ca");
    assert!(
        made.contains("information: wrote ./pki/ca.crt (certificate, valid until 20"),
        "{made}"
    );
    desk.succeeds("pki new-cert --cn my-api-client --key my.key --csr my.csr");
    let signed = desk.succeeds("pki sign-csr --csr my.csr --cert my.crt");
    assert!(
        signed.contains("information: wrote my.crt (certificate, valid until 20"),
        "{signed}"
    );
    assert!(
        !signed.contains("not in the certificate"),
        "nobody asked for more than `new-cert` did: {signed}"
    );
    assert_eq!(
        signed.split("add to the config:\n\n").nth(1),
        Some(HINT),
        "{signed}"
    );
    let config = "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
                  [trust_domain.internal]\nanchors = [\"pki/ca.crt\"]\n\
                  [[route]]\npath = \"/me\"\nrespond = \"whoami\"\n";
    desk.succeeds("pki new-cert --cn localhost --key server.key --csr server.csr");
    desk.succeeds("pki sign-csr --csr server.csr --cert server.crt --server --dns localhost");
    fs::write(desk.path("gateway.toml"), config.to_owned() + HINT).unwrap();
    let allowed = desk.succeeds("explain -c gateway.toml --cert my.crt GET /me");
    assert!(allowed.starts_with("decision:    permit\n"), "{allowed}");

    desk.openssl_succeeds("verify -x509_strict -CAfile pki/ca.crt -purpose sslclient my.crt");
    desk.openssl_fails("verify -CAfile pki/ca.crt -purpose sslserver my.crt");
    let request = desk.openssl_succeeds("req -in my.csr -noout -verify -text");
    assert!(request.contains("DNS:my-api-client"), "{request}");
    let key = desk.openssl_succeeds("pkey -in my.key -noout -text");
    assert!(key.contains("prime256v1"), "{key}");
    assert!(
        desk.read("my.key")
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
}

#[test]
fn the_authority_may_sign_certificates_but_no_other_authorities() {
    let Some(desk) = Desk::new() else { return };
    desk.succeeds("pki new-ca --cn Test --ca-dir deep/down --days 30");
    let text = desk.openssl_succeeds("x509 -in deep/down/ca.crt -noout -text -nameopt RFC2253");
    for part in [
        "Subject: CN=Test\n",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    desk.openssl_succeeds("x509 -in deep/down/ca.crt -noout -checkend 2505600");
    assert!(
        !desk
            .openssl("x509 -in deep/down/ca.crt -noout -checkend 2678400")
            .status
            .success()
    );
}

#[test]
fn a_revocation_list_says_what_the_last_one_said_and_more() {
    let Some(desk) = Desk::new() else { return };
    desk.succeeds("pki new-ca");
    for name in ["alice", "bob", "carol"] {
        desk.succeeds(&format!(
            "pki new-cert --cn {name} --key {name}.key --csr {name}.csr"
        ));
        desk.succeeds(&format!("pki sign-csr --csr {name}.csr --cert {name}.crt"));
    }
    let verify = "verify -CAfile pki/ca.crt -CRLfile pki/ca.crl -crl_check";
    desk.succeeds("pki new-crl --crl pki/ca.crl");
    desk.openssl_succeeds(&format!("{verify} alice.crt bob.crt carol.crt"));
    let serial = desk.openssl_succeeds("x509 -in bob.crt -noout -serial");
    let serial = serial.trim().trim_start_matches("serial=").to_owned();
    let made = desk.succeeds("pki new-crl --crl pki/ca.crl --cert alice.crt --days 3");
    assert!(
        made.contains("information: wrote pki/ca.crl (revocation list, counts until 20"),
        "{made}"
    );
    let made = desk.succeeds(&format!("pki new-crl --crl pki/ca.crl --serial {serial}"));
    assert!(made.contains("revoked certificates: 2"), "{made}");
    for revoked in ["alice", "bob"] {
        desk.openssl_fails(&format!("{verify} {revoked}.crt"));
    }
    desk.openssl_succeeds(&format!("{verify} carol.crt"));
    desk.openssl_succeeds("crl -in pki/ca.crl -noout -CAfile pki/ca.crt");
    let before = desk.read("pki/ca.crl");
    // What another authority has made is neither continued nor revoked.
    desk.succeeds("pki new-ca --ca-dir other");
    for wrong in [
        "pki new-crl --crl pki/ca.crl --ca-dir other",
        "pki new-crl --crl other/ca.crl --ca-dir other --cert alice.crt",
        "pki new-crl --crl pki/ca.crl --serial 4g",
        "pki new-crl --crl pki/ca.crt",
    ] {
        desk.fails(wrong);
    }
    assert_eq!(desk.read("pki/ca.crl"), before);
    assert!(!desk.path("other/ca.crl").exists());
}

#[test]
fn a_name_that_is_no_dns_name_is_not_requested_as_one() {
    let Some(desk) = Desk::new() else { return };
    desk.run(
        &[
            "pki",
            "new-cert",
            "--cn",
            "Jörg Müller",
            "--key",
            "k",
            "--csr",
            "r",
        ],
        Expect::Success,
    );
    let text = desk.openssl_succeeds("req -in r -noout -text");
    assert!(!text.contains("Alternative Name"), "{text}");
    desk.succeeds("pki new-ca");
    let signed = desk.succeeds("pki sign-csr --csr r --cert c");
    assert!(!signed.contains("not in the certificate"), "{signed}");
    assert!(
        signed.contains("[api_user.\"Jörg Müller\"]\nclient_cn = \"Jörg Müller\"\n"),
        "{signed}"
    );
}

#[test]
fn new_cert_makes_a_self_signed_certificate_when_asked() {
    let Some(desk) = Desk::new() else { return };
    desk.succeeds("pki new-cert --cn node1.example.org --key k --cert c");
    desk.openssl_succeeds(
        "verify -CAfile c -purpose sslserver -verify_hostname node1.example.org c",
    );
    let text = desk.openssl_succeeds("x509 -in c -noout -text");
    assert!(text.contains("CA:FALSE"), "{text}");
    desk.succeeds("pki new-cert --cn both --key k2 --csr r2 --cert c2");
    let neither = desk.fails("pki new-cert --cn neither --key k3");
    assert!(neither.contains("--csr"), "{neither}");
    assert!(!desk.path("k3").exists());
}

// === requests made by others ===

#[test]
fn requests_made_by_openssl_are_signed_whatever_their_key() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    for (index, key) in [
        "RSA -pkeyopt rsa_keygen_bits:2048",
        "RSA -pkeyopt rsa_keygen_bits:4096",
        "EC -pkeyopt ec_paramgen_curve:P-256",
        "EC -pkeyopt ec_paramgen_curve:P-384",
        "EC -pkeyopt ec_paramgen_curve:P-521",
        "ED25519",
    ]
    .iter()
    .enumerate()
    {
        desk.openssl_succeeds(&format!("genpkey -algorithm {key} -out {index}.key"));
        // The digest is openssl's own choice: SHA-256 for P-384, too.
        desk.openssl_succeeds(&format!(
            "req -new -key {index}.key -subj /CN=alice -out {index}.csr"
        ));
        desk.succeeds(&format!(
            "pki sign-csr --csr {index}.csr --cert {index}.crt"
        ));
        desk.openssl_succeeds(&format!(
            "verify -x509_strict -CAfile pki/ca.crt -purpose sslclient {index}.crt"
        ));
        let certified = desk.openssl_succeeds(&format!("x509 -in {index}.crt -noout -pubkey"));
        assert_eq!(
            certified,
            desk.openssl_succeeds(&format!("pkey -in {index}.key -pubout")),
            "{key}"
        );
    }
}

#[test]
fn ecdsa_requests_are_verified_with_every_usual_digest() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    for curve in ["P-256", "P-384"] {
        desk.openssl_succeeds(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out k"
        ));
        for digest in ["sha256", "sha384", "sha512"] {
            desk.openssl_succeeds(&format!("req -new -{digest} -key k -subj /CN=alice -out r"));
            desk.succeeds("pki sign-csr --csr r --cert c --force");
            desk.openssl_succeeds("verify -CAfile pki/ca.crt -purpose sslclient c");
        }
        desk.openssl_succeeds("req -new -sha1 -key k -subj /CN=alice -out r");
        desk.refuses(
            "pki sign-csr --csr r --cert c --force",
            "method 1.2.840.10045.4.1, which is not accepted",
        );
    }
}

#[test]
fn rsa_keys_below_2048_bits_are_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.openssl_succeeds(
        "req -new -newkey rsa:1024 -nodes -keyout k -subj /CN=alice -out small.csr",
    );
    desk.refuses("pki sign-csr --csr small.csr --cert c", "has 1024 bits");
    desk.openssl_succeeds(
        "req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=alice -out enough.csr",
    );
    desk.succeeds("pki sign-csr --csr enough.csr --cert c");
}

#[test]
fn keys_on_unusual_curves_are_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    for parameters in ["secp256k1", "P-256 -pkeyopt ec_param_enc:explicit"] {
        desk.openssl_succeeds(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{parameters} -out k"
        ));
        desk.openssl_succeeds("req -new -key k -subj /CN=alice -out r");
        desk.refuses(
            "pki sign-csr --csr r --cert c",
            "public key of the request is not accepted",
        );
    }
}

#[test]
fn the_requester_chooses_nothing_but_name_and_key() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.openssl_succeeds(
        "req -new -newkey rsa:2048 -nodes -keyout k -out r -subj /O=Evil/OU=Admins/CN=alice \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign \
         -addext extendedKeyUsage=serverAuth,1.2.3.4 -addext subjectKeyIdentifier=00:01:02 \
         -addext nsComment=hello \
         -addext subjectAltName=DNS:admin,IP:192.0.2.1,URI:spiffe://example.org/admin,email:root@example.org",
    );
    let signed = desk.succeeds("pki sign-csr --csr r --cert c");
    let left_out =
        "DNS:admin, IP:192.0.2.1, URI:spiffe://example.org/admin, email:root@example.org\n";
    assert!(signed.contains(left_out), "{signed}");

    let text = desk.openssl_succeeds("x509 -in c -noout -text -nameopt RFC2253");
    assert!(text.contains("Subject: CN=alice\n"), "{text}");
    for absent in [
        "Alternative Name",
        "CA:TRUE",
        "Certificate Sign",
        "Server Auth",
        "1.2.3.4",
        "00:01:02",
        "hello",
    ] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    for part in [
        "CA:FALSE",
        "Subject Key Identifier",
        "Authority Key Identifier",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let usages = desk.openssl_succeeds("x509 -in c -noout -ext keyUsage,extendedKeyUsage");
    let usages: Vec<&str> = usages.lines().map(str::trim).collect();
    assert!(
        usages.contains(&"Digital Signature") && usages.contains(&"TLS Web Client Authentication"),
        "{usages:?}"
    );
    let days = desk
        .openssl("x509 -in c -noout -checkend 34214400")
        .status
        .success();
    assert!(
        days && !desk
            .openssl("x509 -in c -noout -checkend 34387200")
            .status
            .success(),
        "{text}"
    );
}

#[test]
fn serial_numbers_are_positive_random_and_of_16_octets() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    let serials = ["a", "b"].map(|name| {
        desk.succeeds(&format!("pki sign-csr --csr r --cert {name}"));
        desk.openssl_succeeds(&format!("x509 -in {name} -noout -serial"))
    });
    assert_ne!(serials[0], serials[1]);
    for serial in serials {
        let digits = serial.trim().strip_prefix("serial=").unwrap();
        assert!(
            digits.len() == 32 && ('4'..='7').contains(&digits.chars().next().unwrap()),
            "{digits}"
        );
    }
}

#[test]
fn an_altered_request_is_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    for key in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256", "ed25519"] {
        desk.openssl_succeeds(&format!(
            "req -new -newkey {key} -nodes -keyout k -subj /CN=alice -outform DER -out d"
        ));
        let honest = fs::read(desk.path("d")).unwrap();
        let at = honest.windows(5).position(|part| part == b"alice").unwrap();
        let mut altered = honest.clone();
        altered[at..at + 5].copy_from_slice(b"admin");
        fs::write(desk.path("altered"), altered).unwrap();
        desk.openssl_succeeds("req -inform DER -in altered -out altered.csr");
        desk.refuses(
            "pki sign-csr --csr altered.csr --cert c",
            "the signature of the request is wrong",
        );
        desk.openssl_succeeds("req -inform DER -in d -out honest.csr");
        desk.succeeds("pki sign-csr --csr honest.csr --cert honest.crt --force");
    }
}

#[test]
fn a_request_without_exactly_one_plain_common_name_is_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    let text = |name: &str| Some(DnValue::Utf8String(name.to_owned()));
    let bmp = DnValue::BmpString("alice".try_into().unwrap());
    for (name, message) in [
        (None, "has no common name"),
        (text(""), "it is empty"),
        (
            text("alice\0.evil"),
            r#""alice\0.evil" cannot be a common name, it has control characters"#,
        ),
        (text("alice\x1b[2J"), r#""alice\u{1b}[2J" cannot be"#),
        (text("alice\u{85}"), "control characters"),
        (text(&"a".repeat(65)), "longer than 64 characters"),
        (Some(bmp), "not encoded as UTF8String or PrintableString"),
    ] {
        desk.write("r", &request_named(name));
        desk.refuses("pki sign-csr --csr r --cert c", message);
    }
    for subject in ["/CN=alice/CN=admin", "/CN=alice+CN=admin"] {
        desk.openssl_succeeds(&format!(
            "req -new -newkey rsa:2048 -nodes -keyout k -subj {subject} -out r"
        ));
        desk.refuses("pki sign-csr --csr r --cert c", "has 2 common names");
    }
    desk.write("r", &request_named(text(&"a".repeat(64))));
    desk.succeeds("pki sign-csr --csr r --cert c");
}

#[test]
fn new_cert_refuses_the_names_that_sign_csr_would_refuse() {
    let Some(desk) = Desk::new() else { return };
    for name in ["", "a\tb", &"a".repeat(65)] {
        let output = desk.run(
            &["pki", "new-cert", "--cn", name, "--key", "k", "--csr", "r"],
            Expect::Failure,
        );
        assert!(output.contains("cannot be a common name"), "{output}");
    }
    assert!(!desk.path("k").exists());
    desk.succeeds(&format!(
        "pki new-cert --cn {} --key k --csr r",
        "a".repeat(64)
    ));
}

#[test]
fn a_file_that_is_not_one_request_is_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.refuses(
        "pki sign-csr --csr absent.csr --cert c",
        "cannot read absent.csr",
    );
    desk.refuses(
        "pki sign-csr --csr pki/ca.crt --cert c",
        "pki/ca.crt is a certificate, not a certificate signing request (CSR) in PEM; it is signed already",
    );
    desk.write("r", "hello");
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "it holds no PEM block, but a certificate request",
    );
    desk.write(
        "r",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    );
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "r cannot be used: it is damaged",
    );
    desk.succeeds("pki new-cert --cn alice --key k --csr alice.csr");
    desk.write("r", &format!("{0}{0}", desk.read("alice.csr")));
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "it holds 2 certificate requests",
    );
    desk.write(
        "r",
        &format!(
            "Certificate Request:\n    Data:\n{}",
            desk.read("alice.csr")
        ),
    );
    desk.succeeds("pki sign-csr --csr r --cert c");
}

// === server certificates ===

#[test]
fn a_server_certificate_has_the_names_given_and_no_others() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.openssl_succeeds(
        "req -new -newkey rsa:2048 -nodes -keyout k -out r -subj /CN=gateway \
         -addext subjectAltName=DNS:API.example.org,DNS:evil.example.org",
    );
    let signed = desk.succeeds(
        "pki sign-csr --csr r --cert c --server --dns api.example.org --dns *.apps.example.org --ip 127.0.0.1 --ip ::1",
    );
    assert!(
        signed.contains("in the request: DNS:evil.example.org\n"),
        "{signed}"
    );
    assert!(!signed.contains("api_user"), "{signed}");
    let verify = "verify -x509_strict -CAfile pki/ca.crt -purpose";
    for name in [
        "hostname api.example.org",
        "hostname a.apps.example.org",
        "ip 127.0.0.1",
        "ip ::1",
    ] {
        desk.openssl_succeeds(&format!("{verify} sslserver -verify_{name} c"));
    }
    for name in [
        "hostname evil.example.org",
        "hostname gateway",
        "ip 127.0.0.2",
    ] {
        desk.openssl_fails(&format!("{verify} sslserver -verify_{name} c"));
    }
    desk.openssl_fails(&format!("{verify} sslclient c"));
}

#[test]
fn a_server_certificate_needs_names_and_a_client_certificate_takes_none() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn gateway --key k --csr r");
    desk.refuses(
        "pki sign-csr --csr r --cert c --server",
        "needs at least one name: give --dns NAME or --ip ADDRESS",
    );
    desk.refuses(
        "pki sign-csr --csr r --cert c --dns a.example.org",
        "--server",
    );
    desk.refuses("pki sign-csr --csr r --cert c --ip 127.0.0.1", "--server");
    desk.refuses(
        "pki sign-csr --csr r --cert c --server --dns 127.0.0.1",
        "it is an address: give it as --ip",
    );
    desk.refuses(
        "pki sign-csr --csr r --cert c --server --dns a_b",
        "is not a DNS name",
    );
    desk.succeeds("pki sign-csr --csr r --cert c --server --dns a.example.org");
}

// === the authority ===

#[test]
fn a_certificate_ends_no_later_than_its_authority() {
    let Some(desk) = Desk::new() else { return };
    desk.succeeds("pki new-ca --days 10");
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    let cut = desk.succeeds("pki sign-csr --csr r --cert c");
    assert!(
        cut.contains("information: cut short: the CA itself is valid until"),
        "{cut}"
    );
    let end = desk.openssl_succeeds("x509 -in c -noout -enddate");
    assert_eq!(
        end,
        desk.openssl_succeeds("x509 -in pki/ca.crt -noout -enddate")
    );
    let whole = desk.succeeds("pki sign-csr --csr r --cert c --days 9 --force");
    assert!(!whole.contains("cut short"), "{whole}");
    for days in ["0", "36501", "x"] {
        desk.refuses(
            &format!("pki sign-csr --csr r --cert c2 --days {days}"),
            "--days",
        );
    }
}

#[test]
fn an_authority_made_by_openssl_can_sign() {
    let Some(desk) = Desk::new() else { return };
    fs::create_dir(desk.path("pki")).unwrap();
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    // The first is like Icinga's own authority: RSA, no key usage, no key identifier.
    for request in [
        "-newkey rsa:4096 -subj /CN=Icinga -addext subjectKeyIdentifier=none",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -subj /C=DE/O=Example/CN=CA -addext keyUsage=keyCertSign",
        "-newkey ed25519 -subj /CN=CA",
    ] {
        let common = "-x509 -nodes -days 30 -keyout pki/ca.key -out pki/ca.crt -addext basicConstraints=CA:TRUE";
        desk.openssl_succeeds(&format!("req {request} {common}"));
        desk.succeeds("pki sign-csr --csr r --cert c --force");
        desk.openssl_succeeds("verify -CAfile pki/ca.crt -purpose sslclient c");
    }
    desk.openssl_succeeds("ecparam -name prime256v1 -genkey -out pki/ca.key");
    desk.openssl_succeeds(
        "req -x509 -key pki/ca.key -subj /CN=CA -addext basicConstraints=CA:TRUE -out pki/ca.crt",
    );
    assert!(desk.read("pki/ca.key").contains("BEGIN EC PRIVATE KEY"));
    desk.succeeds("pki sign-csr --csr r --cert c --force");
}

#[test]
fn an_authority_whose_name_cannot_be_repeated_exactly_is_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    for subject in ["/DC=org/DC=example/CN=CA", "/O=Example+CN=CA"] {
        desk.openssl_succeeds(&format!(
            "req -x509 -newkey rsa:2048 -nodes -subj {subject} -addext basicConstraints=CA:TRUE \
             -keyout pki/ca.key -out pki/ca.crt"
        ));
        desk.refuses(
            "pki sign-csr --csr r --cert c",
            "the authority's subject repeats an attribute or is unusual",
        );
    }
}

#[test]
fn what_is_not_a_valid_authority_is_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    desk.refuses(
        "pki sign-csr --csr r --cert c --ca-dir elsewhere",
        "elsewhere/ca.crt does not exist: make an authority",
    );
    let now = OffsetDateTime::now_utc();
    let day = Duration::days(1);
    for (is_ca, from, until, message) in [
        (
            IsCa::ExplicitNoCa,
            now - day,
            now + day,
            "is not the certificate of an authority (basic constraints",
        ),
        (
            IsCa::NoCa,
            now - day,
            now + day,
            "is not the certificate of an authority (basic constraints",
        ),
        (
            certifier(),
            now - day * 2,
            now - day,
            "the authority is not valid now",
        ),
        (
            certifier(),
            now + day,
            now + day * 2,
            "the authority is not valid now",
        ),
    ] {
        desk.install_authority(is_ca, Vec::new(), from, until);
        desk.refuses("pki sign-csr --csr r --cert c", message);
    }
    desk.install_authority(
        certifier(),
        vec![rcgen::KeyUsagePurpose::CrlSign],
        now - day,
        now + day,
    );
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "key usage without keyCertSign",
    );
    desk.install_authority(certifier(), Vec::new(), now - day, now + day);
    desk.succeeds("pki sign-csr --csr r --cert c");
}

#[test]
fn an_authority_whose_key_is_missing_foreign_or_encrypted_is_refused() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    let right = desk.read("pki/ca.key");
    desk.write("pki/ca.key", &desk.read("k"));
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "pki/ca.key cannot be used: it is not the private key of the certificate",
    );
    desk.write("right", &right);
    desk.openssl_succeeds("pkey -in right -aes256 -passout pass:secret -out pki/ca.key");
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "ca.key is an encrypted private key, not a private key in PEM; decrypt it",
    );
    desk.openssl_succeeds("ec -in right -aes256 -passout pass:secret -out pki/ca.key");
    desk.refuses(
        "pki sign-csr --csr r --cert c",
        "ca.key is an encrypted private key, not a private key in PEM; decrypt it",
    );
    fs::remove_file(desk.path("pki/ca.key")).unwrap();
    desk.refuses("pki sign-csr --csr r --cert c", "pki/ca.key does not exist");
    desk.write("pki/ca.key", &right);
    desk.succeeds("pki sign-csr --csr r --cert c");
}

// === files ===

#[test]
fn private_keys_are_readable_by_the_owner_alone() {
    let Some(desk) = Desk::new() else { return };
    let commands =
        "umask 0; \"$0\" pki new-ca && \"$0\" pki new-cert --cn alice --key k --csr r --cert c";
    let run = |force: &str| {
        let script = commands
            .replace("new-ca", &format!("new-ca {force}"))
            .replace("--cn", &format!("{force} --cn"));
        let output = desk
            .command("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let modes = ["pki/ca.key", "k", "pki/ca.crt", "r", "c"].map(|name| desk.mode(name));
        assert_eq!(modes, [0o600, 0o600, 0o644, 0o644, 0o644]);
    };
    run("");
    // A key that was open to all is not so when it is replaced.
    fs::set_permissions(desk.path("k"), fs::Permissions::from_mode(0o666)).unwrap();
    run("--force");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r --cert self");
    desk.succeeds("pki sign-csr --csr r --cert c");
    for (command, outputs) in [
        ("pki new-ca", &["pki/ca.key", "pki/ca.crt"][..]),
        (
            "pki new-cert --cn alice --key k --csr r --cert self",
            &["k", "r", "self"],
        ),
        ("pki sign-csr --csr r --cert c", &["c"]),
    ] {
        let before: Vec<String> = outputs.iter().map(|name| desk.read(name)).collect();
        desk.refuses(
            command,
            "exists already: choose another name, or replace it with --force",
        );
        for (name, before) in outputs.iter().zip(&before) {
            assert_eq!(desk.read(name), *before, "{command}: {name}");
        }
        desk.succeeds(&format!("{command} --force"));
        for (name, before) in outputs.iter().zip(&before) {
            assert_ne!(desk.read(name), *before, "{command}: {name}");
        }
    }
    assert_eq!(
        desk.listing(),
        ["c", "k", "openssl.cnf", "pki", "r", "self"],
        "no temporary files stay"
    );
}

#[test]
fn when_one_output_cannot_be_written_none_is() {
    let Some(desk) = Desk::new() else { return };
    desk.write("r", "precious");
    desk.refuses(
        "pki new-cert --cn alice --key k --csr r",
        "r exists already",
    );
    desk.refuses(
        "pki new-cert --cn alice --key k --csr absent/r",
        "the folder absent does not exist",
    );
    desk.refuses(
        "pki new-cert --cn alice --key k --csr r/r --force",
        "the folder r does not exist",
    );
    desk.refuses(
        "pki new-cert --cn alice --key k --csr ./k",
        "./k is named twice",
    );
    fs::create_dir(desk.path("folder")).unwrap();
    desk.refuses(
        "pki new-cert --cn alice --key k --csr folder --force",
        "folder is not a regular file",
    );
    std::os::unix::fs::symlink("nowhere", desk.path("link")).unwrap();
    desk.refuses(
        "pki new-cert --cn alice --key k --csr link",
        "link exists already",
    );
    assert_eq!(desk.listing(), ["folder", "link", "openssl.cnf", "r"]);
    assert_eq!(desk.read("r"), "precious");
    desk.succeeds("pki new-cert --cn alice --key k --csr folder/r");
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let Some(desk) = Desk::new() else { return };
    let run = |limit: &str, force: &str| {
        // Without the trap, the signal that announces the limit would end the program.
        let script = format!(
            "trap '' XFSZ; {limit} exec \"$0\" pki new-cert --cn alice --key k --csr r {force}"
        );
        desk.command("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")])
            .output()
            .unwrap()
    };
    for force in ["", "--force"] {
        let before = desk.listing();
        let output = run("ulimit -f 0;", force);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains("cannot write k"),
            "{output:?}"
        );
        assert_eq!(desk.listing(), before);
        assert!(run("", force).status.success());
        let key = desk.read("k");
        assert!(!run("ulimit -f 0;", "--force").status.success());
        assert_eq!(desk.read("k"), key, "the old key stays whole");
    }
}

#[test]
fn force_does_not_destroy_what_the_command_reads() {
    let Some(desk) = Desk::with_authority() else {
        return;
    };
    desk.succeeds("pki new-cert --cn alice --key k --csr r");
    for target in ["r", "./r", "pki/ca.key", "./pki/../pki/ca.crt"] {
        desk.refuses(
            &format!("pki sign-csr --csr r --cert {target} --force"),
            "is named twice in this command",
        );
    }
    desk.succeeds("pki sign-csr --csr r --cert c --force");
}

// === the desk: a temporary folder with the two programs ===

enum Expect {
    Success,
    Failure,
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// None if there is no openssl to check with.
    fn new() -> Option<Self> {
        let desk = require_program("openssl").then(|| Self {
            folder: tempfile::tempdir().unwrap(),
        })?;
        // Not the system's: its extensions would mix with those of the tests.
        desk.write("openssl.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
        Some(desk)
    }

    fn with_authority() -> Option<Self> {
        let desk = Self::new()?;
        desk.succeeds("pki new-ca");
        Some(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    fn listing(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.folder.path())
            .env("OPENSSL_CONF", self.path("openssl.cnf"));
        command
    }

    /// Runs portcullis; returns standard output on success, standard error on failure.
    fn run(&self, arguments: &[&str], expected: Expect) -> String {
        let output = self
            .command(env!("CARGO_BIN_EXE_portcullis"))
            .args(arguments)
            .output()
            .unwrap();
        match expected {
            Expect::Success => success(arguments, output),
            Expect::Failure => {
                assert!(
                    !output.status.success(),
                    "{arguments:?} succeeded: {output:?}"
                );
                String::from_utf8(output.stderr).unwrap()
            }
        }
    }

    fn succeeds(&self, line: &str) -> String {
        self.run(&words(line), Expect::Success)
    }

    fn fails(&self, line: &str) -> String {
        self.run(&words(line), Expect::Failure)
    }

    /// It fails with `message` and leaves no certificate `c` behind that was not there before.
    fn refuses(&self, line: &str, message: &str) {
        let before = self.listing();
        let error = self.fails(line);
        assert!(
            error.contains(message),
            "{line}: {error:?} does not say {message:?}"
        );
        assert_eq!(self.listing(), before, "{line}");
    }

    fn openssl(&self, line: &str) -> Output {
        self.command("openssl").args(words(line)).output().unwrap()
    }

    fn openssl_succeeds(&self, line: &str) -> String {
        success(&words(line), self.openssl(line))
    }

    fn openssl_fails(&self, line: &str) {
        let output = self.openssl(line);
        assert!(
            !output.status.success(),
            "openssl {line} succeeded: {output:?}"
        );
    }

    /// Puts an authority into `pki` that `new-ca` would not make.
    fn install_authority(
        &self,
        is_ca: IsCa,
        usages: Vec<rcgen::KeyUsagePurpose>,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        (parameters.is_ca, parameters.key_usages) = (is_ca, usages);
        (parameters.not_before, parameters.not_after) = (from, until);
        self.write("pki/ca.crt", &parameters.self_signed(&key).unwrap().pem());
        self.write("pki/ca.key", &key.serialize_pem());
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn success(arguments: &[&str], output: Output) -> String {
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn certifier() -> IsCa {
    IsCa::Ca(BasicConstraints::Unconstrained)
}

/// A request that openssl would not make: any value as common name, or none.
fn request_named(name: Option<DnValue>) -> String {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if let Some(name) = name {
        parameters.distinguished_name.push(DnType::CommonName, name);
    }
    parameters
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap()
        .pem()
        .unwrap()
}
