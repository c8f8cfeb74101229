//! Server certificates, and authorities that can and cannot sign.

use super::*;

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
fn an_authority_with_an_unrepeatable_name_is_rejected() {
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
fn what_is_not_a_valid_authority_is_rejected() {
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
fn an_authority_with_a_missing_foreign_or_encrypted_key_is_rejected() {
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
