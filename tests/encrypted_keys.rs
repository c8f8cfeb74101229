//! Private keys with a passphrase, and PKCS#12, made by the real openssl: which are read, and what the others' errors say.

use crate::support::client::{Version, get};
use crate::support::gateway::{listener, route_to, trust_domain, user};
use crate::support::pki::{subject, text};
use crate::support::tls_upstream::tls_upstream;
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, require_program, run};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs::write;
use std::process::Command;

/// A PKI of which openssl makes other files, with `secret` as passphrase. `None` without openssl.
fn folder() -> Option<Pki> {
    if !require_program("openssl") {
        return None;
    }
    let pki = Pki::new();
    write(pki.path("secret"), "open sesame, please\n").unwrap();
    write(pki.path("wrong"), "open barley, please\n").unwrap();
    Some(pki)
}

/// Runs lines of shell in the folder. `PASS` stands for what openssl is told of the passphrase.
fn shell(pki: &Pki, lines: &str) {
    let lines = lines.replace("PASS", "-passout file:secret");
    let output = Command::new("sh")
        .args(["-ec", &lines])
        .current_dir(pki.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{lines}\n{output:?}");
}

/// The report of `check` on a listener, an upstream and a user's account with these lines.
fn checked(pki: &Pki, lines: &str) -> (String, i32) {
    let config = format!(
        "[listener.main]\naddress = \"127.0.0.1:0\"\n{lines}{}[upstream.api]\nendpoints = [\"https://localhost:1\"]\n\
         anchors = [\"ca.crt\"]\n{lines}{}[api_user.alice.upstream.api]\n{lines}[[route]]\npath = \"/\"\nupstream = \"api\"\n",
        trust_domain("test", pki),
        user("alice", &["*"]),
    );
    let file = pki.path("gateway.toml");
    write(&file, config).unwrap();
    let (out, err, code) = run(PORTCULLIS, &["check", "-c", &text(&file)]);
    (err + &out, code)
}

/// How files are made of `server.crt` and `server.key`, and the lines of a config that names them.
const READ: [(&str, &str); 12] = [
    (
        "openssl pkcs8 -topk8 -in server.key PASS -out key",
        "certificate = \"server.crt\"\nprivate_key = \"key\"\n",
    ),
    (
        "openssl pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 100000 -in server.key PASS -out key",
        "certificate = \"server.crt\"\nprivate_key = \"key\"\n",
    ),
    (
        "openssl pkcs8 -topk8 -v2 aes-192-cbc -v2prf hmacWithSHA1 -in server.key PASS -out key",
        "certificate = \"server.crt\"\nprivate_key = \"key\"\n",
    ),
    (
        "openssl pkey -aes256 -in server.key PASS -out key; cat server.crt >> key",
        "certificate = \"key\"\nprivate_key = \"key\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key PASS -out both.p12",
        "certificate = \"both.p12\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key PASS -out both.p12",
        "certificate = \"both.p12\"\nprivate_key = \"both.p12\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key PASS -out both.p12",
        "certificate = \"server.crt\"\nprivate_key = \"both.p12\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key PASS -out both.p12",
        "certificate = \"both.p12\"\nprivate_key = \"server.key\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key -certfile ca.crt -iter 50000 -maciter -macalg sha512 PASS -out both.p12",
        "certificate = \"both.p12\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key -certpbe AES-128-CBC -keypbe AES-192-CBC -macalg sha1 PASS -out both.p12",
        "certificate = \"both.p12\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key -certpbe NONE PASS -out both.p12",
        "certificate = \"both.p12\"\n",
    ),
    (
        "openssl pkcs12 -export -in server.crt -inkey server.key -keypbe NONE PASS -out both.p12",
        "certificate = \"both.p12\"\n",
    ),
];

#[test]
fn encrypted_keys_and_pkcs12_are_read_with_their_passphrase_alone() {
    for (make, lines) in READ {
        let Some(pki) = folder() else { return };
        shell(&pki, make);
        let with = |passphrase: &str| checked(&pki, &format!("{lines}{passphrase}"));
        let (report, code) = with("passphrase_file = \"secret\"\n");
        assert_eq!(code, 0, "{make}\n{report}");
        for (passphrase, complaint, hint) in [
            (
                "passphrase_file = \"wrong\"\n",
                "the passphrase is wrong",
                "check the content of `passphrase_file`",
            ),
            (
                "",
                "is encrypted, and no passphrase is given",
                "add `passphrase_file`",
            ),
        ] {
            let (report, code) = with(passphrase);
            assert_eq!(code, 1, "{make}\n{report}");
            assert!(report.matches(complaint).count() >= 2, "{make}\n{report}");
            assert!(report.contains(hint), "{make}\n{report}");
        }
    }
}

#[test]
fn pkcs12_with_an_empty_passphrase_needs_none() {
    let Some(pki) = folder() else { return };
    shell(
        &pki,
        "openssl pkcs12 -export -in server.crt -inkey server.key -passout pass: -out both.p12",
    );
    let (report, code) = checked(&pki, "certificate = \"both.p12\"\n");
    assert_eq!(code, 0, "{report}");
}

/// How a file is made, the lines that name it, and the error. If a command stands in the hint, it makes a file that is read.
const UNREAD: [(&str, &str, &str); 8] = [
    (
        "openssl ec -aes256 -in server.key PASS -out key",
        "private_key = \"key\"",
        "outdated encryption of PEM",
    ),
    (
        "openssl pkcs8 -topk8 -v2 des3 -in server.key PASS -out key",
        "private_key = \"key\"",
        "it is encrypted with Triple DES, which is not supported",
    ),
    (
        "openssl pkcs8 -topk8 -scrypt -in server.key PASS -out key",
        "private_key = \"key\"",
        "it is encrypted with a key derived by scrypt, which is not supported",
    ),
    (
        "openssl pkcs8 -topk8 -iter 5000001 -in server.key PASS -out key",
        "private_key = \"key\"",
        "deriving the key from the passphrase takes more than 5000000 rounds",
    ),
    (
        "openssl pkcs12 -export -legacy -in server.crt -inkey server.key PASS -out key",
        "private_key = \"key\"",
        "it is encrypted with RC2, RC4 or Triple DES, which is not supported",
    ),
    (
        "openssl pkcs12 -export -nomac -in server.crt -inkey server.key PASS -out key",
        "private_key = \"key\"",
        "it has no MAC",
    ),
    (
        "openssl pkcs12 -export -iter 2000000 -in server.crt -inkey server.key PASS -out key",
        "private_key = \"key\"",
        "deriving the key from the passphrase takes more than 5000000 rounds",
    ),
    (
        "openssl pkcs12 -export -nokeys -in server.crt PASS -out key",
        "private_key = \"key\"",
        "it holds no private key",
    ),
];

#[test]
fn what_is_not_read_is_named_and_the_command_of_its_hint_makes_a_file_that_is() {
    for (make, line, complaint) in UNREAD {
        let Some(pki) = folder() else { return };
        shell(&pki, make);
        let lines = format!("certificate = \"server.crt\"\n{line}\npassphrase_file = \"secret\"\n");
        let (report, code) = checked(&pki, &lines);
        assert!(code == 1 && report.contains(complaint), "{make}\n{report}");
        let hint = report
            .lines()
            .find(|line| line.contains("= help:"))
            .unwrap();
        let commands: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
        assert!(commands[0].starts_with("openssl "), "{hint}");
        if commands[0].contains("KEY") {
            continue;
        }
        for command in &commands {
            // On a terminal it asks for passphrases.
            let reads = " -passin 'pass:open sesame, please'";
            let writes = if command.contains("-nodes") {
                ""
            } else {
                " -passout 'pass:open sesame, please'"
            };
            shell(&pki, &format!("{command}{reads}{writes}"));
        }
        let made = commands.last().unwrap().rsplit("-out ").next().unwrap();
        let (report, code) = checked(&pki, &lines.replace("\"key\"", &format!("\"{made}\"")));
        assert_eq!(code, 0, "{make}: {commands:?}\n{report}");
    }
}

#[test]
fn a_passphrase_that_nothing_needs_or_that_is_none_is_an_error() {
    let Some(pki) = folder() else { return };
    shell(
        &pki,
        "openssl pkcs8 -topk8 -in server.key PASS -out key; printf '' > empty; printf 'a\\nb\\n' > two",
    );
    for (lines, complaint) in [
        (
            "certificate = \"server.crt\"\nprivate_key = \"server.key\"\npassphrase_file = \"secret\"\n",
            "server.key is not encrypted, so it has no passphrase",
        ),
        (
            "certificate = \"server.crt\"\nprivate_key = \"key\"\npassphrase_file = \"empty\"\n",
            "the passphrase is empty, or has several lines",
        ),
        (
            "certificate = \"server.crt\"\nprivate_key = \"key\"\npassphrase_file = \"two\"\n",
            "the passphrase is empty, or has several lines",
        ),
        (
            "certificate = \"server.crt\"\nprivate_key = \"key\"\npassphrase_file = \"nowhere\"\n",
            "nowhere: No such file",
        ),
        (
            "certificate = \"server.crt\"\npassphrase_file = \"secret\"\n",
            "`certificate` and `private_key` belong together",
        ),
        (
            "passphrase_file = \"secret\"\n",
            "`passphrase_file` stands without a `certificate`",
        ),
    ] {
        let (report, code) = checked(&pki, lines);
        assert!(code == 1 && report.contains(complaint), "{lines}\n{report}");
        assert!(!report.contains("open sesame"), "{report}");
    }
    let (report, code) = checked(
        &pki,
        "certificate = \"server.crt\"\nprivate_key = \"key\"\npassphrase_file = \"secret\"\n",
    );
    assert_eq!(code, 0, "{report}");
}

#[test]
fn a_listener_serves_with_an_encrypted_key_and_with_pkcs12() {
    let Some(pki) = folder() else { return };
    shell(
        &pki,
        "openssl pkcs8 -topk8 -in server.key PASS -out key
         openssl pkcs12 -export -in server.crt -inkey server.key PASS -out both.p12",
    );
    let upstream = Upstream::start();
    let plain = listener(&pki) + &user("alice", &["*"]) + &route_to(upstream.address);
    let folder = text(pki.folder.path());
    let certificate = format!("certificate = \"{folder}/server.crt\"\n");
    let key = format!("private_key = \"{folder}/server.key\"\n");
    let file = format!("passphrase_file = \"{folder}/secret\"\n");
    let encrypted = plain.replace(&key, &(key.replace("server.key", "key") + &file));
    let from_environment =
        encrypted.replace(&file, "passphrase_file = \"env:PORTCULLIS_PASSPHRASE\"\n");
    let pkcs12 = plain
        .replace(&key, &file)
        .replace(&certificate, &certificate.replace("server.crt", "both.p12"));
    for config in [encrypted, pkcs12, from_environment] {
        let gateway =
            Gateway::start_with_variable(&config, "PORTCULLIS_PASSPHRASE", "open sesame, please");
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        assert_eq!(client.get("/").status, 200, "{config}");
    }
}

/// Writes `NAME.p12` with a client certificate by an intermediate CA of `theirs`, and with the chain in the wrong order.
fn write_chained_stores(pki: &Pki, theirs: &Pki, names: &[&str]) {
    let mut middle = CertificateParams::default();
    middle.distinguished_name = subject(&["Middle CA".into()]);
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = theirs.sign("middle", middle.clone());
    let issuer = Issuer::new(middle, KeyPair::from_pem(&signed.key).unwrap());
    std::fs::copy(theirs.ca_file(), pki.path("root.crt")).unwrap();
    write(pki.path("middle.crt"), &signed.certificate).unwrap();
    for name in names {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&[(*name).into()]);
        let leaf = params.signed_by(&key, &issuer).unwrap();
        write(pki.path("leaf.key"), key.serialize_pem()).unwrap();
        write(pki.path("leaf.crt"), leaf.pem()).unwrap();
        shell(
            pki,
            &format!(
                "cat root.crt middle.crt > chain
                 openssl pkcs12 -export -in leaf.crt -inkey leaf.key -certfile chain PASS -out {name}.p12"
            ),
        );
    }
}

/// The upstream knows the root alone, so it accepts a certificate only together with the intermediate.
#[test]
fn an_upstream_and_an_account_show_the_whole_chain_of_pkcs12() {
    let Some(pki) = folder() else { return };
    let theirs = Pki::named("Their CA");
    write_chained_stores(&pki, &theirs, &["gateway", "alice"]);
    let upstream = tls_upstream(&theirs, |mut stream| {
        while !stream.read_head().is_empty() {
            let name = stream.client.clone();
            stream.write(&format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}",
                name.len()
            ));
        }
    });
    let lines = |name: &str| {
        format!(
            "certificate = \"{0}/{name}.p12\"\npassphrase_file = \"{0}/secret\"\n",
            text(pki.folder.path())
        )
    };
    let config = listener(&pki)
        + &user("alice", &["*"])
        + "[api_user.alice.upstream.api]\n"
        + &lines("alice")
        + &user("bob", &["*"])
        + &format!(
            "[upstream.api]\nendpoints = [\"https://localhost:{}\"]\nanchors = [\"{}\"]\n{}",
            upstream.address.port(),
            text(&theirs.ca_file()),
            lines("gateway")
        )
        + "[[route]]\npath = \"/\"\nupstream = \"api\"\n";
    let gateway = Gateway::start(&config);
    for (user, shown) in [("alice", "alice"), ("bob", "gateway")] {
        let client = Client::new(&pki, Some(&pki.client(user)), gateway.address());
        let answer = client.send(Version::Http1, get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, shown),
            "{answer:?}"
        );
    }
}
