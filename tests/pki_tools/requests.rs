//! Self-signed certificates, and requests that are signed or rejected.

use super::*;

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
fn requests_made_by_openssl_are_signed_with_every_key_type() {
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
fn rsa_keys_below_2048_bits_are_rejected() {
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
fn keys_on_unusual_curves_are_rejected() {
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
fn serial_numbers_are_positive_random_and_of_16_bytes() {
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
fn an_altered_request_is_rejected() {
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
fn a_request_without_exactly_one_plain_common_name_is_rejected() {
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
fn new_cert_rejects_the_names_that_sign_csr_would_reject() {
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
fn a_file_that_is_not_one_request_is_rejected() {
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
